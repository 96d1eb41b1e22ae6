//! `bpetok.nn.quant`'s functions: arrays in, arrays out. Shapes are checked by the caller in Python.
//! While they run, other threads go on: whoever writes to an array meanwhile gets numbers of before and after.

#![allow(clippy::needless_pass_by_value, reason = "arguments of a Python function are extracted by value")]

use numpy::{PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::arrays;
use super::numbers;
use crate::error::Error;
use crate::quant::{Format, QuantError, dequantize, multiply, quantize};

/// Rounds float32 weights `[rows, columns]` to blocks, uint8 `[rows, bytes of a row]`.
#[pyfunction]
pub(super) fn quant_quantize<'py>(
    py: Python<'py>,
    weights: PyReadonlyArray2<'py, f32>,
    format: &str,
) -> PyResult<Bound<'py, PyArray2<u8>>> {
    let format = format_of(format)?;
    let rows = weights.shape()[0];
    let values = weights.as_slice()?;
    let blocks = py.detach(|| quantize(format, values)).map_err(refused)?;
    as_rows(py, blocks, rows)
}

/// The float32 weights `[rows, columns]` of blocks.
#[pyfunction]
pub(super) fn quant_dequantize<'py>(
    py: Python<'py>,
    blocks: PyReadonlyArray2<'py, u8>,
    format: &str,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let format = format_of(format)?;
    let rows = blocks.shape()[0];
    let bytes = blocks.as_slice()?;
    let weights = py.detach(|| dequantize(format, bytes)).map_err(refused)?;
    as_rows(py, weights, rows)
}

/// `x @ W.T` for float32 `x [n, columns]` and blocks of `W [rows, columns]`: float32 `[n, rows]`.
#[pyfunction]
pub(super) fn quant_multiply<'py>(
    py: Python<'py>,
    blocks: PyReadonlyArray2<'py, u8>,
    x: PyReadonlyArray2<'py, f32>,
    format: &str,
    #[pyo3(from_py_with = numbers::thread_count)] threads: usize,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let format = format_of(format)?;
    let (rows, many) = (blocks.shape()[0], x.shape()[0]);
    let (bytes, values) = (blocks.as_slice()?, x.as_slice()?);
    let product = py.detach(|| multiply(format, bytes, rows, values, threads)).map_err(refused)?;
    as_rows(py, product, many)
}

fn format_of(name: &str) -> Result<Format, Error> {
    Format::from_name(name).ok_or_else(|| {
        let names = Format::ALL.map(Format::name).join(", ");
        Error::Argument(format!("format {name:?} is unknown; use one of {names}"))
    })
}

fn refused(error: QuantError) -> Error {
    Error::Argument(error.to_string())
}

fn as_rows<T: numpy::Element>(py: Python<'_>, values: Vec<T>, rows: usize) -> PyResult<Bound<'_, PyArray2<T>>> {
    let columns = values.len() / rows.max(1);
    arrays::array(py, values)?.reshape([rows, columns])
}
