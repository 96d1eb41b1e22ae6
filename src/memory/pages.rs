//! Memory is taken from the kernel a little before it is written, in pages of the size that is cheaper at the moment.
//!
//! To take as many small pages one by one, at the first write to each, is two to four times as dear as to take a large one. But
//! where the host of a virtual machine takes away what that has left free for two seconds, a large page is twenty times as dear
//! as usual, since the host must find each part of it again; small ones mostly come from what was never given away. Nobody
//! tells which it is, so the taking of each large page is timed, and after a slow one the next are small.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Bytes of a large page.
pub const LARGE: usize = 2 << 20;
/// Small pages are taken so many bytes at once.
pub const STEP: usize = 256 << 10;
/// To take a large page takes 0.1 to 0.5 ms, 4 to 6 if the host must find it; as many small ones take 0.5 to 1.
const SLOW: Duration = Duration::from_millis(2);
/// Large pages that are not asked for behind a slow one.
const REST: usize = 64;

/// How many of those are left. Threads may miscount, which costs a little time.
static TO_REST: AtomicUsize = AtomicUsize::new(0);

/// Makes what will be taken of `memory` large pages, unless they are dear now. One call for all, since it has to wait for threads that
/// take memory meanwhile.
pub fn prefer_large<T>(memory: &[T]) {
    let memory = bytes_of(memory);
    let before = memory.as_ptr().align_offset(LARGE);
    if before < memory.len() && TO_REST.load(Relaxed) == 0 {
        advise(&memory[before..], Advice::Large);
    }
}

/// Takes some of the elements of `memory`, which are about to be written, and up to a large page behind them.
pub fn take<T>(memory: &[T], which: Range<usize>) {
    take_to(bytes_of(memory), which.start * size_of::<T>(), which.end * size_of::<T>());
}

/// Of a list that is filled from front to back: the address up to which its memory was taken.
#[derive(Default)]
pub struct Ahead(usize);

impl Ahead {
    /// Takes memory for `more` elements behind those of `list`, and up to a large page behind that, but not beyond the room that the
    /// list has.
    pub fn reach<T>(&mut self, list: &mut Vec<T>, more: usize) {
        let memory = bytes_of(list.spare_capacity_mut());
        let base = memory.as_ptr().addr();
        let end = more.saturating_mul(size_of::<T>()).min(memory.len());
        self.0 = base + take_to(memory, self.0.saturating_sub(base).min(memory.len()), end);
    }
}

/// Takes the bytes of `memory` from `at` to `end`, and up to a large page behind that; returns where that ends.
fn take_to(memory: &[MaybeUninit<u8>], mut at: usize, end: usize) -> usize {
    while at < end {
        let left = memory.len() - at;
        let address = memory.as_ptr().addr() + at;
        let is_large = address.is_multiple_of(LARGE) && left >= LARGE && !rests();
        let next = at + if is_large { LARGE } else { (STEP - address % STEP).min(left) };
        let started = Instant::now();
        advise(&memory[at..next], Advice::Taken);
        if is_large && started.elapsed() > SLOW {
            TO_REST.store(REST, Relaxed);
            advise(&memory[next..], Advice::Small);
        }
        at = next;
    }
    at
}

/// Whether large pages are dear; counts those that are left out.
fn rests() -> bool {
    TO_REST.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
}

fn bytes_of<T>(memory: &[T]) -> &[MaybeUninit<u8>] {
    // SAFETY: the same bytes, borrowed for as long; any of them is a `MaybeUninit`, and nobody writes through what is shared.
    unsafe { std::slice::from_raw_parts(memory.as_ptr().cast(), size_of_val(memory)) }
}

/// What the kernel is told of a range of memory.
#[derive(Clone, Copy)]
enum Advice {
    /// Its pages had better be large.
    Large,
    /// They had better not.
    Small,
    /// It is about to be written.
    Taken,
}

#[cfg(target_os = "linux")]
fn advise(memory: &[MaybeUninit<u8>], advice: Advice) {
    const PAGE: usize = 4 << 10;
    let advice = match advice {
        Advice::Large => libc::MADV_HUGEPAGE,
        Advice::Small => libc::MADV_NOHUGEPAGE,
        Advice::Taken => libc::MADV_POPULATE_WRITE,
    };
    let before = memory.as_ptr().addr() % PAGE;
    // SAFETY: the range lies in memory that is borrowed, but for what else stands in its first page and its last; how they are mapped
    // changes, never what they hold. A kernel that does not know the advice, or has other pages, just says so.
    unsafe {
        libc::madvise(memory.as_ptr().cast_mut().byte_sub(before).cast(), memory.len() + before, advice);
    }
}

#[cfg(not(target_os = "linux"))]
fn advise(_memory: &[MaybeUninit<u8>], _advice: Advice) {}
