//! bytes -> id for the whole vocabulary: the static table that answers most lookups without any warm-up.
//!
//! Tokens of up to 12 bytes stand in entries of 16 bytes, text and id together, so that a lookup touches one
//! cache line (cl100k: 4 MiB). Longer tokens are found by hash and compared with the vocabulary's bytes.

use super::key::{Key, hash_bytes};
use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::vocab::Vocabulary;

/// Longest token with its text inside its entry.
const INLINE: usize = 12;
const ID_BITS: u32 = 28;

/// bytes -> id.
pub struct TokenTable {
    /// Text (12 bytes), then `length << 28 | id`. 0 is free.
    short: Vec<u128>,
    short_shift: u32,
    /// `hash << 32 | id + 1`. 0 is free.
    long: Vec<u64>,
    long_shift: u32,
    longest: usize,
    /// `pairs[first << 8 | second]`: the id of a token of two bytes, `TokenId::MAX` for none.
    pairs: Vec<TokenId>,
}

impl TokenTable {
    /// Hashes every token once.
    ///
    /// # Errors
    /// The same bytes under two ids.
    pub fn new(vocabulary: &Vocabulary) -> Result<Self> {
        let short_count = vocabulary.iter().filter(|t| t.1.len() <= INLINE).count();
        let long_count = vocabulary.len() - short_count;
        // At most half full: a miss, the common case while merging, then looks at 1.5 entries.
        let (short_bits, long_bits) = (bits_for(short_count * 2), bits_for(long_count * 2));
        let mut table = Self {
            short: vec![0; 1 << short_bits],
            short_shift: 64 - short_bits,
            long: vec![0; 1 << long_bits],
            long_shift: 64 - long_bits,
            longest: 0,
            pairs: vec![TokenId::MAX; 1 << 16],
        };
        for (id, token) in vocabulary.iter() {
            table.insert(vocabulary, id, token)?;
        }
        Ok(table)
    }

    fn insert(&mut self, vocabulary: &Vocabulary, id: TokenId, token: &[u8]) -> Result<()> {
        let duplicate = |first| Error::DuplicateToken { token: token.to_vec(), first, second: id };
        self.longest = self.longest.max(token.len());
        if let [first, second] = *token {
            self.pairs[usize::from(first) << 8 | usize::from(second)] = id;
        }
        if token.len() <= INLINE {
            let key = Key::of(token);
            let mut at = (key.hash() >> self.short_shift) as usize;
            let entry = short_entry(key, token.len()) | u128::from(id) << 96;
            while self.short[at] != 0 {
                if (self.short[at] ^ entry) & TEXT_AND_LENGTH == 0 {
                    return Err(duplicate(entry_id(self.short[at])));
                }
                at = (at + 1) & (self.short.len() - 1);
            }
            self.short[at] = entry;
        } else {
            let hash = hash_bytes(token);
            let mut at = (hash >> self.long_shift) as usize;
            while self.long[at] != 0 {
                let other = long_id(self.long[at]);
                if vocabulary.get(other) == Some(token) {
                    return Err(duplicate(other));
                }
                at = (at + 1) & (self.long.len() - 1);
            }
            self.long[at] = hash << 32 | u64::from(id + 1);
        }
        Ok(())
    }

    /// Longest token in bytes.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The id of a token of two bytes, or `TokenId::MAX`.
    #[inline]
    #[must_use]
    pub fn pair(&self, first: u8, second: u8) -> TokenId {
        self.pairs[usize::from(first) << 8 | usize::from(second)]
    }

    /// The id of the token `text[start..end]`, or `TokenId::MAX`.
    #[inline]
    #[must_use]
    pub fn span(&self, vocabulary: &Vocabulary, text: &[u8], start: usize, end: usize) -> TokenId {
        let length = end - start;
        match length {
            0 => TokenId::MAX,
            2 => self.pair(text[start], text[start + 1]),
            1..=INLINE => self.short(Key::at(text, start, length), length),
            _ if length > self.longest => TokenId::MAX,
            _ => self.long(vocabulary, &text[start..end]),
        }
    }

    /// The id of `token`.
    #[must_use]
    pub fn get(&self, vocabulary: &Vocabulary, token: &[u8]) -> Option<TokenId> {
        let id = self.span(vocabulary, token, 0, token.len());
        (id != TokenId::MAX).then_some(id)
    }

    #[inline]
    fn short(&self, key: Key, length: usize) -> TokenId {
        let wanted = short_entry(key, length);
        let mut at = (key.hash() >> self.short_shift) as usize;
        loop {
            let entry = self.short[at];
            if (entry ^ wanted) & TEXT_AND_LENGTH == 0 {
                return entry_id(entry);
            }
            if entry == 0 {
                return TokenId::MAX;
            }
            at = (at + 1) & (self.short.len() - 1);
        }
    }

    fn long(&self, vocabulary: &Vocabulary, token: &[u8]) -> TokenId {
        let hash = hash_bytes(token);
        let mut at = (hash >> self.long_shift) as usize;
        loop {
            let entry = self.long[at];
            if entry == 0 {
                return TokenId::MAX;
            }
            // The lower half of the hash first: the bytes are compared for real candidates only.
            if entry >> 32 == hash & 0xFFFF_FFFF && vocabulary.get(long_id(entry)) == Some(token) {
                return long_id(entry);
            }
            at = (at + 1) & (self.long.len() - 1);
        }
    }
}

const TEXT_AND_LENGTH: u128 = !(((1u128 << ID_BITS) - 1) << 96);

fn bits_for(count: usize) -> u32 {
    count.next_power_of_two().trailing_zeros().max(4)
}

#[inline(always)]
fn short_entry(key: Key, length: usize) -> u128 {
    u128::from(key.low) | u128::from(key.high & 0xFFFF_FFFF) << 64 | (length as u128) << (96 + ID_BITS)
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
fn entry_id(entry: u128) -> TokenId {
    (entry >> 96) as u32 & ((1 << ID_BITS) - 1)
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
fn long_id(entry: u64) -> TokenId {
    (entry as u32).wrapping_sub(1)
}
