//! pretoken -> count. Short pretokens stand in the table itself; the texts of long ones in one buffer behind it.

use crate::encode::key::{KEY_BYTES, Key, hash_bytes};
use crate::error::{Error, Result};
use crate::memory::prefetch;

#[derive(Clone, Copy, Default)]
pub(super) struct Short {
    pub key: Key,
    /// 0 is free.
    pub count: u64,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Long {
    pub hash: u64,
    pub start: u64,
    pub length: u64,
    /// 0 is free.
    pub count: u64,
}

/// Entries of the smallest tables.
const SHORT_LEAST: usize = 1 << 12;
const LONG_LEAST: usize = 1 << 10;
/// Pretokens whose places are asked for at once.
const AHEAD: usize = 32;
/// Slots of another table between two looks at the memory.
pub const ADD_STEP: usize = 1 << 10;

/// Counts of one thread.
#[derive(Default)]
pub struct CountTable {
    pub(super) short: Vec<Short>,
    pub(super) short_len: usize,
    pub(super) long: Vec<Long>,
    pub(super) long_len: usize,
    pub(super) texts: Vec<u8>,
}

/// The sum of two counts of one pretoken.
///
/// # Errors
/// A sum above `u64`.
#[inline]
pub fn sum(one: u64, other: u64) -> Result<u64> {
    one.checked_add(other).ok_or_else(overflow)
}

#[cold]
fn overflow() -> Error {
    Error::Train(format!("a pretoken's count passes the limit {}; divide the counts", u64::MAX))
}

/// Entries of a table that holds `wanted` and starts with `size`, and those in memory while it grows to that.
fn grown(size: usize, wanted: usize, least: usize) -> (usize, usize) {
    let (mut after, mut peak) = (size, size);
    while wanted * 2 > after {
        peak = after;
        after = (after * 2).max(least);
        peak += after;
    }
    (after, peak)
}

/// First place to look at: the upper bits of the hash.
pub(super) fn place(hash: u64, size: usize) -> usize {
    (hash >> (64 - size.trailing_zeros())) as usize
}

/// The text of a short entry: so many of the bytes.
pub(super) fn text_of(entry: &Short) -> ([u8; 16], usize) {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&entry.key.low.to_le_bytes());
    bytes[8..].copy_from_slice(&entry.key.high.to_le_bytes());
    (bytes, usize::from(bytes[15]))
}

/// The text of a long entry. Places in `texts`, a buffer in memory, fit `usize`.
pub(super) fn text_in<'a>(texts: &'a [u8], entry: &Long) -> &'a [u8] {
    &texts[entry.start as usize..(entry.start + entry.length) as usize]
}

impl CountTable {
    /// Number of different pretokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.short_len + self.long_len
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sum of all counts.
    #[must_use]
    pub fn total(&self) -> u128 {
        let mut total = 0;
        self.for_each(|_, count| total += u128::from(count));
        total
    }

    /// Bytes of memory in use.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.short.len() * size_of::<Short>() + self.long.len() * size_of::<Long>() + self.texts.capacity()
    }

    /// Adds `count` to the pretoken `text[start..end]`. A count of 0 and an empty pretoken add nothing.
    ///
    /// # Errors
    /// A count above `u64`.
    #[inline]
    pub fn add(&mut self, text: &[u8], start: usize, end: usize, count: u64) -> Result<()> {
        let length = end - start;
        if length == 0 || count == 0 {
            return Ok(());
        }
        if length <= KEY_BYTES {
            self.add_short(Key::at(text, start, length), count)
        } else {
            self.add_long(&text[start..end], count)
        }
    }

    /// The same for consecutive pretokens, of which the first starts at `at` and each ends where `ends` says: their places
    /// are asked for ahead of use, since a large table answers from memory, not from a cache.
    ///
    /// # Errors
    /// A count above `u64`.
    #[inline]
    pub fn add_all_of(&mut self, text: &[u8], mut at: usize, ends: &[usize], count: u64) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let mut found = [(0, Key::default(), 0); AHEAD];
        for ends in ends.chunks(AHEAD) {
            for (slot, &end) in found.iter_mut().zip(ends) {
                let start = std::mem::replace(&mut at, end);
                let is_short = end - start <= KEY_BYTES && end > start;
                let key = if is_short { Key::at(text, start, end - start) } else { Key::default() };
                let hash = if is_short { key.hash() } else { hash_bytes(&text[start..end]) };
                if is_short {
                    self.short.get(place(hash, self.short.len().max(2))).into_iter().for_each(prefetch);
                } else {
                    self.long.get(place(hash, self.long.len().max(2))).into_iter().for_each(prefetch);
                }
                *slot = (start, key, hash);
            }
            for (&(start, key, hash), &end) in found.iter().zip(ends) {
                match end - start {
                    0 => {}
                    1..=KEY_BYTES => self.add_hashed(key, hash, count)?,
                    _ => self.add_long_hashed(&text[start..end], hash, count)?,
                }
            }
        }
        Ok(())
    }

    #[inline]
    pub(super) fn add_short(&mut self, key: Key, count: u64) -> Result<()> {
        self.add_hashed(key, key.hash(), count)
    }

    #[inline]
    fn add_hashed(&mut self, key: Key, hash: u64, count: u64) -> Result<()> {
        if self.short_len * 2 >= self.short.len() {
            self.grow_short();
        }
        let mask = self.short.len() - 1;
        let mut at = place(hash, self.short.len());
        loop {
            let entry = &mut self.short[at];
            if entry.key.is(key.low, key.high) {
                entry.count = sum(entry.count, count)?;
                return Ok(());
            }
            if entry.count == 0 {
                *entry = Short { key, count };
                self.short_len += 1;
                return Ok(());
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn grow_short(&mut self) {
        self.place_short((self.short.len() * 2).max(SHORT_LEAST));
    }

    pub(super) fn place_short(&mut self, size: usize) {
        let old = std::mem::replace(&mut self.short, vec![Short::default(); size]);
        self.short_len = 0;
        for entry in old.into_iter().filter(|e| e.count > 0) {
            self.put_short(entry);
        }
    }

    /// Enters a pretoken that is not there yet; there is room.
    fn put_short(&mut self, entry: Short) {
        let mask = self.short.len() - 1;
        let mut at = place(entry.key.hash(), self.short.len());
        while self.short[at].count > 0 {
            at = (at + 1) & mask;
        }
        self.short[at] = entry;
        self.short_len += 1;
    }

    pub(super) fn add_long(&mut self, text: &[u8], count: u64) -> Result<()> {
        self.add_long_hashed(text, hash_bytes(text), count)
    }

    fn add_long_hashed(&mut self, text: &[u8], hash: u64, count: u64) -> Result<()> {
        if self.long_len * 2 >= self.long.len() {
            self.grow_long();
        }
        let mut at = place(hash, self.long.len());
        loop {
            let entry = self.long[at];
            if entry.count == 0 {
                self.long[at] = Long { hash, start: self.texts.len() as u64, length: text.len() as u64, count };
                self.texts.extend_from_slice(text);
                self.long_len += 1;
                return Ok(());
            }
            if entry.hash == hash && self.text(&entry) == text {
                self.long[at].count = sum(entry.count, count)?;
                return Ok(());
            }
            at = (at + 1) & (self.long.len() - 1);
        }
    }

    pub(super) fn text(&self, entry: &Long) -> &[u8] {
        text_in(&self.texts, entry)
    }

    #[cold]
    fn grow_long(&mut self) {
        self.place_long((self.long.len() * 2).max(LONG_LEAST));
    }

    pub(super) fn place_long(&mut self, size: usize) {
        let old = std::mem::replace(&mut self.long, vec![Long::default(); size]);
        self.long_len = 0;
        for entry in old.into_iter().filter(|e| e.count > 0) {
            self.put_long(entry);
        }
    }

    /// As [`CountTable::put_short`]; the text is in `texts`.
    fn put_long(&mut self, entry: Long) {
        let mask = self.long.len() - 1;
        let mut at = place(entry.hash, self.long.len());
        while self.long[at].count > 0 {
            at = (at + 1) & mask;
        }
        self.long[at] = entry;
        self.long_len += 1;
    }

    /// Calls `visit` with every pretoken and its count, in no particular order.
    pub fn for_each(&self, mut visit: impl FnMut(&[u8], u64)) {
        for entry in self.short.iter().filter(|e| e.count > 0) {
            let (bytes, length) = text_of(entry);
            visit(&bytes[..length], entry.count);
        }
        for entry in self.long.iter().filter(|e| e.count > 0) {
            visit(self.text(entry), entry.count);
        }
    }

    /// Adds all counts of another table.
    ///
    /// # Errors
    /// A count above `u64`.
    pub fn add_all(&mut self, other: &Self) -> Result<()> {
        // The other's entries come in the order of their hashes. Into a smaller table they would all land in one growing
        // run, which takes quadratic time; into one at least as large they spread.
        self.make_room_for(other);
        for entry in other.short.iter().filter(|e| e.count > 0) {
            self.add_short(entry.key, entry.count)?;
        }
        for entry in other.long.iter().filter(|e| e.count > 0) {
            self.add_long(other.text(entry), entry.count)?;
        }
        Ok(())
    }

    /// The same into a table that may stay smaller: `before_each(self, bytes)` is called now and then, before pretokens of up
    /// to [`ADD_STEP`] entries and so many bytes of long text. Entries come from all over the other table by turns.
    ///
    /// # Errors
    /// A count above `u64`, and those of `before_each`.
    pub fn add_by_turns(
        &mut self,
        other: &Self,
        mut before_each: impl FnMut(&mut Self, usize) -> Result<()>,
    ) -> Result<()> {
        let turns = |size: usize| (0..ADD_STEP).flat_map(move |turn| (turn..size).step_by(ADD_STEP));
        for (visited, at) in turns(other.short.len()).enumerate() {
            if visited.is_multiple_of(ADD_STEP) {
                before_each(self, 0)?;
            }
            let entry = other.short[at];
            if entry.count > 0 {
                self.add_short(entry.key, entry.count)?;
            }
        }
        for entry in turns(other.long.len()).map(|at| other.long[at]).filter(|e| e.count > 0) {
            before_each(self, other.text(&entry).len())?;
            self.add_long(other.text(&entry), entry.count)?;
        }
        Ok(())
    }

    /// Grows so that the entries of another table fit, and so that they spread: see [`CountTable::add_all`].
    pub(super) fn make_room_for(&mut self, other: &Self) {
        while self.short.len() < other.short.len() || (self.short_len + other.short_len) * 4 > self.short.len() * 3 {
            self.grow_short();
        }
        while self.long.len() < other.long.len() || (self.long_len + other.long_len) * 4 > self.long.len() * 3 {
            self.grow_long();
        }
    }

    /// Most bytes of memory in use while `entries` pretokens, of `bytes` together, are added.
    #[must_use]
    pub fn peak(&self, entries: usize, bytes: usize) -> usize {
        let short = grown(self.short.len(), self.short_len + entries, SHORT_LEAST).1;
        // Only pretokens past the key's size are long.
        let (long, texts) = match (entries.min(bytes / (KEY_BYTES + 1)), self.texts.capacity()) {
            (0, capacity) => (self.long.len(), capacity),
            (more, capacity) if self.texts.len() + bytes <= capacity => {
                (grown(self.long.len(), self.long_len + more, LONG_LEAST).1, capacity)
            }
            (more, capacity) => {
                let after = (capacity * 2).max(self.texts.len() + bytes);
                (grown(self.long.len(), self.long_len + more, LONG_LEAST).1, capacity + after)
            }
        };
        short * size_of::<Short>() + long * size_of::<Long>() + texts
    }

    /// A table with room for so many pretokens, `bytes` in the long ones.
    #[must_use]
    pub fn with_room(short: usize, long: usize, bytes: usize) -> Self {
        let mut table = Self { texts: Vec::with_capacity(bytes), ..Self::default() };
        table.place_short(grown(0, short, SHORT_LEAST).0);
        table.place_long(grown(0, long, LONG_LEAST).0);
        table
    }

    /// Bytes of memory of [`CountTable::with_room`].
    #[must_use]
    pub fn room(short: usize, long: usize, bytes: usize) -> usize {
        grown(0, short, SHORT_LEAST).0 * size_of::<Short>() + grown(0, long, LONG_LEAST).0 * size_of::<Long>() + bytes
    }

    /// Forgets all counts and keeps the memory.
    pub fn clear(&mut self) {
        self.short.fill(Short::default());
        self.long.fill(Long::default());
        self.texts.clear();
        (self.short_len, self.long_len) = (0, 0);
    }

    /// Drops pretokens with a count below `least`; gives back how many, and the sum of their counts.
    pub fn prune(&mut self, least: u64) -> (u64, u128) {
        let (mut kept, mut dropped) = (Self::default(), (0, 0));
        kept.place_short(self.short.len());
        kept.place_long(self.long.len());
        for entry in self.short.iter().filter(|e| e.count > 0) {
            if entry.count < least {
                dropped = (dropped.0 + 1, dropped.1 + u128::from(entry.count));
            } else {
                kept.put_short(*entry);
            }
        }
        for entry in self.long.iter().filter(|e| e.count > 0) {
            if entry.count < least {
                dropped = (dropped.0 + 1, dropped.1 + u128::from(entry.count));
            } else {
                let start = kept.texts.len() as u64;
                kept.texts.extend_from_slice(self.text(entry));
                kept.put_long(Long { start, ..*entry });
            }
        }
        *self = kept;
        dropped
    }
}
