//! Documents into counts: the work of one thread, and documents in memory shared out to several.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::spill::Run;
use super::table::CountTable;
use super::{Counts, OnBytes};
use crate::batch::{self, in_parallel_with};
use crate::count::budget::Budget;
use crate::error::Result;
use crate::pretokenize::{Ends, regex::RegexCache};
use crate::special::{Choice, Part};
use crate::threads::{Ask, Steps};
use crate::utf8::Text;

/// Bytes of pretokens for which room is made at once, if they are more than one: any table has room for so many.
const TOGETHER: usize = 1 << 20;

/// The counts of one thread, the runs of those that were too many, and what it needs to find pretokens.
pub(super) struct Tally<'a> {
    pub table: CountTable,
    budget: &'a Budget,
    runs: &'a Mutex<Vec<Run>>,
    regex: RegexCache,
    ends: Ends,
}

impl<'a> Tally<'a> {
    /// Nothing is counted yet.
    pub fn new(budget: &'a Budget, runs: &'a Mutex<Vec<Run>>) -> Self {
        Self { table: CountTable::default(), budget, runs, regex: RegexCache::default(), ends: Ends::default() }
    }
}

impl Counts {
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
        let before = self.bytes;
        let shares = batch::shares(&self.pretokenizer, &self.specials, documents, &mut || on_bytes(before))?;
        let (runs, done) = (Mutex::new(Vec::new()), AtomicU64::new(0));
        let count = |tally: &mut Tally<'_>, share: &Vec<batch::Part>, ask: Ask<'_>| {
            let mut steps = Steps::new(ask);
            for part in share {
                let (text, weight) = (documents[part.document].slice(part.range.clone()), weight(part.document));
                self.count_text(text, weight, tally, &mut steps)
                    .map_err(|e| e.in_document(part.document, part.range.start, documents.len()))?;
                let bytes = (part.range.len() as u64).saturating_mul(weight);
                let _ = done.fetch_update(Relaxed, Relaxed, |done| Some(done.saturating_add(bytes)));
            }
            Ok(())
        };
        let bytes = |(i, text): (usize, &Text<'_>)| (text.bytes().len() as u64).saturating_mul(weight(i));
        let total = documents.iter().enumerate().map(bytes).fold(0, u64::saturating_add);
        // One table for each thread, not for each share: most of a share's pretokens are in all of them.
        let tally = || Tally::new(&self.budget, &runs);
        let (_, tallies) = in_parallel_with(&shares, threads, tally, count, &mut || {
            on_bytes(before.saturating_add(done.load(Relaxed)))
        })?;
        let tables = tallies.into_iter().map(|tally| tally.table).collect();
        // The last word before anything is added: whoever says stop finds the counts as they were.
        on_bytes(before.saturating_add(total))?;
        self.take_in(tables, runs, total)
    }

    /// Adds the tables and runs of several threads.
    pub(super) fn take_in(&mut self, tables: Vec<CountTable>, runs: Mutex<Vec<Run>>, bytes: u64) -> Result<()> {
        self.summary = std::sync::OnceLock::new();
        let threads = tables.len();
        for table in tables {
            if self.table.is_empty() {
                self.table = table;
            } else {
                self.absorb(&table, threads)?;
            }
        }
        for run in runs.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.runs.push(run)?;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    pub(super) fn count_text(
        &self,
        text: Text<'_>,
        weight: u64,
        tally: &mut Tally<'_>,
        steps: &mut Steps<'_>,
    ) -> Result<()> {
        for part in self.specials.parts(text.bytes(), &Choice::All) {
            if let Part::Ordinary(range) = part {
                let start = range.start;
                self.count_ordinary(text.slice(range), weight, tally, steps).map_err(|error| error.moved(start))?;
            }
        }
        Ok(())
    }

    fn count_ordinary(&self, text: Text<'_>, weight: u64, tally: &mut Tally<'_>, steps: &mut Steps<'_>) -> Result<()> {
        let Tally { table, budget, runs, regex, ends } = tally;
        self.pretokenizer.batches(regex, ends, text, |pieces| {
            pieces.tell(steps)?;
            let (mut start, mut ends) = (pieces.start, pieces.ends);
            while let Some(&first) = ends.first() {
                let count = ends.partition_point(|&end| end <= first.max(start + TOGETHER));
                let (these, others) = ends.split_at(count);
                let end = these[count - 1];
                if let Some(run) = budget.make_room(table, count, end - start)? {
                    runs.lock().unwrap_or_else(PoisonError::into_inner).push(run);
                }
                table.add_all_of(pieces.text.bytes(), start, these, weight)?;
                (start, ends) = (end, others);
            }
            Ok(())
        })
    }
}
