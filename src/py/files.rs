//! Files in and out: our own and rank files.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::convert::special_tokens;
use super::tokenizer::Tokenizer;
use crate::error::Error;
use crate::files;

/// Reads a `.bpetok` file.
#[pyfunction]
pub fn load_bpetok(py: Python<'_>, path: PathBuf) -> PyResult<Tokenizer> {
    let inner = py.detach(|| {
        let data = std::fs::read(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        files::from_bytes(&data)
    })?;
    Ok(Tokenizer::wrap(inner))
}

/// Reads the bytes of a rank file; see `bpetok.load`.
#[pyfunction]
#[pyo3(signature = (data, pattern, special_tokens=None))]
pub fn parse_tiktoken(
    py: Python<'_>,
    data: &[u8],
    pattern: &str,
    special_tokens: Option<&Bound<'_, PyAny>>,
) -> PyResult<Tokenizer> {
    // Special tokens without ids go above the highest: read the ranks first, then place them.
    let is_list = special_tokens.is_some_and(|tokens| !tokens.is_none() && !tokens.is_instance_of::<PyDict>());
    if is_list {
        let plain = Tokenizer::wrap(py.detach(|| files::from_tiktoken(data, pattern, Vec::new()))?);
        return match special_tokens {
            Some(names) => plain.with_special_tokens(names),
            None => Ok(plain),
        };
    }
    let specials = self::special_tokens(special_tokens, 0)?;
    Ok(Tokenizer::wrap(py.detach(|| files::from_tiktoken(data, pattern, specials))?))
}

/// The bytes of the rank file of a tokenizer.
#[pyfunction]
pub fn write_tiktoken<'py>(py: Python<'py>, tokenizer: &Bound<'py, Tokenizer>) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &files::to_tiktoken(tokenizer.get().inner())?))
}
