//! [`Lookups::look_up`] with AVX2: a key is one load and one mask, both keys of a line are compared at once, and the lines of a
//! few pretokens are asked for before the first of them is looked at.

use std::arch::x86_64::{
    _mm_and_si128, _mm_cvtsi128_si64, _mm_extract_epi32, _mm_extract_epi64, _mm_loadu_si128, _mm_or_si128,
    _mm_storeu_si128, _mm256_broadcastsi128_si256, _mm256_castsi256_pd, _mm256_cmpeq_epi64, _mm256_loadu_si256,
    _mm256_movemask_pd,
};

use super::{AHEAD, GROUP, Lookups, ROOM};
use crate::encode::cache::Hot;
use crate::encode::key::{KEY_BYTES, MASKS_AND_LENGTHS, mix};
use crate::memory::prefetch;

impl Lookups {
    /// The same with AVX2; returns how many it looked up, which is all unless the ends are out of order.
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    pub(super) fn look_up_avx2(&mut self, hot: Hot<'_>, text: &[u8], start: usize, ends: &[usize]) -> usize {
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
            let count = self.pack(hot, text, base, start, ends);
            self.find(hot, done, count);
            done += count;
            if count < ends.len() {
                break;
            }
            start = ends[count - 1];
        }
        done
    }

    /// Keys of the pretokens and their lines, which are fetched ahead of time; returns how many it could load.
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    #[inline]
    fn pack(&mut self, hot: Hot<'_>, text: &[u8], base: usize, mut start: usize, ends: &[usize]) -> usize {
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
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    #[inline]
    fn find(&mut self, hot: Hot<'_>, first: usize, count: usize) {
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
}
