//! The encoder against the reference, with vocabularies that were trained and with tables that no training would give.

use std::collections::BTreeMap;

use bpetok::count::table::CountTable;
use bpetok::encode::giants;
use bpetok::encode::merge::{LongMerge, SHORT};
use bpetok::encode::table::TokenTable;
use bpetok::reference;
use bpetok::threads::Steps;
use bpetok::train::{Options, train};
use bpetok::vocab::Vocabulary;
use proptest::prelude::*;

use crate::{encode, tokenizer};

/// One pretoken for any text.
const WHOLE: &str = r"(?s:.)+";

pub fn table_of(tokens: &[Vec<u8>]) -> BTreeMap<Vec<u8>, u32> {
    let bytes = (0..=255u8).map(|b| vec![b]);
    bytes.chain(tokens.iter().cloned()).zip(0..).collect()
}

pub fn built(tokens: &[Vec<u8>]) -> (Vocabulary, TokenTable) {
    let bytes: Vec<[u8; 1]> = (0..=255).map(|b| [b]).collect();
    let all = bytes.iter().map(<[u8; 1]>::as_slice).chain(tokens.iter().map(Vec::as_slice));
    let vocabulary = Vocabulary::new(&(0..).zip(all).collect::<Vec<_>>()).unwrap();
    let table = TokenTable::new(&vocabulary).unwrap();
    (vocabulary, table)
}

/// Different tokens of two bytes or more, in the order given.
pub fn distinct(tokens: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for token in tokens {
        if token.len() > 1 && !kept.contains(&token) {
            kept.push(token);
        }
    }
    kept
}

pub fn pieces() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{1,70}",
        "[a-c ]{1,20}",
        "[а-г ]{1,40}",
        "[中文字 ]{1,30}",
        "[가-갈a]{1,20}",
        "[😀-😃\u{200D}]{1,9}"
    ]
}

/// Bytes of the texts above, so that tokens begin and end inside characters too.
pub fn tokens() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let part = (pieces(), 0usize..40, 2usize..9).prop_map(|(text, start, length)| {
        let bytes = text.into_bytes();
        let start = start.min(bytes.len() - 1);
        bytes[start..(start + length).min(bytes.len())].to_vec()
    });
    prop::collection::vec(part, 0..60).prop_map(distinct)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Tables at random: tokens that merging never forms, partial characters, ranks in any order.
    #[test]
    fn any_table(tokens in tokens(), texts in prop::collection::vec(pieces(), 1..8)) {
        let ids = table_of(&tokens);
        let tokenizer = tokenizer(WHOLE, &tokens, &[]);
        // Twice: the second time from the cache.
        for text in texts.iter().chain(&texts) {
            let wanted = reference::encode_by_rank(&ids, text.as_bytes());
            prop_assert_eq!(encode(&tokenizer, text.as_bytes()), wanted, "{:?} with {:?}", text, tokens);
        }
    }

    #[test]
    fn short_and_long_merges_agree(tokens in tokens(), text in "[ab]{1,48}|[а-г]{1,24}|[中文]{1,16}") {
        let ids = table_of(&tokens);
        let (vocabulary, table) = built(&tokens);
        let (mut short, mut long) = (Vec::new(), Vec::new());
        prop_assume!(text.len() <= SHORT);
        bpetok::encode::merge::short(&table, &vocabulary, text.as_bytes(), &mut short);
        LongMerge::default().run(&table, &vocabulary, text.as_bytes(), &mut long);
        prop_assert_eq!(&short, &long);
        prop_assert_eq!(short, reference::merge_by_rank(&ids, text.as_bytes()));
    }

    /// Blocks of a few bytes, so that a piece has many seams and tokens reach over several.
    #[test]
    fn blocks_and_their_seams_change_nothing(
        tokens in tokens(),
        text in "[ab]{1,150}|[abc]{60,90}|(ab|abb|aab){10,40}|[а-г]{1,60}|[中文]{1,40}",
        size in 1usize..24,
    ) {
        let ids = table_of(&tokens);
        let (vocabulary, table) = built(&tokens);
        let mut found = vec![9];
        let steps = &mut Steps::default();
        giants::run(&mut LongMerge::default(), &table, &vocabulary, text.as_bytes(), size, &mut found, steps).unwrap();
        prop_assert_eq!(&found[1..], reference::merge_by_rank(&ids, text.as_bytes()));
    }

    /// For a trained vocabulary, rank merging and the merge list are the same.
    #[test]
    fn ranks_and_lists_agree(
        words in prop::collection::vec(("[a-c]{1,10}|[а-в]{1,6}", 1u64..9), 1..15),
        text in "[a-c]{1,20}|[а-в]{1,9}",
    ) {
        let mut counts = CountTable::default();
        for (word, count) in &words {
            counts.add(word.as_bytes(), 0, word.len(), *count).unwrap();
        }
        let options = Options { tokens: 300, min_frequency: 1, ..Options::default() };
        let trained = train(&counts, &options, &mut |_| Ok(())).unwrap();
        let ids: BTreeMap<Vec<u8>, u32> = trained.tokens.iter().cloned().zip(0..).collect();
        let merges: Vec<(u32, u32)> = trained.merges.iter().map(|p| (p.left, p.right)).collect();
        let by_list = reference::encode_by_list(&trained.tokens, &merges, text.as_bytes());
        prop_assert_eq!(reference::encode_by_rank(&ids, text.as_bytes()), by_list);
    }

    #[test]
    fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..300), tokens in tokens()) {
        for pattern in ["gpt2", "o200k", r"[a-z]+|\s+", r"a+(?=b)|[^a]"] {
            let tokenizer = tokenizer(pattern, &tokens, &[]);
            let mut back = Vec::new();
            tokenizer.decoder().decode(&encode(&tokenizer, &bytes), &mut back).unwrap();
            prop_assert_eq!(&back, &bytes, "{}", pattern);
        }
    }
}

#[test]
fn giant_pretokens() {
    let tokens: Vec<Vec<u8>> = (1..7).map(|i| vec![b'a'; 1 << i]).collect();
    let tokenizer = tokenizer(WHOLE, &tokens, &[]);
    let ids = encode(&tokenizer, &vec![b'a'; 1_000_003]);
    assert_eq!(ids.len(), 1_000_000 / 64 + 2);
    assert_eq!(ids[0], 256 + 5);
}

/// Nearly each join makes a pair with a lower id. Putting back all that wait for their turn, each time, would take hours.
#[test]
fn joins_that_make_better_pairs() {
    let (vocabulary, table) = built(&[b"abc".to_vec(), b"abd".to_vec(), b"ab".to_vec()]);
    let mut ids = Vec::new();
    LongMerge::default().run(&table, &vocabulary, &b"abcabdababd".repeat(40_000), &mut ids);
    assert!(ids == [256, 257, 258, 257].repeat(40_000));
}

#[test]
fn a_token_that_merging_never_forms_is_found_whole_and_only_then() {
    // "abc" needs "ab" or "bc", and neither is a token.
    let tokenizer = tokenizer(r"[abc]+|x", &[b"abc".to_vec()], &[]);
    assert_eq!(encode(&tokenizer, b"abc"), [256]);
    assert_eq!(encode(&tokenizer, b"abca"), [97, 98, 99, 97]);
    assert!(!tokenizer.encoder().forms_all());
    assert!(tokenizer.encoder().canonical_splits().is_empty());
}

/// Found at random on 2026-11-24: the lead of one character before the lead of another is no character.
#[test]
fn broken_characters_are_not_taken_for_whole_ones() {
    let tokenizer = tokenizer("gpt2", &["а".into(), "аа".into()], &[]);
    for second in 0..=255 {
        let bytes = [0xD0, second, 0xD0, second];
        let mut back = Vec::new();
        tokenizer.decoder().decode(&encode(&tokenizer, &bytes), &mut back).unwrap();
        assert_eq!(back, bytes);
    }
}
