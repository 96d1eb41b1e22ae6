//! How 32 weights lie in bytes, and how they are rounded; nothing about products.
//!
//! In the 4- and 5-bit formats byte `i` holds weight `i` in its low half and weight `i + 16` in its high half. A block
//! is therefore read as two times [`LANES`] integers, here called the low and the high levels.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounding is the purpose here, and float to integer casts saturate"
)]
#![allow(clippy::inline_always, reason = "called once a block, from a function compiled for other instructions")]

use super::BLOCK;

/// Half a block.
pub(super) const LANES: usize = 16;

/// The largest finite number in half precision.
const HALF_MAX: f32 = 65504.0;

/// One format of 32 weights. Slices called `block` have [`BYTES`](Self::BYTES) bytes.
pub(super) trait Block {
    const BYTES: usize;
    /// The largest magnitude of which the scale is still finite.
    const LIMIT: f32;
    const HAS_MINIMUM: bool = false;

    /// Rounds weights, all of at most [`LIMIT`](Self::LIMIT), as llama.cpp's reference functions do.
    fn round(weights: &[f32; BLOCK], block: &mut [u8]);

    /// The integers of a block, the low levels and the high ones.
    fn levels(block: &[u8]) -> ([f32; LANES], [f32; LANES]);

    #[inline(always)]
    fn scale(block: &[u8]) -> f32 {
        from_half([block[0], block[1]])
    }

    /// What is added to each weight of a block.
    #[inline(always)]
    fn minimum(block: &[u8]) -> f32 {
        if Self::HAS_MINIMUM { from_half([block[2], block[3]]) } else { 0.0 }
    }
}

pub(super) struct Q8_0;
pub(super) struct Q5_0;
pub(super) struct Q4_1;
pub(super) struct Q4_0;

impl Block for Q8_0 {
    const BYTES: usize = 34;
    const LIMIT: f32 = 127.0 * HALF_MAX;

    fn round(weights: &[f32; BLOCK], block: &mut [u8]) {
        let scale = extreme(weights).abs() / 127.0;
        let inverse = inverse(scale);
        block[..2].copy_from_slice(&to_half(scale));
        for (byte, weight) in block[2..].iter_mut().zip(weights) {
            *byte = ((weight * inverse).round() as i8).cast_unsigned(); // ties away from zero
        }
    }

    #[inline(always)]
    fn levels(block: &[u8]) -> ([f32; LANES], [f32; LANES]) {
        let level = |byte: u8| f32::from(byte.cast_signed());
        (lanes(|lane| level(block[2 + lane])), lanes(|lane| level(block[2 + LANES + lane])))
    }
}

impl Block for Q5_0 {
    const BYTES: usize = 22;
    const LIMIT: f32 = 16.0 * HALF_MAX;

    fn round(weights: &[f32; BLOCK], block: &mut [u8]) {
        let scale = extreme(weights) / -16.0;
        let inverse = inverse(scale);
        block[..2].copy_from_slice(&to_half(scale));
        let level = |weight: f32| ((weight * inverse + 16.5) as u8).min(31);
        let mut fifth = 0u32;
        for lane in 0..LANES {
            let (low, high) = (level(weights[lane]), level(weights[lane + LANES]));
            block[6 + lane] = low & 15 | high << 4;
            fifth |= u32::from(low >> 4) << lane | u32::from(high >> 4) << (lane + LANES);
        }
        block[2..6].copy_from_slice(&fifth.to_le_bytes());
    }

    #[inline(always)]
    fn levels(block: &[u8]) -> ([f32; LANES], [f32; LANES]) {
        let fifth = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
        let bit = |at: usize| if fifth >> at & 1 == 1 { 0.0 } else { -16.0 };
        (
            lanes(|lane| f32::from(block[6 + lane] & 15) + bit(lane)),
            lanes(|lane| f32::from(block[6 + lane] >> 4) + bit(lane + LANES)),
        )
    }
}

impl Block for Q4_1 {
    const BYTES: usize = 20;
    const LIMIT: f32 = HALF_MAX; // of the minimum; a range of twice as much still has a finite scale
    const HAS_MINIMUM: bool = true;

    fn round(weights: &[f32; BLOCK], block: &mut [u8]) {
        let minimum = weights.iter().copied().fold(f32::INFINITY, f32::min);
        let maximum = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let scale = (maximum - minimum) / 15.0;
        let inverse = inverse(scale);
        block[..2].copy_from_slice(&to_half(scale));
        block[2..4].copy_from_slice(&to_half(minimum));
        let level = |weight: f32| (((weight - minimum) * inverse + 0.5) as u8).min(15);
        for lane in 0..LANES {
            block[4 + lane] = level(weights[lane]) | level(weights[lane + LANES]) << 4;
        }
    }

    #[inline(always)]
    fn levels(block: &[u8]) -> ([f32; LANES], [f32; LANES]) {
        (lanes(|lane| f32::from(block[4 + lane] & 15)), lanes(|lane| f32::from(block[4 + lane] >> 4)))
    }
}

impl Block for Q4_0 {
    const BYTES: usize = 18;
    const LIMIT: f32 = 8.0 * HALF_MAX;

    fn round(weights: &[f32; BLOCK], block: &mut [u8]) {
        let scale = extreme(weights) / -8.0;
        let inverse = inverse(scale);
        block[..2].copy_from_slice(&to_half(scale));
        let level = |weight: f32| ((weight * inverse + 8.5) as u8).min(15);
        for lane in 0..LANES {
            block[2 + lane] = level(weights[lane]) | level(weights[lane + LANES]) << 4;
        }
    }

    #[inline(always)]
    fn levels(block: &[u8]) -> ([f32; LANES], [f32; LANES]) {
        (lanes(|lane| f32::from(block[2 + lane] & 15) - 8.0), lanes(|lane| f32::from(block[2 + lane] >> 4) - 8.0))
    }
}

#[inline(always)]
fn lanes(level: impl Fn(usize) -> f32) -> [f32; LANES] {
    std::array::from_fn(level)
}

/// The weight furthest from zero, with its sign; of equals the first.
fn extreme(weights: &[f32; BLOCK]) -> f32 {
    weights
        .iter()
        .copied()
        .fold(0.0, |extreme: f32, weight| if weight.abs() > extreme.abs() { weight } else { extreme })
}

fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

/// Half to single precision, exactly.
#[inline(always)]
fn from_half(half: [u8; 2]) -> f32 {
    let half = u32::from(u16::from_le_bytes(half));
    let sign = (half & 0x8000) << 16;
    let magnitude = half & 0x7fff;
    if magnitude >= 0x7c00 {
        return f32::from_bits(sign | 0x7f80_0000 | magnitude << 13); // infinite or not a number
    }
    // The exponent's bias grows from 15 to 127. A product does it for the subnormal numbers too.
    let two_to_112 = f32::from_bits((127 + 112) << 23);
    f32::from_bits(sign | (f32::from_bits(magnitude << 13) * two_to_112).to_bits())
}

/// Single to half precision, to the nearest, ties to even. The value is at most 65504 in magnitude.
fn to_half(value: f32) -> [u8; 2] {
    let bits = value.to_bits();
    let magnitude = bits & 0x7fff_ffff;
    let two_to_minus_14 = (127 - 14) << 23;
    let rounded = if magnitude < two_to_minus_14 {
        // Halves below 2^-14 have a step of 2^-24. So have singles from 0.5 to 1: adding 0.5 rounds to that step.
        (f32::from_bits(magnitude) + 0.5).to_bits() - 0.5f32.to_bits()
    } else {
        let ties_to_even = 0x0fff + (magnitude >> 13 & 1);
        (magnitude - (112 << 23) + ties_to_even) >> 13
    };
    ((bits >> 16 & 0x8000 | rounded) as u16).to_le_bytes()
}
