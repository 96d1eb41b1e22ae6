//! Counts: the same from documents, files and any number of threads; exact beyond 32 bits.

use std::collections::BTreeMap;

use bpetok::count::Counts;
use bpetok::count::table::CountTable;
use bpetok::digits::Digits;
use bpetok::error::Error;
use bpetok::utf8::Text;
use proptest::prelude::*;

fn counted(pattern: &str, documents: &[Text<'_>], threads: usize) -> Vec<(Vec<u8>, u64)> {
    let mut counts = Counts::new(pattern, &["<|end|>".to_owned()], Digits::None).unwrap();
    counts.add_documents(documents, threads, &mut |_| Ok(())).unwrap();
    counts.table().sorted()
}

#[test]
fn files_and_documents_agree() {
    let line = "One line of text, it's long: 12345 слов 中文. <|end|>\n  Next\n";
    let text = line.repeat(700_000 / line.len());
    for pattern in ["gpt2", "cl100k", r"\w+|\W"] {
        let whole = counted(pattern, &[Text::Valid(&text)], 1);
        assert_eq!(counted(pattern, &[Text::Raw(text.as_bytes())], 4), whole);
        let mut counts = Counts::new(pattern, &["<|end|>".to_owned()], Digits::None).unwrap();
        counts.add_reader(text.as_bytes(), 1, &mut |_| Ok(())).unwrap();
        assert_eq!(counts.table().sorted(), whole);
        assert!(whole.iter().all(|(t, _)| !t.windows(3).any(|w| w == b"end")), "special text is never counted");
        // Each document on its own: special text is a boundary.
        let parts: Vec<Text<'_>> = text.split("<|end|>").map(Text::Valid).collect();
        assert_eq!(counted(pattern, &parts, 2), whole);
    }
}

#[test]
fn tables_of_several_threads_add_up() {
    // Enough different pretokens, short and long, that threads share the sum of their tables too.
    let mut text = String::new();
    for number in 0..120_000u64 {
        let word = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let end = if number % 3 == 0 { "abcdefghijklmnop" } else { "" };
        let letters: String = format!("{word:x}").chars().map(|c| char::from(b'a' + c as u8 % 26)).collect();
        text.extend([" ", &letters, end]);
    }
    text = text.clone() + &text;
    let expected = counted("gpt2", &[Text::Valid(&text)], 1);
    assert!(expected.len() > 100_000);
    for threads in [2, 3, 8] {
        assert_eq!(counted("gpt2", &[Text::Valid(&text)], threads), expected);
        let mut counts = Counts::new("gpt2", &["<|end|>".to_owned()], Digits::None).unwrap();
        counts.add_reader(text.as_bytes(), threads, &mut |_| Ok(())).unwrap();
        assert_eq!(counts.table().sorted(), expected);
        assert_eq!(counts.bytes(), text.len() as u64);
    }
}

#[test]
fn counts_add_up_and_refuse_others() {
    let mut one = Counts::new("gpt2", &[], Digits::None).unwrap();
    one.add_documents(&[Text::Valid("a b a")], 1, &mut |_| Ok(())).unwrap();
    let mut two = Counts::new("gpt2", &[], Digits::None).unwrap();
    two.add_documents(&[Text::Valid(" a")], 1, &mut |_| Ok(())).unwrap();
    one.merge(&two).unwrap();
    assert_eq!(one.table().sorted(), [(b" a".to_vec(), 2), (b" b".to_vec(), 1), (b"a".to_vec(), 1)]);
    assert!(one.merge(&Counts::new("cl100k", &[], Digits::None).unwrap()).is_err());
    assert!(one.merge(&Counts::new("gpt2", &["x".to_owned()], Digits::None).unwrap()).is_err());
}

#[test]
fn large_counts_are_exact_and_overflow_is_an_error() {
    let mut table = CountTable::default();
    table.add(b"ab", 0, 2, u64::from(u32::MAX) + 7).unwrap();
    table.add(b"ab", 0, 2, 1 << 60).unwrap();
    assert_eq!(table.sorted(), [(b"ab".to_vec(), u64::from(u32::MAX) + 7 + (1 << 60))]);
    assert!(table.add(b"ab", 0, 2, u64::MAX).is_err());
    let long = [b'x'; 40];
    table.add(&long, 0, 40, u64::MAX).unwrap();
    assert!(table.add(&long, 0, 40, 1).is_err());
}

proptest! {
    #[test]
    fn table_counts_like_a_map(words in prop::collection::vec("[a-c]{1,4}|[xyz]{14,18}", 0..400)) {
        let (mut table, mut map) = (CountTable::default(), BTreeMap::new());
        for word in &words {
            table.add(word.as_bytes(), 0, word.len(), 1).unwrap();
            *map.entry(word.as_bytes().to_vec()).or_insert(0u64) += 1;
        }
        prop_assert_eq!(table.total(), words.len() as u128);
        prop_assert_eq!(table.sorted(), map.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn progress_over_documents_goes_on_while_they_are_counted() {
    let document = "some words to count ".repeat(50_000);
    let documents = [Text::Valid(&document), Text::Valid(&document)];
    let mut told = Vec::new();
    let mut counts = Counts::new("gpt2", &[], Digits::None).unwrap();
    counts
        .add_weighted(&documents, &[1, 3], 1, &mut |bytes| {
            told.push(bytes);
            Ok(())
        })
        .unwrap();
    let total = 4 * document.len() as u64;
    assert!(told.is_sorted() && told.last() == Some(&total), "{told:?}");
    assert!(told.iter().filter(|&&bytes| 0 < bytes && bytes < total).count() > 3, "{told:?}");
}

#[test]
fn a_pattern_that_gives_up_names_the_file_and_the_place_in_it() {
    let path = std::env::temp_dir().join(format!("bpetok-steps-{}.txt", std::process::id()));
    // Behind several blocks, which are cut at special tokens only.
    let text = "some words<|end|>".repeat(600_000) + &"x".repeat(60);
    std::fs::write(&path, &text).unwrap();
    let mut counts = Counts::new(r"(?:x+x+)+y(?=z)|[^x]+", &["<|end|>".to_owned()], Digits::None).unwrap();
    let error = counts.add_file(&path, 2, &mut |_| Ok(())).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert!(error.contains("bpetok-steps") && error.contains("at byte 10200000"), "{error}");
}

#[test]
fn large_tables_are_sorted_in_stretches_and_the_caller_may_stop() {
    let mut table = CountTable::default();
    let texts: Vec<String> =
        (0..200_000u64).map(|n| format!("{:x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (n % 60))).collect();
    for text in texts.iter().chain(&[format!("{:040}", 1), format!("{:040}", 0)]) {
        table.add(text.as_bytes(), 0, text.len(), 1).unwrap();
    }
    let mut expected = BTreeMap::new();
    table.for_each(|text, count| _ = expected.insert(text.to_vec(), count));
    assert_eq!(table.sorted(), expected.into_iter().collect::<Vec<_>>());
    for last in [0, 3, 20, 40] {
        let mut asked = 0;
        let mut ask = || {
            asked += 1;
            if asked > last { Err(Error::Interrupted) } else { Ok(()) }
        };
        assert!(matches!(table.sorted_flat(&mut ask), Err(Error::Interrupted)), "{last}");
    }
}
