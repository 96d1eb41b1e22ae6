//! Text -> pretokens: the pieces that merging never crosses. `"I'm here"` -> `"I"`, `"'m"`, `" here"`.
//!
//! `patterns` names them, `regex` runs any of them (and is the reference), `scanner` runs the presets fast, with `window` and `block`.

pub mod block;
pub mod classes;
pub mod patterns;
pub mod regex;
pub mod scanner;
pub mod window;

use classes::{ClassTable, LETTER, MARK};
pub use scanner::Ends;

use crate::error::Result;
use crate::utf8::decode_at;

/// A pattern, compiled.
pub struct Pretokenizer {
    pattern: String,
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
        Ok(Self { pattern: pattern.to_owned(), engine })
    }

    /// The same through the regex engine even where the scanner knows the pattern: the reference.
    ///
    /// # Errors
    /// As [`Pretokenizer::new`].
    pub fn by_regex(pattern: &str) -> Result<Self> {
        let pattern = patterns::expand(pattern)?;
        Ok(Self { pattern: pattern.to_owned(), engine: Engine::Regex(regex::Regex::new(pattern)?) })
    }

    /// The regex.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Adds ends of pretokens of `text` from `start` on; returns where it stopped.
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
    /// of other patterns nothing is known.
    #[must_use]
    pub fn may_cut(&self, text: &[u8], at: usize) -> bool {
        if matches!(self.engine, Engine::Regex(_)) || at == 0 || at >= text.len() {
            return false;
        }
        let classes = ClassTable::get();
        let Some(before) = character_before(text, at) else { return false };
        let Some(next) = text[at..(at + 4).min(text.len())].utf8_chunks().next().and_then(|c| c.valid().chars().next())
        else {
            return false;
        };
        classes.class(before) & LETTER != 0 && next != '\'' && classes.class(u32::from(next)) & (LETTER | MARK) == 0
    }
}

/// The character that ends at byte `at`, if the bytes there are valid UTF-8.
fn character_before(text: &[u8], at: usize) -> Option<u32> {
    let start = (at.saturating_sub(4)..at).rev().find(|&i| text[i] & 0xC0 != 0x80)?;
    std::str::from_utf8(&text[start..at]).ok().map(|_| decode_at(text, start).0)
}
