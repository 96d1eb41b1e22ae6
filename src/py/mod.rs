//! Python bindings.
use pyo3::prelude::*;

#[pymodule]
mod _bpetok {
    #[pymodule_export]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
