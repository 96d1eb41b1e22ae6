//! Which tokens may come next so that the text so far can still become valid UTF-8; nothing about how a model chooses.
//!
//! A token may start inside a character, or end inside one. What it may follow depends only on the state of the UTF-8
//! automaton, so one table of `[states, ids]` answers every step: a row is the mask of a state.
//!
//! ```
//! use bpetok::masks::table;
//! use bpetok::utf8::State;
//! let tokens: [(u32, &[u8]); 4] = [(0, b"a"), (1, b"\xC3"), (2, b"\xA9"), (3, b"\xA9!")];
//! let table = table(5, tokens, [4]); // 4 is a special token
//! let mask = |state: State| &table[state as usize * 5..][..5];
//! assert_eq!(mask(State::Boundary), [true, true, false, false, true]);
//! assert_eq!(mask(State::One), [false, false, true, true, false]);
//! ```

use crate::ids::TokenId;
use crate::utf8::State;

/// For every state, in the order of [`State::ALL`], which of `size` ids may follow: `[states, ids]`, row by row.
///
/// Ids without a token may never follow, special ones only where a text may end, and nothing follows
/// [`State::Invalid`].
#[must_use]
pub fn table<'a>(
    size: usize,
    tokens: impl IntoIterator<Item = (TokenId, &'a [u8])>,
    specials: impl IntoIterator<Item = TokenId>,
) -> Vec<bool> {
    let mut table = vec![false; State::ALL.len() * size];
    for (id, bytes) in tokens {
        for state in State::ALL {
            table[state as usize * size + id as usize] = may_follow(state, bytes);
        }
    }
    for id in specials {
        for state in State::ALL {
            table[state as usize * size + id as usize] = state == State::Boundary;
        }
    }
    table
}

/// Whether `bytes` can follow `state`. Nearly all tokens fail at their first byte in all states but one, so stopping
/// there is what makes the table of 200,000 tokens a matter of milliseconds.
fn may_follow(state: State, bytes: &[u8]) -> bool {
    state != State::Invalid
        && bytes
            .iter()
            .try_fold(state, |state, &byte| match state.advance(byte) {
                State::Invalid => None,
                next => Some(next),
            })
            .is_some()
}
