//! Where words are cut before they are merged: chosen ones, and at random against what a cut means.

use bpetok::encode::cut::{Boundaries, Kind};
use proptest::prelude::*;

use crate::encode::{built, pieces, tokens};

/// The pieces of the part of `text` from `start` on.
fn cut(tokens: &[Vec<u8>], text: &str, start: usize) -> Vec<(Kind, String)> {
    let mut pieces = Vec::new();
    Boundaries::new(&built(tokens).0).cut(text.as_bytes(), start, text.len(), |kind, first, end| {
        pieces.push((kind, text[first..end].to_owned()));
    });
    pieces
}

/// Whether some token holds the end of `left` and the beginning of `right` side by side.
fn crosses(tokens: &[Vec<u8>], left: &[u8], right: &[u8]) -> bool {
    let holds = |token: &[u8], at: usize| {
        let (before, behind) = token.split_at(at);
        let (before, behind) = (&before[before.len().saturating_sub(4)..], &behind[..behind.len().min(4)]);
        // All that the token has of the two, as far as it reaches.
        (left.ends_with(before) || before.ends_with(left)) && (right.starts_with(behind) || behind.starts_with(right))
    };
    tokens.iter().any(|token| (1..token.len()).any(|at| holds(token, at)))
}

#[test]
fn characters_that_no_token_joins_are_pieces_of_their_own() {
    use Kind::{Characters, Other};
    let tokens: Vec<Vec<u8>> = ["文字", " 中"].map(|token| token.as_bytes().to_vec()).to_vec();
    let named = |pieces: &[(Kind, &str)]| -> Vec<(Kind, String)> {
        pieces.iter().map(|&(kind, text)| (kind, text.to_owned())).collect()
    };
    assert_eq!(cut(&tokens, "中字文中", 0), named(&[(Characters, "中字文中")]));
    assert_eq!(cut(&tokens, "中文字中中", 0), named(&[(Characters, "中"), (Other, "文字"), (Characters, "中中")]));
    assert_eq!(cut(&tokens, "x 中文", 1), named(&[(Other, " 中"), (Characters, "文")]));
    assert_eq!(cut(&tokens, "中文字", 3), named(&[(Other, "文字")]));
    assert_eq!(cut(&tokens, "中é中", 0), named(&[(Characters, "中"), (Other, "é"), (Characters, "中")]));
    // Joined by parts of them.
    let parts = ["中".as_bytes()[2], "文".as_bytes()[0]].to_vec();
    assert_eq!(cut(&[parts], "字中文", 0), named(&[(Characters, "字"), (Other, "中文")]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_token_crosses_a_cut(tokens in tokens(), text in pieces()) {
        let pieces = cut(&tokens, &text, 0);
        prop_assert_eq!(pieces.iter().map(|piece| piece.1.as_str()).collect::<String>(), text);
        let mut parts: Vec<String> = Vec::new();
        for (kind, text) in pieces {
            prop_assert!(!text.is_empty());
            if kind == Kind::Characters {
                prop_assert!(text.chars().all(|character| character.len_utf8() == 3));
                parts.extend(text.chars().map(String::from));
            } else {
                parts.push(text);
            }
        }
        for sides in parts.windows(2) {
            let left = sides[0].chars().next_back().unwrap().to_string();
            let right = sides[1].chars().next().unwrap().to_string();
            prop_assert!(!crosses(&tokens, left.as_bytes(), right.as_bytes()), "{left}|{right} {tokens:?}");
        }
    }
}
