//! 64 bytes of text -> one bit mask for each class of byte: ASCII classes first, and where other bytes occur, what is
//! needed to tell the common letters and quotation marks beyond ASCII. Three ways to the same masks, chosen by what
//! the processor can do when the program runs; `tests/rust/scanner.rs` compares them on every byte.

#[cfg(target_arch = "x86_64")]
pub(super) mod x86;

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
    fn from_rows(first: [u64; 8], second: [u64; 8], high: u64) -> Self {
        let [from_80, from_a0, from_b8, d0, d1, latin, uncased, e4] = first.map(|row| row & high);
        let [e2, is_80, from_90_to_a7, c3, is_sign, is_9f, lead, _] = second.map(|row| row & high);
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
    HighMasks::from_rows(gather(block, &HIGH_CLASSES[0]), gather(block, &HIGH_CLASSES[1]), high)
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
