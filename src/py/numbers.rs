//! Ints that Python gives. One out of range is an error that names it, the limit and the cure; what is no int is a TypeError.

use std::fmt::Display;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::convert::type_name;
use crate::blocks::LARGEST;
use crate::error::Error;
use crate::ids::{MAX_TOKEN_ID, TokenId};

/// An argument that is an int.
struct Number {
    name: &'static str,
    least: i128,
    most: i128,
    /// What may be given instead.
    or: &'static str,
    refuse: fn(String) -> Error,
}

/// Most digits that are shown.
const SHOWN: usize = 40;

const PLAIN: Number = Number { name: "", least: 0, most: i64::MAX as i128, or: "", refuse: Error::Argument };
const THREADS: Number = Number { name: "threads", least: 1, or: ", or None for all", ..PLAIN };
/// How many it must be at least depends on the special tokens: the trainer says so.
const VOCAB_SIZE: Number = Number { name: "vocab_size", most: MAX_TOKEN_ID as i128 + 1, refuse: Error::Train, ..PLAIN };
const MIN_FREQUENCY: Number = Number { name: "min_frequency", most: u64::MAX as i128, refuse: Error::Train, ..PLAIN };
const MAX_TOKEN_BYTES: Number =
    Number { name: "max_token_bytes", least: 1, or: ", or None for no limit", refuse: Error::Train, ..PLAIN };
const MIN_COUNT: Number = Number { name: "min_count", most: u64::MAX as i128, ..PLAIN };
const MAX_TOKENS: Number = Number { name: "max_tokens", ..PLAIN };
/// NumPy counts the bytes of an array in a signed word.
const LENGTH: Number = Number {
    name: "length",
    most: isize::MAX as i128 / size_of::<TokenId>() as i128,
    or: ", or None for that of the longest document",
    ..PLAIN
};
const VALUE: Number = Number { name: "value", most: TokenId::MAX as i128, ..PLAIN };
const BLOCK_BYTES: Number = Number { name: "block_bytes", least: 1, most: LARGEST as i128, ..PLAIN };
const BYTES: Number = Number { name: "bytes", ..PLAIN };
/// A memo has closer limits, which it tells itself.
const SIZE: Number = Number { name: "size", most: u64::MAX as i128, or: " bytes", ..PLAIN };

impl Number {
    /// The value as an int of its own type, which holds all that is in range.
    fn read<T: TryFrom<i128>>(&self, value: &Bound<'_, PyAny>) -> PyResult<T> {
        let Self { name, least, most, or, refuse } = self;
        let int = int(value, name)?;
        let in_range = int.extract().ok().filter(|int| (least..=most).contains(&int));
        if let Some(fitting) = in_range.and_then(|int: i128| T::try_from(int).ok()) {
            return Ok(fitting);
        }
        let limit = if int.lt(*least)? { format!("{least} or more") } else { format!("{most} or less") };
        Err(refuse(format!("{name} is {}; give {limit}{or}", shown(&int))).into())
    }

    fn read_unless_none<T: TryFrom<i128>>(&self, value: &Bound<'_, PyAny>) -> PyResult<Option<T>> {
        if value.is_none() { Ok(None) } else { self.read(value).map(Some) }
    }
}

/// The int that a value stands for: NumPy's are no `int`, and what has this method stands for one.
pub fn int<'py>(value: &Bound<'py, PyAny>, name: impl Display) -> PyResult<Bound<'py, PyAny>> {
    if !value.hasattr("__index__")? {
        return Err(PyTypeError::new_err(format!("{name} must be int, not {}", type_name(value))));
    }
    value.call_method0("__index__")
}

/// The digits of an int, unless they are too many to read (or, past 4,300, for Python to write).
pub fn shown(int: &Bound<'_, PyAny>) -> String {
    match int.str().map(|digits| digits.to_string()) {
        Ok(digits) if digits.len() <= SHOWN => digits,
        // What the `__str__` of a type of one's own gives need not be digits.
        Ok(digits) => format!("{}... ({} characters)", digits.chars().take(SHOWN).collect::<String>(), digits.len()),
        Err(_) => "a number of thousands of digits".to_owned(),
    }
}

/// `batch[index]`; `None` for an int that no list is long enough for.
pub fn index(value: &Bound<'_, PyAny>) -> PyResult<Option<isize>> {
    Ok(int(value, "the number of a document")?.extract().ok())
}

/// `threads`: `None` for all.
pub fn threads(value: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
    THREADS.read_unless_none(value)
}

/// `threads` where there is no `None`.
pub fn thread_count(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    Number { or: "", ..THREADS }.read(value)
}

/// `vocab_size`.
pub fn vocab_size(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    VOCAB_SIZE.read(value)
}

/// `min_frequency`.
pub fn min_frequency(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    MIN_FREQUENCY.read(value)
}

/// `max_token_bytes`: `None` for no limit.
pub fn max_token_bytes(value: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
    MAX_TOKEN_BYTES.read_unless_none(value)
}

/// `min_count`.
pub fn min_count(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    MIN_COUNT.read(value)
}

/// `max_tokens`.
pub fn max_tokens(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    MAX_TOKENS.read(value)
}

/// `length`, of rows of ids: `None` for that of the longest.
pub fn length(value: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
    LENGTH.read_unless_none(value)
}

/// `value`, to fill rows of ids up.
pub fn value(value: &Bound<'_, PyAny>) -> PyResult<TokenId> {
    VALUE.read(value)
}

/// `block_bytes`.
pub fn block_bytes(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    BLOCK_BYTES.read(value)
}

/// `bytes`, of text.
pub fn bytes(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    BYTES.read(value)
}

/// `size`, of a memo.
pub fn size(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    SIZE.read(value)
}
