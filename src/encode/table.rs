//! bytes -> id for the whole vocabulary: the static table that answers most lookups without any warm-up.
//!
//! Tokens of up to 12 bytes stand in entries of 16 bytes, text and id together, so that a lookup touches one
//! cache line (cl100k: 2 MiB). Longer tokens are found by hash and compared with the vocabulary's bytes.

use std::hint::select_unpredictable;
use std::ops::Range;

use once_cell::race::OnceBox;

use super::key::{Key, hash_at};
use super::sure::Sure;
use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::memory::{Words, prefetch_at};
use crate::vocab::Vocabulary;

/// Longest token with its text inside its entry.
const INLINE: usize = 12;
const ID_BITS: u32 = 28;
/// Tokens whose places are fetched ahead of time while the table is built.
const AHEAD: usize = 32;

/// bytes -> id.
pub struct TokenTable {
    /// Entries of two words: text (12 bytes), then `length << 28 | id`. 0 is free.
    short: Words,
    short_mask: usize,
    short_shift: u32,
    /// `hash << 32 | id + 1`. 0 is free.
    long: Vec<u64>,
    long_shift: u32,
    longest: usize,
    /// One bit for each hash that a token has: most lookups while merging are for text that is no token, and
    /// this small filter (128 KiB for cl100k) answers nine in ten of those without touching the table.
    filter: Vec<u64>,
    filter_shift: u32,
    sure: OnceBox<Sure>,
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
        // Up to four fifths full, since the filter answers for most of what is no token: the smaller, the nearer.
        let (short_bits, long_bits) = (bits_for(short_count * 5 / 4), bits_for(long_count * 2));
        let filter_bits = bits_for(vocabulary.len() * 8);
        let mut table = Self {
            short: Words::new(2 << short_bits),
            short_mask: (1 << short_bits) - 1,
            short_shift: 64 - short_bits,
            long: vec![0; 1 << long_bits],
            long_shift: 64 - long_bits,
            longest: 0,
            filter: vec![0; 1 << (filter_bits - 6)],
            filter_shift: 64 - filter_bits,
            sure: OnceBox::new(),
            pairs: vec![TokenId::MAX; 1 << 16],
        };
        let (mut tokens, mut hashed) = (vocabulary.places(), Vec::with_capacity(AHEAD));
        loop {
            hashed.extend(tokens.by_ref().take(AHEAD).map(|(id, place)| {
                let hash = hash_at(vocabulary.flat().0, place.start, place.end);
                table.prefetch(hash, place.len());
                (id, place, hash)
            }));
            if hashed.is_empty() {
                return Ok(table);
            }
            for (id, place, hash) in hashed.drain(..) {
                table.insert(vocabulary, id, place, hash)?;
            }
        }
    }

    fn insert(&mut self, vocabulary: &Vocabulary, id: TokenId, place: Range<usize>, hash: u64) -> Result<()> {
        let (bytes, start) = (vocabulary.flat().0, place.start);
        let token = &bytes[place];
        let duplicate = |first| Error::DuplicateToken { token: token.to_vec(), first, second: id };
        self.longest = self.longest.max(token.len());
        if let [first, second] = *token {
            self.pairs[usize::from(first) << 8 | usize::from(second)] = id;
        }
        let bit = filter_bit(hash, self.filter_shift);
        self.filter[bit >> 6] |= 1 << (bit & 63);
        if token.len() <= INLINE {
            let [low, high] = short_entry(Key::at(bytes, start, token.len()), token.len());
            let mut at = (hash >> self.short_shift) as usize;
            let mask = self.short_mask;
            let words = self.short.get_mut();
            while words[2 * at + 1] != 0 {
                if is_same(&words[2 * at..], low, high) {
                    return Err(duplicate(entry_id(words[2 * at + 1])));
                }
                at = (at + 1) & mask;
            }
            words[2 * at] = low;
            words[2 * at + 1] = high | u64::from(id) << 32;
        } else {
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

    /// The pairs of bytes that a piece may start with; made when first needed.
    #[inline]
    pub fn sure(&self, vocabulary: &Vocabulary) -> &Sure {
        self.sure.get_or_init(|| Box::new(Sure::new(vocabulary)))
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
            1..=INLINE => {
                let key = Key::at(text, start, length);
                let hash = key.hash();
                if self.may_have(hash) { self.short(key, hash, length) } else { TokenId::MAX }
            }
            _ if length > self.longest => TokenId::MAX,
            _ => {
                let hash = hash_at(text, start, end);
                if self.may_have(hash) { self.long(vocabulary, &text[start..end], hash) } else { TokenId::MAX }
            }
        }
    }

    /// The same for a text whose hash is known, and its key if it has one.
    #[inline]
    #[must_use]
    pub fn by_key(&self, vocabulary: &Vocabulary, text: &[u8], key: Key, hash: u64) -> TokenId {
        if text.len() <= INLINE { self.short(key, hash, text.len()) } else { self.long(vocabulary, text, hash) }
    }

    /// Whether a text with this hash may be a token.
    #[inline(always)]
    #[must_use]
    pub fn may_have(&self, hash: u64) -> bool {
        let bit = filter_bit(hash, self.filter_shift);
        self.filter[bit >> 6] >> (bit & 63) & 1 == 1
    }

    /// Fetches the place of a text of this hash and length ahead of time.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64, length: usize) {
        let short = std::ptr::from_ref(&self.short.get()[2 * (hash >> self.short_shift) as usize]);
        let long = std::ptr::from_ref(&self.long[(hash >> self.long_shift) as usize]);
        prefetch_at(select_unpredictable(length <= INLINE, short, long));
    }

    /// The id of `token`.
    #[must_use]
    pub fn get(&self, vocabulary: &Vocabulary, token: &[u8]) -> Option<TokenId> {
        let id = self.span(vocabulary, token, 0, token.len());
        (id != TokenId::MAX).then_some(id)
    }

    #[inline]
    fn short(&self, key: Key, hash: u64, length: usize) -> TokenId {
        let [low, high] = short_entry(key, length);
        let words = self.short.get();
        let mut at = (hash >> self.short_shift) as usize;
        loop {
            let entry = &words[2 * at..2 * at + 2];
            if is_same(entry, low, high) {
                return entry_id(entry[1]);
            }
            if entry[1] == 0 {
                return TokenId::MAX;
            }
            at = (at + 1) & self.short_mask;
        }
    }

    /// The id of a token of more than [`INLINE`] bytes whose hash is known.
    fn long(&self, vocabulary: &Vocabulary, token: &[u8], hash: u64) -> TokenId {
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

/// The bits of an entry's second word that are not the id.
const NOT_ID: u64 = !(((1 << ID_BITS) - 1) << 32);

/// The filter's bit of a hash: from its lower half, so that neighbours in the table are none in the filter.
#[inline(always)]
fn filter_bit(hash: u64, shift: u32) -> usize {
    (hash.rotate_left(32) >> shift) as usize
}

fn bits_for(count: usize) -> u32 {
    count.next_power_of_two().trailing_zeros().max(4)
}

/// The two words of an entry, the id being 0.
#[inline(always)]
fn short_entry(key: Key, length: usize) -> [u64; 2] {
    [key.low, key.high & 0xFFFF_FFFF | (length as u64) << (32 + ID_BITS)]
}

#[inline(always)]
fn is_same(entry: &[u64], low: u64, high: u64) -> bool {
    (entry[0] ^ low) | ((entry[1] ^ high) & NOT_ID) == 0
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
fn entry_id(second: u64) -> TokenId {
    (second >> 32) as u32 & ((1 << ID_BITS) - 1)
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
fn long_id(entry: u64) -> TokenId {
    (entry as u32).wrapping_sub(1)
}
