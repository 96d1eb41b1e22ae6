//! Which pairs are worth keeping next, found by several threads in parts of the words; and a sieve that keeps the
//! others out of the tables while they are counted.

use std::ops::Range;

use super::pairs::{Pairs, hash, key};
use super::words::Words;
use crate::batch::in_parallel;
use crate::error::Result;
use crate::threads::Ask;

/// The next floor is the highest count over this: lower means fewer sifts and more pairs kept. 8 and 32 were tried: 32 is
/// a twentieth faster and takes 2 MiB more.
const DEPTH: u64 = 32;
/// Cells of words for each entry of a sieve, and entries of the smallest and the largest: 8 MiB stay in the cache.
const CELLS: usize = 8;
const ENTRIES: (usize, usize) = (1 << 12, 1 << 20);
/// Each thread has a sieve and a table of its own.
const MOST_THREADS: usize = 16;

/// What may become the next floor.
pub struct Bounds {
    /// Every pair that is not known has a count below this.
    pub above: u64,
    /// Pairs below this are never merged.
    pub least: u64,
    /// Merges that are still wanted.
    pub merges: usize,
}

/// Sums of counts by the hash of pairs: no less than the count of any pair in them.
struct Sieve {
    sums: Vec<u64>,
    shift: u32,
}

impl Sieve {
    fn new(words: &Words, part: &Range<usize>, ask: Ask<'_>) -> Result<Self> {
        let size = (words.size() / CELLS).next_power_of_two().clamp(ENTRIES.0, ENTRIES.1);
        let mut sieve = Self { sums: vec![0; size], shift: 64 - size.trailing_zeros() };
        words.each(part, ask, |word| {
            for neighbours in word.symbols.windows(2) {
                let at = sieve.place(key(neighbours[0], neighbours[1]));
                sieve.sums[at] = sieve.sums[at].saturating_add(word.count);
            }
        })?;
        Ok(sieve)
    }

    #[inline]
    fn place(&self, pair: u64) -> usize {
        (hash(pair) >> self.shift) as usize
    }

    /// That of the words of several parts together.
    fn joined(parts: Vec<Self>) -> Self {
        let add = |mut sieve: Self, other: Self| {
            for (sum, more) in sieve.sums.iter_mut().zip(&other.sums) {
                *sum = sum.saturating_add(*more);
            }
            sieve
        };
        parts.into_iter().reduce(add).unwrap_or(Self { sums: vec![0; 2], shift: 63 })
    }

    /// A floor with enough pairs for a while, and not many more.
    fn floor(&self, bounds: &Bounds) -> u64 {
        let most = self.sums.iter().copied().max().unwrap_or(0).min(bounds.above.saturating_sub(1));
        let mut floor = most / DEPTH;
        // In text a merge takes about as many pairs above a floor away as it brings: twice as many as there are merges to
        // come will do. More than half of `most` and sifts might follow too close upon each other.
        let wanted = bounds.merges.saturating_mul(2);
        if wanted < self.sums.len() {
            let mut sums = self.sums.clone();
            let (_, &mut sum, _) = sums.select_nth_unstable_by(wanted, |one, other| other.cmp(one));
            floor = floor.max(sum.min(most / 2));
        }
        floor.max(2).min(most).max(bounds.least)
    }
}

/// The pairs at or above a new floor.
///
/// # Errors
/// That of `ask`.
pub fn sift(words: &mut Words, bounds: &Bounds, threads: usize, ask: Ask<'_>) -> Result<Pairs> {
    words.compact();
    let parts = words.parts(threads.clamp(1, MOST_THREADS));
    let sieves = in_parallel(&parts, threads, |part, ask| Sieve::new(words, part, ask), ask)?;
    let sieve = Sieve::joined(sieves);
    let floor = sieve.floor(bounds);
    let may_reach = |pair| sieve.sums[sieve.place(pair)] >= floor;
    let counted = in_parallel(&parts, threads, |part, ask| Pairs::counted(words, part, may_reach, ask), ask)?;
    let mut pairs = Pairs::joined(&counted, floor);
    let places = pairs.room();
    let numbered: Vec<usize> = (0..parts.len()).collect();
    let fill = |&part: &usize, ask: Ask<'_>| pairs.fill(words, &parts[part], &counted[..part], &places, ask);
    in_parallel(&numbered, threads, fill, ask)?;
    pairs.put(places);
    Ok(pairs)
}
