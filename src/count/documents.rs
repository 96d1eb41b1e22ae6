//! Documents into counts: the work of one thread, and documents in memory shared out to several.

use std::sync::{Mutex, PoisonError};

use super::spill::Run;
use super::table::CountTable;
use super::{Counts, OnBytes};
use crate::batch::{self, in_parallel};
use crate::count::budget::Budget;
use crate::error::Result;
use crate::pretokenize::{Ends, Pieces, regex::RegexCache};
use crate::special::Choice;
use crate::utf8::Text;

/// The counts of one thread, and the runs of those that were too many.
pub(super) struct Tally<'a> {
    pub table: CountTable,
    pub budget: &'a Budget,
    pub runs: &'a Mutex<Vec<Run>>,
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
        self.take_in(tables, runs, total, threads)?;
        on_bytes(self.bytes)
    }

    /// Adds the tables and runs of several threads.
    pub(super) fn take_in(
        &mut self,
        tables: Vec<CountTable>,
        runs: Mutex<Vec<Run>>,
        bytes: u64,
        threads: usize,
    ) -> Result<()> {
        self.summary = std::sync::OnceLock::new();
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

    pub(super) fn count_text(&self, text: Text<'_>, weight: u64, tally: &mut Tally<'_>) -> Result<()> {
        let mut at = 0;
        while let Some(special) = self.specials.find(text.bytes(), at, &Choice::All) {
            let ordinary = text.slice(at..special.start);
            self.count_ordinary(ordinary, weight, tally).map_err(|error| error.moved(at))?;
            at = special.end;
        }
        self.count_ordinary(text.slice(at..text.bytes().len()), weight, tally).map_err(|error| error.moved(at))
    }

    fn count_ordinary(&self, text: Text<'_>, weight: u64, tally: &mut Tally<'_>) -> Result<()> {
        let (mut regex, mut ends) = (RegexCache::default(), Ends::default());
        self.pretokenizer.batches(&mut regex, &mut ends, text, |Pieces { text, start, ends }| {
            tally.make_room(ends.len(), ends.last().map_or(0, |end| end - start))?;
            tally.table.add_all_of(text.bytes(), start, ends, weight)
        })
    }
}
