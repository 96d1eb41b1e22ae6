//! Ids -> text: one, many, as they come, and what may come next.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};
use std::ffi::{CStr, CString};
use std::sync::Arc;

use super::Tokenizer;
use crate::error::Error;
use crate::ids::TokenId;
use crate::py::batch::TokenBatch;
use crate::py::convert::{Str, in_document, items, token_ids};
use crate::py::stream::Stream;
use crate::py::utf8::{Utf8State, mask_table};

/// Ids that are decoded before signals are looked at: some milliseconds.
const ROUND: usize = 1 << 20;

/// The name of an error handler, as C knows it.
fn handler(errors: &str) -> Result<CString, Error> {
    let unusable = format!(
        "errors is {errors:?}, and no error handler has a NUL in its name; give \"replace\", \"strict\" or another"
    );
    CString::new(errors).map_err(|_| Error::Argument(unusable))
}

impl Tokenizer {
    /// Appends the bytes of ids, in rounds between which Ctrl-C is heard.
    fn decode_onto(&self, py: Python<'_>, ids: &[TokenId], bytes: &mut Vec<u8>) -> PyResult<()> {
        for (round, ids) in ids.chunks(ROUND).enumerate() {
            if round > 0 {
                py.check_signals()?;
            }
            py.detach(|| self.inner.decoder().decode(ids, bytes)).map_err(|error| match error {
                Error::UnknownId { id, index, vocab_size } => {
                    Error::UnknownId { id, index: round * ROUND + index, vocab_size }
                }
                other => other,
            })?;
        }
        Ok(())
    }

    /// The text of ids, by way of a buffer that many texts may share.
    fn decoded<'py>(
        &self,
        py: Python<'py>,
        ids: &[TokenId],
        errors: &CStr,
        bytes: &mut Vec<u8>,
    ) -> PyResult<Bound<'py, PyString>> {
        bytes.clear();
        self.decode_onto(py, ids, bytes)?;
        // No vector is longer than the greatest `isize`.
        let length = bytes.len().cast_signed();
        // SAFETY: the pointers are to `length` bytes and to a text that ends with 0, both of which outlive the call; what it
        // gives is a `str` of our own, or null with an exception set, as `Bound::from_owned_ptr_or_err` asks.
        let text = unsafe {
            let text = pyo3::ffi::PyUnicode_DecodeUTF8(bytes.as_ptr().cast(), length, errors.as_ptr());
            Bound::from_owned_ptr_or_err(py, text)?
        };
        Ok(text.cast_into()?)
    }
}

#[pymethods]
impl Tokenizer {
    /// The text of ids. `errors` says what to do with bytes that are not UTF-8, as in `bytes.decode`.
    ///
    /// Raises:
    ///     TokenIdError: for an id that the vocabulary has not.
    ///     UnicodeDecodeError: for bytes that are not UTF-8, with errors="strict".
    ///
    /// >>> tok.decode([257, 259, 81])
    /// 'low lower'
    #[pyo3(signature = (ids, errors=Str("replace")), text_signature = "($self, ids, errors='replace')")]
    fn decode<'py>(&self, py: Python<'py>, ids: &Bound<'py, PyAny>, errors: Str<'_>) -> PyResult<Bound<'py, PyString>> {
        let errors = handler(&errors)?;
        self.decoded(py, &token_ids(ids, self.inner.vocab_size())?, &errors, &mut Vec::new())
    }

    /// The bytes of ids, exactly.
    ///
    /// Raises:
    ///     TokenIdError: for an id that the vocabulary has not.
    ///
    /// >>> tok.decode_bytes(tok.encode(b"low\xff"))
    /// b'low\xff'
    fn decode_bytes<'py>(&self, py: Python<'py>, ids: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let ids = token_ids(ids, self.inner.vocab_size())?;
        let mut bytes = Vec::new();
        self.decode_onto(py, &ids, &mut bytes)?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The texts of a TokenBatch or of any iterable of ids: `list[str]`.
    ///
    /// Raises what `decode` raises; the message names the document.
    ///
    /// >>> tok.decode_batch([[257], [257, 259, 81]])
    /// ['low', 'low lower']
    #[pyo3(signature = (batch, errors=Str("replace")), text_signature = "($self, batch, errors='replace')")]
    fn decode_batch<'py>(
        &self,
        py: Python<'py>,
        batch: &Bound<'py, PyAny>,
        errors: Str<'_>,
    ) -> PyResult<Bound<'py, PyList>> {
        let (texts, errors, mut bytes) = (PyList::empty(py), handler(&errors)?, Vec::new());
        if let Ok(batch) = batch.cast::<TokenBatch>() {
            let (ids, documents) = batch.get().documents();
            for (index, document) in documents.enumerate() {
                py.check_signals()?;
                let text = self.decoded(py, &ids[document], &errors, &mut bytes);
                texts.append(text.map_err(|error| in_document(py, error, index))?)?;
            }
            return Ok(texts);
        }
        for (index, ids) in items(batch, "batch", "a collection")?.enumerate() {
            py.check_signals()?;
            let text = token_ids(&ids?, self.inner.vocab_size())
                .and_then(|ids| self.decoded(py, &ids, &errors, &mut bytes))
                .map_err(|error| in_document(py, error, index))?;
            texts.append(text)?;
        }
        Ok(texts)
    }

    /// Incremental text of ids that come one by one: see Stream.
    ///
    /// >>> stream = tok.stream()
    /// >>> [stream.push(id) for id in tok.encode("low lower")]
    /// ['low', ' lowe', 'r']
    fn stream(&self) -> Stream {
        Stream::new(Arc::clone(&self.inner))
    }

    /// bool [vocab_size]: which tokens may follow so that the text so far can still become valid UTF-8. Gaps are False, special
    /// tokens True only where a text may end. `state` is `bpetok.utf8.State()` advanced by the bytes so far.
    ///
    /// >>> from bpetok.utf8 import State
    /// >>> int(tok.utf8_mask(State(b"\xc3")).sum())
    /// 64
    fn utf8_mask<'py>(&self, py: Python<'py>, state: &Utf8State) -> PyResult<Bound<'py, PyAny>> {
        if let Some(table) = self.masks.get(py) {
            return table.bind(py).get_item(state.number());
        }
        // Nobody waits for it, and at worst it is made twice: of a process that is forked meanwhile, the child would wait for ever.
        let table = mask_table(py, &self.inner)?;
        let _ = self.masks.set(py, table.clone().unbind());
        table.get_item(state.number())
    }
}
