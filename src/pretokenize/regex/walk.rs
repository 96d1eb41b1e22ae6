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

use super::leaps::Leaps;
use super::search::TooMany;

/// Bits of the number of a state.
const STATE_BITS: u32 = 11;
/// Most states in the table.
pub const ROWS: usize = 1 << STATE_BITS;
/// Entries from one class to the next: a cache line more, since columns of 4 KiB would all want the same few places in the cache.
pub type Column = [u16; ROWS + 32];
/// How far back a pretoken may have ended: all of a character but its last byte.
const FURTHEST: u8 = 3;
/// Where an entry says that a pretoken ended.
const ENDED_SHIFT: u32 = u16::BITS - 1;
/// The entry of what is not known yet.
pub const UNKNOWN: u16 = 0;
/// The entry of what the search must say.
pub const SEARCH: u16 = 1;

/// The table, filled as the text demands.
pub struct Walk {
    /// `[class of byte][state]`: an entry. That is the number of the next state and, if a pretoken ended, how many bytes before
    /// this one, from [`STATE_BITS`] on, and that it did.
    table: Vec<Column>,
    /// The class of each byte.
    classes: [u8; 256],
    /// The states by number, and their numbers.
    states: Vec<State>,
    numbers: HashMap<State, u16>,
    /// The number of the state before the first byte.
    first: u16,
    /// Whether nothing can follow a state.
    finals: HashMap<LazyStateID, bool>,
    found: Vec<usize>,
    leaps: Leaps,
}

/// Where the walk is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct State {
    /// The state of the automaton within a pretoken.
    now: LazyStateID,
    /// If the pretoken turns out to have ended so many bytes back: the state of the next one. The first bytes of a character
    /// do not tell whether it is a letter.
    anew: Option<(LazyStateID, u8)>,
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
        Self {
            table: vec![[UNKNOWN; ROWS + 32]; classes.alphabet_len()],
            classes: std::array::from_fn(|byte| classes.get(byte as u8)),
            // Two that stand for no state; they are never asked for.
            states: vec![State::default(); 2],
            numbers: HashMap::new(),
            first: UNKNOWN,
            finals: HashMap::new(),
            found: Vec::new(),
            leaps: Leaps::default(),
        }
    }

    /// Forgets all.
    pub fn forget(&mut self) {
        self.table.fill([UNKNOWN; ROWS + 32]);
        self.states.truncate(2);
        self.numbers.clear();
        self.finals.clear();
        self.first = UNKNOWN;
        self.leaps.forget();
    }

    /// The ends of at most `room` pretokens from `start`, where one begins; and how far it looked. The last pretoken that began
    /// is not among them.
    pub fn run(
        &mut self,
        rules: Rules<'_>,
        cache: &mut Cache,
        text: &[u8],
        start: usize,
        room: usize,
    ) -> Result<(&[usize], usize), TooMany> {
        // One place more than ends, since what is no end is written too and then written over.
        if self.found.len() <= room {
            self.found.resize(room + 1, 0);
        }
        if self.first == UNKNOWN {
            let begin = start::Config::new().anchored(Anchored::Yes);
            let first = rules.dfa.start_state(cache, &begin).map_err(|_| TooMany)?;
            self.first = self.entry(State { now: first, anew: None }, None);
        }
        let (mut entry, mut at, mut count) = (self.first, start, 0);
        while entry > SEARCH && at < text.len() && count < room {
            // Each byte ends one pretoken at most.
            let stop = text.len().min(at + room - count);
            (entry, at) = self.known(&text[..stop], entry, at, &mut count);
            // What was not known is, or is left to the search.
            if at < stop && !self.learn(rules, cache, entry, text[at])? {
                break;
            }
        }
        Ok((&self.found[..count], at))
    }

    /// Goes on while the next entry is known; the last one, and the place where it is not.
    #[inline]
    fn known(&mut self, text: &[u8], mut entry: u16, mut at: usize, count: &mut usize) -> (u16, usize) {
        let Self { table, classes, found, leaps, .. } = self;
        let mut written = *count;
        'text: while at < text.len() {
            for &byte in &text[at..text.len().min(at + leaps.pause)] {
                let next = table[usize::from(classes[usize::from(byte)])][state_of(entry)];
                if next <= SEARCH {
                    break 'text;
                }
                // Near the beginning of the text, what is no end may lie before it.
                found[written] = at.wrapping_sub(usize::from(next >> STATE_BITS) & usize::from(FURTHEST));
                written += usize::from(next >> ENDED_SHIFT);
                entry = next;
                at += 1;
            }
            let walked = at;
            while let Some(leap) = leaps.find(table, classes, state_of(entry), &text[at..]) {
                found[written] = at.wrapping_add_signed(leap.end.into());
                written += usize::from(leap.ends);
                entry = leap.to;
                at += usize::from(leap.bytes);
            }
            leaps.note(at > walked);
        }
        *count = written;
        (entry, at)
    }

    /// Puts the entry after `byte` into the table; false if the search must say.
    #[cold]
    fn learn(&mut self, rules: Rules<'_>, cache: &mut Cache, entry: u16, byte: u8) -> Result<bool, TooMany> {
        let (class, state) = (usize::from(self.classes[usize::from(byte)]), state_of(entry));
        if self.table[class][state] == UNKNOWN {
            self.table[class][state] = self.find_next(rules, cache, state, byte)?;
        }
        Ok(self.table[class][state] > SEARCH)
    }

    fn find_next(&mut self, rules: Rules<'_>, cache: &mut Cache, number: usize, byte: u8) -> Result<u16, TooMany> {
        let dfa = rules.dfa;
        let step = |cache: &mut Cache, state| dfa.next_state(cache, state, byte).map_err(|_| TooMany);
        let stops = |state: LazyStateID| state.is_dead() || state.is_quit();
        let State { now, anew } = self.states[number];
        let next = step(cache, now)?;
        if next.is_match() {
            // A match ended before this byte.
            if number == state_of(self.first) || rules.gives_back[dfa.match_pattern(cache, next, 0).as_usize()] {
                return Ok(SEARCH);
            }
            let begin = start::Config::new().anchored(Anchored::Yes);
            let first = dfa.start_state(cache, &begin).map_err(|_| TooMany)?;
            let first = step(cache, first)?;
            let begins = !stops(first) && !first.is_match();
            return Ok(if !self.is_final(dfa, cache, next)? {
                let anew = begins.then_some((first, 1));
                self.entry(State { now: next, anew }, None)
            } else if begins {
                self.entry(State { now: first, anew: None }, Some(0))
            } else {
                SEARCH
            });
        }
        let Some((anew, distance)) = anew else {
            return Ok(if stops(next) { SEARCH } else { self.entry(State { now: next, anew: None }, None) });
        };
        let anew = step(cache, anew)?;
        let goes_on = !stops(anew) && !anew.is_match();
        Ok(if !stops(next) {
            let anew = (goes_on && distance < FURTHEST).then_some((anew, distance + 1));
            self.entry(State { now: next, anew }, None)
        } else if goes_on {
            self.entry(State { now: anew, anew: None }, Some(distance))
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

    /// That of coming to `state`, a pretoken having ended so many bytes back if one did. Where there are too many states, the
    /// search must say.
    fn entry(&mut self, state: State, ended: Option<u8>) -> u16 {
        let number = match self.numbers.get(&state) {
            Some(&number) => number,
            None if self.states.len() >= ROWS => return SEARCH,
            None => {
                let number = self.states.len() as u16;
                self.numbers.insert(state, number);
                self.states.push(state);
                number
            }
        };
        number | ended.map_or(0, |back| 1 << ENDED_SHIFT | u16::from(back) << STATE_BITS)
    }
}

/// How many bytes before this one a pretoken ended, if one did.
pub fn back_of(entry: u16) -> Option<u16> {
    (entry >> ENDED_SHIFT == 1).then_some(entry >> STATE_BITS & u16::from(FURTHEST))
}

/// The number of the state that an entry leads to.
#[inline(always)]
pub fn state_of(entry: u16) -> usize {
    usize::from(entry) & (ROWS - 1)
}
