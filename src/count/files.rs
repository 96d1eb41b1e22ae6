//! Files into counts, a block at a time: memory does not grow with a file whose text can be cut.
//!
//! The calling thread reads, for a signal ends its waiting for a pipe and no other's. All threads count, the calling one too
//! when the others have enough. A thread starts when there is a block for it.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};

use super::documents::Tally;
use super::spill::Run;
use super::table::CountTable;
use super::{Counts, OnBytes};
use crate::blocks::{Blocks, Cuts};
use crate::error::{Error, Result};
use crate::special::Choice;
use crate::threads::{Ask, Steps, start, wait};
use crate::utf8::Text;

/// Blocks on their way for each other thread: one that it counts and one for it to go on with.
const AHEAD: usize = 2;

/// A stretch of a text, and its place there.
#[derive(Default)]
struct Block {
    start: usize,
    text: Vec<u8>,
}

/// What the threads share.
struct Shared<'a> {
    counts: &'a Counts,
    /// Blocks to count.
    waiting: Mutex<Receiver<Block>>,
    runs: &'a Mutex<Vec<Run>>,
    /// Bytes counted.
    done: &'a AtomicU64,
    stop: AtomicBool,
}

impl<'a> Shared<'a> {
    fn tally(&self) -> Tally<'a> {
        Tally::new(&self.counts.budget, self.runs)
    }

    fn count(&self, Block { start, text }: &Block, tally: &mut Tally<'_>, ask: Ask<'_>) -> Result<()> {
        let counted = self.counts.count_text(Text::Raw(text), 1, tally, &mut Steps::new(ask));
        counted.map_err(|error| error.moved(*start))?;
        self.done.fetch_add(text.len() as u64, Relaxed);
        Ok(())
    }

    /// Counts the blocks that wait until no more will come. They are used again and again: memory that the system has just
    /// given is slow to write.
    fn count_what_waits(&self, tally: &mut Tally<'_>, back: &Sender<Block>, ask: Ask<'_>) -> Result<()> {
        loop {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(block) = next else { return Ok(()) };
            ask()?;
            self.count(&block, tally, ask)?;
            // At the end nobody reads any more.
            let _ = back.send(block);
        }
    }

    /// What the other threads do.
    fn help(&self, back: &Sender<Block>) -> Result<CountTable> {
        let mut told = || if self.stop.load(Relaxed) { Err(Error::Interrupted) } else { Ok(()) };
        let mut tally = self.tally();
        match self.count_what_waits(&mut tally, back, &mut told) {
            // Another thread has the reason.
            Ok(()) | Err(Error::Interrupted) => Ok(tally.table),
            Err(error) => {
                self.stop.store(true, Relaxed);
                Err(error)
            }
        }
    }

    /// What the calling thread does: reads, hands out, counts what is too much for the others, waits for them.
    fn share_out(
        &self,
        reader: &mut Blocks<impl Read>,
        blocks: Sender<Block>,
        mut threads: usize,
        mut start: impl FnMut(Sender<Block>) -> bool,
        ask: Ask<'_>,
    ) -> Result<CountTable> {
        let Counts { pretokenizer, specials, budget, .. } = self.counts;
        let (mut tally, mut others, mut out, mut spare) = (self.tally(), 0, 0, Vec::new());
        let (back, free) = mpsc::channel();
        let cuts = Cuts { pretokenizer, specials, bounds: &Choice::All };
        while !self.stop.load(Relaxed) {
            let mut block: Block = spare.pop().unwrap_or_default();
            let may_grow = |bytes| budget.check_block(bytes);
            match reader.next(cuts, budget.block, &mut block.text, ask, may_grow)? {
                Some(start) => block.start = start,
                None => break,
            }
            for block in free.try_iter() {
                spare.push(block);
                out -= 1;
            }
            // The last block is not worth a thread: nothing is left to do beside it.
            if others + 1 < threads && out >= others && !reader.is_over() {
                if start(back.clone()) { others += 1 } else { threads = others + 1 }
            }
            // There are receivers as long as `self` is there.
            if out < AHEAD * others && blocks.send(std::mem::take(&mut block)).is_ok() {
                out += 1;
            } else {
                self.count(&block, &mut tally, ask)?;
                spare.push(block);
            }
        }
        drop(blocks);
        self.count_what_waits(&mut tally, &back, ask)?;
        drop(back);
        wait(&free, ask)?;
        Ok(tally.table)
    }
}

impl Counts {
    /// Counts a file. On an error nothing of it is counted, unless it came while what was counted was added: a count above `u64`, or a
    /// full disk, leaves a part.
    ///
    /// # Errors
    /// A file that cannot be read; as [`Counts::add_documents`].
    pub fn add_file(&mut self, path: &Path, threads: usize, on_bytes: OnBytes<'_>) -> Result<()> {
        let at_path = |source| Error::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(at_path)?;
        self.add_reader(file, threads, on_bytes).map_err(|error| match error {
            // The disk that runs are written to has a path of its own.
            Error::Io { .. } | Error::Interrupted => error.reading(path),
            other => other.in_file(path, 0),
        })
    }

    /// The same from anything that can be read.
    ///
    /// # Errors
    /// As [`Counts::add_file`], with an empty path.
    pub fn add_reader(&mut self, reader: impl Read, threads: usize, on_bytes: OnBytes<'_>) -> Result<()> {
        let mut reader = Blocks::new(reader);
        let (runs, done, before) = (Mutex::new(Vec::new()), AtomicU64::new(0), self.bytes);
        let mut ask = || on_bytes(before.saturating_add(done.load(Relaxed)));
        let tables = self.count_all(&mut reader, threads, &runs, &done, &mut ask)?;
        // The last word before anything is added: whoever says stop finds the counts as they were.
        ask()?;
        self.take_in(tables, runs, done.into_inner())
    }

    /// Counts what is read, with as many threads as there are blocks for, and gives back a table of each.
    fn count_all(
        &self,
        reader: &mut Blocks<impl Read>,
        threads: usize,
        runs: &Mutex<Vec<Run>>,
        done: &AtomicU64,
        ask: Ask<'_>,
    ) -> Result<Vec<CountTable>> {
        let (blocks, waiting) = mpsc::channel();
        let shared = Shared { counts: self, waiting: Mutex::new(waiting), runs, done, stop: AtomicBool::new(false) };
        std::thread::scope(|scope| {
            let mut others = Vec::new();
            let start = |back: Sender<_>| {
                let shared = &shared;
                let other = start(scope, move || shared.help(&back));
                let has_started = other.is_some();
                others.extend(other);
                has_started
            };
            let mine = shared.share_out(reader, blocks, threads, start, ask);
            shared.stop.fetch_or(mine.is_err(), Relaxed);
            let join = |other: std::thread::ScopedJoinHandle<'_, _>| {
                other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            std::iter::once(mine).chain(others.into_iter().map(join)).collect()
        })
    }
}
