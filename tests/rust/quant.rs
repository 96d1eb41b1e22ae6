//! Blocks against literal bytes and exact rules; products against their definition and each other.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the numbers are chosen to fit")]

use bpetok::quant::{BLOCK, Format, Machine, QuantError, dequantize, multiply, multiply_on, quantize};
use proptest::prelude::*;

/// Numbers without a pattern, the same on every machine: steps of 1/4096 between -8 and 8.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as f32 / 4096.0 - 8.0
    };
    (0..count).map(|_| next()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

/// The blocks that the `gguf` package 0.19 makes of `(37 i mod 64 - 31.5) / 8`.
#[test]
fn one_block_of_every_format_is_llama_cpps() {
    let weights: Vec<f32> = (0..BLOCK).map(|i| ((37 * i % 64) as f32 - 31.5) / 8.0).collect();
    let cases = [
        (Format::Q8_0, "f0278116a93ed267fa8d22b54bde7306992ec257ea7f12a53ace63f6891eb147da6f"),
        (Format::Q5_0, "e0332ab55aa980b3d5f82a5d7fa2c4f7194c6e91b3e6"),
        (Format::Q4_1, "3338e0c340d962fb952eb751da730c953ec851ea"),
        (Format::Q4_0, "e03740d973fc952ec851ea731da63fc862fb"),
    ];
    for (format, expected) in cases {
        let bytes = quantize(format, &weights).unwrap();
        assert_eq!(hex(&bytes), expected, "{format:?}");
        assert_eq!(bytes.len(), format.block_bytes());
    }
}

#[test]
fn a_name_leads_back_to_its_format() {
    for format in Format::ALL {
        assert_eq!(Format::from_name(format.name()), Some(format));
    }
    assert_eq!(Format::from_name("q6_k"), None);
}

/// A constant block of `Q4_1` stores its weight as the minimum, in half precision: so every half must survive.
#[test]
fn every_half_precision_number_survives() {
    for bits in (0..0x7c00u16).chain(0x8000..0xfc00) {
        let exponent = i32::from(bits >> 10 & 31);
        let fraction = f64::from(bits & 0x3ff) / 1024.0;
        let magnitude =
            if exponent == 0 { fraction * 2f64.powi(-14) } else { (1.0 + fraction) * 2f64.powi(exponent - 15) };
        let weight = if bits & 0x8000 == 0 { magnitude } else { -magnitude } as f32;
        let bytes = quantize(Format::Q4_1, &[weight; BLOCK]).unwrap();
        assert_eq!(bytes[2..4], bits.to_le_bytes(), "{weight}");
        assert!(dequantize(Format::Q4_1, &bytes).unwrap().iter().all(|&back| back == weight), "{weight}");
    }
}

#[test]
fn halfway_between_two_halves_goes_to_the_even_one() {
    for (weight, bits) in [
        (1.0 + 1.0 / 2048.0, 0x3c00u16),           // between 1 and the next
        (1.0 + 3.0 / 2048.0, 0x3c02),              // between the next two
        (2f32.powi(-25), 0x0000),                  // between 0 and the smallest
        (3.0 * 2f32.powi(-25), 0x0002),            // between the two smallest
        (2f32.powi(-14) - 2f32.powi(-26), 0x0400), // rounds up out of the subnormal numbers
        (f32::from_bits(1), 0x0000),
    ] {
        let bytes = quantize(Format::Q4_1, &[weight; BLOCK]).unwrap();
        assert_eq!(bytes[2..4], bits.to_le_bytes(), "{weight:e}");
    }
}

#[test]
fn zeros_stay_zeros() {
    for format in Format::ALL {
        for zero in [0.0, -0.0] {
            let bytes = quantize(format, &[zero; BLOCK]).unwrap();
            assert!(dequantize(format, &bytes).unwrap().iter().all(|&weight| weight == 0.0));
        }
    }
}

#[test]
fn what_no_block_can_hold_is_an_error() {
    for format in Format::ALL {
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
            let mut weights = vec![0.5; 3 * BLOCK];
            weights[70] = wrong;
            match quantize(format, &weights) {
                Err(QuantError::Value { index, value, limit }) => {
                    assert_eq!((index, value.to_bits()), (70, wrong.to_bits()));
                    // The limit itself fits, and its scale is finite.
                    weights[70] = limit;
                    let back = dequantize(format, &quantize(format, &weights).unwrap()).unwrap();
                    assert!(back.iter().all(|weight| weight.is_finite()), "{format:?}");
                    weights[70] = -limit;
                    weights[71] = limit;
                    let back = dequantize(format, &quantize(format, &weights).unwrap()).unwrap();
                    assert!(back.iter().all(|weight| weight.is_finite()), "{format:?}");
                }
                other => panic!("{format:?} {wrong}: {other:?}"),
            }
        }
        assert!(matches!(quantize(format, &[0.0; 33]), Err(QuantError::Length { got: 33, multiple: 32, .. })));
        assert!(matches!(dequantize(format, &[0; 33]), Err(QuantError::Length { got: 33, .. })));
    }
}

#[test]
fn sizes_that_do_not_fit_are_errors_and_nothing_is_nothing() {
    let bytes = quantize(Format::Q4_0, &[1.0; 4 * BLOCK]).unwrap();
    let x = [1.0; 2 * BLOCK];
    assert_eq!(multiply(Format::Q4_0, &bytes, 2, &x, 1).unwrap().len(), 2);
    assert_eq!(multiply(Format::Q4_0, &bytes, 4, &x, 1).unwrap().len(), 8);
    assert!(multiply(Format::Q4_0, &bytes, 3, &x, 1).is_err());
    assert!(multiply(Format::Q4_0, &bytes, 0, &x, 1).is_err());
    assert!(multiply(Format::Q4_0, &[], 2, &x, 1).is_err());
    let error = multiply(Format::Q4_0, &bytes, 2, &x[1..], 1).unwrap_err().to_string();
    assert!(error.contains("63") && error.contains("64"), "{error}");
    assert_eq!(multiply(Format::Q4_0, &[], 0, &x, 1), Ok(Vec::new()));
    assert_eq!(multiply(Format::Q4_0, &bytes, 2, &[], 1), Ok(Vec::new()));
}

/// Enough weights that threads do start, in a number of rows that they cannot share evenly.
#[test]
fn the_number_of_threads_changes_no_bit() {
    let (rows, columns) = (6151, 2048);
    let bytes = quantize(Format::Q4_0, &numbers(rows * columns, 1)).unwrap();
    let x = numbers(columns, 2);
    let alone = multiply(Format::Q4_0, &bytes, rows, &x, 1).unwrap();
    for threads in [0, 2, 3, 7, 5000] {
        assert_eq!(multiply(Format::Q4_0, &bytes, rows, &x, threads).unwrap(), alone, "{threads}");
    }
}

/// A scale that is infinite or not a number can only come from a damaged file: it shows in the result, everywhere.
#[test]
fn a_damaged_scale_is_not_hidden() {
    for format in Format::ALL {
        let mut bytes = quantize(format, &numbers(BLOCK, 3)).unwrap();
        for scale in [[0x00, 0x7c], [0x00, 0xfc], [0x01, 0x7e]] {
            bytes[..2].copy_from_slice(&scale);
            for machine in Machine::ALL {
                let product = multiply_on(machine, format, &bytes, 1, &[1.0; BLOCK], 1).unwrap();
                assert!(!product[0].is_finite(), "{format:?} {machine:?}");
            }
        }
    }
}

proptest! {
    /// A step is the worst error: half of one, but for the end of a format around zero that its integers lack.
    #[test]
    fn no_weight_moves_by_more_than_a_step(seed: u32, scale in -20i32..12) {
        let weights: Vec<f32> = numbers(BLOCK, seed).iter().map(|number| number * 2f32.powi(scale)).collect();
        let largest = weights.iter().fold(0f32, |largest, weight| largest.max(weight.abs()));
        for (format, steps) in [(Format::Q8_0, 127.0), (Format::Q5_0, 16.0), (Format::Q4_1, 7.5), (Format::Q4_0, 8.0)] {
            let back = dequantize(format, &quantize(format, &weights).unwrap()).unwrap();
            // The scale is rounded too, to 11 bits, or to steps of 2^-24 when it is tiny.
            let bound = largest / steps * 1.02 + 64.0 * 2f32.powi(-24);
            for (weight, back) in weights.iter().zip(back) {
                prop_assert!((weight - back).abs() <= bound, "{:?}: {} became {}", format, weight, back);
            }
        }
    }

    /// The portable path and each vector path, bit by bit; and all against the sum in double precision.
    #[test]
    fn every_machine_gives_the_same_bits(
        seed: u32, rows in 1usize..5, blocks in 1usize..6, many in 1usize..4, noise in any::<bool>(),
    ) {
        let columns = blocks * BLOCK;
        let x = numbers(many * columns, !seed);
        for format in Format::ALL {
            let mut bytes = quantize(format, &numbers(rows * columns, seed)).unwrap();
            if noise {
                // Integers that rounding never makes, such as -128.
                for block in bytes.chunks_exact_mut(format.block_bytes()) {
                    for (byte, number) in block[4..].iter_mut().zip(numbers(BLOCK, seed ^ 0x5555)) {
                        *byte = (number * 4096.0) as i32 as u8;
                    }
                }
            }
            let portable = multiply_on(Machine::Portable, format, &bytes, rows, &x, 1).unwrap();
            for machine in Machine::ALL.into_iter().filter(|machine| machine.is_available()) {
                let product = multiply_on(machine, format, &bytes, rows, &x, 1).unwrap();
                let same = product.iter().zip(&portable).all(|(a, b)| a.to_bits() == b.to_bits());
                prop_assert!(same, "{:?} {:?}: {:?} {:?}", format, machine, product, portable);
            }
            let weights = dequantize(format, &bytes).unwrap();
            for at in 0..many {
                for row in 0..rows {
                    let pairs = weights[row * columns..][..columns].iter().zip(&x[at * columns..][..columns]);
                    let products = pairs.map(|(&weight, &x)| f64::from(weight) * f64::from(x));
                    let (sum, size) = products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()));
                    let error = (f64::from(portable[at * rows + row]) - sum).abs();
                    prop_assert!(error <= 1e-6 * size, "{:?}: off by {:e} of {}", format, error, size);
                }
            }
        }
    }
}
