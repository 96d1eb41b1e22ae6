//! Ids -> text: one, many, as they come, and what may come next.

use numpy::PyArrayMethods;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};
use std::sync::Arc;

use super::Tokenizer;
use crate::ids::TokenId;
use crate::py::batch::TokenBatch;
use crate::py::convert::token_ids;
use crate::py::stream::Stream;
use crate::py::utf8::{Utf8State, mask_table};

impl Tokenizer {
    /// The text of ids, by way of a buffer that many texts may share.
    fn decoded<'py>(
        &self,
        py: Python<'py>,
        ids: &[TokenId],
        errors: &str,
        bytes: &mut Vec<u8>,
    ) -> PyResult<Bound<'py, PyAny>> {
        bytes.clear();
        py.detach(|| self.inner.decoder().decode(ids, bytes))?;
        if errors == "replace"
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            return Ok(PyString::new(py, text).into_any());
        }
        PyBytes::new(py, bytes).call_method1("decode", ("utf-8", errors))
    }
}

#[pymethods]
impl Tokenizer {
    /// The text of ids. `errors` says what to do with bytes that are not UTF-8, as in `bytes.decode`.
    #[pyo3(signature = (ids, errors="replace"))]
    fn decode<'py>(&self, py: Python<'py>, ids: &Bound<'py, PyAny>, errors: &str) -> PyResult<Bound<'py, PyAny>> {
        self.decoded(py, &token_ids(ids, self.inner.vocab_size())?, errors, &mut Vec::new())
    }

    /// The bytes of ids, exactly.
    fn decode_bytes<'py>(&self, py: Python<'py>, ids: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let ids = token_ids(ids, self.inner.vocab_size())?;
        let mut bytes = Vec::new();
        py.detach(|| self.inner.decoder().decode(&ids, &mut bytes))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The texts of a TokenBatch or of any iterable of ids: `list[str]`.
    #[pyo3(signature = (batch, errors="replace"))]
    fn decode_batch<'py>(
        &self,
        py: Python<'py>,
        batch: &Bound<'py, PyAny>,
        errors: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        let (texts, mut bytes) = (PyList::empty(py), Vec::new());
        if let Ok(batch) = batch.cast::<TokenBatch>() {
            let (ids, offsets) = batch.get().arrays(py);
            let (ids, offsets) = (ids.try_readonly()?, offsets.try_readonly()?);
            let (ids, offsets) = (ids.as_slice()?, offsets.as_slice()?);
            for ends in offsets.windows(2) {
                let (start, end) = (usize::try_from(ends[0])?, usize::try_from(ends[1])?);
                texts.append(self.decoded(py, &ids[start..end], errors, &mut bytes)?)?;
            }
            return Ok(texts);
        }
        for ids in batch.try_iter()? {
            texts.append(self.decoded(py, &token_ids(&ids?, self.inner.vocab_size())?, errors, &mut bytes)?)?;
        }
        Ok(texts)
    }

    /// Incremental text of ids that come one by one: see Stream.
    fn stream(&self) -> Stream {
        Stream::new(Arc::clone(&self.inner))
    }

    /// bool [vocab_size]: which tokens may follow so that the text so far can still become valid UTF-8. Gaps are False, special
    /// tokens True only where a text may end. `state` is `bpetok.utf8.State()` advanced by the bytes so far.
    fn utf8_mask<'py>(&self, py: Python<'py>, state: &Utf8State) -> PyResult<Bound<'py, PyAny>> {
        let table = self.masks.get_or_try_init(py, || mask_table(py, &self.inner).map(Bound::unbind))?;
        table.bind(py).get_item(state.number())
    }
}
