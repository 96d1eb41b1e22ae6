//! Many bytes at once, where all are of one class or characters of three bytes that begin with one: what a state becomes behind them
//! is always the same, so it is looked up. Lines of text are walked several times as fast. Other text is asked ever more rarely
//! whether it is of that kind.

use super::walk::{Column, ROWS, SEARCH, UNKNOWN, back_of, state_of};

/// Bytes of a leap at most.
const LEAP: usize = 16;
/// Bytes that are walked between two questions at most.
const RAREST: usize = 512;
/// Bytes of a character of a leap over characters: most of those of Asia.
const WIDE: usize = 3;
/// Bytes of a leap over characters.
const CHARACTERS: usize = LEAP / WIDE * WIDE;

/// Which bytes a leap is over.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    /// The class of all, or of those that begin a character.
    class: u8,
    /// Which is the first that begins a character; `None` where they are all of one class.
    first: Option<u8>,
}

/// Where a state comes to by bytes of one kind.
#[derive(Clone, Copy)]
pub struct Leap {
    kind: Kind,
    /// How many bytes they are.
    pub bytes: u8,
    /// How many pretokens ended, one at most.
    pub ends: u8,
    /// Where it ended, counted from the first of the bytes.
    pub end: i8,
    /// The state.
    pub to: u16,
}

/// The leaps that are known, one for each state, and whether they are worth looking for.
pub struct Leaps {
    known: Vec<Leap>,
    /// Bytes to walk before the next question.
    pub pause: usize,
}

const NONE: Leap = Leap { kind: Kind { class: 0, first: None }, bytes: 0, ends: 0, end: 0, to: UNKNOWN };

impl Default for Leaps {
    fn default() -> Self {
        Self { known: vec![NONE; ROWS], pause: LEAP }
    }
}

impl Leaps {
    /// Forgets all.
    pub fn forget(&mut self) {
        self.known.fill(NONE);
    }

    /// That of a state by the first bytes of `text`, if there is one.
    #[inline]
    pub fn find(&mut self, table: &[Column], classes: &[u8; 256], state: usize, text: &[u8]) -> Option<Leap> {
        let bytes = text.first_chunk::<LEAP>()?;
        let class = classes[usize::from(bytes[0])];
        let is_one = are_all(class, classes, bytes);
        let kind = if is_one { Kind { class, first: None } } else { of_characters(classes, bytes)? };
        let leap = self.known[state];
        if leap.to > SEARCH && leap.kind == kind { Some(leap) } else { self.learn(table, classes, kind, state) }
    }

    /// Notes whether the text was of that kind.
    #[inline]
    pub fn note(&mut self, leapt: bool) {
        self.pause = if leapt { LEAP } else { (2 * self.pause).min(RAREST) };
    }

    #[cold]
    fn learn(&mut self, table: &[Column], classes: &[u8; 256], kind: Kind, state: usize) -> Option<Leap> {
        // Behind the first byte of a character any other may come, and all must lead to the same.
        let mut others = classes[0x80..0xC0].to_vec();
        others.dedup();
        let bytes = if kind.first.is_some() { CHARACTERS } else { LEAP };
        let mut leap = Leap { kind, bytes: bytes as u8, ..NONE };
        let mut at = state;
        for byte in 0..bytes {
            let is_other = kind.first.is_some_and(|first| byte % WIDE != usize::from(first));
            let possible = if is_other { &others[..] } else { &[kind.class] };
            let entry = table[usize::from(possible[0])][at];
            if entry <= SEARCH || possible.iter().any(|&class| table[usize::from(class)][at] != entry) {
                return None;
            }
            if let Some(back) = back_of(entry) {
                leap.ends += 1;
                leap.end = byte as i8 - back as i8;
            }
            at = state_of(entry);
        }
        leap.to = at as u16;
        if leap.ends > 1 {
            return None;
        }
        self.known[state] = leap;
        Some(leap)
    }
}

/// Whether all of some bytes are of `class`, without asking at each.
#[inline(always)]
fn are_all<'a>(class: u8, classes: &[u8; 256], bytes: impl IntoIterator<Item = &'a u8>) -> bool {
    bytes.into_iter().fold(0, |differs, &byte| differs | (classes[usize::from(byte)] ^ class)) == 0
}

/// If the first [`CHARACTERS`] are characters of [`WIDE`] bytes, the first or last maybe cut, that all begin with the same class.
#[inline]
fn of_characters(classes: &[u8; 256], bytes: &[u8; LEAP]) -> Option<Kind> {
    let first = bytes[..WIDE].iter().position(|&byte| byte >= 0xE0)?;
    let text = u128::from_le_bytes(*bytes);
    let class = classes[usize::from(bytes[first])];
    let begin = bytes[first..CHARACTERS].iter().step_by(WIDE);
    let are_alike = text & FORMS[first].0 == FORMS[first].1 && are_all(class, classes, begin);
    are_alike.then_some(Kind { class, first: Some(first as u8) })
}

/// For each place of the first byte that begins a character: which bits of the text tell that all bytes are what they should be, and
/// what they are then.
const FORMS: [(u128, u128); WIDE] = [form(0), form(1), form(2)];

const fn form(first: usize) -> (u128, u128) {
    let (mut bits, mut values, mut byte) = (0, 0, 0);
    while byte < CHARACTERS {
        let (bit, value) = if byte % WIDE == first { (0xF0, 0xE0) } else { (0xC0, 0x80) };
        bits |= bit << (8 * byte);
        values |= value << (8 * byte);
        byte += 1;
    }
    (bits, values)
}
