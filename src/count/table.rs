//! pretoken -> count. Short pretokens stand in the table itself; the texts of long ones in one buffer behind it.

use crate::encode::key::{KEY_BYTES, Key, hash_bytes};
use crate::error::{Error, Result};

#[derive(Clone, Copy, Default)]
struct Short {
    key: Key,
    /// 0 is free.
    count: u64,
}

#[derive(Clone, Copy, Default)]
struct Long {
    hash: u64,
    start: u64,
    length: u64,
    /// 0 is free.
    count: u64,
}

/// Counts of one thread.
#[derive(Default)]
pub struct CountTable {
    short: Vec<Short>,
    short_len: usize,
    long: Vec<Long>,
    long_len: usize,
    texts: Vec<u8>,
}

fn overflow() -> Error {
    Error::Train(format!("a pretoken's count passes the limit {}; prune or split the counts", u64::MAX))
}

/// First place to look at: the upper bits of the hash.
fn place(hash: u64, size: usize) -> usize {
    (hash >> (64 - size.trailing_zeros())) as usize
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

    #[inline]
    fn add_short(&mut self, key: Key, count: u64) -> Result<()> {
        if self.short_len * 2 >= self.short.len() {
            self.grow_short();
        }
        let mask = self.short.len() - 1;
        let mut at = place(key.hash(), self.short.len());
        loop {
            let entry = &mut self.short[at];
            if entry.key.is(key.low, key.high) {
                entry.count = entry.count.checked_add(count).ok_or_else(overflow)?;
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
        let size = (self.short.len() * 2).max(1 << 12);
        let old = std::mem::replace(&mut self.short, vec![Short::default(); size]);
        for entry in old.into_iter().filter(|e| e.count > 0) {
            let mut at = place(entry.key.hash(), size);
            while self.short[at].count > 0 {
                at = (at + 1) & (size - 1);
            }
            self.short[at] = entry;
        }
    }

    fn add_long(&mut self, text: &[u8], count: u64) -> Result<()> {
        if self.long_len * 2 >= self.long.len() {
            self.grow_long();
        }
        let hash = hash_bytes(text);
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
                self.long[at].count = entry.count.checked_add(count).ok_or_else(overflow)?;
                return Ok(());
            }
            at = (at + 1) & (self.long.len() - 1);
        }
    }

    // Places in `texts`, a buffer in memory, fit `usize`.
    #[allow(clippy::cast_possible_truncation)]
    fn text(&self, entry: &Long) -> &[u8] {
        &self.texts[entry.start as usize..(entry.start + entry.length) as usize]
    }

    #[cold]
    fn grow_long(&mut self) {
        let size = (self.long.len() * 2).max(1 << 10);
        let old = std::mem::replace(&mut self.long, vec![Long::default(); size]);
        for entry in old.into_iter().filter(|e| e.count > 0) {
            let mut at = place(entry.hash, size);
            while self.long[at].count > 0 {
                at = (at + 1) & (size - 1);
            }
            self.long[at] = entry;
        }
    }

    /// Calls `visit` with every pretoken and its count, in no particular order.
    pub fn for_each(&self, mut visit: impl FnMut(&[u8], u64)) {
        for entry in self.short.iter().filter(|e| e.count > 0) {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&entry.key.low.to_le_bytes());
            bytes[8..].copy_from_slice(&entry.key.high.to_le_bytes());
            visit(&bytes[..usize::from(bytes[15])], entry.count);
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
        while self.short.len() < other.short.len() {
            self.grow_short();
        }
        while self.long.len() < other.long.len() {
            self.grow_long();
        }
        for entry in other.short.iter().filter(|e| e.count > 0) {
            self.add_short(entry.key, entry.count)?;
        }
        for entry in other.long.iter().filter(|e| e.count > 0) {
            self.add_long(other.text(entry), entry.count)?;
        }
        Ok(())
    }

    /// All pretokens behind one another, sorted; where each ends; and their counts.
    #[must_use]
    pub fn sorted_flat(&self) -> (Vec<u8>, Vec<usize>, Vec<u64>) {
        let (mut texts, mut items) = (Vec::new(), Vec::with_capacity(self.len()));
        self.for_each(|text, count| {
            items.push((texts.len(), text.len(), count));
            texts.extend_from_slice(text);
        });
        let text = |&(start, length, _): &(usize, usize, u64)| &texts[start..start + length];
        items.sort_unstable_by(|a, b| text(a).cmp(text(b)));
        let mut flat = Vec::with_capacity(texts.len());
        let ends = items.iter().map(|item| {
            flat.extend_from_slice(text(item));
            flat.len()
        });
        let ends = ends.collect();
        (flat, ends, items.iter().map(|item| item.2).collect())
    }

    /// `(pretoken, count)` sorted by pretoken.
    #[must_use]
    pub fn sorted(&self) -> Vec<(Vec<u8>, u64)> {
        let (flat, ends, counts) = self.sorted_flat();
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(&ends).zip(counts).map(|((start, &end), count)| (flat[start..end].to_vec(), count)).collect()
    }
}
