//! Ordered merges, validated once.
//!
//! This crate merges by id. A list of merges says the same only if it makes the tokens in the order of their ids, each from its
//! halves: the two parts that merging by id joins last. With `ab`, `bc` and `abc` as `(a, b)`, `(b, c)`, `(a, bc)` it does not: the
//! text `abc` stays `ab`, `c`, since `a` never stands beside `bc`.

use crate::error::{Error, Result};
use crate::ids::{Pair, TokenId};
use crate::vocab::Vocabulary;

/// The merges of a trained vocabulary, first to last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merges(Vec<Pair>);

impl Merges {
    /// Checks that both sides of each merge are tokens, that together they are one, and that each token of two bytes or
    /// more is made from its halves, in the order of the ids. A merge that stands there again, or one whose sides never
    /// meet, changes nothing and may stay.
    ///
    /// Then merging by the list and merging by id are the same (`tests/rust/merges.rs` tries it): wherever merging by id
    /// has two tokens side by side that are one together, they are its halves (`encode::joins` says why), and of the merges that
    /// fit there the first of the list has the lowest id. `lookup` finds a token.
    ///
    /// # Errors
    /// The first merge that is not so, or a token that none makes.
    pub fn new(pairs: Vec<Pair>, vocabulary: &Vocabulary, lookup: impl Fn(&[u8]) -> Option<TokenId>) -> Result<Self> {
        let mut list = List::new(vocabulary, lookup);
        let (mut newest, mut made, mut skipped) = (None, 0, Vec::new());
        let mut longer = vocabulary.iter().filter(|(_, token)| token.len() > 1);
        let mut next = longer.next();
        for (index, &pair) in pairs.iter().enumerate() {
            let bad = |reason| Error::BadMerge { index, reason };
            // Nearly always it makes the next token, and comparing is quicker than asking which.
            let id = match next {
                Some((id, token)) if makes(vocabulary, pair, token) => id,
                _ => list.join(pair).map_err(bad)?,
            };
            if list.halves[id as usize] != UNMADE {
                continue;
            }
            if !list.are_halves(pair, id) {
                skipped.push((index, id));
                continue;
            }
            if let Some(newest) = newest.filter(|&newest| id < newest) {
                return Err(bad(format!(
                    "it makes id {id} after id {newest}; tokens must be numbered in the order of their merges"
                )));
            }
            list.add(pair, id);
            newest = Some(id);
            made += 1;
            if next.is_some_and(|(next, _)| next == id) {
                next = longer.next();
            }
        }
        list.check_skipped(&pairs, &skipped)?;
        let wanted = vocabulary.iter().filter(|t| t.1.len() > 1).count();
        if made < wanted {
            let reason = format!(
                "the list ends with {made} tokens made of the {wanted} that are longer than a byte; it must make each"
            );
            return Err(Error::BadMerge { index: pairs.len(), reason });
        }
        Ok(Self(pairs))
    }

    /// The pairs.
    #[must_use]
    pub fn pairs(&self) -> &[Pair] {
        &self.0
    }
}

/// In place of the halves of a token that is not made yet, and of a single byte.
const UNMADE: Pair = Pair { left: TokenId::MAX, right: TokenId::MAX };
const BYTE: Pair = Pair { left: TokenId::MAX, right: 0 };

/// A list as far as it is read.
struct List<'a, F> {
    vocabulary: &'a Vocabulary,
    lookup: F,
    /// By id: what each token was made from.
    halves: Vec<Pair>,
    /// The ids of those tokens by hash of the pair; `TokenId::MAX` is free.
    ids: Vec<TokenId>,
    /// One bit for each hash that a pair has: most pairs asked for have none, and these 256 KiB (for 100,000 tokens) stay near.
    filter: Vec<u64>,
    /// The bytes of the merge at hand.
    joined: Vec<u8>,
}

impl<'a, F: Fn(&[u8]) -> Option<TokenId>> List<'a, F> {
    fn new(vocabulary: &'a Vocabulary, lookup: F) -> Self {
        let mut halves = vec![UNMADE; vocabulary.id_limit()];
        (0..=255).for_each(|byte| halves[vocabulary.byte_id(byte) as usize] = BYTE);
        let ids = vec![TokenId::MAX; (2 * vocabulary.len()).next_power_of_two()];
        let filter = vec![0; ids.len() / 8];
        Self { vocabulary, lookup, halves, ids, filter, joined: Vec::new() }
    }

    /// The id of both sides together, or why there is none.
    fn join(&mut self, pair: Pair) -> std::result::Result<TokenId, String> {
        let Pair { left, right } = pair;
        let (Some(first), Some(second)) = (self.vocabulary.get(left), self.vocabulary.get(right)) else {
            return Err(format!("ids {left} and {right} are not both in the vocabulary"));
        };
        self.joined.clear();
        self.joined.extend_from_slice(first);
        self.joined.extend_from_slice(second);
        (self.lookup)(&self.joined)
            .ok_or_else(|| format!("ids {left} and {right} do not join to a token of the vocabulary"))
    }

    fn add(&mut self, halves: Pair, id: TokenId) {
        let (mut place, word, bit) = self.places(halves);
        while self.ids[place] != TokenId::MAX {
            place = (place + 1) & (self.ids.len() - 1);
        }
        self.ids[place] = id;
        self.filter[word] |= bit;
        self.halves[id as usize] = halves;
    }

    /// Whether a pair makes a token below `below`.
    fn makes_below(&self, pair: Pair, below: TokenId) -> bool {
        let (mut place, word, bit) = self.places(pair);
        if self.filter[word] & bit == 0 {
            return false;
        }
        while self.ids[place] != TokenId::MAX {
            let id = self.ids[place];
            if id < below && self.halves[id as usize] == pair {
                return true;
            }
            place = (place + 1) & (self.ids.len() - 1);
        }
        false
    }

    /// Where a pair is looked for first, and its word and bit in the filter.
    fn places(&self, pair: Pair) -> (usize, usize, u64) {
        // An odd number without a pattern (the fraction of the golden ratio); both lengths are powers of two.
        let hash = (u64::from(pair.left) << 32 | u64::from(pair.right)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let place = (hash >> 32) as usize & (self.ids.len() - 1);
        (place, (hash >> 38) as usize & (self.filter.len() - 1), 1 << (hash >> 32 & 63))
    }

    /// Whether merging the bytes of `id` comes to the two sides of `pair`.
    ///
    /// Its merges are undone from the last to the first, but only those beside the seam between the sides. Had the parts that
    /// then meet there been the halves of a token below those undone, merging would have joined them, and the sides would never have been.
    fn are_halves(&self, pair: Pair, id: TokenId) -> bool {
        let Pair { mut left, mut right } = pair;
        loop {
            let [of_left, of_right] = [left, right].map(|part| self.halves[part as usize]);
            // Single bytes were there from the start, whatever their ids.
            let (made_left, made_right) = ((of_left != BYTE).then_some(left), (of_right != BYTE).then_some(right));
            let Some(last) = made_left.max(made_right) else { return true };
            let undone = if made_left > made_right { of_left } else { of_right };
            // What is not made yet, or after `id`, is no part of it.
            if undone == UNMADE || last >= id {
                return false;
            }
            let below = if made_left > made_right {
                left = undone.right;
                // Of equal merges the left one comes first, and that is the one undone.
                last
            } else {
                right = undone.left;
                last + 1
            };
            if self.makes_below(Pair { left, right }, below) {
                return false;
            }
        }
    }

    /// Refuses what of the merges passed over was not in vain: one that alone was to make a token, or came too early.
    fn check_skipped(&self, pairs: &[Pair], skipped: &[(usize, TokenId)]) -> Result<()> {
        for &(index, id) in skipped {
            let Pair { left, right } = pairs[index];
            let halves = self.halves[id as usize];
            let reason = if halves == UNMADE {
                format!(
                    "it makes id {id} of ids {left} and {right}, but merging never leaves those two side by side there"
                )
            } else if halves == pairs[index] {
                format!("it joins ids {left} and {right} to id {id} before merges have made both")
            } else {
                continue;
            };
            return Err(Error::BadMerge { index, reason });
        }
        Ok(())
    }
}

fn makes(vocabulary: &Vocabulary, pair: Pair, token: &[u8]) -> bool {
    let sides = (vocabulary.get(pair.left), vocabulary.get(pair.right));
    matches!(sides, (Some(left), Some(right)) if token.strip_prefix(left) == Some(right))
}
