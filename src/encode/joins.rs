//! Two neighbouring tokens -> the token that joining them gives. One entry for each token is enough: while a token's
//! bytes are merged, its two last parts are always the same, wherever it stands.
//!
//! For suppose `a` and `b` stand side by side and `ab` is a token. No merge has crossed the edges of `ab`, and of those
//! inside the lowest came first, leftmost on a tie. So they came in the order in which they come when `ab` is merged alone,
//! and that run, too, has reached `a`, `b`, with nothing left to do but join them.

use super::lanes::{LONGEST, Lanes, PIECES};
use super::memo;
use super::table::TokenTable;
use crate::ids::{THIRD_BITS, TokenId};
use crate::memory::{Words, prefetch_at};
use crate::vocab::Vocabulary;

/// Bits of an id in an entry. Vocabularies with higher ids are merged one piece at a time.
const ID_BITS: u32 = THIRD_BITS;
/// An id that no token of such a vocabulary has: nothing joins it.
pub const NO_TOKEN: i32 = (1 << ID_BITS) - 1;
/// No join; above every id.
pub const NONE: i32 = i32::MAX;
/// Most bytes of a token: words that come in crowds are no longer.
const MOST_BYTES: usize = memo::LONGEST;
/// Entries that may be moved to make room for another.
const PATIENCE: usize = 200;

/// `(left, right) -> made`, at one of two places: looking up is two loads and no branch.
pub struct Joins {
    /// `(left + 1) << 42 | right << 21 | made`. 0 is free.
    entries: Words,
    bits: u32,
}

impl Joins {
    /// The joins of every token of up to [`MOST_BYTES`], the shorter first: to find the last two parts of one, the joins of shorter
    /// ones are enough. Tokens that begin with more than [`LONGEST`] parts are left out: a piece in which one is made begins
    /// with as many there, since what is sure in the piece is sure in the token alone. `None` where an id is too high.
    #[must_use]
    pub fn of(table: &TokenTable, vocabulary: &Vocabulary) -> Option<Self> {
        if vocabulary.id_limit() >= NO_TOKEN as usize {
            return None;
        }
        let mut joins = Self::with_bits((2 * vocabulary.len()).next_power_of_two().ilog2());
        let sure = table.sure(vocabulary);
        let mut by_length = by_length(vocabulary);
        for id in std::mem::take(&mut by_length[2]) {
            if let Some(&[left, right]) = vocabulary.get(id) {
                joins.insert(vocabulary.byte_id(left), vocabulary.byte_id(right), id);
            }
        }
        let (mut lanes, mut parts) = (Lanes::default(), Vec::new());
        // By number of parts, and for each token its first: those of as many take as many steps.
        let mut in_parts: Vec<Vec<(TokenId, usize)>> = vec![Vec::new(); LONGEST + 1];
        for tokens in by_length {
            parts.clear();
            for id in tokens {
                let first = parts.len();
                sure.append(vocabulary.get(id).unwrap_or_default(), &mut parts);
                match parts[first..] {
                    [left, right] => joins.insert(left, right, id),
                    [..] => {
                        if let Some(tokens) = in_parts.get_mut(parts.len() - first) {
                            tokens.push((id, first));
                        }
                    }
                }
            }
            for (count, tokens) in in_parts.iter_mut().enumerate() {
                for tokens in tokens.chunks(PIECES) {
                    lanes.merge(&joins, tokens.iter().map(|&(_, first)| &parts[first..first + count]));
                    for (lane, &(id, _)) in tokens.iter().enumerate() {
                        let mut halves = lanes.ids(lane);
                        // The others are never made: merging leaves three parts of them or more.
                        if let (Some(left), Some(right), None) = (halves.next(), halves.next(), halves.next()) {
                            joins.insert(left, right, id);
                        }
                    }
                }
                tokens.clear();
            }
        }
        Some(joins)
    }

    fn with_bits(bits: u32) -> Self {
        Self { entries: Words::new(1 << bits), bits }
    }

    /// To look up.
    #[inline(always)]
    #[must_use]
    pub fn to_read(&self) -> JoinsRef<'_> {
        JoinsRef { entries: self.entries.get() }
    }

    fn insert(&mut self, left: TokenId, right: TokenId, made: TokenId) {
        self.insert_entry(key(left.cast_signed(), right.cast_signed()) << ID_BITS | u64::from(made));
    }

    /// Adds an entry; others move to their other place, and everything to a larger table where that leads nowhere.
    fn insert_entry(&mut self, mut entry: u64) {
        let mut at = usize::MAX;
        for _ in 0..PATIENCE {
            let places = self.to_read().places(entry >> ID_BITS);
            if let Some(&free) = places.iter().find(|&&place| self.entries.get()[place] == 0) {
                self.entries.get_mut()[free] = entry;
                return;
            }
            at = if at == places[0] { places[1] } else { places[0] };
            std::mem::swap(&mut self.entries.get_mut()[at], &mut entry);
        }
        let mut larger = Self::with_bits(self.bits + 1);
        for &entry in self.entries.get().iter().filter(|&&entry| entry != 0) {
            larger.insert_entry(entry);
        }
        larger.insert_entry(entry);
        *self = larger;
    }
}

/// The ids of the tokens of two to [`MOST_BYTES`], by length.
fn by_length(vocabulary: &Vocabulary) -> Vec<Vec<TokenId>> {
    let tokens = || vocabulary.iter().filter(|(_, token)| (2..=MOST_BYTES).contains(&token.len()));
    let mut counts = [0; MOST_BYTES + 1];
    tokens().for_each(|(_, token)| counts[token.len()] += 1);
    let mut by_length: Vec<_> = counts.into_iter().map(Vec::with_capacity).collect();
    tokens().for_each(|(id, token)| by_length[token.len()].push(id));
    by_length
}

/// The same, to read in a loop: what the loop needs stays in registers.
#[derive(Clone, Copy)]
pub struct JoinsRef<'a> {
    entries: &'a [u64],
}

impl JoinsRef<'_> {
    /// What joining two tokens makes, or [`NONE`].
    #[inline(always)]
    #[must_use]
    pub fn get(self, left: i32, right: i32) -> i32 {
        let key = key(left, right);
        let [first, second] = self.places(key);
        let made = |entry: u64| if entry >> ID_BITS == key { (entry & NO_TOKEN as u64) as i32 } else { NONE };
        made(self.entries[first]).min(made(self.entries[second]))
    }

    /// Asks for both places of two tokens without waiting for them.
    #[inline(always)]
    pub fn prefetch(self, left: i32, right: i32) {
        for place in self.places(key(left, right)) {
            prefetch_at(self.entries.as_ptr().wrapping_add(place));
        }
    }

    /// The two places of a key.
    #[inline(always)]
    fn places(self, key: u64) -> [usize; 2] {
        // An odd number without a pattern (the fraction of the golden ratio).
        let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // There are as many as a power of two.
        let mask = self.entries.len() - 1;
        [(hash >> 40) as usize & mask, (hash >> 16) as usize & mask]
    }
}

#[inline(always)]
fn key(left: i32, right: i32) -> u64 {
    (u64::from(left.cast_unsigned()) + 1) << ID_BITS | u64::from(right.cast_unsigned())
}
