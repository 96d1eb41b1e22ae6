//! An exact cut for long pretokens. Merging only ever makes tokens of the vocabulary; where no token holds the
//! two neighbouring characters side by side, nothing crosses, and the pieces can be merged on their own.
//!
//! "Side by side" means: some suffix of the left character's bytes directly before some prefix of the right
//! character's. Those byte strings of every token are kept in a small filter (64 KiB): a false positive only
//! forgoes a cut. Two ASCII characters are never cut: in their scripts nearly every pair occurs.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::key::SPREAD;
use super::made::Made;
use super::merge::SHORT;
use crate::vocab::Vocabulary;

const FILTER_BITS: u32 = 19;
/// The bit of each of sixteen bytes that only bytes beyond ASCII have.
const HIGH_BITS: u128 = u128::MAX / 255 * 0x80;

/// The bytes of a character as one number, most significant first, and how many they are.
#[derive(Clone, Copy)]
pub struct Character {
    word: u32,
    length: usize,
}

impl Character {
    /// The character of valid UTF-8 that starts at `at`.
    #[inline]
    #[must_use]
    pub fn at(text: &[u8], at: usize) -> Self {
        let length = width(text[at]);
        let word = match text[at..].first_chunk::<4>() {
            Some(bytes) => u32::from_be_bytes(*bytes) >> (32 - 8 * length),
            None => packed(&text[at..at + length]),
        };
        Self { word, length }
    }

    /// The same, if it has three bytes.
    #[inline]
    fn of_three_at(text: &[u8], at: usize) -> Option<Self> {
        let bytes = text[at..].first_chunk::<3>()?;
        let word = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        if bytes[0] >> 4 == 0xE { Some(Self { word, length: 3 }) } else { None }
    }

    /// How many bytes it has.
    #[inline]
    #[must_use]
    pub fn length(self) -> usize {
        self.length
    }

    fn first_byte(self) -> u32 {
        self.word >> (8 * (self.length - 1))
    }
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Characters of three bytes, each a piece of its own.
    Characters,
    /// Anything else, or one that is not known to be.
    Other,
}

/// Which neighbouring characters some token joins.
pub struct Boundaries {
    filter: Vec<u64>,
    /// By last byte of the left character and first byte of the right: in which ways some token crosses there that holds only part of
    /// one of the two. Bit `4 * (kept - 1) + lost`: `kept` bytes of the left one, all but `lost` of the right one.
    partial: Vec<u16>,
}

impl Boundaries {
    /// Reads every token once.
    #[must_use]
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let mut boundaries = Self { filter: vec![0; 1 << (FILTER_BITS - 6)], partial: vec![0; 1 << 16] };
        let (bytes, _) = vocabulary.flat();
        for (_, Range { start, end }) in vocabulary.places() {
            // Sixteen bytes at once: how long a token is is what the processor cannot predict.
            let is_ascii = match bytes[start..].first_chunk::<16>() {
                Some(sixteen) if end - start <= 16 => {
                    u128::from_le_bytes(*sixteen) & u128::MAX >> (8 * (16 - (end - start))) & HIGH_BITS == 0
                }
                _ => bytes[start..end].is_ascii(),
            };
            if !is_ascii {
                boundaries.add(&bytes[start..end]);
            }
        }
        boundaries
    }

    fn add(&mut self, token: &[u8]) {
        for at in 1..token.len() {
            if token[at] & 0xC0 == 0x80 || (token[at] < 0x80 && token[at - 1] < 0x80) {
                continue;
            }
            // The left character from its first byte, or from the token's start if that is inside it.
            let reach = at.saturating_sub(4);
            let left_start = (reach..at).rev().find(|&i| token[i] & 0xC0 != 0x80);
            let left = &token[left_start.unwrap_or(reach)..at];
            let width = width(token[at]);
            let right = &token[at..(at + width).min(token.len())];
            if left_start.is_none() || right.len() < width {
                let place = usize::from(left[left.len() - 1]) << 8 | usize::from(right[0]);
                self.partial[place] |= 1 << (4 * (left.len() - 1) + width - right.len());
            }
            let place = place(packed(left), packed(right));
            self.filter[place >> 6] |= 1 << (place & 63);
        }
    }

    #[inline]
    fn has(&self, left: u32, right: u32) -> bool {
        let place = place(left, right);
        self.filter[place >> 6] >> (place & 63) & 1 == 1
    }

    /// Calls `piece` with the kind of each piece of `text[start..end]`, its first byte and the first behind it: no token crosses from one to
    /// the next. Characters of three bytes that are pieces of their own, as most of Han are, come together as one.
    #[inline]
    pub fn cut(&self, text: &[u8], start: usize, end: usize, mut piece: impl FnMut(Kind, usize, usize)) {
        let mut first = start;
        while first < end {
            let alone = self.alone(text, first, end);
            if alone > first {
                piece(Kind::Characters, first, alone);
                first = alone;
            }
            if first < end {
                let next = self.piece_end(text, first, end);
                piece(Kind::Other, first, next);
                first = next;
            }
        }
    }

    /// The end of the characters of three bytes from `at` on that are pieces of their own; `at` begins a piece.
    #[inline]
    fn alone(&self, text: &[u8], mut at: usize, end: usize) -> usize {
        let Some(mut left) = Character::of_three_at(text, at) else { return at };
        loop {
            let next = at + 3;
            if next >= end {
                return next;
            }
            let Some(right) = Character::of_three_at(text, next) else {
                return if self.joins(left, Character::at(text, next)) { at } else { next };
            };
            if self.joins(left, right) {
                return at;
            }
            (at, left) = (next, right);
        }
    }

    /// The end of the piece that begins at `at`.
    #[inline]
    fn piece_end(&self, text: &[u8], mut at: usize, end: usize) -> usize {
        let mut left = Character::at(text, at);
        at += left.length();
        while at < end {
            let right = Character::at(text, at);
            if !self.joins(left, right) {
                return at;
            }
            at += right.length();
            left = right;
        }
        at
    }

    /// Whether a token may cross from the character `left` to the character `right`.
    #[inline(always)]
    #[must_use]
    pub fn joins(&self, left: Character, right: Character) -> bool {
        let ways = self.partial[((left.word & 0xFF) << 8 | right.first_byte()) as usize];
        (left.length == 1 && right.length == 1)
            || self.has(left.word, right.word)
            || ways != 0 && self.joins_in_part(left, right, ways)
    }

    #[cold]
    fn joins_in_part(&self, left: Character, right: Character, mut ways: u16) -> bool {
        while ways != 0 {
            let way = ways.trailing_zeros() as usize;
            ways &= ways - 1;
            let (kept, lost) = (way / 4 + 1, way % 4);
            let is_there = kept <= left.length && lost < right.length;
            if is_there && self.has(left.word & (u32::MAX >> (32 - 8 * kept)), right.word >> (8 * lost)) {
                return true;
            }
        }
        false
    }
}

/// Made when half as many bytes have come that are worth cutting as pay for reading every token: for many texts there are few.
#[derive(Default)]
pub struct LazyBoundaries {
    made: Made<Boundaries>,
    /// Bytes that were worth cutting so far.
    come: AtomicUsize,
}

impl LazyBoundaries {
    /// The boundaries of the vocabulary, always the same, if they are there or worth making and `piece` is worth cutting.
    #[inline]
    #[must_use]
    pub fn for_piece(&self, vocabulary: &Vocabulary, piece: &[u8]) -> Option<&Boundaries> {
        if is_worth(piece) { self.made.get().or_else(|| self.make_for(vocabulary, piece.len())) } else { None }
    }

    #[cold]
    fn make_for(&self, vocabulary: &Vocabulary, bytes: usize) -> Option<&Boundaries> {
        let come = bytes + self.come.fetch_add(bytes, Relaxed);
        if come >= vocabulary.len() / 2 { self.make(vocabulary) } else { None }
    }

    /// Makes them, whether that pays or not; `None` while another thread does.
    pub fn make(&self, vocabulary: &Vocabulary) -> Option<&Boundaries> {
        self.made.make(|| Boundaries::new(vocabulary))
    }
}

fn width(lead: u8) -> usize {
    match lead {
        0x00..=0x7F => 1,
        0x80..=0xDF => 2,
        0xE0..=0xEF => 3,
        _ => 4,
    }
}

#[inline]
fn packed(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |word, &byte| word << 8 | u32::from(byte))
}

#[inline]
fn place(left: u32, right: u32) -> usize {
    let word = u64::from(left).wrapping_mul(SPREAD[0]).wrapping_add(u64::from(right).wrapping_mul(SPREAD[1]));
    (word >> (64 - FILTER_BITS)) as usize
}

/// Whether a pretoken should be cut. It pays in scripts of three bytes a character (12 in 100 Han neighbours share a token); in
/// the others nearly all do, and only a giant would be worth the search.
#[must_use]
fn is_worth(text: &[u8]) -> bool {
    // The first character, or the second behind a space, or the last: not all, which would be a branch for each.
    let is_lead = |at: usize| text.get(at).is_some_and(|&byte| byte >= 0xE3);
    is_lead(0) | is_lead(1) | is_lead(text.len().wrapping_sub(3)) || text.len() > SHORT && !text.is_ascii()
}
