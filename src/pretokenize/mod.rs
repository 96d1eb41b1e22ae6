//! Text -> pretokens: the pieces that merging never crosses. `"I'm here"` -> `"I"`, `"'m"`, `" here"`.
//!
//! `patterns` names them, `regex` runs any of them (and is the reference), `scanner` runs the presets fast, with `window` and `block`.

pub mod block;
pub mod classes;
pub mod ends;
pub mod patterns;
pub mod regex;
pub mod scanner;
pub mod window;

use classes::{ClassTable, LETTER, MARK, NUMBER};
pub use ends::Ends;

use crate::digits::Digits;
use crate::error::Result;
use crate::utf8::{State, Stretch, Text, decode_at, stretches};

/// A pattern, compiled, and the rule for digits that goes before it.
pub struct Pretokenizer {
    pattern: String,
    digits: Digits,
    engine: Engine,
}

enum Engine {
    Scanner(scanner::Scanner),
    Regex(regex::Regex),
}

impl Pretokenizer {
    /// Compiles a preset's name or a regex.
    ///
    /// # Errors
    /// A pattern that is neither.
    pub fn new(pattern: &str) -> Result<Self> {
        let pattern = patterns::expand(pattern)?;
        let engine = match patterns::rules_for(pattern) {
            Some(rules) => Engine::Scanner(scanner::Scanner::new(rules)),
            None => Engine::Regex(regex::Regex::new(pattern)?),
        };
        Ok(Self { pattern: pattern.to_owned(), digits: Digits::None, engine })
    }

    /// The same through the regex engine even where the scanner knows the pattern: the reference.
    ///
    /// # Errors
    /// As [`Pretokenizer::new`].
    pub fn by_regex(pattern: &str) -> Result<Self> {
        let pattern = patterns::expand(pattern)?;
        let engine = Engine::Regex(regex::Regex::new(pattern)?);
        Ok(Self { pattern: pattern.to_owned(), digits: Digits::None, engine })
    }

    /// The same with a rule for digits.
    #[must_use]
    pub fn with_digits(self, digits: Digits) -> Self {
        Self { digits, ..self }
    }

    /// The regex.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The rule for digits.
    #[must_use]
    pub fn digits(&self) -> Digits {
        self.digits
    }

    /// Calls `visit` with every pretoken of `text` in order, as batches of consecutive ones: a part of the text, where in it
    /// the first begins, and where each ends. Invalid UTF-8 runs, groups of digits and what stands between
    /// them are parts of their own.
    ///
    /// # Errors
    /// The step limit of patterns that may backtrack, and the errors of `visit`.
    #[inline]
    pub fn batches<'a>(
        &self,
        cache: &mut regex::RegexCache,
        ends: &mut Ends,
        text: Text<'a>,
        mut visit: impl FnMut(Pieces<'a, '_>) -> Result<()>,
    ) -> Result<()> {
        stretches(text, |stretch| match stretch {
            Stretch::Invalid(bytes) => visit(Pieces::Invalid(bytes)),
            Stretch::Valid(text) if self.digits == Digits::None => self.batches_between(cache, ends, text, &mut visit),
            Stretch::Valid(text) => self.batches_around_digits(cache, ends, text, &mut visit),
        })
    }

    /// The pattern's pretokens of a text that digits do not cut.
    #[inline]
    fn batches_between<'a>(
        &self,
        cache: &mut regex::RegexCache,
        ends: &mut Ends,
        text: &'a str,
        visit: &mut impl FnMut(Pieces<'a, '_>) -> Result<()>,
    ) -> Result<()> {
        let mut at = 0;
        while at < text.len() {
            ends.clear();
            let stop = self.scan(cache, text, at, ends)?;
            visit(Pieces::Valid(text.as_bytes(), at, ends.as_slice()))?;
            at = stop;
        }
        Ok(())
    }

    fn batches_around_digits<'a>(
        &self,
        cache: &mut regex::RegexCache,
        ends: &mut Ends,
        text: &'a str,
        visit: &mut impl FnMut(Pieces<'a, '_>) -> Result<()>,
    ) -> Result<()> {
        let classes = ClassTable::get();
        let is_number = |c: char| classes.class(u32::from(c)) & NUMBER != 0;
        let mut rest = text;
        while !rest.is_empty() {
            let (between, run) = rest.split_at(rest.find(is_number).unwrap_or(rest.len()));
            self.batches_between(cache, ends, between, visit)?;
            let (run, after) = run.split_at(run.find(|c| !is_number(c)).unwrap_or(run.len()));
            self.groups_of_digits(ends, run, visit)?;
            rest = after;
        }
        Ok(())
    }

    fn groups_of_digits<'a>(
        &self,
        ends: &mut Ends,
        run: &'a str,
        visit: &mut impl FnMut(Pieces<'a, '_>) -> Result<()>,
    ) -> Result<()> {
        let mut left = run.chars().count();
        let mut group = self.digits.group(left);
        let mut start = 0;
        ends.clear();
        for (at, digit) in run.char_indices() {
            group -= 1;
            left -= 1;
            if group > 0 {
                continue;
            }
            group = self.digits.group(left);
            let end = at + digit.len_utf8();
            ends.push(end);
            if left == 0 || ends.room() == 0 {
                visit(Pieces::Valid(run.as_bytes(), start, ends.as_slice()))?;
                ends.clear();
                start = end;
            }
        }
        Ok(())
    }

    /// Adds ends of the pattern's pretokens of `text` from `start` on, whatever the rule for digits; returns where it stopped.
    ///
    /// # Errors
    /// The step limit of patterns that may backtrack.
    #[inline]
    pub fn scan(&self, cache: &mut regex::RegexCache, text: &str, start: usize, ends: &mut Ends) -> Result<usize> {
        match &self.engine {
            Engine::Scanner(scanner) => Ok(scanner.scan(text.as_bytes(), start, ends)),
            Engine::Regex(regex) => regex.scan(cache, text, start, ends),
        }
    }

    /// Whether a text may be cut before byte `at` without changing a pretoken on either side. Every preset
    /// starts a pretoken at a character that follows a letter and is neither letter, mark nor apostrophe;
    /// of other patterns nothing is known. No letter is a number, so no run of digits is cut.
    #[must_use]
    pub fn may_cut(&self, text: &[u8], at: usize) -> bool {
        if matches!(self.engine, Engine::Regex(_)) || at == 0 || at >= text.len() {
            return false;
        }
        // Most places are none: the cheapest question comes first.
        let is_inside = text[at] & 0xC0 == 0x80;
        let Some(start) = (at.saturating_sub(4)..at).rev().find(|&i| text[i] & 0xC0 != 0x80) else { return false };
        let classes = ClassTable::get();
        if is_inside || classes.class(decode_at(text, start).0) & LETTER == 0 {
            return false;
        }
        let is_character = State::Boundary.advance_all(&text[start..at]) == State::Boundary;
        let next =
            text[at..(at + 4).min(text.len())].utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
        let is_apart = |next: char| next != '\'' && classes.class(u32::from(next)) & (LETTER | MARK) == 0;
        is_character && next.is_some_and(is_apart)
    }
}

/// Some consecutive pretokens.
#[derive(Clone, Copy, Debug)]
pub enum Pieces<'a, 'e> {
    /// A run that is not UTF-8: one pretoken.
    Invalid(&'a [u8]),
    /// Valid text, where the first pretoken begins in it, and where each ends.
    Valid(&'a [u8], usize, &'e [usize]),
}
