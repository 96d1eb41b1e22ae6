//! Which stretches of a text may be tokens, asked of many stretches that overlap: a number for each prefix of the text, of which
//! two tell that of the stretch between them, however long it is. Looking each up by its bytes took the cube of the longest token.
//!
//! Two texts may have the same number; then something may be taken for a token that is none.

use std::collections::{HashMap, HashSet};

use crate::vocab::Vocabulary;

/// What a prefix is multiplied with for each byte more: odd, without a pattern (the fraction of the golden ratio).
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// A number of bytes, and what a prefix is multiplied with for all of them.
#[derive(Clone, Copy)]
pub struct Length {
    bytes: u32,
    power: u64,
}

impl Length {
    fn new(bytes: usize) -> Self {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Self { bytes, power: FACTOR.wrapping_pow(bytes) }
    }

    /// How many.
    pub fn bytes(self) -> usize {
        self.bytes as usize
    }
}

/// All tokens.
pub struct Fingerprints {
    known: HashSet<u64>,
    /// By first two bytes: the lengths of the tokens that begin with them, each once. Those of one byte are every byte's.
    lengths: HashMap<[u8; 2], Vec<Length>>,
}

impl Fingerprints {
    /// Reads every token.
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let mut known = HashSet::with_capacity(vocabulary.len());
        let mut lengths: HashMap<[u8; 2], Vec<Length>> = HashMap::new();
        for (_, token) in vocabulary.iter() {
            known.insert(token.iter().copied().fold(0, add));
            if let Some(begin) = token.first_chunk::<2>() {
                lengths.entry(*begin).or_default().push(Length::new(token.len()));
            }
        }
        for lengths in lengths.values_mut() {
            lengths.sort_unstable_by_key(|length| length.bytes);
            lengths.dedup_by_key(|length| length.bytes);
        }
        Self { known, lengths }
    }

    /// The lengths that a token may have with which `rest` begins.
    pub fn lengths_at(&self, rest: &[u8]) -> impl Iterator<Item = Length> {
        let longer = rest.first_chunk::<2>().and_then(|begin| self.lengths.get(begin)).map_or(&[][..], Vec::as_slice);
        let fits = move |length: &Length| length.bytes() <= rest.len();
        std::iter::once(Length::new(1)).chain(longer.iter().copied()).take_while(fits)
    }

    /// Whether a stretch may be a token.
    pub fn may_have(&self, fingerprint: u64) -> bool {
        self.known.contains(&fingerprint)
    }
}

/// The prefixes of a text, as far as they were asked for.
pub struct Prefixes<'a> {
    text: &'a [u8],
    numbers: Vec<u64>,
}

impl<'a> Prefixes<'a> {
    /// None yet.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, numbers: vec![0] }
    }

    /// That of so many bytes from `start` on, which the text has.
    pub fn fingerprint(&mut self, start: usize, length: Length) -> u64 {
        let end = start + length.bytes();
        while let Some(&last) = self.numbers.last()
            && self.numbers.len() <= end
        {
            self.numbers.push(add(last, self.text[self.numbers.len() - 1]));
        }
        self.numbers[end].wrapping_sub(self.numbers[start].wrapping_mul(length.power))
    }
}

/// The number of a prefix that is a byte longer. No byte adds 0, or all runs of that byte would be one.
fn add(prefix: u64, byte: u8) -> u64 {
    prefix.wrapping_mul(FACTOR).wrapping_add(u64::from(byte) + 1)
}
