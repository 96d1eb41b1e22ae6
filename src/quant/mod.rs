//! Weights in blocks of 32: quantise, dequantise, and multiply without unpacking to memory first.
//!
//! The four formats are llama.cpp's `Q8_0`, `Q4_0`, `Q4_1` and `Q5_0`, byte for byte: a row of a matrix is a run of
//! blocks, and a block is a half-precision scale (for `Q4_1` also a minimum) and 32 small integers. A weight is
//! `scale * integer`, or `scale * integer + minimum`. How the integers lie in bytes is in `blocks.rs`.
//!
//! Activations stay `f32` and weights are unpacked in registers, so the only error is the error of the stored
//! weights: [`multiply`] equals multiplication by [`dequantize`]'s matrix up to the order of a sum. llama.cpp also
//! rounds the activations to 8 bits; that is faster from cache, but then a prompt (multiplied by BLAS) and a single
//! token (multiplied here) would disagree in the third digit.
//!
//! A product runs over 16 lanes and folds them in one fixed order, with the same fused operations in the portable
//! path and in `x86.rs` (AVX2, AVX-512, chosen at run time): every processor and any number of threads give the same
//! bits.
//!
//! ```
//! use bpetok::quant::{Format, dequantize, multiply, quantize};
//! let weights: Vec<f32> = (-32..32).map(|i| i as f32 / 32.0).collect(); // two rows of 32
//! let blocks = quantize(Format::Q4_0, &weights)?;
//! assert_eq!(blocks.len(), 2 * 18);
//! let product = multiply(Format::Q4_0, &blocks, 2, &[1.0; 32], 1)?;
//! let first_row: f32 = dequantize(Format::Q4_0, &blocks)?[..32].iter().sum();
//! assert!((product[0] - first_row).abs() < 1e-5);
//! # Ok::<(), bpetok::quant::QuantError>(())
//! ```

mod blocks;
#[cfg(target_arch = "x86_64")]
mod x86;

use blocks::{Block, LANES, Q4_0, Q4_1, Q5_0, Q8_0};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::threads::start;

/// Weights in a block; the length of a row must be a multiple of it.
pub const BLOCK: usize = 32;

/// A thread is started only for at least so many weights: starting and joining one takes 16 to 30 microseconds, in
/// which the kernel multiplies by 300,000 to 600,000 weights, and it starts with cold caches (2026-11-24).
const WEIGHTS_PER_THREAD: usize = 2 << 20;

/// The layout of one block.
#[allow(non_camel_case_types, reason = "the names that users know from GGUF files")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 8 bits around zero: the scale, then 32 signed bytes. 34 bytes.
    Q8_0,
    /// 5 bits around zero: the scale, the 32 highest bits, then 16 bytes with two low halves each. 22 bytes.
    Q5_0,
    /// 4 bits above a minimum: the scale, the minimum, then 16 bytes with two weights each. 20 bytes.
    Q4_1,
    /// 4 bits around zero: the scale, then 16 bytes with two weights each. 18 bytes.
    Q4_0,
}

/// Calls a generic function with the type that belongs to a format.
macro_rules! with_format {
    ($format:expr, $function:ident $arguments:tt) => {
        match $format {
            Format::Q8_0 => $function::<Q8_0> $arguments,
            Format::Q5_0 => $function::<Q5_0> $arguments,
            Format::Q4_1 => $function::<Q4_1> $arguments,
            Format::Q4_0 => $function::<Q4_0> $arguments,
        }
    };
}

impl Format {
    /// Every format, from the largest to the smallest.
    pub const ALL: [Self; 4] = [Self::Q8_0, Self::Q5_0, Self::Q4_1, Self::Q4_0];

    /// The name, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Q8_0 => "q8_0",
            Self::Q5_0 => "q5_0",
            Self::Q4_1 => "q4_1",
            Self::Q4_0 => "q4_0",
        }
    }

    /// The format of that [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Bytes of one block of 32 weights.
    #[must_use]
    pub fn block_bytes(self) -> usize {
        const fn bytes<F: Block>() -> usize {
            F::BYTES
        }
        with_format!(self, bytes())
    }
}

/// What was wrong with the numbers handed in.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum QuantError {
    /// A number of values that does not fill whole blocks or rows.
    Length {
        /// What was counted.
        what: &'static str,
        /// How many there were.
        got: usize,
        /// They must be a multiple of this.
        multiple: usize,
    },
    /// A weight that is not finite, or so large that its scale overflows half precision.
    Value {
        /// Where it stands.
        index: usize,
        /// The weight.
        value: f32,
        /// The largest magnitude that the format holds.
        limit: f32,
    },
}

impl fmt::Display for QuantError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Length { what, got, multiple } => write!(
                out,
                "{got} {what} are not a multiple of {multiple}; pad the rows with zeros or leave this matrix unquantised"
            ),
            Self::Value { index, value, limit } => write!(
                out,
                "weight {index} is {value}, but a block holds finite values up to {limit}; rescale this matrix or leave \
                 it unquantised"
            ),
        }
    }
}

impl std::error::Error for QuantError {}

fn whole(what: &'static str, got: usize, multiple: usize) -> Result<usize, QuantError> {
    if multiple > 0 && got.is_multiple_of(multiple) {
        Ok(got / multiple)
    } else {
        Err(QuantError::Length { what, got, multiple })
    }
}

/// Rounds weights to blocks.
///
/// # Errors
/// [`QuantError::Length`] for a partial block, [`QuantError::Value`] for a weight that no block can hold.
pub fn quantize(format: Format, weights: &[f32]) -> Result<Vec<u8>, QuantError> {
    let count = whole("weights", weights.len(), BLOCK)?;
    let mut bytes = vec![0; count * format.block_bytes()];
    with_format!(format, round(weights, &mut bytes))?;
    Ok(bytes)
}

fn round<F: Block>(weights: &[f32], bytes: &mut [u8]) -> Result<(), QuantError> {
    let fits = |weight: f32| weight.abs() <= F::LIMIT; // false for NaN
    for (at, (block, out)) in weights.as_chunks().0.iter().zip(bytes.chunks_exact_mut(F::BYTES)).enumerate() {
        if let Some(wrong) = block.iter().position(|&weight| !fits(weight)) {
            return Err(QuantError::Value { index: at * BLOCK + wrong, value: block[wrong], limit: F::LIMIT });
        }
        F::round(block, out);
    }
    Ok(())
}

/// The weights that blocks stand for.
///
/// # Errors
/// [`QuantError::Length`] for a partial block.
pub fn dequantize(format: Format, bytes: &[u8]) -> Result<Vec<f32>, QuantError> {
    let count = whole("bytes", bytes.len(), format.block_bytes())?;
    let mut weights = vec![0.0; count * BLOCK];
    with_format!(format, unpack(bytes, &mut weights));
    Ok(weights)
}

fn unpack<F: Block>(bytes: &[u8], weights: &mut [f32]) {
    for (block, out) in bytes.chunks_exact(F::BYTES).zip(weights.as_chunks_mut::<BLOCK>().0) {
        let ((low, high), scale, minimum) = (F::levels(block), F::scale(block), F::minimum(block));
        for lane in 0..LANES {
            // Two roundings, not one fused: the weight that llama.cpp reads from the block.
            out[lane] = scale * low[lane] + minimum;
            out[lane + LANES] = scale * high[lane] + minimum;
        }
    }
}

/// `x @ W.T` for a matrix `W [rows, columns]` in blocks and `x [n, columns]`: returns `[n, rows]`.
///
/// Meant for few rows of `x`, such as a step of decoding. For many, [`dequantize`] and use a product of matrices.
///
/// # Errors
/// [`QuantError::Length`] if the bytes do not divide into `rows`, or `x` into rows of as many columns.
pub fn multiply(format: Format, bytes: &[u8], rows: usize, x: &[f32], threads: usize) -> Result<Vec<f32>, QuantError> {
    multiply_on(Machine::best(), format, bytes, rows, x, threads)
}

/// [`multiply`] on the instructions of choice, so that tests can hold them against each other.
///
/// # Errors
/// As [`multiply`].
#[doc(hidden)]
pub fn multiply_on(
    machine: Machine,
    format: Format,
    bytes: &[u8],
    rows: usize,
    x: &[f32],
    threads: usize,
) -> Result<Vec<f32>, QuantError> {
    if x.is_empty() || (rows == 0 && bytes.is_empty()) {
        return Ok(Vec::new());
    }
    let row_bytes = format.block_bytes() * whole("bytes", bytes.len(), rows * format.block_bytes())?;
    let columns = row_bytes / format.block_bytes() * BLOCK;
    let many = whole("values of x", x.len(), columns)?;

    let mut product = vec![0.0; rows * many]; // [rows, n] here, so that threads own whole stretches of it
    let threads = threads.clamp(1, (rows * columns * many / WEIGHTS_PER_THREAD).max(1));
    let share = rows.div_ceil(threads);
    let work = |bytes: &[u8], out: &mut [f32]| rows_times(machine, format, bytes, x, out, Shape { row_bytes, columns });
    let parts = Mutex::new(bytes.chunks(share * row_bytes).zip(product.chunks_mut(share * many)));
    let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work_on = || {
        while let Some((bytes, out)) = next() {
            work(bytes, out);
        }
    };
    std::thread::scope(|scope| {
        // What has no thread of its own, the others do.
        let _others = (1..rows.div_ceil(share)).map_while(|_| start(scope, work_on)).count();
        work_on();
    });
    if many == 1 {
        return Ok(product);
    }
    Ok((0..many).flat_map(|at| product[at..].iter().step_by(many).copied()).collect())
}

/// The instructions that a product runs on.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// What every processor of the target has.
    Portable,
    /// 256-bit vectors with fused multiplication and half-precision conversion.
    Avx2,
    /// 512-bit vectors with the same.
    Avx512,
}

impl Machine {
    /// From the most common to the fastest.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Whether this processor has them.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => x86::has_avx2(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => x86::has_avx512(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    fn best() -> Self {
        Self::ALL.into_iter().rfind(|machine| machine.is_available()).unwrap_or(Self::Portable)
    }
}

/// The size of a row of weights: `columns` of them in `row_bytes`.
#[derive(Clone, Copy)]
struct Shape {
    row_bytes: usize,
    columns: usize,
}

/// Multiplies a stretch of rows, `out [rows, n]`. Instructions that are not there fall back to the portable ones.
fn rows_times(machine: Machine, format: Format, bytes: &[u8], x: &[f32], out: &mut [f32], shape: Shape) {
    #[cfg(target_arch = "x86_64")]
    match machine {
        Machine::Avx512 if x86::has_avx512() => {
            // SAFETY: the processor has every feature that `rows_avx512` is compiled for; the guard has just said so.
            return unsafe { x86::rows_avx512(format, bytes, x, out, shape) };
        }
        Machine::Avx2 if x86::has_avx2() => {
            // SAFETY: as above, for `rows_avx2`.
            return unsafe { x86::rows_avx2(format, bytes, x, out, shape) };
        }
        _ => {}
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = machine;
    with_format!(format, rows_portable(bytes, x, out, shape));
}

fn rows_portable<F: Block>(bytes: &[u8], x: &[f32], out: &mut [f32], shape: Shape) {
    each_product(bytes, x, out, shape, dot::<F>);
}

/// Fills `out [rows, n]` with the product of every row of weights and every row of `x`.
#[allow(clippy::inline_always, reason = "the vector paths compile it again for their instructions")]
#[inline(always)]
fn each_product(bytes: &[u8], x: &[f32], out: &mut [f32], shape: Shape, dot: impl Fn(&[u8], &[f32]) -> f32) {
    let many = x.len() / shape.columns;
    for (row, out) in bytes.chunks_exact(shape.row_bytes).zip(out.chunks_exact_mut(many)) {
        for (x, out) in x.chunks_exact(shape.columns).zip(out) {
            *out = dot(row, x);
        }
    }
}

/// The definition of a product, which the vector paths follow operation by operation.
fn dot<F: Block>(row: &[u8], x: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    for (block, x) in row.chunks_exact(F::BYTES).zip(x.as_chunks::<BLOCK>().0) {
        let ((low, high), scale, minimum) = (F::levels(block), F::scale(block), F::minimum(block));
        for lane in 0..LANES {
            let pair = high[lane].mul_add(x[lane + LANES], low[lane] * x[lane]);
            sums[lane] = scale.mul_add(pair, sums[lane]);
            if F::HAS_MINIMUM {
                sums[lane] = minimum.mul_add(x[lane] + x[lane + LANES], sums[lane]);
            }
        }
    }
    fold(sums)
}

/// Adds the lanes: the upper half onto the lower, until one is left.
fn fold(mut sums: [f32; LANES]) -> f32 {
    for width in [8, 4, 2, 1] {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
    }
    sums[0]
}
