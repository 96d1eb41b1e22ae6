//! The product of the room above with vector instructions: the same operations on the same 16 lanes, bit for bit.
//!
//! `unsafe` is only in the loads at the end, each from an array of exactly the size that is read, and in the two calls
//! from `mod.rs` that follow a check of the processor.

#![allow(clippy::wildcard_imports, reason = "the intrinsics' names say where they come from")]

use super::blocks::{Block, LANES, Q4_0, Q4_1, Q5_0, Q8_0};
use super::{BLOCK, Format, Shape, each_product};
use std::arch::x86_64::*;

pub(super) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

pub(super) fn has_avx512() -> bool {
    has_avx2() && is_x86_feature_detected!("avx512f")
}

/// Levels come from a table of 16 numbers in one register, which is what a 4-bit weight is an index of.
#[target_feature(enable = "avx512f,avx2,fma,f16c")]
pub(super) fn rows_avx512(format: Format, bytes: &[u8], x: &[f32], out: &mut [f32], shape: Shape) {
    let from_zero =
        _mm512_setr_ps(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0);
    let from_minus_8 = _mm512_sub_ps(from_zero, _mm512_set1_ps(8.0));
    let sixteen = _mm512_set1_ps(16.0);
    let from_minus_16 = _mm512_sub_ps(from_zero, sixteen);
    // The index is the lowest four bits of each lane, so the low half needs no mask.
    let look_up = |block: &[u8], table| {
        let pairs = _mm512_cvtepu8_epi32(load_16(block));
        let [low, high] = [pairs, _mm512_srli_epi32::<4>(pairs)];
        [_mm512_permutexvar_ps(low, table), _mm512_permutexvar_ps(high, table)]
    };
    match format {
        Format::Q8_0 => each_product(bytes, x, out, shape, |row, x| {
            let signed = |block: &[u8]| _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load_16(block)));
            dot_avx512::<Q8_0>(row, x, |block| [signed(&block[2..18]), signed(&block[18..34])])
        }),
        Format::Q5_0 => each_product(bytes, x, out, shape, |row, x| {
            dot_avx512::<Q5_0>(row, x, |block| {
                let [low, high] = look_up(&block[6..22], from_minus_16);
                let low_bits = u16::from_le_bytes([block[2], block[3]]);
                let high_bits = u16::from_le_bytes([block[4], block[5]]);
                [_mm512_mask_add_ps(low, low_bits, low, sixteen), _mm512_mask_add_ps(high, high_bits, high, sixteen)]
            })
        }),
        Format::Q4_1 => each_product(bytes, x, out, shape, |row, x| {
            dot_avx512::<Q4_1>(row, x, |block| look_up(&block[4..20], from_zero))
        }),
        Format::Q4_0 => each_product(bytes, x, out, shape, |row, x| {
            dot_avx512::<Q4_0>(row, x, |block| look_up(&block[2..18], from_minus_8))
        }),
    }
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
#[inline]
fn dot_avx512<F: Block>(row: &[u8], x: &[f32], levels: impl Fn(&[u8]) -> [__m512; 2]) -> f32 {
    let mut sums = _mm512_setzero_ps();
    for (block, x) in row.chunks_exact(F::BYTES).zip(x.as_chunks::<BLOCK>().0) {
        let [low, high] = levels(block);
        let [x_low, x_high] = load_32(x);
        let pair = _mm512_fmadd_ps(high, x_high, _mm512_mul_ps(low, x_low));
        sums = _mm512_fmadd_ps(_mm512_broadcastss_ps(half([block[0], block[1]])), pair, sums);
        if F::HAS_MINIMUM {
            let minimum = _mm512_broadcastss_ps(half([block[2], block[3]]));
            sums = _mm512_fmadd_ps(minimum, _mm512_add_ps(x_low, x_high), sums);
        }
    }
    let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(sums)));
    fold([_mm512_castps512_ps256(sums), high])
}

/// A block in four registers of eight: the low levels, then the high ones.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn rows_avx2(format: Format, bytes: &[u8], x: &[f32], out: &mut [f32], shape: Shape) {
    let nibble = _mm256_set1_epi32(15);
    match format {
        Format::Q8_0 => each_product(bytes, x, out, shape, |row, x| {
            dot_avx2::<Q8_0>(row, x, |block| {
                let [first, second] = [load_16(&block[2..18]), load_16(&block[18..34])];
                [first, _mm_srli_si128::<8>(first), second, _mm_srli_si128::<8>(second)]
                    .map(|eight| _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight)))
            })
        }),
        Format::Q5_0 => each_product(bytes, x, out, shape, |row, x| {
            let shifts = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let sixteen = _mm256_set1_epi32(16);
            dot_avx2::<Q5_0>(row, x, |block| {
                let [first, second] = eights_unsigned(&block[6..22]);
                let fifth = |byte: u8| {
                    // Bit `lane` of the byte, moved to where it counts 16.
                    let bits = _mm256_srlv_epi32(_mm256_set1_epi32(i32::from(byte) << 4), shifts);
                    _mm256_and_si256(bits, sixteen)
                };
                let level =
                    |low, byte| _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_or_si256(low, fifth(byte)), sixteen));
                [
                    level(_mm256_and_si256(first, nibble), block[2]),
                    level(_mm256_and_si256(second, nibble), block[3]),
                    level(_mm256_srli_epi32::<4>(first), block[4]),
                    level(_mm256_srli_epi32::<4>(second), block[5]),
                ]
            })
        }),
        Format::Q4_1 => each_product(bytes, x, out, shape, |row, x| {
            dot_avx2::<Q4_1>(row, x, |block| {
                let [first, second] = eights_unsigned(&block[4..20]);
                [
                    _mm256_cvtepi32_ps(_mm256_and_si256(first, nibble)),
                    _mm256_cvtepi32_ps(_mm256_and_si256(second, nibble)),
                    _mm256_cvtepi32_ps(_mm256_srli_epi32::<4>(first)),
                    _mm256_cvtepi32_ps(_mm256_srli_epi32::<4>(second)),
                ]
            })
        }),
        Format::Q4_0 => each_product(bytes, x, out, shape, |row, x| {
            // Flipping the highest bit of a half turns 0..15 into the two's complement of -8..7.
            let flip = _mm_set1_epi8(0x88u8.cast_signed());
            dot_avx2::<Q4_0>(row, x, |block| {
                let bytes = _mm_xor_si128(load_16(&block[2..18]), flip);
                let [first, second] = [bytes, _mm_srli_si128::<8>(bytes)].map(|eight| _mm256_cvtepi8_epi32(eight));
                let low = |pair| _mm256_srai_epi32::<28>(_mm256_slli_epi32::<28>(pair));
                [
                    _mm256_cvtepi32_ps(low(first)),
                    _mm256_cvtepi32_ps(low(second)),
                    _mm256_cvtepi32_ps(_mm256_srai_epi32::<4>(first)),
                    _mm256_cvtepi32_ps(_mm256_srai_epi32::<4>(second)),
                ]
            })
        }),
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn dot_avx2<F: Block>(row: &[u8], x: &[f32], levels: impl Fn(&[u8]) -> [__m256; 4]) -> f32 {
    let mut sums = [_mm256_setzero_ps(); 2];
    for (block, x) in row.chunks_exact(F::BYTES).zip(x.as_chunks::<8>().0.as_chunks::<4>().0) {
        let levels = levels(block);
        let x = [load_8(&x[0]), load_8(&x[1]), load_8(&x[2]), load_8(&x[3])];
        let scale = _mm256_broadcastss_ps(half([block[0], block[1]]));
        for part in 0..2 {
            let pair = _mm256_fmadd_ps(levels[part + 2], x[part + 2], _mm256_mul_ps(levels[part], x[part]));
            sums[part] = _mm256_fmadd_ps(scale, pair, sums[part]);
            if F::HAS_MINIMUM {
                let minimum = _mm256_broadcastss_ps(half([block[2], block[3]]));
                sums[part] = _mm256_fmadd_ps(minimum, _mm256_add_ps(x[part], x[part + 2]), sums[part]);
            }
        }
    }
    fold(sums)
}

/// [`super::fold`] of the lanes in two registers.
#[target_feature(enable = "avx2")]
#[inline]
fn fold([low, high]: [__m256; 2]) -> f32 {
    let eight = _mm256_add_ps(low, high);
    let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}

/// Sixteen bytes as two times eight integers.
#[target_feature(enable = "avx2")]
#[inline]
fn eights_unsigned(bytes: &[u8]) -> [__m256i; 2] {
    let bytes = load_16(bytes);
    [_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128::<8>(bytes))]
}

/// A half-precision number, in the lowest lane.
#[target_feature(enable = "f16c")]
#[inline]
fn half(bytes: [u8; 2]) -> __m128 {
    _mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(u16::from_le_bytes(bytes))))
}

#[target_feature(enable = "sse2")]
#[inline]
fn load_16(bytes: &[u8]) -> __m128i {
    let bytes = &bytes[..16];
    // SAFETY: the slice has 16 bytes to read, and the load has no demand on their alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx")]
#[inline]
fn load_8(x: &[f32; 8]) -> __m256 {
    // SAFETY: the array has 8 numbers to read, and the load has no demand on their alignment.
    unsafe { _mm256_loadu_ps(x.as_ptr()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load_32(x: &[f32; BLOCK]) -> [__m512; 2] {
    // SAFETY: the array has 32 numbers to read, 16 from each address, and the loads have no demand on alignment.
    unsafe { [_mm512_loadu_ps(x.as_ptr()), _mm512_loadu_ps(x.as_ptr().add(LANES))] }
}
