//! [`Masks`] and [`HighMasks`] with vector instructions.

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_set1_epi8, _mm256_shuffle_epi8,
    _mm256_slli_epi16, _mm256_srli_epi16, _mm512_movepi8_mask, _mm512_permutex2var_epi8, _mm512_set1_epi8,
    _mm512_test_epi8_mask,
};

use super::{BLOCK, CLASSES, HIGH_CLASSES, HighMasks, Masks};

/// AVX-512 with VBMI: the 128-entry table fits two registers, so one permutation classifies 64 bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
pub fn avx512(block: &[u8; BLOCK]) -> Masks {
    let text = wide(block);
    Masks::from_rows(rows(text, &CLASSES), _mm512_movepi8_mask(text))
}

/// The same for [`HighMasks`].
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
pub fn avx512_high(block: &[u8; BLOCK], high: u64) -> HighMasks {
    let text = wide(block);
    HighMasks::from_rows(rows(text, &HIGH_CLASSES[0]), rows(text, &HIGH_CLASSES[1]), high)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn wide(bytes: &[u8]) -> __m512i {
    let mut lanes = [0u8; 64];
    lanes.copy_from_slice(&bytes[..64]);
    // SAFETY: both types are 64 bytes of plain data, and every bit pattern is a value of each.
    unsafe { std::mem::transmute(lanes) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
fn rows(text: __m512i, table: &[u8; 128]) -> [u64; 8] {
    let classes = _mm512_permutex2var_epi8(wide(&table[..64]), text, wide(&table[64..]));
    let row = |bit: u8| _mm512_test_epi8_mask(classes, _mm512_set1_epi8((1u8 << bit).cast_signed()));
    [row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)]
}

/// Classes for AVX2: one table for each half of a byte, and a byte is in a class where both say so. So each of the
/// eight bits of an entry is a rectangle: some upper halves times some lower halves.
struct Halves {
    upper: [u8; 16],
    lower: [u8; 16],
}

/// `(upper halves, lower halves)` for each bit, as sets.
const fn halves(rectangles: [(u16, u16); 8]) -> Halves {
    let mut halves = Halves { upper: [0; 16], lower: [0; 16] };
    let mut bit = 0;
    while bit < 8 {
        let mut half = 0;
        while half < 16 {
            halves.upper[half] |= ((rectangles[bit].0 >> half & 1) as u8) << bit;
            halves.lower[half] |= ((rectangles[bit].1 >> half & 1) as u8) << bit;
            half += 1;
        }
        bit += 1;
    }
    halves
}

const ANY: u16 = 0xFFFF;
/// Letters 41..4F and 61..6F, letters 50..5A and 70..7A, digits, 09..0D, space, newlines, apostrophe, slash.
static ASCII: Halves = halves([
    (1 << 4 | 1 << 6, 0xFFFE),
    (1 << 5 | 1 << 7, 0x07FF),
    (1 << 3, 0x03FF),
    (1, 0x3E00),
    (1 << 2, 1),
    (1, 1 << 10 | 1 << 13),
    (1 << 2, 1 << 7),
    (1 << 2, 1 << 15),
]);
/// The first eight fields of `HighMasks`.
static HIGH_FIRST: Halves = halves([
    (1 << 8 | 1 << 9, ANY),
    (1 << 10, ANY),
    (1 << 11, 0xFF00),
    (1 << 13, 1),
    (1 << 13, 1 << 1),
    (1 << 12, 0x03F0),
    (1 << 14, 0x1BE0),
    (1 << 14, 1 << 4),
]);
/// E2, 80, 90..9F, C3, 97 and B7, 9F, A0..A7, C0..FF.
static HIGH_SECOND: Halves = halves([
    (1 << 14, 1 << 2),
    (1 << 8, 1),
    (1 << 9, ANY),
    (1 << 12, 1 << 3),
    (1 << 9 | 1 << 11, 1 << 7),
    (1 << 9, 1 << 15),
    (1 << 10, 0x00FF),
    (0xF << 12, ANY),
]);

/// [`Masks`] with AVX2.
#[target_feature(enable = "avx2")]
#[inline]
pub fn avx2(block: &[u8; BLOCK]) -> Masks {
    let [first, second, digit, control, space, newline, quote, slash] = avx2_rows(block, &ASCII);
    let (text_low, text_high) = (lanes(&block[..32]), lanes(&block[32..]));
    let bits = |mask: __m256i| u64::from(_mm256_movemask_epi8(mask).cast_unsigned());
    let high = bits(text_low) | bits(text_high) << 32;
    // Bit 5 of a letter tells lower from upper case; a shift brings it to the place that movemask reads.
    let lower = bits(_mm256_slli_epi16::<2>(text_low)) | bits(_mm256_slli_epi16::<2>(text_high)) << 32;
    let letter = first | second;
    Masks::from_rows([letter, letter & !lower, digit, space, control | space, newline, quote, slash], high)
}

/// [`HighMasks`] with AVX2.
#[target_feature(enable = "avx2")]
#[inline]
pub fn avx2_high(block: &[u8; BLOCK], high: u64) -> HighMasks {
    let [e2, is_80, from_90, c3, is_sign, is_9f, to_a7, lead] = avx2_rows(block, &HIGH_SECOND);
    let second = [e2, is_80, from_90 | to_a7, c3, is_sign, is_9f, lead, 0];
    HighMasks::from_rows(avx2_rows(block, &HIGH_FIRST), second, high)
}

#[target_feature(enable = "avx2")]
#[inline]
fn lanes(bytes: &[u8]) -> __m256i {
    let mut lanes = [0u8; 32];
    lanes.copy_from_slice(&bytes[..32]);
    // SAFETY: both types are 32 bytes of plain data, and every bit pattern is a value of each.
    unsafe { std::mem::transmute(lanes) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn avx2_rows(block: &[u8; BLOCK], tables: &Halves) -> [u64; 8] {
    let twice = |table: &[u8; 16]| {
        let mut both = [0u8; 32];
        both[..16].copy_from_slice(table);
        both[16..].copy_from_slice(table);
        lanes(&both)
    };
    let (upper_table, lower_table) = (twice(&tables.upper), twice(&tables.lower));
    let nibble = _mm256_set1_epi8(0x0F);
    let classes = |text: __m256i| {
        let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(text), nibble);
        _mm256_and_si256(
            _mm256_shuffle_epi8(lower_table, _mm256_and_si256(text, nibble)),
            _mm256_shuffle_epi8(upper_table, upper),
        )
    };
    let (low, high) = (classes(lanes(&block[..32])), classes(lanes(&block[32..])));
    let row = |bit: u8| {
        let one = _mm256_set1_epi8((1u8 << bit).cast_signed());
        let bits = |classes: __m256i| {
            let hits = _mm256_cmpeq_epi8(_mm256_and_si256(classes, one), one);
            u64::from(_mm256_movemask_epi8(hits).cast_unsigned())
        };
        bits(low) | bits(high) << 32
    };
    [row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)]
}
