//! `TokenBatch`: the ids of many documents in one flat array.

use std::iter::repeat_n;
use std::ops::Range;
use std::sync::Arc;

use numpy::{Element, PyArray1, PyArrayMethods};
use pyo3::exceptions::{PyIndexError, PyMemoryError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PySlice};

use super::convert::Str;
use super::ints::Ints;
use super::numbers;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::ids::TokenId;

/// Ids of many documents: `ids` (uint32, flat) and `offsets` (int64, one more than documents). Document `i` has
/// `ids[offsets[i]:offsets[i + 1]]`, which is also `batch[i]`, a read-only view. In the examples of the methods it is
///
/// >>> batch = tok.encode_batch(["low", "", "lower"])
/// >>> [ids.tolist() for ids in batch]
/// [[257], [], [257, 68, 81]]
#[pyclass(frozen, module = "bpetok")]
pub struct TokenBatch {
    /// uint32 [tokens]: all ids behind one another.
    ///
    /// >>> batch.ids.tolist()
    /// [257, 257, 68, 81]
    #[pyo3(get)]
    ids: Py<PyArray1<u32>>,
    /// int64 [documents + 1]: where each document starts; the last is the number of tokens.
    ///
    /// >>> batch.offsets.tolist()
    /// [0, 1, 1, 4]
    #[pyo3(get)]
    offsets: Py<PyArray1<i64>>,
    /// What lists are made with, the tokenizer's.
    ints: Arc<Ints>,
}

impl TokenBatch {
    /// Hands the buffers over to NumPy without copying them.
    pub fn from_batch(py: Python<'_>, batch: Batch, ints: &Arc<Ints>) -> PyResult<Self> {
        let (ids, offsets) = (PyArray1::from_vec(py, batch.ids), PyArray1::from_vec(py, batch.offsets));
        Ok(Self { ints: Arc::clone(ints), ..Self::from_arrays(ids, offsets)? })
    }

    /// The two arrays.
    pub fn arrays<'py>(&self, py: Python<'py>) -> (&Bound<'py, PyArray1<u32>>, &Bound<'py, PyArray1<i64>>) {
        (self.ids.bind(py), self.offsets.bind(py))
    }

    /// Where the ids of each document are. Looked at anew every time: NumPy lets the owner of an array write to it again.
    pub fn documents(&self, py: Python<'_>) -> PyResult<Vec<Range<usize>>> {
        let (ids, offsets) = self.arrays(py);
        Ok(ranges(ids.len()?, offsets.try_readonly()?.as_slice()?)?)
    }

    fn view<'py>(&self, py: Python<'py>, Range { start, end }: Range<usize>) -> PyResult<Bound<'py, PyAny>> {
        self.ids.bind(py).get_item(PySlice::new(py, start.cast_signed(), end.cast_signed(), 1))
    }
}

/// The documents that `offsets` cut `total` ids into.
fn ranges(total: usize, offsets: &[i64]) -> Result<Vec<Range<usize>>> {
    let broken = |what: String| Error::Argument(format!("the batch is broken: {what}"));
    let (Some(0), Some(&last)) = (offsets.first(), offsets.last()) else {
        let first = offsets.first().map_or("there are none".to_owned(), |first| format!("the first is {first}"));
        return Err(broken(format!("offsets begin with 0, and {first}")));
    };
    if usize::try_from(last) != Ok(total) {
        return Err(broken(format!("the last offset is {last}, and there are {total} ids")));
    }
    let range = |(document, ends): (usize, &[i64])| match [usize::try_from(ends[0]), usize::try_from(ends[1])] {
        [Ok(start), Ok(end)] if start <= end && end <= total => Ok(start..end),
        _ => Err(broken(format!(
            "document {document} has the offsets {} and {}; they ascend from 0 to {total}",
            ends[0], ends[1]
        ))),
    };
    offsets.windows(2).enumerate().map(range).collect()
}

/// Rows of `width`: what `fill` puts there, made longer by `value`.
fn rows<'py, T: Element + Copy>(
    py: Python<'py>,
    documents: &[Range<usize>],
    (width, value, is_left): (usize, T, bool),
    mut fill: impl FnMut(&mut Vec<T>, Range<usize>),
) -> PyResult<Bound<'py, PyAny>> {
    let shape = (documents.len(), width);
    let mut flat = Vec::new();
    let room = width.checked_mul(documents.len()).and_then(|length| flat.try_reserve_exact(length).ok());
    room.ok_or_else(|| {
        let bytes = width as u128 * documents.len() as u128 * size_of::<T>() as u128;
        PyMemoryError::new_err(format!("{} rows of {width} take {bytes} bytes; give a smaller length", documents.len()))
    })?;
    for document in documents {
        let filling = width - document.len();
        flat.extend(repeat_n(value, if is_left { filling } else { 0 }));
        fill(&mut flat, document.clone());
        flat.extend(repeat_n(value, if is_left { 0 } else { filling }));
    }
    PyArray1::from_vec(py, flat).call_method1("reshape", (shape,))
}

#[pymethods]
impl TokenBatch {
    #[staticmethod]
    #[pyo3(name = "_from_arrays")]
    fn from_arrays(ids: Bound<'_, PyArray1<u32>>, offsets: Bound<'_, PyArray1<i64>>) -> PyResult<Self> {
        // Whoever made these arrays, from here on they are looked at as memory.
        ids.try_readonly()?.as_slice()?;
        ranges(ids.len()?, offsets.try_readonly()?.as_slice()?)?;
        // Views of a batch are read-only because the batch is.
        ids.getattr("flags")?.set_item("WRITEABLE", false)?;
        offsets.getattr("flags")?.set_item("WRITEABLE", false)?;
        Ok(Self { ids: ids.unbind(), offsets: offsets.unbind(), ints: Arc::default() })
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.offsets.bind(py).len()?.saturating_sub(1))
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: isize) -> PyResult<Bound<'py, PyAny>> {
        let offsets = self.offsets.bind(py).try_readonly()?;
        let offsets = offsets.as_slice()?;
        let count = offsets.len().saturating_sub(1);
        let place = if index < 0 { index + count.cast_signed() } else { index };
        let Some(place) = usize::try_from(place).ok().filter(|&place| place < count) else {
            return Err(PyIndexError::new_err(format!("document {index} of a batch of {count}")));
        };
        self.view(py, usize::try_from(offsets[place])?..usize::try_from(offsets[place + 1])?)
    }

    /// The documents in order, each when it is asked for.
    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let builtins = slf.py().import("builtins")?;
        let places = builtins.getattr("range")?.call1((slf.len()?,))?;
        builtins.getattr("map")?.call1((slf.getattr("__getitem__")?, places))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("TokenBatch({} documents, {} tokens)", self.__len__(py)?, self.ids.bind(py).len()?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Py<PyAny>, Py<PyAny>))> {
        let (py, this) = (slf.py(), slf.get());
        let arrays = (this.ids.clone_ref(py).into_any(), this.offsets.clone_ref(py).into_any());
        Ok((slf.get_type().getattr("_from_arrays")?, arrays))
    }

    /// list[list[int]]: the ids of each document.
    ///
    /// >>> batch.tolist()
    /// [[257], [], [257, 68, 81]]
    fn tolist<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let (lists, ids) = (PyList::empty(py), self.ids.bind(py).try_readonly()?);
        for document in self.documents(py)? {
            lists.append(self.ints.list(py, &ids.as_slice()?[document])?)?;
        }
        Ok(lists)
    }

    /// (uint32 [documents, length], bool [documents, length]): ids filled up with `value`, and which are real.
    ///
    /// `length` is that of the longest document unless given; longer documents are an Error, since cutting them would
    /// drop text. `side` is "right" or "left", where the filling goes.
    ///
    /// Raises:
    ///     Error: for a `length` below that of the longest document, numbers out of range, or another `side`.
    ///     MemoryError: for a size that memory does not hold.
    ///
    /// >>> ids, real = batch.pad(4)
    /// >>> ids.tolist()
    /// [[257, 0, 0, 0], [0, 0, 0, 0], [257, 68, 81, 0]]
    /// >>> real.sum(axis=1).tolist()
    /// [1, 0, 3]
    #[pyo3(
        signature = (length=None, value=0, side=Str("right")),
        text_signature = "($self, length=None, value=0, side='right')"
    )]
    fn pad<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = numbers::length)] length: Option<usize>,
        #[pyo3(from_py_with = numbers::value)] value: TokenId,
        side: Str<'_>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let is_left = match &*side {
            "right" => false,
            "left" => true,
            _ => return Err(Error::Argument(format!("side is {:?}; give \"right\" or \"left\"", &*side)).into()),
        };
        let documents = self.documents(py)?;
        let longest = documents.iter().map(Range::len).max().unwrap_or(0);
        let width = length.unwrap_or(longest);
        if longest > width {
            let message = format!(
                "a document has {longest} tokens and length is {width}; cut the texts first (Tokenizer.cut) or give a length of at least {longest}"
            );
            return Err(Error::Argument(message).into());
        }
        let ids = self.ids.bind(py).try_readonly()?;
        let ids = ids.as_slice()?;
        let padded =
            rows(py, &documents, (width, value, is_left), |row, document| row.extend_from_slice(&ids[document]))?;
        let real = |row: &mut Vec<bool>, document: Range<usize>| row.extend(repeat_n(true, document.len()));
        Ok((padded, rows(py, &documents, (width, false, is_left), real)?))
    }

    /// The batch as a `pyarrow.LargeListArray` of uint32 over the same memory. Needs `pyarrow`.
    ///
    /// Raises:
    ///     ImportError: without `pyarrow`.
    ///
    /// >>> import pyarrow
    /// >>> batch.to_arrow().to_pylist()
    /// [[257], [], [257, 68, 81]]
    fn to_arrow<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let arrow = py.import("pyarrow")?;
        let ids = arrow.call_method1("array", (self.ids.bind(py),))?;
        let offsets = arrow.call_method1("array", (self.offsets.bind(py),))?;
        arrow.getattr("LargeListArray")?.call_method1("from_arrays", (offsets, ids))
    }
}
