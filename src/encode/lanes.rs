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
/// Ids of a piece that are copied at once.
pub const AT_ONCE: usize = 4;
/// One before the first part, and those that looking behind the last reaches.
const ROWS: usize = LONGEST + 4;
/// The last row whose neighbours are looked at.
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
const LAST: i32 = LONGEST as i32;
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

/// Two neighbours in each lane, and where what joining them makes stands, which is on its way from memory.
#[derive(Clone, Copy)]
struct Asked {
    left: Lane,
    right: Lane,
    places: Lane,
}

impl Asked {
    const NOTHING: Self =
        Self { left: Lane([NO_TOKEN; LANES]), right: Lane([NO_TOKEN; LANES]), places: Lane([0; LANES]) };

    #[inline(always)]
    fn new(joins: JoinsRef<'_>, left: Lane, right: Lane) -> Self {
        let places = left.zip(right, |left, right| joins.place(left, right));
        places.0.iter().for_each(|&place| joins.prefetch(place));
        Self { left, right, places }
    }
}

/// A way to look up what joining the neighbours of all lanes makes.
trait Look: Copy {
    fn look(self, joins: JoinsRef<'_>, asked: &Asked) -> Lane;
}

/// Lane by lane.
#[derive(Clone, Copy)]
struct Plain;

impl Look for Plain {
    #[inline(always)]
    fn look(self, joins: JoinsRef<'_>, asked: &Asked) -> Lane {
        let mut made = [NONE; LANES];
        for (lane, made) in made.iter_mut().enumerate() {
            *made = joins.get(asked.places.0[lane], asked.left.0[lane], asked.right.0[lane]);
        }
        Lane(made)
    }
}

/// All at once. One of these is made only where the processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Look for Avx2 {
    #[inline(always)]
    fn look(self, joins: JoinsRef<'_>, asked: &Asked) -> Lane {
        // SAFETY: an `Avx2` is made only in functions that have AVX2 themselves.
        Lane(unsafe { joins.get_eight(&asked.places.0, &asked.left.0, &asked.right.0) })
    }
}

/// Pieces side by side: their parts, one row behind another.
struct Group {
    /// Part `i` stands in row `i + 1`; [`NO_TOKEN`] in the row before the first and behind the last.
    parts: [Lane; ROWS],
    /// What joining a part with the one behind it would make; while that is asked for, its place.
    offers: [Lane; ROWS],
    /// Most parts that a piece has left which may still be joined; 0 when all are merged.
    rows: usize,
    /// How many parts each piece has left.
    counts: Lane,
    /// The next join of each lane: the number of its left part, or [`FAR`] if there is none, and what it makes.
    at: Lane,
    made: Lane,
    /// That with the part before it, and with the part behind it.
    before: Asked,
    behind: Asked,
}

impl Default for Group {
    fn default() -> Self {
        let (parts, offers) = ([Lane::all(NO_TOKEN); ROWS], [Lane::all(NONE); ROWS]);
        let (at, made) = (Lane::all(FAR), Lane::all(NONE));
        Self { parts, offers, rows: 0, counts: Lane::all(0), at, made, before: Asked::NOTHING, behind: Asked::NOTHING }
    }
}

impl Group {
    fn fill<'a>(&mut self, pieces: impl Iterator<Item = &'a [TokenId]> + Clone) {
        self.rows = pieces.clone().map(<[TokenId]>::len).max().unwrap_or_default().min(LONGEST);
        self.parts[..self.rows + 4].fill(Lane::all(NO_TOKEN));
        for (lane, piece) in pieces.enumerate() {
            // Few.
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
            {
                self.counts.0[lane] = piece.len() as i32;
            }
            for (row, part) in self.parts[1..].iter_mut().zip(piece) {
                // Ids are below `NO_TOKEN` wherever joins are.
                row.0[lane] = part.cast_signed();
            }
        }
    }

    /// Asks what all neighbours make.
    #[inline(always)]
    fn ask(&mut self, joins: JoinsRef<'_>) {
        self.offers[self.rows..self.rows + 4].fill(Lane::all(NONE));
        for row in 1..self.rows {
            self.offers[row] = Asked::new(joins, self.parts[row], self.parts[row + 1]).places;
        }
    }

    /// Reads the answers, finds the first join of each lane, and asks what that offers.
    #[inline(always)]
    fn hear(&mut self, joins: JoinsRef<'_>, way: impl Look) {
        let mut next = Next::NONE;
        for row in 1..self.rows {
            let (left, right, places) = (self.parts[row], self.parts[row + 1], self.offers[row]);
            self.offers[row] = way.look(joins, &Asked { left, right, places });
            next.hear(row - 1, self.offers[row]);
        }
        (self.at, self.made) = (next.at, next.made);
        self.go_on(joins);
    }

    /// Makes a join in each lane, finds the next, and asks what that offers.
    #[inline(always)]
    fn step(&mut self, joins: JoinsRef<'_>, way: impl Look) {
        let (before, behind) = (way.look(joins, &self.before), way.look(joins, &self.behind));
        self.counts = self.counts.zip(self.made, |count, made| count - i32::from(made != NONE));
        self.sweep(before, behind);
        self.go_on(joins);
    }

    /// Asks what the next joins offer, if there are any.
    #[inline(always)]
    fn go_on(&mut self, joins: JoinsRef<'_>) {
        if self.made.0.iter().all(|&made| made == NONE) {
            self.rows = 0;
            return;
        }
        // When they are made, no lane has more parts than the longest has left, but for those that have no join left.
        self.rows -= 1;
        let rows = self.at.min(Lane::all(LAST));
        let (mut before, mut behind) = ([0; LANES], [0; LANES]);
        for lane in 0..LANES {
            let row = rows.0[lane].cast_unsigned() as usize;
            (before[lane], behind[lane]) = (self.parts[row].0[lane], self.parts[row + 3].0[lane]);
        }
        self.before = Asked::new(joins, Lane(before), self.made);
        self.behind = Asked::new(joins, self.made, Lane(behind));
    }

    /// Makes the joins that were found, `before` and `behind` being what they offer, and finds the next: the lowest offer,
    /// leftmost first.
    #[inline(always)]
    fn sweep(&mut self, before: Lane, behind: Lane) {
        let (at, made) = (self.at, self.made);
        let mut next = Next::NONE;
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
            next.hear(row, offered);
            (part, offer) = (next_part, next_offer);
        }
        (self.at, self.made) = (next.at, next.made);
    }
}

/// The lowest offer of each lane so far, leftmost first, and the number of its left part.
struct Next {
    at: Lane,
    made: Lane,
}

impl Next {
    const NONE: Self = Self { at: Lane([FAR; LANES]), made: Lane([NONE; LANES]) };

    /// What a later part offers.
    #[inline(always)]
    fn hear(&mut self, number: usize, offer: Lane) {
        // Rows are few.
        #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
        let here = Lane::all(number as i32);
        self.at = offer.less(self.made).pick(here, self.at);
        self.made = self.made.min(offer);
    }
}

/// Working memory of merging side by side.
#[derive(Default)]
pub struct Lanes {
    groups: [Group; GROUPS],
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "elsewhere there is but one way"))]
    is_plain: bool,
}

impl Lanes {
    /// One that uses no vector instructions but those that every processor has; for tests that compare the ways.
    #[must_use]
    pub fn plain() -> Self {
        Self { is_plain: true, ..Self::default() }
    }

    /// Merges up to [`PIECES`] pieces of 1 to [`LONGEST`] parts each, tokens of the vocabulary that `joins` is of.
    pub fn merge<'a>(&mut self, joins: &Joins, mut pieces: impl Iterator<Item = &'a [TokenId]> + Clone) {
        for group in &mut self.groups {
            group.fill(pieces.clone().take(LANES));
            pieces.nth(LANES - 1);
        }
        self.run(joins.to_read());
    }

    /// How many ids a piece has.
    #[inline]
    #[must_use]
    pub fn count(&self, piece: usize) -> usize {
        self.groups[piece / LANES].counts.0[piece % LANES].cast_unsigned() as usize
    }

    /// The ids of a piece.
    #[inline]
    pub fn ids(&self, piece: usize) -> impl Iterator<Item = TokenId> {
        let (group, lane) = (&self.groups[piece / LANES], piece % LANES);
        group.parts[1..=self.count(piece)].iter().map(move |row| row.0[lane].cast_unsigned())
    }

    /// Writes the ids of a piece to the front of `to` and returns how many they are.
    ///
    /// # Panics
    /// Where `to` has no room for [`AT_ONCE`] or for all of them.
    #[inline]
    pub fn copy(&self, piece: usize, to: &mut [TokenId]) -> usize {
        let (group, lane, count) = (&self.groups[piece / LANES], piece % LANES, self.count(piece));
        // Always as many: how many they are is what the processor cannot predict.
        for (to, row) in to[..AT_ONCE].iter_mut().zip(&group.parts[1..]) {
            *to = row.0[lane].cast_unsigned();
        }
        if count > AT_ONCE {
            for (to, id) in to[..count].iter_mut().zip(self.ids(piece)) {
                *to = id;
            }
        }
        count
    }

    fn run(&mut self, joins: JoinsRef<'_>) {
        #[cfg(target_arch = "x86_64")]
        if !self.is_plain && is_x86_feature_detected!("avx2") {
            let has_avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            // SAFETY: the features that each of the two needs were detected on the lines above.
            return unsafe { if has_avx512 { self.run_avx512(joins) } else { self.run_avx2(joins) } };
        }
        self.run_any(joins, Plain);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,avx512f,avx512dq,avx512vl")]
    fn run_avx512(&mut self, joins: JoinsRef<'_>) {
        self.run_any(joins, Avx2(()));
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn run_avx2(&mut self, joins: JoinsRef<'_>) {
        self.run_any(joins, Avx2(()));
    }

    #[inline(always)]
    fn run_any(&mut self, joins: JoinsRef<'_>, way: impl Look) {
        for group in &mut self.groups {
            group.ask(joins);
        }
        for group in &mut self.groups {
            group.hear(joins, way);
        }
        while self.groups.iter().any(|group| group.rows > 0) {
            for group in self.groups.iter_mut().filter(|group| group.rows > 0) {
                group.step(joins, way);
            }
        }
    }
}
