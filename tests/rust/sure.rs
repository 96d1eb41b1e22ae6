//! Pairs of bytes that are sure to be joined: chosen ones, and at random against the reference.

use bpetok::encode::sure::Sure;
use bpetok::reference;
use proptest::prelude::*;

use crate::encode::{built, pieces, table_of, tokens};

/// Ids of the parts of `piece`; tokens have ids from 256 on, bytes their value.
fn parts(tokens: &[&str], piece: &str) -> Vec<u32> {
    let tokens: Vec<Vec<u8>> = tokens.iter().map(|token| token.as_bytes().to_vec()).collect();
    let mut ids = Vec::new();
    Sure::new(&built(&tokens).0).append(piece.as_bytes(), &mut ids);
    ids
}

#[test]
fn pairs_that_nothing_lower_touches_are_joined() {
    let (a, b, c) = (u32::from(b'a'), u32::from(b'b'), u32::from(b'c'));
    assert_eq!(parts(&["ab", "bc"], "abc"), [256, c]);
    assert_eq!(parts(&["bc", "ab"], "abc"), [a, 256]);
    assert_eq!(parts(&["ab"], "babab"), [b, 256, 256]);
    // Which two of three is for merging to say.
    assert_eq!(parts(&["aa"], "aaa"), [a, a, a]);
    assert_eq!(parts(&["aa"], "baab"), [b, 256, b]);
    // A longer token with a lower id could be made of other parts.
    assert_eq!(parts(&["abc", "ab"], "abb"), [a, b, b]);
    assert_eq!(parts(&["cab", "ab"], "abb"), [a, b, b]);
    // The second byte could be joined first to more that lies behind it; what only ends as it does is no matter.
    assert_eq!(parts(&["bbc", "ab", "bc"], "abc"), [257, c]);
    assert_eq!(parts(&["bcc", "ab", "bc"], "abc"), [a, b, c]);
    assert_eq!(parts(&["ab"], "a"), [a]);
    assert_eq!(parts(&["ab"], ""), [0; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    /// Merging never ends with a boundary inside one, and the parts spell the piece.
    #[test]
    fn merging_joins_them_too(tokens in tokens(), text in pieces()) {
        let (vocabulary, _) = built(&tokens);
        let piece = text.as_bytes();
        let ends = |ids: &[u32]| -> Vec<usize> {
            let lengths = ids.iter().map(|&id| vocabulary.get(id).unwrap().len());
            lengths.scan(0, |end, length| { *end += length; Some(*end) }).collect()
        };
        let mut parts = Vec::new();
        Sure::new(&vocabulary).append(piece, &mut parts);
        let spelt: Vec<u8> = parts.iter().flat_map(|&id| vocabulary.get(id).unwrap()).copied().collect();
        prop_assert_eq!(&spelt[..], piece);
        let (parts, merged) = (ends(&parts), ends(&reference::merge_by_rank(&table_of(&tokens), piece)));
        prop_assert!(merged.iter().all(|end| parts.contains(end)), "{:?} {:?} {:?}", tokens, parts, merged);
    }
}
