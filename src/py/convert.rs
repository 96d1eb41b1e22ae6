//! Python values -> what the core takes.

use std::ffi::CStr;
use std::ops::Deref;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError, PyUnicodeError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyIterator, PyList, PyString, PyTuple};

use super::errors::{TextError, TokenIdError};
use super::numbers;
use crate::error::Error;
use crate::ids::TokenId;
use crate::threads::Ask;
use crate::utf8::Text;

/// Ids that room is made for because a collection says that it has them.
const HINT: usize = 1 << 16;

/// The UTF-8 bytes of a `str` (CPython keeps them, so nothing is copied) or the bytes of a `bytes`.
#[inline]
pub fn text<'a>(text: &'a Bound<'_, PyAny>) -> PyResult<Text<'a>> {
    if let Ok(text) = text.cast::<PyString>() {
        return text_named(text, || "the text".to_owned()).map(Text::Valid);
    }
    if let Ok(bytes) = text.cast::<PyBytes>() {
        return Ok(Text::Raw(bytes.as_bytes()));
    }
    Err(no_text(text))
}

/// Whether a value is a `str` or `bytes`.
pub fn is_text(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyString>() || value.is_instance_of::<PyBytes>()
}

/// The error for a value that is neither.
pub fn no_text(value: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("text must be str or bytes, not {}", type_name(value)))
}

/// The texts of a batch, the first of which is number `first`.
pub fn texts<'a>(items: &'a [Bound<'_, PyAny>], first: usize) -> PyResult<Vec<Text<'a>>> {
    let text = |(index, item): (usize, &'a Bound<'_, PyAny>)| {
        check_signals(item.py(), index)?;
        text(item).map_err(|error| in_document(item.py(), error, first + index))
    };
    items.iter().enumerate().map(text).collect()
}

/// The same error with the number of the document. One that has a traceback comes from the caller's own code and stays.
pub fn in_document(py: Python<'_>, error: PyErr, index: usize) -> PyErr {
    if error.traceback(py).is_some() {
        return error;
    }
    let class = error.get_type(py);
    let is_ours = error.is_instance_of::<TextError>(py) || error.is_instance_of::<TokenIdError>(py);
    if is_ours || class.is(py.get_type::<PyTypeError>()) {
        return PyErr::from_type(class, format!("document {index}: {}", error.value(py)));
    }
    // Its message is made of parts.
    if error.is_instance_of::<PyUnicodeError>(py)
        && let Err(other) = error.value(py).call_method1("add_note", (format!("in document {index}"),))
    {
        return other;
    }
    error
}

/// The UTF-8 of a `str`; an error calls it by `name`.
#[inline]
pub fn text_named<'a>(text: &'a Bound<'_, PyString>, name: impl FnOnce() -> String) -> PyResult<&'a str> {
    text.to_str().map_err(|error| lone_surrogate(text.py(), error, &name()))
}

/// An argument that is a `str` for Rust to read: a pattern, the name of something. A lone surrogate in it is a [`TextError`].
pub struct Str<'a>(pub &'a str);

impl Deref for Str<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Str<'a> {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match <&'a str>::extract(value) {
            Ok(text) => Ok(Self(text)),
            Err(error) => Err(lone_surrogate(value.py(), error, &value.repr()?.to_string())),
        }
    }
}

/// The items of an argument. Where it has none, the error calls it by `name` and says what is `wanted`.
pub fn items<'py>(value: &Bound<'py, PyAny>, name: &str, wanted: &str) -> PyResult<Bound<'py, PyIterator>> {
    value.try_iter().map_err(|error| {
        // What a collection itself raises is for the caller to see.
        if !error.is_instance_of::<PyTypeError>(value.py()) || value.hasattr("__iter__").unwrap_or(true) {
            return error;
        }
        PyTypeError::new_err(format!("{name} must be {wanted}, not {}", type_name(value)))
    })
}

/// The name of a value's type.
pub fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "an unknown type".to_owned(), |name| name.to_string())
}

#[cold]
fn lone_surrogate(py: Python<'_>, error: PyErr, name: &str) -> PyErr {
    if !error.is_instance_of::<PyUnicodeEncodeError>(py) {
        return error;
    }
    let index: usize = error.value(py).getattr("start").and_then(|start| start.extract()).unwrap_or_default();
    TextError::new_err(format!(
        "{name} has a lone surrogate at index {index}, which has no UTF-8 form; encode the str with errors='surrogatepass' or 'replace' first"
    ))
}

/// Token ids: a list, a buffer of 32-bit numbers such as a NumPy array, or anything that gives ints.
pub fn token_ids(ids: &Bound<'_, PyAny>, vocab_size: usize) -> PyResult<Vec<TokenId>> {
    // A plain list has none, and to be told so costs an exception.
    let is_plain = ids.is_instance_of::<PyList>() || ids.is_instance_of::<PyTuple>();
    if !is_plain
        && let Ok(buffer) = PyBuffer::<u32>::get(ids)
        && is_native(buffer.format())
    {
        if buffer.dimensions() != 1 {
            let message = format!(
                "token ids have {} dimensions; give one row of them, or rows to decode_batch",
                buffer.dimensions()
            );
            return Err(PyTypeError::new_err(message));
        }
        return buffer.to_vec(ids.py());
    }
    if is_text(ids) || ids.is_instance_of::<PyByteArray>() {
        let kind = type_name(ids);
        return Err(PyTypeError::new_err(format!(
            "ids is {kind}, not ids; give a collection of ints (decode turns them into text)"
        )));
    }
    // A hint only: `range(10**13)` has a length too, and is refused at its first id that is none.
    let mut found = Vec::with_capacity(ids.len().unwrap_or(0).min(HINT));
    for (index, id) in items(ids, "ids", "a collection")?.enumerate() {
        check_signals(ids.py(), index)?;
        let id = token_id(&id?, index, vocab_size)?;
        if id as usize >= vocab_size {
            return Err(Error::UnknownId { id: id.into(), index, vocab_size }.into());
        }
        found.push(id);
    }
    Ok(found)
}

/// Whether numbers of this format have the order of bytes of this machine, which PyO3 does not ask.
fn is_native(format: &CStr) -> bool {
    let foreign: &[u8] = if cfg!(target_endian = "little") { b">!" } else { b"<" };
    format.to_bytes().first().is_none_or(|order| !foreign.contains(order))
}

/// One token id.
pub fn token_id(id: &Bound<'_, PyAny>, index: usize, vocab_size: usize) -> PyResult<TokenId> {
    if let Ok(id) = id.extract::<u32>() {
        return Ok(id);
    }
    // Not an int is a TypeError; an int that is no id says which. An array has `__index__` too, but stands for none.
    if let Ok(int) = id.call_method0("__index__") {
        let message = format!(
            "token id {} (at index {index}) is not in the vocabulary; ids run from 0 to {}",
            numbers::shown(&int),
            vocab_size.saturating_sub(1)
        );
        return Err(TokenIdError::new_err(message));
    }
    let kind = type_name(id);
    let cure = if id.hasattr("__len__")? && !id.is_instance_of::<PyString>() {
        "; decode_batch takes rows of ids"
    } else {
        ""
    };
    Err(PyTypeError::new_err(format!("token ids must be int, not {kind} (at index {index}){cure}")))
}

/// Handles signals at some of the items of a loop over Python objects: every millisecond or so.
#[inline]
pub fn check_signals(py: Python<'_>, index: usize) -> PyResult<()> {
    if index % (1 << 14) == (1 << 14) - 1 { py.check_signals() } else { Ok(()) }
}

/// `max_memory`: `None` for no limit, a number of bytes, or a text such as "2GiB".
pub fn max_memory(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<u64>> {
    let Some(value) = value else { return Ok(None) };
    let parse = value.py().import("bpetok.sizes")?.getattr("parse_size")?;
    parse.call1((value,))?.extract().map(Some)
}

/// The result of work without the interpreter, which asks now and then for Ctrl-C.
pub fn detached<T: Send>(py: Python<'_>, work: impl FnOnce(Ask<'_>) -> crate::error::Result<T> + Send) -> PyResult<T> {
    let mut pause = Pause::default();
    let result = py.detach(|| work(&mut || pause.check()));
    pause.settle(result)
}

/// Keeps the Python exception behind an interrupted piece of work, and asks for Ctrl-C.
#[derive(Default)]
pub struct Pause {
    raised: Option<PyErr>,
}

impl Pause {
    /// Whether to go on: handles signals.
    pub fn check(&mut self) -> crate::error::Result<()> {
        self.call(|_| Ok(()))
    }

    /// The same after calling `report`.
    pub fn call(&mut self, report: impl FnOnce(Python<'_>) -> PyResult<()>) -> crate::error::Result<()> {
        Python::attach(|py| report(py).and_then(|()| py.check_signals())).map_err(|raised| {
            self.raised = Some(raised);
            Error::Interrupted
        })
    }

    /// The result for Python: the exception that interrupted the work, if one did.
    pub fn settle<T>(self, result: crate::error::Result<T>) -> PyResult<T> {
        result.map_err(|error| self.raised.unwrap_or_else(|| error.into()))
    }
}
