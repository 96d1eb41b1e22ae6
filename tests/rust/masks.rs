//! Masks against the standard library's idea of valid UTF-8.

use bpetok::masks::table;
use bpetok::utf8::State;
use proptest::prelude::*;

/// The shortest text that leads to each state.
const PREFIXES: [&[u8]; 9] = [b"", b"\xC2", b"\xE1", b"\xF1", b"\xE0", b"\xED", b"\xF0", b"\xF4", b"\xFF"];

/// Whether some continuation makes `bytes` valid, by trying every ending that could.
fn can_become_valid(bytes: &[u8]) -> bool {
    let endings: [&[u8]; 6] = [b"", b"\x80", b"\x80\x80", b"\x80\x80\x80", b"\xA0\x80", b"\x90\x80\x80"];
    endings.iter().any(|ending| std::str::from_utf8(&[bytes, ending].concat()).is_ok())
}

#[test]
fn every_pair_of_bytes_is_masked_rightly_in_every_state() {
    let pairs: Vec<[u8; 2]> = (0..=u16::MAX).map(u16::to_be_bytes).collect();
    let singles: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
    let tokens = pairs.iter().map(<[u8; 2]>::as_slice).chain(singles.iter().map(<[u8; 1]>::as_slice));
    let tokens: Vec<(u32, &[u8])> = (0..).zip(tokens).collect();
    let table = table(tokens.len(), tokens.iter().copied(), []);
    for (state, prefix) in PREFIXES.iter().enumerate() {
        assert_eq!(State::Boundary.advance_all(prefix) as usize, state);
        for &(id, bytes) in &tokens {
            let allowed = table[state * tokens.len() + id as usize];
            assert_eq!(allowed, can_become_valid(&[prefix, bytes].concat()), "{bytes:x?} after {prefix:x?}");
        }
    }
}

#[test]
fn gaps_never_follow_and_specials_only_where_a_text_may_end() {
    let table = table(4, [(1, b"a".as_slice())], [3]);
    assert_eq!(table[..4], [false, true, false, true]);
    assert!(table[4..].iter().all(|allowed| !allowed));
}

proptest! {
    /// Cut anywhere, even inside characters: no piece of a valid text is ever forbidden.
    #[test]
    fn no_valid_text_is_forbidden(text in "\\PC{0,20}", cuts in prop::collection::vec(0usize..100, 0..8)) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let mut state = State::Boundary;
        for piece in cuts.windows(2).map(|ends| &text.as_bytes()[ends[0]..ends[1]]) {
            prop_assert!(table(1, [(0, piece)], [])[state as usize]);
            state = state.advance_all(piece);
        }
        prop_assert_eq!(state, State::Boundary);
    }
}
