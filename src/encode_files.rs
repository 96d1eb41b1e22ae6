//! Files -> a file of ids, with reading, encoding and writing overlapped and memory bounded.
//!
//! The calling thread reads blocks and writes ids in the order of the text; all threads encode, the calling one when
//! it has nothing to read or write. A thread starts when there is a block for it, and at most [`AHEAD`] blocks a thread
//! are on their way at once. `blocks` cuts the text, so the ids are those of the whole text, whatever the size of a block
//! and the number of threads.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::batch::Options;
use crate::blocks::{Blocks, Cuts};
use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::threads::{Ask, PATIENCE, Steps, start};
use crate::tokenizer::{Tokenizer, Work};
use crate::utf8::Text;

/// Bytes of a block: it and its ids stay in the second-level cache while it is encoded, and asking the system for a
/// block takes a hundredth of the time of encoding it.
pub const BLOCK: usize = 512 << 10;
/// Ids that are bytes at one time: those of a block, or a piece of those of a text that is held whole.
const PIECE: usize = BLOCK;
/// Blocks on their way for each thread: one that it encodes and one for it to go on with.
const AHEAD: usize = 2;

/// One text to encode.
pub enum Input<'a> {
    /// A file.
    File(PathBuf),
    /// Any reader, and the name that errors give it.
    Reader(PathBuf, Box<dyn Read + Send + 'a>),
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes of text.
    pub bytes: u64,
    /// Ids written.
    pub tokens: u64,
}

/// A block on its way from the reader to the writer. Its buffers are used again and again: memory fresh from the
/// system costs a page fault for each 4 KiB.
#[derive(Default)]
struct Block {
    /// Number of its file.
    file: usize,
    /// Its place in the file.
    start: usize,
    text: Vec<u8>,
    ids: Vec<TokenId>,
    /// A piece of the ids, little-endian: first the first.
    bytes: Vec<u8>,
}

impl Block {
    /// Makes bytes of piece `number` of the ids.
    fn make_bytes(&mut self, number: usize) {
        let piece = self.ids.chunks(PIECE).nth(number).unwrap_or_default();
        self.bytes.resize(4 * piece.len(), 0);
        for (bytes, id) in self.bytes.as_chunks_mut::<4>().0.iter_mut().zip(piece) {
            *bytes = id.to_le_bytes();
        }
    }
}

/// What the threads share.
#[derive(Default)]
struct Line {
    /// Read and not yet taken, with their numbers.
    waiting: VecDeque<(usize, Block)>,
    /// Encoded and not yet written.
    encoded: BTreeMap<usize, (Block, Result<()>)>,
    is_closed: bool,
}

/// The line, the word that something on it changed, and how to encode what stands there.
struct Shared<'a> {
    line: Mutex<Line>,
    changed: Condvar,
    options: &'a Options<'a>,
}

impl Shared<'_> {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends all threads however one of them leaves, a panic included.
struct Closing<'a>(&'a Shared<'a>);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut line = self.0.lock();
        line.is_closed = true;
        line.waiting.clear();
        self.0.changed.notify_all();
    }
}

/// The files, read one after the other.
struct Reading<'a> {
    names: Vec<PathBuf>,
    left: std::vec::IntoIter<Input<'a>>,
    now: Option<Blocks<Box<dyn Read + Send + 'a>>>,
    size: usize,
}

impl Reading<'_> {
    /// Fills `block` with the next text; `false` after the last file.
    fn next(&mut self, cuts: Cuts<'_>, block: &mut Block, ask: Ask<'_>) -> Result<bool> {
        loop {
            if let (Some(blocks), Some(name)) = (&mut self.now, self.names.last()) {
                let next = blocks.next(cuts, self.size, &mut block.text, ask, |_| Ok(()));
                if let Some(start) = next.map_err(|error| error.reading(name))? {
                    (block.file, block.start) = (self.names.len() - 1, start);
                    return Ok(true);
                }
                self.now = None;
            }
            let Some(input) = self.left.next() else { return Ok(false) };
            let (name, input) = match input {
                Input::Reader(name, input) => (name, input),
                Input::File(path) => {
                    let file = File::open(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
                    (path, Box::new(file) as Box<dyn Read + Send>)
                }
            };
            self.names.push(name);
            self.now = Some(Blocks::new(input));
        }
    }
}

/// Where ids go, and what errors call it.
struct Output<'a> {
    file: &'a mut dyn Write,
    name: &'a Path,
}

impl Output<'_> {
    /// Writes the ids of a block, of which the first piece is bytes already.
    fn write_ids(&mut self, block: &mut Block, pause: Ask<'_>) -> Result<()> {
        self.write(&block.bytes, pause)?;
        for piece in 1..block.ids.len().div_ceil(PIECE) {
            block.make_bytes(piece);
            self.write(&block.bytes, pause)?;
        }
        Ok(())
    }

    /// Writes all of `bytes`. A signal ends the waiting for room in a pipe, with what was written so far or without.
    fn write(&mut self, mut bytes: &[u8], pause: Ask<'_>) -> Result<()> {
        while !bytes.is_empty() {
            // A signal that came before would not end the waiting.
            pause()?;
            match self.file.write(bytes) {
                Ok(0) => return Err(self.error(ErrorKind::WriteZero.into())),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(error)),
            }
        }
        Ok(())
    }

    fn error(&self, source: std::io::Error) -> Error {
        Error::Io { path: self.name.to_owned(), source }
    }
}

impl Tokenizer {
    /// Writes the ids of `inputs`, each a text of its own, to `output` as 4 bytes little-endian. `pause` is told how
    /// many bytes of text are written and asked whether to go on. `block` is the size of a block, see [`BLOCK`].
    ///
    /// # Errors
    /// Those of the system, with the path (`output_name` for writing); text that cannot be encoded, with its file; the
    /// error of `pause`.
    pub fn encode_files(
        &self,
        inputs: Vec<Input<'_>>,
        (file, name): (&mut dyn Write, &Path),
        options: &Options<'_>,
        block: usize,
        pause: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<Totals> {
        let shared = &Shared { line: Mutex::default(), changed: Condvar::new(), options };
        let mut reading = Reading { names: Vec::new(), left: inputs.into_iter(), now: None, size: block };
        let mut output = Output { file, name };
        std::thread::scope(|scope| {
            let _closing = Closing(shared);
            let encode = || self.with_work(|work| self.encode_what_waits(work, shared));
            let mut start = || start(scope, encode).is_some();
            let totals = self.with_work(|work| self.run(work, shared, &mut reading, &mut output, &mut start, pause))?;
            output.file.flush().map_err(|source| output.error(source))?;
            Ok(totals)
        })
    }

    /// What the calling thread does, the most urgent first: write, read, encode, wait.
    fn run(
        &self,
        work: &mut Work,
        shared: &Shared<'_>,
        reading: &mut Reading<'_>,
        output: &mut Output<'_>,
        start: &mut dyn FnMut() -> bool,
        pause: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<Totals> {
        let mut totals = Totals::default();
        let mut spare: Vec<Block> = Vec::new();
        let (mut read, mut written, mut is_over) = (0, 0, false);
        let (mut running, mut threads) = (1, shared.options.threads);
        loop {
            let mut line = shared.lock();
            if let Some((mut block, result)) = line.encoded.remove(&written) {
                drop(line);
                result.map_err(|error| error.in_file(&reading.names[block.file], block.start))?;
                output.write_ids(&mut block, &mut || pause(totals.bytes))?;
                written += 1;
                totals.bytes += block.text.len() as u64;
                totals.tokens += block.ids.len() as u64;
                pause(totals.bytes)?;
                spare.push(block);
            } else if !is_over && read - written < AHEAD * running {
                drop(line);
                let mut block = spare.pop().unwrap_or_default();
                // A signal that came before would not end the reading.
                pause(totals.bytes)?;
                let (pretokenizer, specials) = (self.pretokenizer(), self.specials());
                let cuts = Cuts { pretokenizer, specials, bounds: shared.options.allowed };
                if reading.next(cuts, &mut block, &mut || pause(totals.bytes))? {
                    shared.lock().waiting.push_back((read, block));
                    shared.changed.notify_all();
                    read += 1;
                    // One block is for this thread.
                    if read > 1 && running < threads {
                        if start() { running += 1 } else { threads = running }
                    }
                } else {
                    is_over = true;
                }
            } else if let Some((number, mut block)) = line.waiting.pop_front() {
                drop(line);
                match self.encode_block(work, &mut block, shared.options, &mut || pause(totals.bytes)) {
                    Err(Error::Interrupted) => return Err(Error::Interrupted),
                    result => _ = shared.lock().encoded.insert(number, (block, result)),
                }
            } else if read == written {
                return Ok(totals);
            } else if line.is_closed {
                // A thread panicked; leaving the scope hands its panic on.
                return Err(Error::Interrupted);
            } else {
                drop(shared.changed.wait_timeout(line, PATIENCE).unwrap_or_else(PoisonError::into_inner));
                pause(totals.bytes)?;
            }
        }
    }

    /// What the other threads do.
    fn encode_what_waits(&self, work: &mut Work, shared: &Shared<'_>) {
        let _closing = Closing(shared);
        let mut told = || if shared.lock().is_closed { Err(Error::Interrupted) } else { Ok(()) };
        let mut line = shared.lock();
        while !line.is_closed {
            let Some((number, mut block)) = line.waiting.pop_front() else {
                line = shared.changed.wait(line).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(line);
            let result = self.encode_block(work, &mut block, shared.options, &mut told);
            line = shared.lock();
            line.encoded.insert(number, (block, result));
            shared.changed.notify_all();
        }
    }

    fn encode_block(&self, work: &mut Work, block: &mut Block, options: &Options<'_>, ask: Ask<'_>) -> Result<()> {
        let Block { text, ids, .. } = &mut *block;
        ids.clear();
        let mut steps = Steps::new(ask);
        self.specials().refuse_in_steps(text, options.forbidden, &mut steps)?;
        self.encode_in_steps(work, &mut steps, Text::Raw(text), options.allowed, ids)?;
        block.make_bytes(0);
        Ok(())
    }
}
