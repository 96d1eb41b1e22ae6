//! A table that is made when first needed, by one thread: the others go on without it meanwhile.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use once_cell::race::OnceBox;

/// The table, always the same once it is there.
pub struct Made<T> {
    made: OnceBox<T>,
    /// Whether a thread is at it, or has been.
    is_begun: AtomicBool,
}

impl<T> Default for Made<T> {
    fn default() -> Self {
        Self { made: OnceBox::new(), is_begun: AtomicBool::new(false) }
    }
}

impl<T> Made<T> {
    /// The table, if it is there.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.made.get()
    }

    /// Makes the table; `None` if another thread is making it.
    #[cold]
    pub fn make(&self, make: impl FnOnce() -> T) -> Option<&T> {
        if self.is_begun.swap(true, Relaxed) {
            return self.made.get();
        }
        Some(self.made.get_or_init(|| Box::new(make())))
    }
}
