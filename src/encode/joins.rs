//! Two neighbouring tokens -> the token that joining them gives. One entry for each token is enough: while a token's
//! bytes are merged, its two last parts are always the same, wherever it stands.
//!
//! For suppose `a` and `b` stand side by side and `ab` is a token. No merge has crossed the edges of `ab`, and of those
//! inside the lowest came first, leftmost on a tie. So they came in the order in which they come when `ab` is merged alone,
//! and that run, too, has reached `a`, `b`, with nothing left to do but join them.

#[cfg(target_arch = "x86_64")]
mod avx2;

use super::lanes::{LONGEST, Lanes, PIECES};
use super::memo;
use super::table::TokenTable;
use crate::ids::{THIRD_BITS, TokenId};
use crate::memory::{Words, prefetch_at};
use crate::vocab::Vocabulary;

/// Bits of an id in an entry. Vocabularies with higher ids are merged one piece at a time.
const ID_BITS: u32 = THIRD_BITS;
/// An id that no token of such a vocabulary has: nothing joins it.
pub const NO_TOKEN: i32 = (1 << ID_BITS) - 1;
/// No join; above every id.
pub const NONE: i32 = i32::MAX;
/// Most bytes of a token: words that come in crowds are no longer.
const MOST_BYTES: usize = memo::LONGEST;
/// Entries that are looked at together, half a cache line.
const BUCKET: usize = 4;
const BUCKET_BYTES: usize = BUCKET * size_of::<u64>();
/// Buckets that are looked at, one behind another, for a free entry.
const PATIENCE: usize = 64;
/// The bit of a bucket's first entry that says that others which belong there stand in the next.
const GOES_ON: u64 = 1;
/// Joins whose buckets are asked for ahead of time while the table is made.
const AHEAD: usize = 16;
const KEY_SHIFT: u32 = ID_BITS + 1;

/// `(left, right) -> made`, in buckets: looking up is comparing four entries at once, and for 98 in 100 no more.
pub struct Joins {
    /// `(left + 1) << 43 | right << 22 | (made + 1) << 1`, and [`GOES_ON`]. 0 is free.
    entries: Words,
    shift: u32,
}

/// Two tokens and what they make.
#[derive(Clone, Copy)]
struct Join {
    left: TokenId,
    right: TokenId,
    made: TokenId,
}

impl Join {
    /// That of a token of two bytes.
    fn of_bytes(vocabulary: &Vocabulary, made: TokenId) -> Option<Self> {
        let [left, right] = *vocabulary.get(made)?.first_chunk()?;
        Some(Self { left: vocabulary.byte_id(left), right: vocabulary.byte_id(right), made })
    }
}

impl Joins {
    /// The joins of every token of up to [`MOST_BYTES`], the shorter first: to find the last two parts of one, the joins of shorter
    /// ones are enough. Tokens that begin with more than [`LONGEST`] parts are left out: a piece in which one is made begins
    /// with as many there, since what is sure in the piece is sure in the token alone. `None` where an id is too high, or where so many joins
    /// belong in one place that someone must have meant it.
    #[must_use]
    pub fn of(table: &TokenTable, vocabulary: &Vocabulary) -> Option<Self> {
        if vocabulary.id_limit() >= NO_TOKEN as usize {
            return None;
        }
        let mut joins = Self::with_bits((2 * vocabulary.len() / BUCKET).next_power_of_two().ilog2());
        let sure = table.sure(vocabulary);
        let mut by_length = by_length(vocabulary);
        let pairs = std::mem::take(&mut by_length[2]).into_iter();
        let mut found: Vec<Join> = pairs.filter_map(|id| Join::of_bytes(vocabulary, id)).collect();
        joins.insert_all(&found)?;
        let (mut lanes, mut parts) = (Lanes::default(), Vec::new());
        // By number of parts, and for each token its first: those of as many take as many steps.
        let mut in_parts: Vec<Vec<(TokenId, usize)>> = vec![Vec::new(); LONGEST + 1];
        for tokens in by_length {
            parts.clear();
            found.clear();
            for id in tokens {
                let first = parts.len();
                sure.append(vocabulary.get(id).unwrap_or_default(), &mut parts);
                match parts[first..] {
                    [left, right] => found.push(Join { left, right, made: id }),
                    [..] => {
                        if let Some(tokens) = in_parts.get_mut(parts.len() - first) {
                            tokens.push((id, first));
                        }
                    }
                }
            }
            for (count, tokens) in in_parts.iter_mut().enumerate() {
                for tokens in tokens.chunks(PIECES) {
                    lanes.merge(&joins, tokens.iter().map(|&(_, first)| &parts[first..first + count]));
                    for (lane, &(id, _)) in tokens.iter().enumerate() {
                        let mut halves = lanes.ids(lane);
                        // The others are never made: merging leaves three parts of them or more.
                        if let (Some(left), Some(right), None) = (halves.next(), halves.next(), halves.next()) {
                            found.push(Join { left, right, made: id });
                        }
                    }
                }
                tokens.clear();
            }
            // None of these is needed to find another: all are as long.
            joins.insert_all(&found)?;
        }
        Some(joins)
    }

    fn with_bits(bits: u32) -> Self {
        Self { entries: Words::new(BUCKET << bits), shift: 32 - bits - BUCKET_BYTES.ilog2() }
    }

    /// To look up.
    #[inline(always)]
    #[must_use]
    pub fn to_read(&self) -> JoinsRef<'_> {
        JoinsRef { buckets: self.entries.get().as_chunks().0, shift: self.shift }
    }

    /// Adds joins, their buckets asked for ahead of time; `None` where one finds no room.
    fn insert_all(&mut self, all: &[Join]) -> Option<()> {
        for (number, &join) in all.iter().enumerate() {
            if let Some(later) = all.get(number + AHEAD) {
                let reader = self.to_read();
                reader.prefetch(reader.place(later.left.cast_signed(), later.right.cast_signed()));
            }
            self.insert(join)?;
        }
        Some(())
    }

    fn insert(&mut self, Join { left, right, made }: Join) -> Option<()> {
        let (left, right) = (left.cast_signed(), right.cast_signed());
        let first = self.to_read().place(left, right).cast_unsigned() as usize / BUCKET_BYTES;
        let (buckets, _) = self.entries.get_mut().as_chunks_mut::<BUCKET>();
        // As many as a power of two.
        let last = buckets.len() - 1;
        for at in (first..first + PATIENCE).map(|at| at & last) {
            if let Some(free) = buckets[at].iter_mut().find(|entry| **entry & !GOES_ON == 0) {
                *free |= key(left, right) << KEY_SHIFT | u64::from(made + 1) << 1;
                return Some(());
            }
            buckets[at][0] |= GOES_ON;
        }
        None
    }
}

/// The ids of the tokens of two to [`MOST_BYTES`], by length.
fn by_length(vocabulary: &Vocabulary) -> Vec<Vec<TokenId>> {
    let tokens = || vocabulary.iter().filter(|(_, token)| (2..=MOST_BYTES).contains(&token.len()));
    let mut counts = [0; MOST_BYTES + 1];
    tokens().for_each(|(_, token)| counts[token.len()] += 1);
    let mut by_length: Vec<_> = counts.into_iter().map(Vec::with_capacity).collect();
    tokens().for_each(|(id, token)| by_length[token.len()].push(id));
    by_length
}

/// The same, to read in a loop: what the loop needs stays in registers.
#[derive(Clone, Copy)]
pub struct JoinsRef<'a> {
    buckets: &'a [[u64; BUCKET]],
    shift: u32,
}

impl JoinsRef<'_> {
    /// The first byte of the bucket where joining two tokens is looked for.
    #[inline(always)]
    #[must_use]
    #[allow(clippy::cast_possible_wrap)]
    pub fn place(self, left: i32, right: i32) -> i32 {
        // Two odd numbers without a pattern (the fractions of the golden ratio and of the square root of 3).
        let [left_part, right_part] =
            [(left, 0x9E37_79B9_u32), (right, 0xBB67_AE85)].map(|(id, odd)| id.wrapping_mul(odd as i32));
        let place = left_part.wrapping_add(right_part).cast_unsigned() >> self.shift & !(BUCKET_BYTES as u32 - 1);
        // Where a piece ends nothing is joined, and there is nothing to fetch.
        if left == NO_TOKEN || right == NO_TOKEN { 0 } else { place as i32 }
    }

    /// Asks for a bucket without waiting for it.
    #[inline(always)]
    pub fn prefetch(self, place: i32) {
        prefetch_at(self.buckets.as_ptr().wrapping_byte_add(place.cast_unsigned() as usize));
    }

    /// What joining two tokens makes, or [`NONE`]; `place` is theirs.
    #[inline(always)]
    #[must_use]
    pub fn get(self, place: i32, left: i32, right: i32) -> i32 {
        let (at, key) = (place.cast_unsigned() as usize / BUCKET_BYTES, key(left, right));
        let bucket = &self.buckets[at];
        // Two steps: as one, they are not compiled to vectors.
        let found = bucket.map(|entry| if entry >> KEY_SHIFT == key { entry } else { 0 }).iter().fold(0, |a, b| a | b);
        // Few buckets go on, while half of the pairs are not found: the other way round, this would be mispredicted.
        if bucket[0] & GOES_ON != 0 && found == 0 {
            return further(self.buckets, at, key);
        }
        made(found)
    }
}

#[cold]
#[inline(never)]
fn further(buckets: &[[u64; BUCKET]], mut at: usize, key: u64) -> i32 {
    while buckets[at][0] & GOES_ON != 0 {
        at = (at + 1) % buckets.len();
        if let Some(&entry) = buckets[at].iter().find(|&entry| entry >> KEY_SHIFT == key) {
            return made(entry);
        }
    }
    NONE
}

/// What an entry makes; [`NONE`] for 0.
#[inline(always)]
#[allow(clippy::cast_possible_wrap)]
fn made(entry: u64) -> i32 {
    ((entry >> 1 & NO_TOKEN as u64) as i32 - 1) & NONE
}

#[inline(always)]
fn key(left: i32, right: i32) -> u64 {
    (u64::from(left.cast_unsigned()) + 1) << ID_BITS | u64::from(right.cast_unsigned())
}
