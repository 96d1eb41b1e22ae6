//! Streamed text equals text decoded at once, and never holds half a character.

use bpetok::stream::TextStream;
use proptest::prelude::*;

/// The text of all that is whole, by the standard library's word for what more bytes could complete.
fn whole_so_far(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    while let Err(error) = std::str::from_utf8(bytes) {
        text += std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap();
        let Some(length) = error.error_len() else { return text };
        text.push('\u{FFFD}');
        bytes = &bytes[error.valid_up_to() + length..];
    }
    text + std::str::from_utf8(bytes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn pieces_join_to_the_whole(
        pieces in prop::collection::vec(prop_oneof![
            "\\PC{0,3}".prop_map(String::into_bytes),
            prop::collection::vec(prop::sample::select(&[0x61u8, 0x80, 0xBF, 0xC3, 0xD0, 0xE4, 0xB8, 0xAD, 0xED, 0xA0, 0xF0, 0x9F, 0xF4, 0x90, 0xFF][..]), 0..4),
        ], 0..20)
    ) {
        let mut stream = TextStream::default();
        let (mut streamed, mut so_far) = (String::new(), Vec::new());
        for piece in &pieces {
            streamed += &stream.push(piece);
            so_far.extend_from_slice(piece);
            prop_assert_eq!(&streamed, &whole_so_far(&so_far));
        }
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
    assert_eq!(stream.push(b"\xD1\x80\xD0\xB0\xD0"), "ра");
    assert_eq!(stream.push(b"\xB1"), "б");
    assert_eq!(stream.finish(), "");
}
