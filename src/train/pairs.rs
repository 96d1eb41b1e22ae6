//! Neighbours -> how often they stand side by side, and in which words: of all pairs at or above a floor.
//!
//! In text most pairs are rare, and merging ends long before it comes to them: they would fill the memory and never
//! be asked for. A pair below the floor stays there, since all its occurrences arise when the younger of its two tokens
//! does, and later merges only take some away. When the best pair falls below the floor, `sift` makes this anew with a
//! lower one.
//!
//! A pair may spell a token of `init` that merging had not formed. That token is as young as a new one: no word had it. For a
//! stretch between two borders of the result comes out as it would alone (`start`), so all that spell it become it in one merge.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::words::Words;
use crate::error::Result;
use crate::ids::{Pair, TokenId};
use crate::threads::Ask;

/// A pair as one number, ordered as pairs are.
#[inline]
pub fn key(left: TokenId, right: TokenId) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// The pair of a number.
#[inline]
pub fn pair_of(key: u64) -> Pair {
    Pair { left: (key >> 32) as TokenId, right: key as TokenId }
}

/// A hash whose upper bits are good.
#[inline]
pub fn hash(pair: u64) -> u64 {
    pair.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

struct Entry {
    pair: u64,
    /// 0 for a pair that fell below the floor.
    count: u64,
    /// Where its words stand in `places`.
    start: usize,
    words: usize,
}

/// Pairs at or above the floor. Open addressing over indices.
#[derive(Default)]
pub struct Pairs {
    slots: Vec<u32>,
    entries: Vec<Entry>,
    /// Words in which pairs stand or stood, those of a pair side by side.
    places: Vec<u32>,
    floor: u64,
}

const EMPTY: u32 = u32::MAX;
const LEAST_SLOTS: usize = 1 << 10;

impl Pairs {
    /// The counts of all pairs of a part of `words` that may matter, each with its number of words, which are not
    /// noted yet.
    ///
    /// # Errors
    /// That of `ask`.
    pub fn counted(words: &Words, part: &Range<usize>, may_matter: impl Fn(u64) -> bool, ask: Ask<'_>) -> Result<Self> {
        let mut pairs = Self::default();
        words.each(part, ask, |word| {
            for neighbours in word.symbols.windows(2) {
                let pair = key(neighbours[0], neighbours[1]);
                if may_matter(pair) {
                    let entry = pairs.find_or_add(pair);
                    entry.count += word.count;
                    // `start` stands for the word seen last, so that a word counts once.
                    let mark = word.place as usize + 1;
                    entry.words += usize::from(entry.start != mark);
                    entry.start = mark;
                }
            }
        })?;
        Ok(pairs)
    }

    /// The sums of what was counted in parts, of the pairs at or above `floor`, with room for their words.
    pub fn joined(parts: &[Self], floor: u64) -> Self {
        let mut pairs = Self { floor, ..Self::default() };
        for counted in parts.iter().flat_map(|part| &part.entries) {
            let entry = pairs.find_or_add(counted.pair);
            entry.count += counted.count;
            entry.words += counted.words;
        }
        pairs.entries.retain(|entry| entry.count >= floor);
        pairs.entries.shrink_to_fit();
        pairs.enter_all();
        let mut end = 0;
        for entry in &mut pairs.entries {
            entry.start = end;
            end += entry.words;
        }
        pairs
    }

    /// Places for the words of all pairs, to be given to [`Pairs::fill`] and [`Pairs::put`].
    pub fn room(&self) -> Vec<AtomicU32> {
        let end = self.entries.last().map_or(0, |entry| entry.start + entry.words);
        std::iter::repeat_with(AtomicU32::default).take(end).collect()
    }

    /// Writes the words of a part behind those of the parts `before` it, of which no other call writes the places.
    ///
    /// # Errors
    /// That of `ask`.
    pub fn fill(
        &self,
        words: &Words,
        part: &Range<usize>,
        before: &[Self],
        places: &[AtomicU32],
        ask: Ask<'_>,
    ) -> Result<()> {
        let mut next: Vec<usize> = self.entries.iter().map(|entry| entry.start).collect();
        for counted in before.iter().flat_map(|part| &part.entries) {
            if let Some(index) = self.find(counted.pair) {
                next[index] += counted.words;
            }
        }
        let mut last = vec![u32::MAX; next.len()];
        words.each(part, ask, |word| {
            for neighbours in word.symbols.windows(2) {
                if let Some(index) = self.find(key(neighbours[0], neighbours[1]))
                    && last[index] != word.place
                {
                    last[index] = word.place;
                    places[next[index]].store(word.place, Relaxed);
                    next[index] += 1;
                }
            }
        })
    }

    /// Takes over the words.
    pub fn put(&mut self, places: Vec<AtomicU32>) {
        self.places = places.into_iter().map(AtomicU32::into_inner).collect();
    }

    /// No pairs, and a floor above all.
    pub fn nothing() -> Self {
        Self { floor: u64::MAX, ..Self::default() }
    }

    fn slot_of(&self, pair: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = (hash(pair) >> (64 - self.slots.len().trailing_zeros())) as usize;
        while self.slots[at] != EMPTY && self.entries[self.slots[at] as usize].pair != pair {
            at = (at + 1) & mask;
        }
        at
    }

    fn find(&self, pair: u64) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let index = self.slots[self.slot_of(pair)];
        (index != EMPTY).then_some(index as usize)
    }

    fn find_or_add(&mut self, pair: u64) -> &mut Entry {
        if self.entries.len() * 2 >= self.slots.len() {
            self.entries.retain(|entry| entry.count > 0);
            self.enter_all();
        }
        let slot = self.slot_of(pair);
        if self.slots[slot] == EMPTY {
            // Fewer pairs than 2^32: their entries alone would take 128 GiB.
            self.slots[slot] = self.entries.len() as u32;
            self.entries.push(Entry { pair, count: 0, start: 0, words: 0 });
        }
        &mut self.entries[self.slots[slot] as usize]
    }

    #[cold]
    fn enter_all(&mut self) {
        let size = (self.entries.len() * 4).next_power_of_two().max(LEAST_SLOTS);
        self.slots.clear();
        self.slots.resize(size, EMPTY);
        for index in 0..self.entries.len() {
            let slot = self.slot_of(self.entries[index].pair);
            self.slots[slot] = index as u32;
        }
    }

    /// The least count of a pair that is here.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Enters a pair whose younger token has just come to be, with room for its words; gives where these go, or `None` for a pair
    /// below the floor.
    pub fn enter(&mut self, pair: u64, count: u64, words: usize) -> Option<usize> {
        if count < self.floor {
            return None;
        }
        let start = self.places.len();
        self.places.resize(start + words, 0);
        let entry = self.find_or_add(pair);
        debug_assert!(entry.words == 0, "a pair of a token that has just come to be is known");
        (entry.count, entry.start, entry.words) = (count, start, words);
        Some(start)
    }

    /// Takes from a pair's count; below the floor the pair is forgotten.
    pub fn lower(&mut self, pair: u64, count: u64) {
        if let Some(index) = self.find(pair) {
            let entry = &mut self.entries[index];
            entry.count = entry.count.saturating_sub(count);
            if entry.count < self.floor {
                (entry.count, entry.words) = (0, 0);
            }
        }
    }

    /// The count of a pair; 0 below the floor.
    pub fn count(&self, pair: u64) -> u64 {
        self.find(pair).map_or(0, |index| self.entries[index].count)
    }

    /// The words of a pair, in ascending runs.
    pub fn words(&self, pair: u64) -> &[u32] {
        self.find(pair).map_or(&[], |index| {
            let entry = &self.entries[index];
            &self.places[entry.start..entry.start + entry.words]
        })
    }

    /// Where the words of all pairs stand.
    pub fn places_mut(&mut self) -> &mut [u32] {
        &mut self.places
    }

    /// Forgets a pair that stands nowhere any more.
    pub fn remove(&mut self, pair: u64) {
        if let Some(index) = self.find(pair) {
            (self.entries[index].count, self.entries[index].words) = (0, 0);
        }
    }

    /// `(pair, count)`.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.entries.iter().filter(|e| e.count > 0).map(|e| (e.pair, e.count))
    }
}
