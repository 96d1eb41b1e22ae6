//! The pretokens that come often: a table of one thread that grows up to 8 MiB, of which the most frequent stay in the nearest
//! caches. They fit a key and have at most five ids; for all others there is `memo`.

use super::key::Key;
use crate::ids::TokenId;
use crate::memory::{LINE, Words, prefetch_at};

/// Most ids of an entry: five of three bytes each, and one byte says how many they are.
pub const INLINE_IDS: usize = 5;
/// Bits of an id in an entry.
const ID_BITS: u32 = 24;
/// Where the number of ids stands.
const COUNT_SHIFT: u32 = 120;
/// There are 2^11 lines at first and at most 2^17: a short text should not pay for what only a long one needs.
const FIRST_BITS: u32 = 11;
const MOST_BITS: u32 = 17;
/// So many times as many each time.
const GROWTH: usize = 4;
/// Bytes of text for which there should be a line. Text of many languages has a new pretoken in 40 bytes, English in 170.
const BYTES_A_LINE: usize = 64;
const LINE_BYTES: usize = LINE * size_of::<u64>();

/// Two entries share a cache line and a place, the older moves on: both keys, of two words each, then the ids of each.
pub struct Cache {
    words: Words,
    /// Lines that are in use.
    lines: usize,
    /// Pretokens that may still be put before there are more.
    room: usize,
    /// Whether nothing was put yet.
    is_empty: bool,
    /// Whether every id fits an entry. Nothing is kept else.
    fits: bool,
}

impl Cache {
    /// An empty one, for ids below `id_limit`.
    #[must_use]
    pub fn new(id_limit: usize) -> Self {
        Self::with_room(MOST_BITS, 1 << FIRST_BITS, id_limit)
    }

    /// One that never grows, 128 KiB.
    #[must_use]
    pub fn small(id_limit: usize) -> Self {
        Self::with_room(FIRST_BITS, usize::MAX, id_limit)
    }

    /// One that may have so many lines, and has room for so many pretokens before it grows.
    fn with_room(bits: u32, room: usize, id_limit: usize) -> Self {
        let (words, fits) = (Words::to_grow(LINE << bits), id_limit <= 1 << ID_BITS);
        Self { words, lines: 1 << FIRST_BITS, room, is_empty: true, fits }
    }

    /// Grows at once to what so many bytes of text are likely to need.
    pub fn expect(&mut self, bytes: usize) {
        while self.lines < (bytes / BYTES_A_LINE).min(1 << MOST_BITS) {
            self.grow();
        }
    }

    /// Takes the memory of the first lines.
    pub fn take_few(&self) {
        self.words.take_few();
    }

    /// To read.
    #[inline(always)]
    #[must_use]
    pub fn hot(&self) -> Hot<'_> {
        Hot { lines: &self.words.lines()[..self.lines] }
    }

    /// Remembers a pretoken that may come again, if the first `count` of `ids` are all of its ids and fit.
    #[inline]
    #[allow(clippy::cast_possible_truncation)]
    pub fn put(&mut self, key: Key, ids: &[TokenId], count: usize) {
        if count > INLINE_IDS || !self.fits {
            return;
        }
        let place = self.hot().place(key) / LINE_BYTES;
        let line = &mut self.words.lines_mut()[place];
        if !key.is(line[0], line[1]) {
            let pack = |ids: &[TokenId]| ids.iter().rev().fold(0, |packed, &id| packed << ID_BITS | u128::from(id));
            let packed = match ids.first_chunk::<INLINE_IDS>() {
                // Always as many: how many count is what the processor cannot predict.
                Some(all) => pack(all) & ((1 << (count as u32 * ID_BITS)) - 1),
                None => pack(&ids[..count]),
            };
            let entry = packed | (count as u128) << COUNT_SHIFT;
            push(line, [key.low, key.high], [entry as u64, (entry >> 64) as u64]);
            (self.is_empty, self.room) = (false, self.room - 1);
            if self.room == 0 {
                self.grow();
            }
        }
    }

    /// Makes room for as many pretokens as there are lines then: half of what fits them.
    #[cold]
    fn grow(&mut self) {
        let before = self.lines;
        if before == 1 << MOST_BITS {
            self.room = usize::MAX;
            return;
        }
        let is_empty = self.is_empty;
        self.lines *= GROWTH;
        self.room = self.lines;
        self.words.take(LINE * before..LINE * self.lines);
        if is_empty {
            return;
        }
        // What was in a line now belongs there, or behind all that were there before.
        for number in 0..before {
            let line = std::mem::take(&mut self.words.lines_mut()[number]);
            for [low, high, first, second] in
                [[line[2], line[3], line[6], line[7]], [line[0], line[1], line[4], line[5]]]
            {
                if high != 0 {
                    let place = self.hot().place(Key { low, high }) / LINE_BYTES;
                    push(&mut self.words.lines_mut()[place], [low, high], [first, second]);
                }
            }
        }
    }
}

/// Puts an entry before that which was the newer of a line.
#[inline(always)]
fn push(line: &mut [u64; LINE], key: [u64; 2], entry: [u64; 2]) {
    *line = [key[0], key[1], line[0], line[1], entry[0], entry[1], line[4], line[5]];
}

/// The pretokens that come often, to read.
#[derive(Clone, Copy)]
pub struct Hot<'a> {
    lines: &'a [[u64; LINE]],
}

impl<'a> Hot<'a> {
    /// How far [`Key::spread`] is shifted to the right to make a place.
    pub const SHIFT: u32 = 64 - MOST_BITS - LINE_BYTES.trailing_zeros();

    /// The bits of a place, which is what they leave of a shifted spread: below the number of bytes of all lines, which is a power of
    /// two.
    #[inline(always)]
    #[must_use]
    pub fn mask(self) -> u64 {
        (size_of_val(self.lines) - LINE_BYTES) as u64
    }

    /// The first byte of the line where a key may be.
    #[inline(always)]
    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub fn place(self, key: Key) -> usize {
        (key.spread() >> Self::SHIFT & self.mask()) as usize
    }

    /// The ids of `key`, how many count, and whether it is there: without a branch, so that nothing is mispredicted where known
    /// and unknown pretokens alternate.
    #[inline(always)]
    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub fn get(self, key: Key) -> ([TokenId; INLINE_IDS], usize, bool) {
        let line = &self.lines[self.place(key) / LINE_BYTES];
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
