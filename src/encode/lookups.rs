//! The lookups of one batch of pretokens, kept apart by phase: all keys first, then what is known, then the rest, then
//! the ids in order. So the processor works on many pretokens at once, and no branch is mispredicted where known and
//! unknown ones alternate. Each loop is a function of its own: together they would not fit the registers.

use super::cache::{Cache, Counted, Hot, INLINE_IDS, counted};
use super::key::{KEY_BYTES, Key, WIDE_BYTES, WideKey};
use crate::ids::TokenId;
use crate::pretokenize::scanner::BATCH;

/// Stands for the number of ids where these are among the spilled: `[start, end, 0, SPILLED]`.
const SPILLED: u32 = u32::MAX;
/// The key of pretokens that fit none: no entry has it.
const NO_KEY: Key = Key { low: 0, high: u64::MAX };

/// The state of one batch.
pub struct Lookups {
    keys: [Key; BATCH],
    hashes: [u64; BATCH],
    ids: [Counted; BATCH],
    unknown: [u16; BATCH + 1],
    /// Ids of pretokens with more than three.
    spilled: Vec<TokenId>,
    out: [TokenId; BATCH * INLINE_IDS + 1],
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            keys: [NO_KEY; BATCH],
            hashes: [0; BATCH],
            ids: [[0; INLINE_IDS + 1]; BATCH],
            unknown: [0; BATCH + 1],
            spilled: Vec::new(),
            out: [0; BATCH * INLINE_IDS + 1],
        }
    }
}

impl Lookups {
    /// Keys and hashes of the pretokens of `text` from `start` on that end at `ends`; their places are fetched ahead.
    #[inline(never)]
    pub fn pack(&mut self, cache: &Cache, text: &[u8], mut start: usize, ends: &[usize]) {
        let hot = cache.hot();
        for ((&end, key), hash) in ends.iter().zip(&mut self.keys).zip(&mut self.hashes) {
            let length = end - start;
            if length <= KEY_BYTES {
                *key = Key::at(text, start, length);
                *hash = key.hash();
                hot.prefetch(*hash);
            } else {
                *key = NO_KEY;
                *hash = 0;
                prefetch_wide(cache, text, start, end);
            }
            start = end;
        }
    }

    /// What is known of the first `count`; returns how many are not.
    #[inline(never)]
    pub fn look_up(&mut self, hot: Hot<'_>, count: usize) -> usize {
        let mut unknown = 0;
        let known = self.keys.iter().zip(&self.hashes).zip(&mut self.ids).take(count);
        for (i, ((&key, &hash), ids)) in (0u16..).zip(known) {
            let (found, is_known) = hot.get(key, hash);
            *ids = found;
            self.unknown[unknown] = i;
            unknown += usize::from(!is_known);
        }
        unknown
    }

    /// The numbers of the first `count` unknown pretokens.
    #[inline]
    pub fn unknown(&self, count: usize) -> &[u16] {
        &self.unknown[..count]
    }

    /// Key and hash of pretoken `i`.
    #[inline]
    pub fn key(&self, i: u16) -> (Key, u64) {
        (self.keys[usize::from(i)], self.hashes[usize::from(i)])
    }

    /// Hash of pretoken `i`.
    #[inline]
    pub fn hash(&self, i: u16) -> u64 {
        self.hashes[usize::from(i)]
    }

    /// Sets the ids of pretoken `i`.
    #[inline]
    pub fn set(&mut self, i: u16, ids: Counted) {
        self.ids[usize::from(i)] = ids;
    }

    /// Lends the list for pretokens whose number of ids is not known beforehand.
    pub fn begin_spill(&mut self) -> Vec<TokenId> {
        std::mem::take(&mut self.spilled)
    }

    /// Takes it back: pretoken `i` has the ids from `before` on.
    pub fn end_spill(&mut self, i: u16, before: usize, mut spilled: Vec<TokenId>) {
        let ids = match counted(&spilled[before..]) {
            Some(ids) => {
                spilled.truncate(before);
                ids
            }
            // Fewer than 2^32: a pretoken has at most 2^30 bytes, and one that is longer than this batch ends it.
            #[allow(clippy::cast_possible_truncation)]
            None => [before as u32, spilled.len() as u32, 0, SPILLED],
        };
        self.set(i, ids);
        self.spilled = spilled;
    }

    /// Appends the ids of the first `count` pretokens.
    #[inline(never)]
    pub fn write(&mut self, count: usize, ids: &mut Vec<TokenId>) {
        if !self.spilled.is_empty() {
            return self.write_spilled(count, ids);
        }
        let mut length = 0;
        for entry in &self.ids[..count] {
            // Always four words; the next entry overwrites those that do not count.
            self.out[length..=length + INLINE_IDS].copy_from_slice(entry);
            length += entry[INLINE_IDS] as usize;
        }
        ids.extend_from_slice(&self.out[..length]);
    }

    fn write_spilled(&mut self, count: usize, ids: &mut Vec<TokenId>) {
        for entry in &self.ids[..count] {
            match entry[INLINE_IDS] {
                SPILLED => ids.extend_from_slice(&self.spilled[entry[0] as usize..entry[1] as usize]),
                length => ids.extend_from_slice(&entry[..length as usize]),
            }
        }
        self.spilled.clear();
    }
}

#[cold]
fn prefetch_wide(cache: &Cache, text: &[u8], start: usize, end: usize) {
    if end - start <= WIDE_BYTES {
        cache.prefetch_wide(WideKey::at(text, start, end).hash());
    }
}
