//! What can be counted: documents, or paths of files.

use std::path::PathBuf;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use super::convert::type_name;

/// What a source turned out to be.
pub enum Source<'py> {
    /// Files.
    Paths(Vec<PathBuf>),
    /// Anything that gives texts.
    Documents(Bound<'py, pyo3::types::PyIterator>),
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
    if source.is_instance_of::<PyString>() || source.is_instance_of::<PyBytes>() {
        return Err(bare_text(source));
    }
    if let Some(path) = as_path(source)? {
        return Ok(Source::Paths(vec![path]));
    }
    if let Ok(list) = source.cast::<PyList>()
        && let Ok(first) = list.get_item(0)
        && as_path(&first)?.is_some()
    {
        let paths = list.iter().map(|item| {
            as_path(&item)?.ok_or_else(|| {
                PyTypeError::new_err(format!("source mixes paths and {}; give only one kind", type_name(&item)))
            })
        });
        return Ok(Source::Paths(paths.collect::<PyResult<_>>()?));
    }
    let items = source.try_iter().map_err(|_| {
        PyTypeError::new_err(format!(
            "source must be an iterable of str or bytes, a pathlib.Path, a list of Paths, or Counts, not {}",
            type_name(source)
        ))
    })?;
    Ok(Source::Documents(items))
}
