//! What was merged before: a bounded memory that all threads share, at most 37 MiB unless set otherwise, taken as it
//! fills. Merging costs more than fetching two lines from far away.
//!
//! Records stand one behind another in a ring, the oldest being written over: text and ids, no byte more. An index of
//! cache lines says where the record of a hash is; it may be wrong, so a record is compared with the text.
//!
//! Nobody waits for anybody. The ring is made of blocks; a thread that remembers something has one to itself, its [`Pen`]'s,
//! and takes the next when that is full. Whoever reads a record asks behind it whether its block still is what it was: if another
//! thread has taken it meanwhile, what was read is forgotten (a seqlock; see Boehm, "Can seqlocks get along with programming
//! language memory models?", 2012).

mod index;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

use index::{Index, IndexRef};

use crate::error::{Error, Result};
use crate::ids::{THIRD_BITS, TokenId};
use crate::memory::{LINE, Words, prefetch};

/// Longest text that is remembered.
pub const LONGEST: usize = 255;
/// Sizes that may be set, in bytes.
pub const SIZES: RangeInclusive<u64> = 1 << 20..=2 << 30;

/// Bytes of memories made from now on. A text that is read again and again should fit: a ring that is too small for it by
/// little holds nothing of it.
static SIZE: AtomicU64 = AtomicU64::new(37 << 20);

/// Sets the size of memories that are made from now on.
///
/// # Errors
/// A size that is not among [`SIZES`].
pub fn set_size(bytes: u64) -> Result<()> {
    if !SIZES.contains(&bytes) {
        let (least, most) = (SIZES.start() >> 20, SIZES.end() >> 20);
        return Err(Error::Argument(format!("a memo of {bytes} bytes: give {least} MiB to {most} MiB")));
    }
    SIZE.store(bytes, Relaxed);
    Ok(())
}

/// Where a record may be: the number of its first word among all that were ever given out. 0 is none.
pub type Place = u64;

/// The upper bits of an entry of the index are of the hash, the others a place.
const PLACE_BITS: u32 = 44;
/// Words of a block: many records, and few words that one behind another leaves empty.
const BLOCK_BITS: u32 = 12;
const BLOCK: u64 = 1 << BLOCK_BITS;
/// Blocks are numbered with 32 bits. These are 128 TiB of records; then nothing is remembered any more.
const BLOCKS: u64 = 1 << (PLACE_BITS - BLOCK_BITS);
/// Blocks that a thread asks for, one behind another, while others have them.
const PATIENCE: usize = 4;
/// Records that a thread then does without: each block that was asked for has used up a number.
const REST: u32 = 1000;

/// What is known of a block: the number it has among all that were ever given out, times two, plus 1 while a thread writes it.
const IS_TAKEN: u64 = 1;
/// No block has this number, and no thread writes it.
const NEVER: u64 = BLOCKS << 1;

/// The memory.
pub struct Memo {
    index: Index,
    /// Records: length in the first byte, number of ids in the second, then the text, zero padded to whole words, then the ids,
    /// three to a word.
    ring: Words<AtomicU64>,
    blocks: Box<[AtomicU64]>,
    /// Number of the next block that is given out.
    next: AtomicU64,
}

impl Default for Memo {
    fn default() -> Self {
        Self::new(SIZE.load(Relaxed))
    }
}

impl Memo {
    /// One of `bytes`, a quarter or less of which is the index.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let line_bytes = (LINE * size_of::<u64>()) as u64;
        let index_bits = (bytes / 4 / line_bytes).max(2).ilog2();
        let blocks = (bytes - (line_bytes << index_bits)) / size_of::<u64>() as u64 / BLOCK;
        Self {
            index: Index::new(index_bits),
            ring: Words::to_grow((blocks * BLOCK) as usize),
            blocks: (0..blocks).map(|_| AtomicU64::new(NEVER)).collect(),
            next: AtomicU64::new(1),
        }
    }

    /// To look up.
    #[inline(always)]
    #[must_use]
    pub fn to_read(&self) -> MemoRef<'_> {
        MemoRef { index: self.index.to_read(), ring: self.ring.get(), blocks: &self.blocks }
    }

    /// Which block of the ring those of this number are.
    #[inline(always)]
    fn block(&self, number: u64) -> usize {
        block(number, self.blocks.len())
    }

    #[inline(always)]
    fn word(&self, place: Place) -> usize {
        word_at(place, self.blocks.len())
    }
}

/// Which of `blocks` blocks those of this number are.
#[inline(always)]
fn block(number: u64, blocks: usize) -> usize {
    // 32 bits are divided faster than 64.
    (number as u32 % blocks as u32) as usize
}

#[inline(always)]
fn word_at(place: Place, blocks: usize) -> usize {
    block(place >> BLOCK_BITS, blocks) << BLOCK_BITS | (place & (BLOCK - 1)) as usize
}

/// A [`Memo`], to read in a loop: what the loop needs stays in registers.
#[derive(Clone, Copy)]
pub struct MemoRef<'a> {
    index: IndexRef<'a>,
    ring: &'a [AtomicU64],
    blocks: &'a [AtomicU64],
}

impl MemoRef<'_> {
    /// Fetches what finding a text of this hash will read.
    #[inline(always)]
    pub fn prefetch(self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Where a text of this hash may stand; what stands there is fetched ahead of time.
    #[inline(always)]
    #[must_use]
    pub fn find(self, hash: u64) -> Place {
        let place = self.index.find(hash);
        prefetch(&self.ring[word_at(place, self.blocks.len())]);
        place
    }

    /// Appends the ids of `text[start..end]` if its record is at `place`.
    #[inline]
    pub fn read(self, place: Place, text: &[u8], start: usize, end: usize, ids: &mut Vec<TokenId>) -> bool {
        if place == 0 || end - start > LONGEST {
            return false;
        }
        let (before, number) = (ids.len(), place >> BLOCK_BITS);
        let block = &self.blocks[block(number, self.blocks.len())];
        if !self.read_record(word_at(place, self.blocks.len()), text, start, end, ids) {
            return false;
        }
        // If a word was read that is of a later block, that block's number is seen here.
        fence(Acquire);
        let is_there = block.load(Relaxed) >> 1 == number;
        if !is_there {
            ids.truncate(before);
        }
        is_there
    }

    /// The same for the record at a word of the ring, whatever stands there.
    #[inline(always)]
    fn read_record(self, first: usize, text: &[u8], start: usize, end: usize, ids: &mut Vec<TokenId>) -> bool {
        let Some((record, words)) = self.ring[first..].split_first() else { return false };
        let record = record.load(Relaxed);
        let mut differs = (record ^ head(text, start, end)) & !COUNT;
        let mut words = words.iter();
        each_word(text, start + HEAD_BYTES, end, |word| {
            differs |= words.next().map_or(0, |known| known.load(Relaxed)) ^ word;
        });
        if differs != 0 {
            return false;
        }
        let count = (record >> 8 & 0xFF) as usize;
        let length = ids.len() + count;
        match words.as_slice().first_chunk::<3>() {
            // Always nine: how many they are is what the processor cannot predict.
            Some(nine) if count <= 9 => ids.extend_from_slice(nine.each_ref().map(ids_of).as_flattened()),
            _ => ids.extend(words.as_slice().iter().take(count.div_ceil(IDS_A_WORD)).flat_map(ids_of)),
        }
        ids.truncate(length);
        true
    }
}

/// What one thread remembers with.
pub struct Pen {
    memo: Arc<Memo>,
    /// Place of the next record, and of the first word behind the block.
    next: Place,
    end: Place,
    /// Turns that are still left out.
    rest: u32,
    /// Whether every id fits a third of a word, as those of two million tokens do. Nothing is remembered else.
    fits: bool,
}

impl Pen {
    /// One that has no block yet, for ids below `id_limit`.
    #[must_use]
    pub fn new(memo: Arc<Memo>, id_limit: usize) -> Self {
        Self { memo, next: 0, end: 0, rest: 0, fits: id_limit <= 1 << ID_BITS }
    }

    /// Takes the memory that is used first, for who will use all of it.
    pub fn take_few(&self) {
        self.memo.index.take_few();
    }

    /// What it writes to, to read.
    #[inline(always)]
    #[must_use]
    pub fn memo(&self) -> MemoRef<'_> {
        self.memo.to_read()
    }

    /// Remembers the ids of `text[start..end]`, if that has at most [`LONGEST`] bytes.
    pub fn put(&mut self, hash: u64, text: &[u8], start: usize, end: usize, ids: &[TokenId]) {
        let key_words = 1 + (end - start).saturating_sub(HEAD_BYTES).div_ceil(8);
        let words = key_words + ids.len().div_ceil(IDS_A_WORD);
        if end - start > LONGEST || !self.fits {
            return;
        }
        if self.next + words as u64 > self.end && !self.turn() {
            return;
        }
        let first = self.memo.word(self.next);
        let record = &self.memo.ring.get()[first..first + words];
        record[0].store(head(text, start, end) | (ids.len() as u64) << 8, Relaxed);
        let mut slots = record[1..].iter();
        each_word(text, start + HEAD_BYTES, end, |word| {
            if let Some(slot) = slots.next() {
                slot.store(word, Relaxed);
            }
        });
        let (threes, others) = ids.as_chunks::<IDS_A_WORD>();
        for (slot, &ids) in record[key_words..].iter().zip(threes) {
            slot.store(word_of(ids), Relaxed);
        }
        if let [first, others @ ..] = others {
            let second = others.first().copied().unwrap_or_default();
            record[words - 1].store(word_of([*first, second, 0]), Relaxed);
        }
        self.memo.index.note(hash, self.next);
        self.next += words as u64;
    }

    /// Gives the block back and takes another; `false` if none can be had.
    #[cold]
    fn turn(&mut self) -> bool {
        if self.rest > 0 {
            self.rest -= 1;
            return false;
        }
        self.give_back();
        let memo = &*self.memo;
        for _ in 0..PATIENCE {
            let number = memo.next.fetch_add(1, Relaxed);
            if number >= BLOCKS {
                return false;
            }
            let block = &memo.blocks[memo.block(number)];
            let before = block.load(Relaxed);
            // Behind all that whoever had it before has written.
            if before & IS_TAKEN == 0
                && block.compare_exchange(before, number << 1 | IS_TAKEN, Acquire, Relaxed).is_ok()
            {
                if number < memo.blocks.len() as u64 {
                    let first = memo.block(number) << BLOCK_BITS;
                    memo.ring.take(first..first + BLOCK as usize);
                }
                // Whoever reads a word that is written from now on sees the number when asking for it behind that.
                fence(Release);
                (self.next, self.end) = (number << BLOCK_BITS, (number + 1) << BLOCK_BITS);
                return true;
            }
        }
        self.rest = REST;
        false
    }

    fn give_back(&mut self) {
        if self.end > 0 {
            let number = (self.end >> BLOCK_BITS) - 1;
            self.memo.blocks[self.memo.block(number)].store(number << 1, Release);
        }
        (self.next, self.end) = (0, 0);
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.give_back();
    }
}

const ID_BITS: u32 = THIRD_BITS;
const IDS_A_WORD: usize = 3;

#[inline(always)]
fn word_of(ids: [TokenId; IDS_A_WORD]) -> u64 {
    let [first, second, third] = ids.map(u64::from);
    first | second << ID_BITS | third << (2 * ID_BITS)
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
fn ids_of(word: &AtomicU64) -> [TokenId; IDS_A_WORD] {
    let word = word.load(Relaxed);
    [0, ID_BITS, 2 * ID_BITS].map(|shift| (word >> shift) as TokenId & ((1 << ID_BITS) - 1))
}

/// Bytes of the text that stand in the first word of a record.
const HEAD_BYTES: usize = 6;
/// The bits of the first word that are the number of ids.
const COUNT: u64 = 0xFF00;

/// The first word of the record of `text[start..end]`, the number of ids being 0.
#[inline(always)]
fn head(text: &[u8], start: usize, end: usize) -> u64 {
    word(text, start, end) << 16 | (end - start) as u64
}

/// Calls `each` with eight bytes of `text[at..end]` after another, the last zero padded.
#[inline(always)]
fn each_word(text: &[u8], mut at: usize, end: usize, mut each: impl FnMut(u64)) {
    while end.saturating_sub(at) > 8 {
        each(word(text, at, at + 8));
        at += 8;
    }
    if at < end {
        each(word(text, at, end));
    }
}

/// Up to eight bytes from `at` on, zero padded from `end` on.
#[inline(always)]
fn word(text: &[u8], at: usize, end: usize) -> u64 {
    let length = (end - at).min(8);
    match text[at..].first_chunk::<8>() {
        Some(bytes) => u64::from_le_bytes(*bytes) & u64::MAX >> (64 - 8 * length),
        None => text[at..at + length].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}
