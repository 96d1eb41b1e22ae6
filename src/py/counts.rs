//! `Counts` and training from them.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::convert::{self, Str};
use super::counting::{read_weights, uneven, weights_without_documents};
use super::numbers;
use super::source::{Source, as_path, read_source};
use super::specials::bounds;
use crate::batch;
use crate::count::{self, budget::Budget, table::CountTable};
use crate::digits::Digits;
use crate::error::Error;

/// Milliseconds to wait for those who read the counts.
const PATIENCE: u32 = 50;

/// Exact pretoken counts, from which a vocabulary can be trained: `Counts(pattern="cl100k",
/// special_tokens=(), digits="none")`.
///
/// Raises:
///     PatternError: for an invalid regex.
///     SpecialTokenError: for special tokens that are empty or given twice.
///     TextError: for a lone surrogate.
///     Error: for an unknown digit rule; in any method, while another thread's call adds to the same counts.
///
/// In the examples of the methods it is
///
/// >>> counts = bpetok.Counts("gpt2")
/// >>> counts.update(["a b a", "a"])
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

    /// The counts, to read, all in the table or all on disk.
    pub(super) fn settled(&self) -> crate::error::Result<Arc<count::Counts>> {
        loop {
            let counts = self.get()?;
            if counts.is_settled() {
                return Ok(counts);
            }
            drop(counts);
            // Behind it, another thread may add again before they are looked at.
            self.change(count::Counts::settle)??;
        }
    }

    /// The table; the counts are empty afterwards.
    pub(super) fn take_table(&self) -> crate::error::Result<CountTable> {
        self.change(count::Counts::take_table)
    }

    /// Adds to the counts; others find them busy meanwhile.
    pub(super) fn change<R>(&self, work: impl FnOnce(&mut count::Counts) -> R) -> crate::error::Result<R> {
        let mut counts = self.lock().take().ok_or_else(busy)?;
        // Another thread that reads has them for a moment, and no new one comes; training has them for long.
        for _ in 0..PATIENCE {
            if Arc::strong_count(&counts) > 1 {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        let result = Arc::get_mut(&mut counts).map(work).ok_or_else(busy);
        *self.lock() = Some(counts);
        result
    }
}

fn busy() -> Error {
    Error::Argument(
        "these counts are in use by another call; wait for it, or give each thread its own and merge them".to_owned(),
    )
}

#[pymethods]
impl Counts {
    #[new]
    #[pyo3(
        signature = (pattern=Str("cl100k"), special_tokens=None, digits=Str("none")),
        text_signature = "(pattern='cl100k', special_tokens=(), digits='none')"
    )]
    pub(super) fn new(pattern: Str<'_>, special_tokens: Option<&Bound<'_, PyAny>>, digits: Str<'_>) -> PyResult<Self> {
        let special_tokens = special_tokens.map_or(Ok(Vec::new()), bounds)?;
        let inner = count::Counts::new(&pattern, &special_tokens, Digits::parse(&digits)?)?;
        Ok(Self { inner: Mutex::new(Some(Arc::new(inner))) })
    }

    /// Counts a source: an iterable of `str` or `bytes` documents, a `pathlib.Path`, an iterable of Paths, or `Counts`.
    ///
    /// Special text is a boundary and is never counted. `progress(phase, done, total)` is called with bytes. Where the source
    /// fails half-way, or `progress` raises, or Ctrl-C, the files before stay counted, and of the file at hand nothing; the same
    /// goes for documents, which are counted some MiB at a time. Count into fresh Counts and merge them to have all or nothing,
    /// and throw away those that a full disk or a count above 2^64 - 1 kept from being added up: they may hold a part.
    /// `weights` has one int of 0 or more for each document: a weight of 3 counts as the document given 3 times.
    ///
    /// `max_memory` ("2GiB", or a number of bytes; 128MiB or more) bounds the memory of the process: what does not fit goes to
    /// the temporary folder as sorted runs, and the counts stay exact. What your program holds comes on top: documents in a list, and
    /// the source itself where it is `Counts`.
    ///
    /// Raises:
    ///     TypeError: for a bare text, or a source that mixes texts and Paths.
    ///     TextError: for a lone surrogate; the message names the document.
    ///     PatternError: for a pattern that passes its step limit.
    ///     TrainError: for `Counts` made in another way, and for a count above 2^64 - 1.
    ///     Error: for weights that do not fit the documents, and numbers out of range.
    ///     OSError: for a file that cannot be read, or a full disk.
    ///
    /// >>> weighted = bpetok.Counts("gpt2")
    /// >>> weighted.update(["a", "b"], weights=[3, 1])
    /// >>> weighted.items()
    /// [(b'a', 3), (b'b', 1)]
    #[pyo3(signature = (source, weights=None, threads=None, progress=None, max_memory=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn update(
        &self,
        py: Python<'_>,
        source: &Bound<'_, PyAny>,
        weights: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = numbers::threads)] threads: Option<usize>,
        progress: Option<Py<PyAny>>,
        max_memory: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let mut threads = batch::threads(threads)?;
        let budget = match convert::max_memory(max_memory)? {
            Some(limit) => Budget::new(limit, threads)?,
            None => Budget::default(),
        };
        threads = threads.min(budget.threads);
        let weights = weights.map(read_weights).transpose()?;
        if weights.is_some() && (source.is_instance_of::<Self>() || as_path(source)?.is_some()) {
            return Err(weights_without_documents(source));
        }
        if let Ok(other) = source.cast::<Self>() {
            self.change(|inner| inner.set_budget(budget))??;
            return self.merge(py, other);
        }
        let read = read_source(source)?;
        self.change(|inner| inner.set_budget(budget))??;
        match read {
            Source::Paths(_) if weights.is_some() => Err(weights_without_documents(source)),
            Source::Paths(paths) => self.add_paths(py, &paths, threads, progress.as_ref()),
            Source::Documents(first, others) => {
                // Where the number of documents is known, nothing is counted in vain.
                if let (Some(weights), Ok(length)) = (&weights, source.len())
                    && weights.len() != length
                {
                    return Err(uneven(weights.len(), length, "").into());
                }
                let items = first.map(Ok).into_iter().chain(others);
                self.add_documents(py, items, weights.as_deref(), threads, progress.as_ref())
            }
        }
    }

    /// Drops pretokens that occur less often than `min_count`. Gives back how many were dropped, and how often they occurred
    /// together: `(pretokens, occurrences)`.
    ///
    /// Raises:
    ///     Error: for a `min_count` below 0.
    ///
    /// >>> pruned = bpetok.Counts("gpt2")
    /// >>> pruned.update(["a", "a", "b"])
    /// >>> pruned.prune(2), pruned.items()
    /// ((1, 1), [(b'a', 2)])
    fn prune(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = numbers::min_count)] min_count: u64,
    ) -> PyResult<(u64, u128)> {
        convert::detached(py, |ask| self.change(|inner| inner.prune(min_count, ask))?)
    }

    /// Writes the counts to a Parquet file, whole or not at all: see `bpetok.pipelines.counts_arrow`.
    ///
    /// Raises:
    ///     OSError: if it cannot be written; an older file is left as it was.
    ///     ImportError: without `pyarrow`.
    ///
    /// >>> import pathlib, tempfile
    /// >>> with tempfile.TemporaryDirectory() as folder:
    /// ...     path = pathlib.Path(folder, "counts.parquet")
    /// ...     counts.save(path)
    /// ...     bpetok.Counts.load(path).items() == counts.items()
    /// True
    fn save(slf: &Bound<'_, Self>, path: &Bound<'_, PyAny>) -> PyResult<()> {
        arrow(slf.py())?.call_method1("save", (slf, path)).map(|_| ())
    }

    /// Reads counts that `save` wrote, all of them into memory, `max_memory` or not: some 100 bytes a pretoken, and twice that
    /// while they are read.
    ///
    /// Raises:
    ///     FormatError: for a file that holds no counts.
    ///     TrainError: for counts of another Unicode version.
    ///     OSError: for a file that cannot be read.
    ///     ImportError: without `pyarrow`.
    ///
    /// See `save` for an example.
    #[staticmethod]
    fn load<'py>(path: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        arrow(path.py())?.call_method1("load", (path,))
    }

    /// The counts as a `pyarrow.Table` of `pretoken: binary` and `count: uint64`, sorted by pretoken, all in memory;
    /// `save` takes no more than a few blocks at a time.
    ///
    /// Raises:
    ///     ImportError: without `pyarrow`.
    ///
    /// >>> counts.to_arrow().to_pydict()
    /// {'pretoken': [b' a', b' b', b'a'], 'count': [1, 1, 2]}
    fn to_arrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        arrow(slf.py())?.call_method1("to_arrow", (slf,))
    }

    /// Counts from a table with the columns `pretoken` and `count`; the settings are for one without bpetok's metadata. The
    /// table is copied into memory, `max_memory` or not.
    ///
    /// Raises:
    ///     FormatError: for missing or unsuitable columns, or no pattern.
    ///     TrainError: for other settings or another Unicode version, and for a sum above 2^64 - 1.
    ///     ImportError: without `pyarrow`.
    ///
    /// >>> import pyarrow
    /// >>> table = pyarrow.table({"pretoken": [b"a", b"b"], "count": [1, 2]})
    /// >>> bpetok.Counts.from_arrow(table, pattern="gpt2", special_tokens=()).items()
    /// [(b'a', 1), (b'b', 2)]
    #[staticmethod]
    #[pyo3(signature = (table, *, pattern=None, special_tokens=None, digits=None))]
    fn from_arrow<'py>(
        table: &Bound<'py, PyAny>,
        pattern: Option<&Bound<'py, PyAny>>,
        special_tokens: Option<&Bound<'py, PyAny>>,
        digits: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let settings = PyDict::new(table.py());
        for (name, given) in [("pattern", pattern), ("special_tokens", special_tokens), ("digits", digits)] {
            settings.set_item(name, given)?;
        }
        arrow(table.py())?.call_method("from_arrow", (table,), Some(&settings))
    }

    /// Adds counts of the same pattern, digit rule and special tokens.
    ///
    /// Raises:
    ///     TrainError: for others.
    ///
    /// >>> total = bpetok.Counts("gpt2")
    /// >>> total.merge(counts)
    /// >>> total.items() == counts.items()
    /// True
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
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        let pretokens = convert::detached(py, |ask| Ok(self.settled()?.summary(ask)?.pretokens()))?;
        Ok(usize::try_from(pretokens)?)
    }

    /// Sum of all counts.
    ///
    /// >>> counts.total
    /// 4
    #[getter]
    fn total(&self, py: Python<'_>) -> PyResult<u128> {
        convert::detached(py, |ask| Ok(self.settled()?.summary(ask)?.occurrences()))
    }

    /// Bytes of memory that the counts take.
    ///
    /// >>> counts.memory_bytes > 0
    /// True
    #[getter]
    fn memory_bytes(&self) -> PyResult<usize> {
        Ok(self.get()?.table().memory())
    }

    /// Bytes on disk; 0 while all counts are in memory.
    ///
    /// >>> counts.spilled_bytes
    /// 0
    #[getter]
    fn spilled_bytes(&self) -> PyResult<u64> {
        Ok(self.get()?.runs().bytes())
    }

    /// Bytes of text counted. Counts that were saved, pickled or come from Arrow tell those of their pretokens, without the special
    /// text between them.
    ///
    /// >>> counts.bytes
    /// 6
    #[getter]
    fn bytes(&self) -> PyResult<u64> {
        Ok(self.get()?.bytes())
    }

    /// The regex.
    ///
    /// >>> counts.pattern == bpetok.PRESETS["gpt2"]
    /// True
    #[getter]
    pub(super) fn pattern(&self) -> PyResult<String> {
        Ok(self.get()?.pretokenizer().pattern().to_owned())
    }

    /// The special tokens that bound documents.
    ///
    /// >>> counts.special_tokens
    /// []
    #[getter]
    pub(super) fn special_tokens(&self) -> PyResult<Vec<String>> {
        Ok(self.get()?.special_texts())
    }

    /// The digit rule.
    ///
    /// >>> counts.digits
    /// 'none'
    #[getter]
    pub(super) fn digits(&self) -> PyResult<&'static str> {
        Ok(self.get()?.pretokenizer().digits().name())
    }

    /// list[tuple[bytes, int]] sorted by pretoken: all of them in memory, as Python objects. `save` does without.
    ///
    /// >>> counts.items()
    /// [(b' a', 1), (b' b', 1), (b'a', 2)]
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Vec<(Bound<'py, PyBytes>, u64)>> {
        let (texts, ends, counts) = convert::detached(py, |ask| {
            let counts = self.settled()?;
            let mut items = counts.table().sorted_flat(ask)?;
            counts.merged()?.each(ask, |text, count| {
                items.0.extend_from_slice(text);
                items.1.push(items.0.len());
                items.2.push(count);
                Ok(())
            })?;
            Ok(items)
        })?;
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let item = |(index, ((start, &end), count))| {
            convert::check_signals(py, index)?;
            Ok((PyBytes::new(py, &texts[start..end]), count))
        };
        starts.zip(&ends).zip(counts).enumerate().map(item).collect()
    }

    fn __repr__(&self) -> String {
        match self.get() {
            Ok(counts) => {
                let table = counts.table();
                match counts.runs().bytes() {
                    0 => format!("Counts({} different pretokens, {} in all)", table.len(), table.total()),
                    disk => format!("Counts({} different pretokens in memory, {disk} bytes on disk)", table.len()),
                }
            }
            Err(_) => "Counts(in use)".to_owned(),
        }
    }
}

/// The module that keeps counts as Arrow tables.
fn arrow(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import("bpetok.pipelines.counts_arrow")
}
