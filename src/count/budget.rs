//! How much memory counting may take, shared out between tables and text.

use super::spill::{self, Run};
use super::table::CountTable;
use crate::error::{Error, Result};

/// Bytes of a file in memory at once, for each thread, where nothing limits them.
const FILE_BLOCK: usize = 1 << 20;
/// The same for documents that an iterator gives.
const GATHER: usize = 16 << 20;
/// The least that can be asked for: an interpreter with this library takes some 50 MiB before anything is counted.
pub const LEAST: u64 = 128 << 20;
/// A table smaller than this is written to disk too often to be worth a thread.
const LEAST_TABLE: usize = 16 << 20;

/// Shares of a limit. Half of it goes to the tables, one for each thread and one for their sum; an eighth to the text
/// that is being counted, twice that where it has no place to cut; the rest is for the interpreter and the allocator.
#[derive(Clone, Debug)]
pub struct Budget {
    /// The limit, for messages.
    limit: u64,
    /// Bytes of one table, also while it grows.
    table: usize,
    /// Bytes of text for each thread.
    pub block: usize,
    /// Bytes of documents for each thread.
    pub gather: usize,
    /// Most bytes of text in memory at once.
    text: usize,
    /// Threads to use.
    pub threads: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            limit: u64::MAX,
            table: usize::MAX,
            block: FILE_BLOCK,
            gather: GATHER,
            text: usize::MAX,
            threads: usize::MAX,
        }
    }
}

impl Budget {
    /// The shares of `limit` bytes for `threads` threads; fewer threads where each would get too little.
    ///
    /// # Errors
    /// Less than [`LEAST`].
    pub fn new(limit: u64, threads: usize) -> Result<Self> {
        if limit < LEAST {
            return Err(Error::Train(format!(
                "max_memory is {limit} bytes; give at least {LEAST} (128MiB), of which the interpreter alone takes some 50 MiB"
            )));
        }
        let bytes = usize::try_from(limit).unwrap_or(usize::MAX);
        let threads = threads.clamp(1, bytes / 2 / LEAST_TABLE - 1);
        Ok(Self {
            limit,
            threads,
            table: bytes / 2 / (threads + 1),
            block: (bytes / 8 / threads).min(FILE_BLOCK),
            gather: (bytes / 16 / threads).min(GATHER),
            text: bytes / 4,
        })
    }

    /// Whether there is no limit.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.table == usize::MAX
    }

    /// The same with tables of at most `table` bytes, for tests.
    #[must_use]
    pub fn with_table(self, table: usize) -> Self {
        Self { table, ..self }
    }

    /// Writes `table` to disk and empties it, if so many more pretokens, of `bytes` together, might not fit. `bytes` beyond
    /// the size of a table are those of one pretoken.
    ///
    /// # Errors
    /// A full disk, a pretoken larger than any table.
    #[inline]
    pub fn make_room(&self, table: &mut CountTable, pretokens: usize, bytes: usize) -> Result<Option<Run>> {
        if table.peak(pretokens, bytes) <= self.table { Ok(None) } else { self.spill(table, pretokens, bytes) }
    }

    #[cold]
    fn spill(&self, table: &mut CountTable, pretokens: usize, bytes: usize) -> Result<Option<Run>> {
        let run = if table.is_empty() { None } else { Some(spill::spill(table)?) };
        if table.peak(pretokens, bytes) > self.table {
            // Room that other text left behind: the next pretokens are of another kind.
            *table = CountTable::default();
        }
        if bytes > self.table {
            return Err(Error::Train(format!(
                "a pretoken of {bytes} bytes is too large for max_memory={}, which leaves {} for each table of counts: raise max_memory, or cut the text",
                self.limit, self.table
            )));
        }
        Ok(run)
    }

    /// Whether a block of `bytes` may be read.
    ///
    /// # Errors
    /// It may not.
    pub fn check_block(&self, bytes: usize) -> Result<()> {
        if bytes <= self.text {
            return Ok(());
        }
        Err(Error::Train(format!(
            "{} bytes of text have no place where this pattern lets them be cut, and max_memory={} leaves {} for text: raise max_memory, or put a special token between documents",
            bytes / 2,
            self.limit,
            self.text
        )))
    }
}
