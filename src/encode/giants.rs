//! Giant pieces, merged in blocks that fit the cache and mended at the seams: exact, and the time is in proportion to length.
//!
//! Rank merging joins the lowest pair, leftmost first; write `R(s)` for what it makes of `s`. Two facts carry this file.
//!
//! 1. Where `R(s)` has a boundary, it is `R` of what lies before followed by `R` of what lies behind. No merge crossed the
//!    boundary, and the lowest pair of all, if it lies on one side, is the lowest of that side: each side went its own way.
//! 2. If `R` leaves every two neighbours of a sequence of tokens as they are, `R` of the whole is the sequence. Suppose
//!    not, and look at the first merge that joins across a boundary, between tokens `a` and `b`. Until then every token was
//!    made as if alone, and of the steps inside `a` and inside `b` the lower came first (on a tie, that in `a`), so they came
//!    in the same order as when `ab` is merged alone. That run passes the same state, where the joining pair is lower than
//!    all else that is left in `a` and `b`, and joins it: but it was to leave `a` and `b` as they are.
//!
//! So two blocks are mended by merging a window of a few tokens around their seam anew: if its outermost tokens come out
//! as they were, all neighbours in the joined sequence are as some `R` left them. If not, the window grows.

use super::merge::{LongMerge, SHORT, short};
use super::table::TokenTable;
use crate::error::Result;
use crate::ids::TokenId;
use crate::threads::Steps;
use crate::vocab::Vocabulary;

/// Bytes of a block: what merging it needs stays in the second-level cache.
pub const BLOCK: usize = 16 << 10;
/// Bytes of windows, in lengths of the piece, after which it is merged in larger blocks or in one go: a vocabulary whose
/// choices reach far, seam after seam, must not cost more than a few times that.
const PATIENCE: usize = 4;

/// Longest tokens in a block where choices reach far. To merge a piece in one go takes 32 bytes of memory for each of its own.
const TOKENS: usize = 4;

/// Merges a piece of up to 1 GiB in blocks of `size` bytes and appends its ids; asks now and then whether to go on.
///
/// # Errors
/// That of `steps`; some ids may be there then.
pub fn run(
    long: &mut LongMerge,
    table: &TokenTable,
    vocabulary: &Vocabulary,
    piece: &[u8],
    size: usize,
    ids: &mut Vec<TokenId>,
    steps: &mut Steps<'_>,
) -> Result<()> {
    let mut merger = Merger { long, table, vocabulary, piece, patience: 0 };
    let larger = TOKENS * table.longest();
    let is_done = merger.in_blocks(size, ids, steps)? || larger > size && merger.in_blocks(larger, ids, steps)?;
    if !is_done {
        merger.merge(0, piece.len(), ids);
    }
    Ok(())
}

struct Merger<'a> {
    long: &'a mut LongMerge,
    table: &'a TokenTable,
    vocabulary: &'a Vocabulary,
    piece: &'a [u8],
    patience: usize,
}

impl Merger<'_> {
    /// Appends the ids of the piece, merged in blocks of `size` bytes. False, and nothing is appended, when patience has run out.
    fn in_blocks(&mut self, size: usize, ids: &mut Vec<TokenId>, steps: &mut Steps<'_>) -> Result<bool> {
        let (piece, first) = (self.piece, ids.len());
        self.patience = PATIENCE * piece.len();
        let (mut done, mut merged, mut block) = (0, 0..0, Vec::new());
        while done < piece.len() {
            let end = if piece.len() - done < 2 * size { piece.len() } else { done + size };
            steps.take(end - done)?;
            // Most giants of real text repeat one character: their blocks are alike.
            if piece[merged.clone()] != piece[done..end] {
                merged = done..end;
                block.clear();
                self.merge(done, end, &mut block);
            }
            if done == 0 {
                ids.extend_from_slice(&block);
            } else if !self.join(done, first, ids, &block) {
                ids.truncate(first);
                return Ok(false);
            }
            done = end;
        }
        Ok(true)
    }

    fn merge(&mut self, start: usize, end: usize, ids: &mut Vec<TokenId>) {
        let part = &self.piece[start..end];
        if part.len() <= SHORT {
            short(self.table, self.vocabulary, part, ids);
        } else {
            self.long.run(self.table, self.vocabulary, part, ids);
        }
    }

    fn bytes(&self, ids: &[TokenId]) -> usize {
        ids.iter().filter_map(|&id| self.vocabulary.get(id)).map(<[u8]>::len).sum()
    }

    /// Appends `block`, which begins at byte `seam`, to `ids[first..]`, which ends there. False when patience has run out.
    fn join(&mut self, seam: usize, first: usize, ids: &mut Vec<TokenId>, block: &[TokenId]) -> bool {
        let (mut left, mut right) = (2, 2);
        let mut window = Vec::new();
        loop {
            (left, right) = (left.min(ids.len() - first), right.min(block.len()));
            let kept = ids.len() - left;
            let (start, end) = (seam - self.bytes(&ids[kept..]), seam + self.bytes(&block[..right]));
            self.patience = self.patience.saturating_sub(end - start);
            if self.patience == 0 {
                return false;
            }
            window.clear();
            self.merge(start, end, &mut window);
            // At the edge of all that there is, nothing lies outside that could be joined differently.
            let left_holds = kept == first || window.first() == ids.get(kept);
            let right_holds = right == block.len() || window.last() == block.get(right - 1);
            if left_holds && right_holds {
                ids.truncate(kept);
                ids.append(&mut window);
                ids.extend_from_slice(&block[right..]);
                return true;
            }
            left *= if left_holds { 1 } else { 2 };
            right *= if right_holds { 1 } else { 2 };
        }
    }
}
