//! The trainer against the reference that counts every pair anew.

use bpetok::count::table::CountTable;
use bpetok::error::Error;
use bpetok::reference;
use bpetok::train::{Options, Trained, train};
use proptest::prelude::*;

fn trained(words: &[(&[u8], u64)], merges: usize, min_frequency: u64) -> Trained {
    let mut table = CountTable::default();
    for (word, count) in words {
        table.add(word, 0, word.len(), *count).unwrap();
    }
    let options = Options { tokens: 256 + merges, min_frequency, ..Options::default() };
    let lent = train(&table, &options, &mut |_| Ok(())).unwrap();
    // Threads share the words out, and a table that is given goes before the first merge: neither may be seen.
    let given = train(table, &Options { threads: 3, ..options }, &mut |_| Ok(())).unwrap();
    assert_eq!(given, lent);
    lent
}

fn check(words: &[(&[u8], u64)], merges: usize, min_frequency: u64) {
    // The reference takes each word once, as the table does.
    let mut unique: Vec<(&[u8], u64)> = Vec::new();
    for &(word, count) in words {
        match unique.iter_mut().find(|u| u.0 == word) {
            Some(known) => known.1 += count,
            None => unique.push((word, count)),
        }
    }
    let (tokens, pairs) = reference::train(&unique, merges, min_frequency);
    let ours = trained(words, merges, min_frequency);
    let our_pairs: Vec<(u32, u32)> = ours.merges.iter().map(|p| (p.left, p.right)).collect();
    assert_eq!(our_pairs, pairs, "{words:?}");
    assert_eq!(ours.tokens, tokens);
}

#[test]
fn overlapping_pairs() {
    check(&[(b"aaaa", 3), (b"aaa", 1), (b"aaaaaaaaaaaaa", 2)], 8, 1);
    check(&[(b"abababab", 1), (b"baba", 1)], 8, 1);
}

#[test]
fn ties_go_to_the_smaller_ids() {
    // `!` has the smallest byte id; the space comes after all printable bytes.
    let ours = trained(&[(b" a", 1), (b"!a", 1), (b"ab", 1)], 1, 1);
    assert_eq!(ours.tokens[256], b"!a");
}

#[test]
fn too_small_a_vocabulary_is_refused() {
    let options = Options { tokens: 255, min_frequency: 1, ..Options::default() };
    let error = train(CountTable::default(), &options, &mut |_| Ok(())).unwrap_err();
    assert!(matches!(error, Error::Train(_)) && error.to_string().contains("255"));
}

#[test]
fn counts_beyond_32_bits_stay_exact() {
    check(&[(b"ab", u64::from(u32::MAX) * 5), (b"bc", u64::from(u32::MAX) * 5 + 1), (b"cd", 1 << 54)], 3, 1);
}

#[test]
fn long_tokens_are_not_made() {
    let mut table = CountTable::default();
    table.add(b"abcdefgh", 0, 8, 5).unwrap();
    let options = Options { tokens: 300, min_frequency: 1, max_token_bytes: Some(3), ..Options::default() };
    let ours = train(&table, &options, &mut |_| Ok(())).unwrap();
    assert!(ours.tokens.iter().all(|t| t.len() <= 3) && ours.tokens.len() > 256);
}

#[test]
fn the_caller_may_stop() {
    let mut table = CountTable::default();
    table.add(b"abcdefgh", 0, 8, 5).unwrap();
    let options = Options { tokens: 300, min_frequency: 1, ..Options::default() };
    let stopped = train(&table, &options, &mut |_| Err(Error::Interrupted));
    assert!(matches!(stopped, Err(Error::Interrupted)));
}

#[test]
fn the_caller_is_asked_before_the_first_merge_too() {
    let mut table = CountTable::default();
    for (word, count) in many_words(120_000) {
        table.add(&word, 0, word.len(), count).unwrap();
    }
    let options = Options { tokens: 257, min_frequency: 1, ..Options::default() };
    let (mut before, mut is_merged) = (0, false);
    train(&table, &options, &mut |step| {
        is_merged |= step.is_some();
        before += usize::from(!is_merged);
        Ok(())
    })
    .unwrap();
    // While words are laid out, and while pairs are sifted, counted and noted.
    assert!(is_merged && before >= 4, "asked {before} times");
    for last in 1..=before {
        let mut asked = 0;
        let stopped = train(&table, &options, &mut |_| {
            asked += 1;
            if asked < last { Ok(()) } else { Err(Error::Interrupted) }
        });
        assert!(matches!(stopped, Err(Error::Interrupted)), "went on behind question {last}");
    }
    let shared = Options { threads: 3, ..options };
    let stopped = train(&table, &shared, &mut |step| if step.is_some() { Ok(()) } else { Err(Error::Interrupted) });
    assert!(matches!(stopped, Err(Error::Interrupted)));
}

/// Took the square of the length, 4 s for a quarter of it, while a word was listed for each place in it (2026-12-01).
#[test]
fn one_word_of_many_places_is_no_slower_than_many_words() {
    let word = b"xyaxyb".repeat(100_000);
    let mut table = CountTable::default();
    table.add(&word, 0, word.len(), 2).unwrap();
    let options = Options { tokens: 258, min_frequency: 1, ..Options::default() };
    let trained = train(&table, &options, &mut |_| Ok(())).unwrap();
    assert_eq!(trained.tokens[256..], [b"xy".to_vec(), b"axy".to_vec()]);
}

/// Words of 1 to 9 letters without a pattern.
fn many_words(number: usize) -> Vec<(Vec<u8>, u64)> {
    let mut state = 1u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut words = std::collections::BTreeMap::new();
    while words.len() < number {
        let length = 1 + next(9);
        let word: Vec<u8> = (0..length).map(|_| b"etaoinshrdlu"[next(12).min(next(12)) as usize]).collect();
        *words.entry(word).or_insert(0) += 1 + next(50) * next(50);
    }
    words.into_iter().collect()
}

#[test]
fn words_enough_for_several_threads_and_floors() {
    let words = many_words(8_000);
    let words: Vec<(&[u8], u64)> = words.iter().map(|(word, count)| (word.as_slice(), *count)).collect();
    check(&words, 400, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn random_corpora(
        words in prop::collection::vec(("[ab c]{1,12}|[a-e]{1,6}|\\PC{1,6}", prop_oneof![1u64..20, 1u64..100_000]), 1..20),
        merges in 0usize..40,
        min_frequency in 1u64..4,
    ) {
        let words: Vec<(&[u8], u64)> = words.iter().map(|(w, c)| (w.as_bytes(), *c)).collect();
        check(&words, merges, min_frequency);
    }
}
