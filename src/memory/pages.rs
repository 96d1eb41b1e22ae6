//! Large pages for large memory, where they are cheap.
//!
//! To take small pages, one at the first write to each, is two to four times as dear as to take as much in a large one. But
//! where the host of a virtual machine takes away what that has left free for two seconds, a large page is twenty times as dear
//! as usual, since the host must find each part of it again; small ones mostly come from what was never given away. Nobody
//! tells which it is, so the first write to each large page is timed, and after a slow one the next are small: twice in a process.
//! Later all are large, since memory that is used again and again is found only once.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Bytes of a page, at least.
pub const PAGE: usize = 4 << 10;
/// Bytes of a large page.
pub const LARGE: usize = 2 << 20;
/// To take a large page takes 0.1 to 0.5 ms, 4 to 6 if the host must find it; as many small ones take 0.5 to 1.5.
const SLOW: Duration = Duration::from_millis(2);
/// Large pages that are not asked for behind a slow one.
const REST: usize = 64;
/// How often they are left out.
const RESTS: usize = 2;

/// How many of those pages are left.
static TO_REST: AtomicUsize = AtomicUsize::new(0);
/// How often it has rested.
static RESTED: AtomicUsize = AtomicUsize::new(0);

/// Whether large pages are left out now.
pub fn are_dear() -> bool {
    TO_REST.load(Relaxed) > 0
}

/// Asks for large pages for `memory`, which nobody has written to, unless they are dear now; returns whether it did.
pub fn prefer_large<T>(memory: &[T]) -> bool {
    let are_cheap = !are_dear();
    if are_cheap {
        advise(memory, LARGE, Advice::Large);
    } else {
        rest(memory);
    }
    are_cheap
}

/// Leaves out the large pages of `memory`.
fn rest<T>(memory: &[T]) {
    let pages = size_of_val(memory) / LARGE;
    let _ = TO_REST.fetch_update(Relaxed, Relaxed, |left| Some(left.saturating_sub(pages)));
}

/// Calls `write`, which writes to them, for the elements among the first `count` of `memory` with which a large page begins, before
/// anything else is written there. Once those are dear, no longer, and what is left of `memory` is to be small; returns whether it is.
///
/// One call of the kernel that takes many pages would cost less than writing to each, but let other threads wait meanwhile.
pub fn take<T>(memory: &[T], count: usize, write: impl Fn(&T)) -> bool {
    let address = memory.as_ptr().addr();
    let first = (address.next_multiple_of(LARGE) - address).div_ceil(size_of::<T>());
    for number in (first..count.min(memory.len())).step_by(LARGE / size_of::<T>()) {
        let started = Instant::now();
        if !are_dear() {
            write(&memory[number]);
        }
        if started.elapsed() > SLOW && RESTED.fetch_add(1, Relaxed) < RESTS {
            TO_REST.store(REST, Relaxed);
        }
        if are_dear() {
            advise(&memory[number..], PAGE, Advice::Small);
            rest(&memory[number..]);
            return true;
        }
    }
    false
}

/// Takes the small pages of memory that nobody has written to, without writing to it here.
pub fn take_now<T>(memory: &[T]) {
    advise(memory, PAGE, Advice::Now);
}

/// A list that is filled from front to back, and the memory behind it. The default is none, or a small one: all that is to be
/// taken ahead of it is.
pub struct Ahead {
    /// Address up to which its memory was taken.
    taken: usize,
    is_small: bool,
}

impl Default for Ahead {
    fn default() -> Self {
        Self { taken: usize::MAX, is_small: false }
    }
}

impl Ahead {
    /// Asks for large pages for the room of an empty list, if they may be had.
    pub fn of<T>(list: &mut Vec<T>) -> Self {
        Self { taken: 0, is_small: !prefer_large(list.spare_capacity_mut()) }
    }

    /// Takes memory for `more` elements behind those of `list`, unless there is some for half as many, but not beyond the room that it
    /// has: who fills less than that between two calls writes to nothing else, and there are few calls of the kernel.
    pub fn reach<T>(&mut self, list: &mut Vec<T>, more: usize) {
        let spare = list.spare_capacity_mut();
        let address = spare.as_ptr().addr();
        let taken = (self.taken.saturating_sub(address) / size_of::<T>()).min(spare.len());
        if taken >= more.div_ceil(2).min(spare.len()) {
            return;
        }
        let behind = Cell::from_mut(&mut spare[taken..]).as_slice_of_cells();
        let count = (more - taken).min(behind.len());
        if !self.is_small {
            self.is_small = take(behind, count, |element| element.set(MaybeUninit::zeroed()));
        }
        // A list that is filled in order is that of one thread: no other of the same call waits.
        if self.is_small {
            take_now(&behind[..count]);
        }
        self.taken = address + (taken + count) * size_of::<T>();
    }
}

/// What the kernel is told of the pages of a range of memory.
#[derive(Clone, Copy)]
enum Advice {
    Large,
    Small,
    /// To take them, as writing to each would.
    Now,
}

/// Tells it, of those pages that lie in `memory` from their beginning on, the first of them at a multiple of `align`.
#[cfg(target_os = "linux")]
fn advise<T>(memory: &[T], align: usize, advice: Advice) {
    let advice = match advice {
        Advice::Large => libc::MADV_HUGEPAGE,
        Advice::Small => libc::MADV_NOHUGEPAGE,
        Advice::Now => libc::MADV_POPULATE_WRITE,
    };
    // Only an address and a length: other threads may write there meanwhile.
    let (address, bytes) = (memory.as_ptr().cast::<u8>(), size_of_val(memory));
    let before = address.align_offset(align).min(bytes);
    // SAFETY: the range lies in memory that is borrowed, but for what else stands in its last page; how it is mapped changes, never
    // what it holds. A kernel that does not know the advice, or has other pages, just says so.
    unsafe {
        libc::madvise(address.wrapping_add(before).cast_mut().cast(), bytes - before, advice);
    }
}

#[cfg(not(target_os = "linux"))]
fn advise<T>(_memory: &[T], _align: usize, _advice: Advice) {}
