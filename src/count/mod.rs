//! Text -> exact pretoken counts, in parallel. Training sees these and never the text.
//!
//! `table` holds the counts of one thread; `documents` and `files` share texts out to threads, and `together` adds their
//! tables up. Special tokens are boundaries and are never counted. What does not fit the `budget` goes to disk (`spill`).

pub mod budget;
mod documents;
mod files;
mod sorted;
pub mod spill;
pub mod summary;
pub mod table;
mod together;

use std::sync::OnceLock;

use budget::Budget;
use spill::{Merged, RunWriter, Runs};
use summary::Summary;
use table::CountTable;
use together::add_all;

use crate::digits::Digits;
use crate::error::{Error, Result};
use crate::pretokenize::Pretokenizer;
use crate::special::Specials;
use crate::threads::Ask;

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

    /// How much memory counting may take from now on. Where there is a limit, a run is begun and forgotten: that there is no place
    /// for them is better told before counting.
    ///
    /// # Errors
    /// No file can be made in the temporary folder.
    pub fn set_budget(&mut self, budget: Budget) -> Result<()> {
        if !budget.is_unlimited() {
            drop(RunWriter::new()?);
        }
        self.budget = budget;
        Ok(())
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
    /// Runs that cannot be read, or that of `ask`.
    pub fn summary(&self, ask: Ask<'_>) -> Result<&Summary> {
        if let Some(summary) = self.summary.get() {
            return Ok(summary);
        }
        let mut summary = Summary::default();
        if self.runs.is_empty() {
            self.table.for_each(|text, count| summary.add(text, count));
        } else {
            self.merged()?.each(ask, |text, count| {
                summary.add(text, count);
                Ok(())
            })?;
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
    /// Runs that cannot be read, or that of `ask`.
    pub fn read_back(&self, ask: Ask<'_>) -> Result<CountTable> {
        let (short, long, bytes) = self.summary(ask)?.room();
        let mut table = CountTable::with_room(short, long, bytes);
        self.merged()?.each(ask, |text, count| table.add(text, 0, text.len(), count))?;
        Ok(table)
    }

    /// Drops pretokens that occur less than `least` times; gives back how many, and how often they occurred.
    ///
    /// # Errors
    /// A full disk, or that of `ask`; the counts stay as they were.
    pub fn prune(&mut self, least: u64, ask: Ask<'_>) -> Result<(u64, u128)> {
        self.settle()?;
        self.summary = OnceLock::new();
        if self.runs.is_empty() {
            return Ok(self.table.prune(least));
        }
        let mut dropped = (0, 0);
        let stays = |count| {
            let stays = count >= least;
            if !stays {
                dropped = (dropped.0 + 1, dropped.1 + u128::from(count));
            }
            stays
        };
        self.runs = self.runs.filtered(stays, ask)?;
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
    /// Counts made in another way. A count above `u64`, or a full disk, which leaves a part of the other's.
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
        self.absorb(&other.table, 1)?;
        for run in other.runs.iter() {
            self.runs.push(run.clone())?;
        }
        self.bytes = self.bytes.saturating_add(other.bytes);
        Ok(())
    }

    /// Adds a table within the budget.
    fn absorb(&mut self, other: &CountTable, threads: usize) -> Result<()> {
        self.summary = OnceLock::new();
        let Self { table, runs, budget, .. } = self;
        if budget.is_unlimited() {
            return add_all(table, other, threads);
        }
        table.add_by_turns(other, |table, bytes| {
            budget.make_room(table, table::ADD_STEP, bytes)?.map_or(Ok(()), |run| runs.push(run))
        })
    }
}
