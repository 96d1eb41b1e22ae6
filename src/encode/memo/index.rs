//! Where the record of a hash stands: cache lines of eight entries. What an entry says is a guess that the record confirms, so
//! nothing that threads do to each other here can make an answer wrong, only lose it. What a full line pushes out goes to its
//! neighbour, if that has room: at five entries a line, seven lines in a hundred would need more.
//!
//! There are few lines at first: a short text should not pay for what only a long one needs. When too many entries are pushed
//! out, there are twice as many lines, and half of the entries of each go to the new line of the same number.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

use super::{PLACE_BITS, Place};
use crate::memory::{LINE, Words, prefetch};

const PLACE: u64 = (1 << PLACE_BITS) - 1;
/// There are 2^11 lines at first, which are 128 KiB.
const FIRST_BITS: u32 = 11;
/// Most doublings: the bits of a hash that say where an entry goes then tell fewer apart in a line.
const DOUBLINGS: u32 = 10;
/// Lines for each entry that is pushed out before there are more.
const LINES_A_LOSS: u64 = 32;

/// The index.
pub struct Index {
    /// `part of the hash << 44 | place`, the newest of a line first. 0 is free.
    lines: Words<AtomicU64>,
    first_bits: u32,
    /// How often it may be doubled.
    doublings: u32,
    /// As many bits as it was doubled are 1, the lowest ones: bits of a hash that choose a line.
    doubled: AtomicU64,
    /// Entries that were pushed out since.
    lost: Apart,
}

/// In a cache line of its own, since all threads read what stands beside it.
#[derive(Default)]
#[repr(align(128))]
struct Apart(AtomicU64);

impl Index {
    /// One of at most 2^`bits` lines.
    #[must_use]
    pub fn new(bits: u32) -> Self {
        let first_bits = FIRST_BITS.min(bits).max(bits.saturating_sub(DOUBLINGS));
        let (lines, doublings) = (Words::to_grow(LINE << bits), bits - first_bits);
        Self { lines, first_bits, doublings, doubled: AtomicU64::new(0), lost: Apart::default() }
    }

    /// To look up.
    #[inline(always)]
    #[must_use]
    pub fn to_read(&self) -> IndexRef<'_> {
        let (lines, first_bits, doubled) = (self.lines.lines(), self.first_bits, self.doubled.load(Relaxed));
        IndexRef { lines, first_bits, doubled }
    }

    /// Takes the memory of the first lines.
    pub fn take_few(&self) {
        self.lines.take_few();
    }

    /// Says where the record of this hash stands; what the line says already moves on by one. Threads that do so at once may
    /// lose an entry or have one twice.
    pub fn note(&self, hash: u64, place: Place) {
        if self.to_read().line(hash)[LINE - 1].load(Relaxed) != 0 {
            self.lose();
        }
        // The line may be another one now.
        let reader = self.to_read();
        let oldest = push(reader.line(hash), tag(hash) | place);
        let neighbour = reader.neighbour(hash);
        if oldest != 0 && neighbour[LINE - 1].load(Relaxed) == 0 {
            push(neighbour, oldest);
        }
    }

    /// Counts an entry that is pushed out, and doubles the lines when there are too many.
    #[cold]
    fn lose(&self) {
        let doubled = self.doubled.load(Relaxed);
        let lines = (doubled + 1) << self.first_bits;
        // Whoever meets just this number does it; the others go on.
        if doubled.count_ones() < self.doublings && self.lost.0.fetch_add(1, Relaxed) == lines / LINES_A_LOSS {
            self.double(doubled, lines as usize);
        }
    }

    /// What other threads look for meanwhile, they may not find, and what they note may be lost.
    fn double(&self, doubled: u64, lines: usize) {
        self.lines.take(LINE * lines..2 * LINE * lines);
        let (low, high) = self.lines.lines().split_at(lines);
        for (low, high) in low.iter().zip(high) {
            // One more than a line, so that writing needs no condition.
            let (mut kept, mut moved, mut moves) = ([0; LINE + 1], [0; LINE + 1], 0);
            for (number, entry) in low.iter().enumerate() {
                let entry = entry.load(Acquire);
                (kept[number - moves], moved[moves]) = (entry, entry);
                moves += usize::from(entry >> PLACE_BITS & (doubled + 1) != 0);
            }
            for number in 0..LINE {
                high[number].store(if number < moves { moved[number] } else { 0 }, Release);
                low[number].store(if number < LINE - moves { kept[number] } else { 0 }, Release);
            }
        }
        self.doubled.store(doubled << 1 | 1, Relaxed);
        self.lost.0.store(0, Relaxed);
    }
}

/// The same, to read in a loop. If it is doubled meanwhile, what moves is not found.
#[derive(Clone, Copy)]
pub struct IndexRef<'a> {
    lines: &'a [[AtomicU64; LINE]],
    first_bits: u32,
    doubled: u64,
}

impl<'a> IndexRef<'a> {
    #[inline(always)]
    fn number(self, hash: u64) -> usize {
        ((hash & self.doubled) << self.first_bits | hash >> (64 - self.first_bits)) as usize
    }

    #[inline(always)]
    fn line(self, hash: u64) -> &'a [AtomicU64; LINE] {
        &self.lines[self.number(hash)]
    }

    /// Takes what a full line pushes out, if it is not full too.
    #[inline(always)]
    fn neighbour(self, hash: u64) -> &'a [AtomicU64; LINE] {
        &self.lines[self.number(hash) ^ 1]
    }

    /// Fetches the line of a hash ahead of time.
    #[inline(always)]
    pub fn prefetch(self, hash: u64) {
        prefetch(self.line(hash));
    }

    /// Where the record of this hash may stand.
    #[inline(always)]
    #[must_use]
    pub fn find(self, hash: u64) -> Place {
        let line = self.line(hash);
        let mut place = find_in(line, hash);
        if place == 0 && line[LINE - 1].load(Relaxed) != 0 {
            place = find_in(self.neighbour(hash), hash);
        }
        // What was written before the entry was is seen by what is read from now on.
        fence(Acquire);
        place
    }
}

/// Where the record of a hash may stand by what one line says.
#[inline(always)]
fn find_in(line: &[AtomicU64; LINE], hash: u64) -> Place {
    let tag = tag(hash);
    // All eight without a branch between them, the newest last.
    line.iter().rev().fold(0, |place, entry| {
        let differs = entry.load(Relaxed) ^ tag;
        if differs <= PLACE { differs } else { place }
    })
}

/// Puts an entry into a line before all others, and returns the last, which there is no room for then.
#[inline(always)]
fn push(line: &[AtomicU64; LINE], entry: u64) -> u64 {
    let known = line.each_ref().map(|entry| entry.load(Acquire));
    // Whoever finds a place sees the record.
    for (entry, known) in line[1..].iter().zip(known) {
        entry.store(known, Release);
    }
    line[0].store(entry, Release);
    known[LINE - 1]
}

/// The bits of a hash that stand in an entry: the highest, which choose the line at first, are not among them. Never 0, so that
/// what is free is of no hash.
#[inline(always)]
fn tag(hash: u64) -> u64 {
    1 << 63 | hash << PLACE_BITS
}
