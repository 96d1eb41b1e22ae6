//! The automaton and the stretches against the standard library.

use bpetok::utf8::{State, Stretch, Text, decode_at, stretches};
use proptest::prelude::*;

#[test]
fn every_code_point_is_valid_and_comes_back() {
    for character in (0..=0x10_FFFFu32).filter_map(char::from_u32) {
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        assert_eq!(State::Boundary.advance_all(bytes), State::Boundary);
        assert_eq!(decode_at(bytes, 0), (character as u32, bytes.len()));
        for cut in 1..bytes.len() {
            let state = State::Boundary.advance_all(&bytes[..cut]);
            assert!(state != State::Boundary && state != State::Invalid);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn automaton_knows_validity(bytes in prop::collection::vec(any::<u8>(), 0..6)) {
        let valid = State::Boundary.advance_all(&bytes) == State::Boundary;
        prop_assert_eq!(valid, std::str::from_utf8(&bytes).is_ok());
    }

    #[test]
    fn stretches_are_maximal_and_whole(
        parts in prop::collection::vec(prop_oneof!["[aé中😀]{0,3}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..4)], 0..12)
    ) {
        let bytes = parts.concat();
        let (mut joined, mut last_valid) = (Vec::new(), None);
        stretches(Text::Raw(&bytes), |stretch| {
            let (piece, valid) = match stretch {
                Stretch::Valid(text) => (text.as_bytes(), true),
                Stretch::Invalid(run) => (run, false),
            };
            assert!(!piece.is_empty() && last_valid != Some(valid));
            last_valid = Some(valid);
            joined.extend_from_slice(piece);
            Ok::<(), ()>(())
        }).unwrap();
        prop_assert_eq!(joined, bytes);
    }
}
