//! The first look at a group of pretokens. It goes through all of them without a branch that depends on what is known:
//! ids of known pretokens are appended, unknown ones leave a gap. So the processor works on many pretokens at once and
//! nothing is mispredicted where known and unknown ones alternate. `gaps` is for the rest.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use std::mem::MaybeUninit;

use super::cache::{Hot, INLINE_IDS};
use super::key::Key;
use crate::ids::TokenId;
use crate::pretokenize::ends::BATCH;

/// Most pretokens of a group.
pub const GROUP: usize = BATCH;
/// Ids that are copied at once.
pub const CHUNK: usize = 16;
/// Pretokens whose places are fetched ahead of time.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 256;
/// Room for the ids of a group, padded so that whole chunks can be copied from every place.
const ROOM: usize = GROUP * INLINE_IDS + CHUNK;

/// A pretoken that the first look did not know: its number in the upper half, the number of ids before it in the lower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap(u32);

impl Gap {
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)]
    fn new(index: usize, before: usize) -> Self {
        Self((index << 16 | before) as u32)
    }

    /// Which pretoken of the group.
    #[inline(always)]
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize >> 16
    }

    /// How many ids of known pretokens come before it.
    #[inline(always)]
    #[must_use]
    pub fn before(self) -> usize {
        self.0 as usize & 0xFFFF
    }
}

/// What the first look found.
pub struct Lookups {
    gaps: [Gap; GROUP + 1],
    gap_count: usize,
    /// [`ROOM`] of them.
    ids: Box<[TokenId]>,
    id_count: usize,
    #[cfg(target_arch = "x86_64")]
    width: Width,
    #[cfg(target_arch = "x86_64")]
    packed: Packed,
}

/// Keys, and for each the place where it may be; twice, since vectors have it twice.
#[cfg(target_arch = "x86_64")]
#[repr(align(64))]
struct Packed {
    keys: [u128; AHEAD],
    places: [[usize; 2]; AHEAD],
    /// Bytes of the lines that the places are in.
    bytes: usize,
}

/// How wide the registers are that a look uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// None but those that every processor has.
    Portable,
    /// AVX2 and BMI.
    Avx2,
    /// AVX-512 F, BW, DQ and VL, for keys.
    Avx512,
}

impl Width {
    /// The widest of this processor.
    #[must_use]
    pub fn widest() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let has_avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2");
            let has_avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            if has_avx2 {
                return if has_avx512 { Self::Avx512 } else { Self::Avx2 };
            }
        }
        Self::Portable
    }
}

impl Default for Lookups {
    #[allow(clippy::large_stack_arrays, reason = "made once a thread")]
    fn default() -> Self {
        Self {
            gaps: [Gap::default(); GROUP + 1],
            gap_count: 0,
            ids: vec![0; ROOM].into_boxed_slice(),
            id_count: 0,
            #[cfg(target_arch = "x86_64")]
            width: Width::widest(),
            #[cfg(target_arch = "x86_64")]
            packed: Packed { keys: [0; AHEAD], places: [[0; 2]; AHEAD], bytes: 0 },
        }
    }
}

impl Lookups {
    /// With registers of this width, if the processor has them; for tests that compare the ways.
    #[must_use]
    pub fn with_width(width: Width) -> Self {
        let widest = Self::default();
        #[cfg(target_arch = "x86_64")]
        let widest = Self { width: width.min(widest.width), ..widest };
        #[cfg(not(target_arch = "x86_64"))]
        let _ = width;
        widest
    }

    /// Looks up the pretokens of `text` from `start` on that end at `ends`, at most [`GROUP`] of them.
    #[inline]
    pub fn look_up(&mut self, hot: Hot<'_>, text: &[u8], start: usize, ends: &[usize]) {
        (self.gap_count, self.id_count) = (0, 0);
        // SAFETY: this width, and a greater one, are chosen only where the features that the function needs were detected.
        #[cfg(target_arch = "x86_64")]
        let done = if self.width >= Width::Avx2 { unsafe { self.look_up_avx2(hot, text, start, ends) } } else { 0 };
        #[cfg(not(target_arch = "x86_64"))]
        let done = 0;
        self.look_up_from(done, hot, text, if done == 0 { start } else { ends[done - 1] }, ends);
    }

    #[inline]
    fn look_up_from(&mut self, done: usize, hot: Hot<'_>, text: &[u8], mut start: usize, ends: &[usize]) {
        for (index, &end) in ends.iter().enumerate().skip(done) {
            let key = Key::at(text, start, end - start);
            let (found, count, is_known) = hot.get(key);
            self.ids[self.id_count..self.id_count + INLINE_IDS].copy_from_slice(&found);
            self.note(index, if is_known { count } else { 0 }, is_known);
            start = end;
        }
    }

    /// Counts the ids that were just written, or leaves a gap: the next overwrites what does not count.
    // A group has fewer pretokens and ids than 16 bits can tell.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)]
    fn note(&mut self, index: usize, count: usize, is_known: bool) {
        self.gaps[self.gap_count] = Gap::new(index, self.id_count);
        self.id_count += count;
        self.gap_count += usize::from(!is_known);
    }

    /// The pretokens that were not known, in order.
    #[inline]
    #[must_use]
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps[..self.gap_count]
    }

    /// The ids of the others and, behind them, what [`CHUNK`] pads; and how many they are.
    #[inline]
    #[must_use]
    pub fn ids(&self) -> (&[TokenId], usize) {
        (&self.ids, self.id_count)
    }
}

/// Appends `source[..count]` in pieces of fixed size, which needs no prediction of how many there are as a copy of just so
/// many would. [`CHUNK`] more must stand in `source`.
///
/// # Panics
/// Where fewer stand there.
#[inline(always)]
pub fn append(ids: &mut Vec<TokenId>, source: &[TokenId], count: usize) {
    ids.reserve(count + CHUNK);
    let spare = ids.spare_capacity_mut();
    let mut copy = |at: usize| {
        let (from, to) = (source.get(at..)?.first_chunk::<CHUNK>()?, spare.get_mut(at..)?.first_chunk_mut::<CHUNK>()?);
        *to = from.map(MaybeUninit::new);
        Some(())
    };
    // For most, one is enough.
    let mut is_copied = copy(0).is_some();
    for at in (CHUNK..count).step_by(CHUNK) {
        is_copied &= copy(at).is_some();
    }
    assert!(is_copied, "the list of a batch is padded");
    // SAFETY: the capacity was reserved above, and `count` elements behind the end or more were just written, as was asked.
    unsafe { ids.set_len(ids.len() + count) };
}
