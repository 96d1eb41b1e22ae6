//! A table's counts in order of their pretokens: in place, for runs on disk, and as copies.

use std::cmp::Ordering;

use super::table::{CountTable, Long, Short, text_in, text_of};
use crate::error::Result;
use crate::threads::{Ask, Steps};

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
        self.short[..self.short_len].sort_unstable_by(order_of_short);
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
        visit: impl FnMut(&[u8], u64) -> Result<()>,
    ) -> Result<()> {
        each_in_order(&self.short[..short], &self.long[..long], &self.texts, visit)
    }

    /// Makes a table again of what [`CountTable::sort_in_place`] left.
    pub fn restore(&mut self) {
        self.place_short(self.short.len());
        self.place_long(self.long.len());
    }

    /// The same pretokens in order: all behind one another, where each ends, and their counts. Asks now and then whether to go on.
    ///
    /// # Errors
    /// That of `ask`.
    pub fn sorted_flat(&self, ask: Ask<'_>) -> Result<(Vec<u8>, Vec<usize>, Vec<u64>)> {
        let short = in_order(self.short.iter().filter(|e| e.count > 0).copied().collect(), order_of_short, ask)?;
        let of_long = |a: &Long, b: &Long| self.text(a).cmp(self.text(b));
        let long = in_order(self.long.iter().filter(|e| e.count > 0).copied().collect(), of_long, ask)?;
        let (mut flat, mut ends, mut counts) =
            (Vec::new(), Vec::with_capacity(self.len()), Vec::with_capacity(self.len()));
        let mut steps = Steps::new(ask);
        each_in_order(&short, &long, &self.texts, |text, count| {
            flat.extend_from_slice(text);
            ends.push(flat.len());
            counts.push(count);
            steps.take(text.len())
        })?;
        Ok((flat, ends, counts))
    }

    /// `(pretoken, count)` sorted by pretoken.
    #[must_use]
    pub fn sorted(&self) -> Vec<(Vec<u8>, u64)> {
        // Nobody asks to stop.
        let (flat, ends, counts) = self.sorted_flat(&mut || Ok(())).unwrap_or_default();
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(&ends).zip(counts).map(|((start, &end), count)| (flat[start..end].to_vec(), count)).collect()
    }
}

/// Entries that are sorted between two questions whether to go on: some milliseconds.
const SORTED: usize = 1 << 15;

/// Sorts entries, no two of which are equal: stretches first, then what each two of them make together.
fn in_order<T: Copy>(mut entries: Vec<T>, order: impl Fn(&T, &T) -> Ordering, ask: Ask<'_>) -> Result<Vec<T>> {
    for stretch in entries.chunks_mut(SORTED) {
        ask()?;
        stretch.sort_unstable_by(&order);
    }
    let (mut length, mut steps) = (SORTED, Steps::new(ask));
    let mut merged = Vec::new();
    while length < entries.len() {
        merged.reserve(entries.len());
        for both in entries.chunks(2 * length) {
            let (mut one, mut other) = both.split_at(length.min(both.len()));
            while let ([first, one_rest @ ..], [second, other_rest @ ..]) = (one, other) {
                let is_first = order(first, second).is_lt();
                merged.push(if is_first { *first } else { *second });
                (one, other) = if is_first { (one_rest, other) } else { (one, other_rest) };
                steps.take(size_of::<T>())?;
            }
            merged.extend_from_slice(one);
            merged.extend_from_slice(other);
        }
        std::mem::swap(&mut entries, &mut merged);
        merged.clear();
        length *= 2;
    }
    Ok(entries)
}

/// Bytes compare as numbers whose first byte counts most; the length is the last.
fn order_of_short(one: &Short, other: &Short) -> Ordering {
    let number = |entry: &Short| (entry.key.low.swap_bytes(), entry.key.high.swap_bytes());
    number(one).cmp(&number(other))
}

/// Calls `visit` with the texts and counts of two sorted lists in the order of both.
fn each_in_order(
    short: &[Short],
    long: &[Long],
    texts: &[u8],
    mut visit: impl FnMut(&[u8], u64) -> Result<()>,
) -> Result<()> {
    let mut longs = long.iter().peekable();
    for entry in short {
        let (bytes, length) = text_of(entry);
        while let Some(long) = longs.next_if(|long| text_in(texts, long) < &bytes[..length]) {
            visit(text_in(texts, long), long.count)?;
        }
        visit(&bytes[..length], entry.count)?;
    }
    longs.try_for_each(|long| visit(text_in(texts, long), long.count))
}
