//! What was merged before: a bounded memory that one thread owns. 512 KiB for pretokens that fit a key, which
//! stays in the second-level cache, and 1 MiB for those up to 48 bytes.

use super::key::{KEY_BYTES, Key};
use crate::ids::TokenId;

/// Most ids of an entry for a short pretoken.
pub const INLINE_IDS: usize = 3;
const LONG_TEXT: usize = 48;
const LONG_IDS: usize = 15;

/// One remembered pretoken; 32 bytes, two to a cache line.
#[derive(Clone, Copy, Default)]
#[repr(align(32))]
pub struct Entry {
    key: Key,
    /// Up to three ids, then their number: all four are copied at once, and the number says how many count.
    ids: [TokenId; INLINE_IDS + 1],
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct LongEntry {
    text: [u8; LONG_TEXT],
    length: u32,
    ids: [TokenId; LONG_IDS],
    count: u32,
}

/// The memory.
pub struct Cache {
    sets: Vec<[Entry; 2]>,
    shift: u32,
    long: Vec<LongEntry>,
    long_shift: u32,
}

impl Cache {
    /// An empty one with room for `2 << bits` short pretokens and `1 << (bits - 1)` long ones.
    #[must_use]
    pub fn new(bits: u32) -> Self {
        let empty = LongEntry { text: [0; LONG_TEXT], length: 0, ids: [0; LONG_IDS], count: 0 };
        Self {
            sets: vec![[Entry::default(); 2]; 1 << bits],
            shift: 64 - bits,
            long: vec![empty; 1 << (bits - 1)],
            long_shift: 64 - (bits - 1),
        }
    }

    /// Ids (three, then how many count) of a short pretoken.
    #[inline(always)]
    #[must_use]
    pub fn get(&self, key: Key, hash: u64) -> Option<&[TokenId; INLINE_IDS + 1]> {
        let set = &self.sets[(hash >> self.shift) as usize];
        if set[0].key == key {
            Some(&set[0].ids)
        } else if set[1].key == key {
            Some(&set[1].ids)
        } else {
            None
        }
    }

    /// Remembers at most three ids for a short pretoken; the older of the two in its place moves on.
    #[inline]
    pub fn put(&mut self, key: Key, hash: u64, ids: &[TokenId]) {
        let mut entry = Entry { key, ids: [0; INLINE_IDS + 1] };
        entry.ids[..ids.len()].copy_from_slice(ids);
        // At most three.
        #[allow(clippy::cast_possible_truncation)]
        {
            entry.ids[INLINE_IDS] = ids.len() as u32;
        }
        let set = &mut self.sets[(hash >> self.shift) as usize];
        set[1] = set[0];
        set[0] = entry;
    }

    /// Ids of a pretoken of 16 to 48 bytes.
    #[inline]
    #[must_use]
    pub fn get_long(&self, text: &[u8], hash: u64) -> Option<&[TokenId]> {
        let entry = &self.long[(hash >> self.long_shift) as usize];
        (entry.length as usize == text.len() && &entry.text[..text.len()] == text)
            .then(|| &entry.ids[..entry.count as usize])
    }

    /// Remembers a pretoken of 16 to 48 bytes, unless it has more than 15 ids.
    pub fn put_long(&mut self, text: &[u8], hash: u64, ids: &[TokenId]) {
        if ids.len() > LONG_IDS {
            return;
        }
        let entry = &mut self.long[(hash >> self.long_shift) as usize];
        entry.text[..text.len()].copy_from_slice(text);
        entry.ids[..ids.len()].copy_from_slice(ids);
        // At most 48 and 15.
        #[allow(clippy::cast_possible_truncation)]
        {
            entry.length = text.len() as u32;
            entry.count = ids.len() as u32;
        }
    }

    /// Whether [`Cache::get_long`] knows pretokens of this length.
    #[inline]
    #[must_use]
    pub fn holds_long(length: usize) -> bool {
        length > KEY_BYTES && length <= LONG_TEXT
    }
}
