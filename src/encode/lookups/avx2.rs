//! [`Lookups::look_up`] with AVX2: a key is one load and one mask, both keys of a line are compared at once, and the lines of
//! many pretokens are asked for before the first of them is looked at.

use std::arch::x86_64::{
    _mm_and_si128, _mm_cvtsi128_si64, _mm_extract_epi64, _mm_loadu_si128, _mm_or_si128, _mm_storeu_si128,
    _mm256_broadcastsi128_si256, _mm256_castsi256_pd, _mm256_cmpeq_epi64, _mm256_loadu_si256, _mm256_movemask_pd,
    _mm256_setr_epi8, _mm256_shuffle_epi8, _mm256_storeu_si256,
};

use super::{AHEAD, GROUP, Gap, Lookups, ROOM, Width};
use crate::encode::cache::{Hot, INLINE_IDS};
use crate::encode::key::{KEY_BYTES, Key, MASKS_AND_LENGTHS};

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
            let fours = if self.width == Width::Avx512 {
                // SAFETY: this width is chosen only where the features that the function needs were detected.
                unsafe { self.pack_fours(hot, text, base, start, ends) }
            } else {
                0
            };
            let count = self.pack(hot, text, base, start, ends, fours);
            self.find(hot, done, count);
            done += count;
            if count < ends.len() {
                break;
            }
            start = ends[count - 1];
        }
        done
    }

    /// Keys of the pretokens behind the first `count`, and their places; returns how many are packed then.
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    #[inline(never)]
    fn pack(
        &mut self,
        hot: Hot<'_>,
        text: &[u8],
        base: usize,
        start: usize,
        ends: &[usize],
        mut count: usize,
    ) -> usize {
        let Some(last) = text.len().checked_sub(16) else { return 0 };
        self.packed.bytes = size_of_val(hot.lines());
        let mut start = if count == 0 { start } else { ends[count - 1] };
        let packed = self.packed.keys[count..].iter_mut().zip(&mut self.packed.places[count..]);
        for (&end, (packed, place)) in ends[count..].iter().zip(packed) {
            let at = start.wrapping_sub(base);
            if at > last {
                break;
            }
            let [mask, length] = &MASKS_AND_LENGTHS[end.wrapping_sub(start).min(KEY_BYTES + 1)];
            // SAFETY: 16 bytes of text begin at `at`, as was just asked; the table's entries and a packed key are 16 bytes each.
            let key = unsafe {
                let load = |address: *const u8| _mm_loadu_si128(address.cast());
                let (mask, length) = (load((&raw const *mask).cast()), load((&raw const *length).cast()));
                let key = _mm_or_si128(_mm_and_si128(load(text.as_ptr().add(at)), mask), length);
                _mm_storeu_si128((&raw mut *packed).cast(), key);
                key
            };
            let [low, high] = [_mm_cvtsi128_si64(key), _mm_extract_epi64::<1>(key)].map(i64::cast_unsigned);
            place[0] = hot.place(Key { low, high });
            hot.prefetch(place[0]);
            start = end;
            count += 1;
        }
        count
    }

    /// Looks up the first `count` of those packed; `first` were looked up before.
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    #[inline(never)]
    fn find(&mut self, hot: Hot<'_>, first: usize, count: usize) {
        let lines = hot.lines();
        let are_places = count == 0 || size_of_val(lines) == self.packed.bytes;
        let is_sound = count <= AHEAD && first + count <= GROUP && self.ids.len() == ROOM && are_places;
        assert!(is_sound && self.gap_count <= first && self.id_count <= first * INLINE_IDS);
        // Numbers in registers, not in memory.
        let (mut id_count, mut gap_count) = (self.id_count, self.gap_count);
        let (ids, gaps) = (self.ids.as_mut_ptr(), self.gaps.as_mut_ptr());
        // From three bytes an id to four: four ids in the lower half, the fifth in the upper.
        #[rustfmt::skip]
        let wider = _mm256_setr_epi8(
            0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1,
            12, 13, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
        );
        for number in 0..count {
            // SAFETY: `number` is below the number of packed keys and places, and every place is that of a line. The first
            // half of a line is two keys of 16 bytes, the second their entries, 16 bytes each.
            let (known, entry) = unsafe {
                let line = lines.as_ptr().byte_add(self.packed.places.get_unchecked(number)[0]).cast::<u8>();
                let key = _mm_loadu_si128((&raw const *self.packed.keys.get_unchecked(number)).cast());
                let same = _mm256_cmpeq_epi64(_mm256_loadu_si256(line.cast()), _mm256_broadcastsi128_si256(key));
                // One bit for each word of the two keys that is the same; then bit 0: the newer is, bit 2: the older is.
                let same = _mm256_movemask_pd(_mm256_castsi256_pd(same)).cast_unsigned();
                let known = same & same >> 1 & 0b101;
                (known != 0, line.add(32 + 4 * (known as usize & 0b100)))
            };
            // SAFETY: each of at most `GROUP` pretokens so far left one gap or up to five ids, no entry having more, and there is
            // room for one more gap and eight more ids than that. The number of ids is the last byte of an entry.
            unsafe {
                let entry_ids = _mm256_broadcastsi128_si256(_mm_loadu_si128(entry.cast()));
                _mm256_storeu_si256(ids.add(id_count).cast(), _mm256_shuffle_epi8(entry_ids, wider));
                gaps.add(gap_count).write(Gap::new(first + number, id_count));
                id_count += if known { usize::from(*entry.add(15)) } else { 0 };
            }
            gap_count += usize::from(!known);
        }
        (self.id_count, self.gap_count) = (id_count, gap_count);
    }
}
