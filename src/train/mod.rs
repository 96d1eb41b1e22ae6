//! Pretoken counts -> ordered merges. The pair with the highest count is merged everywhere; of equal counts, the
//! smaller (left id, right id). `words` holds the pretokens as symbols, `pairs` the counts of neighbours.
//!
//! A merge touches only the words in which its pair stands, and each change of a pair's count is
//! gathered by neighbour first, so that the table of pairs is asked once for each neighbour, not each place.

mod pairs;
mod words;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use pairs::{Pairs, key, pair_of};
use words::{Changes, Words};

use crate::count::table::CountTable;
use crate::error::{Error, Result};
use crate::ids::{BYTE_ORDER, MAX_TOKEN_ID, Pair, TokenId};

/// What training is asked for.
pub struct Options {
    /// Ordinary tokens of the result, the 256 single bytes included.
    pub tokens: usize,
    /// Pairs below this count are not merged.
    pub min_frequency: u64,
    /// Longest token in bytes; `None` for no limit.
    pub max_token_bytes: Option<usize>,
}

/// What training gives: `tokens[id]` and the merges in order.
#[derive(Debug, PartialEq, Eq)]
pub struct Trained {
    /// The bytes of each id; 0 to 255 are single bytes in [`BYTE_ORDER`].
    pub tokens: Vec<Vec<u8>>,
    /// First to last.
    pub merges: Vec<Pair>,
}

/// Trains. `on_merge` is told the number of merges done and may stop the work.
///
/// # Errors
/// A vocabulary smaller than the 256 bytes, counts whose sums pass `u64`, the error of `on_merge`.
pub fn train(counts: &CountTable, options: &Options, on_merge: &mut dyn FnMut(usize) -> Result<()>) -> Result<Trained> {
    check(counts, options)?;
    let longest = options.max_token_bytes.unwrap_or(usize::MAX);
    let mut tokens: Vec<Vec<u8>> = BYTE_ORDER.iter().map(|&b| vec![b]).collect();
    let mut ids: HashMap<Vec<u8>, TokenId> = HashMap::new();
    let mut words = Words::new(counts)?;
    let mut pairs = Pairs::default();
    words.count_pairs(&mut pairs);
    let mut queue: BinaryHeap<(u64, Reverse<u64>)> =
        pairs.iter().filter(|_| longest >= 2).map(|(pair, count)| (count, Reverse(pair))).collect();
    let (mut left_changes, mut right_changes) = (Changes::default(), Changes::default());
    let mut merges = Vec::new();
    while tokens.len() < options.tokens
        && let Some((count, Reverse(pair))) = queue.pop()
    {
        let now = pairs.count(pair);
        if now != count {
            // The count has fallen since the pair was queued.
            if now > 0 {
                queue.push((now, Reverse(pair)));
            }
            continue;
        }
        if count < options.min_frequency.max(1) {
            break;
        }
        let Pair { left, right } = pair_of(pair);
        let joined = [tokens[left as usize].as_slice(), &tokens[right as usize]].concat();
        // Two pairs may give the same bytes: the second joins the id of the first and takes none.
        let merged = ids.get(&joined).copied().unwrap_or_else(|| next_id(&tokens));
        if merged as usize == tokens.len() {
            ids.insert(joined.clone(), merged);
            tokens.push(joined);
        }
        merges.push(Pair { left, right });
        words.merge(Pair { left, right }, merged, &pairs.take_words(pair), &mut left_changes, &mut right_changes);
        let length = |id: TokenId| tokens[id as usize].len();
        let may_join = |other: TokenId| length(merged) + length(other) <= longest;
        let mut raise = |new: u64, count: u64, words: Vec<u32>| {
            queue.push((pairs.raise(new, count, words), Reverse(new)));
        };
        for ((neighbour, count), words) in left_changes.counts().zip(left_changes.words()) {
            if may_join(neighbour) {
                raise(key(neighbour, merged), count, words);
            }
        }
        for ((neighbour, count), words) in right_changes.counts().zip(right_changes.words()) {
            if may_join(neighbour) {
                raise(key(merged, neighbour), count, words);
            }
        }
        left_changes.counts().for_each(|(neighbour, count)| pairs.lower(key(neighbour, left), count));
        right_changes.counts().for_each(|(neighbour, count)| pairs.lower(key(right, neighbour), count));
        left_changes.clear();
        right_changes.clear();
        pairs.remove(pair);
        on_merge(merges.len())?;
    }
    Ok(Trained { tokens, merges })
}

fn check(counts: &CountTable, options: &Options) -> Result<()> {
    if options.tokens < 256 {
        return Err(Error::Train(format!(
            "a vocabulary of {} ordinary tokens is below the 256 single bytes; vocab_size must be at least 256 plus the special tokens",
            options.tokens
        )));
    }
    if options.tokens > MAX_TOKEN_ID as usize {
        return Err(Error::Train(format!(
            "a vocabulary of {} tokens is above the limit {MAX_TOKEN_ID}",
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

/// The id after the last; `check` has bounded it.
#[allow(clippy::cast_possible_truncation)]
fn next_id(tokens: &[Vec<u8>]) -> TokenId {
    tokens.len() as TokenId
}
