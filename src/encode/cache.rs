//! What was merged before: a bounded memory that one thread owns. Three parts: 1 MiB for pretokens that fit a key, come
//! often and have at most three ids, which mostly stays in the second-level cache; 16 MiB for what merging gave pretokens
//! that fit a key, and 16 MiB for those of 16 to 31 bytes: merging costs more than fetching a line from far away.

use super::key::{Key, WideKey};
use crate::ids::TokenId;
use crate::memory::{LINE, Words, prefetch};

/// Most ids of an entry for a short pretoken.
pub const INLINE_IDS: usize = 3;
const HOT_BITS: u32 = 14;

/// Up to three ids, then their number: all four are copied at once, and the number says how many count.
pub type Counted = [TokenId; INLINE_IDS + 1];

/// Entries of four words: the key, then the ids. Two share a cache line and a place; the older moves on.
struct Sets {
    words: Words,
    shift: u32,
}

impl Sets {
    fn new(bits: u32) -> Self {
        Self { words: Words::new(LINE << bits), shift: 64 - bits }
    }

    #[inline(always)]
    fn view(&self) -> Hot<'_> {
        Hot { lines: self.words.lines(), shift: self.shift }
    }

    #[inline]
    fn put(&mut self, key: Key, hash: u64, ids: &Counted) {
        let line = &mut self.words.lines_mut()[(hash >> self.shift) as usize];
        if !key.is(line[0], line[1]) {
            line.copy_within(..4, 4);
            line[0] = key.low;
            line[1] = key.high;
            line[2] = u64::from(ids[0]) | u64::from(ids[1]) << 32;
            line[3] = u64::from(ids[2]) | u64::from(ids[3]) << 32;
        }
    }
}

/// The pretokens that come often, to read in a loop: what the loop needs stays in registers.
#[derive(Clone, Copy)]
pub struct Hot<'a> {
    lines: &'a [[u64; LINE]],
    shift: u32,
}

impl Hot<'_> {
    /// The ids of `key` and whether it is there: without a branch, so that nothing is mispredicted where known and
    /// unknown pretokens alternate.
    #[inline(always)]
    #[must_use]
    pub fn get(self, key: Key, hash: u64) -> (Counted, bool) {
        let line = &self.lines[(hash >> self.shift) as usize];
        let (newer, older) = (key.is(line[0], line[1]), key.is(line[4], line[5]));
        let at = if older { 4 } else { 0 };
        (unpack(line[at + 2], line[at + 3]), newer | older)
    }

    /// Fetches the place of a hash ahead of time.
    #[inline(always)]
    pub fn prefetch(self, hash: u64) {
        prefetch(&self.lines[(hash >> self.shift) as usize]);
    }
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
fn unpack(low: u64, high: u64) -> Counted {
    [low as u32, (low >> 32) as u32, high as u32, (high >> 32) as u32]
}

/// Entries of `LINES` cache lines: a key of `KEY` words, then ids, two to a word; the last word is their number.
struct Merged<const KEY: usize, const LINES: usize> {
    words: Words,
    shift: u32,
}

impl<const KEY: usize, const LINES: usize> Merged<KEY, LINES> {
    /// Most ids of an entry.
    const IDS: usize = (LINES * LINE - KEY - 1) * 2;

    fn new(bits: u32) -> Self {
        Self { words: Words::new((LINES * LINE) << bits), shift: 64 - bits }
    }

    /// Where the entry of a hash begins; it may also stand in the neighbour that shares its pair of places.
    #[inline(always)]
    fn place(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    #[inline(always)]
    fn entry(&self, place: usize) -> &[u64] {
        &self.words.get()[place * LINES * LINE..(place + 1) * LINES * LINE]
    }

    #[inline(always)]
    fn prefetch(&self, hash: u64) {
        let entry = self.entry(self.place(hash));
        for line in 0..LINES {
            prefetch(&entry[line * LINE]);
        }
    }

    /// Appends the ids of `key` if it is there.
    #[inline]
    fn get(&self, key: [u64; KEY], hash: u64, ids: &mut Vec<TokenId>) -> bool {
        let is_at = |entry: &[u64]| (0..KEY).fold(0, |differs, i| differs | (entry[i] ^ key[i])) == 0;
        let place = self.place(hash);
        let mut entry = self.entry(place);
        if !is_at(entry) {
            entry = self.entry(place ^ 1);
            if !is_at(entry) {
                return false;
            }
        }
        let count = entry[LINES * LINE - 1] as usize;
        let words = &entry[KEY..KEY + count.div_ceil(2)];
        // Both halves of each word; the second of the last may be one too many.
        #[allow(clippy::cast_possible_truncation)]
        ids.extend(words.iter().flat_map(|&word| [word as TokenId, (word >> 32) as TokenId]));
        if !count.is_multiple_of(2) {
            ids.pop();
        }
        true
    }

    /// Remembers the ids of `key`; what stood in its place moves to the neighbour.
    fn put(&mut self, key: [u64; KEY], hash: u64, ids: &[TokenId]) {
        if ids.len() > Self::IDS {
            return;
        }
        let (size, place) = (LINES * LINE, self.place(hash));
        let words = self.words.get_mut();
        words.copy_within(place * size..(place + 1) * size, (place ^ 1) * size);
        let entry = &mut words[place * size..(place + 1) * size];
        entry[..KEY].copy_from_slice(&key);
        for (word, pair) in entry[KEY..].iter_mut().zip(ids.chunks(2)) {
            *word = u64::from(pair[0]) | pair.get(1).map_or(0, |&id| u64::from(id) << 32);
        }
        entry[size - 1] = ids.len() as u64;
    }
}

/// The memory. It is taken when first used and never grows.
pub struct Cache {
    hot: Sets,
    merged: Merged<2, 1>,
    wide: Merged<4, 2>,
}

impl Default for Cache {
    fn default() -> Self {
        Self { hot: Sets::new(HOT_BITS), merged: Merged::new(18), wide: Merged::new(17) }
    }
}

impl Cache {
    /// The pretokens that come often.
    #[inline(always)]
    #[must_use]
    pub fn hot(&self) -> Hot<'_> {
        self.hot.view()
    }

    /// Remembers a pretoken that may come again.
    #[inline]
    pub fn put_hot(&mut self, key: Key, hash: u64, ids: &Counted) {
        self.hot.put(key, hash, ids);
    }

    /// Appends what merging gave, if it is known.
    #[inline]
    pub fn merged(&self, key: Key, hash: u64, ids: &mut Vec<TokenId>) -> bool {
        self.merged.get([key.low, key.high], hash, ids)
    }

    /// Remembers what merging gave.
    #[inline]
    pub fn put_merged(&mut self, key: Key, hash: u64, ids: &[TokenId]) {
        self.merged.put([key.low, key.high], hash, ids);
    }

    /// Fetches the place of a merged pretoken ahead of time.
    #[inline(always)]
    pub fn prefetch_merged(&self, hash: u64) {
        self.merged.prefetch(hash);
    }

    /// Appends the ids of a pretoken of 16 to 31 bytes, if it is known.
    #[inline]
    pub fn wide(&self, key: WideKey, hash: u64, ids: &mut Vec<TokenId>) -> bool {
        self.wide.get(key.0, hash, ids)
    }

    /// Remembers a pretoken of 16 to 31 bytes.
    #[inline]
    pub fn put_wide(&mut self, key: WideKey, hash: u64, ids: &[TokenId]) {
        self.wide.put(key.0, hash, ids);
    }

    /// Fetches the place of a pretoken of 16 to 31 bytes ahead of time.
    #[inline(always)]
    pub fn prefetch_wide(&self, hash: u64) {
        self.wide.prefetch(hash);
    }
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
