//! The pretokens that come often: 8 MiB that one thread owns, of which the most frequent stay in the nearest caches. They
//! fit a key and have at most three ids; for all others there is `memo`.

use super::key::Key;
use crate::ids::TokenId;
use crate::memory::{LINE, Words, prefetch_at};

/// Most ids of an entry for a short pretoken.
pub const INLINE_IDS: usize = 3;
/// There are 2^17 lines.
const HOT_BITS: u32 = 17;
const LINE_BYTES: usize = LINE * size_of::<u64>();

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
    pub fn put(&mut self, key: Key, ids: &Counted) {
        let line = &mut self.words.lines_mut()[Hot::place(key) / LINE_BYTES];
        if !key.is(line[0], line[1]) {
            let [a, b, c, count] = ids.map(u64::from);
            // Whatever is given, no entry has a greater number: the first look relies on it.
            let count = count.min(INLINE_IDS as u64);
            *line = [key.low, key.high, line[0], line[1], a | b << 32, c | count << 32, line[4], line[5]];
        }
    }
}

/// The pretokens that come often, to read.
#[derive(Clone, Copy)]
pub struct Hot<'a> {
    lines: &'a [[u64; LINE]],
}

impl<'a> Hot<'a> {
    /// Bytes of all lines.
    pub const BYTES: usize = LINE_BYTES << HOT_BITS;
    /// How far [`Key::spread`] is shifted to the right to make a place.
    pub const SHIFT: u32 = 64 - HOT_BITS - LINE_BYTES.trailing_zeros();
    /// The bits that are left then.
    pub const MASK: u64 = !(LINE_BYTES as u64 - 1);

    /// The first byte of the line where a key may be; below [`Hot::BYTES`].
    #[inline(always)]
    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub fn place(key: Key) -> usize {
        (key.spread() >> Self::SHIFT & Self::MASK) as usize
    }

    /// The ids of `key` and whether it is there: without a branch, so that nothing is mispredicted where known and
    /// unknown pretokens alternate.
    #[inline(always)]
    #[must_use]
    pub fn get(self, key: Key) -> (Counted, bool) {
        let line = &self.lines[Self::place(key) / LINE_BYTES];
        let (newer, older) = (key.is(line[0], line[1]), key.is(line[2], line[3]));
        let at = if older { 6 } else { 4 };
        (unpack(line[at], line[at + 1]), newer | older)
    }

    /// Fetches the line of a place ahead of time.
    #[inline(always)]
    pub fn prefetch(self, place: usize) {
        prefetch_at(self.lines.as_ptr().wrapping_byte_add(place));
    }

    /// All lines.
    #[inline(always)]
    #[must_use]
    pub fn lines(self) -> &'a [[u64; LINE]] {
        self.lines
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
