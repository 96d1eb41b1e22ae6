//! From pretoken to pretoken without a branch: a table that knows for each state and byte not only the next state, but
//! also that a pretoken ended before the byte and that the next one began with it.
//!
//! Searching match by match mispredicts where each word ends, some 20 cycles; here the end of a word is a number like any
//! other. The table covers the plain case, in which a pretoken is known to be over within the character behind it. What needs
//! more (an end that lies further back, an alternative that gives a character back, a place where nothing matches, the end of
//! the text) is left to the search, after which the walk goes on.

use std::collections::HashMap;

use regex_automata::Anchored;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::start;

use super::search::TooMany;

/// Most states in the table. Coming to an odd one, a pretoken ended.
const ROWS: usize = 1 << 11;
/// How far back a pretoken may have ended: all of a character but its last byte.
const FURTHEST: u8 = 3;
/// The number of no state: what comes is not known yet.
const UNKNOWN: u16 = 0;
/// The number of no state: the search must say.
const SEARCH: u16 = 1;

/// The table, filled as the text demands.
pub struct Walk {
    /// `[class of byte][state]`: the next state.
    table: Vec<u16>,
    /// Where the class of each byte begins in the table.
    classes: [u32; 256],
    /// The states by number, and their numbers.
    states: Vec<State>,
    numbers: HashMap<State, u16>,
    /// By number: how far back the last pretoken ended.
    back: Vec<u8>,
    /// The number of the state before the first byte.
    first: u16,
    /// Whether nothing can follow a state.
    finals: HashMap<LazyStateID, bool>,
    found: Vec<usize>,
}

/// Where the walk is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct State {
    /// The state of the automaton within a pretoken.
    now: LazyStateID,
    /// If the pretoken turns out to have ended so many bytes back: the state of the next one. The first bytes of a character
    /// do not tell whether it is a letter.
    anew: Option<(LazyStateID, u8)>,
    /// How many bytes back of the last one a pretoken ended, if it now turned out so.
    ended: Option<u8>,
}

/// What the walk needs of the automaton.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// The automaton.
    pub dfa: &'a DFA,
    /// Which alternatives give a character back.
    pub gives_back: &'a [bool],
}

impl Walk {
    /// An empty table.
    pub fn new(dfa: &DFA) -> Self {
        let classes = dfa.byte_classes();
        let offset = |byte: usize| u32::from(classes.get(byte as u8)) * ROWS as u32;
        Self {
            table: vec![UNKNOWN; classes.alphabet_len() * ROWS],
            classes: std::array::from_fn(offset),
            // Two that stand for no state; they are never asked for.
            states: vec![State::default(); 2],
            back: vec![0; 2],
            numbers: HashMap::new(),
            first: UNKNOWN,
            finals: HashMap::new(),
            found: Vec::new(),
        }
    }

    /// Forgets all.
    pub fn forget(&mut self) {
        self.table.fill(UNKNOWN);
        self.states.truncate(2);
        self.back.truncate(2);
        self.numbers.clear();
        self.finals.clear();
        self.first = UNKNOWN;
    }

    /// The ends of the pretokens from `start`, where one begins, in `text`, which may end anywhere within one; and how far it
    /// looked. The last pretoken that began is not among them.
    pub fn run(
        &mut self,
        rules: Rules<'_>,
        cache: &mut Cache,
        text: &[u8],
        start: usize,
    ) -> Result<(&[usize], usize), TooMany> {
        // One place more than ends, since what is no end is written too and then written over.
        if self.found.len() <= text.len() - start {
            self.found.resize(text.len() - start + 1, 0);
        }
        if self.first == UNKNOWN {
            let begin = start::Config::new().anchored(Anchored::Yes);
            let first = rules.dfa.start_state(cache, &begin).map_err(|_| TooMany)?;
            self.first = self.number(State { now: first, anew: None, ended: None });
        }
        let (mut state, mut at, mut count) = (self.first, start, 0);
        while state > SEARCH {
            (state, at) = self.known(text, state, at, &mut count);
            if at == text.len() {
                break;
            }
            // Not known yet, or left to the search.
            let next = self.next(rules, cache, state, text[at])?;
            if next > SEARCH {
                self.found[count] = at - usize::from(self.back[usize::from(next)]);
                count += usize::from(next & 1);
                at += 1;
            }
            state = next;
        }
        Ok((&self.found[..count], at))
    }

    /// Goes on while the next state is known; the state and place where it is not.
    #[inline]
    fn known(&mut self, text: &[u8], mut state: u16, mut at: usize, count: &mut usize) -> (u16, usize) {
        let Self { table, classes, found, back, .. } = self;
        let mut written = *count;
        for &byte in &text[at..] {
            let next = table[classes[usize::from(byte)] as usize + usize::from(state)];
            if next <= SEARCH {
                break;
            }
            // Near the beginning of the text, what is no end may lie before it.
            found[written] = at.wrapping_sub(usize::from(back[usize::from(next)]));
            written += usize::from(next & 1);
            state = next;
            at += 1;
        }
        *count = written;
        (state, at)
    }

    /// The number of the state after `byte`, which it puts into the table.
    #[cold]
    fn next(&mut self, rules: Rules<'_>, cache: &mut Cache, state: u16, byte: u8) -> Result<u16, TooMany> {
        let place = self.classes[usize::from(byte)] as usize + usize::from(state);
        if self.table[place] == UNKNOWN {
            self.table[place] = self.find_next(rules, cache, state, byte)?;
        }
        Ok(self.table[place])
    }

    fn find_next(&mut self, rules: Rules<'_>, cache: &mut Cache, number: u16, byte: u8) -> Result<u16, TooMany> {
        let dfa = rules.dfa;
        let step = |cache: &mut Cache, state| dfa.next_state(cache, state, byte).map_err(|_| TooMany);
        let stops = |state: LazyStateID| state.is_dead() || state.is_quit();
        let State { now, anew, .. } = self.states[usize::from(number)];
        let next = step(cache, now)?;
        if next.is_match() {
            // A match ended before this byte.
            if number == self.first || rules.gives_back[dfa.match_pattern(cache, next, 0).as_usize()] {
                return Ok(SEARCH);
            }
            let begin = start::Config::new().anchored(Anchored::Yes);
            let first = dfa.start_state(cache, &begin).map_err(|_| TooMany)?;
            let first = step(cache, first)?;
            let begins = !stops(first) && !first.is_match();
            return Ok(if !self.is_final(dfa, cache, next)? {
                let anew = begins.then_some((first, 1));
                self.number(State { now: next, anew, ended: None })
            } else if begins {
                self.number(State { now: first, anew: None, ended: Some(0) })
            } else {
                SEARCH
            });
        }
        let Some((anew, distance)) = anew else {
            return Ok(if stops(next) { SEARCH } else { self.number(State { now: next, anew: None, ended: None }) });
        };
        let anew = step(cache, anew)?;
        let goes_on = !stops(anew) && !anew.is_match();
        Ok(if !stops(next) {
            let anew = (goes_on && distance < FURTHEST).then_some((anew, distance + 1));
            self.number(State { now: next, anew, ended: None })
        } else if goes_on {
            self.number(State { now: anew, anew: None, ended: Some(distance) })
        } else {
            SEARCH
        })
    }

    /// Whether no byte leads on from a state.
    fn is_final(&mut self, dfa: &DFA, cache: &mut Cache, state: LazyStateID) -> Result<bool, TooMany> {
        if let Some(&known) = self.finals.get(&state) {
            return Ok(known);
        }
        let mut is_final = true;
        for unit in dfa.byte_classes().representatives(..) {
            let next = match unit.as_u8() {
                Some(byte) => dfa.next_state(cache, state, byte),
                None => dfa.next_eoi_state(cache, state),
            };
            if !next.map_err(|_| TooMany)?.is_dead() {
                is_final = false;
                break;
            }
        }
        self.finals.insert(state, is_final);
        Ok(is_final)
    }

    /// The number of a state; when there are too many, the search must say.
    fn number(&mut self, state: State) -> u16 {
        if let Some(&number) = self.numbers.get(&state) {
            return number;
        }
        let number = self.states.len() + usize::from((self.states.len() & 1 == 1) != state.ended.is_some());
        if number >= ROWS {
            return SEARCH;
        }
        self.states.resize(number + 1, state);
        self.back.resize(number + 1, state.ended.unwrap_or(0));
        self.numbers.insert(state, number as u16);
        number as u16
    }
}
