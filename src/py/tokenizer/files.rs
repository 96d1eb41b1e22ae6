//! A tokenizer as bytes and as plain data, for files and pickles.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping};

use super::Tokenizer;
use crate::error::Error;
use crate::files;
use crate::ids::Pair;
use crate::py::convert::Str;
use crate::py::errors::FormatError;
use crate::py::specials::placed;
use crate::tokenizer::{self, Parts};
use crate::vocab::Vocabulary;

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

#[pymethods]
impl Tokenizer {
    /// Writes the tokenizer to `path`; `format` is chosen by the suffix unless given. See `bpetok.formats`.
    ///
    /// Raises:
    ///     FormatError: for a format that is not known, or that cannot hold this tokenizer.
    ///     OSError: if it cannot be written; an older file is left as it was.
    ///
    /// >>> import pathlib, tempfile
    /// >>> with tempfile.TemporaryDirectory() as folder:
    /// ...     path = pathlib.Path(folder, "tok.bpetok")
    /// ...     tok.save(path)
    /// ...     bpetok.load(path) == tok
    /// True
    #[pyo3(signature = (path, format=None))]
    fn save(slf: &Bound<'_, Self>, path: &Bound<'_, PyAny>, format: Option<Str<'_>>) -> PyResult<()> {
        slf.py().import("bpetok.formats")?.call_method1("save", (slf, path, format.as_deref())).map(|_| ())
    }

    #[pyo3(name = "_to_bytes")]
    fn to_file_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &files::to_bytes(&self.inner))
    }

    #[staticmethod]
    #[pyo3(name = "_from_bytes")]
    fn from_file_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        Ok(Self::wrap(py.detach(|| files::from_bytes(data))?))
    }

    #[pyo3(name = "_spec")]
    fn spec<'py>(&self, py: Python<'py>) -> PyResult<SpecParts<'py>> {
        let parts = self.inner.parts();
        let words = |numbers: &mut dyn Iterator<Item = u32>| {
            PyBytes::new(py, &numbers.flat_map(u32::to_le_bytes).collect::<Vec<u8>>())
        };
        // Lengths fit: the vocabulary keeps them in 32 bits.
        #[allow(clippy::cast_possible_truncation)]
        let lengths = words(&mut parts.vocabulary.iter().map(|t| t.1.len() as u32));
        let merges = parts.merges.as_ref().map(|pairs| words(&mut pairs.iter().flat_map(|p| [p.left, p.right])));
        Ok((
            PyBytes::new(py, parts.vocabulary.flat().0),
            words(&mut parts.vocabulary.iter().map(|t| t.0)),
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
        py: Python<'_>,
        tokens: &[u8],
        token_ids: &[u8],
        token_lengths: &[u8],
        merges: Option<&[u8]>,
        pattern: Str<'_>,
        special_tokens: &Bound<'_, PyMapping>,
        digits: Str<'_>,
        unicode_version: Str<'_>,
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
        let specials = placed(special_tokens)?;
        let tokenizer = py.detach(|| {
            let lengths = lengths.into_iter().map(|length| length as usize);
            let vocabulary = Vocabulary::from_flat(tokens.to_vec(), ids.into_iter().zip(lengths))?;
            let pair = |&[left, right]: &[u32; 2]| Pair { left, right };
            let merges = merges.map(|bytes| words(bytes).as_chunks::<2>().0.iter().map(pair).collect());
            let [pattern, digits, unicode_version] = [&*pattern, &*digits, &*unicode_version];
            let made =
                tokenizer::Tokenizer::new(Parts { vocabulary, merges, pattern, specials, digits, unicode_version })?;
            made.prepare();
            Ok::<_, Error>(made)
        })?;
        Ok(Self::wrap(tokenizer))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((slf.get_type().getattr("_from_bytes")?, (slf.get().to_file_bytes(slf.py()),)))
    }
}
