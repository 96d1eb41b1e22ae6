//! Text -> ids: one, many, counted, cut.

use numpy::PyArray1;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::Tokenizer;
use crate::batch::{self, Options};
use crate::error::Error;
use crate::ids::TokenId;
use crate::py::arrays;
use crate::py::batch::TokenBatch;
use crate::py::convert::{self, Str, check_signals, in_document, is_text, no_text, type_name};
use crate::py::errors::TextError;
use crate::py::numbers;
use crate::py::specials::choices;
use crate::spans::Unit;
use crate::special::Choice;
use crate::threads::Steps;
use crate::utf8::Text;

/// Texts above this many bytes let other Python threads run meanwhile; below, letting go costs more than encoding, unless the
/// pattern may take many steps.
const DETACH: usize = 16 << 10;

impl Tokenizer {
    fn may_take_long(&self, text: Text<'_>) -> bool {
        text.bytes().len() >= DETACH || self.inner.pretokenizer().may_be_slow()
    }

    fn ids(
        &self,
        py: Python<'_>,
        text: &Bound<'_, PyAny>,
        allowed: Option<&Bound<'_, PyAny>>,
        disallowed: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<TokenId>> {
        let text = convert::text(text)?;
        let (allowed, forbidden) = choices(self.inner.specials(), allowed, disallowed)?;
        if self.may_take_long(text) {
            let options = Options { allowed: &allowed, forbidden: &forbidden, threads: 1 };
            return self.run_batch(py, &[text], &options).map(|batch| batch.ids);
        }
        self.inner.specials().refuse(text.bytes(), &forbidden)?;
        Ok(self.short_ids(text, &allowed)?)
    }

    fn short_ids(&self, text: Text<'_>, allowed: &Choice) -> crate::error::Result<Vec<TokenId>> {
        let mut ids = Vec::with_capacity(text.bytes().len() / 3 + 16);
        self.inner.with_work(|work| self.inner.encode_into(work, text, allowed, &mut ids))?;
        Ok(ids)
    }

    fn run_batch(&self, py: Python<'_>, documents: &[Text<'_>], options: &Options<'_>) -> PyResult<batch::Batch> {
        convert::detached(py, |ask| self.inner.encode_batch(documents, options, ask))
    }
}

#[pymethods]
impl Tokenizer {
    /// The ids of a text: `list[int]`.
    ///
    /// Text that spells a special token raises SpecialTokenError unless it is in `allowed_special` ("all" or a collection), and
    /// then becomes that token. `disallowed_special` ("all" or a collection) names those that raise; "all" means all that
    /// are not allowed, `()` none. `bytes` follow the same rules; what is not UTF-8 in them is kept byte for byte.
    ///
    /// Raises:
    ///     SpecialTokenError: for a special token in the text that is not allowed, or a name that is none.
    ///     TextError: for a lone surrogate.
    ///     PatternError: for a pattern that passes its step limit.
    ///
    /// >>> tok.encode("low lower")
    /// [257, 259, 81]
    /// >>> tok.encode("low<|endoftext|>", allowed_special="all")
    /// [257, 261]
    #[pyo3(
        signature = (text, *, allowed_special=None, disallowed_special=None),
        text_signature = "($self, text, *, allowed_special=(), disallowed_special='all')"
    )]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        allowed_special: Option<&Bound<'py, PyAny>>,
        disallowed_special: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        self.ints.list(py, &self.ids(py, text, allowed_special, disallowed_special)?)
    }

    /// The ids of a text in which special tokens are ordinary text: `list[int]`.
    ///
    /// Raises:
    ///     TextError: for a lone surrogate.
    ///     PatternError: for a pattern that passes its step limit.
    ///
    /// >>> len(tok.encode_ordinary("low<|endoftext|>"))
    /// 14
    fn encode_ordinary<'py>(&self, py: Python<'py>, text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let text = convert::text(text)?;
        let ids = if self.may_take_long(text) {
            let options = Options { allowed: &Choice::None, forbidden: &Choice::None, threads: 1 };
            self.run_batch(py, &[text], &options)?.ids
        } else {
            self.short_ids(text, &Choice::None)?
        };
        self.ints.list(py, &ids)
    }

    /// The same as `encode`, as a uint32 array [tokens].
    ///
    /// Raises what `encode` raises.
    ///
    /// >>> tok.encode_numpy("low lower").tolist()
    /// [257, 259, 81]
    #[pyo3(
        signature = (text, *, allowed_special=None, disallowed_special=None),
        text_signature = "($self, text, *, allowed_special=(), disallowed_special='all')"
    )]
    fn encode_numpy<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        allowed_special: Option<&Bound<'py, PyAny>>,
        disallowed_special: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        arrays::ready(py)?;
        arrays::array(py, self.ids(py, text, allowed_special, disallowed_special)?)
    }

    /// Encodes many texts in parallel into one flat TokenBatch; `threads` is all there are unless given. `bytes` are taken as they
    /// are; of a `str` that is not ASCII, CPython makes the UTF-8 once, and keeps it with the `str`.
    ///
    /// Raises:
    ///     SpecialTokenError: for a special token in the text that is not allowed, or a name that is none.
    ///     TextError: for a lone surrogate.
    ///     PatternError: for a pattern that passes its step limit.
    ///     Error: for `threads` below 1.
    ///
    /// >>> tok.encode_batch(["low", "", "lower"])
    /// TokenBatch(3 documents, 4 tokens)
    #[pyo3(
        signature = (texts, *, allowed_special=None, disallowed_special=None, threads=None),
        text_signature = "($self, texts, *, allowed_special=(), disallowed_special='all', threads=None)"
    )]
    fn encode_batch(
        &self,
        py: Python<'_>,
        texts: &Bound<'_, PyAny>,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = numbers::threads)] threads: Option<usize>,
    ) -> PyResult<TokenBatch> {
        let (allowed, forbidden) = choices(self.inner.specials(), allowed_special, disallowed_special)?;
        let texts = collected(texts)?;
        let documents = convert::texts(&texts, 0)?;
        let threads = batch::threads_for(&documents, threads)?;
        let options = Options { allowed: &allowed, forbidden: &forbidden, threads };
        TokenBatch::from_batch(py, self.run_batch(py, &documents, &options)?, &self.ints)
    }

    /// `(ids, offsets)`: the ids and where each token lies in the text, int64 [tokens, 2] in units of "char", "byte" or
    /// "utf16". A token inside a character spans that character (bytes are exact).
    ///
    /// Raises:
    ///     SpecialTokenError: for a special token in the text that is not allowed, or a name that is none.
    ///     TextError: for a lone surrogate.
    ///     PatternError: for a pattern that passes its step limit.
    ///     Error: for another `unit`.
    ///
    /// >>> ids, offsets = tok.encode_with_offsets("low lower")
    /// >>> ids, offsets.tolist()
    /// ([257, 259, 81], [[0, 3], [3, 8], [8, 9]])
    #[pyo3(
        signature = (text, unit=Str("char"), *, allowed_special=None, disallowed_special=None),
        text_signature = "($self, text, unit='char', *, allowed_special=(), disallowed_special='all')"
    )]
    fn encode_with_offsets<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        unit: Str<'_>,
        allowed_special: Option<&Bound<'py, PyAny>>,
        disallowed_special: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyAny>)> {
        let unit = match &*unit {
            "char" => Unit::Char,
            "byte" => Unit::Byte,
            "utf16" => Unit::Utf16,
            _ => {
                return Err(
                    Error::Argument(format!("unit is {:?}; give \"char\", \"byte\" or \"utf16\"", &*unit)).into()
                );
            }
        };
        arrays::ready(py)?;
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
                return Err(TextError::new_err(message));
            }
        };
        let offsets = convert::detached(py, |ask| self.inner.offsets(as_text, &ids, unit, &mut Steps::new(ask)))?;
        let shaped = arrays::array(py, offsets.into_flattened())?.call_method1("reshape", ((ids.len(), 2),))?;
        Ok((self.ints.list(py, &ids)?, shaped))
    }

    /// Number of tokens of a text; the rules for special tokens are those of `encode`.
    ///
    /// Raises what `encode` raises.
    ///
    /// >>> tok.count("low lower")
    /// 3
    #[pyo3(
        signature = (text, *, allowed_special=None, disallowed_special=None),
        text_signature = "($self, text, *, allowed_special=(), disallowed_special='all')"
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
    ///
    /// Raises what `encode_batch` raises.
    ///
    /// >>> tok.count_batch(["low", "", "lower"]).tolist()
    /// [1, 0, 3]
    #[pyo3(
        signature = (texts, *, allowed_special=None, disallowed_special=None, threads=None),
        text_signature = "($self, texts, *, allowed_special=(), disallowed_special='all', threads=None)"
    )]
    fn count_batch<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'_, PyAny>,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = numbers::threads)] threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        arrays::ready(py)?;
        let (allowed, forbidden) = choices(self.inner.specials(), allowed_special, disallowed_special)?;
        let texts = collected(texts)?;
        let documents = convert::texts(&texts, 0)?;
        let threads = batch::threads_for(&documents, threads)?;
        let options = Options { allowed: &allowed, forbidden: &forbidden, threads };
        let batch = self.run_batch(py, &documents, &options)?;
        arrays::array(py, batch.offsets.windows(2).map(|w| w[1] - w[0]).collect())
    }

    /// The longest prefix of a text that ends at a token and character boundary of `encode(text)` and itself encodes to at
    /// most `max_tokens`; of the type of `text`.
    ///
    /// Raises:
    ///     SpecialTokenError: for a special token in the text that is not allowed, or a name that is none.
    ///     TextError: for a lone surrogate.
    ///     PatternError: for a pattern that passes its step limit.
    ///     Error: for `max_tokens` below 0.
    ///
    /// >>> tok.cut("low lower lowest", 3)
    /// 'low lower'
    #[pyo3(
        signature = (text, max_tokens, *, allowed_special=None, disallowed_special=None),
        text_signature = "($self, text, max_tokens, *, allowed_special=(), disallowed_special='all')"
    )]
    fn cut<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        #[pyo3(from_py_with = numbers::max_tokens)] max_tokens: usize,
        allowed_special: Option<&Bound<'py, PyAny>>,
        disallowed_special: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let input = convert::text(text)?;
        let bytes = input.bytes();
        let (allowed, forbidden) = choices(self.inner.specials(), allowed_special, disallowed_special)?;
        let length = convert::detached(py, |ask| {
            self.inner.specials().refuse_in_steps(bytes, &forbidden, &mut Steps::new(ask))?;
            self.inner.with_work(|work| self.inner.cut(work, input, max_tokens, &allowed, ask))
        })?;
        if text.is_instance_of::<PyBytes>() {
            return Ok(PyBytes::new(py, &bytes[..length]).into_any());
        }
        // A cut lies at a character boundary of what was text.
        PyBytes::new(py, &bytes[..length]).call_method1("decode", ("utf-8",))
    }

    /// The pretokens of a text, special tokens being ordinary text: `list[bytes]`.
    ///
    /// Raises:
    ///     TextError: for a lone surrogate.
    ///     PatternError: for a pattern that passes its step limit.
    ///
    /// >>> tok.pretokenize("low lower 12345")
    /// [b'low', b' lower', b' ', b'123', b'45']
    fn pretokenize<'py>(&self, py: Python<'py>, text: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let text = convert::text(text)?;
        let found = convert::detached(py, |ask| self.inner.pretokens(text, &mut Steps::new(ask)))?;
        let bytes = |(index, pretoken)| check_signals(py, index).map(|()| PyBytes::new(py, pretoken));
        found.into_iter().enumerate().map(bytes).collect()
    }
}

/// The items of a collection of texts; a bare text is a mistake.
fn collected<'py>(texts: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    if is_text(texts) {
        return Err(PyTypeError::new_err(format!("texts is a bare {}; wrap it in a list ([text])", type_name(texts))));
    }
    let mut items = Vec::new();
    for (index, item) in convert::items(texts, "texts", "a collection")?.enumerate() {
        let item = item?;
        check_signals(item.py(), index)?;
        // Now and not when all are there: a wrong collection may have no end.
        if !is_text(&item) {
            return Err(in_document(item.py(), no_text(&item), index));
        }
        items.push(item);
    }
    Ok(items)
}
