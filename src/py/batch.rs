//! `TokenBatch`: the ids of many documents in one flat array.

use std::iter::repeat_n;
use std::ops::Range;
use std::sync::Arc;

use numpy::ndarray::ArrayView1;
use numpy::{Element, PyArray1, PyArrayMethods};
use pyo3::exceptions::{PyIndexError, PyMemoryError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PySlice};

use super::arrays;
use super::convert::{Str, check_signals};
use super::ints::Ints;
use super::numbers;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::ids::TokenId;

/// Elements of padded rows that are written before signals are looked at: some milliseconds.
const ROUND: usize = 1 << 20;

/// Ids of many documents: `ids` (uint32, flat) and `offsets` (int64, one more than documents). Document `i` has
/// `ids[offsets[i]:offsets[i + 1]]`, which is also `batch[i]`, a read-only view. In the examples of the methods it is
///
/// >>> batch = tok.encode_batch(["low", "", "lower"])
/// >>> [ids.tolist() for ids in batch]
/// [[257], [], [257, 68, 81]]
#[pyclass(frozen, module = "bpetok")]
pub struct TokenBatch {
    lists: Py<Lists>,
    /// The same for NumPy, when it is asked for: to import NumPy takes as long as to encode some tens of megabytes.
    ids: PyOnceLock<Py<PyArray1<u32>>>,
    offsets: PyOnceLock<Py<PyArray1<i64>>>,
    /// What lists are made with, the tokenizer's.
    ints: Arc<Ints>,
}

/// The memory of a batch, which its arrays keep alive.
#[pyclass(frozen, module = "bpetok", name = "_Lists")]
struct Lists(Batch);

impl Lists {
    /// One of the lists as an array over the same memory, read-only.
    fn array<T: Element>(slf: &Bound<'_, Self>, list: impl FnOnce(&Batch) -> &Vec<T>) -> PyResult<Py<PyArray1<T>>> {
        arrays::ready(slf.py())?;
        let list = ArrayView1::from(list(&slf.get().0));
        // SAFETY: the memory is that of `slf`, which the array keeps alive. Being frozen it never changes its lists, and nobody
        // writes to them through the array, which is read-only before anyone sees it: NumPy refuses to make an array writable
        // whose owner lends no writable memory.
        let array = unsafe { PyArray1::borrow_from_array(&list, slf.clone().into_any()) };
        array.getattr("flags")?.set_item("WRITEABLE", false)?;
        Ok(array.unbind())
    }
}

impl TokenBatch {
    /// Takes the buffers as they are.
    pub fn from_batch(py: Python<'_>, batch: Batch, ints: &Arc<Ints>) -> PyResult<Self> {
        let (ids, offsets) = (PyOnceLock::new(), PyOnceLock::new());
        Ok(Self { lists: Py::new(py, Lists(batch))?, ids, offsets, ints: Arc::clone(ints) })
    }

    /// The ids of all documents, and of each in order where they are.
    pub fn documents(&self) -> (&[TokenId], impl ExactSizeIterator<Item = Range<usize>> + Clone) {
        let Batch { ids, offsets } = &self.lists.get().0;
        // Ascending from 0, as encoding makes them or `check` found them.
        (ids, offsets.windows(2).map(|ends| ends[0].cast_unsigned() as usize..ends[1].cast_unsigned() as usize))
    }
}

/// Whether `offsets` cut `total` ids into documents.
fn check(total: usize, offsets: &[i64]) -> Result<()> {
    let broken = |what: String| Error::Argument(format!("the batch is broken: {what}"));
    let (Some(0), Some(&last)) = (offsets.first(), offsets.last()) else {
        let first = offsets.first().map_or("there are none".to_owned(), |first| format!("the first is {first}"));
        return Err(broken(format!("offsets begin with 0, and {first}")));
    };
    if usize::try_from(last) != Ok(total) {
        return Err(broken(format!("the last offset is {last}, and there are {total} ids")));
    }
    for (document, ends) in offsets.windows(2).enumerate() {
        if ends[0] > ends[1] || ends[0] < 0 || ends[1] > last {
            return Err(broken(format!(
                "document {document} has the offsets {} and {}; they ascend from 0 to {total}",
                ends[0], ends[1]
            )));
        }
    }
    Ok(())
}

/// Rows of `width`: what `fill` puts there, made longer by `value`.
fn rows<T: Element + Copy>(
    py: Python<'_>,
    documents: impl ExactSizeIterator<Item = Range<usize>>,
    (width, value, is_left): (usize, T, bool),
    mut fill: impl FnMut(&mut Vec<T>, Range<usize>),
) -> PyResult<Bound<'_, PyAny>> {
    let shape = (documents.len(), width);
    let mut flat = Vec::new();
    let room = width.checked_mul(documents.len()).and_then(|length| flat.try_reserve_exact(length).ok());
    room.ok_or_else(|| {
        let bytes = width as u128 * documents.len() as u128 * size_of::<T>() as u128;
        PyMemoryError::new_err(format!("{} rows of {width} take {bytes} bytes; give a smaller length", documents.len()))
    })?;
    let mut asked = 0;
    for document in documents {
        if flat.len() - asked >= ROUND {
            asked = flat.len();
            py.check_signals()?;
        }
        let filling = width - document.len();
        flat.extend(repeat_n(value, if is_left { filling } else { 0 }));
        fill(&mut flat, document.clone());
        flat.extend(repeat_n(value, if is_left { 0 } else { filling }));
    }
    arrays::array(py, flat)?.call_method1("reshape", (shape,))
}

#[pymethods]
impl TokenBatch {
    /// uint32 [tokens]: all ids behind one another.
    ///
    /// >>> batch.ids.tolist()
    /// [257, 257, 68, 81]
    #[getter]
    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u32>>> {
        arrays::ready(py)?;
        let make = || Lists::array(self.lists.bind(py), |batch| &batch.ids);
        Ok(self.ids.get_or_try_init(py, make)?.bind(py).clone())
    }

    /// int64 [documents + 1]: where each document starts; the last is the number of tokens.
    ///
    /// >>> batch.offsets.tolist()
    /// [0, 1, 1, 4]
    #[getter]
    fn offsets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        arrays::ready(py)?;
        let make = || Lists::array(self.lists.bind(py), |batch| &batch.offsets);
        Ok(self.offsets.get_or_try_init(py, make)?.bind(py).clone())
    }

    #[staticmethod]
    #[pyo3(name = "_from_arrays")]
    fn from_arrays(ids: &Bound<'_, PyArray1<u32>>, offsets: &Bound<'_, PyArray1<i64>>) -> PyResult<Self> {
        // Copies: whoever made these arrays may write to them.
        let batch = Batch {
            ids: ids.try_readonly()?.as_slice()?.to_vec(),
            offsets: offsets.try_readonly()?.as_slice()?.to_vec(),
        };
        check(batch.ids.len(), &batch.offsets)?;
        Self::from_batch(ids.py(), batch, &Arc::default())
    }

    fn __len__(&self) -> usize {
        self.documents().1.len()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let (_, mut documents) = self.documents();
        let count = documents.len();
        let wanted = numbers::index(index)?;
        let place = wanted.map(|index| if index < 0 { index + count.cast_signed() } else { index });
        let found = place.and_then(|place| documents.nth(usize::try_from(place).ok()?));
        let Some(Range { start, end }) = found else {
            let index = numbers::shown(index);
            return Err(PyIndexError::new_err(format!("document {index} of a batch of {count}")));
        };
        self.ids(py)?.get_item(PySlice::new(py, start.cast_signed(), end.cast_signed(), 1))
    }

    /// The documents in order, each when it is asked for.
    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let builtins = slf.py().import("builtins")?;
        let places = builtins.getattr("range")?.call1((slf.len()?,))?;
        builtins.getattr("map")?.call1((slf.getattr("__getitem__")?, places))
    }

    fn __repr__(&self) -> String {
        let (ids, documents) = self.documents();
        format!("TokenBatch({} documents, {} tokens)", documents.len(), ids.len())
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyAny>, Bound<'py, PyAny>))> {
        Ok((slf.get_type().getattr("_from_arrays")?, (slf.getattr("ids")?, slf.getattr("offsets")?)))
    }

    /// list[list[int]]: the ids of each document.
    ///
    /// >>> batch.tolist()
    /// [[257], [], [257, 68, 81]]
    fn tolist<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let (lists, (ids, documents)) = (PyList::empty(py), self.documents());
        for (index, document) in documents.enumerate() {
            check_signals(py, index)?;
            lists.append(self.ints.list(py, &ids[document])?)?;
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
        let (ids, documents) = self.documents();
        let longest = documents.clone().map(|document| document.len()).max().unwrap_or(0);
        let width = length.unwrap_or(longest);
        if longest > width {
            let message = format!(
                "a document has {longest} tokens and length is {width}; cut the texts first (Tokenizer.cut) or give a length of at least {longest}"
            );
            return Err(Error::Argument(message).into());
        }
        let fill = |row: &mut Vec<TokenId>, document: Range<usize>| row.extend_from_slice(&ids[document]);
        let padded = rows(py, documents.clone(), (width, value, is_left), fill)?;
        let real = |row: &mut Vec<bool>, document: Range<usize>| row.extend(repeat_n(true, document.len()));
        Ok((padded, rows(py, documents, (width, false, is_left), real)?))
    }

    /// The batch as a `pyarrow.LargeListArray` of uint32 over the same memory. Needs `pyarrow`.
    ///
    /// Raises:
    ///     MissingPackageError: without `pyarrow`; an ImportError too.
    ///
    /// >>> import pyarrow
    /// >>> batch.to_arrow().to_pylist()
    /// [[257], [], [257, 68, 81]]
    fn to_arrow<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let require = py.import("bpetok.pipelines.optional")?.getattr("require")?;
        let arrow = require.call1(("pyarrow", "arrow", "A batch for Arrow"))?;
        let ids = arrow.call_method1("array", (self.ids(py)?,))?;
        let offsets = arrow.call_method1("array", (self.offsets(py)?,))?;
        arrow.getattr("LargeListArray")?.call_method1("from_arrays", (offsets, ids))
    }
}
