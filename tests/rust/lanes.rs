//! Merging side by side against the reference, and texts with so many new words that the encoder does so.

use std::collections::BTreeMap;

use bpetok::encode::joins::{Joins, NO_TOKEN, NONE};
use bpetok::encode::lanes::{LONGEST, Lanes, PIECES};
use bpetok::encode::table::TokenTable;
use bpetok::reference;
use bpetok::vocab::Vocabulary;
use proptest::prelude::*;

use crate::encode::{built, distinct, pieces, table_of, tokens};
use crate::{encode, tokenizer};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Tables at random, the lanes used again and again: nothing of the pieces before may be left in them.
    #[test]
    fn lanes_merge_as_the_reference(tokens in tokens(), texts in prop::collection::vec(pieces(), 1..80)) {
        let ids = table_of(&tokens);
        let (vocabulary, table) = built(&tokens);
        let joins = Joins::of(&table, &vocabulary).unwrap();
        let mut ways = vec![Lanes::default(), Lanes::plain()];
        let pieces: Vec<&[u8]> = texts.iter().map(|text| &text.as_bytes()[..text.len().min(LONGEST)]).collect();
        for pieces in pieces.chunks(PIECES) {
            let parts: Vec<Vec<u32>> = pieces.iter().map(|piece| parts(&table, &vocabulary, piece)).collect();
            for lanes in &mut ways {
                lanes.merge(&joins, parts.iter().map(Vec::as_slice));
                for (number, piece) in pieces.iter().enumerate() {
                    let found: Vec<u32> = lanes.ids(number).collect();
                    prop_assert_eq!(found, reference::merge_by_rank(&ids, piece), "{:?} with {:?}", piece, tokens);
                }
            }
        }
    }
}

fn parts(table: &TokenTable, vocabulary: &Vocabulary, piece: &[u8]) -> Vec<u32> {
    let mut parts = Vec::new();
    table.sure(vocabulary).append(piece, &mut parts);
    parts
}

/// Numbers without a pattern.
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

/// Thousands of words of one alphabet, hardly any of them twice, and tokens cut out of such words anywhere.
fn words(alphabet: &[char], longest: usize, next: &mut impl FnMut(usize) -> usize) -> (Vec<String>, Vec<Vec<u8>>) {
    let mut word = || (0..=next(longest)).map(|_| alphabet[next(alphabet.len())]).collect::<String>();
    let words: Vec<String> = (0..4000).map(|_| word()).collect();
    let mut tokens = Vec::new();
    for word in words.iter().take(1500) {
        let start = next(word.len());
        tokens.push(word.as_bytes()[start..(start + 2 + next(5)).min(word.len())].to_vec());
    }
    tokens.sort_by_cached_key(|token| token.len() + next(4));
    (words, distinct(tokens))
}

/// One text of all words, with a bar behind each, and what the reference makes of it.
fn together(words: &[String], ids: &BTreeMap<Vec<u8>, u32>) -> (String, Vec<u32>) {
    let text = words.iter().flat_map(|word| [word, "|"]).collect();
    let of_word = |word: &String| [reference::encode_by_rank(ids, word.as_bytes()), vec![u32::from(b'|')]].concat();
    (text, words.iter().flat_map(of_word).collect())
}

#[test]
fn a_crowd_of_new_words_is_merged_as_the_reference_does() {
    let alphabets = ["abcde", "aeiounst'-", "абвгде", "中文字書本日木", "กขคงจา\u{E34}\u{E48}", "가각간 나", "ab中б😀"];
    for (seed, alphabet) in (1..).zip(alphabets) {
        let mut next = numbers(seed);
        for longest in [12, 90] {
            let alphabet: Vec<char> = alphabet.chars().collect();
            let (words, tokens) = words(&alphabet, longest, &mut next);
            let ids = table_of(&tokens);
            // All in one text, where the second time they are remembered, then each alone.
            let tokenizer = tokenizer("[^|]+|[|]", &tokens, &[]);
            let wanted: BTreeMap<&str, Vec<u32>> =
                words.iter().map(|word| (word.as_str(), reference::encode_by_rank(&ids, word.as_bytes()))).collect();
            for _ in 0..2 {
                let text = words.join("|");
                let all: Vec<u32> =
                    words.iter().flat_map(|word| [&wanted[word.as_str()][..], &[124]].concat()).collect();
                assert_eq!(encode(&tokenizer, text.as_bytes()), all[..all.len() - 1], "{alphabet:?}");
            }
            for word in &words {
                assert_eq!(encode(&tokenizer, word.as_bytes()), wanted[word.as_str()], "{word}");
            }
        }
    }
}

/// Words that are cut, with a piece of more parts than a lane has among others: it is left, and the words beside it are not touched.
#[test]
fn a_crowd_with_a_piece_that_is_left_is_merged_as_the_reference_does() {
    let tokens = distinct(["ㅋㅋ", "ㅋ", "개", "ㅏ개"].map(|token| token.as_bytes().to_vec()).to_vec());
    let ids = table_of(&tokens);
    let tokenizer = tokenizer("[^|]+|[|]", &tokens, &[]);
    let mut next = numbers(9);
    let words: Vec<String> = (0..3000)
        .map(|_| {
            let mut word = String::new();
            for _ in 0..=next(3) {
                let run = if next(4) == 0 { 60 } else { 1 + next(5) };
                word.extend((0..run).map(|_| ['ㅋ', 'ㅌ'][next(2)]));
                word.push(['개', '음', 'ㅏ', 'a'][next(4)]);
            }
            word
        })
        .collect();
    let (text, wanted) = together(&words, &ids);
    assert_eq!(encode(&tokenizer, text.as_bytes()), wanted);
}

#[test]
fn a_vocabulary_with_high_ids_has_no_joins() {
    let bytes: Vec<[u8; 1]> = (0..=255).map(|b| [b]).collect();
    let tokens = |high: u32| {
        let all = (0..).zip(bytes.iter().map(<[u8; 1]>::as_slice));
        Vocabulary::new(&all.chain([(high, b"ab".as_slice())]).collect::<Vec<_>>()).unwrap()
    };
    let joins = |vocabulary: &Vocabulary| Joins::of(&TokenTable::new(vocabulary).unwrap(), vocabulary).is_some();
    let limit = NO_TOKEN.cast_unsigned();
    assert!(joins(&tokens(limit - 2)));
    assert!(!joins(&tokens(limit - 1)));
}

/// Joins that all belong near one place, in a vocabulary whose ids were chosen so: found as long as they are few.
#[test]
fn joins_that_meet_in_one_place_are_found_or_not_made() {
    // The number below 16,000 whose multiples are spread the least, for each side: what `Joins::place` multiplies with is known.
    let narrowest = |odd: u32| (1..16_000u32).min_by_key(|step| step.wrapping_mul(odd)).unwrap();
    let [left, right] = [0x9E37_79B9, 0xBB67_AE85].map(narrowest);
    let id_of = |byte: u32| if byte < 128 { (byte + 1) * left } else { (byte - 127) * right };
    for (most, are_made) in [(200, true), (16_000, false)] {
        let bytes: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        let mut named: BTreeMap<u32, Vec<u8>> = (0..).map(id_of).zip(bytes).collect();
        assert_eq!(named.len(), 256);
        let pairs: Vec<Vec<u8>> = (0..128u8).flat_map(|a| (128..=255).map(move |b| vec![a, b])).take(most).collect();
        let free: Vec<u32> = (0..).filter(|id| !named.contains_key(id)).take(pairs.len()).collect();
        named.extend(free.iter().copied().zip(pairs));
        let tokens: Vec<(u32, &[u8])> = named.iter().map(|(id, token)| (*id, token.as_slice())).collect();
        let vocabulary = Vocabulary::new(&tokens).unwrap();
        let joins = Joins::of(&TokenTable::new(&vocabulary).unwrap(), &vocabulary);
        assert_eq!(joins.is_some(), are_made);
        let Some(joins) = joins else { continue };
        for (a, b) in (0..=255u8).flat_map(|a| (0..=255u8).map(move |b| (a, b))) {
            let [left, right] = [a, b].map(|byte| id_of(byte.into()).cast_signed());
            let made = tokens.iter().find(|token| token.1 == [a, b]).map_or(NONE, |token| token.0.cast_signed());
            let joins = joins.to_read();
            assert_eq!(joins.get(joins.place(left, right), left, right), made);
        }
    }
}

/// Runs of one letter, none of whose pairs is sure to be joined: as many parts as bytes, and tokens of more parts than a lane has.
#[test]
fn a_crowd_with_tokens_longer_than_a_lane_is_merged_as_the_reference_does() {
    let run = |length: usize| "a".repeat(length);
    for longest in [LONGEST - 1, LONGEST, LONGEST + 1, LONGEST + 30] {
        let lengths = [2, 4, 3, 8, 16, 24, 32, LONGEST / 2 + 1, LONGEST - 1, LONGEST, LONGEST + 1, LONGEST + 30];
        let tokens = distinct(lengths.iter().filter(|&&l| l <= longest).map(|&l| run(l).into_bytes()).collect());
        let ids = table_of(&tokens);
        let tokenizer = tokenizer("[^|]+|[|]", &tokens, &[]);
        let words: Vec<String> =
            (1..LONGEST + 40).flat_map(|l| [run(l), format!("b{}", run(l)), format!("{}bb", run(l))]).collect();
        for _ in 0..2 {
            let (text, wanted) = together(&words, &ids);
            assert_eq!(encode(&tokenizer, text.as_bytes()), wanted, "tokens up to {longest} bytes");
        }
    }
}

/// Pieces that come again in other words of the same crowd and of later ones, beside pieces that are one part, or too long to be known.
#[test]
fn a_crowd_of_pieces_that_come_again_is_merged_as_the_reference_does() {
    let han = ["中", "文", "字", "書", "本", "日", "木", "山"];
    let mut next = numbers(11);
    let mut tokens: Vec<Vec<u8>> =
        han.iter().take(6).flat_map(|one| [one.as_bytes()[..2].to_vec(), one.as_bytes().to_vec()]).collect();
    for _ in 0..24 {
        let parts: Vec<&str> = (0..2 + next(2)).map(|_| han[next(han.len())]).collect();
        tokens.push(parts.concat().into_bytes());
    }
    // One that crosses with a part of a character only.
    tokens.push("木山".as_bytes()[..5].to_vec());
    let tokens = distinct(tokens);
    let ids = table_of(&tokens);
    let tokenizer = tokenizer("[^|]+|[|]", &tokens, &[]);
    for round in 0..6 {
        let mut word = || -> String {
            (0..=next(6)).map(|_| if next(9) == 0 { ["é", "a", "ー"][next(3)] } else { han[next(han.len())] }).collect()
        };
        let words: Vec<String> = (0..3000).map(|_| word() + &word()).collect();
        let (text, wanted) = together(&words, &ids);
        assert_eq!(encode(&tokenizer, text.as_bytes()), wanted, "{round}");
    }
}
