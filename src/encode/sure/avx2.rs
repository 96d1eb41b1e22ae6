//! [`Sure::append`] with AVX2, four bytes at a time: what is known of each with the byte behind it is one load, and what four of
//! them say is compared at once.

#![allow(clippy::wildcard_imports, reason = "the intrinsics' names say where they come from")]

use std::arch::x86_64::*;
use std::ops::Range;

use super::{MOST, Pair, Sure};
use crate::ids::TokenId;

/// Bytes that are looked at together, and those that one reads for them.
const STEP: usize = 4;
const READ: usize = 8;

impl Sure {
    /// As [`Sure::append`].
    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn append_avx2(&self, text: &[u8], piece: Range<usize>, ids: &mut Vec<TokenId>) {
        ids.reserve(piece.len().next_multiple_of(STEP));
        let (out, mut count) = (ids.as_mut_ptr().wrapping_add(ids.len()), 0);
        let most = _mm_set1_epi32(MOST.cast_signed());
        // What the pair before says of its second byte, and whether that pair is joined.
        let (mut ends_before, mut joined_before) = (most, 0);
        let mut at = piece.start;
        while at < piece.end {
            let word = u64::from_le_bytes(text[at..].first_chunk().copied().unwrap_or_else(|| last_bytes(&text[at..])));
            let pair = |number: usize| load(&self.pairs[usize::from((word >> (8 * number)) as u16)]);
            let [joined, ends, starts, first] = columns([0, 1, 2, 3].map(pair));
            let ends_before_each = _mm_alignr_epi8::<12>(ends, ends_before);
            let starts_behind = _mm_shuffle_epi32::<0b10_10_10_10>(pair(4));
            let starts_behind_each = _mm_alignr_epi8::<4>(starts_behind, starts);
            // The last byte has none behind it: no pair begins with it, and it asks nothing of the one before.
            let left = piece.end - at;
            let joined = _mm_or_si128(joined, most_from(left - 1));
            let starts_behind_each = _mm_or_si128(starts_behind_each, most_from(left.saturating_sub(2)));
            let is_sure = _mm_cmpgt_epi32(_mm_min_epi32(ends_before_each, starts_behind_each), joined);
            let sure = _mm_movemask_ps(_mm_castsi128_ps(is_sure)).cast_unsigned() as usize;
            let is_part = !(sure << 1 | joined_before) & ((1 << left.min(STEP)) - 1);
            let parts = _mm_blendv_epi8(first, joined, is_sure);
            // SAFETY: `count` is at most as many as the bytes before `at`, and room was made for whole steps.
            unsafe { _mm_storeu_si128(out.add(count).cast(), _mm_shuffle_epi8(parts, kept(is_part))) };
            count += is_part.count_ones() as usize;
            (ends_before, joined_before) = (ends, sure >> (STEP - 1));
            at += STEP;
        }
        // SAFETY: as many were written, and there is room for them.
        unsafe { ids.set_len(ids.len() + count) };
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(pair: &Pair) -> __m128i {
    // SAFETY: a pair is four numbers, 16 bytes.
    unsafe { _mm_loadu_si128((&raw const *pair).cast()) }
}

/// The last bytes of a text, zero behind them.
#[cold]
#[inline(never)]
fn last_bytes(text: &[u8]) -> [u8; READ] {
    let mut bytes = [0; READ];
    bytes[..text.len()].copy_from_slice(text);
    bytes
}

/// Numbers of four, [`MOST`] from place `first` on and 0 before.
#[target_feature(enable = "avx2")]
#[inline]
fn most_from(first: usize) -> __m128i {
    static STEPS: [u32; 2 * STEP] = [0, 0, 0, 0, MOST, MOST, MOST, MOST];
    // SAFETY: four numbers are 16 bytes, and there are as many from any of the first five on.
    unsafe { _mm_loadu_si128((&raw const STEPS[STEP - first.min(STEP)]).cast()) }
}

/// The first numbers of all four, the second, and so on.
#[target_feature(enable = "avx2")]
#[inline]
fn columns([a, b, c, d]: [__m128i; 4]) -> [__m128i; 4] {
    let [ab, cd] = [_mm_unpacklo_epi32(a, b), _mm_unpacklo_epi32(c, d)];
    let [ab_behind, cd_behind] = [_mm_unpackhi_epi32(a, b), _mm_unpackhi_epi32(c, d)];
    [
        _mm_unpacklo_epi64(ab, cd),
        _mm_unpackhi_epi64(ab, cd),
        _mm_unpacklo_epi64(ab_behind, cd_behind),
        _mm_unpackhi_epi64(ab_behind, cd_behind),
    ]
}

/// What moves those of four numbers whose bit is set to the front.
#[target_feature(enable = "avx2")]
#[inline]
fn kept(bits: usize) -> __m128i {
    static KEPT: [[u8; 16]; 16] = {
        let mut all = [[0; 16]; 16];
        let mut bits = 0;
        while bits < 16 {
            let (mut from, mut to) = (0, 0);
            while from < 4 {
                if bits >> from & 1 == 1 {
                    let mut byte = 0;
                    while byte < 4 {
                        all[bits][4 * to + byte] = (4 * from + byte) as u8;
                        byte += 1;
                    }
                    to += 1;
                }
                from += 1;
            }
            bits += 1;
        }
        all
    };
    // SAFETY: a line of the table is 16 bytes.
    unsafe { _mm_loadu_si128((&raw const KEPT[bits & 15]).cast()) }
}
