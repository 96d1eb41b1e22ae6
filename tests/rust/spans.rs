//! Offsets against their definition.

use bpetok::spans::Unit;
use bpetok::threads::Steps;
use proptest::prelude::*;

use crate::{encode, tokenizer};

fn tokens() -> Vec<Vec<u8>> {
    ["ab", "abc", " a", "  ", "\n\n", "中", "é", "aa", "aaaa", "b\u{301}"]
        .iter()
        .map(|t| t.as_bytes().to_vec())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn offsets_span_characters(text in "[ab é中😀\n]{0,30}") {
        let tokenizer = tokenizer("cl100k", &tokens(), &[]);
        let ids = encode(&tokenizer, text.as_bytes());
        let mut at = 0;
        let boundaries: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
        for (unit, width) in [(Unit::Char, 1), (Unit::Utf16, 2)] {
            at = 0;
            let offsets = tokenizer.offsets(&text, &ids, unit, &mut Steps::default()).unwrap();
            for (offset, &id) in offsets.iter().zip(&ids) {
                let end = at + tokenizer.decoder().get(id).unwrap().len();
                let first = boundaries.iter().rposition(|&b| b <= at).unwrap();
                let last = boundaries.iter().position(|&b| b >= end).unwrap();
                let units = |characters: usize| -> i64 {
                    text.chars().take(characters).map(|c| if width == 1 { 1 } else { c.len_utf16().cast_signed() as i64 }).sum()
                };
                prop_assert_eq!(*offset, [units(first), units(last)]);
                at = end;
            }
        }
        prop_assert_eq!(at, text.len());
    }
}
