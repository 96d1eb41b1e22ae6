//! Which lists of merges say the same as merging by id, against a reference that does both.

use std::collections::BTreeMap;

use bpetok::error::Error;
use bpetok::ids::Pair;
use bpetok::pretokenize::classes::UNICODE_VERSION;
use bpetok::reference;
use bpetok::tokenizer::{Parts, Tokenizer};
use bpetok::vocab::Vocabulary;
use proptest::prelude::*;

use crate::encode;
use crate::encode::{distinct, table_of};

/// A tokenizer with one pretoken for any text.
fn built(tokens: &[Vec<u8>], merges: &[(u32, u32)]) -> Result<Tokenizer, Error> {
    let ids = table_of(tokens);
    let tokens: Vec<_> = ids.iter().map(|(token, &id)| (id, token.as_slice())).collect();
    Tokenizer::new(Parts {
        vocabulary: Vocabulary::new(&tokens)?,
        merges: Some(merges.iter().map(|&(left, right)| Pair { left, right }).collect()),
        pattern: r"(?s:.)+",
        specials: Vec::new(),
        digits: "none",
        unicode_version: UNICODE_VERSION,
    })
}

/// The merge at fault and what is said of it.
fn refused(tokens: &[&str], merges: &[(u32, u32)]) -> (usize, String) {
    let tokens: Vec<Vec<u8>> = tokens.iter().map(|token| token.as_bytes().to_vec()).collect();
    match built(&tokens, merges).err().unwrap() {
        Error::BadMerge { index, reason } => (index, reason),
        other => panic!("{other}"),
    }
}

/// Every text of up to `longest` of the letters a to c.
fn texts(longest: u32) -> impl Iterator<Item = Vec<u8>> {
    (1..=longest).flat_map(|length| {
        (0..3u32.pow(length))
            .map(move |number| (0..length).map(|place| b"abc"[(number / 3u32.pow(place) % 3) as usize]).collect())
    })
}

/// The two parts that are joined last when the bytes of `token` are merged, if merging makes it; tokens of higher ids left out.
fn halves(ids: &BTreeMap<Vec<u8>, u32>, token: &[u8]) -> Option<(u32, u32)> {
    let id = ids[token];
    let below = ids.iter().filter(|(_, other)| **other < id).map(|(token, id)| (token.clone(), *id)).collect();
    match *reference::merge_by_rank(&below, token) {
        [left, right] => Some((left, right)),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Lists at random: of each token some split, or its halves, with some merges more, moved about and given again. What is taken
    /// gives the ids of the list, on every short text; what holds the halves of all tokens in order is taken.
    #[test]
    fn lists_that_are_taken_are_merging_by_id(
        tokens in prop::collection::vec("[abc]{2,5}", 1..9),
        choices in prop::collection::vec((0usize..8, 0usize..20, 0usize..30), 1..16),
    ) {
        let tokens = distinct(tokens.into_iter().map(String::into_bytes).collect());
        let ids = table_of(&tokens);
        let by_id: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).chain(tokens.iter().cloned()).collect();
        let mut merges = Vec::new();
        for (token, &(split, _, _)) in tokens.iter().zip(choices.iter().cycle()) {
            let splits: Vec<(u32, u32)> = (1..token.len())
                .filter_map(|cut| Some((*ids.get(&token[..cut])?, *ids.get(&token[cut..])?)))
                .collect();
            if let Some(&other) = splits.get(split) {
                merges.push(other);
            }
            merges.extend(halves(&ids, token).filter(|_| split != 1));
        }
        for &(_, from, to) in &choices {
            if from < merges.len() && to < merges.len() {
                if to % 3 == 0 { merges.swap(from, to) } else if to % 3 == 1 { merges.insert(to, merges[from]) }
            }
        }
        let first = |token: &Vec<u8>| halves(&ids, token).and_then(|pair| merges.iter().position(|&other| other == pair));
        let places: Vec<Option<usize>> = tokens.iter().map(first).collect();
        let should_be_taken = places.iter().all(Option::is_some) && places.is_sorted();
        let tokenizer = built(&tokens, &merges);
        prop_assert_eq!(tokenizer.is_ok(), should_be_taken, "{:?} {:?} {:?}", tokens, merges, tokenizer.err());
        if let Ok(tokenizer) = tokenizer {
            for text in texts(6) {
                let by_list = reference::encode_by_list(&by_id, &merges, &text);
                prop_assert_eq!(encode(&tokenizer, &text), by_list, "{:?} with {:?} {:?}", text, tokens, merges);
            }
        }
    }
}

#[test]
fn sides_that_never_meet_are_refused_by_name() {
    let (index, reason) = refused(&["ab", "bc", "abc"], &[(97, 98), (98, 99), (97, 257)]);
    assert_eq!(index, 2);
    assert!(reason.contains("258") && reason.contains("97 and 257"), "{reason}");
    // What the list makes of that text, and what merging by id would.
    let tokens: Vec<Vec<u8>> = ["ab", "bc", "abc"].map(|token| token.as_bytes().to_vec()).to_vec();
    let by_id: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).chain(tokens.clone()).collect();
    assert_eq!(reference::encode_by_list(&by_id, &[(97, 98), (98, 99), (97, 257)], b"abc"), [256, 99]);
    assert_eq!(reference::encode_by_rank(&table_of(&tokens), b"abc"), [258]);
    // The merge of the halves may stand behind it.
    assert!(built(&tokens, &[(97, 98), (98, 99), (97, 257), (256, 99)]).is_ok());
}

#[test]
fn merges_too_early_are_refused_by_name() {
    let (index, reason) = refused(&["ab", "abc"], &[(256, 99), (97, 98), (256, 99)]);
    assert_eq!(index, 0, "{reason}");
    let (index, reason) = refused(&["ab", "bc"], &[(98, 99), (97, 98)]);
    assert!(index == 1 && reason.contains("256 after id 257"), "{reason}");
    assert_eq!(refused(&["ab", "cd"], &[(97, 98)]).0, 1);
}

/// 65,536 merges given twice: asking all before each one would take half a minute.
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
    assert!(built(&tokens, &twice).is_ok());
}
