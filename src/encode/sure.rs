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

use std::hint::select_unpredictable;

use crate::ids::TokenId;
use crate::vocab::Vocabulary;

/// What is known of two neighbouring bytes. No token is [`TokenId::MAX`], which nothing is above.
#[derive(Clone, Copy)]
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

const NONE: Pair = Pair { joined: TokenId::MAX, ends: TokenId::MAX, starts: TokenId::MAX, first: TokenId::MAX };

/// Room for parts is made for so many at once: a piece has few, and a call that clears just so much costs more than clearing it.
const AT_ONCE: usize = 16;

/// All pairs of bytes: 1 MiB, of which a text uses some dozens of KiB.
pub struct Sure {
    /// By first byte in the lower half, then second.
    pairs: Vec<Pair>,
}

impl Sure {
    /// Reads the ends of every token once.
    #[must_use]
    pub fn new(vocabulary: &Vocabulary) -> Self {
        // The first byte is the lower half of a place.
        let single = |place: u32| Pair { first: vocabulary.byte_id(place as u8), ..NONE };
        let mut pairs: Vec<Pair> = (0..1 << 16).map(single).collect();
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
        for pair in &mut pairs {
            if pair.joined > pair.ends.min(pair.starts) {
                pair.joined = TokenId::MAX;
            }
        }
        Self { pairs }
    }

    /// Calls `part` with each place in `piece`, whether a part begins there, and if so its id: that of the byte, or of two that are
    /// sure to be joined to a token below `limit`.
    #[inline(always)]
    pub fn each(&self, piece: &[u8], limit: TokenId, mut part: impl FnMut(usize, bool, TokenId)) {
        let Some(&last) = piece.last() else { return };
        let single = Pair { first: self.pairs[place(last, 0)].first, ..NONE };
        let (mut before, mut is_joined, mut at) = (limit, false, 0);
        // No branch: which pairs are sure is what the processor cannot predict. Overlapping ones never both are.
        let mut step = |here: &Pair, behind: &Pair| {
            let is_sure = here.joined < before.min(behind.starts).min(limit);
            part(at, !is_joined, select_unpredictable(is_sure, here.joined, here.first));
            (before, is_joined) = (here.ends, is_sure);
            at += 1;
        };
        let mut pairs = piece.windows(2).map(|bytes| &self.pairs[place(bytes[0], bytes[1])]);
        if let Some(mut here) = pairs.next() {
            for behind in pairs {
                step(here, behind);
                here = behind;
            }
            step(here, &single);
        }
        step(&single, &NONE);
    }

    /// Appends the ids of the parts of `piece`.
    #[inline]
    pub fn append(&self, piece: &[u8], ids: &mut Vec<TokenId>) {
        let mut count = ids.len();
        for _ in (0..piece.len()).step_by(AT_ONCE) {
            ids.extend_from_slice(&[0; AT_ONCE]);
        }
        self.each(piece, TokenId::MAX, |_, is_part, id| {
            ids[count] = id;
            count += usize::from(is_part);
        });
        ids.truncate(count);
    }
}

#[inline(always)]
fn place(first: u8, second: u8) -> usize {
    usize::from(u16::from_le_bytes([first, second]))
}
