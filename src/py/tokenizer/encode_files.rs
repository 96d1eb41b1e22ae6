//! Files -> a file of ids.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use pyo3::prelude::*;

use super::Tokenizer;
use crate::batch::{self, Options};
use crate::encode_files::{BLOCK, Input};
use crate::error::{Error, Result};
use crate::py::convert::Pause;
use crate::py::numbers;
use crate::py::specials::choices;

/// Standard output without Rust's buffer, which would go on waiting for room in a pipe whatever signal comes.
fn stdout() -> Result<Box<dyn Write>> {
    #[cfg(unix)]
    {
        let copy = std::os::fd::AsFd::as_fd(&std::io::stdout()).try_clone_to_owned();
        let copy = copy.map_err(|source| Error::Io { path: "stdout".into(), source })?;
        Ok(Box::new(File::from(copy)))
    }
    #[cfg(not(unix))]
    Ok(Box::new(std::io::stdout()))
}

#[pymethods]
impl Tokenizer {
    /// Writes the ids of files, each a text of its own, to `output`: 4 bytes each, little-endian. `None` is stdin or stdout.
    /// `output` must be there, and is cut to nothing first. `report(bytes)` is called as the text goes by. Returns bytes of
    /// text and ids written.
    #[pyo3(
        name = "_encode_files",
        signature = (inputs, output, *, allowed_special=None, disallowed_special=None, threads=None, block_bytes=BLOCK, report=None),
        text_signature = "($self, inputs, output, *, allowed_special=(), disallowed_special='all', threads=None, block_bytes=524288, report=None)"
    )]
    #[allow(clippy::too_many_arguments)]
    fn encode_files(
        &self,
        py: Python<'_>,
        inputs: Vec<Option<PathBuf>>,
        output: Option<PathBuf>,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = numbers::threads)] threads: Option<usize>,
        #[pyo3(from_py_with = numbers::block_bytes)] block_bytes: usize,
        report: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<(u64, u64)> {
        let (allowed, forbidden) = choices(self.inner.specials(), allowed_special, disallowed_special)?;
        let options = Options { allowed: &allowed, forbidden: &forbidden, threads: batch::threads(threads)? };
        let inputs = inputs.into_iter().map(|path| match path {
            Some(path) => Input::File(path),
            None => Input::Reader("stdin".into(), Box::new(std::io::stdin())),
        });
        let inputs: Vec<Input<'_>> = inputs.collect();
        let report = report.map(|report| report.clone().unbind());
        let mut pause = Pause::default();
        let result = py.detach(|| {
            let mut told = |done: u64| match &report {
                Some(report) => pause.call(|py| report.call1(py, (done,)).map(|_| ())),
                None => pause.check(),
            };
            let name = output.as_deref().unwrap_or(Path::new("stdout"));
            let mut file: Box<dyn Write> = match &output {
                None => stdout()?,
                Some(path) => {
                    let opened = File::options().write(true).truncate(true).open(path);
                    Box::new(opened.map_err(|source| Error::Io { path: path.clone(), source })?)
                }
            };
            self.inner.encode_files(inputs, (&mut *file, name), &options, block_bytes, &mut told)
        });
        let totals = pause.settle(result)?;
        Ok((totals.bytes, totals.tokens))
    }
}
