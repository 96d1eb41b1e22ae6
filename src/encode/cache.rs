//! The pretokens that come often: 8 MiB that one thread owns, of which the most frequent stay in the nearest caches. They
//! fit a key and have at most five ids; for all others there is `memo`.

use super::key::Key;
use crate::ids::TokenId;
use crate::memory::{LINE, Words, prefetch_at};

/// Most ids of an entry: five of three bytes each, and one byte says how many they are.
pub const INLINE_IDS: usize = 5;
/// Bits of an id in an entry.
const ID_BITS: u32 = 24;
/// Where the number of ids stands.
const COUNT_SHIFT: u32 = 120;
/// There are 2^17 lines.
const HOT_BITS: u32 = 17;
const LINE_BYTES: usize = LINE * size_of::<u64>();

/// Two entries share a cache line and a place, the older moves on: both keys, of two words each, then the ids of each.
pub struct Cache {
    words: Words,
    /// Whether every id fits an entry. Nothing is kept else.
    fits: bool,
}

impl Cache {
    /// An empty one, for ids below `id_limit`.
    #[must_use]
    pub fn new(id_limit: usize) -> Self {
        Self { words: Words::new(LINE << HOT_BITS), fits: id_limit <= 1 << ID_BITS }
    }

    /// To read.
    #[inline(always)]
    #[must_use]
    pub fn hot(&self) -> Hot<'_> {
        Hot { lines: self.words.lines() }
    }

    /// Remembers a pretoken that may come again, if the first `count` of `ids` are all of its ids and fit.
    #[inline]
    #[allow(clippy::cast_possible_truncation)]
    pub fn put(&mut self, key: Key, ids: &[TokenId], count: usize) {
        if count > INLINE_IDS || !self.fits {
            return;
        }
        let line = &mut self.words.lines_mut()[Hot::place(key) / LINE_BYTES];
        if !key.is(line[0], line[1]) {
            let pack = |ids: &[TokenId]| ids.iter().rev().fold(0, |packed, &id| packed << ID_BITS | u128::from(id));
            let packed = match ids.first_chunk::<INLINE_IDS>() {
                // Always as many: how many count is what the processor cannot predict.
                Some(all) => pack(all) & ((1 << (count as u32 * ID_BITS)) - 1),
                None => pack(&ids[..count]),
            };
            let entry = packed | (count as u128) << COUNT_SHIFT;
            *line = [key.low, key.high, line[0], line[1], entry as u64, (entry >> 64) as u64, line[4], line[5]];
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

    /// The ids of `key`, how many count, and whether it is there: without a branch, so that nothing is mispredicted where known
    /// and unknown pretokens alternate.
    #[inline(always)]
    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub fn get(self, key: Key) -> ([TokenId; INLINE_IDS], usize, bool) {
        let line = &self.lines[Self::place(key) / LINE_BYTES];
        let (newer, older) = (key.is(line[0], line[1]), key.is(line[2], line[3]));
        let at = if older { 6 } else { 4 };
        let entry = u128::from(line[at]) | u128::from(line[at + 1]) << 64;
        let mut ids = [0; INLINE_IDS];
        for (number, id) in ids.iter_mut().enumerate() {
            *id = (entry >> (number as u32 * ID_BITS)) as TokenId & ((1 << ID_BITS) - 1);
        }
        (ids, (entry >> COUNT_SHIFT) as usize, newer | older)
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
