//! The unique pretokens in one flat array, shortened in place as merges join their symbols.
//!
//! A word is one record: length, count (low half, high half), symbols, and holes up to an even index. A merge then
//! waits for one cache line a word, where a table for each of the four had it wait for four.

use std::ops::Range;

use super::changes::Changes;
use crate::count::table::CountTable;
use crate::error::{Error, Result};
use crate::ids::{Pair, TokenId};
use crate::memory::prefetch;
use crate::threads::{Ask, Steps};

/// Cells before the symbols.
const HEAD: usize = 3;
/// A cell that nothing uses. No length and no id is that large.
const HOLE: u32 = u32::MAX;
/// Words whose cache line is asked for ahead of use.
const AHEAD: usize = 8;
/// Cells between two places where the words may be shared out.
const MARK: usize = 1 << 14;
/// Records begin at multiples of this, so that 32 bits name a place in 32 GiB.
const STEP: usize = 2;

/// All words of two symbols or more.
#[derive(Default)]
pub struct Words {
    cells: Vec<u32>,
    /// Where some records begin, about [`MARK`] cells apart.
    marks: Vec<usize>,
}

/// One word.
pub struct Word<'a> {
    /// Names it until the next [`Words::compact`]; ascending.
    pub place: u32,
    /// How often it occurs.
    pub count: u64,
    /// What it has become.
    pub symbols: &'a [TokenId],
}

fn count_of(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl Words {
    /// Lays the words out as the symbols that `encode` appends; those of one symbol have no pair and are left away.
    pub fn new(
        counts: &CountTable,
        ask: Ask<'_>,
        mut encode: impl FnMut(&[u8], &mut Vec<TokenId>) -> Result<()>,
    ) -> Result<Self> {
        let (mut cells, mut steps, mut result) = (Vec::new(), Steps::new(ask), Ok(()));
        counts.for_each(|text, count| {
            if text.len() < 2 || result.is_err() {
                return;
            }
            let start = cells.len();
            cells.extend([0, count as u32, (count >> 32) as u32]);
            result = steps.take(text.len()).and_then(|()| encode(text, &mut cells));
            let length = cells.len() - start - HEAD;
            if length < 2 {
                cells.truncate(start);
                return;
            }
            match u32::try_from(length) {
                Ok(length) if length != HOLE => cells[start] = length,
                _ => result = Err(Error::Train(format!("a pretoken has {length} symbols; the limit is {}", HOLE - 1))),
            }
            cells.resize(cells.len().next_multiple_of(STEP), HOLE);
        });
        result?;
        if u32::try_from(cells.len() / STEP).is_err() {
            return Err(Error::Train(format!(
                "{} different pretokens take {} GiB while they are merged; the limit is 32: prune the counts",
                counts.len(),
                cells.len() >> 28
            )));
        }
        cells.shrink_to_fit();
        Ok(Self { cells, marks: Vec::new() })
    }

    /// Moves the words together and drops those that have become one symbol. All places change.
    pub fn compact(&mut self) {
        let (mut read, mut write) = (0, 0);
        self.marks.clear();
        while read < self.cells.len() {
            let length = self.cells[read] as usize;
            let end = read + HEAD + length;
            if length >= 2 {
                if write >= self.marks.len() * MARK {
                    self.marks.push(write);
                }
                self.cells.copy_within(read..end, write);
                write += HEAD + length;
                // A record takes no more cells here than it took there.
                while !write.is_multiple_of(STEP) {
                    self.cells[write] = HOLE;
                    write += 1;
                }
            }
            read = self.next(end);
        }
        self.cells.truncate(write);
        self.cells.shrink_to_fit();
    }

    /// Where the record after a record's symbols begins.
    fn next(&self, mut end: usize) -> usize {
        while self.cells.get(end) == Some(&HOLE) {
            end += 1;
        }
        end
    }

    /// Cells in all.
    pub fn size(&self) -> usize {
        self.cells.len()
    }

    /// The words in about equal parts, at most so many, as they stand after [`Words::compact`].
    pub fn parts(&self, most: usize) -> Vec<Range<usize>> {
        let each = self.marks.len().div_ceil(most).max(1);
        let starts: Vec<usize> = self.marks.iter().step_by(each).copied().collect();
        let ends = starts.iter().skip(1).copied().chain([self.cells.len()]);
        starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
    }

    /// Calls `visit` with the words of a part in turn, and asks now and then whether to go on.
    ///
    /// # Errors
    /// That of `ask`.
    #[inline]
    pub fn each<'a>(&'a self, part: &Range<usize>, ask: Ask<'_>, mut visit: impl FnMut(Word<'a>)) -> Result<()> {
        let (mut steps, mut at) = (Steps::new(ask), part.start);
        while at < part.end {
            let (head, rest) = self.cells[at..].split_at(HEAD);
            let symbols = &rest[..head[0] as usize];
            visit(Word { place: (at / STEP) as u32, count: count_of(head[1], head[2]), symbols });
            at = self.next(at + HEAD + symbols.len());
            steps.take(size_of_val(symbols))?;
        }
        Ok(())
    }

    /// Joins `pair` into `merged` in all words at `places`, and notes what that changes on either side.
    pub fn merge(&mut self, pair: Pair, merged: TokenId, places: &[u32], left: &mut Changes, right: &mut Changes) {
        left.admit(merged);
        right.admit(merged);
        for (index, &place) in places.iter().enumerate() {
            if let Some(cell) = places.get(index + AHEAD).and_then(|&ahead| self.cells.get(ahead as usize * STEP)) {
                prefetch(cell);
            }
            let (head, rest) = self.cells[place as usize * STEP..].split_at_mut(HEAD);
            let symbols = &mut rest[..head[0] as usize];
            let count = count_of(head[1], head[2]);
            let (mut read, mut write) = (0, 0);
            while read < symbols.len() {
                if symbols[read] == pair.left && symbols.get(read + 1) == Some(&pair.right) {
                    if write > 0 {
                        left.add(symbols[write - 1], count, place);
                    }
                    if let Some(&after) = symbols.get(read + 2) {
                        right.add(after, count, place);
                    }
                    symbols[write] = merged;
                    read += 2;
                } else {
                    symbols[write] = symbols[read];
                    read += 1;
                }
                write += 1;
            }
            symbols[write..].fill(HOLE);
            head[0] = write as u32;
        }
    }
}
