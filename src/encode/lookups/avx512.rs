//! Keys and places of four pretokens at once with AVX-512; the rest of a look is as in `avx2`.

use std::arch::x86_64::{
    __m256i, __m512i, _mm_loadu_si128, _mm_set_epi64x, _mm256_alignr_epi64, _mm256_castsi128_si256,
    _mm256_cmpgt_epu64_mask, _mm256_inserti128_si256, _mm256_loadu_si256, _mm256_set1_epi64x, _mm256_sub_epi64,
    _mm512_add_epi64, _mm512_and_si512, _mm512_broadcast_i32x4, _mm512_castsi256_si512, _mm512_cmplt_epu8_mask,
    _mm512_inserti64x4, _mm512_maskz_mov_epi8, _mm512_min_epu64, _mm512_mullo_epi64, _mm512_permutexvar_epi64,
    _mm512_set_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_epi32,
    _mm512_srli_epi64, _mm512_storeu_si512, _mm512_ternarylogic_epi32,
};

use super::{AHEAD, Lookups};
use crate::encode::cache::Hot;
use crate::encode::key::{KEY_BYTES, SPREAD};

/// Groups of four that are packed before the places of one are asked for.
const DELAY: usize = 8;

impl Lookups {
    /// As `pack`, but leaves up to three at the end, or from the first that it could not load, to that.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    #[inline]
    pub(super) fn pack_fours(&mut self, hot: Hot<'_>, text: &[u8], base: usize, start: usize, ends: &[usize]) -> usize {
        let base = _mm256_set1_epi64x(base.cast_signed() as i64);
        let mut before = _mm256_set1_epi64x(start.cast_signed() as i64);
        let mut count = 0;
        let (keys, places) = (self.packed.keys.as_chunks_mut::<4>().0, self.packed.places.as_chunks_mut::<4>().0);
        for (group, ends) in ends.as_chunks::<4>().0.iter().enumerate().take(AHEAD / 4) {
            // Of a group some time before: what was just written as 64 bytes is not read back in parts before it is in memory.
            if let Some(places) = places.get(group.wrapping_sub(DELAY)) {
                for place in places {
                    hot.prefetch(place[0]);
                }
            }
            // SAFETY: four ends of eight bytes are the 32 that are read.
            let ends = unsafe { _mm256_loadu_si256(ends.as_ptr().cast()) };
            let starts = _mm256_alignr_epi64::<3>(ends, before);
            let Some(texts) = load_four(text, _mm256_sub_epi64(starts, base)) else { break };
            let key = pack_four(texts, _mm256_sub_epi64(ends, starts));
            // SAFETY: four keys, and four places, are the 64 bytes that are written.
            unsafe {
                _mm512_storeu_si512(keys[group].as_mut_ptr().cast(), key);
                _mm512_storeu_si512(places[group].as_mut_ptr().cast(), places_of(key, hot.mask()));
            }
            before = ends;
            count += 4;
        }
        self.packed.places[..count].iter().rev().take(4 * DELAY).for_each(|place| hot.prefetch(place[0]));
        count
    }
}

/// 16 bytes of text from each of four places, if they are there.
#[target_feature(enable = "avx512f,avx512vl")]
#[inline]
fn load_four(text: &[u8], at: __m256i) -> Option<__m512i> {
    let last = _mm256_set1_epi64x(text.len().checked_sub(16)?.cast_signed() as i64);
    if _mm256_cmpgt_epu64_mask(at, last) != 0 {
        return None;
    }
    // SAFETY: both types are 32 bytes of plain data, and every bit pattern is a value of each.
    let at: [usize; 4] = unsafe { std::mem::transmute(at) };
    // SAFETY: 16 bytes of text begin at each of the four, as was just asked.
    let load = |number: usize| unsafe { _mm_loadu_si128(text.as_ptr().add(at[number]).cast()) };
    let low = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(load(0)), load(1));
    let high = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(load(2)), load(3));
    Some(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high))
}

/// The keys of texts of these lengths, as [`crate::encode::key::Key::at`] makes them.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn pack_four(texts: __m512i, lengths: __m256i) -> __m512i {
    let pair = |low: u64, high: u64| _mm512_broadcast_i32x4(_mm_set_epi64x(high.cast_signed(), low.cast_signed()));
    // The length of each text in all 16 of its bytes.
    let twice = _mm512_set_epi64(3, 3, 2, 2, 1, 1, 0, 0);
    let lengths = _mm512_permutexvar_epi64(twice, _mm512_castsi256_si512(lengths));
    let lengths = _mm512_min_epu64(lengths, _mm512_set1_epi64(KEY_BYTES.cast_signed() as i64 + 1));
    let lengths = _mm512_shuffle_epi8(lengths, _mm512_setzero_si512());
    let numbers = pair(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908);
    let kept = _mm512_maskz_mov_epi8(_mm512_cmplt_epu8_mask(numbers, lengths), texts);
    // The text, or the length in the last byte.
    _mm512_ternarylogic_epi32::<0b1111_1000>(kept, lengths, pair(0, 0xFF << 56))
}

/// For each key, twice its place, as [`crate::encode::key::Key::spread`] makes it.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn places_of(keys: __m512i, mask: u64) -> __m512i {
    let [low, high] = SPREAD.map(u64::cast_signed);
    let products = _mm512_mullo_epi64(keys, _mm512_broadcast_i32x4(_mm_set_epi64x(high, low)));
    let sums = _mm512_add_epi64(products, _mm512_shuffle_epi32::<0b0100_1110>(products));
    _mm512_and_si512(_mm512_srli_epi64::<{ Hot::SHIFT }>(sums), _mm512_set1_epi64(mask.cast_signed()))
}
