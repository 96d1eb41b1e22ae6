//! Which pairs are worth keeping next, and a sieve that keeps the others out of the table while they are counted.

use super::pairs::{Pairs, hash, key};
use super::words::Words;

/// The next floor is the highest count over this: lower means fewer sifts and more pairs kept.
const DEPTH: u64 = 8;
/// Entries of the smallest and the largest sieve: the largest has 2 MiB, which stay in the cache.
const SIEVE: (usize, usize) = (1 << 10, 1 << 18);

/// Sums of counts by the hash of pairs: no less than the count of any pair in them.
struct Sieve {
    sums: Vec<u64>,
    shift: u32,
}

impl Sieve {
    fn new(words: &Words) -> Self {
        let size = words.size().next_power_of_two().clamp(SIEVE.0, SIEVE.1);
        let mut sieve = Self { sums: vec![0; size], shift: 64 - size.trailing_zeros() };
        for word in words.iter() {
            for neighbours in word.symbols.windows(2) {
                let at = sieve.place(key(neighbours[0], neighbours[1]));
                sieve.sums[at] += word.count;
            }
        }
        sieve
    }

    #[inline]
    fn place(&self, pair: u64) -> usize {
        (hash(pair) >> self.shift) as usize
    }
}

/// The pairs at or above a new floor, below `above` and not below `least`.
pub fn below(words: &mut Words, above: u64, least: u64) -> Pairs {
    words.compact();
    let sieve = Sieve::new(words);
    let most = sieve.sums.iter().copied().max().unwrap_or(0).min(above.saturating_sub(1));
    let floor = (most / DEPTH).max(2).min(most).max(least);
    Pairs::sifted(words, floor, |pair| sieve.sums[sieve.place(pair)] >= floor)
}

/// All pairs.
pub fn all(words: &mut Words) -> Pairs {
    words.compact();
    Pairs::sifted(words, 1, |_| true)
}
