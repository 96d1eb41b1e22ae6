//! Pretoken counts -> ordered merges. The pair with the highest count is merged everywhere; of equal counts, the
//! smaller (left id, right id). `words` holds the pretokens as symbols, `pairs` the counts of neighbours that are
//! frequent enough to be merged soon, and `sift` finds those when the ones before are used up.
//!
//! A merge touches only the words in which its pair stands, and each change of a pair's count is
//! gathered by neighbour first (`changes`), so that the table of pairs is asked once for each neighbour, not each place.

mod changes;
mod digest;
mod pairs;
mod sift;
mod start;
mod tokens;
mod words;

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use changes::Changes;
pub use digest::digest;
use pairs::{Pairs, key, pair_of};
use sift::{Bounds, sift};
use tokens::Tokens;
use words::Words;

use crate::count::table::CountTable;
use crate::error::{Error, Result};
use crate::ids::{MAX_TOKEN_ID, Pair, TokenId};
use crate::threads::Ask;
use crate::tokenizer::Tokenizer;

/// What training is asked for.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Ordinary ids of the result: the highest plus one. The 256 single bytes are among them, and so are the gaps and the
    /// special tokens of `init`.
    pub tokens: usize,
    /// Pairs below this count are not merged.
    pub min_frequency: u64,
    /// Longest new token in bytes; `None` for no limit.
    pub max_token_bytes: Option<usize>,
    /// A vocabulary to extend: its ids stay, and new ones follow its highest, special tokens included.
    pub init: Option<&'a Tokenizer>,
    /// Merges, and their counts, that an earlier run with the same counts and options has made: training goes on behind them.
    pub done: &'a [(Pair, u64)],
    /// Threads, the calling one included; 0 is 1. The result is the same with any number.
    pub threads: usize,
}

/// What training gives: `tokens[id]` and the merges in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trained {
    /// The bytes of each id. Without `init`, 0 to 255 are single bytes in [`BYTE_ORDER`](crate::ids::BYTE_ORDER); with it,
    /// gaps and special tokens have no bytes.
    pub tokens: Vec<Vec<u8>>,
    /// First to last; those of `init` are not among them.
    pub merges: Vec<Pair>,
}

/// One merge as it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// 1 for the first.
    pub number: usize,
    /// What was joined.
    pub pair: Pair,
    /// The bytes of both sides.
    pub sides: [&'a [u8]; 2],
    /// The token that they became: a new one, or that of the same bytes.
    pub id: TokenId,
    /// How often they stood side by side.
    pub count: u64,
}

/// Called with every merge, those of [`Options::done`] included, and now and then with none, while pretokens are laid out and
/// pairs counted; an error stops the work.
pub type OnMerge<'a> = &'a mut dyn FnMut(Option<&Step<'_>>) -> Result<()>;

/// Trains. A table that is given, not lent, is let go before the first merge.
///
/// # Errors
/// A vocabulary smaller than the 256 bytes or `init`, counts whose sums pass `u64`, merges done that do not fit the counts,
/// the error of `on_merge`.
pub fn train(counts: impl Borrow<CountTable>, options: &Options<'_>, on_merge: OnMerge<'_>) -> Result<Trained> {
    check(counts.borrow(), options)?;
    let mut trainer = Trainer::new(counts, options, on_merge)?;
    while trainer.tokens.len() < options.tokens
        && let Some((pair, count)) = trainer.best(&mut || on_merge(None))?
    {
        let id = trainer.merge(pair);
        trainer.tell(on_merge, pair, id, count)?;
    }
    let Trainer { tokens, merges, .. } = trainer;
    Ok(Trained { tokens: tokens.iter().map(|(_, token)| token.to_vec()).collect(), merges })
}

struct Trainer {
    tokens: Tokens,
    words: Words,
    /// Those at or above a floor.
    pairs: Pairs,
    /// (count, pair) as they were when queued: a count may have fallen since, never risen.
    queue: BinaryHeap<(u64, Reverse<u64>)>,
    merges: Vec<Pair>,
    /// Tokens to make, those there are included.
    wanted: usize,
    /// Pairs below this count are not merged.
    least: u64,
    longest: usize,
    threads: usize,
    left_changes: Changes,
    right_changes: Changes,
}

impl Trainer {
    /// The pair to merge next and its count, taken out of the queue.
    fn best(&mut self, ask: Ask<'_>) -> Result<Option<(Pair, u64)>> {
        loop {
            while let Some((count, Reverse(pair))) = self.queue.pop() {
                let now = self.pairs.count(pair);
                if now == count {
                    return Ok((count >= self.least).then(|| (pair_of(pair), count)));
                }
                if now > 0 {
                    self.queue.push((now, Reverse(pair)));
                }
            }
            let merges = self.wanted.saturating_sub(self.tokens.len());
            let bounds = Bounds { above: self.pairs.floor(), least: self.least, merges };
            if bounds.above <= bounds.least {
                return Ok(None);
            }
            self.sift(&bounds, ask)?;
        }
    }

    /// Puts pairs below those before in place of them, which go first.
    fn sift(&mut self, bounds: &Bounds, ask: Ask<'_>) -> Result<()> {
        self.pairs = Pairs::default();
        self.queue = BinaryHeap::new();
        self.pairs = sift(&mut self.words, bounds, self.threads, ask)?;
        let may_join = |pair: Pair| self.tokens.length(pair.left) + self.tokens.length(pair.right) <= self.longest;
        let pairs = self.pairs.iter().filter(|&(pair, _)| may_join(pair_of(pair)));
        self.queue = pairs.map(|(pair, count)| (count, Reverse(pair))).collect();
        Ok(())
    }

    /// The token of a pair, which from now on is merged.
    fn join(&mut self, pair: Pair) -> TokenId {
        self.merges.push(pair);
        self.tokens.join(pair)
    }

    /// Joins a pair in all words and brings the counts of its neighbours up to date.
    fn merge(&mut self, pair: Pair) -> TokenId {
        let merged = self.join(pair);
        let Pair { left, right } = pair;
        let Self { tokens, words, pairs, queue, longest, left_changes, right_changes, .. } = self;
        words.merge(pair, merged, pairs.words(key(left, right)), left_changes, right_changes);
        let most = longest.saturating_sub(tokens.length(merged));
        let mut enter = |neighbour: TokenId, new: u64, count: u64, words: usize| {
            if tokens.length(neighbour) > most {
                return None;
            }
            let place = pairs.enter(new, count, words)?;
            queue.push((count, Reverse(new)));
            Some(place)
        };
        left_changes.assign(|neighbour, count, words| enter(neighbour, key(neighbour, merged), count, words));
        right_changes.assign(|neighbour, count, words| enter(neighbour, key(merged, neighbour), count, words));
        for (neighbour, count) in left_changes.counts() {
            pairs.lower(key(neighbour, left), count);
        }
        for (neighbour, count) in right_changes.counts() {
            pairs.lower(key(right, neighbour), count);
        }
        for changes in [left_changes, right_changes] {
            changes.write(pairs.places_mut());
            changes.clear();
        }
        pairs.remove(key(left, right));
        merged
    }

    /// Reports the merge made last.
    fn tell(&self, on_merge: OnMerge<'_>, pair: Pair, id: TokenId, count: u64) -> Result<()> {
        let sides = [pair.left, pair.right].map(|id| self.tokens.get(id));
        on_merge(Some(&Step { number: self.merges.len(), pair, sides, id, count }))
    }
}

fn check(counts: &CountTable, options: &Options<'_>) -> Result<()> {
    if options.tokens < 256 {
        return Err(Error::Train(format!(
            "a vocabulary of {} ordinary tokens is below the 256 single bytes; vocab_size must be at least 256 plus the special tokens",
            options.tokens
        )));
    }
    let most = MAX_TOKEN_ID as usize + 1;
    if options.tokens > most {
        return Err(Error::Train(format!(
            "a vocabulary of {} ordinary tokens is above the limit {most}: pass a smaller vocab_size, special tokens included",
            options.tokens
        )));
    }
    let taken = options.init.map_or(0, Tokenizer::vocab_size);
    if options.tokens < taken {
        return Err(Error::Train(format!(
            "a vocabulary of {} ids cannot extend init, which has {taken}; vocab_size must be at least that",
            options.tokens
        )));
    }
    // A pair is counted at most once for each byte: if that sum fits, every sum does.
    let mut bytes = 0u128;
    counts.for_each(|text, count| bytes += text.len() as u128 * u128::from(count));
    if bytes > u128::from(u64::MAX) {
        return Err(Error::Train(format!(
            "the counted text has {bytes} bytes, above the limit {}; divide all counts",
            u64::MAX
        )));
    }
    Ok(())
}
