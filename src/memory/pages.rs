//! Large pages for large memory, where they are cheap.
//!
//! To take small pages, one at the first write to each, is two to four times as dear as to take as much in a large one. But
//! where the host of a virtual machine takes away what that has left free for two seconds, a large page is twenty times as dear
//! as usual, since the host must find each part of it again; small ones mostly come from what was never given away. Nobody
//! tells which it is, so the first write to each large page is timed, and after a slow one the next are small: twice in a process.
//! Later all are large, since memory that is used again and again is found only once.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Bytes of a page, at least.
pub const PAGE: usize = 4 << 10;
/// Bytes of a large page.
pub const LARGE: usize = 2 << 20;
/// Bytes from which on a list is worth large pages of its own.
pub const MANY: usize = 2 * LARGE;
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
fn are_dear() -> bool {
    TO_REST.load(Relaxed) > 0
}

/// Takes a large page by `take`, unless they are left out, and leaves out the next if that was slow.
fn take_timed(take: impl FnOnce()) {
    if are_dear() {
        return;
    }
    let started = Instant::now();
    take();
    if started.elapsed() > SLOW && RESTED.fetch_add(1, Relaxed) < RESTS {
        TO_REST.store(REST, Relaxed);
    }
}

/// Asks for large pages for `memory`, which nobody has written to, unless they are dear now; returns whether it did.
pub fn prefer_large<T>(memory: &[T]) -> bool {
    let are_cheap = !are_dear();
    if are_cheap {
        advise(memory, LARGE, Advice::Large);
    } else {
        rest(size_of_val(memory));
    }
    are_cheap
}

/// Leaves out the large pages of so many bytes.
fn rest(bytes: usize) {
    let _ = TO_REST.fetch_update(Relaxed, Relaxed, |left| Some(left.saturating_sub(bytes / LARGE)));
}

/// Calls `write`, which writes to them, for the elements among the first `count` of `memory` with which a large page begins, before
/// anything else is written there. Once those are dear, no longer, and what is left of `memory` is to be small; returns whether it is.
///
/// One call of the kernel that takes many pages would cost less than writing to each, but let other threads wait meanwhile.
pub fn take<T>(memory: &[T], count: usize, write: impl Fn(&T)) -> bool {
    let address = memory.as_ptr().addr();
    let first = (address.next_multiple_of(LARGE) - address).div_ceil(size_of::<T>());
    for number in (first..count.min(memory.len())).step_by(LARGE / size_of::<T>()) {
        take_timed(|| write(&memory[number]));
        if are_dear() {
            advise(&memory[number..], PAGE, Advice::Small);
            rest(size_of_val(&memory[number..]));
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

/// Memory that several threads fill from front to back, each a piece. Where some write first to the same large page, the kernel
/// clears one for each of them and keeps one; so one thread takes it for all, some time before.
pub struct Front {
    /// Address up to which some thread took it, or is about to.
    taken: AtomicUsize,
    end: usize,
    /// How much is taken before it is filled.
    lead: usize,
    is_small: AtomicBool,
}

impl Front {
    /// Nothing of `memory` was taken. Of little none is taken ahead.
    pub fn of<T>(memory: &[T]) -> Self {
        let Range { start, end } = memory.as_ptr_range();
        let is_small = are_dear();
        if is_small {
            advise(memory, PAGE, Advice::Small);
        }
        let bytes = size_of_val(memory);
        let taken = if bytes < MANY { end } else { start };
        // 16 threads fill a large page in the time that it takes to take one. The last of what is taken may not be needed.
        let lead = (bytes / 32).clamp(LARGE, 4 * LARGE);
        Self { taken: AtomicUsize::new(taken.addr()), end: end.addr(), lead, is_small: AtomicBool::new(is_small) }
    }

    /// Takes memory before `piece` of it is filled: one large page, which may be of what comes behind, if there are not enough; or
    /// small ones for the piece, with one call. Others may have to wait for that, but each page alone costs half as much again.
    pub fn reach<T>(&self, piece: &[T]) {
        let needed = piece.as_ptr_range().end.addr();
        let wanted = needed.saturating_add(self.lead).min(self.end);
        let behind = |taken: usize| (taken + 1).next_multiple_of(LARGE).min(self.end);
        let claim = |taken| (taken < wanted).then(|| behind(taken));
        while !self.is_small.load(Relaxed)
            && let Ok(start) = self.taken.fetch_update(Relaxed, Relaxed, claim)
        {
            let end = behind(start);
            take_timed(|| advise_range(start..end, PAGE, Advice::Now));
            if are_dear() && !self.is_small.swap(true, Relaxed) {
                advise_range(end..self.end, PAGE, Advice::Small);
                rest(self.end - end);
            }
            // The first may end right behind where it begins.
            if end >= needed {
                break;
            }
        }
        if self.is_small.load(Relaxed) {
            take_now(piece);
        }
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
fn advise<T>(memory: &[T], align: usize, advice: Advice) {
    let Range { start, end } = memory.as_ptr_range();
    advise_range(start.addr()..end.addr(), align, advice);
}

/// The same of some addresses.
#[cfg(target_os = "linux")]
fn advise_range(memory: Range<usize>, align: usize, advice: Advice) {
    let advice = match advice {
        Advice::Large => libc::MADV_HUGEPAGE,
        Advice::Small => libc::MADV_NOHUGEPAGE,
        Advice::Now => libc::MADV_POPULATE_WRITE,
    };
    let start = memory.start.next_multiple_of(align);
    let bytes = memory.end.saturating_sub(start);
    // SAFETY: only addresses, to which others may write meanwhile. How what is there is mapped changes, and of what else stands in its
    // last page, never what it holds. A kernel that does not know the advice, or finds nothing there, just says so.
    unsafe {
        libc::madvise(std::ptr::without_provenance_mut(start), bytes, advice);
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_range(_memory: Range<usize>, _align: usize, _advice: Advice) {}
