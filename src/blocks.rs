//! Text from a reader in blocks that may be encoded apart: cut only where the pretokenizer provably splits and no
//! special token is cut.
//!
//! A block is as large as asked for, unless no such place is in it; then it grows until there is one. Text without
//! any (a custom regex, of which nothing is proven, or one word of a gigabyte) becomes one block.

use std::io::{ErrorKind, Read};

use crate::batch::{may_cut, may_ever_cut};
use crate::error::Result;
use crate::pretokenize::Pretokenizer;
use crate::special::Specials;

/// Bytes on either side of a place that decide whether two characters may be parted.
const CHARACTER: usize = 4;

/// Largest size of a block.
pub const LARGEST: usize = 1 << 30;
/// Most bytes that are read before it is asked whether to go on: some milliseconds.
const READ: usize = 8 << 20;

/// A reader, and what was read from it beyond the last cut.
pub struct Blocks<R> {
    input: R,
    rest: Vec<u8>,
    /// Place in the text of the first byte of `rest`.
    start: usize,
    is_over: bool,
}

/// Why there is no block.
pub enum Failure {
    /// The reader's error.
    Reading(std::io::Error),
    /// The caller asked to stop.
    Stopped(crate::error::Error),
}

impl<R: Read> Blocks<R> {
    /// Nothing is read yet.
    pub fn new(input: R) -> Self {
        Self { input, rest: Vec::new(), start: 0, is_over: false }
    }

    /// Puts the next block into `block` and returns its place in the text; `None` at the end. It is what was left of the one before
    /// and `size` bytes more (1 to [`LARGEST`]), up to the last place where they may be cut, or more where there is none. `pause` is
    /// asked whether to go on before each reading.
    ///
    /// # Errors
    /// Those of the reader and of `pause`.
    pub fn next(
        &mut self,
        (pretokenizer, specials): (&Pretokenizer, &Specials),
        size: usize,
        block: &mut Vec<u8>,
        pause: &mut dyn FnMut() -> Result<()>,
    ) -> std::result::Result<Option<usize>, Failure> {
        block.clear();
        block.append(&mut self.rest);
        let reach = specials.longest().max(CHARACTER);
        let may_ever_cut = may_ever_cut(pretokenizer);
        let (mut wanted, mut searched) = (block.len() + size.clamp(1, LARGEST), 0);
        let cut = loop {
            self.fill(block, wanted, pause)?;
            if self.is_over {
                break block.len();
            }
            // What decides about a place must have been read.
            let last = block.len().saturating_sub(reach);
            if may_ever_cut
                && let Some(cut) = (searched..=last).rev().find(|&at| may_cut(pretokenizer, specials, block, at))
            {
                break cut;
            }
            searched = last + 1;
            wanted = 2 * block.len();
        };
        self.rest.extend_from_slice(&block[cut..]);
        block.truncate(cut);
        let start = self.start;
        self.start += cut;
        Ok((cut > 0).then_some(start))
    }

    /// Reads until `block` has `wanted` bytes or the text is over.
    fn fill(
        &mut self,
        block: &mut Vec<u8>,
        wanted: usize,
        pause: &mut dyn FnMut() -> Result<()>,
    ) -> std::result::Result<(), Failure> {
        let mut filled = block.len();
        block.resize(wanted, 0);
        while filled < wanted && !self.is_over {
            // A signal that came before would not end the reading, nor does any end that of a large file.
            pause().map_err(Failure::Stopped)?;
            let end = wanted.min(filled + READ);
            match self.input.read(&mut block[filled..end]) {
                Ok(0) => self.is_over = true,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::Reading(error)),
            }
        }
        block.truncate(filled);
        Ok(())
    }
}
