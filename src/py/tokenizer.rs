//! `Tokenizer`: the class that Python users hold.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use super::batch::TokenBatch;
use super::convert::{self, Pause, choices, special_tokens, token_id, token_ids, type_name};
use super::errors::{FormatError, SpecialTokenError, TokenIdError};
use super::stream::Stream;
use super::utf8::{Utf8State, mask_table};
use crate::batch::{self, Options};
use crate::error::Error;
use crate::files;
use crate::ids::{Pair, TokenId};
use crate::spans::Unit;
use crate::special::Choice;
use crate::tokenizer::{self, Parts};
use crate::utf8::Text;

/// Texts above this many bytes let other Python threads run meanwhile; below, letting go costs more than encoding.
const DETACH: usize = 16 << 10;

/// A byte-level BPE tokenizer. It never changes after it is built, so it may be shared by threads, pickled and forked.
///
/// Make one with `bpetok.train`, `bpetok.load` or `bpetok.get_encoding`.
#[pyclass(frozen, module = "bpetok", weakref)]
pub struct Tokenizer {
    inner: Arc<tokenizer::Tokenizer>,
    /// bool [states, vocab_size], made when a mask is first asked for.
    masks: PyOnceLock<Py<PyArray2<bool>>>,
}

type SpecParts<'py> = (
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Option<Bound<'py, PyBytes>>,
    String,
    Bound<'py, PyDict>,
    String,
    String,
);

impl Tokenizer {
    /// The tokenizer of the core.
    pub fn inner(&self) -> &tokenizer::Tokenizer {
        &self.inner
    }

    pub fn wrap(inner: tokenizer::Tokenizer) -> Self {
        Self { inner: Arc::new(inner), masks: PyOnceLock::new() }
    }

    fn ids(
        &self,
        py: Python<'_>,
        text: &Bound<'_, PyAny>,
        allowed: Option<&Bound<'_, PyAny>>,
        disallowed: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<TokenId>> {
        let text = convert::text(text)?;
        let bytes = text.bytes();
        if allowed.is_none() && disallowed.is_none() && bytes.len() < DETACH {
            self.inner.specials().refuse(bytes, &Choice::All)?;
            return Ok(self.ordinary_ids(text)?);
        }
        let (allowed, forbidden) = choices(self.inner.specials(), allowed, disallowed)?;
        let options = Options { allowed: &allowed, forbidden: &forbidden, threads: 1 };
        self.run_batch(py, &[text], &options).map(|batch| batch.ids)
    }

    fn ordinary_ids(&self, text: Text<'_>) -> crate::error::Result<Vec<TokenId>> {
        let mut ids = Vec::with_capacity(text.bytes().len() / 3 + 16);
        self.inner.with_work(|work| self.inner.encode_ordinary_into(work, text, &mut ids))?;
        Ok(ids)
    }

    fn run_batch(&self, py: Python<'_>, documents: &[Text<'_>], options: &Options<'_>) -> PyResult<batch::Batch> {
        let mut pause = Pause::default();
        let result = py.detach(|| self.inner.encode_batch(documents, options, &mut || pause.check()));
        pause.settle(result)
    }

    fn decoded<'py>(&self, py: Python<'py>, ids: &[TokenId], errors: &str) -> PyResult<Bound<'py, PyAny>> {
        let mut bytes = Vec::new();
        py.detach(|| self.inner.decoder().decode(ids, &mut bytes))?;
        if errors == "replace"
            && let Ok(text) = std::str::from_utf8(&bytes)
        {
            return Ok(PyString::new(py, text).into_any());
        }
        PyBytes::new(py, &bytes).call_method1("decode", ("utf-8", errors))
    }
}

#[pymethods]
impl Tokenizer {
    /// The ids of a text: `list[int]`.
    ///
    /// Text that spells a special token raises SpecialTokenError unless it is in `allowed_special` ("all" or a collection), and
    /// then becomes that token. `disallowed_special` ("all" or a collection) names those that raise; "all" means all that
    /// are not allowed, `()` none. `bytes` follow the same rules; what is not UTF-8 in them is kept byte for byte.
    #[pyo3(
        signature = (text, *, allowed_special=None, disallowed_special=None),
        text_signature = "($self, text, *, allowed_special=frozenset(), disallowed_special='all')"
    )]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        allowed_special: Option<&Bound<'py, PyAny>>,
        disallowed_special: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.ids(py, text, allowed_special, disallowed_special)?)
    }

    /// The ids of a text in which special tokens are ordinary text: `list[int]`.
    fn encode_ordinary<'py>(&self, py: Python<'py>, text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let text = convert::text(text)?;
        let ids = if text.bytes().len() < DETACH {
            self.ordinary_ids(text)?
        } else {
            let options = Options { allowed: &Choice::None, forbidden: &Choice::None, threads: 1 };
            self.run_batch(py, &[text], &options)?.ids
        };
        PyList::new(py, ids)
    }

    /// The same as `encode`, as a uint32 array [tokens].
    #[pyo3(
        signature = (text, *, allowed_special=None, disallowed_special=None),
        text_signature = "($self, text, *, allowed_special=frozenset(), disallowed_special='all')"
    )]
    fn encode_numpy<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        allowed_special: Option<&Bound<'py, PyAny>>,
        disallowed_special: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        Ok(PyArray1::from_vec(py, self.ids(py, text, allowed_special, disallowed_special)?))
    }

    /// Encodes many texts in parallel into one flat TokenBatch; `threads` is all there are unless given.
    #[pyo3(
        signature = (texts, *, allowed_special=None, disallowed_special=None, threads=None),
        text_signature = "($self, texts, *, allowed_special=frozenset(), disallowed_special='all', threads=None)"
    )]
    fn encode_batch(
        &self,
        py: Python<'_>,
        texts: &Bound<'_, PyAny>,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        threads: Option<i64>,
    ) -> PyResult<TokenBatch> {
        let (allowed, forbidden) = choices(self.inner.specials(), allowed_special, disallowed_special)?;
        let options = Options { allowed: &allowed, forbidden: &forbidden, threads: convert::threads(threads)? };
        let texts = collected(texts)?;
        let documents: Vec<Text<'_>> = texts.iter().map(convert::text).collect::<PyResult<_>>()?;
        TokenBatch::from_batch(py, self.run_batch(py, &documents, &options)?)
    }

    /// `(ids, offsets)`: the ids and where each token lies in the text, int64 [tokens, 2] in units of "char", "byte" or
    /// "utf16". A token inside a character spans that character (bytes are exact).
    #[pyo3(
        signature = (text, unit="char", *, allowed_special=None, disallowed_special=None),
        text_signature = "($self, text, unit='char', *, allowed_special=frozenset(), disallowed_special='all')"
    )]
    fn encode_with_offsets<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        unit: &str,
        allowed_special: Option<&Bound<'py, PyAny>>,
        disallowed_special: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyAny>)> {
        let unit = match unit {
            "char" => Unit::Char,
            "byte" => Unit::Byte,
            "utf16" => Unit::Utf16,
            _ => return Err(Error::Argument(format!("unit is {unit:?}; give \"char\", \"byte\" or \"utf16\"")).into()),
        };
        let ids = self.ids(py, text, allowed_special, disallowed_special)?;
        let bytes = convert::text(text)?.bytes();
        let as_text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) if unit == Unit::Byte => "",
            Err(error) => {
                let message = format!(
                    "the bytes are no UTF-8 text from byte {} on, so they have no characters to count; use unit=\"byte\"",
                    error.valid_up_to()
                );
                return Err(super::errors::TextError::new_err(message));
            }
        };
        let offsets = self.inner.offsets(as_text, &ids, unit);
        let flat = PyArray1::from_vec(py, offsets.concat());
        let shaped = flat.call_method1("reshape", ((ids.len(), 2),))?;
        Ok((PyList::new(py, ids)?, shaped))
    }

    /// Number of tokens of a text; the rules for special tokens are those of `encode`.
    #[pyo3(
        signature = (text, *, allowed_special=None, disallowed_special=None),
        text_signature = "($self, text, *, allowed_special=frozenset(), disallowed_special='all')"
    )]
    fn count(
        &self,
        py: Python<'_>,
        text: &Bound<'_, PyAny>,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<usize> {
        Ok(self.ids(py, text, allowed_special, disallowed_special)?.len())
    }

    /// int64 [texts]: number of tokens of each text.
    #[pyo3(
        signature = (texts, *, allowed_special=None, disallowed_special=None, threads=None),
        text_signature = "($self, texts, *, allowed_special=frozenset(), disallowed_special='all', threads=None)"
    )]
    fn count_batch<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'_, PyAny>,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        threads: Option<i64>,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let (allowed, forbidden) = choices(self.inner.specials(), allowed_special, disallowed_special)?;
        let options = Options { allowed: &allowed, forbidden: &forbidden, threads: convert::threads(threads)? };
        let texts = collected(texts)?;
        let documents: Vec<Text<'_>> = texts.iter().map(convert::text).collect::<PyResult<_>>()?;
        let batch = self.run_batch(py, &documents, &options)?;
        let counts = batch.offsets.windows(2).map(|w| w[1] - w[0]).collect();
        Ok(PyArray1::from_vec(py, counts))
    }

    /// The longest prefix of a text that ends at a token and character boundary of `encode(text)` and itself encodes to at
    /// most `max_tokens`; of the type of `text`.
    #[pyo3(
        signature = (text, max_tokens, *, allowed_special=None, disallowed_special=None),
        text_signature = "($self, text, max_tokens, *, allowed_special=frozenset(), disallowed_special='all')"
    )]
    fn cut<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        max_tokens: i64,
        allowed_special: Option<&Bound<'py, PyAny>>,
        disallowed_special: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let max_tokens = usize::try_from(max_tokens)
            .map_err(|_| Error::Argument(format!("max_tokens is {max_tokens}; give 0 or more")))?;
        let input = convert::text(text)?;
        let bytes = input.bytes();
        let (allowed, forbidden) = choices(self.inner.specials(), allowed_special, disallowed_special)?;
        self.inner.specials().refuse(bytes, &forbidden)?;
        let inner = &self.inner;
        let length = py.detach(|| inner.with_work(|work| inner.cut(work, input, max_tokens, &allowed)))?;
        if text.is_instance_of::<PyBytes>() {
            return Ok(PyBytes::new(py, &bytes[..length]).into_any());
        }
        // A cut lies at a character boundary of what was text.
        PyBytes::new(py, &bytes[..length]).call_method1("decode", ("utf-8",))
    }

    /// The text of ids. `errors` says what to do with bytes that are not UTF-8, as in `bytes.decode`.
    #[pyo3(signature = (ids, errors="replace"))]
    fn decode<'py>(&self, py: Python<'py>, ids: &Bound<'py, PyAny>, errors: &str) -> PyResult<Bound<'py, PyAny>> {
        self.decoded(py, &token_ids(ids, self.inner.vocab_size())?, errors)
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
        let texts = PyList::empty(py);
        if let Ok(batch) = batch.cast::<TokenBatch>() {
            let (ids, offsets) = batch.get().arrays(py);
            let (ids, offsets) = (ids.try_readonly()?, offsets.try_readonly()?);
            let (ids, offsets) = (ids.as_slice()?, offsets.as_slice()?);
            for ends in offsets.windows(2) {
                let (start, end) = (usize::try_from(ends[0])?, usize::try_from(ends[1])?);
                texts.append(self.decoded(py, &ids[start..end], errors)?)?;
            }
            return Ok(texts);
        }
        for ids in batch.try_iter()? {
            texts.append(self.decoded(py, &token_ids(&ids?, self.inner.vocab_size())?, errors)?)?;
        }
        Ok(texts)
    }

    /// Incremental text of ids that come one by one: see Stream.
    fn stream(&self) -> Stream {
        Stream::new(Arc::clone(&self.inner))
    }

    /// The pretokens of a text, special tokens being ordinary text: `list[bytes]`.
    fn pretokenize<'py>(&self, py: Python<'py>, text: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let mut pieces = Vec::new();
        self.inner.pretokens(convert::text(text)?, |piece| pieces.push(PyBytes::new(py, piece)))?;
        Ok(pieces)
    }

    /// bool [vocab_size]: which tokens may follow so that the text so far can still become valid UTF-8. Gaps are False, special
    /// tokens True only where a text may end. `state` is `bpetok.utf8.State()` advanced by the bytes so far.
    fn utf8_mask<'py>(&self, py: Python<'py>, state: &Utf8State) -> PyResult<Bound<'py, PyAny>> {
        let table = self.masks.get_or_try_init(py, || mask_table(py, &self.inner).map(Bound::unbind))?;
        table.bind(py).get_item(state.number())
    }

    /// Highest id plus one, special tokens included.
    #[getter]
    fn vocab_size(&self) -> usize {
        self.inner.vocab_size()
    }

    /// dict[str, int]: the special tokens.
    #[getter]
    fn special_tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tokens = PyDict::new(py);
        for (text, id) in self.inner.specials().tokens() {
            tokens.set_item(text, id)?;
        }
        Ok(tokens)
    }

    /// The regex that splits text into pretokens.
    #[getter]
    fn pattern(&self) -> &str {
        self.inner.pretokenizer().pattern()
    }

    /// How runs of digits are cut before the pattern: "none", "1", "1-3" or "right-1-3".
    #[getter]
    fn digits(&self) -> &str {
        self.inner.digits()
    }

    /// The version of Unicode that the vocabulary was made with.
    #[getter]
    fn unicode_version(&self) -> &str {
        self.inner.unicode_version()
    }

    /// list[tuple[bytes, bytes]]: the ordered merges of a trained vocabulary; for a rank file one split for each token
    /// that merging forms, the one that merging its bytes ends with.
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
    #[getter]
    fn fingerprint(&self) -> &str {
        self.inner.fingerprint()
    }

    /// uint32 [vocab_size]: length in bytes of each id, 0 for gaps.
    #[getter]
    fn token_byte_lengths<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        PyArray1::from_vec(py, self.inner.decoder().lengths())
    }

    /// The bytes of one id; TokenIdError for one that is not there.
    fn token_bytes<'py>(&self, py: Python<'py>, id: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let id = token_id(id, 0, self.inner.vocab_size())?;
        let decoder = self.inner.decoder();
        let token = decoder.get(id).ok_or_else(|| decoder.unknown(u64::from(id), 0))?;
        Ok(PyBytes::new(py, token))
    }

    /// The id of one token, given as `bytes` or `str`, special tokens included; TokenIdError if it is none.
    fn token_id(&self, token: &Bound<'_, PyAny>) -> PyResult<TokenId> {
        let bytes = convert::text(token)?.bytes();
        let special = || self.inner.specials().tokens().iter().find(|t| t.0.as_bytes() == bytes).map(|t| t.1);
        self.inner.encoder().token_id(bytes).or_else(special).ok_or_else(|| {
            let shown = token.repr().map_or_else(|_| String::new(), |r| r.to_string());
            TokenIdError::new_err(format!("{shown} is not a token of this vocabulary; encode it to see its tokens"))
        })
    }

    /// The same tokenizer with more special tokens: a dict of str to int, or a collection of str, which get ids above the
    /// highest. Those it has stay.
    pub fn with_special_tokens(&self, special_tokens: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut parts = self.inner.parts();
        let named = special_tokens.is_instance_of::<PyDict>();
        let added = if named {
            self::special_tokens(Some(special_tokens), 0)?
        } else {
            let known: Vec<&str> = self.inner.specials().tokens().iter().map(|t| t.0.as_str()).collect();
            let new = PyList::empty(special_tokens.py());
            for text in collected(special_tokens)? {
                if !text.extract::<String>().is_ok_and(|text| known.contains(&text.as_str())) {
                    new.append(text)?;
                }
            }
            self::special_tokens(Some(new.as_any()), self.inner.vocab_size())?
        };
        for (text, id) in added {
            match parts.specials.iter().find(|t| t.0 == text) {
                Some((_, known)) if *known == id => {}
                Some((_, known)) => {
                    return Err(SpecialTokenError::new_err(format!(
                        "special token {text:?} has the id {known} already and cannot get {id}"
                    )));
                }
                None => parts.specials.push((text, id)),
            }
        }
        Ok(Self::wrap(tokenizer::Tokenizer::new(parts)?))
    }

    /// Writes the tokenizer to `path`; `format` is chosen by the suffix unless given. See `bpetok.formats`.
    #[pyo3(signature = (path, format=None))]
    fn save(slf: &Bound<'_, Self>, path: &Bound<'_, PyAny>, format: Option<&str>) -> PyResult<()> {
        slf.py().import("bpetok.formats")?.call_method1("save", (slf, path, format)).map(|_| ())
    }

    #[pyo3(name = "_to_bytes")]
    fn to_file_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &files::to_bytes(&self.inner))
    }

    #[staticmethod]
    #[pyo3(name = "_from_bytes")]
    fn from_file_bytes(data: &[u8]) -> PyResult<Self> {
        Ok(Self::wrap(files::from_bytes(data)?))
    }

    #[pyo3(name = "_spec")]
    fn spec<'py>(&self, py: Python<'py>) -> PyResult<SpecParts<'py>> {
        let parts = self.inner.parts();
        let words = |numbers: &mut dyn Iterator<Item = u32>| {
            PyBytes::new(py, &numbers.flat_map(u32::to_le_bytes).collect::<Vec<u8>>())
        };
        let texts: Vec<u8> = parts.tokens.iter().flat_map(|t| t.1).copied().collect();
        // Lengths fit: the vocabulary keeps them in 32 bits.
        #[allow(clippy::cast_possible_truncation)]
        let lengths = words(&mut parts.tokens.iter().map(|t| t.1.len() as u32));
        let merges = parts.merges.as_ref().map(|pairs| words(&mut pairs.iter().flat_map(|p| [p.left, p.right])));
        Ok((
            PyBytes::new(py, &texts),
            words(&mut parts.tokens.iter().map(|t| t.0)),
            lengths,
            merges,
            parts.pattern.to_owned(),
            self.special_tokens(py)?,
            parts.digits.to_owned(),
            parts.unicode_version.to_owned(),
        ))
    }

    #[staticmethod]
    #[pyo3(name = "_from_spec")]
    #[allow(clippy::too_many_arguments)]
    fn from_spec(
        tokens: &[u8],
        token_ids: &[u8],
        token_lengths: &[u8],
        merges: Option<&[u8]>,
        pattern: &str,
        special_tokens: &Bound<'_, PyAny>,
        digits: &str,
        unicode_version: &str,
    ) -> PyResult<Self> {
        let words =
            |bytes: &[u8]| -> Vec<u32> { bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect() };
        let (ids, lengths) = (words(token_ids), words(token_lengths));
        let total: u64 = lengths.iter().map(|&l| u64::from(l)).sum();
        let whole = token_ids.len().is_multiple_of(4)
            && token_lengths.len().is_multiple_of(4)
            && merges.is_none_or(|m| m.len().is_multiple_of(8));
        if !whole {
            return Err(FormatError::new_err(format!(
                "the buffers of ids, lengths and merges have {}, {} and {} bytes; they hold numbers of 4, 4 and pairs of 8",
                token_ids.len(),
                token_lengths.len(),
                merges.map_or(0, <[u8]>::len)
            )));
        }
        if ids.len() != lengths.len() || total != tokens.len() as u64 {
            return Err(FormatError::new_err(format!(
                "the vocabulary has {} ids, {} lengths that add up to {total}, and {} bytes of tokens; they must agree",
                ids.len(),
                lengths.len(),
                tokens.len()
            )));
        }
        let mut rest = tokens;
        let mut pieces = Vec::with_capacity(ids.len());
        for (&id, &length) in ids.iter().zip(&lengths) {
            let (token, after) = rest.split_at(length as usize);
            pieces.push((id, token));
            rest = after;
        }
        let merges = merges
            .map(|bytes| words(bytes).as_chunks::<2>().0.iter().map(|&[left, right]| Pair { left, right }).collect());
        let specials = self::special_tokens(Some(special_tokens), 0)?;
        let parts = Parts { tokens: pieces, merges, pattern, specials, digits, unicode_version };
        Ok(Self::wrap(tokenizer::Tokenizer::new(parts)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((slf.get_type().getattr("_from_bytes")?, (slf.get().to_file_bytes(slf.py()),)))
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

/// The items of a collection of texts; a bare text is a mistake.
fn collected<'py>(texts: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    if texts.is_instance_of::<PyString>() || texts.is_instance_of::<PyBytes>() {
        return Err(PyTypeError::new_err(format!("texts is a bare {}; wrap it in a list ([text])", type_name(texts))));
    }
    texts.try_iter()?.collect()
}
