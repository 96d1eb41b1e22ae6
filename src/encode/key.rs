//! A pretoken of up to 15 bytes as two machine words, so that comparing it is comparing two numbers.

/// Longest text that fits a key.
pub const KEY_BYTES: usize = 15;

/// Up to 15 bytes, zero padded, with the length in the last byte. No text has the key 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Key {
    /// Bytes 0 to 7.
    pub low: u64,
    /// Bytes 8 to 14, then the length.
    pub high: u64,
}

impl Key {
    /// Whether both are the same text, without a branch for each word.
    #[inline(always)]
    #[must_use]
    pub fn is(self, low: u64, high: u64) -> bool {
        (self.low ^ low) | (self.high ^ high) == 0
    }
}

/// By length: the bytes that count, and the length in the last byte. 16 stands for all that fit no key.
pub(super) static MASKS_AND_LENGTHS: [[u128; 2]; KEY_BYTES + 2] = {
    let mut both = [[0; 2]; KEY_BYTES + 2];
    let mut length = 0;
    while length <= KEY_BYTES + 1 {
        let mask = if length > KEY_BYTES { u128::MAX } else { (1 << (8 * length)) - 1 };
        both[length] = [mask, (length as u128) << 120];
        length += 1;
    }
    both
};

impl Key {
    /// The key of `text[start..start + length]`, a range of `text`. More than [`KEY_BYTES`] give a key that no text has:
    /// its last byte is 16 or more, whatever text stands there too. Away from the end of the text, one load and one mask.
    #[inline(always)]
    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub fn at(text: &[u8], start: usize, length: usize) -> Self {
        let word = padded(text, start, length) | MASKS_AND_LENGTHS[length.min(KEY_BYTES + 1)][1];
        Self { low: word as u64, high: (word >> 64) as u64 }
    }

    /// The key of all of `text`, 1 to 15 bytes.
    #[inline]
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        Self::at(text, 0, text.len())
    }

    /// A well-mixed number; its upper bits choose the place in a table.
    #[inline(always)]
    #[must_use]
    pub fn hash(self) -> u64 {
        mix(self.low, self.high)
    }

    /// A number of which only the upper bits are mixed: vector registers have no wide product, but can make this of four keys at once.
    #[inline(always)]
    #[must_use]
    pub fn spread(self) -> u64 {
        self.low.wrapping_mul(SPREAD[0]).wrapping_add(self.high.wrapping_mul(SPREAD[1]))
    }
}

/// Two odd numbers without a pattern (the fractions of the golden ratio and of the square root of 3).
pub(super) const SPREAD: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xBB67_AE85_84CA_A73B];

/// Folded 128-bit product of two words: one multiplication that lets every input bit reach the upper half. `high` is
/// added, or all for which `low` makes a factor 0 would have one hash; no key has a `high` that does.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
pub(super) fn mix(low: u64, high: u64) -> u64 {
    // Two odd numbers without a pattern (the fractions of the square roots of 2 and 3).
    let product = u128::from(low ^ 0x6A09_E667_F3BC_C909) * u128::from(high ^ 0xBB67_AE85_84CA_A73B);
    (product as u64) ^ (product >> 64) as u64 ^ high
}

/// `text[start..start + length]`, zero padded to 16 bytes; where it is longer, its first 16.
#[inline(always)]
fn padded(text: &[u8], start: usize, length: usize) -> u128 {
    match text[start..].first_chunk::<16>() {
        Some(bytes) => u128::from_le_bytes(*bytes) & MASKS_AND_LENGTHS[length.min(KEY_BYTES + 1)][0],
        None => {
            let mut bytes = [0; 16];
            bytes[..length].copy_from_slice(&text[start..start + length]);
            u128::from_le_bytes(bytes)
        }
    }
}

/// The hash of `text[start..end]`: of its key, where it has one.
#[inline(always)]
#[must_use]
#[allow(clippy::cast_possible_truncation)]
pub fn hash_at(text: &[u8], start: usize, end: usize) -> u64 {
    if end - start <= KEY_BYTES {
        return Key::at(text, start, end - start).hash();
    }
    let (mut state, mut at) = ((end - start) as u64, start);
    loop {
        // What is behind the last whole 16 bytes counts too, if there are none.
        let is_last = end - at < 16;
        let word = padded(text, at, end - at);
        let (low, high) = (word as u64, (word >> 64) as u64);
        // Here `high` may make a factor 0 too.
        state = mix(low ^ state, high.wrapping_add(state)) ^ low;
        if is_last {
            return state;
        }
        at += 16;
    }
}

/// The hash of a text of any length.
#[inline]
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    hash_at(bytes, 0, bytes.len())
}
