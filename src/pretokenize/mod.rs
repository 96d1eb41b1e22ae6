//! Text -> pretokens: the pieces that merging never crosses. `"I'm here"` -> `"I"`, `"'m"`, `" here"`.
//!
//! `patterns` names them, `regex` runs any of them (and is the reference), `scanner` runs the presets fast, with `window` and `block`;
//! `batches` has the pretokens of a whole text, or of short ones that are `joined`.

mod batches;
pub mod block;
pub mod classes;
pub mod ends;
mod joined;
pub mod patterns;
pub mod regex;
pub mod scanner;
pub mod window;

pub use batches::Pieces;
use classes::{ClassTable, LETTER, MARK};
pub use ends::Ends;
pub use joined::{Joined, Mark};

use crate::digits::Digits;
use crate::error::Result;
use crate::utf8::{State, decode_at};

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

    /// For each of the `ends`: whether a text that ended there would have a match of the pattern from `start` to there. `None` if that
    /// is not told in one pass.
    pub fn reaches(
        &self,
        cache: &mut regex::RegexCache,
        text: &[u8],
        start: usize,
        ends: &[usize],
    ) -> Option<Vec<bool>> {
        match &self.engine {
            Engine::Scanner(_) => None,
            Engine::Regex(regex) => regex.reaches(cache, text, start, ends),
        }
    }

    /// Whether it may take many steps, up to a limit, to find a pretoken.
    #[must_use]
    pub fn may_be_slow(&self) -> bool {
        matches!(&self.engine, Engine::Regex(regex) if !regex.is_linear())
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
