//! Files into counts, a block at a time: memory does not grow with a file whose text can be cut.
//!
//! Threads take turns at reading, which is quick beside counting, and each counts the block that it has read.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::documents::Tally;
use super::table::CountTable;
use super::{Counts, OnBytes};
use crate::batch;
use crate::error::{Error, Result};
use crate::special::Choice;
use crate::utf8::Text;

/// A text that is being read.
struct Reader<R> {
    source: R,
    /// Read, and behind the last cut.
    rest: Vec<u8>,
    is_end: bool,
}

impl Counts {
    /// Counts a file. On an error nothing of it is counted.
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
    pub fn add_reader(&mut self, reader: impl Read + Send, threads: usize, on_bytes: OnBytes<'_>) -> Result<()> {
        let mut reader = Reader { source: reader, rest: Vec::new(), is_end: false };
        let mut first = Vec::new();
        self.next_block(&mut reader, &mut first)?;
        // What is read in one go is not worth a thread.
        let threads = if reader.is_end { 1 } else { threads };
        let (reader, runs) = (Mutex::new(reader), Mutex::new(Vec::new()));
        let (stop, done, before) = (AtomicBool::new(false), AtomicU64::new(0), self.bytes);
        // The block is used again and again: memory that the system has just given is slow to write.
        let count = |mut block: Vec<u8>, tell: OnBytes<'_>| -> Result<CountTable> {
            let mut tally = Tally { table: CountTable::default(), budget: &self.budget, runs: &runs };
            while !stop.load(Relaxed) {
                if block.is_empty() {
                    self.next_block(&mut reader.lock().unwrap_or_else(PoisonError::into_inner), &mut block)?;
                }
                if block.is_empty() {
                    break;
                }
                self.count_text(Text::Raw(&block), 1, &mut tally)?;
                let bytes = done.fetch_add(block.len() as u64, Relaxed) + block.len() as u64;
                block.clear();
                tell(before.saturating_add(bytes))?;
            }
            Ok(tally.table)
        };
        let work = |block: Vec<u8>, tell: OnBytes<'_>| {
            let table = count(block, tell);
            if table.is_err() {
                stop.store(true, Relaxed);
            }
            table
        };
        let tables: Result<Vec<CountTable>> = std::thread::scope(|scope| {
            let others = (1..threads).map(|_| scope.spawn(|| work(Vec::new(), &mut |_| Ok(())))).collect::<Vec<_>>();
            let mine = work(first, on_bytes);
            let join = |other: std::thread::ScopedJoinHandle<'_, _>| {
                other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            std::iter::once(mine).chain(others.into_iter().map(join)).collect()
        });
        self.take_in(tables?, runs, done.into_inner(), threads)?;
        on_bytes(self.bytes)
    }

    /// Puts the next stretch that may be counted alone into an empty `block`; nothing at the end.
    fn next_block(&self, reader: &mut Reader<impl Read>, block: &mut Vec<u8>) -> Result<()> {
        let mut wanted = self.budget.block;
        block.append(&mut reader.rest);
        loop {
            let missing = wanted.saturating_sub(block.len());
            if !reader.is_end && missing > 0 {
                block.reserve_exact(missing);
                let read = (&mut reader.source).take(missing as u64).read_to_end(block);
                reader.is_end = read.map_err(|source| Error::Io { path: PathBuf::new(), source })? < missing;
            }
            let end = if reader.is_end { block.len() } else { self.last_cut(block) };
            if end > 0 || reader.is_end {
                reader.rest.extend_from_slice(&block[end..]);
                block.truncate(end);
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
