//! Large tables of machine words that start at a cache line and, on Linux, sit in large pages where those are cheap: a random
//! look into a few megabytes of small ones misses the address cache as often as the data cache.

pub mod pages;

use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use pages::{Ahead, LARGE, PAGE, prefer_large};

/// Words of a cache line.
pub const LINE: usize = 8;
/// Bytes from which on a table is worth large pages of its own.
const MANY: usize = 512 << 10;
/// Bytes of a table that grows which are in small pages, most of them untouched while it is small.
const FEW: usize = 128 << 10;

/// What a table may be of.
///
/// # Safety
/// All bits zero are a value of the type.
pub unsafe trait Word: Sized {}
// SAFETY: 0.
unsafe impl Word for u64 {}
// SAFETY: 0, an atomic having the bits of what is in it.
unsafe impl Word for AtomicU64 {}

/// A zeroed table.
pub struct Words<W = u64> {
    all: Box<[W]>,
    /// Where the first cache line (or large page) begins.
    offset: usize,
    len: usize,
    /// Words up to the end of its last page.
    room: usize,
}

impl Words {
    /// `len` words of zero, which will all be written.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let mut table = Self::zeroed(len, 0);
        table.take(0..len);
        table
    }

    /// Takes the memory of some words that were never written and are about to be.
    pub fn take(&mut self, words: Range<usize>) {
        let behind = &mut self.all[self.offset + words.start..self.offset + self.room];
        take_all(Cell::from_mut(behind).as_slice_of_cells(), words.len(), |word| word.set(0));
    }
}

impl Words<AtomicU64> {
    /// The same of words that threads share.
    pub fn take(&self, words: Range<usize>) {
        let behind = &self.all[self.offset + words.start..self.offset + self.room];
        take_all(behind, words.len(), |word| word.store(0, Relaxed));
    }
}

/// Takes the first `count` of some words by writing to each page, large ones first. A page that is read before it is written is
/// taken twice, and then all threads must hear of it.
fn take_all<W>(words: &[W], count: usize, write: impl Fn(&W)) {
    pages::take(words, count, &write);
    words[..count].iter().step_by(PAGE / size_of::<W>()).for_each(write);
}

impl<W: Word> Words<W> {
    /// `len` words of zero, of which first a few will be written, later maybe all.
    #[must_use]
    pub fn to_grow(len: usize) -> Self {
        Self::zeroed(len, FEW)
    }

    /// If they are many, the words behind the first `small` bytes begin with a large page, and the last has room for one.
    fn zeroed(len: usize, small: usize) -> Self {
        let size = size_of::<W>();
        let is_large = len * size >= MANY;
        let (small, align) = if is_large { (small / size, LARGE / size) } else { (0, LINE) };
        let room = small + (len - small).next_multiple_of(align);
        let all = Box::new_zeroed_slice(room + align);
        // SAFETY: all bits are zero, which is a value of every `Word`.
        let all: Box<[W]> = unsafe { all.assume_init() };
        let offset = all.as_ptr().wrapping_add(small).align_offset(align * size);
        let table = Self { offset: if offset > align { 0 } else { offset }, room, all, len };
        if is_large {
            let _ = prefer_large(&table.all[table.offset + small..]);
        }
        table
    }

    /// Takes the memory of the first few words of a table that grows, with one call of the kernel where it has one for that: for who
    /// will use most of it, and reads before writing.
    pub fn take_few(&self) {
        pages::take_now(&self.all[self.offset..self.offset + self.len.min(FEW / size_of::<W>())]);
    }

    /// The words.
    #[inline(always)]
    #[must_use]
    pub fn get(&self) -> &[W] {
        // SAFETY: `offset + len` is at most `all.len()`, as `zeroed` sees to, and nothing changes them. Asked each time, that was one in
        // twenty instructions of filling gaps.
        unsafe { self.all.get_unchecked(self.offset..self.offset + self.len) }
    }

    /// The same as whole cache lines.
    #[inline(always)]
    #[must_use]
    pub fn lines(&self) -> &[[W; LINE]] {
        self.get().as_chunks().0
    }

    /// The same as whole cache lines, to write.
    #[inline(always)]
    pub fn lines_mut(&mut self) -> &mut [[W; LINE]] {
        self.get_mut().as_chunks_mut().0
    }

    /// The words, to write.
    #[inline(always)]
    pub fn get_mut(&mut self) -> &mut [W] {
        &mut self.all[self.offset..self.offset + self.len]
    }
}

/// An empty list with room for `len` elements, and the memory of that.
#[must_use]
pub fn large_vec<T: Copy>(len: usize) -> (Vec<T>, Ahead) {
    let mut list: Vec<T> = Vec::new();
    // Room that the system refuses is no error: it may not be needed, and the list grows if it is.
    let _ = list.try_reserve_exact(len);
    let is_large = list.capacity() * size_of::<T>() >= pages::MANY;
    let ahead = if is_large { Ahead::of(&mut list) } else { Ahead::default() };
    (list, ahead)
}

/// Asks for the cache line of `line` without waiting for it.
#[inline(always)]
pub fn prefetch<T>(line: &T) {
    prefetch_at(std::ptr::from_ref(line));
}

/// The same for an address, whatever stands there.
#[inline(always)]
pub fn prefetch_at<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint; it reads nothing and cannot fault, whatever the address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
