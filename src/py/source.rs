//! What can be counted: documents, or paths of files.

use std::path::PathBuf;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyIterator, PyMemoryView, PyString};

use super::convert::{items, type_name};

/// What a source turned out to be.
pub enum Source<'py> {
    /// Files.
    Paths(Vec<PathBuf>),
    /// Anything that gives texts: the first, which was looked at, and the others.
    Documents(Option<Bound<'py, PyAny>>, Bound<'py, PyIterator>),
}

fn bare_text(value: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "source is a bare {}; wrap text in a list ([text]) or give a pathlib.Path for a file",
        type_name(value)
    ))
}

/// A path, if the value is one: text never is.
pub fn as_path(value: &Bound<'_, PyAny>) -> PyResult<Option<PathBuf>> {
    if value.is_instance_of::<PyString>() || value.is_instance_of::<PyBytes>() || !value.hasattr("__fspath__")? {
        return Ok(None);
    }
    value.extract().map(Some)
}

/// Looks at a source: text and paths are never mixed.
pub fn read_source<'py>(source: &Bound<'py, PyAny>) -> PyResult<Source<'py>> {
    let is_bytes = source.is_instance_of::<PyByteArray>() || source.is_instance_of::<PyMemoryView>();
    if source.is_instance_of::<PyString>() || source.is_instance_of::<PyBytes>() || is_bytes {
        return Err(bare_text(source));
    }
    if let Some(path) = as_path(source)? {
        return Ok(Source::Paths(vec![path]));
    }
    let mut items =
        items(source, "source", "an iterable of str or bytes, a pathlib.Path, an iterable of Paths, or Counts")?;
    let first = items.next().transpose()?;
    let Some(path) = first.as_ref().map(as_path).transpose()?.flatten() else {
        return Ok(Source::Documents(first, items));
    };
    let mut paths = vec![path];
    for item in items {
        let item = item?;
        paths.push(as_path(&item)?.ok_or_else(|| {
            PyTypeError::new_err(format!("source mixes paths and {}; give only one kind", type_name(&item)))
        })?);
    }
    Ok(Source::Paths(paths))
}
