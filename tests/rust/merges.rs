//! Lists of merges.

use bpetok::error::Error;
use bpetok::ids::Pair;
use bpetok::pretokenize::classes::UNICODE_VERSION;
use bpetok::tokenizer::{Parts, Tokenizer};

use crate::encode::table_of;

/// A tokenizer with one pretoken for any text.
fn built(tokens: &[Vec<u8>], merges: &[(u32, u32)]) -> Result<Tokenizer, Error> {
    let ids = table_of(tokens);
    Tokenizer::new(Parts {
        tokens: ids.iter().map(|(token, &id)| (id, token.as_slice())).collect(),
        merges: Some(merges.iter().map(|&(left, right)| Pair { left, right }).collect()),
        pattern: r"(?s:.)+",
        specials: Vec::new(),
        digits: "none",
        unicode_version: UNICODE_VERSION,
    })
}

/// Took 1.7 s for a list of 16,000 given twice, and four times as long for twice as many (2026-11-29).
#[test]
fn merges_given_again_are_passed_over_at_once() {
    let mut tokens: Vec<Vec<u8>> = Vec::new();
    let mut merges = Vec::new();
    for first in 0..=255u8 {
        for second in 0..=255 {
            tokens.push(vec![first, second]);
            merges.push((u32::from(first), u32::from(second)));
        }
    }
    let twice = [merges.clone(), merges].concat();
    let start = std::time::Instant::now();
    assert!(built(&tokens, &twice).is_ok());
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}
