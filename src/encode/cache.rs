//! The pretokens that come often: 4 MiB that one thread owns, of which the most frequent stay in the nearest caches. They
//! fit a key and have at most three ids; for all others there is `memo`.

use super::key::Key;
use crate::ids::TokenId;
use crate::memory::{LINE, Words};

/// Most ids of an entry for a short pretoken.
pub const INLINE_IDS: usize = 3;
const HOT_BITS: u32 = 16;

/// Up to three ids, then their number: all four are copied at once, and the number says how many count.
pub type Counted = [TokenId; INLINE_IDS + 1];

/// Two entries share a cache line and a place, the older moves on: both keys, of two words each, then the ids of each.
pub struct Cache {
    words: Words,
}

impl Default for Cache {
    fn default() -> Self {
        Self { words: Words::new(LINE << HOT_BITS) }
    }
}

impl Cache {
    /// To read.
    #[inline(always)]
    #[must_use]
    pub fn hot(&self) -> Hot<'_> {
        Hot { lines: self.words.lines() }
    }

    /// Remembers a pretoken that may come again.
    #[inline]
    pub fn put(&mut self, key: Key, hash: u64, ids: &Counted) {
        let line = &mut self.words.lines_mut()[(hash >> (64 - HOT_BITS)) as usize];
        if !key.is(line[0], line[1]) {
            let word = |first: usize| u64::from(ids[first]) | u64::from(ids[first + 1]) << 32;
            *line = [key.low, key.high, line[0], line[1], word(0), word(2), line[4], line[5]];
        }
    }
}

/// The pretokens that come often, to read in a loop: what the loop needs stays in registers.
#[derive(Clone, Copy)]
pub struct Hot<'a> {
    lines: &'a [[u64; LINE]],
}

/// Which line of the hot entries.
pub type Place = u32;

impl<'a> Hot<'a> {
    /// The place of a hash.
    #[inline(always)]
    #[must_use]
    pub fn place(self, hash: u64) -> Place {
        (hash >> (64 - HOT_BITS)) as Place
    }

    /// The ids of `key` and whether it is there: without a branch, so that nothing is mispredicted where known and
    /// unknown pretokens alternate.
    #[inline(always)]
    #[must_use]
    pub fn get(self, key: Key, place: Place) -> (Counted, bool) {
        let line = &self.lines[place as usize];
        let (newer, older) = (key.is(line[0], line[1]), key.is(line[2], line[3]));
        let at = if older { 6 } else { 4 };
        (unpack(line[at], line[at + 1]), newer | older)
    }

    /// The lines, and by how much a hash is shifted to tell which one.
    #[inline(always)]
    #[must_use]
    pub fn lines(self) -> (&'a [[u64; LINE]], u32) {
        (self.lines, 64 - HOT_BITS)
    }
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
fn unpack(low: u64, high: u64) -> Counted {
    [low as u32, (low >> 32) as u32, high as u32, (high >> 32) as u32]
}

/// The entry of at most three ids; `None` for more.
#[inline]
#[must_use]
pub fn counted(ids: &[TokenId]) -> Option<Counted> {
    // At most three.
    #[allow(clippy::cast_possible_truncation)]
    let count = ids.len() as TokenId;
    match *ids {
        [a] => Some([a, 0, 0, count]),
        [a, b] => Some([a, b, 0, count]),
        [a, b, c] => Some([a, b, c, count]),
        _ => None,
    }
}
