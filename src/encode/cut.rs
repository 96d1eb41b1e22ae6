//! An exact cut for long pretokens. Merging only ever makes tokens of the vocabulary; where no token holds the
//! two neighbouring characters side by side, nothing crosses, and the pieces can be merged on their own.
//!
//! "Side by side" means: some suffix of the left character's bytes directly before some prefix of the right
//! character's. Those byte strings of every token are kept in a small filter (64 KiB): a false positive only
//! forgoes a cut. Two ASCII characters are never cut: in their scripts nearly every pair occurs.

use crate::vocab::Vocabulary;

const FILTER_BITS: u32 = 19;

/// Which neighbouring characters some token joins.
pub struct Boundaries {
    filter: Vec<u64>,
    /// By last byte of the left character: some token starts inside such a character and goes on past it.
    starts_inside: [bool; 256],
    /// By first byte of the right character: some token ends inside such a character after crossing into it.
    ends_inside: [bool; 256],
}

impl Boundaries {
    /// Reads every token once.
    #[must_use]
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let mut boundaries =
            Self { filter: vec![0; 1 << (FILTER_BITS - 6)], starts_inside: [false; 256], ends_inside: [false; 256] };
        for (_, token) in vocabulary.iter() {
            if !token.is_ascii() {
                boundaries.add(token);
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
            let left_start = (0..at).rev().find(|&i| token[i] & 0xC0 != 0x80 || at - i == 4);
            let left = &token[left_start.unwrap_or(0)..at];
            let width = width(token[at]);
            let right = &token[at..(at + width).min(token.len())];
            if left_start.is_none() {
                self.starts_inside[usize::from(left[left.len() - 1])] = true;
            }
            if right.len() < width {
                self.ends_inside[usize::from(right[0])] = true;
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

    /// Whether a token may cross from the character `left` to the character `right`.
    #[inline]
    #[must_use]
    pub fn joins(&self, left: &[u8], right: &[u8]) -> bool {
        if left[0] < 0x80 && right[0] < 0x80 {
            return true;
        }
        let (whole_left, whole_right) = (packed(left), packed(right));
        if self.has(whole_left, whole_right) {
            return true;
        }
        let rights = if self.ends_inside[usize::from(right[0])] { 1 } else { right.len() };
        let lefts = if self.starts_inside[usize::from(left[left.len() - 1])] { left.len() } else { 1 };
        if rights == right.len() && lefts == 1 {
            return false;
        }
        (0..lefts).any(|skip| {
            let left = packed(&left[skip..]);
            (rights..=right.len()).any(|keep| self.has(left, packed(&right[..keep])))
        })
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
    let word = (u64::from(left) << 32 | u64::from(right)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((word ^ word >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> (64 - FILTER_BITS)) as usize
}
