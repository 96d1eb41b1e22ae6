//! Training from counts.

use std::collections::HashSet;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::convert::{self, Pause};
use super::counting::report;
use super::counts::Counts;
use super::numbers;
use super::tokenizer::Tokenizer;
use crate::batch;
use crate::count;
use crate::error::{Error, Result};
use crate::ids::{Pair, TokenId};
use crate::pretokenize::classes::UNICODE_VERSION;
use crate::tokenizer::{self, Parts};
use crate::train::{self, Step, Trained};
use crate::vocab::Vocabulary;

/// Merges between two reports.
const REPORT: usize = 64;
/// Bytes of one merge done: both ids and the count, little-endian.
const RECORD: usize = 16;

/// Trains a tokenizer on counts. See `bpetok.train`.
///
/// `done` holds merges made before, 16 bytes each (left id, right id, count). `on_merges` gets lists of
/// `(left id, right id, count, id, left bytes, right bytes)`, those of `done` included. With `take` the counts are
/// empty afterwards: their memory goes to the merges.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // keywords in Python
#[pyo3(signature = (counts, vocab_size, *, min_frequency=1, max_token_bytes=None, init=None, done=None, on_merges=None, threads=None, progress=None, max_memory=None, take=false))]
pub fn train_counts(
    py: Python<'_>,
    counts: &Bound<'_, Counts>,
    #[pyo3(from_py_with = numbers::vocab_size)] vocab_size: i64,
    #[pyo3(from_py_with = numbers::min_frequency)] min_frequency: u64,
    #[pyo3(from_py_with = numbers::max_token_bytes)] max_token_bytes: Option<usize>,
    init: Option<&Bound<'_, Tokenizer>>,
    done: Option<&[u8]>,
    on_merges: Option<Py<PyAny>>,
    #[pyo3(from_py_with = numbers::threads)] threads: Option<usize>,
    progress: Option<Py<PyAny>>,
    max_memory: Option<&Bound<'_, PyAny>>,
    take: bool,
) -> PyResult<Tokenizer> {
    let max_memory = convert::max_memory(max_memory)?;
    let threads = batch::threads(threads)?;
    let mut pause = Pause::default();
    let counts = counts.get();
    let mut inner = py.detach(|| counts.settled())?;
    let init = init.map(|init| init.get().inner());
    let done = read_done(done.unwrap_or_default())?;
    let result = py.detach(|| {
        if let Some(limit) = max_memory {
            inner.summary(&mut || pause.check())?.check_training(limit)?;
        }
        let mut taken = None;
        if take && inner.runs().is_empty() {
            drop(inner);
            taken = Some(counts.take_table()?);
            inner = counts.get()?;
        }
        let specials = specials(&inner, init)?;
        let new = specials.iter().filter(|special| special.1.is_none()).count();
        let tokens = ordinary_ids(vocab_size, init.map_or(256, tokenizer::Tokenizer::vocab_size), new)?;
        let options = train::Options { tokens, min_frequency, max_token_bytes, init, done: &done, threads };
        let goal = (tokens - init.map_or(256, tokenizer::Tokenizer::vocab_size)) as u64;
        let (on_merges, progress) = (on_merges.as_ref(), progress.as_ref());
        let mut teller = Teller { pause: &mut pause, on_merges, progress, goal, rows: Vec::new() };
        teller.tell(0)?;
        let mut on_merge = |step: Option<&Step<'_>>| teller.hear(step);
        let trained = if let Some(table) = taken {
            train::train(table, &options, &mut on_merge)?
        } else if inner.runs().is_empty() {
            train::train(inner.table(), &options, &mut on_merge)?
        } else {
            train::train(inner.read_back(&mut || on_merge(None))?, &options, &mut on_merge)?
        };
        teller.tell(trained.merges.len())?;
        build(&inner, init, trained, specials)
    });
    pause.settle(result).map(Tokenizer::wrap)
}

/// A digest of counts, for checkpoints.
#[pyfunction]
pub fn counts_digest(py: Python<'_>, counts: &Bound<'_, Counts>) -> PyResult<String> {
    let counts = counts.get();
    let inner = py.detach(|| counts.settled())?;
    convert::detached(py, |ask| {
        if inner.runs().is_empty() {
            Ok(train::digest(inner.table()))
        } else {
            inner.read_back(ask).map(|table| train::digest(&table))
        }
    })
}

fn read_done(bytes: &[u8]) -> Result<Vec<(Pair, u64)>> {
    let (records, rest) = bytes.as_chunks::<RECORD>();
    if !rest.is_empty() {
        let length = bytes.len();
        return Err(Error::Train(format!("the merges done before take {length} bytes, not a multiple of {RECORD}")));
    }
    let pair_and_count = |record: &[u8; RECORD]| {
        let number = u128::from_le_bytes(*record);
        // The three fields, cut out of the number that they make together.
        (Pair { left: number as TokenId, right: (number >> 32) as TokenId }, (number >> 64) as u64)
    };
    Ok(records.iter().map(pair_and_count).collect())
}

/// The special tokens of the result: those of `init` with their ids, then the others of the counts, which have none yet.
fn specials(counts: &count::Counts, init: Option<&tokenizer::Tokenizer>) -> Result<Vec<(String, Option<TokenId>)>> {
    let texts = counts.special_texts();
    let Some(init) = init else { return Ok(texts.into_iter().map(|text| (text, None)).collect()) };
    let pattern = (counts.pretokenizer().pattern(), init.pretokenizer().pattern());
    let digits = (counts.pretokenizer().digits().name(), init.digits());
    for (what, (counted, wanted)) in [("pattern", pattern), ("digits", digits)] {
        if counted != wanted {
            return Err(Error::Train(format!(
                "the counts were made with {what} {counted:?} and init has {wanted:?}; count with that of init"
            )));
        }
    }
    let held = init.specials().tokens();
    let known: HashSet<&str> = held.iter().map(|special| &*special.0).collect();
    let counted: HashSet<&str> = texts.iter().map(|text| &**text).collect();
    if let Some((missing, _)) = held.iter().find(|special| !counted.contains(&*special.0)) {
        return Err(Error::Train(format!(
            "init has the special token {missing:?}, which was no boundary when these counts {texts:?} were made; count with the special tokens of init"
        )));
    }
    let kept = held.iter().map(|(text, id)| (text.clone(), Some(*id)));
    let new = texts.iter().filter(|text| !known.contains(&***text));
    Ok(kept.chain(new.map(|text| (text.clone(), None))).collect())
}

/// How far ordinary ids go: `vocab_size` without the new special tokens, which stand above them.
fn ordinary_ids(vocab_size: i64, taken: usize, new_specials: usize) -> Result<usize> {
    let ids = usize::try_from(vocab_size).ok().and_then(|size| size.checked_sub(new_specials));
    ids.filter(|&ids| ids >= taken).ok_or_else(|| {
        let smallest = taken + new_specials;
        let what = if taken == 256 { "256 single bytes".to_owned() } else { format!("{taken} ids of init") };
        Error::Train(format!(
            "vocab_size is {vocab_size}; it must be at least {smallest}: {what} and {new_specials} special tokens"
        ))
    })
}

fn build(
    counts: &count::Counts,
    init: Option<&tokenizer::Tokenizer>,
    trained: Trained,
    specials: Vec<(String, Option<TokenId>)>,
) -> Result<tokenizer::Tokenizer> {
    let tokens = (0u32..).zip(trained.tokens.iter().map(Vec::as_slice));
    let tokens: Vec<(TokenId, &[u8])> = tokens.filter(|(_, token)| !token.is_empty()).collect();
    let mut next = (0u32..).skip(trained.tokens.len());
    let placed = specials.into_iter().map(|(text, id)| (text, id.or_else(|| next.next()).unwrap_or(TokenId::MAX)));
    // A vocabulary without a list of merges merges by rank, and goes on doing so.
    let before = init.map_or(Some(&[][..]), tokenizer::Tokenizer::merges);
    let merges = before.map(|before| [before, &trained.merges].concat());
    tokenizer::Tokenizer::new(Parts {
        vocabulary: Vocabulary::new(&tokens)?,
        merges,
        pattern: counts.pretokenizer().pattern(),
        specials: placed.collect(),
        digits: counts.pretokenizer().digits().name(),
        unicode_version: UNICODE_VERSION,
    })
}

/// Gathers merges for Python, which says whether to go on.
struct Teller<'a> {
    pause: &'a mut Pause,
    on_merges: Option<&'a Py<PyAny>>,
    progress: Option<&'a Py<PyAny>>,
    /// Merges to come if all goes well.
    goal: u64,
    rows: Vec<(Pair, u64, TokenId, [Vec<u8>; 2])>,
}

impl Teller<'_> {
    /// A merge, or none: only whether to go on.
    fn hear(&mut self, step: Option<&Step<'_>>) -> Result<()> {
        let Some(step) = step else { return self.pause.check() };
        if self.on_merges.is_some() {
            self.rows.push((step.pair, step.count, step.id, step.sides.map(<[u8]>::to_vec)));
        }
        if step.number.is_multiple_of(REPORT) { self.tell(step.number) } else { Ok(()) }
    }

    /// Hands over the merges gathered, and says that so many are done.
    fn tell(&mut self, done: usize) -> Result<()> {
        self.hand_over()?;
        report(self.pause, self.progress, "merge", done as u64, self.goal)
    }

    fn hand_over(&mut self) -> Result<()> {
        let Some(on_merges) = self.on_merges.filter(|_| !self.rows.is_empty()) else { return Ok(()) };
        let rows = std::mem::take(&mut self.rows);
        self.pause.call(|py| {
            let rows = rows.iter().map(|(pair, count, id, [left, right])| {
                (pair.left, pair.right, *count, *id, PyBytes::new(py, left), PyBytes::new(py, right))
            });
            let rows = PyList::new(py, rows.collect::<Vec<_>>())?;
            on_merges.call1(py, (rows,)).map(|_| ())
        })
    }
}
