//! What `Counts.update` does with files, and with documents and their weights.

use std::path::PathBuf;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::convert::{Pause, check_signals, in_document, items, text, texts, type_name};
use super::counts::Counts;
use super::numbers;
use super::source::as_path;
use crate::error::Error;

/// Bytes of memory that a document takes besides its text: Python's object, the places of both, and its part of the work.
const DOCUMENT: usize = 160;

/// Weights as ints of 0 or more.
pub(super) fn read_weights(weights: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
    let weight = |(index, weight): (usize, PyResult<Bound<'_, PyAny>>)| {
        let weight = weight?;
        if !weight.hasattr("__index__")? {
            let message = format!("weights must be int, not {} (at index {index})", type_name(&weight));
            return Err(PyTypeError::new_err(message));
        }
        weight.extract::<u64>().map_err(|_| {
            let (weight, limit) = (numbers::shown(&weight), u64::MAX);
            Error::Argument(format!("weight {weight} (at index {index}) is out of range; give 0 to {limit}")).into()
        })
    };
    items(weights, "weights", "a collection")?.enumerate().map(weight).collect()
}

pub(super) fn uneven(weights: usize, documents: usize, more: &str) -> Error {
    Error::Argument(format!("there are {weights} weights for {documents} {more}documents; give one for each"))
}

pub(super) fn weights_without_documents(source: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "weights go with documents, and source is {}; read the files and give their texts",
        type_name(source)
    ))
}

impl Counts {
    pub(super) fn add_paths(
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

    pub(super) fn add_documents<'py>(
        &self,
        py: Python<'py>,
        items: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
        weights: Option<&[u64]>,
        threads: usize,
        progress: Option<&Py<PyAny>>,
    ) -> PyResult<()> {
        let mut items = items.fuse();
        let counts = self.get()?;
        let (before, most) = (counts.bytes(), counts.gather().saturating_mul(threads));
        drop(counts);
        let mut first = 0;
        loop {
            let (mut gathered, mut bytes) = (Vec::new(), 0);
            for item in items.by_ref() {
                let item = item?;
                let index = first + gathered.len();
                if as_path(&item)?.is_some() {
                    let message =
                        format!("source mixes texts and paths (document {index} is a path); give paths alone");
                    return Err(PyTypeError::new_err(message));
                }
                check_signals(py, index)?;
                bytes += DOCUMENT + text(&item).map_err(|error| in_document(py, error, index))?.bytes().len();
                gathered.push(item);
                if bytes >= most {
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
            let documents = texts(&gathered, first)?;
            let mut pause = Pause::default();
            let result = py.detach(|| {
                self.change(|inner| {
                    inner.add_weighted(&documents, weights, threads, &mut |done| {
                        report(&mut pause, progress, "count", done - before, 0)
                    })
                })?
            });
            pause.settle(result.map_err(|error| among_all(error, first)))?;
            first = end;
        }
    }
}

/// The same error with the number of its document among all, not among those of one round.
fn among_all(error: Error, first: usize) -> Error {
    match error {
        Error::InDocument { index, source } => Error::InDocument { index: first + index, source },
        // The only one of its round.
        Error::PatternSteps { .. } => error.in_document(first, 0, first + 1),
        _ => error,
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
