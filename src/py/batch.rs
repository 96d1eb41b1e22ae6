//! `TokenBatch`: the ids of many documents in one flat array.

use numpy::{PyArray1, PyArrayMethods};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PySlice};

use crate::batch::Batch;
use crate::error::Error;

/// Ids of many documents: `ids` (uint32, flat) and `offsets` (int64, one more than documents). Document `i` has
/// `ids[offsets[i]:offsets[i + 1]]`, which is also `batch[i]`, a read-only view.
#[pyclass(frozen, module = "bpetok")]
pub struct TokenBatch {
    /// uint32 [tokens]: all ids behind one another.
    #[pyo3(get)]
    ids: Py<PyArray1<u32>>,
    /// int64 [documents + 1]: where each document starts; the last is the number of tokens.
    #[pyo3(get)]
    offsets: Py<PyArray1<i64>>,
}

impl TokenBatch {
    /// Hands the buffers over to NumPy without copying them.
    pub fn from_batch(py: Python<'_>, batch: Batch) -> PyResult<Self> {
        Self::from_arrays(PyArray1::from_vec(py, batch.ids), PyArray1::from_vec(py, batch.offsets))
    }

    /// The two arrays.
    pub fn arrays<'py>(&self, py: Python<'py>) -> (&Bound<'py, PyArray1<u32>>, &Bound<'py, PyArray1<i64>>) {
        (self.ids.bind(py), self.offsets.bind(py))
    }

    fn view<'py>(&self, py: Python<'py>, start: i64, end: i64) -> PyResult<Bound<'py, PyAny>> {
        let length = isize::try_from(end)?;
        self.ids.bind(py).get_item(PySlice::new(py, isize::try_from(start)?, length, 1))
    }

    fn offsets_vec(&self, py: Python<'_>) -> PyResult<Vec<i64>> {
        Ok(self.offsets.bind(py).try_readonly()?.as_array().to_vec())
    }
}

#[pymethods]
impl TokenBatch {
    #[staticmethod]
    #[pyo3(name = "_from_arrays")]
    fn from_arrays(ids: Bound<'_, PyArray1<u32>>, offsets: Bound<'_, PyArray1<i64>>) -> PyResult<Self> {
        // Views of a batch are read-only because the batch is.
        ids.getattr("flags")?.set_item("WRITEABLE", false)?;
        offsets.getattr("flags")?.set_item("WRITEABLE", false)?;
        Ok(Self { ids: ids.unbind(), offsets: offsets.unbind() })
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.offsets.bind(py).len()?.saturating_sub(1))
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: isize) -> PyResult<Bound<'py, PyAny>> {
        let offsets = self.offsets.bind(py).try_readonly()?;
        let offsets = offsets.as_array();
        let count = offsets.len() - 1;
        let place = if index < 0 { index + count.cast_signed() } else { index };
        match usize::try_from(place).ok().filter(|&i| i < count) {
            Some(i) => self.view(py, offsets[i], offsets[i + 1]),
            None => Err(PyIndexError::new_err(format!("document {index} of a batch of {count}"))),
        }
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
    fn tolist<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let lists = PyList::empty(py);
        for ends in self.offsets_vec(py)?.windows(2) {
            lists.append(self.view(py, ends[0], ends[1])?.call_method0("tolist")?)?;
        }
        Ok(lists)
    }

    /// (uint32 [documents, length], bool [documents, length]): ids filled up with `value`, and which are real.
    ///
    /// `length` is that of the longest document unless given; longer documents are an Error, since cutting them would
    /// drop text. `side` is "right" or "left", where the filling goes.
    #[pyo3(signature = (length=None, value=0, side="right"))]
    fn pad<'py>(
        &self,
        py: Python<'py>,
        length: Option<usize>,
        value: u32,
        side: &str,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let is_left = match side {
            "right" => false,
            "left" => true,
            _ => return Err(Error::Argument(format!("side is {side:?}; give \"right\" or \"left\"")).into()),
        };
        let offsets = self.offsets_vec(py)?;
        // Offsets are lengths of buffers in memory.
        let lengths: Vec<usize> = offsets.windows(2).map(|w| usize::try_from(w[1] - w[0])).collect::<Result<_, _>>()?;
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let width = length.unwrap_or(longest);
        if longest > width {
            let message = format!(
                "a document has {longest} tokens and length is {width}; cut the texts first (Tokenizer.cut) or give a length of at least {longest}"
            );
            return Err(Error::Argument(message).into());
        }
        let ids = self.ids.bind(py).try_readonly()?;
        let ids = ids.as_slice()?;
        let (mut padded, mut mask) = (vec![value; width * lengths.len()], vec![false; width * lengths.len()]);
        let mut start = 0;
        for (row, &count) in lengths.iter().enumerate() {
            let at = row * width + if is_left { width - count } else { 0 };
            padded[at..at + count].copy_from_slice(&ids[start..start + count]);
            mask[at..at + count].fill(true);
            start += count;
        }
        let shape = (lengths.len(), width);
        let padded = PyArray1::from_vec(py, padded).call_method1("reshape", (shape,))?;
        Ok((padded, PyArray1::from_vec(py, mask).call_method1("reshape", (shape,))?))
    }

    /// The batch as a `pyarrow.LargeListArray` of uint32 over the same memory. Needs `pyarrow`.
    fn to_arrow<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let arrow = py.import("pyarrow")?;
        let ids = arrow.call_method1("array", (self.ids.bind(py),))?;
        let offsets = arrow.call_method1("array", (self.offsets.bind(py),))?;
        arrow.getattr("LargeListArray")?.call_method1("from_arrays", (offsets, ids))
    }
}
