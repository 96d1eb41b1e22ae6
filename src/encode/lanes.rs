//! Rank merging of many short pieces side by side, each in a lane of vector registers. Pieces that were never met before come
//! in crowds, and one alone keeps the processor waiting: for each join it must guess where the next will be, and for
//! the answers of a large table. Here every step makes the next join of all lanes and nothing is guessed: a sweep over the rows
//! moves what stands behind the last join up by one and finds the next, then two lookups a lane find what its new neighbours offer.
//! They are asked for when a [`Group`] has been swept, and read when the others have been too.

use super::joins::{Joins, JoinsRef, NO_TOKEN, NONE};
use crate::ids::TokenId;

/// Lanes of a group.
const LANES: usize = 8;
/// Groups that take turns: while what one asked for is on its way from memory, the others go on.
const GROUPS: usize = 4;
/// Pieces that are merged at once.
pub const PIECES: usize = GROUPS * LANES;
/// Most parts of a piece.
pub const LONGEST: usize = 64;
/// One before the first part, and those that looking behind the last reaches.
const ROWS: usize = LONGEST + 4;
/// A row that no sweep comes to.
const FAR: i32 = i32::MAX;

/// One number for each lane. All functions of it are loops that the compiler turns into vector instructions.
#[derive(Clone, Copy)]
#[repr(align(32))]
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

/// Asks for what joining two parts makes, in each lane, without waiting for it.
#[inline(always)]
fn ask(joins: JoinsRef<'_>, left: Lane, right: Lane) {
    for (left, right) in left.0.into_iter().zip(right.0) {
        joins.prefetch(left, right);
    }
}

/// What joining two parts makes, in each lane.
#[inline(always)]
fn hear(joins: JoinsRef<'_>, left: Lane, right: Lane) -> Lane {
    left.zip(right, |left, right| joins.get(left, right))
}

/// Pieces side by side: their parts, one row behind another.
struct Group {
    /// Part `i` stands in row `i + 1`; [`NO_TOKEN`] in the row before the first and behind the last.
    parts: [Lane; ROWS],
    /// What joining a part with the one behind it would make.
    offers: [Lane; ROWS],
    /// Most parts that a piece has left which may still be joined; 0 when all are merged.
    rows: usize,
    /// The next join of each lane: the number of its left part, or [`FAR`] if there is none, and what it makes.
    at: Lane,
    made: Lane,
    /// The parts before and behind it, which may be joined to that.
    before: Lane,
    behind: Lane,
}

impl Default for Group {
    fn default() -> Self {
        let (parts, offers) = ([Lane::all(NO_TOKEN); ROWS], [Lane::all(NONE); ROWS]);
        let (at, made, nothing) = (Lane::all(FAR), Lane::all(NONE), Lane::all(NO_TOKEN));
        Self { parts, offers, rows: 0, at, made, before: nothing, behind: nothing }
    }
}

impl Group {
    fn fill<'a>(&mut self, pieces: impl Iterator<Item = &'a [TokenId]> + Clone) {
        self.rows = pieces.clone().map(<[TokenId]>::len).max().unwrap_or_default().min(LONGEST);
        self.parts[..self.rows + 4].fill(Lane::all(NO_TOKEN));
        for (lane, piece) in pieces.enumerate() {
            for (row, part) in self.parts[1..].iter_mut().zip(piece) {
                // Ids are below `NO_TOKEN` wherever joins are.
                row.0[lane] = part.cast_signed();
            }
        }
    }

    /// Asks what all neighbours make.
    #[inline(always)]
    fn ask_all(&self, joins: JoinsRef<'_>) {
        for row in 1..self.rows {
            ask(joins, self.parts[row], self.parts[row + 1]);
        }
    }

    /// Hears it; no join is found yet.
    #[inline(always)]
    fn begin(&mut self, joins: JoinsRef<'_>) {
        self.offers[self.rows..self.rows + 4].fill(Lane::all(NONE));
        for row in 1..self.rows {
            self.offers[row] = hear(joins, self.parts[row], self.parts[row + 1]);
        }
        (self.at, self.made) = (Lane::all(FAR), Lane::all(NONE));
    }

    /// Makes a join in each lane, finds the next, and asks what that offers.
    #[inline(always)]
    fn step<const AHEAD: bool>(&mut self, joins: JoinsRef<'_>) {
        let (before, behind) = (hear(joins, self.before, self.made), hear(joins, self.made, self.behind));
        self.sweep(before, behind);
        // No lane has more parts than the longest has left, but for those that have no join left.
        self.rows -= 1;
        if self.made.0.iter().all(|&made| made == NONE) {
            self.rows = 0;
            return;
        }
        for lane in 0..LANES {
            let row = (self.at.0[lane].cast_unsigned() as usize).min(LONGEST);
            (self.before.0[lane], self.behind.0[lane]) = (self.parts[row].0[lane], self.parts[row + 3].0[lane]);
        }
        if AHEAD {
            ask(joins, self.before, self.made);
            ask(joins, self.made, self.behind);
        }
    }

    /// Makes the joins that were found, `before` and `behind` being what they offer, and finds the next: the lowest offer,
    /// leftmost first.
    #[inline(always)]
    fn sweep(&mut self, before: Lane, behind: Lane) {
        let (at, made) = (self.at, self.made);
        let (mut best, mut best_at) = (Lane::all(NONE), Lane::all(FAR));
        let (mut part, mut offer) = (self.parts[1], self.offers[1]);
        for row in 0..(self.rows + 1).min(ROWS - 2) {
            let (next_part, next_offer) = (self.parts[row + 2], self.offers[row + 2]);
            // Rows are few.
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
            let (here, behind_here) = (Lane::all(row as i32), Lane::all(row as i32 + 1));
            let (is_behind, is_here, is_before) = (at.less(here), at.same(here), at.same(behind_here));
            self.parts[row + 1] = is_here.pick(made, is_behind.pick(next_part, part));
            let offered = is_before.pick(before, is_here.pick(behind, is_behind.pick(next_offer, offer)));
            self.offers[row + 1] = offered;
            best_at = offered.less(best).pick(here, best_at);
            best = best.min(offered);
            (part, offer) = (next_part, next_offer);
        }
        (self.at, self.made) = (best_at, best);
    }
}

/// Working memory of merging side by side.
#[derive(Default)]
pub struct Lanes {
    groups: [Group; GROUPS],
}

impl Lanes {
    /// Merges up to [`PIECES`] pieces of 1 to [`LONGEST`] parts each, tokens of the vocabulary that `joins` is of.
    pub fn merge<'a>(&mut self, joins: &Joins, mut pieces: impl Iterator<Item = &'a [TokenId]> + Clone) {
        for group in &mut self.groups {
            group.fill(pieces.clone().take(LANES));
            pieces.nth(LANES - 1);
        }
        self.run(joins.to_read());
    }

    /// The ids of a piece.
    #[inline]
    pub fn ids(&self, piece: usize) -> impl Iterator<Item = TokenId> {
        let (group, lane) = (&self.groups[piece / LANES], piece % LANES);
        let parts = group.parts[1..].iter().map(move |row| row.0[lane]);
        parts.take_while(|&part| part != NO_TOKEN).map(i32::cast_unsigned)
    }

    fn run(&mut self, joins: JoinsRef<'_>) {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                // SAFETY: the features that the function needs were detected on the line above.
                return unsafe { self.run_avx512(joins) };
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the feature that the function needs was detected on the line above.
                return unsafe { self.run_avx2(joins) };
            }
        }
        self.run_any::<true>(joins);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    fn run_avx512(&mut self, joins: JoinsRef<'_>) {
        // Processors with these have caches near enough: asking ahead of time made a first pass some 5 % longer.
        self.run_any::<false>(joins);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn run_avx2(&mut self, joins: JoinsRef<'_>) {
        self.run_any::<true>(joins);
    }

    #[inline(always)]
    fn run_any<const AHEAD: bool>(&mut self, joins: JoinsRef<'_>) {
        if AHEAD {
            self.groups.iter().for_each(|group| group.ask_all(joins));
        }
        self.groups.iter_mut().for_each(|group| group.begin(joins));
        while self.groups.iter().any(|group| group.rows > 0) {
            for group in self.groups.iter_mut().filter(|group| group.rows > 0) {
                group.step::<AHEAD>(joins);
            }
        }
    }
}
