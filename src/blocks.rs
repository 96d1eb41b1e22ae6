//! Text from a reader in blocks that may be counted or encoded apart: cut where the pretokenizer provably splits, or else
//! behind a special token that bounds what stands before it.
//!
//! A block is as large as asked for, unless no such place is in it; then it grows until there is one. Text without
//! any (a custom regex, of which nothing is proven, or one word of a gigabyte) becomes one block.

use std::io::{ErrorKind, Read};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::batch::{may_cut, may_ever_cut, splits_special};
use crate::error::{Error, Result};
use crate::pretokenize::Pretokenizer;
use crate::special::{Choice, Part, Specials};
use crate::threads::Ask;

/// Bytes behind a place that decide, special tokens aside, whether text may be cut there: of a character, and to spare.
const CHARACTER: usize = 8;
/// Bytes before the end of a block in which a place is looked for first: nearly always there is one.
const NEAR: usize = 64 << 10;

/// Largest size of a block.
pub const LARGEST: usize = 1 << 30;
/// Most bytes that are read before it is asked whether to go on: some milliseconds.
const READ: usize = 8 << 20;

/// Where a text may be cut.
#[derive(Clone, Copy)]
pub struct Cuts<'a> {
    /// What splits it.
    pub pretokenizer: &'a Pretokenizer,
    /// What no cut may part.
    pub specials: &'a Specials,
    /// Those of them between which each stretch is a text of its own.
    pub bounds: &'a Choice,
}

impl Cuts<'_> {
    /// The last of the `places` where `block` may be cut.
    fn last(self, block: &[u8], places: RangeInclusive<usize>) -> Option<usize> {
        let (first, last) = places.into_inner();
        let may_ever_cut = may_ever_cut(self.pretokenizer);
        let by_pattern = |first: usize| {
            let is_place = |&at: &usize| may_cut(self.pretokenizer, self.specials, block, at);
            if may_ever_cut { (first..=last).rev().find(is_place) } else { None }
        };
        by_pattern(first.max(last.saturating_sub(NEAR)))
            .or_else(|| self.behind_special(block, last))
            .or_else(|| by_pattern(first))
    }

    /// The last place up to `last` behind a special token that is a bound.
    fn behind_special(self, block: &[u8], last: usize) -> Option<usize> {
        let end = |part| if let Part::Special(found) = part { Some(found.end) } else { None };
        let ends = self.specials.parts(block, self.bounds).filter_map(end);
        ends.take_while(|&end| end <= last).filter(|&end| !splits_special(self.specials, block, end)).last()
    }
}

/// A reader, and what was read from it beyond the last cut.
pub struct Blocks<R> {
    input: R,
    rest: Vec<u8>,
    /// Place in the text of the first byte of `rest`.
    start: usize,
    is_over: bool,
}

impl<R: Read> Blocks<R> {
    /// Nothing is read yet.
    pub fn new(input: R) -> Self {
        Self { input, rest: Vec::new(), start: 0, is_over: false }
    }

    /// Whether all is read.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Puts the next block into `block`, whatever is there, and returns its place in the text; `None` at the end. It ends at the last
    /// place where `size` bytes (1 to [`LARGEST`]) may be cut; where there is none, `may_grow` is asked for so many bytes. Asks whether
    /// to go on before each reading.
    ///
    /// # Errors
    /// The reader's, with an empty path, and those of `ask` and `may_grow`.
    pub fn next(
        &mut self,
        cuts: Cuts<'_>,
        size: usize,
        block: &mut Vec<u8>,
        ask: Ask<'_>,
        may_grow: impl Fn(usize) -> Result<()>,
    ) -> Result<Option<usize>> {
        let mut filled = self.rest.len();
        let (mut wanted, mut first) = (size.clamp(1, LARGEST).max(filled + 1), 1);
        block.resize(wanted, 0);
        block[..filled].copy_from_slice(&self.rest);
        let cut = loop {
            self.fill(block, &mut filled, wanted, ask)?;
            if self.is_over {
                break filled;
            }
            // What decides about a place must have been read.
            let last = filled.saturating_sub(cuts.specials.longest() + CHARACTER);
            if let Some(cut) = cuts.last(block, first..=last) {
                break cut;
            }
            (first, wanted) = (last + 1, 2 * filled);
            may_grow(wanted)?;
        };
        self.rest.clear();
        self.rest.extend_from_slice(&block[cut..]);
        block.truncate(cut);
        let start = self.start;
        self.start += cut;
        Ok((cut > 0).then_some(start))
    }

    /// Reads until `block`, of which `filled` bytes are text, has `wanted` bytes or the text is over.
    fn fill(&mut self, block: &mut Vec<u8>, filled: &mut usize, wanted: usize, ask: Ask<'_>) -> Result<()> {
        block.resize(wanted, 0);
        while *filled < wanted && !self.is_over {
            // A signal that came before would not end the reading, nor does any end that of a large file.
            ask()?;
            let end = wanted.min(*filled + READ);
            match self.input.read(&mut block[*filled..end]) {
                Ok(0) => self.is_over = true,
                Ok(count) => *filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Io { path: PathBuf::new(), source }),
            }
        }
        block.truncate(*filled);
        Ok(())
    }
}
