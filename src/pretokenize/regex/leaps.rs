//! Many bytes at once, where all are of one class: what a state becomes behind them is always the same, so it is looked up.
//! Lines of text are walked several times as fast. Other text is asked ever more rarely whether it is of that kind.

use super::walk::{Column, ROWS, SEARCH, UNKNOWN, back_of, state_of};

/// Bytes of a leap.
pub const LEAP: usize = 16;
/// Bytes that are walked between two questions at most.
const RAREST: usize = 512;

/// Where a state comes to by [`LEAP`] bytes of one class.
#[derive(Clone, Copy)]
pub struct Leap {
    class: u8,
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

const NONE: Leap = Leap { class: 0, ends: 0, end: 0, to: UNKNOWN };

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
        let differs = bytes.iter().fold(0, |differs, &byte| differs | (classes[usize::from(byte)] ^ class));
        let leap = self.known[state];
        match differs {
            0 if leap.to > SEARCH && leap.class == class => Some(leap),
            0 => self.learn(&table[usize::from(class)], class, state),
            _ => None,
        }
    }

    /// Notes whether the text was of that kind.
    #[inline]
    pub fn note(&mut self, leapt: bool) {
        self.pause = if leapt { LEAP } else { (2 * self.pause).min(RAREST) };
    }

    #[cold]
    fn learn(&mut self, column: &Column, class: u8, state: usize) -> Option<Leap> {
        let mut leap = Leap { class, ..NONE };
        let mut at = state;
        for byte in 0..LEAP {
            let entry = column[at];
            if entry <= SEARCH {
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
