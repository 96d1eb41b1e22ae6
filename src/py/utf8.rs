//! The UTF-8 automaton in Python: a state, and the masks of a tokenizer.

use numpy::{PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple, PyType};

use super::arrays;
use crate::masks::table;
use crate::tokenizer;
use crate::utf8::State;

/// How far into a character some bytes end: what the next byte must be for the text to become valid UTF-8.
///
/// `State(text_so_far)` is immutable; `state.advance(token_bytes)` gives the next one.
#[pyclass(frozen, eq, hash, name = "State", module = "bpetok.utf8")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Utf8State(State);

#[pymethods]
impl Utf8State {
    #[new]
    #[pyo3(signature = (text = b"".as_slice(), /), text_signature = "(text=b'', /)")]
    fn new(text: &[u8]) -> Self {
        Self(State::Boundary.advance_all(text))
    }

    /// The state after more bytes; once invalid, always invalid.
    ///
    /// >>> from bpetok.utf8 import State
    /// >>> State(b"\xc3").advance(b"\xa9") == State()
    /// True
    #[pyo3(signature = (token_bytes, /))]
    fn advance(&self, token_bytes: &[u8]) -> Self {
        Self(self.0.advance_all(token_bytes))
    }

    /// Its number, 0 to 8: the row of the masks.
    #[getter]
    pub fn number(&self) -> u8 {
        self.0 as u8
    }

    /// Whether the text may end here: it is valid UTF-8.
    #[getter]
    fn complete(&self) -> bool {
        self.0 == State::Boundary
    }

    /// Whether some bytes could still make the text valid UTF-8.
    #[getter]
    fn valid(&self) -> bool {
        self.0 != State::Invalid
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("bpetok.utf8.State({})", PyBytes::new(py, self.example()).repr()?))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyType>, Bound<'py, PyTuple>)> {
        Ok((py.get_type::<Self>(), PyTuple::new(py, [PyBytes::new(py, self.example())])?))
    }
}

impl Utf8State {
    /// The shortest text that leads to this state.
    fn example(self) -> &'static [u8] {
        match self.0 {
            State::Boundary => b"",
            State::One => b"\xC2",
            State::Two => b"\xE1",
            State::Three => b"\xF1",
            State::AfterE0 => b"\xE0",
            State::AfterEd => b"\xED",
            State::AfterF0 => b"\xF0",
            State::AfterF4 => b"\xF4",
            State::Invalid => b"\xFF",
        }
    }
}

/// The masks of all states, bool `[states, vocab_size]`, read-only: made once a tokenizer, a row of it a step.
pub fn mask_table<'py>(py: Python<'py>, tokenizer: &tokenizer::Tokenizer) -> PyResult<Bound<'py, PyArray2<bool>>> {
    let size = tokenizer.vocab_size();
    let specials = tokenizer.specials().tokens().iter().map(|token| token.1);
    let masks = arrays::array(py, py.detach(|| table(size, tokenizer.vocabulary().iter(), specials)))?;
    // Before there are views of it: what owns the memory decides whether they may be made writable again.
    masks.call_method("setflags", (false,), None)?;
    masks.reshape([State::ALL.len(), size])
}
