//! The unique pretokens as one flat array of symbols, shortened in place as merges join them.

use std::collections::HashMap;

use super::pairs::{Pairs, key};
use crate::count::table::CountTable;
use crate::error::{Error, Result};
use crate::ids::{BYTE_ORDER, Pair, TokenId};

/// All words.
pub struct Words {
    symbols: Vec<TokenId>,
    /// `starts[w]` and `lengths[w]` give the place of word `w` in `symbols`.
    starts: Vec<u64>,
    lengths: Vec<u32>,
    counts: Vec<u64>,
}

/// What a merge changed beside one neighbour.
#[derive(Default)]
pub struct Change {
    /// Sum of the counts of the words concerned.
    pub count: u64,
    /// These words.
    pub words: Vec<u32>,
}

impl Change {
    fn add(&mut self, count: u64, word: u32) {
        self.count += count;
        if self.words.last() != Some(&word) {
            self.words.push(word);
        }
    }

    /// Forgets the change but keeps its memory.
    pub fn clear(&mut self) {
        self.count = 0;
        self.words.clear();
    }
}

/// What a merge changed, by neighbour.
#[derive(Default)]
pub struct Changes {
    left: HashMap<TokenId, Change>,
    right: HashMap<TokenId, Change>,
}

impl Changes {
    /// By left neighbour.
    pub fn left(&mut self) -> impl Iterator<Item = (&TokenId, &mut Change)> {
        self.left.iter_mut().filter(|c| c.1.count > 0)
    }

    /// By right neighbour.
    pub fn right(&mut self) -> impl Iterator<Item = (&TokenId, &mut Change)> {
        self.right.iter_mut().filter(|c| c.1.count > 0)
    }
}

impl Words {
    /// Lays the words out; those of one byte have no pair and are left away.
    pub fn new(counts: &CountTable) -> Result<Self> {
        let mut id_of = [0; 256];
        for (id, byte) in (0..).zip(BYTE_ORDER) {
            id_of[usize::from(byte)] = id;
        }
        let mut words = Self { symbols: Vec::new(), starts: Vec::new(), lengths: Vec::new(), counts: Vec::new() };
        let mut too_long = None;
        counts.for_each(|text, count| {
            if text.len() < 2 {
                return;
            }
            let Ok(length) = u32::try_from(text.len()) else {
                too_long = Some(text.len());
                return;
            };
            words.starts.push(words.symbols.len() as u64);
            words.lengths.push(length);
            words.counts.push(count);
            words.symbols.extend(text.iter().map(|&b| id_of[usize::from(b)]));
        });
        if let Some(length) = too_long {
            return Err(Error::Train(format!("a pretoken has {length} bytes; the limit is {}", u32::MAX)));
        }
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
        // Only bytes at first: 65,536 pairs fit a plain array.
        let mut changes: Vec<Change> = std::iter::repeat_with(Change::default).take(1 << 16).collect();
        for (word, ((&start, &length), &count)) in (0u32..).zip(self.starts.iter().zip(&self.lengths).zip(&self.counts))
        {
            let symbols = self.slice(start, length);
            for neighbours in symbols.windows(2) {
                changes[(neighbours[0] << 8 | neighbours[1]) as usize].add(count, word);
            }
        }
        for (pair, change) in (0u32..).zip(&mut changes) {
            if change.count > 0 {
                pairs.raise(key(pair >> 8, pair & 0xFF), change.count, &mut change.words);
            }
        }
    }

    // Places in `symbols`, a buffer in memory, fit `usize`.
    #[allow(clippy::cast_possible_truncation)]
    fn slice(&self, start: u64, length: u32) -> &[TokenId] {
        &self.symbols[start as usize..start as usize + length as usize]
    }

    /// Joins `pair` into `merged` in all of `among`, and notes what that changes.
    #[allow(clippy::cast_possible_truncation)]
    pub fn merge(&mut self, pair: Pair, merged: TokenId, among: &[u32], changes: &mut Changes) {
        for &word in among {
            let (start, length) = (self.starts[word as usize] as usize, self.lengths[word as usize] as usize);
            let symbols = &mut self.symbols[start..start + length];
            let count = self.counts[word as usize];
            let (mut read, mut write) = (0, 0);
            while read < length {
                if symbols[read] == pair.left && read + 1 < length && symbols[read + 1] == pair.right {
                    if write > 0 {
                        changes.left.entry(symbols[write - 1]).or_default().add(count, word);
                    }
                    if read + 2 < length {
                        changes.right.entry(symbols[read + 2]).or_default().add(count, word);
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
