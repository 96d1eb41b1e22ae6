//! Neighbours -> how often they stand side by side, and in which words.

use crate::ids::{Pair, TokenId};

/// A pair as one number, ordered as pairs are.
#[inline]
pub fn key(left: TokenId, right: TokenId) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// The pair of a number.
#[inline]
#[allow(clippy::cast_possible_truncation)]
pub fn pair_of(key: u64) -> Pair {
    Pair { left: (key >> 32) as TokenId, right: key as TokenId }
}

struct Entry {
    pair: u64,
    count: u64,
    /// Words in which the pair stands or stood, in ascending runs.
    words: Vec<u32>,
}

/// All pairs. Open addressing over indices: entries never move.
#[derive(Default)]
pub struct Pairs {
    slots: Vec<u32>,
    entries: Vec<Entry>,
}

const EMPTY: u32 = u32::MAX;

impl Pairs {
    fn slot_of(&self, pair: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = (pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) as usize & mask;
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
            self.grow();
        }
        let slot = self.slot_of(pair);
        if self.slots[slot] == EMPTY {
            // Fewer pairs than 2^32: each needs a word, and words are numbered with 32 bits.
            #[allow(clippy::cast_possible_truncation)]
            {
                self.slots[slot] = self.entries.len() as u32;
            }
            self.entries.push(Entry { pair, count: 0, words: Vec::new() });
        }
        &mut self.entries[self.slots[slot] as usize]
    }

    #[cold]
    fn grow(&mut self) {
        self.entries.retain(|e| e.count > 0);
        let size = (self.entries.len() * 4).next_power_of_two().max(1 << 10);
        self.slots = vec![EMPTY; size];
        for (index, entry) in (0u32..).zip(&self.entries) {
            let mut at = (entry.pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) as usize & (size - 1);
            while self.slots[at] != EMPTY {
                at = (at + 1) & (size - 1);
            }
            self.slots[at] = index;
        }
    }

    /// Adds to a pair's count and words; returns the new count.
    pub fn raise(&mut self, pair: u64, count: u64, mut words: Vec<u32>) -> u64 {
        let entry = self.find_or_add(pair);
        entry.count += count;
        if entry.words.is_empty() {
            entry.words = words;
        } else {
            entry.words.append(&mut words);
        }
        entry.count
    }

    /// Adds one word, no earlier than those before it, to a pair.
    pub fn note(&mut self, pair: u64, count: u64, word: u32) {
        let entry = self.find_or_add(pair);
        entry.count += count;
        if entry.words.last() != Some(&word) {
            entry.words.push(word);
        }
    }

    /// Takes from a pair's count.
    pub fn lower(&mut self, pair: u64, count: u64) {
        if let Some(index) = self.find(pair) {
            let entry = &mut self.entries[index];
            entry.count = entry.count.saturating_sub(count);
        }
    }

    /// The count of a pair.
    pub fn count(&self, pair: u64) -> u64 {
        self.find(pair).map_or(0, |index| self.entries[index].count)
    }

    /// The words of a pair, which it then forgets.
    pub fn take_words(&mut self, pair: u64) -> Vec<u32> {
        self.find(pair).map(|index| std::mem::take(&mut self.entries[index].words)).unwrap_or_default()
    }

    /// Forgets a pair that stands nowhere any more.
    pub fn remove(&mut self, pair: u64) {
        if let Some(index) = self.find(pair) {
            self.entries[index].count = 0;
            self.entries[index].words = Vec::new();
        }
    }

    /// `(pair, count)`.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.entries.iter().filter(|e| e.count > 0).map(|e| (e.pair, e.count))
    }
}
