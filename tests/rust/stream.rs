//! Streamed text equals text decoded at once, and never holds half a character.

use bpetok::stream::TextStream;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn pieces_join_to_the_whole(
        pieces in prop::collection::vec(prop_oneof![
            "\\PC{0,3}".prop_map(String::into_bytes),
            prop::collection::vec(prop::sample::select(&[0x61u8, 0x80, 0xBF, 0xC3, 0xE4, 0xB8, 0xAD, 0xED, 0xA0, 0xF0, 0x9F, 0xF4, 0x90, 0xFF][..]), 0..4),
        ], 0..20)
    ) {
        let mut stream = TextStream::default();
        let mut streamed: String = pieces.iter().map(|piece| stream.push(piece)).collect();
        streamed += &stream.finish();
        let whole = pieces.concat();
        prop_assert_eq!(streamed, String::from_utf8_lossy(&whole));
    }
}

#[test]
fn a_character_leaves_when_it_is_whole() {
    let mut stream = TextStream::default();
    assert_eq!(stream.push(b"a\xF0\x9F"), "a");
    assert_eq!(stream.push(b"\x98"), "");
    assert_eq!(stream.push(b"\x80!"), "😀!");
    assert_eq!(stream.finish(), "");
}
