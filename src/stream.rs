//! Incremental text: ids come one by one, characters leave as soon as they are whole. `[E4 B8]`, then `[AD]`, gives
//! `""`, then `"中"`. The pieces joined equal the text of all bytes decoded at once with U+FFFD for what is broken.

use crate::utf8::State;

/// Bytes that are not a whole character yet.
#[derive(Clone, Debug, Default)]
pub struct TextStream {
    pending: Vec<u8>,
}

impl TextStream {
    /// Takes more bytes and gives the text that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let keep = incomplete_tail(&self.pending);
        let ready = self.pending.len() - keep;
        let text = String::from_utf8_lossy(&self.pending[..ready]).into_owned();
        self.pending.drain(..ready);
        text
    }

    /// Ends the text: a character that never became whole is U+FFFD.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

/// Length of the unfinished but so far valid character at the end of `bytes`: 0 to 3.
fn incomplete_tail(bytes: &[u8]) -> usize {
    // The shortest: before the first byte of a character nothing is unfinished.
    let is_unfinished = |&length: &usize| {
        let state = State::Boundary.advance_all(&bytes[bytes.len() - length..]);
        state != State::Boundary && state != State::Invalid
    };
    (1..=bytes.len().min(3)).find(is_unfinished).unwrap_or(0)
}
