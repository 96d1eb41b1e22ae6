//! Large tables of machine words that start at a cache line and, on Linux, sit in huge pages: a random look into a few
//! megabytes of small pages misses the address cache as often as the data cache.

use std::sync::atomic::AtomicU64;

/// Words of a cache line.
pub const LINE: usize = 8;
const HUGE_PAGE: usize = 2 << 20;
/// From here on a table is worth huge pages of its own.
const LARGE: usize = 512 << 10;

/// What a table may be of.
///
/// # Safety
/// All bits zero are a value of the type.
pub unsafe trait Word: Sized {}
// SAFETY: 0.
unsafe impl Word for u64 {}
// SAFETY: 0, an atomic having the bits of what is in it.
unsafe impl Word for AtomicU64 {}

/// A zeroed table. Its memory is taken when first written, not when made.
pub struct Words<W = u64> {
    all: Box<[W]>,
    /// Where the first cache line (or huge page) begins.
    offset: usize,
    len: usize,
}

impl<W: Word> Words<W> {
    /// `len` words of zero.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let bytes = len * size_of::<W>();
        let align = if bytes >= LARGE { HUGE_PAGE } else { LINE * size_of::<W>() };
        // Whole huge pages: what is not written takes no memory before the kernel gives one.
        let room = if bytes >= LARGE { bytes.next_multiple_of(HUGE_PAGE) / size_of::<W>() } else { len };
        let all = Box::new_zeroed_slice(room + align / size_of::<W>());
        // SAFETY: all bits are zero, which is a value of every `Word`.
        let all: Box<[W]> = unsafe { all.assume_init() };
        let offset = all.as_ptr().align_offset(align);
        let table = Self { offset: if offset > all.len() - len { 0 } else { offset }, all, len };
        if bytes >= LARGE {
            advise_huge(&table.all[table.offset..]);
        }
        table
    }

    /// The words.
    #[inline(always)]
    #[must_use]
    pub fn get(&self) -> &[W] {
        // SAFETY: `offset + len` is at most `all.len()`, as `new` sees to, and nothing changes them. Asked each time, that was one in
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

/// An empty list with room for `len` elements, in huge pages where it is large: the first write to each small page costs
/// microseconds on a virtual machine, which for a large output is a tenth of the time to encode it.
#[must_use]
pub fn large_vec<T: Copy>(len: usize) -> Vec<T> {
    let mut list: Vec<T> = Vec::new();
    // Room that the system refuses is no error: it may not be needed, and the list grows if it is.
    let _ = list.try_reserve_exact(len);
    let spare = list.spare_capacity_mut();
    if size_of_val(spare) >= 2 * HUGE_PAGE {
        advise_huge(spare);
    }
    list
}

#[cfg(target_os = "linux")]
fn advise_huge<T>(memory: &[T]) {
    let start = memory.as_ptr().cast::<u8>();
    let before = start.align_offset(HUGE_PAGE);
    let Some(bytes) = size_of_val(memory).checked_sub(before) else { return };
    // SAFETY: the range lies in memory that this slice borrows (`before + bytes` is its size); MADV_HUGEPAGE changes how
    // it is mapped, never what it holds, and a kernel that refuses just says so.
    unsafe {
        libc::madvise(start.add(before).cast_mut().cast(), bytes, libc::MADV_HUGEPAGE);
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_huge<T>(_memory: &[T]) {}

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
