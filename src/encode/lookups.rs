//! The first look at a group of pretokens. It goes through all of them without a branch that depends on what is known:
//! ids of known pretokens are appended, unknown ones leave a gap. So the processor works on many pretokens at once and
//! nothing is mispredicted where known and unknown ones alternate. `gaps` is for the rest.

#[cfg(target_arch = "x86_64")]
mod avx2;

use super::cache::{Hot, INLINE_IDS};
use super::key::Key;
use crate::ids::TokenId;
use crate::pretokenize::scanner::BATCH;

/// Most pretokens of a group.
pub const GROUP: usize = BATCH;
/// Ids that are copied at once.
pub const CHUNK: usize = 16;
/// Pretokens whose places are fetched ahead of time.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 32;
/// Room for the ids of a group, padded so that whole chunks can be copied from every place.
const ROOM: usize = GROUP * INLINE_IDS + 1 + CHUNK;

/// A pretoken that the first look did not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// Which pretoken of the group.
    pub index: u16,
    /// How many ids of known pretokens come before it.
    pub before: u16,
}

/// What the first look found.
pub struct Lookups {
    gaps: [Gap; GROUP + 1],
    gap_count: usize,
    /// [`ROOM`] of them.
    ids: Box<[TokenId]>,
    id_count: usize,
    /// Keys, and which line of the hot entries each may be in.
    #[cfg(target_arch = "x86_64")]
    packed: [(u128, usize); AHEAD],
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            gaps: [Gap::default(); GROUP + 1],
            gap_count: 0,
            ids: vec![0; ROOM].into_boxed_slice(),
            id_count: 0,
            #[cfg(target_arch = "x86_64")]
            packed: [(0, 0); AHEAD],
        }
    }
}

impl Lookups {
    /// Looks up the pretokens of `text` from `start` on that end at `ends`, at most [`GROUP`] of them.
    #[inline]
    pub fn look_up(&mut self, hot: Hot<'_>, text: &[u8], start: usize, ends: &[usize]) {
        (self.gap_count, self.id_count) = (0, 0);
        #[cfg(target_arch = "x86_64")]
        let is_wide =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2");
        // SAFETY: the features that the function needs were detected on the line above.
        #[cfg(target_arch = "x86_64")]
        let done = if is_wide { unsafe { self.look_up_avx2(hot, text, start, ends) } } else { 0 };
        #[cfg(not(target_arch = "x86_64"))]
        let done = 0;
        self.look_up_from(done, hot, text, if done == 0 { start } else { ends[done - 1] }, ends);
    }

    /// The same without vector instructions, for processors that lack them and for tests that compare the two.
    pub fn look_up_portable(&mut self, hot: Hot<'_>, text: &[u8], start: usize, ends: &[usize]) {
        (self.gap_count, self.id_count) = (0, 0);
        self.look_up_from(0, hot, text, start, ends);
    }

    #[inline]
    fn look_up_from(&mut self, done: usize, hot: Hot<'_>, text: &[u8], mut start: usize, ends: &[usize]) {
        for (index, &end) in ends.iter().enumerate().skip(done) {
            let key = Key::at(text, start, end - start);
            let (found, is_known) = hot.get(key, hot.place(key.hash()));
            self.ids[self.id_count..=self.id_count + INLINE_IDS].copy_from_slice(&found);
            self.note(index, if is_known { found[INLINE_IDS] } else { 0 }, is_known);
            start = end;
        }
    }

    /// Counts the ids that were just written, or leaves a gap: the next overwrites what does not count.
    // A group has fewer pretokens and ids than 16 bits can tell.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)]
    fn note(&mut self, index: usize, count: TokenId, is_known: bool) {
        self.gaps[self.gap_count] = Gap { index: index as u16, before: self.id_count as u16 };
        self.id_count += count as usize;
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
    let spare = ids.spare_capacity_mut().as_chunks_mut::<CHUNK>().0;
    let source = source.as_chunks::<CHUNK>().0;
    let mut done = 0;
    for (to, from) in spare.iter_mut().zip(source) {
        for (to, from) in to.iter_mut().zip(from) {
            to.write(*from);
        }
        done += CHUNK;
        if done >= count {
            break;
        }
    }
    assert!(done >= count, "the list of a batch is padded");
    // SAFETY: the capacity was reserved above, and `done` elements behind the end, `count` or more, were just written.
    unsafe { ids.set_len(ids.len() + count) };
}
