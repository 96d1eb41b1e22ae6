//! NumPy arrays of what Rust made. The crate that makes them ends with a panic where NumPy cannot be imported, or Ctrl-C comes
//! meanwhile; so it is imported first, and what that raises is raised.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use numpy::{Element, PyArray1};
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

/// Imports NumPy. Whoever makes something that takes time, or that others wait for, asks for it before.
pub fn ready(py: Python<'_>) -> PyResult<()> {
    static IS_IMPORTED: AtomicBool = AtomicBool::new(false);
    // Nobody waits: an import runs any code, also that of a signal's handler, which may ask for the same.
    if !IS_IMPORTED.load(Relaxed) {
        let spec = py.import("numpy")?.getattr("__spec__")?;
        if spec.getattr_opt("_initializing")?.is_some_and(|half| half.is_truthy().unwrap_or(false)) {
            return Err(PyImportError::new_err("NumPy is just being imported; ask again when it is"));
        }
        IS_IMPORTED.store(true, Relaxed);
    }
    Ok(())
}

/// The values as an array `[values]`, which takes their memory over.
pub fn array<T: Element>(py: Python<'_>, values: Vec<T>) -> PyResult<Bound<'_, PyArray1<T>>> {
    ready(py)?;
    Ok(PyArray1::from_vec(py, values))
}
