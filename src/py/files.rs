//! Files in and out: our own and rank files.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMapping};

use super::convert::Str;
use super::specials;
use super::tokenizer::Tokenizer;
use crate::error::Error;
use crate::files;
use crate::pretokenize::regex;

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
    pattern: Str<'_>,
    special_tokens: Option<&Bound<'_, PyAny>>,
) -> PyResult<Tokenizer> {
    let given = special_tokens.filter(|tokens| !tokens.is_none());
    let placed = given.and_then(|tokens| tokens.cast::<PyMapping>().ok()).map(specials::placed).transpose()?;
    // Special tokens without ids go above the highest: read the ranks first, then place them.
    let unplaced = given.filter(|_| placed.is_none());
    let read = Tokenizer::wrap(py.detach(|| {
        let read = files::from_tiktoken(data, &pattern, placed.unwrap_or_default())?;
        read.prepare();
        Ok::<_, Error>(read)
    })?);
    match unplaced {
        Some(names) => read.with_special_tokens(names),
        None => Ok(read),
    }
}

/// Whether a pattern, a regex, may match without taking a character.
#[pyfunction]
pub fn may_be_empty(pattern: Str<'_>) -> PyResult<bool> {
    Ok(regex::may_be_empty(&pattern)?)
}

/// The bytes of the rank file of a tokenizer.
#[pyfunction]
pub fn write_tiktoken<'py>(py: Python<'py>, tokenizer: &Bound<'py, Tokenizer>) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &files::to_tiktoken(tokenizer.get().inner())?))
}
