//! 64 bytes of text -> one bit mask for each class of byte: ASCII classes first, and where other bytes occur, what is
//! needed to tell the common letters and quotation marks beyond ASCII. Three ways to the same masks, chosen by what
//! the processor can do when the program runs; `tests/rust/scanner.rs` compares them on every byte.

/// Bytes in one block.
pub const BLOCK: usize = 64;

/// Bit `i` of a mask says whether byte `i` of the block is in the class. Bytes from 0x80 on are only in `high`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Masks {
    /// `A`..`Z`, `a`..`z`.
    pub letter: u64,
    /// `A`..`Z`.
    pub upper: u64,
    /// `0`..`9`.
    pub digit: u64,
    /// The space.
    pub space: u64,
    /// All white space: the space and 0x09 to 0x0D.
    pub white: u64,
    /// `\r`, `\n`.
    pub newline: u64,
    /// The apostrophe.
    pub quote: u64,
    /// The slash.
    pub slash: u64,
    /// Not ASCII.
    pub high: u64,
}

/// Classes of bytes from 0x80 on. Bytes that continue a character are told apart by value, those that lead one by the
/// block of characters they lead to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HighMasks {
    /// 80..9F.
    pub from_80: u64,
    /// A0..AF.
    pub from_a0: u64,
    /// B8..BF.
    pub from_b8: u64,
    /// D0: U+0400..043F.
    pub d0: u64,
    /// D1: U+0440..047F.
    pub d1: u64,
    /// C4..C9: U+0100..027F, all letters.
    pub latin: u64,
    /// E5..E9, EB, EC: U+5000..9FFF and U+B000..CFFF, all letters without case.
    pub uncased: u64,
    /// E4: U+4000..4FFF.
    pub e4: u64,
    /// E2: U+2000..2FFF.
    pub e2: u64,
    /// 80.
    pub is_80: u64,
    /// 90..A7.
    pub from_90_to_a7: u64,
    /// C3: U+00C0..00FF.
    pub c3: u64,
    /// 97 and B7: with C3, the two signs among the letters.
    pub is_sign: u64,
    /// 9F: with C3, the one lower case letter below E0.
    pub is_9f: u64,
    /// C0..FF: the first byte of a character.
    pub lead: u64,
}

/// One class bit for each mask but `high`, in the order of the fields.
const fn class_bits(byte: u8) -> u8 {
    let mut bits = 0;
    if byte.is_ascii_alphabetic() {
        bits |= 1;
    }
    if byte.is_ascii_uppercase() {
        bits |= 2;
    }
    if byte.is_ascii_digit() {
        bits |= 4;
    }
    if byte == b' ' {
        bits |= 8;
    }
    if byte == b' ' || (0x09 <= byte && byte <= 0x0D) {
        bits |= 16;
    }
    if byte == b'\r' || byte == b'\n' {
        bits |= 32;
    }
    if byte == b'\'' {
        bits |= 64;
    }
    if byte == b'/' {
        bits |= 128;
    }
    bits
}

const fn class_table() -> [u8; 128] {
    let mut table = [0; 128];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = class_bits(byte);
        byte += 1;
    }
    table
}

/// Class bits of the 128 ASCII characters.
static CLASSES: [u8; 128] = class_table();

/// Two tables of class bits for the bytes 0x80 to 0xFF, in the order of the fields of [`HighMasks`].
static HIGH_CLASSES: [[u8; 128]; 2] = high_tables();

const fn high_tables() -> [[u8; 128]; 2] {
    let mut tables = [[0; 128]; 2];
    let mut i = 0;
    while i < 128 {
        let byte = i as u8 + 0x80;
        tables[0][i] = match byte {
            0x80..=0x9F => 1,
            0xA0..=0xAF => 2,
            0xB8..=0xBF => 4,
            0xD0 => 8,
            0xD1 => 16,
            0xC4..=0xC9 => 32,
            0xE5..=0xE9 | 0xEB | 0xEC => 64,
            0xE4 => 128,
            _ => 0,
        };
        let sign = if byte == 0x97 || byte == 0xB7 { 16 } else { 0 };
        let lead = if byte >= 0xC0 { 64 } else { 0 };
        tables[1][i] = sign
            | lead
            | match byte {
                0xE2 => 1,
                0x80 => 2,
                0x9F => 4 | 32,
                0x90..=0xA7 => 4,
                0xC3 => 8,
                _ => 0,
            };
        i += 1;
    }
    tables
}

impl HighMasks {
    #[inline(always)]
    fn from_rows(first: [u64; 8], second: [u64; 7], high: u64) -> Self {
        let [from_80, from_a0, from_b8, d0, d1, latin, uncased, e4] = first.map(|row| row & high);
        let [e2, is_80, from_90_to_a7, c3, is_sign, is_9f, lead] = second.map(|row| row & high);
        Self {
            from_80,
            from_a0,
            from_b8,
            d0,
            d1,
            latin,
            uncased,
            e4,
            e2,
            is_80,
            from_90_to_a7,
            c3,
            is_sign,
            is_9f,
            lead,
        }
    }
}

/// The portable way to [`HighMasks`].
#[inline]
#[must_use]
pub fn portable_high(block: &[u8; BLOCK], high: u64) -> HighMasks {
    let first = gather(block, &HIGH_CLASSES[0]);
    let second = gather(block, &HIGH_CLASSES[1]);
    HighMasks::from_rows(first, [second[0], second[1], second[2], second[3], second[4], second[5], second[6]], high)
}

/// One mask for each bit of a table over the lower seven bits of a byte: a multiplication gathers one bit of eight.
#[inline]
fn gather(block: &[u8; BLOCK], table: &[u8; 128]) -> [u64; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut rows = [0u64; 8];
    for (group, bytes) in block.as_chunks::<8>().0.iter().enumerate() {
        let classes = u64::from_le_bytes(bytes.map(|b| table[usize::from(b & 0x7F)]));
        for (bit, row) in rows.iter_mut().enumerate() {
            *row |= (((classes >> bit) & ONES).wrapping_mul(GATHER) >> 56) << (8 * group);
        }
    }
    rows
}

impl Masks {
    #[inline(always)]
    fn from_rows(rows: [u64; 8], high: u64) -> Self {
        let [letter, upper, digit, space, white, newline, quote, slash] = rows.map(|row| row & !high);
        Self { letter, upper, digit, space, white, newline, quote, slash, high }
    }
}

/// The portable way to [`Masks`].
#[inline]
#[must_use]
pub fn portable(block: &[u8; BLOCK]) -> Masks {
    let high = block.iter().enumerate().fold(0, |mask, (i, &byte)| mask | u64::from(byte >> 7) << i);
    Masks::from_rows(gather(block, &CLASSES), high)
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    //! The same with vector instructions.
    use std::arch::x86_64::{
        __m256i, __m512i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_set1_epi8,
        _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16, _mm512_movepi8_mask, _mm512_permutex2var_epi8,
        _mm512_set1_epi8, _mm512_test_epi8_mask,
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
        let second = rows(text, &HIGH_CLASSES[1]);
        let second = [second[0], second[1], second[2], second[3], second[4], second[5], second[6]];
        HighMasks::from_rows(rows(text, &HIGH_CLASSES[0]), second, high)
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
        let second = [e2, is_80, from_90 | to_a7, c3, is_sign, is_9f, lead];
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
}

/// The vector routines that this processor can run, for tests that compare them with [`portable`].
#[must_use]
pub fn vector_levels() -> Vec<fn(&[u8; BLOCK]) -> Masks> {
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut))]
    let mut levels: Vec<fn(&[u8; BLOCK]) -> Masks> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature was detected on the line above.
            levels.push(|block| unsafe { x86::avx2(block) });
        }
        if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vbmi") {
            // SAFETY: the features were detected on the line above; avx512bw implies avx512f.
            levels.push(|block| unsafe { x86::avx512(block) });
        }
    }
    levels
}

/// The same for [`portable_high`].
#[must_use]
pub fn vector_levels_high() -> Vec<fn(&[u8; BLOCK], u64) -> HighMasks> {
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut))]
    let mut levels: Vec<fn(&[u8; BLOCK], u64) -> HighMasks> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature was detected on the line above.
            levels.push(|block, high| unsafe { x86::avx2_high(block, high) });
        }
        if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vbmi") {
            // SAFETY: the features were detected on the line above; avx512bw implies avx512f.
            levels.push(|block, high| unsafe { x86::avx512_high(block, high) });
        }
    }
    levels
}
