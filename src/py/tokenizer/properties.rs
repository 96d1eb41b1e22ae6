//! What a tokenizer is made of.

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::Tokenizer;
use crate::ids::TokenId;
use crate::py::arrays;
use crate::py::convert::{self, token_id};
use crate::py::errors::TokenIdError;

#[pymethods]
impl Tokenizer {
    /// Highest id plus one, special tokens included.
    ///
    /// >>> tok.vocab_size
    /// 262
    #[getter]
    fn vocab_size(&self) -> usize {
        self.inner.vocab_size()
    }

    /// dict[str, int]: the special tokens.
    ///
    /// >>> tok.special_tokens
    /// {'<|endoftext|>': 261}
    #[getter]
    pub(super) fn special_tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tokens = PyDict::new(py);
        for (text, id) in self.inner.specials().tokens() {
            tokens.set_item(text, id)?;
        }
        Ok(tokens)
    }

    /// The regex that splits text into pretokens.
    ///
    /// >>> tok.pattern == bpetok.PRESETS["cl100k"]
    /// True
    #[getter]
    fn pattern(&self) -> &str {
        self.inner.pretokenizer().pattern()
    }

    /// How runs of digits are cut before the pattern: "none", "1", "1-3" or "right-1-3".
    ///
    /// >>> tok.digits
    /// 'none'
    #[getter]
    fn digits(&self) -> &str {
        self.inner.digits()
    }

    /// The version of Unicode that the vocabulary was made with.
    ///
    /// >>> tok.unicode_version == bpetok.UNICODE_VERSION
    /// True
    #[getter]
    fn unicode_version(&self) -> &str {
        self.inner.unicode_version()
    }

    /// list[tuple[bytes, bytes]]: the ordered merges of a trained vocabulary; for a rank file one split for each token
    /// that merging forms, the one that merging its bytes ends with.
    ///
    /// >>> tok.merges
    /// [(b'l', b'o'), (b'lo', b'w'), (b' ', b'low'), (b' low', b'e'), (b's', b't')]
    #[getter]
    fn merges<'py>(&self, py: Python<'py>) -> Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let vocabulary = self.inner.vocabulary();
        let bytes = |id| PyBytes::new(py, vocabulary.get(id).unwrap_or_default());
        match self.inner.merges() {
            Some(pairs) => pairs.iter().map(|pair| (bytes(pair.left), bytes(pair.right))).collect(),
            None => {
                let pairs = py.detach(|| self.inner.encoder().canonical_splits());
                pairs.iter().map(|pair| (bytes(pair.left), bytes(pair.right))).collect()
            }
        }
    }

    /// SHA-256 in hex over all that decides ids: tokens, merges, pattern, special tokens, digits, Unicode version.
    ///
    /// >>> len(tok.fingerprint)
    /// 64
    #[getter]
    fn fingerprint(&self) -> &str {
        self.inner.fingerprint()
    }

    /// uint32 [vocab_size]: length in bytes of each id, 0 for gaps.
    ///
    /// >>> tok.token_byte_lengths[-6:].tolist()
    /// [2, 3, 4, 5, 2, 13]
    #[getter]
    fn token_byte_lengths<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u32>>> {
        arrays::array(py, self.inner.decoder().lengths())
    }

    /// The bytes of one id; TokenIdError for one that is not there.
    ///
    /// Raises:
    ///     TokenIdError: for an id that is not there.
    ///
    /// >>> tok.token_bytes(257)
    /// b'low'
    fn token_bytes<'py>(&self, py: Python<'py>, id: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let id = token_id(id, 0, self.inner.vocab_size())?;
        let decoder = self.inner.decoder();
        let token = decoder.get(id).ok_or_else(|| decoder.unknown(u64::from(id), 0))?;
        Ok(PyBytes::new(py, token))
    }

    /// The id of one token, given as `bytes` or `str`, special tokens included; TokenIdError if it is none.
    ///
    /// Raises:
    ///     TokenIdError: for bytes that are no token.
    ///     TextError: for a lone surrogate.
    ///
    /// >>> tok.token_id(b"low"), tok.token_id("low")
    /// (257, 257)
    fn token_id(&self, token: &Bound<'_, PyAny>) -> PyResult<TokenId> {
        let bytes = convert::text(token)?.bytes();
        let special = || self.inner.specials().tokens().iter().find(|t| t.0.as_bytes() == bytes).map(|t| t.1);
        self.inner.encoder().token_id(bytes).or_else(special).ok_or_else(|| {
            let shown = token.repr().map_or_else(|_| String::new(), |r| r.to_string());
            TokenIdError::new_err(format!("{shown} is not a token of this vocabulary; encode it to see its tokens"))
        })
    }
}
