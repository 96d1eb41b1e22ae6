//! Counts in blocks, so that a file of any size can be written from runs on disk.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::count::spill::Merged;
use crate::error::Result;

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
type Block = (Vec<u8>, Vec<u8>, Vec<u8>);

impl Blocks {
    /// Blocks of about `bytes` bytes of text.
    pub fn new(source: BlockSource, bytes: usize) -> Self {
        Self { state: Mutex::new(State { source, done: 0 }), bytes: bytes.max(1) }
    }

    fn next(&self) -> Result<Option<Block>> {
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
