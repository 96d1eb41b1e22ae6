//! A table's counts in order of their pretokens: in place, for runs on disk, and as copies.

use super::table::{CountTable, text_in, text_of};
use crate::error::Result;

/// Moves all entries to the front; those behind them are free.
fn gather<T: Copy + Default>(entries: &mut [T], is_free: impl Fn(&T) -> bool) {
    let mut kept = 0;
    for at in 0..entries.len() {
        if !is_free(&entries[at]) {
            entries[kept] = entries[at];
            kept += 1;
        }
    }
    entries[kept..].fill(T::default());
}

impl CountTable {
    /// Moves all entries to the front of their tables, sorted by text, and says how many there are. Nothing may be added
    /// before [`CountTable::clear`] or [`CountTable::restore`].
    pub fn sort_in_place(&mut self) -> (usize, usize) {
        gather(&mut self.short, |e| e.count == 0);
        gather(&mut self.long, |e| e.count == 0);
        self.short[..self.short_len].sort_unstable_by_key(|e| (e.key.low.swap_bytes(), e.key.high.swap_bytes()));
        let texts = &self.texts;
        self.long[..self.long_len].sort_unstable_by(|a, b| text_in(texts, a).cmp(text_in(texts, b)));
        (self.short_len, self.long_len)
    }

    /// Calls `visit` with every entry in order, after [`CountTable::sort_in_place`] with what that gave.
    ///
    /// # Errors
    /// Those of `visit`.
    pub fn for_each_sorted_in_place(
        &self,
        (short, long): (usize, usize),
        mut visit: impl FnMut(&[u8], u64) -> Result<()>,
    ) -> Result<()> {
        let mut longs = self.long[..long].iter().peekable();
        for entry in &self.short[..short] {
            let (bytes, length) = text_of(entry);
            while let Some(long) = longs.next_if(|long| self.text(long) < &bytes[..length]) {
                visit(self.text(long), long.count)?;
            }
            visit(&bytes[..length], entry.count)?;
        }
        longs.try_for_each(|long| visit(self.text(long), long.count))
    }

    /// Makes a table again of what [`CountTable::sort_in_place`] left.
    pub fn restore(&mut self) {
        self.place_short(self.short.len());
        self.place_long(self.long.len());
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
