//! Rank merging of up to 16 short pieces side by side, each in a lane of vector registers. Pieces that were never met before come
//! in crowds, and one alone keeps the processor waiting: for each join it must guess where the next will be, and for
//! the answers of a large table. Here every step makes the next join of all lanes and nothing is guessed: a sweep over the rows
//! moves what stands behind the last join up by one and finds the next, then two lookups a lane find what its new neighbours offer.

use super::joins::{Joins, JoinsRef, NO_TOKEN, NONE};
use crate::ids::TokenId;

/// Pieces that are merged at once.
pub const LANES: usize = 16;
/// Most parts of a piece.
pub const LONGEST: usize = 64;
/// One before the first part, and those that looking behind the last reaches.
const ROWS: usize = LONGEST + 4;
/// A row that no sweep comes to.
const FAR: i32 = i32::MAX;

/// One number for each lane. All functions of it are loops that the compiler turns into vector instructions.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Lane([i32; LANES]);

impl Lane {
    #[inline(always)]
    fn all(value: i32) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    fn zip(self, other: Self, each: impl Fn(i32, i32) -> i32) -> Self {
        let mut zipped = [0; LANES];
        for ((zipped, a), b) in zipped.iter_mut().zip(self.0).zip(other.0) {
            *zipped = each(a, b);
        }
        Self(zipped)
    }

    /// All bits where `self` is less.
    #[inline(always)]
    fn less(self, other: Self) -> Self {
        self.zip(other, |a, b| -i32::from(a < b))
    }

    /// All bits where both are the same.
    #[inline(always)]
    fn same(self, other: Self) -> Self {
        self.zip(other, |a, b| -i32::from(a == b))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, i32::min)
    }

    /// `value` where the mask `self` has bits, else `other`.
    #[inline(always)]
    fn pick(self, value: Self, other: Self) -> Self {
        self.zip(value, |mask, a| mask & a).zip(self.zip(other, |mask, b| !mask & b), |a, b| a | b)
    }
}

/// The next join of each lane: the number of its left part, or [`FAR`] if there is none, what it makes, and what the part
/// before and the part behind offer to make of that.
#[derive(Clone, Copy)]
struct Joining {
    at: Lane,
    made: Lane,
    before: Lane,
    behind: Lane,
}

/// The parts of the pieces, one row behind another.
pub struct Lanes {
    /// Part `i` stands in row `i + 1`; [`NO_TOKEN`] in the row before the first and behind the last.
    parts: [Lane; ROWS],
    /// What joining a part with the one behind it would make.
    offers: [Lane; ROWS],
}

impl Default for Lanes {
    fn default() -> Self {
        Self { parts: [Lane::all(NO_TOKEN); ROWS], offers: [Lane::all(NONE); ROWS] }
    }
}

impl Lanes {
    /// Merges up to [`LANES`] pieces of 1 to [`LONGEST`] parts each, tokens of the vocabulary that `joins` is of.
    pub fn merge<'a>(&mut self, joins: &Joins, pieces: impl Iterator<Item = &'a [TokenId]> + Clone) {
        let longest = pieces.clone().map(<[TokenId]>::len).max().unwrap_or_default().min(LONGEST);
        self.parts[..longest + 4].fill(Lane::all(NO_TOKEN));
        for (lane, piece) in pieces.enumerate() {
            for (row, part) in self.parts[1..].iter_mut().zip(piece) {
                // Ids are below `NO_TOKEN` wherever joins are.
                row.0[lane] = part.cast_signed();
            }
        }
        self.run(joins.to_read(), longest);
    }

    /// The ids of piece number `lane`.
    #[inline]
    pub fn ids(&self, lane: usize) -> impl Iterator<Item = TokenId> {
        let parts = self.parts[1..].iter().map(move |row| row.0[lane]);
        parts.take_while(|&part| part != NO_TOKEN).map(i32::cast_unsigned)
    }

    fn run(&mut self, joins: JoinsRef<'_>, longest: usize) {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                // SAFETY: the features that the function needs were detected on the line above.
                return unsafe { self.run_avx512(joins, longest) };
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the feature that the function needs was detected on the line above.
                return unsafe { self.run_avx2(joins, longest) };
            }
        }
        self.run_any(joins, longest);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    fn run_avx512(&mut self, joins: JoinsRef<'_>, longest: usize) {
        self.run_any(joins, longest);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn run_avx2(&mut self, joins: JoinsRef<'_>, longest: usize) {
        self.run_any(joins, longest);
    }

    #[inline(always)]
    fn run_any(&mut self, joins: JoinsRef<'_>, longest: usize) {
        let none = Lane::all(NONE);
        self.offers[longest..longest + 4].fill(none);
        for row in 1..longest {
            let (parts, behind) = (self.parts[row], self.parts[row + 1]);
            for lane in 0..LANES {
                self.offers[row].0[lane] = joins.get(parts.0[lane], behind.0[lane]);
            }
        }
        let mut next = Joining { at: Lane::all(FAR), made: none, before: none, behind: none };
        // No lane has more parts than the longest has left, but for those that have no join left.
        for rows in (0..=longest).rev() {
            self.sweep(rows + 1, &mut next);
            if next.made.0.iter().all(|&made| made == NONE) {
                return;
            }
            let (mut before, mut behind) = ([0; LANES], [0; LANES]);
            for lane in 0..LANES {
                let row = (next.at.0[lane].cast_unsigned() as usize).min(LONGEST);
                (before[lane], behind[lane]) = (self.parts[row].0[lane], self.parts[row + 3].0[lane]);
            }
            for lane in 0..LANES {
                next.before.0[lane] = joins.get(before[lane], next.made.0[lane]);
                next.behind.0[lane] = joins.get(next.made.0[lane], behind[lane]);
            }
        }
    }

    /// Makes the joins of `joining` and finds the next: the lowest offer, leftmost first.
    #[inline(always)]
    fn sweep(&mut self, rows: usize, joining: &mut Joining) {
        let Joining { at, made, before, behind } = *joining;
        let (mut best, mut best_at) = (Lane::all(NONE), Lane::all(FAR));
        let (mut part, mut offer) = (self.parts[1], self.offers[1]);
        for row in 0..rows.min(ROWS - 2) {
            let (next_part, next_offer) = (self.parts[row + 2], self.offers[row + 2]);
            // Rows are few.
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
            let here = Lane::all(row as i32);
            let (is_behind, is_here) = (at.less(here), at.same(here));
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
            let is_before = at.same(Lane::all(row as i32 + 1));
            self.parts[row + 1] = is_here.pick(made, is_behind.pick(next_part, part));
            let offered = is_before.pick(before, is_here.pick(behind, is_behind.pick(next_offer, offer)));
            self.offers[row + 1] = offered;
            best_at = offered.less(best).pick(here, best_at);
            best = best.min(offered);
            (part, offer) = (next_part, next_offer);
        }
        (joining.at, joining.made) = (best_at, best);
    }
}
