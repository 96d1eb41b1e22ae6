//! Any pattern, by two engines. Patterns without backreferences and look-around run on finite automata, in linear
//! time; so does the one lookahead that nearly every tokenizer uses, `\s+(?!\S)`, since "white space not followed by
//! other text" is a run of white space that gives its last character back. All others run under a step limit.
//!
//! The syntax and its meaning are those of `fancy-regex`, the engine that tiktoken uses, without what other engines read in
//! another way (`syntax`).

mod leaps;
mod linear;
mod search;
mod syntax;
mod walk;

use once_cell::race::OnceBox;
use regex_automata::{Input, meta};

use self::linear::linear_alternatives;
pub(crate) use self::linear::{is_space_lookahead, is_space_run};
use self::search::{Automaton, Looked, States, TooMany};
pub use self::syntax::may_be_empty;
use super::ends::Ends;
use crate::error::{Error, Result};

/// Most steps of one match for patterns that may backtrack.
pub const STEP_LIMIT: usize = 1_000_000;
/// Matches before the caller is asked whether to go on, where each may take so many steps, some 20 ms.
const SLOW_MATCHES: usize = 16;

/// A compiled pattern.
pub struct Regex {
    engine: Engine,
}

enum Engine {
    Linear(Box<Linear>),
    Steps(Box<fancy_regex::Regex>),
}

/// Alternatives without look-around.
struct Linear {
    alternatives: Vec<String>,
    /// Whether alternative `i` matched one character more than it may keep.
    gives_back: Vec<bool>,
    /// `None` where there can be no such automaton: word boundaries of Unicode.
    automaton: Option<Automaton>,
    /// For patterns without an automaton or with too many states: slower, made when it is first needed.
    general: OnceBox<Option<meta::Regex>>,
}

/// Working memory of a search, owned by one thread.
#[derive(Default)]
pub struct RegexCache {
    states: Option<States>,
    general: Option<meta::Cache>,
}

impl Regex {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// A pattern that does not parse, or whose meaning differs between the engines in use.
    pub fn new(pattern: &str) -> Result<Self> {
        let refuse = |reason: String| Error::Pattern { pattern: pattern.to_owned(), reason };
        let tree = syntax::parse(pattern).map_err(refuse)?;
        if let Some(reason) = syntax::ambiguous(pattern).map(str::to_owned).or_else(|| syntax::wrong_repeat(&tree)) {
            return Err(refuse(reason));
        }
        let engine = match linear_alternatives(&tree) {
            Some(alternatives) => Engine::Linear(Box::new(Linear::new(alternatives).map_err(refuse)?)),
            None => {
                // What the engine makes of a pattern to run it faster matches other text than the pattern, in version 0.20.2: `a{2}a*?a{3}`.
                let compiled =
                    fancy_regex::RegexBuilder::new(pattern).backtrack_limit(STEP_LIMIT).optimize(false).build();
                Engine::Steps(Box::new(compiled.map_err(|error| refuse(syntax::told(error)))?))
            }
        };
        Ok(Self { engine })
    }

    /// Whether matching takes time in proportion to the text.
    #[must_use]
    pub fn is_linear(&self) -> bool {
        matches!(self.engine, Engine::Linear(_))
    }

    /// For each of the `ends`: whether a text that ended there would have a match from `start` to there. `None` if it takes more than an
    /// automaton to say.
    pub fn reaches(&self, cache: &mut RegexCache, text: &[u8], start: usize, ends: &[usize]) -> Option<Vec<bool>> {
        let Engine::Linear(linear) = &self.engine else { return None };
        let automaton = linear.automaton.as_ref()?;
        let states = cache.states.get_or_insert_with(|| automaton.states());
        automaton.reaches(states, text, start, ends).ok()
    }

    /// Adds ends of pretokens from `start` on until `ends` is nearly full, the text is over, or so many matches were found that
    /// the caller may want to stop; returns where it stopped. Text between matches is a pretoken of its own. A text is scanned from its beginning.
    ///
    /// # Errors
    /// The step limit.
    pub fn scan(&self, cache: &mut RegexCache, text: &str, start: usize, ends: &mut Ends) -> Result<usize> {
        if start == 0
            && let Some(states) = &mut cache.states
        {
            states.begin_text();
        }
        let (mut at, mut left) = (start, if self.is_linear() { usize::MAX } else { SLOW_MATCHES });
        while at < text.len() && ends.room() > 2 && left > 0 {
            let found = match &self.engine {
                Engine::Linear(linear) => {
                    at = linear.walk(cache, text, at, ends);
                    linear.find(cache, text, at)
                }
                Engine::Steps(regex) => find_in_steps(regex, text, at)?,
            };
            let (found, end) = found.unwrap_or((text.len(), text.len()));
            if at < found {
                ends.push(found);
            }
            if found < end {
                ends.push(end);
            }
            at = end;
            left -= 1;
        }
        Ok(at)
    }
}

impl Linear {
    fn new(alternatives: Vec<(String, bool)>) -> std::result::Result<Self, String> {
        let (alternatives, gives_back): (Vec<String>, Vec<bool>) = alternatives.into_iter().unzip();
        let automaton = Automaton::new(&alternatives, &gives_back);
        let mut linear = Self { alternatives, gives_back, automaton, general: OnceBox::new() };
        if linear.automaton.is_none() {
            linear.general = OnceBox::with_value(Box::new(Some(linear.build_general()?)));
        }
        Ok(linear)
    }

    fn build_general(&self) -> std::result::Result<meta::Regex, String> {
        meta::Regex::builder()
            .configure(meta::Config::new().nfa_size_limit(Some(search::COMPILED)))
            .build_many(&self.alternatives)
            .map_err(|error| syntax::cause_of(&error))
    }

    /// The first match that is not empty at or after `at`.
    #[inline]
    fn find(&self, cache: &mut RegexCache, text: &str, at: usize) -> Option<(usize, usize)> {
        let found = self.by_automaton(cache, text, at).unwrap_or_else(|TooMany| self.by_general(cache, text, at));
        let (alternative, start, end) = found?;
        let end = if self.gives_back[alternative] { text[..end].char_indices().next_back()?.0 } else { end };
        Some((start, end))
    }

    /// Adds what is plain to see and returns the last end.
    fn walk(&self, cache: &mut RegexCache, text: &str, at: usize, ends: &mut Ends) -> usize {
        let Some(automaton) = &self.automaton else { return at };
        let states = cache.states.get_or_insert_with(|| automaton.states());
        automaton.walk(states, text, at, ends).unwrap_or_else(|_| {
            automaton.forget(states);
            at
        })
    }

    /// The same as `(alternative, start, end)`, if the automaton can say.
    #[inline]
    fn by_automaton(&self, cache: &mut RegexCache, text: &str, at: usize) -> Looked {
        let automaton = self.automaton.as_ref().ok_or(TooMany)?;
        let states = cache.states.get_or_insert_with(|| automaton.states());
        automaton.find(states, text, at).or_else(|TooMany| {
            // The states of all the text before are forgotten; those of one match nearly always fit.
            automaton.forget(states);
            automaton.find(states, text, at)
        })
    }

    fn by_general(&self, cache: &mut RegexCache, text: &str, mut at: usize) -> Option<(usize, usize, usize)> {
        // It compiled for the automaton, from the same syntax and under the same limit.
        let general = self.general.get_or_init(|| Box::new(self.build_general().ok())).as_ref()?;
        let cache = cache.general.get_or_insert_with(|| general.create_cache());
        while at <= text.len() {
            let found = general.search_with(cache, &Input::new(text).range(at..))?;
            if found.end() > found.start() {
                return Some((found.pattern().as_usize(), found.start(), found.end()));
            }
            at = found.start() + next_length(text, found.start());
        }
        None
    }
}

/// The first match that is not empty at or after `at`.
fn find_in_steps(regex: &fancy_regex::Regex, text: &str, mut at: usize) -> Result<Option<(usize, usize)>> {
    while at <= text.len() {
        let found =
            regex.find_from_pos(text, at).map_err(|_| Error::PatternSteps { position: at, limit: STEP_LIMIT })?;
        // `\K` in a look-around may put the start behind the end, or both before `at`, from where nothing would go on.
        match found.map(|m| (m.start().max(at), m.end().max(at))) {
            Some((start, end)) if start >= end => at = end + next_length(text, end),
            other => return Ok(other),
        }
    }
    Ok(None)
}

fn next_length(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(1, char::len_utf8)
}
