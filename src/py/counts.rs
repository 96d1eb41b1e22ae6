//! `Counts` and training from them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use super::convert::{self, Pause, text, type_name};
use crate::count;
use crate::digits::Digits;
use crate::error::Error;
use crate::utf8::Text;

/// Bytes of documents gathered from an iterator before they are counted together.
const GATHER: usize = 16 << 20;
/// Exact pretoken counts, from which a vocabulary can be trained: `Counts(pattern="cl100k",
/// special_tokens=(), digits="none")`.
#[pyclass(frozen, module = "bpetok")]
pub struct Counts {
    /// Taken out while a call adds to it. The lock is never held while Python runs, or a progress function that looks at
    /// the counts would wait for itself.
    inner: Mutex<Option<Arc<count::Counts>>>,
}

impl Counts {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<count::Counts>>> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The counts, to read.
    pub(super) fn get(&self) -> crate::error::Result<Arc<count::Counts>> {
        self.lock().clone().ok_or_else(busy)
    }

    /// Adds to the counts; others find them busy meanwhile.
    fn change<R>(&self, work: impl FnOnce(&mut count::Counts) -> R) -> crate::error::Result<R> {
        let mut counts = self.lock().take().ok_or_else(busy)?;
        let result = match Arc::get_mut(&mut counts) {
            Some(counts) => Ok(work(counts)),
            None => Err(busy()),
        };
        *self.lock() = Some(counts);
        result
    }
}

fn busy() -> Error {
    Error::Argument(
        "these counts are in use by another call; wait for it, or give each thread its own and merge them".to_owned(),
    )
}

/// What a source turned out to be.
enum Source<'py> {
    Paths(Vec<PathBuf>),
    Documents(Bound<'py, pyo3::types::PyIterator>),
}

fn bare_text(value: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "source is a bare {}; wrap text in a list ([text]) or give a pathlib.Path for a file",
        type_name(value)
    ))
}

/// A path, if the value is one: text never is.
fn as_path(value: &Bound<'_, PyAny>) -> PyResult<Option<PathBuf>> {
    if value.is_instance_of::<PyString>() || value.is_instance_of::<PyBytes>() || !value.hasattr("__fspath__")? {
        return Ok(None);
    }
    value.extract().map(Some)
}

fn read_source<'py>(source: &Bound<'py, PyAny>) -> PyResult<Source<'py>> {
    if source.is_instance_of::<PyString>() || source.is_instance_of::<PyBytes>() {
        return Err(bare_text(source));
    }
    if let Some(path) = as_path(source)? {
        return Ok(Source::Paths(vec![path]));
    }
    if let Ok(list) = source.cast::<PyList>()
        && let Ok(first) = list.get_item(0)
        && as_path(&first)?.is_some()
    {
        let paths = list.iter().map(|item| {
            as_path(&item)?.ok_or_else(|| {
                PyTypeError::new_err(format!("source mixes paths and {}; give only one kind", type_name(&item)))
            })
        });
        return Ok(Source::Paths(paths.collect::<PyResult<_>>()?));
    }
    let items = source.try_iter().map_err(|_| {
        PyTypeError::new_err(format!(
            "source must be an iterable of str or bytes, a pathlib.Path, a list of Paths, or Counts, not {}",
            type_name(source)
        ))
    })?;
    Ok(Source::Documents(items))
}

/// Weights as ints of 0 or more.
fn read_weights(weights: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
    let weight = |(index, weight): (usize, PyResult<Bound<'_, PyAny>>)| {
        let weight = weight?;
        if !weight.hasattr("__index__")? {
            let message = format!("weights must be int, not {} (at index {index})", type_name(&weight));
            return Err(PyTypeError::new_err(message));
        }
        let limit = u64::MAX;
        weight.extract::<u64>().map_err(|_| {
            Error::Argument(format!("weight {weight} (at index {index}) is out of range; give 0 to {limit}")).into()
        })
    };
    weights.try_iter()?.enumerate().map(weight).collect()
}

fn uneven(weights: usize, documents: usize, more: &str) -> Error {
    Error::Argument(format!("there are {weights} weights for {documents} {more}documents; give one for each"))
}

fn weights_without_documents(source: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "weights go with documents, and source is {}; read the files and give their texts",
        type_name(source)
    ))
}

#[pymethods]
impl Counts {
    #[new]
    #[pyo3(signature = (pattern="cl100k", special_tokens=Vec::new(), digits="none"))]
    fn new(pattern: &str, special_tokens: Vec<String>, digits: &str) -> PyResult<Self> {
        let inner = count::Counts::new(pattern, &special_tokens, Digits::parse(digits)?)?;
        Ok(Self { inner: Mutex::new(Some(Arc::new(inner))) })
    }

    /// Counts a source: an iterable of `str` or `bytes` documents, a `pathlib.Path`, a list of Paths, or `Counts`.
    ///
    /// Special text is a boundary and is never counted. `progress(phase, done, total)` is called with bytes. Where the source
    /// fails half-way, what came before stays counted; count into fresh Counts and merge them to have all or nothing.
    /// `weights` has one int of 0 or more for each document: a weight of 3 counts as the document given 3 times.
    #[pyo3(signature = (source, weights=None, threads=None, progress=None))]
    fn update(
        &self,
        py: Python<'_>,
        source: &Bound<'_, PyAny>,
        weights: Option<&Bound<'_, PyAny>>,
        threads: Option<i64>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let threads = convert::threads(threads)?;
        let weights = weights.map(read_weights).transpose()?;
        if weights.is_some() && (source.is_instance_of::<Self>() || as_path(source)?.is_some()) {
            return Err(weights_without_documents(source));
        }
        if let Ok(other) = source.cast::<Self>() {
            return self.merge(py, other);
        }
        match read_source(source)? {
            Source::Paths(_) if weights.is_some() => Err(weights_without_documents(source)),
            Source::Paths(paths) => self.add_paths(py, &paths, threads, progress.as_ref()),
            Source::Documents(items) => {
                // Where the number of documents is known, nothing is counted in vain.
                if let (Some(weights), Ok(length)) = (&weights, source.len())
                    && weights.len() != length
                {
                    return Err(uneven(weights.len(), length, "").into());
                }
                self.add_documents(py, items, weights.as_deref(), threads, progress.as_ref())
            }
        }
    }

    /// Adds counts of the same pattern, digit rule and special tokens; others are a TrainError.
    fn merge(&self, py: Python<'_>, other: &Bound<'_, Self>) -> PyResult<()> {
        if std::ptr::eq(self, other.get()) {
            return Err(
                Error::Train("counts cannot be added to themselves; double them in another Counts".to_owned()).into()
            );
        }
        let theirs = other.get().get()?;
        Ok(py.detach(|| self.change(|mine| mine.merge(&theirs)))??)
    }

    /// Number of different pretokens.
    fn __len__(&self) -> PyResult<usize> {
        Ok(self.get()?.table().len())
    }

    /// Sum of all counts.
    #[getter]
    fn total(&self) -> PyResult<u128> {
        Ok(self.get()?.table().total())
    }

    /// Bytes of text counted.
    #[getter]
    fn bytes(&self) -> PyResult<u64> {
        Ok(self.get()?.bytes())
    }

    /// The regex.
    #[getter]
    fn pattern(&self) -> PyResult<String> {
        Ok(self.get()?.pretokenizer().pattern().to_owned())
    }

    /// The special tokens that bound documents.
    #[getter]
    fn special_tokens(&self) -> PyResult<Vec<String>> {
        Ok(self.get()?.special_texts())
    }

    /// The digit rule.
    #[getter]
    fn digits(&self) -> PyResult<&'static str> {
        Ok(self.get()?.pretokenizer().digits().name())
    }

    /// list[tuple[bytes, int]] sorted by pretoken.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Vec<(Bound<'py, PyBytes>, u64)>> {
        let counts = self.get()?;
        let items = py.detach(|| counts.table().sorted());
        Ok(items.into_iter().map(|(text, count)| (PyBytes::new(py, &text), count)).collect())
    }

    /// (all pretokens behind one another, sorted; int64 offsets, one more than pretokens; uint64 counts) as little-endian
    /// bytes, for Arrow.
    #[pyo3(name = "_to_buffers")]
    fn to_buffers<'py>(&self, py: Python<'py>) -> PyResult<[Bound<'py, PyBytes>; 3]> {
        let counts = self.get()?;
        let (texts, offsets, numbers) = py.detach(|| {
            let (texts, ends, counts) = counts.table().sorted_flat();
            let offsets: Vec<u8> = std::iter::once(0).chain(ends).flat_map(|end| (end as u64).to_le_bytes()).collect();
            let numbers: Vec<u8> = counts.into_iter().flat_map(u64::to_le_bytes).collect();
            (texts, offsets, numbers)
        });
        Ok([PyBytes::new(py, &texts), PyBytes::new(py, &offsets), PyBytes::new(py, &numbers)])
    }

    #[staticmethod]
    #[pyo3(name = "_from_buffers")]
    fn from_buffers(
        py: Python<'_>,
        pattern: &str,
        special_tokens: Vec<String>,
        digits: &str,
        texts: &[u8],
        offsets: &[u8],
        counts: &[u8],
    ) -> PyResult<Self> {
        let made = Self::new(pattern, special_tokens, digits)?;
        let wrong = |what: String| Error::Train(format!("the counts table is broken: {what}"));
        py.detach(|| {
            made.change(|inner| {
                let (ends, numbers) = (offsets.as_chunks::<8>().0, counts.as_chunks::<8>().0);
                if !offsets.len().is_multiple_of(8) || !counts.len().is_multiple_of(8) {
                    let sizes = format!("{} bytes of offsets and {} of counts", offsets.len(), counts.len());
                    return Err(wrong(format!("{sizes}; both hold numbers of 8 bytes")));
                }
                if ends.len() != numbers.len() + 1 {
                    return Err(wrong(format!(
                        "{} offsets for {} counts; one more is needed",
                        ends.len(),
                        numbers.len()
                    )));
                }
                for (row, (range, number)) in ends.windows(2).zip(numbers).enumerate() {
                    let [start, end] = [range[0], range[1]].map(|b| usize::try_from(i64::from_le_bytes(b)).ok());
                    match (start, end) {
                        (Some(start), Some(end)) if start <= end && end <= texts.len() => {
                            inner.add_pretoken(&texts[start..end], u64::from_le_bytes(*number))?;
                        }
                        _ => {
                            return Err(wrong(format!(
                                "row {row} lies outside the {} bytes of pretokens",
                                texts.len()
                            )));
                        }
                    }
                }
                Ok(())
            })
        })??;
        Ok(made)
    }

    fn __repr__(&self) -> String {
        match self.get() {
            Ok(counts) => {
                format!("Counts({} different pretokens, {} in all)", counts.table().len(), counts.table().total())
            }
            Err(_) => "Counts(in use)".to_owned(),
        }
    }
}

impl Counts {
    fn add_paths(
        &self,
        py: Python<'_>,
        paths: &[PathBuf],
        threads: usize,
        progress: Option<&Py<PyAny>>,
    ) -> PyResult<()> {
        let total: u64 = paths.iter().filter_map(|p| std::fs::metadata(p).ok()).map(|m| m.len()).sum();
        let mut pause = Pause::default();
        let result = py.detach(|| {
            self.change(|inner| {
                let before = inner.bytes();
                paths.iter().try_for_each(|path| {
                    inner.add_file(path, threads, &mut |done| {
                        report(&mut pause, progress, "count", done - before, total)
                    })
                })
            })?
        });
        pause.settle(result)
    }

    fn add_documents(
        &self,
        py: Python<'_>,
        items: Bound<'_, pyo3::types::PyIterator>,
        weights: Option<&[u64]>,
        threads: usize,
        progress: Option<&Py<PyAny>>,
    ) -> PyResult<()> {
        let mut items = items.fuse();
        let before = self.get()?.bytes();
        let mut first = 0;
        loop {
            let (mut gathered, mut bytes) = (Vec::new(), 0);
            for item in items.by_ref() {
                let item = item?;
                if as_path(&item)?.is_some() {
                    return Err(PyTypeError::new_err("source mixes texts and paths; give paths alone, in a list"));
                }
                bytes += text(&item)?.bytes().len();
                gathered.push(item);
                if bytes >= GATHER * threads {
                    break;
                }
            }
            let end = first + gathered.len();
            if let Some(weights) = weights
                && (end > weights.len() || gathered.is_empty() && end < weights.len())
            {
                return Err(uneven(weights.len(), end, if end > weights.len() { "or more " } else { "" }).into());
            }
            if gathered.is_empty() {
                return Ok(());
            }
            let weights = weights.map_or(&[][..], |weights| &weights[first..end]);
            first = end;
            let documents: Vec<Text<'_>> = gathered.iter().map(text).collect::<PyResult<_>>()?;
            let mut pause = Pause::default();
            let result = py.detach(|| {
                self.change(|inner| {
                    inner.add_weighted(&documents, weights, threads, &mut |done| {
                        report(&mut pause, progress, "count", done - before, 0)
                    })
                })?
            });
            pause.settle(result)?;
        }
    }
}

pub(super) fn report(
    pause: &mut Pause,
    progress: Option<&Py<PyAny>>,
    phase: &str,
    done: u64,
    total: u64,
) -> crate::error::Result<()> {
    pause.call(|py| match progress {
        Some(progress) => progress.call1(py, (phase, done, total)).map(|_| ()),
        None => Ok(()),
    })
}
