//! Many documents in parallel into one flat buffer. Work is shared out by bytes, not by documents: a long document is
//! cut where the pretokenizer provably splits, so any number of threads gives the same ids.

mod filling;

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, mpsc};

use filling::Filling;

use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::memory::{large_vec, pages::Ahead};
use crate::ordered::Ordered;
use crate::pretokenize::Pretokenizer;
use crate::pretokenize::patterns::rules_for;
use crate::special::{Choice, Specials};
use crate::threads::{Ask, Steps, start, wait};
use crate::tokenizer::{Tokenizer, Work};
use crate::utf8::Text;

/// Bytes of one share of the work: long enough to hide the hand-over, short enough for the last to end early.
pub const SHARE: usize = 256 << 10;
/// To encode a part takes as long as to encode so many bytes more: documents without text are work too, and are shared out.
const PART: usize = 16;
/// Most threads for each processor: more only take memory, some megabytes each.
const CROWD: usize = 8;

/// Ids of many documents.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// All ids.
    pub ids: Vec<TokenId>,
    /// Document `i` has the ids `offsets[i]..offsets[i + 1]`.
    pub offsets: Vec<i64>,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which document.
    pub document: usize,
    /// Which of its bytes.
    pub range: Range<usize>,
}

/// How a call encodes.
pub struct Options<'a> {
    /// Special tokens that become their id.
    pub allowed: &'a Choice,
    /// Special tokens that are refused.
    pub forbidden: &'a Choice,
    /// Threads, the calling one included.
    pub threads: usize,
}

/// Number of threads for a request: `None` is one for each processor, and no request gets more than 8 for each.
///
/// # Errors
/// Zero.
pub fn threads(wanted: Option<usize>) -> Result<usize> {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    match wanted {
        Some(0) => Err(Error::Argument("threads is 0; give 1 or more, or None for all".to_owned())),
        Some(1) => Ok(1),
        Some(count) => Ok(count.min(CROWD * processors())),
        None => Ok(processors()),
    }
}

/// The same for [`Tokenizer::encode_batch`]: where there is work for one only, the system is not asked how many there may be, which
/// takes it as long as a hundred short texts.
///
/// # Errors
/// Zero.
pub fn threads_for(documents: &[Text<'_>], wanted: Option<usize>) -> Result<usize> {
    let is_for_one = bytes_of(documents) <= SHARE;
    threads(if is_for_one { Some(wanted.unwrap_or(1).min(1)) } else { wanted })
}

fn bytes_of(documents: &[Text<'_>]) -> usize {
    documents.iter().map(|document| document.bytes().len()).sum()
}

/// Whether `text` may be cut before `at` without splitting a special token or changing a pretoken.
#[must_use]
pub fn may_cut(pretokenizer: &Pretokenizer, specials: &Specials, text: &[u8], at: usize) -> bool {
    pretokenizer.may_cut(text, at) && !splits_special(specials, text, at)
}

/// Whether a special token begins before byte `at` of `text` and ends behind it.
#[must_use]
pub fn splits_special(specials: &Specials, text: &[u8], at: usize) -> bool {
    let reach = specials.longest();
    let (start, end) = (at.saturating_sub(reach), (at + reach).min(text.len()));
    let mut from = 0;
    while let Some(found) = specials.find(&text[start..end], from, &Choice::All) {
        if start + found.start < at && at < start + found.end {
            return true;
        }
        from = found.start + 1;
    }
    false
}

/// Whether there is a pattern of whose pretokens anything is known, so that looking for places to cut is worth while.
#[must_use]
pub fn may_ever_cut(pretokenizer: &Pretokenizer) -> bool {
    rules_for(pretokenizer.pattern()).is_some()
}

/// Cuts documents into shares of about [`SHARE`] bytes: each is a list of parts, in order. Asks now and then whether to go on.
///
/// # Errors
/// That of `ask`.
pub fn shares(
    pretokenizer: &Pretokenizer,
    specials: &Specials,
    documents: &[Text<'_>],
    ask: Ask<'_>,
) -> Result<Vec<Vec<Part>>> {
    let (mut shares, mut share, mut bytes) = (Vec::new(), Vec::new(), 0);
    let may_ever_cut = may_ever_cut(pretokenizer);
    let mut steps = Steps::new(ask);
    for (document, text) in documents.iter().enumerate() {
        let text = text.bytes();
        let mut start = 0;
        loop {
            let mut end = if may_ever_cut { text.len().min(start + (SHARE - bytes)) } else { text.len() };
            // Nowhere to cut: the part grows until there is.
            while end < text.len() && !may_cut(pretokenizer, specials, text, end) {
                steps.take(1)?;
                end += 1;
            }
            share.push(Part { document, range: start..end });
            steps.take(PART)?;
            bytes += end - start + PART;
            if bytes >= SHARE {
                shares.push(std::mem::take(&mut share));
                bytes = 0;
            }
            start = end;
            if start == text.len() {
                break;
            }
        }
    }
    if !share.is_empty() {
        shares.push(share);
    }
    Ok(shares)
}

/// Runs `job` on every item with `threads` threads, or as many as there are; `results[i]` is that of `items[i]`. The calling
/// thread works too, and asks before each whether to go on; a long job asks now and then.
///
/// # Errors
/// The error of the earliest item that failed, or that of `ask`.
pub fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    job: impl Fn(&T, Ask<'_>) -> Result<R> + Sync,
    ask: Ask<'_>,
) -> Result<Vec<R>> {
    let (results, _) = in_parallel_with(items, threads, || (), |(), item, ask| job(item, ask), ask)?;
    Ok(results)
}

/// The same where each thread has a state of its own, made by `init`: `job` gets it, and the states come back too.
///
/// # Errors
/// As [`in_parallel`].
pub fn in_parallel_with<T: Sync, S: Send, R: Send>(
    items: &[T],
    threads: usize,
    init: impl Fn() -> S + Sync,
    job: impl Fn(&mut S, &T, Ask<'_>) -> Result<R> + Sync,
    ask: Ask<'_>,
) -> Result<(Vec<R>, Vec<S>)> {
    // Where an item fails, those before it are seen through, for they may fail too; whoever asks to stop need not wait for them.
    let (next, failed, stopped) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
    let finished: Mutex<Vec<(usize, Result<R>)>> = Mutex::new(Vec::with_capacity(items.len()));
    let work = |mut state: S, ask: Ask<'_>| -> Result<S> {
        while !failed.load(Relaxed) {
            ask()?;
            let index = next.fetch_add(1, Relaxed);
            let Some(item) = items.get(index) else { break };
            let result = job(&mut state, item, ask);
            if result.is_err() {
                failed.store(true, Relaxed);
            }
            finished.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
        }
        Ok(state)
    };
    let mut ask = || ask().inspect_err(|_| stopped.store(true, Relaxed));
    let told = || if stopped.load(Relaxed) { Err(Error::Interrupted) } else { Ok(()) };
    // Before the others are: what all states share is made once.
    let mine = init();
    let states = std::thread::scope(|scope| {
        let (at_work, ends) = mpsc::channel::<()>();
        let other = |_| {
            let (work, init, mut told, at_work) = (&work, &init, told, at_work.clone());
            start(scope, move || {
                let _at_work = at_work;
                work(init(), &mut told)
            })
        };
        let others: Vec<_> = (1..threads.min(items.len())).map_while(other).collect();
        drop(at_work);
        let mine = work(mine, &mut ask).and_then(|state| wait(&ends, &mut ask).map(|()| state));
        // A thread that panicked is gone on with here, so that nothing is lost silently.
        let theirs = others.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        std::iter::once(mine).chain(theirs).collect::<Result<Vec<S>>>()
    })?;
    let mut finished = finished.into_inner().unwrap_or_else(PoisonError::into_inner);
    finished.sort_by_key(|f| f.0);
    let results = finished.into_iter().map(|f| f.1).collect::<Result<_>>()?;
    Ok((results, states))
}

impl Tokenizer {
    /// Encodes documents, and asks now and then whether to go on.
    ///
    /// # Errors
    /// The first document that cannot be encoded, or the error of `ask`.
    pub fn encode_batch(&self, documents: &[Text<'_>], options: &Options<'_>, ask: Ask<'_>) -> Result<Batch> {
        let shares = shares(self.pretokenizer(), self.specials(), documents, ask)?;
        let bytes = bytes_of(documents);
        if options.threads == 1 || shares.len() <= 1 {
            return self.encode_in_order(documents, &shares, options, ask);
        }
        let (mut ids, _) = large_vec(bytes / 2 + 16);
        let numbered: Vec<_> = shares.iter().enumerate().collect();
        let (ends, works) = Ordered::fill(&mut ids, |ordered| {
            let encode = |work: &mut Box<Work>, &(number, share): &(usize, &Vec<Part>), ask: Ask<'_>| {
                let (mut ids, mut ends) = (ordered.take(), Vec::with_capacity(share.len()));
                work.expect(to_come(bytes, number, shares.len()), options.threads);
                let mut filling = Filling { tokenizer: self, documents, options, work, ids: &mut ids, ends: &mut ends };
                filling.add(share, &mut Steps::new(ask))?;
                ordered.put(number, ids);
                Ok(ends)
            };
            in_parallel_with(&numbered, options.threads, || self.take_work(), encode, ask)
        })?;
        for work in works {
            self.keep_work(work);
        }
        Ok(Batch { ids, offsets: offsets(documents.len(), &shares, &ends) })
    }

    fn encode_in_order(
        &self,
        documents: &[Text<'_>],
        shares: &[Vec<Part>],
        options: &Options<'_>,
        ask: Ask<'_>,
    ) -> Result<Batch> {
        let bytes = bytes_of(documents);
        let (ids, ahead) = large_vec(bytes / 2 + 16);
        let mut batch = Batch { ids, offsets: vec![0; documents.len() + 1] };
        let mut ends = Vec::new();
        self.with_work(|work| {
            work.fill(ahead);
            let filled = shares.iter().enumerate().try_for_each(|(number, share)| {
                work.expect(to_come(bytes, number, shares.len()), 1);
                ends.clear();
                let ids = &mut batch.ids;
                let mut filling = Filling { tokenizer: self, documents, options, work, ids, ends: &mut ends };
                filling.add(share, &mut Steps::new(ask))?;
                for (part, end) in share.iter().zip(&ends) {
                    batch.offsets[part.document + 1] = end.cast_signed() as i64;
                }
                ask()
            });
            work.fill(Ahead::default());
            filled
        })?;
        // Room in small memory is taken memory; in large, pages that were never written are none.
        if batch.ids.capacity() < SHARE {
            batch.ids.shrink_to_fit();
        }
        Ok(batch)
    }
}

/// How many of `bytes` bytes come with share `number` of `shares` and all behind it.
fn to_come(bytes: usize, number: usize, shares: usize) -> usize {
    bytes / shares * (shares - number)
}

/// Where the ids of each document end, `ends` being those of the parts of each share.
fn offsets(documents: usize, shares: &[Vec<Part>], ends: &[Vec<usize>]) -> Vec<i64> {
    let (mut offsets, mut before) = (vec![0; documents + 1], 0);
    for (share, ends) in shares.iter().zip(ends) {
        for (part, end) in share.iter().zip(ends) {
            offsets[part.document + 1] = (before + end).cast_signed() as i64;
        }
        before += ends.last().unwrap_or(&0);
    }
    offsets
}
