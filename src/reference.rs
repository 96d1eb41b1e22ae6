//! The obvious slow trainer and encoders: what "correct" means. Shares no code with what it checks.

use std::collections::BTreeMap;

/// A pair of ids.
pub type IdPair = (u32, u32);

/// Bytes of a token -> its id.
pub type TokenIds = BTreeMap<Vec<u8>, u32>;

/// Bytes in the order of their ids: see the design of GPT-2's byte-to-character map.
#[must_use]
pub fn bytes_in_order() -> Vec<u8> {
    let printable = |b: &u8| (33..=126).contains(b) || (161..=172).contains(b) || *b >= 174;
    let mut order: Vec<u8> = (0..=255).filter(printable).collect();
    order.extend((0..=255).filter(|b| !printable(b)));
    order
}

/// Trains by counting every pair anew for each merge. `words` are pretokens with their counts.
#[must_use]
pub fn train(words: &[(&[u8], u64)], merge_count: usize, min_frequency: u64) -> (Vec<Vec<u8>>, Vec<IdPair>) {
    let order = bytes_in_order();
    let mut tokens: Vec<Vec<u8>> = order.iter().map(|&b| vec![b]).collect();
    let id_of = |byte: &u8| (0u32..).zip(&order).find(|(_, b)| *b == byte).map_or(0, |(id, _)| id);
    let mut words: Vec<(Vec<u32>, u64)> =
        words.iter().map(|(text, count)| (text.iter().map(id_of).collect(), *count)).collect();
    let mut merges = Vec::new();
    while tokens.len() < 256 + merge_count {
        let mut counts: BTreeMap<IdPair, u64> = BTreeMap::new();
        for (symbols, count) in &words {
            for pair in symbols.windows(2) {
                *counts.entry((pair[0], pair[1])).or_default() += count;
            }
        }
        // Pairs come in ascending order, and only a higher count replaces the best so far.
        let mut best: Option<(IdPair, u64)> = None;
        for (&pair, &count) in &counts {
            if best.is_none_or(|(_, highest)| count > highest) {
                best = Some((pair, count));
            }
        }
        let Some((pair, count)) = best else { break };
        if count < min_frequency {
            break;
        }
        let joined = [tokens[pair.0 as usize].clone(), tokens[pair.1 as usize].clone()].concat();
        let known = (0u32..).zip(&tokens).find(|(_, t)| **t == joined).map(|(id, _)| id);
        let id = known.unwrap_or_else(|| {
            tokens.push(joined);
            u32::try_from(tokens.len() - 1).unwrap_or(u32::MAX)
        });
        merges.push(pair);
        for (symbols, _) in &mut words {
            *symbols = merge_once(symbols, pair, id);
        }
    }
    (tokens, merges)
}

/// What [`extend`] is asked for.
#[derive(Clone, Debug)]
pub struct Extension {
    /// The tokens there are.
    pub ids: TokenIds,
    /// The first free id.
    pub next: u32,
    /// New ids stay below this.
    pub until: u32,
    /// Pairs below this count are not merged.
    pub min_frequency: u64,
    /// Longest new token.
    pub longest: usize,
}

/// Trains on top of a vocabulary: words begin as rank merging of `ids` leaves them, and every pair is counted anew for each
/// merge. Gives the tokens with the new ones, and the merges with their counts.
#[must_use]
pub fn extend(words: &[(&[u8], u64)], asked: &Extension) -> (TokenIds, Vec<(IdPair, u64)>) {
    let (mut ids, mut next) = (asked.ids.clone(), asked.next);
    let mut texts: BTreeMap<u32, Vec<u8>> = ids.iter().map(|(text, id)| (*id, text.clone())).collect();
    let mut words: Vec<(Vec<u32>, u64)> =
        words.iter().map(|(text, count)| (encode_by_rank(&ids, text), *count)).collect();
    let mut merges = Vec::new();
    while next < asked.until {
        let mut counts: BTreeMap<IdPair, u64> = BTreeMap::new();
        for (symbols, count) in &words {
            for pair in symbols.windows(2) {
                if texts[&pair[0]].len() + texts[&pair[1]].len() <= asked.longest {
                    *counts.entry((pair[0], pair[1])).or_default() += count;
                }
            }
        }
        let highest = counts.values().copied().max().unwrap_or(0);
        if highest < asked.min_frequency.max(1) {
            break;
        }
        let Some((&pair, _)) = counts.iter().find(|(_, count)| **count == highest) else { break };
        let joined = [texts[&pair.0].clone(), texts[&pair.1].clone()].concat();
        let id = *ids.entry(joined.clone()).or_insert(next);
        if id == next {
            texts.insert(id, joined);
            next += 1;
        }
        merges.push((pair, highest));
        for (symbols, _) in &mut words {
            *symbols = merge_once(symbols, pair, id);
        }
    }
    (ids, merges)
}

fn merge_once(symbols: &[u32], pair: IdPair, id: u32) -> Vec<u32> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < symbols.len() {
        if at + 1 < symbols.len() && (symbols[at], symbols[at + 1]) == pair {
            out.push(id);
            at += 2;
        } else {
            out.push(symbols[at]);
            at += 1;
        }
    }
    out
}

/// Rank merging of one pretoken: if it is a token, that; else join the pair whose bytes have the lowest id,
/// leftmost first, until no pair is a token.
#[must_use]
pub fn encode_by_rank(ids: &BTreeMap<Vec<u8>, u32>, pretoken: &[u8]) -> Vec<u32> {
    if let Some(&id) = ids.get(pretoken) {
        return vec![id];
    }
    merge_by_rank(ids, pretoken)
}

/// The same without the rule for whole pretokens.
#[must_use]
pub fn merge_by_rank(ids: &BTreeMap<Vec<u8>, u32>, pretoken: &[u8]) -> Vec<u32> {
    let mut parts: Vec<Vec<u8>> = pretoken.iter().map(|&b| vec![b]).collect();
    loop {
        let lowest = (1..parts.len())
            .filter_map(|i| ids.get(&[parts[i - 1].clone(), parts[i].clone()].concat()).map(|&id| (id, i)))
            .min();
        let Some((_, at)) = lowest else { break };
        let right = parts.remove(at);
        parts[at - 1].extend(right);
    }
    parts.iter().filter_map(|part| ids.get(part).copied()).collect()
}

/// Merge-list encoding of one pretoken: apply the earliest merge of the list that fits, everywhere, again and again.
#[must_use]
pub fn encode_by_list(tokens: &[Vec<u8>], merges: &[IdPair], pretoken: &[u8]) -> Vec<u32> {
    let id_of = |text: &[u8]| (0u32..).zip(tokens).find(|(_, t)| *t == text).map_or(0, |(id, _)| id);
    let mut symbols: Vec<u32> = pretoken.iter().map(|b| id_of(&[*b])).collect();
    loop {
        let fits = |pair: &&IdPair| symbols.windows(2).any(|w| (w[0], w[1]) == **pair);
        let Some(&pair) = merges.iter().find(fits) else { return symbols };
        let joined = [tokens[pair.0 as usize].clone(), tokens[pair.1 as usize].clone()].concat();
        symbols = merge_once(&symbols, pair, id_of(&joined));
    }
}
