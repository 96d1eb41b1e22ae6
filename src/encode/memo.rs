//! What was merged before: a bounded memory that one thread owns, at most 37 MiB unless set otherwise, taken as it
//! fills. Merging costs more than fetching two lines from far away.
//!
//! Records stand one behind another in a ring, the oldest being written over: text and ids, no byte more. An index of
//! cache lines says where the record of a hash is; it may be wrong, so a record is compared with the text.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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
        return Err(Error::Argument(format!("a memo of {bytes} bytes a thread: give {least} MiB to {most} MiB")));
    }
    SIZE.store(bytes, Relaxed);
    Ok(())
}

/// Where a record may be: the number of its first word among all that were ever written, plus 1. 0 is none.
pub type Place = u32;

/// The memory.
pub struct Memo {
    /// `tag << 32 | place`, the newest of a line first. 0 is free.
    index: Words,
    /// Records: length in the first byte, number of ids in the second, then the text, zero padded to whole words, then the ids,
    /// three to a word.
    ring: Words,
    /// Words ever written; those before the last ring are gone.
    written: u64,
    /// Words of the ring.
    size: u32,
    shift: u32,
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
        let size = ((bytes - (line_bytes << index_bits)) / size_of::<u64>() as u64) as u32;
        Self {
            index: Words::new(LINE << index_bits),
            ring: Words::new(size as usize),
            written: 0,
            size,
            shift: 64 - index_bits,
        }
    }

    #[inline(always)]
    fn line(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    /// Fetches the line of a hash ahead of time.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        prefetch(&self.index.lines()[self.line(hash)]);
    }

    /// Where a text of this hash may stand.
    #[inline(always)]
    #[must_use]
    pub fn find(&self, hash: u64) -> Place {
        let tag = hash as u32;
        let line = &self.index.lines()[self.line(hash)];
        // All eight without a branch between them, the newest last.
        line.iter().rev().fold(0, |place, &entry| if (entry >> 32) as u32 == tag { entry as u32 } else { place })
    }

    /// Fetches a record ahead of time.
    #[inline(always)]
    pub fn prefetch_record(&self, place: Place) {
        prefetch(&self.ring.get()[self.word(place)]);
    }

    #[inline(always)]
    fn word(&self, place: Place) -> usize {
        (place.wrapping_sub(1) % self.size) as usize
    }

    /// Appends the ids of `text[start..end]` if its record is at `place`.
    #[inline]
    pub fn read(&self, place: Place, text: &[u8], start: usize, end: usize, ids: &mut Vec<TokenId>) -> bool {
        // Written over since, or found before everything was forgotten: what stands there now could look like anything.
        let first = u64::from(place).wrapping_sub(1);
        let is_there = first < self.written && first + u64::from(self.size) >= self.written;
        if !is_there || end - start > LONGEST {
            return false;
        }
        let record = &self.ring.get()[self.word(place)..];
        let mut differs = (record[0] ^ head(text, start, end)) & !COUNT;
        let mut at = start + HEAD_BYTES;
        let mut words = &record[1..];
        while at < end && differs == 0 {
            differs = words[0] ^ word(text, at, end);
            words = &words[1..];
            at += 8;
        }
        if differs != 0 {
            return false;
        }
        let count = (record[0] >> 8 & 0xFF) as usize;
        let length = ids.len() + count;
        if let (0..=9, Some([a, b, c])) = (count, words.first_chunk()) {
            // Always nine: how many they are is what the processor cannot predict.
            ids.extend_from_slice([unpack(*a), unpack(*b), unpack(*c)].as_flattened());
        } else {
            ids.extend(words[..count.div_ceil(IDS_A_WORD)].iter().flat_map(|&word| unpack(word)));
        }
        ids.truncate(length);
        true
    }

    /// Remembers the ids of `text[start..end]`, if that has at most [`LONGEST`] bytes and they are at most 21 bits long, as those
    /// of two million tokens are.
    pub fn put(&mut self, hash: u64, text: &[u8], start: usize, end: usize, ids: &[TokenId]) {
        let key_words = 1 + (end - start).saturating_sub(HEAD_BYTES).div_ceil(8);
        let words = key_words + ids.len().div_ceil(IDS_A_WORD);
        if end - start > LONGEST || ids.iter().any(|id| id >> ID_BITS != 0) {
            return;
        }
        let size = u64::from(self.size);
        // Places are numbered with 32 bits: before these run out, everything is forgotten.
        if self.written + 2 * size > u64::from(u32::MAX) {
            self.index.get_mut().fill(0);
            self.written = 0;
        }
        // A record does not go around the end.
        if self.written % size + words as u64 > size {
            self.written = self.written.next_multiple_of(size);
        }
        let place = (self.written + 1) as Place;
        let first = self.word(place);
        let record = &mut self.ring.get_mut()[first..first + words];
        record[0] = head(text, start, end) | (ids.len() as u64) << 8;
        for (i, slot) in record[1..key_words].iter_mut().enumerate() {
            *slot = word(text, start + HEAD_BYTES + 8 * i, end);
        }
        for (slot, ids) in record[key_words..].iter_mut().zip(ids.chunks(IDS_A_WORD)) {
            *slot = ids.iter().rev().fold(0, |word, &id| word << ID_BITS | u64::from(id));
        }
        self.written += words as u64;
        let line = self.line(hash);
        let line = &mut self.index.lines_mut()[line];
        let [newest @ .., _] = *line;
        line[1..].copy_from_slice(&newest);
        line[0] = hash << 32 | u64::from(place);
    }
}

const ID_BITS: u32 = THIRD_BITS;
const IDS_A_WORD: usize = 3;

#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
fn unpack(word: u64) -> [TokenId; IDS_A_WORD] {
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

/// Up to eight bytes from `at` on, zero padded from `end` on.
#[inline(always)]
fn word(text: &[u8], at: usize, end: usize) -> u64 {
    let length = (end - at).min(8);
    match text[at..].first_chunk::<8>() {
        Some(bytes) => u64::from_le_bytes(*bytes) & u64::MAX >> (64 - 8 * length),
        None => text[at..at + length].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}
