//! `Counts` as plain buffers: in blocks, so that a file of any size can be written from runs on disk, or all in one.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::convert::{self, Str};
use super::counts::Counts;
use super::numbers;
use crate::count::spill::Merged;
use crate::error::{Error, Result};

/// Where the counts are.
pub enum BlockSource {
    /// Sorted in memory: texts, where each ends, counts.
    Table((Vec<u8>, Vec<usize>, Vec<u64>)),
    /// On disk.
    Runs(Merged),
}

/// An iterator over blocks of sorted counts.
#[pyclass(frozen, module = "bpetok._bpetok")]
pub struct Blocks {
    state: Mutex<State>,
    bytes: usize,
}

struct State {
    source: BlockSource,
    /// Entries of a table that were handed out.
    done: usize,
}

/// Texts, one offset more than texts, and counts, as little-endian bytes.
pub type Block = (Vec<u8>, Vec<u8>, Vec<u8>);

impl Blocks {
    /// Blocks of about `bytes` bytes of text.
    pub fn new(source: BlockSource, bytes: usize) -> Self {
        Self { state: Mutex::new(State { source, done: 0 }), bytes: bytes.max(1) }
    }

    /// The next block; `None` behind the last.
    pub fn next(&self) -> Result<Option<Block>> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let State { source, done } = &mut *state;
        let mut block: Block = (Vec::new(), 0u64.to_le_bytes().to_vec(), Vec::new());
        while block.0.len() < self.bytes {
            match source {
                BlockSource::Table((texts, ends, counts)) => {
                    let (Some(&end), Some(&count)) = (ends.get(*done), counts.get(*done)) else { break };
                    let start = done.checked_sub(1).map_or(0, |before| ends[before]);
                    put(&mut block, &texts[start..end], count);
                    *done += 1;
                }
                BlockSource::Runs(merged) => match merged.advance()? {
                    Some((text, count)) => put(&mut block, text, count),
                    None => break,
                },
            }
        }
        Ok((!block.2.is_empty()).then_some(block))
    }
}

fn put((texts, offsets, counts): &mut Block, text: &[u8], count: u64) {
    texts.extend_from_slice(text);
    offsets.extend_from_slice(&(texts.len() as u64).to_le_bytes());
    counts.extend_from_slice(&count.to_le_bytes());
}

#[pymethods]
impl Blocks {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// (all pretokens behind one another; int64 offsets, one more than pretokens; uint64 counts).
    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<[Bound<'py, PyBytes>; 3]>> {
        let block = py.detach(|| self.next())?;
        Ok(block.map(|(texts, offsets, counts)| [texts, offsets, counts].map(|part| PyBytes::new(py, &part))))
    }
}

/// The arguments of `Counts._from_buffers`.
type Pickled<'py> = (String, Vec<String>, &'static str, Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

#[pymethods]
impl Counts {
    /// The counts in blocks of about so many bytes of text, sorted, for Arrow: see `Blocks`.
    #[pyo3(name = "_blocks")]
    fn blocks(&self, py: Python<'_>, #[pyo3(from_py_with = numbers::bytes)] bytes: usize) -> PyResult<Blocks> {
        let source = convert::detached(py, |ask| {
            let counts = self.settled()?;
            if counts.runs().is_empty() {
                return Ok(BlockSource::Table(counts.table().sorted_flat(ask)?));
            }
            Ok(BlockSource::Runs(counts.merged()?))
        })?;
        Ok(Blocks::new(source, bytes))
    }

    #[staticmethod]
    #[pyo3(name = "_from_buffers")]
    fn from_buffers(
        py: Python<'_>,
        pattern: Str<'_>,
        special_tokens: &Bound<'_, PyAny>,
        digits: Str<'_>,
        texts: &[u8],
        offsets: &[u8],
        counts: &[u8],
    ) -> PyResult<Self> {
        let made = Self::new(pattern, Some(special_tokens), digits)?;
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

    /// A pickle holds all counts, as `items` does; those on disk too.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Pickled<'py>)> {
        let (py, this) = (slf.py(), slf.get());
        let all = this.blocks(py, usize::MAX)?;
        let (texts, offsets, counts) =
            py.detach(|| all.next())?.unwrap_or_else(|| (Vec::new(), 0u64.to_le_bytes().to_vec(), Vec::new()));
        let [texts, offsets, counts] = [texts, offsets, counts].map(|part| PyBytes::new(py, &part));
        let pickled = (this.pattern()?, this.special_tokens()?, this.digits()?, texts, offsets, counts);
        Ok((slf.get_type().getattr("_from_buffers")?, pickled))
    }
}
