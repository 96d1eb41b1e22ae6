//! `Stream`: text of ids that come one by one.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;

use super::convert::token_id;
use crate::stream::TextStream;
use crate::tokenizer;

/// Text of ids that come one by one; characters leave as soon as they are whole. Made by `Tokenizer.stream`.
///
/// >>> stream = tok.stream()
/// >>> stream.push(257) + stream.finish()
/// 'low'
#[pyclass(frozen, module = "bpetok")]
pub struct Stream {
    inner: Arc<tokenizer::Tokenizer>,
    text: Mutex<TextStream>,
}

impl Stream {
    pub fn new(inner: Arc<tokenizer::Tokenizer>) -> Self {
        Self { inner, text: Mutex::default() }
    }
}

#[pymethods]
impl Stream {
    /// Takes one id and gives the text that it completes, which may be "".
    ///
    /// Raises:
    ///     TokenIdError: for an id that the vocabulary has not.
    ///
    /// >>> stream = tok.stream()
    /// >>> [stream.push(id) for id in tok.encode("lé")]
    /// ['l', '', 'é']
    fn push(&self, id: &Bound<'_, PyAny>) -> PyResult<String> {
        let id = token_id(id, 0, self.inner.vocab_size())?;
        let decoder = self.inner.decoder();
        let token = decoder.get(id).ok_or_else(|| decoder.unknown(u64::from(id), 0))?;
        Ok(self.text.lock().unwrap_or_else(PoisonError::into_inner).push(token))
    }

    /// Ends the text: bytes that never became a character are U+FFFD.
    ///
    /// >>> stream = tok.stream()
    /// >>> stream.push(tok.token_id(b"\xc3")), stream.finish()
    /// ('', '�')
    fn finish(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).finish()
    }
}
