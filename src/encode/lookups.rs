//! The first look at a group of pretokens. It goes through all of them without a branch that depends on what is known:
//! ids of known pretokens are appended, unknown ones leave a gap. So the processor works on many pretokens at once and
//! nothing is mispredicted where known and unknown ones alternate. `gaps` is for the rest.

use super::cache::{Hot, INLINE_IDS};
use super::key::{KEY_BYTES, Key, MASKS_AND_LENGTHS, mix};
use crate::ids::TokenId;
use crate::memory::prefetch;
use crate::pretokenize::scanner::BATCH;

/// Most pretokens of a group.
pub const GROUP: usize = BATCH;
/// Ids that are copied at once.
pub const CHUNK: usize = 16;
/// Pretokens whose places are fetched ahead of time.
const AHEAD: usize = 32;
/// Room for the ids of a group, padded so that whole chunks can be copied from every place.
const ROOM: usize = GROUP * INLINE_IDS + 1 + CHUNK;

/// A pretoken that the first look did not know.
#[derive(Clone, Copy, Default)]
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
    packed: [(u128, usize); AHEAD],
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            gaps: [Gap::default(); GROUP + 1],
            gap_count: 0,
            ids: vec![0; ROOM].into_boxed_slice(),
            id_count: 0,
            packed: [(0, 0); AHEAD],
        }
    }
}

impl Lookups {
    /// Looks up the pretokens of `text` from `start` on that end at `ends`, at most [`GROUP`] of them.
    #[inline]
    pub fn look_up(&mut self, hot: Hot<'_>, text: &[u8], start: usize, ends: &[usize]) {
        (self.gap_count, self.id_count) = (0, 0);
        let mut done = 0;
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") {
            // SAFETY: the features that the function needs were detected on the line above.
            done = unsafe { self.look_up_avx2(hot, text, start, ends) };
        }
        let mut start = if done == 0 { start } else { ends[done - 1] };
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

    /// The same with AVX2; returns how many it looked up, which is all unless the ends are out of order.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn look_up_avx2(&mut self, hot: Hot<'_>, text: &[u8], start: usize, ends: &[usize]) -> usize {
        let ends = &ends[..ends.len().min(GROUP)];
        let done = self.look_up_in(hot, text, 0, start, ends, 0);
        if done == ends.len() {
            return done;
        }
        // The others begin less than 16 bytes before the end: of a copy with room behind it, all can be loaded.
        let base = text.len().saturating_sub(16);
        let mut padded = [0; 32];
        padded[..text.len() - base].copy_from_slice(&text[base..]);
        self.look_up_in(hot, &padded, base, if done == 0 { start } else { ends[done - 1] }, ends, done)
    }

    /// Looks up pretokens from number `done` on, up to the first that begins less than 16 bytes before the end of `text`, which
    /// is the text from byte `base` on; returns how many are done then.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    #[inline]
    fn look_up_in(
        &mut self,
        hot: Hot<'_>,
        text: &[u8],
        base: usize,
        mut start: usize,
        ends: &[usize],
        mut done: usize,
    ) -> usize {
        for ends in ends[done..].chunks(AHEAD) {
            let count = self.pack_avx2(hot, text, base, start, ends);
            self.find_avx2(hot, done, count);
            done += count;
            if count < ends.len() {
                break;
            }
            start = ends[count - 1];
        }
        done
    }

    /// Keys of the pretokens and their lines, which are fetched ahead of time; returns how many it could load.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    #[inline]
    fn pack_avx2(&mut self, hot: Hot<'_>, text: &[u8], base: usize, mut start: usize, ends: &[usize]) -> usize {
        use std::arch::x86_64::{
            _mm_and_si128, _mm_cvtsi128_si64, _mm_extract_epi64, _mm_loadu_si128, _mm_or_si128, _mm_storeu_si128,
        };

        let (lines, shift) = hot.lines();
        let Some(last) = text.len().checked_sub(16) else { return 0 };
        let mut count = 0;
        for (&end, packed) in ends.iter().zip(&mut self.packed) {
            let at = start.wrapping_sub(base);
            if at > last {
                break;
            }
            let [mask, length] = &MASKS_AND_LENGTHS[end.wrapping_sub(start).min(KEY_BYTES + 1)];
            // SAFETY: 16 bytes of text begin at `at`, as was just asked; the table's entries are 16 bytes each.
            let (text, mask, length) = unsafe {
                let load = |address: *const u8| _mm_loadu_si128(address.cast());
                (load(text.as_ptr().add(at)), load((&raw const *mask).cast()), load((&raw const *length).cast()))
            };
            let key = _mm_or_si128(_mm_and_si128(text, mask), length);
            let hash = mix(_mm_cvtsi128_si64(key).cast_unsigned(), _mm_extract_epi64::<1>(key).cast_unsigned());
            packed.1 = (hash >> shift) as usize;
            prefetch(&lines[packed.1]);
            // SAFETY: 16 bytes are written to a number of 16 bytes.
            unsafe { _mm_storeu_si128((&raw mut packed.0).cast(), key) };
            start = end;
            count += 1;
        }
        count
    }

    /// Looks up the first `count` of those packed; `first` were looked up before.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    #[inline]
    fn find_avx2(&mut self, hot: Hot<'_>, first: usize, count: usize) {
        use std::arch::x86_64::{
            _mm_extract_epi32, _mm_loadu_si128, _mm_storeu_si128, _mm256_broadcastsi128_si256, _mm256_castsi256_pd,
            _mm256_cmpeq_epi64, _mm256_loadu_si256, _mm256_movemask_pd,
        };

        let lines = hot.lines().0;
        assert!(first + count <= GROUP && self.ids.len() == ROOM);
        for number in 0..count {
            let packed = &self.packed[number];
            let line = &lines[packed.1];
            // SAFETY: a packed key is 16 bytes, and the first half of a line is 32.
            let (key, keys) =
                unsafe { (_mm_loadu_si128((&raw const packed.0).cast()), _mm256_loadu_si256(line.as_ptr().cast())) };
            let same = _mm256_castsi256_pd(_mm256_cmpeq_epi64(keys, _mm256_broadcastsi128_si256(key)));
            // One bit for each word of the two keys that is the same; then bit 0: the newer is, bit 2: the older is.
            let same = _mm256_movemask_pd(same).cast_unsigned();
            let known = same & same >> 1 & 0b101;
            // SAFETY: the ids of the newer entry are words 4 and 5 of the eight, those of the older 6 and 7.
            let ids = unsafe { _mm_loadu_si128(line.as_ptr().add(4 + (known as usize >> 1 & 2)).cast()) };
            // SAFETY: each of at most `GROUP` pretokens so far added three ids at most, as the lines below see to, and there is
            // room for four more than that.
            unsafe { _mm_storeu_si128(self.ids.as_mut_ptr().add(self.id_count).cast(), ids) };
            let count = _mm_extract_epi32::<3>(ids).cast_unsigned() & 3;
            self.note(first + number, if known == 0 { 0 } else { count }, known != 0);
        }
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
