//! The unique pretokens as one flat array of symbols, shortened in place as merges join them.

use super::pairs::{Pairs, key};
use crate::count::table::CountTable;
use crate::error::{Error, Result};
use crate::ids::{Pair, TokenId};

/// All words.
#[derive(Default)]
pub struct Words {
    symbols: Vec<TokenId>,
    /// `starts[w]` and `lengths[w]` give the place of word `w` in `symbols`.
    starts: Vec<u64>,
    lengths: Vec<u32>,
    counts: Vec<u64>,
}

/// What a merge changed, by the neighbour beside which it changed it. Kept between merges: arrays over all ids, and
/// lists of those touched, so that a merge costs what it touches and nothing is hashed.
#[derive(Default)]
pub struct Changes {
    /// By id: the sum of the counts of the words concerned; 0 for untouched.
    counts: Vec<u64>,
    /// By id: its index in `touched`.
    slots: Vec<u32>,
    touched: Vec<TokenId>,
    /// How many words each touched neighbour has, and the (slot, word) pairs in order of word.
    sizes: Vec<u32>,
    places: Vec<(u32, u32)>,
}

impl Changes {
    /// Makes room for ids up to `id`.
    pub fn admit(&mut self, id: TokenId) {
        let wanted = id as usize + 1;
        if self.counts.len() < wanted {
            self.counts.resize(wanted.next_power_of_two(), 0);
            self.slots.resize(wanted.next_power_of_two(), 0);
        }
    }

    #[inline]
    fn add(&mut self, neighbour: TokenId, count: u64, word: u32) {
        let known = &mut self.counts[neighbour as usize];
        if *known == 0 {
            self.slots[neighbour as usize] = self.touched.len() as u32;
            self.touched.push(neighbour);
            self.sizes.push(0);
        }
        *known += count;
        let slot = self.slots[neighbour as usize];
        if self.places.last() != Some(&(slot, word)) {
            self.sizes[slot as usize] += 1;
            self.places.push((slot, word));
        }
    }

    /// `(neighbour, count)` for every neighbour touched.
    pub fn counts(&self) -> impl Iterator<Item = (TokenId, u64)> {
        self.touched.iter().map(|&id| (id, self.counts[id as usize]))
    }

    /// The words of each neighbour, in the order of [`Changes::counts`].
    pub fn words(&self) -> Vec<Vec<u32>> {
        let mut words: Vec<Vec<u32>> = self.sizes.iter().map(|&size| Vec::with_capacity(size as usize)).collect();
        for &(slot, word) in &self.places {
            words[slot as usize].push(word);
        }
        words
    }

    /// Forgets everything but its memory.
    pub fn clear(&mut self) {
        for &id in &self.touched {
            self.counts[id as usize] = 0;
        }
        self.touched.clear();
        self.sizes.clear();
        self.places.clear();
    }
}

impl Words {
    /// Lays the words out as the symbols that `encode` appends; those of one symbol have no pair and are left away.
    pub fn new(counts: &CountTable, mut encode: impl FnMut(&[u8], &mut Vec<TokenId>) -> Result<()>) -> Result<Self> {
        let mut words = Self { symbols: Vec::new(), starts: Vec::new(), lengths: Vec::new(), counts: Vec::new() };
        let mut result = Ok(());
        counts.for_each(|text, count| {
            if text.len() < 2 || result.is_err() {
                return;
            }
            let start = words.symbols.len();
            result = encode(text, &mut words.symbols);
            let length = words.symbols.len() - start;
            if length < 2 {
                words.symbols.truncate(start);
                return;
            }
            let Ok(length) = u32::try_from(length) else {
                result = Err(Error::Train(format!("a pretoken has {length} symbols; the limit is {}", u32::MAX)));
                return;
            };
            words.starts.push(start as u64);
            words.lengths.push(length);
            words.counts.push(count);
        });
        result?;
        if u32::try_from(words.counts.len()).is_err() {
            let found = words.counts.len();
            return Err(Error::Train(format!(
                "{found} different pretokens; the limit is {}: prune the counts",
                u32::MAX
            )));
        }
        Ok(words)
    }

    /// Enters every pair of neighbours.
    pub fn count_pairs(&self, pairs: &mut Pairs) {
        let words = || (0u32..).zip(self.starts.iter().zip(&self.lengths).zip(&self.counts));
        if self.symbols.iter().any(|&id| id > 0xFF) {
            for (word, ((&start, &length), &count)) in words() {
                for neighbours in self.slice(start, length).windows(2) {
                    pairs.note(key(neighbours[0], neighbours[1]), count, word);
                }
            }
            return;
        }
        // Only bytes: 65,536 pairs fit a plain array.
        let mut changes = Changes::default();
        changes.admit((1 << 16) - 1);
        for (word, ((&start, &length), &count)) in words() {
            for neighbours in self.slice(start, length).windows(2) {
                changes.add(neighbours[0] << 8 | neighbours[1], count, word);
            }
        }
        for ((pair, count), words) in changes.counts().zip(changes.words()) {
            pairs.raise(key(pair >> 8, pair & 0xFF), count, words);
        }
    }

    // Places in `symbols`, a buffer in memory, fit `usize`.
    #[allow(clippy::cast_possible_truncation)]
    fn slice(&self, start: u64, length: u32) -> &[TokenId] {
        &self.symbols[start as usize..start as usize + length as usize]
    }

    /// Joins `pair` into `merged` in all of `among`, and notes what that changes on either side.
    pub fn merge(&mut self, pair: Pair, merged: TokenId, among: &[u32], left: &mut Changes, right: &mut Changes) {
        left.admit(merged);
        right.admit(merged);
        for &word in among {
            let (start, length) = (self.starts[word as usize] as usize, self.lengths[word as usize] as usize);
            let symbols = &mut self.symbols[start..start + length];
            let count = self.counts[word as usize];
            let (mut read, mut write) = (0, 0);
            while read < length {
                if symbols[read] == pair.left && read + 1 < length && symbols[read + 1] == pair.right {
                    if write > 0 {
                        left.add(symbols[write - 1], count, word);
                    }
                    if read + 2 < length {
                        right.add(symbols[read + 2], count, word);
                    }
                    symbols[write] = merged;
                    read += 2;
                } else {
                    symbols[write] = symbols[read];
                    read += 1;
                }
                write += 1;
            }
            self.lengths[word as usize] = write as u32;
        }
    }
}
