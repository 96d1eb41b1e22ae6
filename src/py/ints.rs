//! Lists of ids. Python makes an object of every number it is given, which is a fifth of the time of a short call, so those of ids
//! that came before are given out again: numbers never change.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList};

use crate::ids::TokenId;

/// Ids that are kept: no two of the lowest, which are the most frequent, share a place.
const KEPT: usize = 1 << 13;

/// The Python numbers of ids that came lately, 400 KiB at most.
#[derive(Default)]
pub struct Ints {
    /// By the lower bits of the id. Only ever tried, never waited for: making a list may run a collection of garbage, and that any code.
    kept: Mutex<Vec<Option<(TokenId, Py<PyInt>)>>>,
}

impl Ints {
    /// `list[int]` of `ids`.
    pub fn list<'py>(&self, py: Python<'py>, ids: &[TokenId]) -> PyResult<Bound<'py, PyList>> {
        let Ok(mut kept) = self.kept.try_lock() else { return PyList::new(py, ids) };
        if kept.is_empty() {
            kept.resize_with(KEPT, || None);
        }
        let mut int = |&id: &TokenId| {
            let place = &mut kept[id as usize % KEPT];
            match place {
                Some((kept, int)) if *kept == id => int.clone_ref(py),
                _ => {
                    // Cannot fail: the error type has no values.
                    let Ok(int) = id.into_pyobject(py);
                    *place = Some((id, int.clone().unbind()));
                    int.unbind()
                }
            }
        };
        PyList::new(py, ids.iter().map(&mut int))
    }
}
