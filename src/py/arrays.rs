//! NumPy arrays of what Rust made. The crate that makes them ends with a panic where NumPy cannot be imported, or Ctrl-C comes
//! while it first asks NumPy for its version; so both are done first, and what importing raises is raised.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::ScopedJoinHandle;

use numpy::{Element, PyArray1};
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

use crate::threads::start;

/// Imports NumPy. Whoever makes something that takes time, or that others wait for, asks for it before.
pub fn ready(py: Python<'_>) -> PyResult<()> {
    static IS_IMPORTED: AtomicBool = AtomicBool::new(false);
    // Nobody waits: an import runs any code, also that of a signal's handler, which may ask for the same.
    if !IS_IMPORTED.load(Relaxed) {
        let spec = py.import("numpy")?.getattr("__spec__")?;
        if spec.getattr_opt("_initializing")?.is_some_and(|half| half.is_truthy().unwrap_or(false)) {
            return Err(PyImportError::new_err("NumPy is just being imported; ask again when it is"));
        }
        ask_version(py);
        IS_IMPORTED.store(true, Relaxed);
    }
    Ok(())
}

/// Makes the crate ask NumPy for its version, which runs some Python. In a thread of its own: the handlers of signals run in the
/// first thread only, and Ctrl-C that came before, or comes now, is for it to hear afterwards.
fn ask_version(py: Python<'_>) {
    py.detach(|| {
        std::thread::scope(|scope| {
            let ask = || _ = Python::attach(|py| PyArray1::<u32>::from_vec(py, Vec::new()).unbind());
            // A system without a thread to give: then it is asked when the first array is made.
            let _ = start(scope, ask).map(ScopedJoinHandle::join);
        });
    });
}

/// The values as an array `[values]`, which takes their memory over.
pub fn array<T: Element>(py: Python<'_>, values: Vec<T>) -> PyResult<Bound<'_, PyArray1<T>>> {
    ready(py)?;
    Ok(PyArray1::from_vec(py, values))
}
