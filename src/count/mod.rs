//! Text -> exact pretoken counts, in parallel. Training sees these and never the text.
//!
//! `table` holds the counts of one thread; here texts and files are shared out and the tables added up. Special
//! tokens are boundaries and are never counted.

pub mod table;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use table::CountTable;

use crate::batch::{self, in_parallel};
use crate::digits::Digits;
use crate::error::{Error, Result};
use crate::pretokenize::{Ends, Pieces, Pretokenizer, regex::RegexCache};
use crate::special::{Choice, Specials};
use crate::utf8::Text;

/// Bytes of a file in memory at once, for each thread.
const FILE_BLOCK: usize = 8 << 20;

/// Called with the bytes done so far; an error stops the work.
pub type OnBytes<'a> = &'a mut dyn FnMut(u64) -> Result<()>;

/// Exact counts of the pretokens of a pattern.
pub struct Counts {
    pretokenizer: Pretokenizer,
    specials: Specials,
    table: CountTable,
    bytes: u64,
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
            bytes: 0,
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

    /// The counts.
    #[must_use]
    pub fn table(&self) -> &CountTable {
        &self.table
    }

    /// Adds a pretoken that was counted elsewhere.
    ///
    /// # Errors
    /// A count above `u64`.
    pub fn add_pretoken(&mut self, pretoken: &[u8], count: u64) -> Result<()> {
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
        self.table.add_all(&other.table)?;
        self.bytes += other.bytes;
        Ok(())
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
        let count = |group: &&[Vec<batch::Part>]| {
            let mut table = CountTable::default();
            for part in group.iter().flatten() {
                let text = documents[part.document].slice(part.range.clone());
                self.count_text(text, weight(part.document), &mut table)
                    .map_err(|e| e.in_document(part.document, part.range.start, documents.len()))?;
            }
            Ok(table)
        };
        let before = self.bytes;
        let bytes = |(i, text): (usize, &Text<'_>)| (text.bytes().len() as u64).saturating_mul(weight(i));
        let total = documents.iter().enumerate().map(bytes).fold(0, u64::saturating_add);
        let tables = in_parallel(&groups, threads, count, &mut || on_bytes(before))?;
        for table in tables {
            if self.table.is_empty() {
                self.table = table;
            } else {
                self.table.add_all(&table)?;
            }
        }
        self.bytes = self.bytes.saturating_add(total);
        on_bytes(self.bytes)
    }

    fn count_text(&self, text: Text<'_>, weight: u64, table: &mut CountTable) -> Result<()> {
        let mut at = 0;
        while let Some(special) = self.specials.find(text.bytes(), at, &Choice::All) {
            self.count_ordinary(text.slice(at..special.start), weight, table)?;
            at = special.end;
        }
        self.count_ordinary(text.slice(at..text.bytes().len()), weight, table)
    }

    fn count_ordinary(&self, text: Text<'_>, weight: u64, table: &mut CountTable) -> Result<()> {
        let (mut regex, mut ends) = (RegexCache::default(), Ends::default());
        self.pretokenizer.batches(&mut regex, &mut ends, text, |pieces| match pieces {
            Pieces::Invalid(bytes) => table.add(bytes, 0, bytes.len(), weight),
            Pieces::Valid(text, mut at, ends) => ends.iter().try_for_each(|&end| {
                let start = std::mem::replace(&mut at, end);
                table.add(text, start, end, weight)
            }),
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
            Error::Io { source, .. } => at_path(source),
            other => other,
        })
    }

    /// The same from anything that can be read.
    ///
    /// # Errors
    /// As [`Counts::add_file`], with an empty path.
    pub fn add_reader(&mut self, mut reader: impl Read, threads: usize, on_bytes: OnBytes<'_>) -> Result<()> {
        let (mut block, mut wanted) = (Vec::new(), FILE_BLOCK * threads);
        loop {
            let missing = wanted - block.len();
            let read = (&mut reader).take(missing as u64).read_to_end(&mut block);
            let is_end = read.map_err(|source| Error::Io { path: std::path::PathBuf::new(), source })? < missing;
            let end = if is_end { block.len() } else { self.last_cut(&block) };
            if end > 0 {
                self.add_documents(&[Text::Raw(&block[..end])], threads, on_bytes)?;
                block.drain(..end);
                wanted = FILE_BLOCK * threads;
            }
            if is_end {
                return Ok(());
            }
            // No place to cut in the whole block: read on until there is one.
            wanted = wanted.max(block.len() * 2);
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
