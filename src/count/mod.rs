//! Text -> exact pretoken counts, in parallel. Training sees these and never the text.
//!
//! `table` holds the counts of one thread; here texts and files are shared out and the tables added up. Special
//! tokens are boundaries and are never counted.

pub mod budget;
pub mod spill;
pub mod summary;
pub mod table;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use budget::Budget;
use spill::{Merged, Run, Runs};
use summary::Summary;
use table::CountTable;

use crate::batch::{self, in_parallel};
use crate::digits::Digits;
use crate::error::{Error, Result};
use crate::pretokenize::{Ends, Pieces, Pretokenizer, regex::RegexCache};
use crate::special::{Choice, Specials};
use crate::utf8::Text;

/// Called with the bytes done so far; an error stops the work.
pub type OnBytes<'a> = &'a mut dyn FnMut(u64) -> Result<()>;

/// Exact counts of the pretokens of a pattern.
pub struct Counts {
    pretokenizer: Pretokenizer,
    specials: Specials,
    table: CountTable,
    /// What no longer fitted the table.
    runs: Runs,
    budget: Budget,
    bytes: u64,
    /// Kept until the counts change.
    summary: OnceLock<Summary>,
}

/// The counts of one thread, and the runs of those that were too many.
struct Tally<'a> {
    table: CountTable,
    budget: &'a Budget,
    runs: &'a Mutex<Vec<Run>>,
}

impl Tally<'_> {
    /// Makes sure that so many pretokens, of `bytes` together, can be added within the budget.
    #[inline]
    fn make_room(&mut self, pretokens: usize, bytes: usize) -> Result<()> {
        if let Some(run) = self.budget.make_room(&mut self.table, pretokens, bytes)? {
            self.runs.lock().unwrap_or_else(PoisonError::into_inner).push(run);
        }
        Ok(())
    }
}

impl Counts {
    /// No counts yet. `pattern` is a preset's name or a regex; `specials` are texts that bound documents; `digits` is the rule
    /// that cuts numbers before the pattern.
    ///
    /// # Errors
    /// A pattern or special tokens that cannot be.
    pub fn new(pattern: &str, specials: &[String], digits: Digits) -> Result<Self> {
        let named = (0..).zip(specials).map(|(id, text)| (text.clone(), id)).collect();
        Ok(Self {
            pretokenizer: Pretokenizer::new(pattern)?.with_digits(digits),
            specials: Specials::new(named)?,
            table: CountTable::default(),
            runs: Runs::default(),
            budget: Budget::default(),
            bytes: 0,
            summary: OnceLock::new(),
        })
    }

    /// The pretokenizer.
    #[must_use]
    pub fn pretokenizer(&self) -> &Pretokenizer {
        &self.pretokenizer
    }

    /// The texts that bound documents.
    #[must_use]
    pub fn special_texts(&self) -> Vec<String> {
        self.specials.tokens().iter().map(|t| t.0.clone()).collect()
    }

    /// The counts that are in memory: all of them as long as [`Counts::runs`] is empty.
    #[must_use]
    pub fn table(&self) -> &CountTable {
        &self.table
    }

    /// The counts that are in memory, which are forgotten here.
    pub fn take_table(&mut self) -> CountTable {
        self.summary = OnceLock::new();
        std::mem::take(&mut self.table)
    }

    /// The counts on disk.
    #[must_use]
    pub fn runs(&self) -> &Runs {
        &self.runs
    }

    /// How much memory counting may take from now on.
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// Bytes of documents to gather for each thread before they are counted together.
    #[must_use]
    pub fn gather(&self) -> usize {
        self.budget.gather
    }

    /// If anything is on disk, the table goes there too, so that one merge of the runs gives all.
    ///
    /// # Errors
    /// A full disk; the counts stay as they were.
    pub fn settle(&mut self) -> Result<()> {
        if !self.runs.is_empty() && !self.table.is_empty() {
            let run = spill::spill(&mut self.table)?;
            self.table = CountTable::default();
            self.runs.push(run)?;
        }
        Ok(())
    }

    /// Whether all counts are either in the table or on disk.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.runs.is_empty() || self.table.is_empty()
    }

    /// How many there are, of counts that are settled; looked up once.
    ///
    /// # Errors
    /// Runs that cannot be read.
    pub fn summary(&self) -> Result<&Summary> {
        if let Some(summary) = self.summary.get() {
            return Ok(summary);
        }
        let mut summary = Summary::default();
        if self.runs.is_empty() {
            self.table.for_each(|text, count| summary.add(text, count));
        } else {
            let mut merged = self.merged()?;
            while let Some((text, count)) = merged.advance()? {
                summary.add(text, count);
            }
        }
        Ok(self.summary.get_or_init(|| summary))
    }

    /// The counts on disk as one sorted stream.
    ///
    /// # Errors
    /// Runs that cannot be read.
    pub fn merged(&self) -> Result<Merged> {
        Merged::new(self.runs.iter())
    }

    /// A table of counts that are on disk.
    ///
    /// # Errors
    /// Runs that cannot be read.
    pub fn read_back(&self) -> Result<CountTable> {
        let (short, long, bytes) = self.summary()?.room();
        let mut table = CountTable::with_room(short, long, bytes);
        let mut merged = self.merged()?;
        while let Some((text, count)) = merged.advance()? {
            table.add(text, 0, text.len(), count)?;
        }
        Ok(table)
    }

    /// Drops pretokens that occur less than `least` times; gives back how many, and how often they occurred.
    ///
    /// # Errors
    /// A full disk; the counts stay as they were.
    pub fn prune(&mut self, least: u64) -> Result<(u64, u128)> {
        self.settle()?;
        self.summary = OnceLock::new();
        if self.runs.is_empty() {
            return Ok(self.table.prune(least));
        }
        let mut dropped = (0, 0);
        self.runs = self.runs.filtered(|count| {
            let stays = count >= least;
            if !stays {
                dropped = (dropped.0 + 1, dropped.1 + u128::from(count));
            }
            stays
        })?;
        Ok(dropped)
    }

    /// Adds a pretoken that was counted elsewhere.
    ///
    /// # Errors
    /// A count above `u64`.
    pub fn add_pretoken(&mut self, pretoken: &[u8], count: u64) -> Result<()> {
        self.summary = OnceLock::new();
        self.table.add(pretoken, 0, pretoken.len(), count)?;
        self.bytes = self.bytes.saturating_add((pretoken.len() as u64).saturating_mul(count));
        Ok(())
    }

    /// Bytes of text counted.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds counts of the same pattern, digit rule and special tokens.
    ///
    /// # Errors
    /// Counts made in another way.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.pretokenizer.pattern() != other.pretokenizer.pattern() {
            return Err(Error::Train(format!(
                "counts of pattern {:?} cannot be added to counts of pattern {:?}; count with one pattern",
                other.pretokenizer.pattern(),
                self.pretokenizer.pattern()
            )));
        }
        let rules = (self.pretokenizer.digits().name(), other.pretokenizer.digits().name());
        if rules.0 != rules.1 {
            return Err(Error::Train(format!(
                "counts with digits={:?} cannot be added to counts with digits={:?}; count with one rule",
                rules.1, rules.0
            )));
        }
        let sorted = |counts: &Self| {
            let mut texts = counts.special_texts();
            texts.sort();
            texts
        };
        if sorted(self) != sorted(other) {
            return Err(Error::Train(format!(
                "counts with special tokens {:?} cannot be added to counts with {:?}; count with the same ones",
                other.special_texts(),
                self.special_texts()
            )));
        }
        self.absorb(&other.table)?;
        for run in other.runs.iter() {
            self.runs.push(run.clone())?;
        }
        self.bytes = self.bytes.saturating_add(other.bytes);
        Ok(())
    }

    /// Adds a table within the budget.
    fn absorb(&mut self, other: &CountTable) -> Result<()> {
        self.summary = OnceLock::new();
        let Self { table, runs, budget, .. } = self;
        table.add_all(other, |table, bytes| {
            budget.make_room(table, table::ADD_STEP, bytes)?.map_or(Ok(()), |run| runs.push(run))
        })
    }

    /// Counts documents that are in memory.
    ///
    /// # Errors
    /// A pattern's step limit, or the error of `on_bytes`.
    pub fn add_documents(&mut self, documents: &[Text<'_>], threads: usize, on_bytes: OnBytes<'_>) -> Result<()> {
        self.add_weighted(documents, &[], threads, on_bytes)
    }

    /// The same as if document `i` stood there `weights[i]` times. Documents without a weight, as where there are none, count
    /// once.
    ///
    /// # Errors
    /// As [`Counts::add_documents`]; a count above `u64`.
    pub fn add_weighted(
        &mut self,
        documents: &[Text<'_>],
        weights: &[u64],
        threads: usize,
        on_bytes: OnBytes<'_>,
    ) -> Result<()> {
        let weight = |document: usize| weights.get(document).copied().unwrap_or(1);
        let shares = batch::shares(&self.pretokenizer, &self.specials, documents);
        // One table for each thread, not for each share: most of a share's pretokens are in all of them.
        let groups: Vec<&[Vec<batch::Part>]> = shares.chunks(shares.len().div_ceil(threads).max(1)).collect();
        let runs = Mutex::new(Vec::new());
        let count = |group: &&[Vec<batch::Part>]| {
            let mut tally = Tally { table: CountTable::default(), budget: &self.budget, runs: &runs };
            for part in group.iter().flatten() {
                let text = documents[part.document].slice(part.range.clone());
                self.count_text(text, weight(part.document), &mut tally)
                    .map_err(|e| e.in_document(part.document, part.range.start, documents.len()))?;
            }
            Ok(tally.table)
        };
        let before = self.bytes;
        let bytes = |(i, text): (usize, &Text<'_>)| (text.bytes().len() as u64).saturating_mul(weight(i));
        let total = documents.iter().enumerate().map(bytes).fold(0, u64::saturating_add);
        let tables = in_parallel(&groups, threads, count, &mut || on_bytes(before))?;
        self.summary = OnceLock::new();
        for table in tables {
            if self.table.is_empty() {
                self.table = table;
            } else {
                self.absorb(&table)?;
            }
        }
        for run in runs.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.runs.push(run)?;
        }
        self.bytes = self.bytes.saturating_add(total);
        on_bytes(self.bytes)
    }

    fn count_text(&self, text: Text<'_>, weight: u64, tally: &mut Tally<'_>) -> Result<()> {
        let mut at = 0;
        while let Some(special) = self.specials.find(text.bytes(), at, &Choice::All) {
            self.count_ordinary(text.slice(at..special.start), weight, tally)?;
            at = special.end;
        }
        self.count_ordinary(text.slice(at..text.bytes().len()), weight, tally)
    }

    fn count_ordinary(&self, text: Text<'_>, weight: u64, tally: &mut Tally<'_>) -> Result<()> {
        let (mut regex, mut ends) = (RegexCache::default(), Ends::default());
        self.pretokenizer.batches(&mut regex, &mut ends, text, |pieces| match pieces {
            Pieces::Invalid(bytes) => {
                tally.make_room(1, bytes.len())?;
                tally.table.add(bytes, 0, bytes.len(), weight)
            }
            Pieces::Valid(text, mut at, ends) => {
                tally.make_room(ends.len(), ends.last().map_or(0, |end| end - at))?;
                ends.iter().try_for_each(|&end| {
                    let start = std::mem::replace(&mut at, end);
                    tally.table.add(text, start, end, weight)
                })
            }
        })
    }

    /// Counts a file, a block at a time: memory does not grow with the file where its text can be cut.
    ///
    /// # Errors
    /// A file that cannot be read; as [`Counts::add_documents`].
    pub fn add_file(&mut self, path: &Path, threads: usize, on_bytes: OnBytes<'_>) -> Result<()> {
        let at_path = |source| Error::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(at_path)?;
        self.add_reader(file, threads, on_bytes).map_err(|error| match error {
            // The disk that runs are written to has a path of its own.
            Error::Io { path, source } if path.as_os_str().is_empty() => at_path(source),
            other => other,
        })
    }

    /// The same from anything that can be read.
    ///
    /// # Errors
    /// As [`Counts::add_file`], with an empty path.
    pub fn add_reader(&mut self, mut reader: impl Read, threads: usize, on_bytes: OnBytes<'_>) -> Result<()> {
        let usual = self.budget.block.saturating_mul(threads);
        let (mut block, mut wanted) = (Vec::new(), usual);
        loop {
            let missing = wanted - block.len();
            block.reserve_exact(missing);
            let read = (&mut reader).take(missing as u64).read_to_end(&mut block);
            let is_end = read.map_err(|source| Error::Io { path: std::path::PathBuf::new(), source })? < missing;
            let end = if is_end { block.len() } else { self.last_cut(&block) };
            if end > 0 {
                self.add_documents(&[Text::Raw(&block[..end])], threads, on_bytes)?;
                block.drain(..end);
                wanted = usual;
            }
            if is_end {
                return Ok(());
            }
            // No place to cut in the whole block: read on until there is one.
            wanted = wanted.max(block.len() * 2);
            self.budget.check_block(wanted)?;
        }
    }

    /// The last place where `block` may be cut, 0 for none: before or after a special token, or where the
    /// pretokenizer splits. What follows must be able to hold a special token that is only half read.
    fn last_cut(&self, block: &[u8]) -> usize {
        let last = block.len().saturating_sub(self.specials.longest() + 8);
        let by_pattern = |low: usize| {
            (low + 1..=last).rev().find(|&at| batch::may_cut(&self.pretokenizer, &self.specials, block, at))
        };
        let near = last.saturating_sub(64 << 10);
        if let Some(at) = by_pattern(near) {
            return at;
        }
        let (mut at, mut cut) = (0, 0);
        while let Some(special) = self.specials.find(block, at, &Choice::All) {
            if special.end > last {
                break;
            }
            cut = special.end;
            at = special.end;
        }
        if cut > 0 { cut } else { by_pattern(0).unwrap_or(0) }
    }
}
