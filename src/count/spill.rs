//! Counts beyond memory: sorted runs on disk, and their merge into one sorted stream.
//!
//! A table that is full is written as one run and emptied. Runs are files without a name wherever the system allows that,
//! so that not even `kill -9` leaves one behind. They lie in the system's temporary folder (`TMPDIR`).
//!
//! An entry is: bytes shared with the pretoken before it, bytes of its own, these bytes, its count; numbers in 7-bit
//! groups, low first.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::table::{CountTable, sum};
use crate::error::{Error, Result};
use crate::threads::{Ask, Steps};

/// Runs of one tier that are merged into one of the next: bounds open files and the work of a merge.
const FAN_IN: usize = 16;
const WRITE_BUFFER: usize = 256 << 10;
const READ_BUFFER: usize = 64 << 10;
/// To read an entry takes as long as to read so many bytes more.
const ENTRY: usize = 32;

/// A sorted run: never changed once written, so that copies of counts share it.
#[derive(Clone)]
pub struct Run(Arc<RunFile>);

struct RunFile {
    file: File,
    path: PathBuf,
    /// Bytes written.
    length: u64,
    /// Whether the file still has its name.
    named: bool,
}

impl Drop for RunFile {
    fn drop(&mut self) {
        if self.named {
            // Nobody is left to tell; the folder is a temporary one.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn io_error(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path: path.clone(), source }
}

/// An empty file for a run.
fn create() -> Result<RunFile> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let folder = std::env::temp_dir();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    loop {
        let number = NUMBER.fetch_add(1, Relaxed);
        let path = folder.join(format!("bpetok-{}-{number}.run", std::process::id()));
        let file = match options.open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
            other => other.map_err(io_error(&path))?,
        };
        let mut run = RunFile { file, path, length: 0, named: true };
        run.named = !(cfg!(unix) && std::fs::remove_file(&run.path).is_ok());
        return Ok(run);
    }
}

/// Writes one run, entry by entry in ascending order.
pub struct RunWriter {
    run: RunFile,
    buffer: Vec<u8>,
    last: Vec<u8>,
}

impl RunWriter {
    /// A run without entries.
    ///
    /// # Errors
    /// No file can be made in the temporary folder.
    pub fn new() -> Result<Self> {
        Ok(Self { run: create()?, buffer: Vec::with_capacity(WRITE_BUFFER), last: Vec::new() })
    }

    /// Adds a pretoken that is greater than all before it.
    ///
    /// # Errors
    /// A full disk.
    pub fn push(&mut self, text: &[u8], count: u64) -> Result<()> {
        let shared = self.last.iter().zip(text).take_while(|(a, b)| a == b).count();
        put_number(shared as u64, &mut self.buffer);
        put_number((text.len() - shared) as u64, &mut self.buffer);
        self.buffer.extend_from_slice(&text[shared..]);
        put_number(count, &mut self.buffer);
        self.last.truncate(shared);
        self.last.extend_from_slice(&text[shared..]);
        if self.buffer.len() >= WRITE_BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.run.file.write_all(&self.buffer).map_err(io_error(&self.run.path))?;
        self.run.length += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// The whole run.
    ///
    /// # Errors
    /// A full disk.
    pub fn finish(mut self) -> Result<Run> {
        self.flush()?;
        Ok(Run(Arc::new(self.run)))
    }
}

/// Writes a table as a run and empties it. On an error the table holds what it held.
///
/// # Errors
/// A full disk.
pub fn spill(table: &mut CountTable) -> Result<Run> {
    let write = |table: &CountTable, sizes| {
        let mut writer = RunWriter::new()?;
        table.for_each_sorted_in_place(sizes, |text, count| writer.push(text, count))?;
        writer.finish()
    };
    let sizes = table.sort_in_place();
    let run = write(table, sizes);
    if run.is_ok() {
        table.clear();
    } else {
        table.restore();
    }
    run
}

fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a run from its start; holds one entry.
struct RunReader {
    run: Run,
    /// Bytes of the file that are in the buffer or were.
    read: u64,
    buffer: Vec<u8>,
    at: usize,
    text: Vec<u8>,
    count: u64,
}

impl RunReader {
    fn new(run: Run) -> Self {
        Self { run, read: 0, buffer: Vec::new(), at: 0, text: Vec::new(), count: 0 }
    }

    /// Goes to the next entry; `false` after the last.
    fn advance(&mut self) -> Result<bool> {
        if self.at == self.buffer.len() && self.read == self.run.0.length {
            return Ok(false);
        }
        let (shared, own) = (self.number()? as usize, self.number()? as usize);
        self.text.truncate(shared);
        let mut missing = own;
        while missing > 0 {
            self.fill()?;
            let here = missing.min(self.buffer.len() - self.at);
            self.text.extend_from_slice(&self.buffer[self.at..self.at + here]);
            self.at += here;
            missing -= here;
        }
        self.count = self.number()?;
        Ok(true)
    }

    fn number(&mut self) -> Result<u64> {
        let (mut number, mut shift) = (0, 0);
        loop {
            self.fill()?;
            let byte = self.buffer[self.at];
            self.at += 1;
            number |= u64::from(byte & 0x7F) << (shift & 63);
            shift += 7;
            if byte < 0x80 {
                return Ok(number);
            }
        }
    }

    /// Makes sure that there is a byte to read.
    fn fill(&mut self) -> Result<()> {
        if self.at < self.buffer.len() {
            return Ok(());
        }
        let file = &self.run.0;
        let left = file.length - self.read;
        self.buffer.resize(left.min(READ_BUFFER as u64) as usize, 0);
        self.at = 0;
        if self.buffer.is_empty() {
            let cut = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "a run of counts is cut off");
            return Err(io_error(&file.path)(cut));
        }
        read_at(&file.file, &mut self.buffer, self.read).map_err(io_error(&file.path))?;
        self.read += self.buffer.len() as u64;
        Ok(())
    }
}

/// Fills `buffer` from byte `at` of a file on, whatever other readers of it do.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> std::io::Result<()> {
    while !buffer.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, buffer, at)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[read..];
        at += read as u64;
    }
    Ok(())
}

// In a heap the reader with the smallest pretoken is on top.
impl Ord for RunReader {
    fn cmp(&self, other: &Self) -> Ordering {
        other.text.cmp(&self.text)
    }
}

impl PartialOrd for RunReader {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for RunReader {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for RunReader {}

/// Moves a reader on, to its new place in the heap; gives back the count of the entry it was at.
fn leave(mut top: PeekMut<'_, RunReader>) -> Result<u64> {
    let count = top.count;
    if !top.advance()? {
        PeekMut::pop(top);
    }
    Ok(count)
}

/// The sum of many runs, in ascending order of pretokens.
pub struct Merged {
    heap: BinaryHeap<RunReader>,
    text: Vec<u8>,
}

impl Merged {
    /// Opens the runs.
    ///
    /// # Errors
    /// A run that cannot be read.
    pub fn new<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Result<Self> {
        let mut heap = BinaryHeap::new();
        for run in runs {
            let mut reader = RunReader::new(run.clone());
            if reader.advance()? {
                heap.push(reader);
            }
        }
        Ok(Self { heap, text: Vec::new() })
    }

    /// The next pretoken and its count; `None` after the last.
    ///
    /// # Errors
    /// A run that cannot be read, a count above `u64`.
    pub fn advance(&mut self) -> Result<Option<(&[u8], u64)>> {
        let Some(top) = self.heap.peek_mut() else { return Ok(None) };
        self.text.clear();
        self.text.extend_from_slice(&top.text);
        let mut count = leave(top)?;
        while self.heap.peek().is_some_and(|top| top.text == self.text)
            && let Some(top) = self.heap.peek_mut()
        {
            count = sum(count, leave(top)?)?;
        }
        Ok(Some((&self.text, count)))
    }

    /// Calls `visit` with each that is left, and asks now and then whether to go on.
    ///
    /// # Errors
    /// Those of [`Merged::advance`], of `visit` and of `ask`.
    pub fn each(mut self, ask: Ask<'_>, mut visit: impl FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
        let mut steps = Steps::new(ask);
        while let Some((text, count)) = self.advance()? {
            steps.take(text.len() + ENTRY)?;
            visit(text, count)?;
        }
        Ok(())
    }
}

/// All runs of some counts, in tiers: [`FAN_IN`] of one tier become one of the next, so that each entry is rewritten
/// a logarithmic number of times.
#[derive(Clone, Default)]
pub struct Runs {
    tiers: Vec<Vec<Run>>,
}

impl Runs {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tiers.iter().all(Vec::is_empty)
    }

    /// The runs.
    pub fn iter(&self) -> impl Iterator<Item = &Run> {
        self.tiers.iter().flatten()
    }

    /// Bytes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.iter().map(|run| run.0.length).sum()
    }

    /// Adds one run.
    ///
    /// # Errors
    /// A full disk; the runs before it stay.
    pub fn push(&mut self, run: Run) -> Result<()> {
        let (mut run, mut tier) = (run, 0);
        loop {
            if self.tiers.len() == tier {
                self.tiers.push(Vec::new());
            }
            self.tiers[tier].push(run);
            if self.tiers[tier].len() < FAN_IN {
                return Ok(());
            }
            run = join(&self.tiers[tier], |_| true, &mut || Ok(()))?;
            self.tiers[tier].clear();
            tier += 1;
        }
    }

    /// The runs as one, of the entries whose count `keep` accepts.
    ///
    /// # Errors
    /// A full disk, or that of `ask`.
    pub fn filtered(&self, keep: impl FnMut(u64) -> bool, ask: Ask<'_>) -> Result<Self> {
        Ok(Self { tiers: vec![vec![join(self.iter(), keep, ask)?]] })
    }
}

fn join<'a>(runs: impl IntoIterator<Item = &'a Run>, mut keep: impl FnMut(u64) -> bool, ask: Ask<'_>) -> Result<Run> {
    let mut writer = RunWriter::new()?;
    Merged::new(runs)?.each(ask, |text, count| if keep(count) { writer.push(text, count) } else { Ok(()) })?;
    writer.finish()
}
