//! Threads as they can be had, and work that stops when it is told to.
//!
//! A system may give fewer threads than it is asked for; work goes on with those that started. Signals are for the calling
//! thread, so it asks between pieces of work whether to go on, and while it waits; the others are told.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::error::Result;

/// How often the calling thread asks whether to go on while it waits for others.
pub const PATIENCE: Duration = Duration::from_millis(50);
/// Bytes of text between two questions: half a millisecond of work or more, a thousand times what asking takes.
pub const STEP: usize = 256 << 10;
/// How long is between two questions where a few bytes may take long.
pub const LATE: Duration = Duration::from_millis(20);

/// Asks whether to go on; an error ends the work.
pub type Ask<'a> = &'a mut (dyn FnMut() -> Result<()> + 'a);

/// Asks after every so many bytes of text; the default never does.
#[derive(Default)]
pub struct Steps<'a> {
    ask: Option<Ask<'a>>,
    /// Bytes since the last question.
    bytes: usize,
    /// When that was, where it matters.
    asked: Option<Instant>,
}

impl<'a> Steps<'a> {
    /// Nothing is done yet.
    pub fn new(ask: Ask<'a>) -> Self {
        Self { ask: Some(ask), bytes: 0, asked: None }
    }

    /// Notes that so many bytes come next.
    ///
    /// # Errors
    /// The work is to end.
    #[inline]
    pub fn take(&mut self, bytes: usize) -> Result<()> {
        self.bytes += bytes;
        if self.bytes < STEP { Ok(()) } else { self.ask() }
    }

    /// The same for bytes that may take long.
    ///
    /// # Errors
    /// The work is to end.
    pub fn take_slowly(&mut self, bytes: usize) -> Result<()> {
        self.bytes += bytes;
        let asked = *self.asked.get_or_insert_with(Instant::now);
        if self.bytes < STEP && asked.elapsed() < LATE { Ok(()) } else { self.ask() }
    }

    #[cold]
    fn ask(&mut self) -> Result<()> {
        self.bytes = 0;
        self.asked = self.asked.map(|_| Instant::now());
        self.ask.as_mut().map_or(Ok(()), |ask| ask())
    }
}

/// Starts a thread, if the system gives one.
pub fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Option<ScopedJoinHandle<'scope, T>> {
    Builder::new().spawn_scoped(scope, work).ok()
}

/// Waits until all who might send something are gone, whatever they send.
///
/// # Errors
/// That of `ask`; then some may still be there.
pub fn wait<T>(senders: &Receiver<T>, ask: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    loop {
        match senders.recv_timeout(PATIENCE) {
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => ask()?,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}
