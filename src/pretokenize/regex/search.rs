//! One lazily built automaton walks a text from pretoken to pretoken: at each end it starts anew, and of the alternatives
//! that match there the first one wins. Nothing is allocated for a match, and no second pass looks for its start.
//!
//! The time is in proportion to the text whatever the pattern. A match may have to look far beyond its end (`a*b|a` looks
//! for a `b` to the end of a text of `a`s, then takes one `a`), and so may the next and the next. Where such a look went on
//! for long, its states at every [`STRIDE`]th byte are kept as dead ends: whoever comes to the same place in the same
//! state need not look further, for the rest would be the same.

use std::collections::HashSet;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::Look;

use super::next_length;
use super::walk::{Rules, Walk};
use crate::pretokenize::ends::Ends;

/// Places in a text that are a multiple of this are where dead ends are kept and looked up.
const STRIDE: usize = 64;
/// Most memory of an automaton's states; when they need more, all are forgotten.
const STATES: usize = 8 << 20;
/// Bytes that are searched match by match before a table is made: as long as it takes to make one.
const FEW: usize = 4 << 10;
/// Most memory of a compiled pattern.
pub const COMPILED: usize = 64 << 20;

/// Alternatives as one automaton.
pub struct Automaton {
    dfa: DFA,
    /// Whether alternative `i` matched one character more than it may keep.
    gives_back: Vec<bool>,
    /// Whether it matters which alternative matched.
    tells_apart: bool,
    /// Whether a pretoken may be walked to without knowing the byte before it.
    may_walk: bool,
}

/// The states made so far, and the dead ends of the text at hand.
pub struct States {
    cache: Cache,
    dead_ends: HashSet<(LazyStateID, usize)>,
    /// Where the search at hand came by since its last match.
    trail: Vec<(LazyStateID, usize)>,
    /// Made when enough text has come by to be worth a table.
    walk: Option<Walk>,
    /// Bytes of the matches that were searched for.
    searched: usize,
    /// Up to where the text is searched match by match, because walking looked as far ahead in vain.
    search_until: usize,
}

impl States {
    /// Forgets what is known of a text: another begins.
    pub fn begin_text(&mut self) {
        self.dead_ends.clear();
        self.search_until = 0;
    }
}

/// The states of one text need more than [`STATES`].
pub struct TooMany;

/// `(alternative, start, end)` of a match, if there is one.
pub type Looked = Result<Option<(usize, usize, usize)>, TooMany>;

impl Automaton {
    /// Compiles the alternatives; `None` for a pattern that needs too much memory, or for which such an automaton cannot be
    /// (word boundaries of Unicode).
    pub fn new(alternatives: &[String], gives_back: &[bool]) -> Option<Self> {
        let config = Config::new()
            .match_kind(MatchKind::LeftmostFirst)
            .cache_capacity(STATES)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(0));
        let mut builder = DFA::builder();
        builder.configure(config).thompson(thompson::Config::new().nfa_size_limit(Some(COMPILED)));
        let dfa = builder.build_many(alternatives).ok()?;
        // The end of the text decides nothing behind a pretoken; all other look-around might.
        let looks = |text: &String| {
            let parsed = regex_syntax::Parser::new().parse(text);
            parsed.is_ok_and(|parsed| parsed.properties().look_set().iter().all(|look| look == Look::End))
        };
        let may_walk = alternatives.iter().all(looks);
        Some(Self { dfa, gives_back: gives_back.to_vec(), tells_apart: gives_back.contains(&true), may_walk })
    }

    /// No states yet.
    pub fn states(&self) -> States {
        States {
            cache: self.dfa.create_cache(),
            dead_ends: HashSet::new(),
            trail: Vec::new(),
            walk: None,
            searched: 0,
            search_until: 0,
        }
    }

    /// Forgets all states, and with them the dead ends that name them.
    pub fn forget(&self, states: &mut States) {
        states.cache.reset(&self.dfa);
        states.dead_ends.clear();
        states.walk.iter_mut().for_each(Walk::forget);
    }

    /// Adds ends of pretokens from `start` on, where one begins, while they are plain to see; returns the last.
    pub fn walk(&self, states: &mut States, text: &str, start: usize, ends: &mut Ends) -> Result<usize, TooMany> {
        if !self.may_walk || start < states.search_until {
            return Ok(start);
        }
        let rules = Rules { dfa: &self.dfa, gives_back: &self.gives_back };
        let Some(walk) = &mut states.walk else {
            states.walk = (states.searched > FEW).then(|| Walk::new(&self.dfa));
            return Ok(start);
        };
        // Two are left for the search.
        let room = ends.room().saturating_sub(2);
        let (found, reached) = walk.run(rules, &mut states.cache, text.as_bytes(), start, room)?;
        for &end in found {
            ends.push(end);
        }
        let last = found.last().copied().unwrap_or(start);
        if reached - last > STRIDE {
            states.search_until = reached + (reached - last);
        }
        Ok(last)
    }

    /// The first match that is not empty at or after `at`: alternative, start, end.
    pub fn find(&self, states: &mut States, text: &str, mut at: usize) -> Looked {
        while at < text.len() {
            match self.find_at(states, text.as_bytes(), at)? {
                Some((alternative, end)) if end > at => {
                    states.searched += end - at;
                    return Ok(Some((alternative, at, end)));
                }
                _ => at += next_length(text, at),
            }
        }
        Ok(None)
    }

    /// For each of the `ends`, ascending from `start` on: whether a text that ended there would have a match from `start` to there. One
    /// pass answers for all: what comes later is preferred, or the automaton would have given it up.
    pub fn reaches(
        &self,
        states: &mut States,
        text: &[u8],
        start: usize,
        ends: &[usize],
    ) -> Result<Vec<bool>, TooMany> {
        let Self { dfa, gives_back, .. } = self;
        let cache = &mut states.cache;
        let behind = start.checked_sub(1).map(|before| text[before]);
        let begin = start::Config::new().anchored(Anchored::Yes).look_behind(behind);
        let mut state = dfa.start_state(cache, &begin).map_err(|_| TooMany)?;
        let (mut at, mut reached) = (start, Vec::with_capacity(ends.len()));
        for &end in ends {
            for &byte in &text[at..end] {
                state = dfa.next_state(cache, state, byte).map_err(|_| TooMany)?;
            }
            at = end;
            if state.is_dead() {
                break;
            }
            let last = dfa.next_eoi_state(cache, state).map_err(|_| TooMany)?;
            reached.push(last.is_match() && !gives_back[dfa.match_pattern(cache, last, 0).as_usize()]);
        }
        reached.resize(ends.len(), false);
        Ok(reached)
    }

    /// The match that starts at `at`: alternative, end.
    #[inline]
    fn find_at(&self, states: &mut States, text: &[u8], start: usize) -> Result<Option<(usize, usize)>, TooMany> {
        let Self { dfa, tells_apart, .. } = self;
        let States { cache, dead_ends, trail, .. } = states;
        let behind = start.checked_sub(1).map(|before| text[before]);
        let begin = start::Config::new().anchored(Anchored::Yes).look_behind(behind);
        let mut state = dfa.start_state(cache, &begin).map_err(|_| TooMany)?;
        let mut found = None;
        let mut at = start;
        // What a search that ran out of states came by is not known to be a dead end.
        trail.clear();
        'text: loop {
            let stop = ((at / STRIDE + 1) * STRIDE).min(text.len());
            while at < stop {
                let next = dfa.next_state(cache, state, text[at]).map_err(|_| TooMany)?;
                if next.is_tagged() {
                    if !next.is_match() {
                        break 'text;
                    }
                    // An automaton says one byte late that there was a match.
                    found = Some((next, at));
                }
                state = next;
                at += 1;
                // Within a word the state stays. Asking for that lets the processor go ahead by guessing the answer,
                // where taking each state from the one before waits for two loads a byte.
                let here = at;
                while at < stop && dfa.next_state(cache, state, text[at]).map_err(|_| TooMany)? == state {
                    at += 1;
                }
                if at > here && state.is_match() {
                    found = Some((state, at - 1));
                }
            }
            if at == text.len() {
                state = dfa.next_eoi_state(cache, state).map_err(|_| TooMany)?;
                if state.is_match() {
                    found = Some((state, at));
                }
                break;
            }
            if at - found.map_or(start, |f| f.1) >= STRIDE {
                if dead_ends.contains(&(state, at)) {
                    break;
                }
                trail.push((state, at));
            }
        }
        if !trail.is_empty() {
            let end = found.map_or(start, |f| f.1);
            dead_ends.extend(trail.drain(..).filter(|passed| passed.1 > end));
        }
        let alternative = |state| if *tells_apart { dfa.match_pattern(cache, state, 0).as_usize() } else { 0 };
        Ok(found.map(|(state, end)| (alternative(state), end)))
    }
}
