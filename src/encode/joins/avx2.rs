//! Eight lookups at once with AVX2: four buckets are compared with their keys and folded into one vector together, which takes
//! less than half of the instructions of folding each alone.

#![allow(clippy::wildcard_imports, reason = "the intrinsics' names say where they come from")]

use std::arch::x86_64::*;

use super::{BUCKET_BYTES, GOES_ON, ID_BITS, JoinsRef, KEY_SHIFT, NONE};

/// Pairs that are looked up together.
type Eight = [i32; 8];

impl JoinsRef<'_> {
    /// As [`JoinsRef::get`], for eight.
    ///
    /// # Panics
    /// A place that is not one of [`JoinsRef::place`].
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in crate::encode) fn get_eight(self, places: &Eight, left: &Eight, right: &Eight) -> Eight {
        // There are as many buckets as a power of two, so a place has no bit that the last one has not.
        let last = (size_of_val(self.buckets) - BUCKET_BYTES) as u32;
        let beyond = _mm256_set1_epi32(!last.cast_signed());
        assert!(self.buckets.len().is_power_of_two() && _mm256_testz_si256(to_vector(*places), beyond) == 1);
        let keys = keys(left, right);
        // SAFETY: the table has a whole bucket from each place on, as was just asked.
        let load = |lane: usize| unsafe {
            let bucket = self.buckets.as_ptr().byte_add(places[lane].cast_unsigned() as usize);
            _mm256_xor_si256(_mm256_loadu_si256(bucket.cast()), _mm256_set1_epi64x(keys[lane]))
        };
        let (low, low_left) = fold([0, 1, 2, 3].map(load));
        let (high, high_left) = fold([4, 5, 6, 7].map(load));
        // The lower half of each word.
        let halves = _mm256_shuffle_ps::<0b10_00_10_00>(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high));
        let found = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_castps_si256(halves));
        // One less than what stands there, and `NONE` for 0.
        let made = _mm256_add_epi32(_mm256_srli_epi32::<1>(found), _mm256_set1_epi32(-1));
        let mut made = to_array(_mm256_and_si256(made, _mm256_set1_epi32(NONE)));
        let mut still = low_left | high_left << 4;
        while still != 0 {
            let lane = still.trailing_zeros() as usize;
            made[lane] = self.get(places[lane], left[lane], right[lane]);
            still &= still - 1;
        }
        made
    }
}

/// As entries have them.
#[target_feature(enable = "avx2")]
#[inline]
fn keys(left: &Eight, right: &Eight) -> [i64; 8] {
    let mut keys = [0; 8];
    for ((key, left), right) in keys.iter_mut().zip(left).zip(right) {
        let [left, right] = [left, right].map(|id| u64::from(id.cast_unsigned()));
        *key = ((left + 1) << (ID_BITS + KEY_SHIFT) | right << KEY_SHIFT).cast_signed();
    }
    keys
}

/// Of each of four buckets, of whose entries the key was taken away: the entry of which nothing but what it makes is left, or 0;
/// and one bit for each that has none, but goes on.
#[target_feature(enable = "avx2")]
#[inline]
fn fold(buckets: [__m256i; 4]) -> (__m256i, i32) {
    let [a, b, c, d] = buckets;
    let zero = _mm256_setzero_si256();
    let matching = |entries| {
        _mm256_and_si256(entries, _mm256_cmpeq_epi64(_mm256_srli_epi64::<{ KEY_SHIFT.cast_signed() }>(entries), zero))
    };
    // The first and third entry of two buckets by turns, and the second and fourth.
    let [odd, odd_behind] = [_mm256_unpacklo_epi64(a, b), _mm256_unpacklo_epi64(c, d)];
    let [even, even_behind] = [_mm256_unpackhi_epi64(a, b), _mm256_unpackhi_epi64(c, d)];
    let halves = _mm256_or_si256(matching(odd), matching(even));
    let halves_behind = _mm256_or_si256(matching(odd_behind), matching(even_behind));
    let found = _mm256_or_si256(
        _mm256_permute2x128_si256::<0x20>(halves, halves_behind),
        _mm256_permute2x128_si256::<0x31>(halves, halves_behind),
    );
    let first = _mm256_permute2x128_si256::<0x20>(odd, odd_behind);
    let goes_on = _mm256_set1_epi64x(GOES_ON.cast_signed());
    let is_done = _mm256_or_si256(found, _mm256_andnot_si256(first, goes_on));
    (found, _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(is_done, zero))))
}

#[target_feature(enable = "avx2")]
#[inline]
fn to_array(eight: __m256i) -> Eight {
    // SAFETY: both are 32 bytes of plain data, and every bit pattern is a value of each.
    unsafe { std::mem::transmute(eight) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn to_vector(eight: Eight) -> __m256i {
    // SAFETY: as above.
    unsafe { std::mem::transmute(eight) }
}
