//! `Tokenizer`: the class that Python users hold. Its methods, by what they are about: `encode`, `encode_files`, `decode`,
//! `properties`, `files`.

mod decode;
mod encode;
mod encode_files;
mod files;
mod properties;

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use numpy::PyArray2;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyMapping;

use super::errors::SpecialTokenError;
use super::ints::Ints;
use super::numbers;
use super::specials::{numbered, placed, unplaced};
use crate::encode::memo;
use crate::ids::TokenId;
use crate::tokenizer;

/// Sets the memory that a tokenizer may take for what merging gave; all its threads share it.
#[pyfunction]
pub fn set_memo_bytes(#[pyo3(from_py_with = numbers::size)] size: u64) -> PyResult<()> {
    Ok(memo::set_size(size)?)
}

/// A byte-level BPE tokenizer. It never changes after it is built, so it may be shared by threads, pickled and forked.
///
/// Make one with `bpetok.train`, `bpetok.load` or `bpetok.get_encoding`. In the examples of the methods it is
///
/// >>> tok = bpetok.train(["low lower lowest"] * 4, vocab_size=262)
#[pyclass(frozen, module = "bpetok", weakref)]
pub struct Tokenizer {
    inner: Arc<tokenizer::Tokenizer>,
    /// bool [states, vocab_size], made when a mask is first asked for.
    masks: PyOnceLock<Py<PyArray2<bool>>>,
    ints: Arc<Ints>,
}

impl Tokenizer {
    /// The tokenizer of the core.
    pub fn inner(&self) -> &tokenizer::Tokenizer {
        &self.inner
    }

    pub fn wrap(inner: tokenizer::Tokenizer) -> Self {
        Self { inner: Arc::new(inner), masks: PyOnceLock::new(), ints: Arc::default() }
    }
}

#[pymethods]
impl Tokenizer {
    /// The same tokenizer with more special tokens: a dict of str to int, or a collection of str, which get ids above the
    /// highest. Those it has stay.
    ///
    /// Raises:
    ///     SpecialTokenError: for an id that is taken or out of range, or a text that has another id already.
    ///     TextError: for a lone surrogate.
    ///
    /// >>> tok.with_special_tokens(["<|pad|>"]).special_tokens
    /// {'<|endoftext|>': 261, '<|pad|>': 262}
    pub fn with_special_tokens(&self, special_tokens: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut specials = self.inner.specials().tokens().to_vec();
        let known: HashMap<&str, TokenId> = self.inner.specials().tokens().iter().map(|(t, id)| (&**t, *id)).collect();
        let added = if let Ok(tokens) = special_tokens.cast::<PyMapping>() {
            placed(tokens)?
        } else {
            let mut new = unplaced(special_tokens)?;
            new.retain(|text| !known.contains_key(&**text));
            numbered(new, self.inner.vocab_size())?
        };
        for (text, id) in added {
            match known.get(&*text) {
                Some(known) if *known == id => {}
                Some(known) => {
                    return Err(SpecialTokenError::new_err(format!(
                        "special token {text:?} has the id {known} already and cannot get {id}"
                    )));
                }
                None => specials.push((text, id)),
            }
        }
        Ok(Self::wrap(self.inner.with_specials(specials)?))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| {
            let other = other.get();
            Arc::ptr_eq(&self.inner, &other.inner) || self.inner.fingerprint() == other.inner.fingerprint()
        })
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.inner.fingerprint().hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        let specials = self.inner.specials().tokens().len();
        format!(
            "Tokenizer(vocab_size={}, special_tokens={specials}, fingerprint={:.8})",
            self.inner.vocab_size(),
            self.inner.fingerprint()
        )
    }
}
