//! Pairs of bytes that merging is sure to join: a piece may start with these joined, which is a third to a half of all that
//! is joined in it, and most of what takes a step of its own in scripts of two or three bytes a character.
//!
//! Let `b`, `c` be two bytes in a piece and `r` the id of the token `bc`. They are sure to be joined if
//!
//! 1. every longer token that ends or begins with `bc` has an id above `r`, and
//! 2. so has every token of two bytes or more that ends with the byte before `b` and `b`, or begins with `c` and the byte behind it.
//!
//! For rank merging takes the lowest id first. Until `b` and `c` are joined, they offer `r`, so nothing above `r` is made. To join
//! one of them to anything else would make a token as in 2; so nothing does before they are joined to each other. And had they been
//! joined from the start, what they then offered their neighbours would be a token as in 1, above `r`: until it is their turn
//! all else goes on as without it. So the result is the same; and since each such pair waits for no other, all of a piece can be joined
//! at once.

#[cfg(target_arch = "x86_64")]
mod avx2;

use std::ops::Range;

use crate::ids::TokenId;
use crate::vocab::Vocabulary;

/// No token: above every id, and of the same order as a number with a sign.
const MOST: TokenId = TokenId::MAX >> 1;

/// What is known of two neighbouring bytes. No token is [`MOST`].
#[derive(Clone, Copy)]
#[repr(C)]
struct Pair {
    /// The id of both as a token, if no longer token that ends or begins with them is below it.
    joined: TokenId,
    /// The lowest id of a token that ends with them.
    ends: TokenId,
    /// The lowest id of a token that begins with them.
    starts: TokenId,
    /// The id of the first alone.
    first: TokenId,
}

const NONE: Pair = Pair { joined: MOST, ends: MOST, starts: MOST, first: MOST };

const PAIRS: usize = 1 << 16;

/// All pairs of bytes: 1 MiB, of which a text uses some dozens of KiB.
pub struct Sure {
    /// By second byte, then first, as 16 bits of text are a number.
    pairs: Box<[Pair; PAIRS]>,
}

impl Sure {
    /// Reads the ends of every token once.
    #[must_use]
    pub fn new(vocabulary: &Vocabulary) -> Self {
        // SAFETY: a pair is four numbers, and all bits zero are a value of each.
        let mut pairs: Box<[Pair; PAIRS]> = unsafe { Box::new_zeroed().assume_init() };
        pairs.fill(NONE);
        for (at, pair) in pairs.iter_mut().enumerate() {
            pair.first = vocabulary.byte_id((at & 0xFF) as u8);
        }
        for (id, token) in vocabulary.iter() {
            let ([first, second, ..], [.., before, last]) = (token, token) else { continue };
            let starts = &mut pairs[place(*first, *second)];
            starts.starts = id.min(starts.starts);
            if token.len() == 2 {
                starts.joined = id;
            }
            let ends = &mut pairs[place(*before, *last)];
            ends.ends = id.min(ends.ends);
        }
        for pair in &mut *pairs {
            if pair.joined > pair.ends.min(pair.starts) {
                pair.joined = MOST;
            }
        }
        Self { pairs }
    }

    /// Calls `part` with each place in `piece`, whether a part begins there, and if so its id: that of the byte, or of two that are
    /// sure to be joined to a token below `limit`.
    #[inline(always)]
    pub fn each(&self, piece: &[u8], limit: TokenId, mut part: impl FnMut(usize, bool, TokenId)) {
        let Some((&last, before_last)) = piece.split_last() else { return };
        let single = Pair { first: self.pairs[place(last, 0)].first, ..NONE };
        let mut here = single;
        if let [first, second, ..] = *piece {
            here = self.pairs[place(first, second)];
        }
        let (mut before, mut is_joined) = (limit, false);
        // No branch: which pairs are sure is what the processor cannot predict. Overlapping ones never both are.
        for at in 0..before_last.len() {
            let behind = match piece.get(at + 1..at + 3) {
                Some(next) => self.pairs[place(next[0], next[1])],
                None => single,
            };
            let is_sure = here.joined < before.min(behind.starts).min(limit);
            part(at, !is_joined, if is_sure { here.joined } else { here.first });
            (before, here, is_joined) = (here.ends, behind, is_sure);
        }
        part(before_last.len(), !is_joined, single.first);
    }

    /// Appends the ids of the parts of `text[piece]`.
    pub fn append(&self, text: &[u8], piece: Range<usize>, ids: &mut Vec<TokenId>) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
            // SAFETY: the features that the function needs were detected on the line above.
            return unsafe { self.append_avx2(text, piece, ids) };
        }
        self.append_any(&text[piece], ids);
    }

    /// The same without vectors.
    pub fn append_any(&self, piece: &[u8], ids: &mut Vec<TokenId>) {
        let mut count = ids.len();
        ids.resize(count + piece.len(), 0);
        self.each(piece, TokenId::MAX, |_, is_part, id| {
            ids[count] = id;
            count += usize::from(is_part);
        });
        ids.truncate(count);
    }
}

#[inline(always)]
fn place(first: u8, second: u8) -> usize {
    usize::from(second) << 8 | usize::from(first)
}
