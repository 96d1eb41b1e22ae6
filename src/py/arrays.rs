//! NumPy arrays of what Rust made. The crate that makes them ends with a panic where NumPy cannot be imported, or Ctrl-C comes
//! meanwhile; so it is imported first, and what that raises is raised.

use numpy::{Element, PyArray1};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Imports NumPy. Whoever makes something that takes time asks for it before.
pub fn ready(py: Python<'_>) -> PyResult<()> {
    static IMPORTED: PyOnceLock<()> = PyOnceLock::new();
    IMPORTED.get_or_try_init(py, || py.import("numpy").map(|_| ())).copied()
}

/// The values as an array `[values]`, which takes their memory over.
pub fn array<T: Element>(py: Python<'_>, values: Vec<T>) -> PyResult<Bound<'_, PyArray1<T>>> {
    ready(py)?;
    Ok(PyArray1::from_vec(py, values))
}
