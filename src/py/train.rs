//! Training from counts.

use pyo3::prelude::*;

use super::convert::{self, Pause};
use super::counts::{Counts, report};
use super::tokenizer::Tokenizer;
use crate::error::Error;
use crate::pretokenize::classes::UNICODE_VERSION;
use crate::tokenizer::Parts;
use crate::train;

/// Merges between two reports.
const REPORT: usize = 64;

/// Trains a tokenizer on counts. See `bpetok.train`.
#[pyfunction]
#[pyo3(signature = (counts, vocab_size, *, min_frequency=1, max_token_bytes=None, threads=None, progress=None))]
pub fn train_counts(
    py: Python<'_>,
    counts: &Bound<'_, Counts>,
    vocab_size: i64,
    min_frequency: u64,
    max_token_bytes: Option<usize>,
    threads: Option<i64>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Tokenizer> {
    convert::threads(threads)?;
    if max_token_bytes == Some(0) {
        return Err(Error::Train("max_token_bytes is 0; single bytes are tokens, so give 1 or more".to_owned()).into());
    }
    let mut pause = Pause::default();
    let inner = counts.get().get()?;
    let result = py.detach(|| {
        let specials = inner.special_texts();
        let tokens = usize::try_from(vocab_size)
            .ok()
            .and_then(|size| size.checked_sub(specials.len()))
            .filter(|&t| t >= 256)
            .ok_or_else(|| {
                Error::Train(format!(
                    "vocab_size is {vocab_size}; it must be at least {}: 256 single bytes and {} special tokens",
                    256 + specials.len(),
                    specials.len()
                ))
            })?;
        let options = train::Options { tokens, min_frequency, max_token_bytes };
        let goal = (tokens - 256) as u64;
        report(&mut pause, progress.as_ref(), "merge", 0, goal)?;
        let trained = train::train(inner.table(), &options, &mut |done| {
            if done.is_multiple_of(REPORT) {
                report(&mut pause, progress.as_ref(), "merge", done as u64, goal)?;
            }
            Ok(())
        })?;
        report(&mut pause, progress.as_ref(), "merge", trained.merges.len() as u64, goal)?;
        let tokens: Vec<(u32, &[u8])> = (0u32..).zip(trained.tokens.iter().map(Vec::as_slice)).collect();
        let specials = (0u32..).skip(tokens.len()).zip(specials).map(|(id, text)| (text, id)).collect();
        crate::tokenizer::Tokenizer::new(Parts {
            tokens,
            merges: Some(trained.merges),
            pattern: inner.pretokenizer().pattern(),
            specials,
            digits: inner.pretokenizer().digits().name(),
            unicode_version: UNICODE_VERSION,
        })
    });
    pause.settle(result).map(Tokenizer::wrap)
}
