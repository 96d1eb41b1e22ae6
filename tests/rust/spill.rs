//! Counting under a budget gives what counting without one gives, whatever has to go to disk.

use bpetok::count::Counts;
use bpetok::count::budget::{Budget, LEAST};
use bpetok::count::spill::{Merged, RunWriter, Runs};
use bpetok::count::table::CountTable;
use bpetok::digits::Digits;
use bpetok::utf8::Text;
use proptest::prelude::*;

/// Short and long words, some of them often, most of them once, and bytes that are no text.
fn corpus(words: u64) -> Vec<u8> {
    let mut state = 1u64;
    let mut text = Vec::new();
    for number in 0..words {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = format!("{:x}", state >> 20);
        let word: String = word.bytes().map(|b| char::from(b'a' + b % 26)).collect();
        match number % 7 {
            0 => text.extend_from_slice(b" the"),
            1 => text.extend_from_slice(format!(" {word}{word}").as_bytes()),
            2 => text.extend_from_slice(&[0xFF, 0xFE, (state >> 40) as u8 | 0x80]),
            _ => text.extend_from_slice(format!(" {word}").as_bytes()),
        }
    }
    text
}

fn sorted(counts: &mut Counts) -> Vec<(Vec<u8>, u64)> {
    counts.settle().unwrap();
    let mut found = counts.table().sorted();
    let mut merged = counts.merged().unwrap();
    while let Some((text, count)) = merged.advance().unwrap() {
        found.push((text.to_vec(), count));
    }
    found
}

fn counted(text: &[u8], threads: usize, table: Option<usize>) -> Counts {
    let mut counts = Counts::new("cl100k", &[], Digits::None).unwrap();
    if let Some(table) = table {
        counts.set_budget(Budget::new(LEAST, threads).unwrap().with_table(table)).unwrap();
    }
    for part in text.chunks(200_000) {
        counts.add_documents(&[Text::Raw(part)], threads, &mut |_| Ok(())).unwrap();
    }
    counts
}

#[test]
fn a_budget_changes_nothing_but_where_counts_are() {
    let text = corpus(150_000);
    let mut free = counted(&text, 1, None);
    assert!(free.runs().is_empty());
    let expected = sorted(&mut free);
    for (threads, table) in [(1, 400_000), (3, 400_000), (2, 2_000_000), (2, 40_000_000)] {
        let mut counts = counted(&text, threads, Some(table));
        assert_eq!(counts.runs().is_empty(), table > 30_000_000);
        assert_eq!(sorted(&mut counts), expected);
        let summary = counts.summary(&mut || Ok(())).unwrap();
        assert_eq!(summary.pretokens(), expected.len() as u64);
        assert_eq!(summary.occurrences(), expected.iter().map(|e| u128::from(e.1)).sum::<u128>());
        if table < 30_000_000 {
            assert_eq!(counts.read_back(&mut || Ok(())).unwrap().sorted(), expected);
        }
    }
}

#[test]
fn counts_on_disk_are_merged_and_pruned_as_those_in_memory() {
    let (one, two) = (corpus(40_000), corpus(60_000));
    let mut expected = counted(&one, 1, None);
    expected.merge(&counted(&two, 1, None)).unwrap();
    let mut counts = counted(&one, 2, Some(400_000));
    counts.merge(&counted(&two, 2, Some(400_000))).unwrap();
    assert_eq!(sorted(&mut counts), sorted(&mut expected));
    assert_eq!(counts.bytes(), expected.bytes());
    let all = expected.summary(&mut || Ok(())).unwrap().pretokens();
    let dropped = expected.prune(3, &mut || Ok(())).unwrap();
    assert_eq!(counts.prune(3, &mut || Ok(())).unwrap(), dropped);
    assert_eq!(sorted(&mut counts), sorted(&mut expected));
    let kept = sorted(&mut expected);
    assert_eq!(kept.len() as u64 + dropped.0, all);
    assert!(dropped.0 > 0 && kept.iter().all(|entry| entry.1 >= 3));
}

#[test]
fn training_that_does_not_fit_is_refused_with_the_figure_and_the_cure() {
    let mut counts = counted(&corpus(100_000), 1, None);
    let error = counts.summary(&mut || Ok(())).unwrap().check_training(64 << 20).unwrap_err().to_string();
    assert!(error.contains("needs about") && error.contains("max_memory=67108864"), "{error}");
    assert!(error.contains("counts.prune(2)"), "{error}");
    counts.prune(2, &mut || Ok(())).unwrap();
    counts.summary(&mut || Ok(())).unwrap().check_training(64 << 20).unwrap();
    assert!(Budget::new(LEAST - 1, 1).is_err());
}

#[test]
fn one_pretoken_larger_than_the_budget_is_an_error() {
    let mut counts = Counts::new("cl100k", &[], Digits::None).unwrap();
    counts.set_budget(Budget::new(LEAST, 1).unwrap().with_table(1 << 20)).unwrap();
    let text = "a".repeat(3 << 20);
    let error = counts.add_documents(&[Text::Valid(&text)], 1, &mut |_| Ok(())).unwrap_err().to_string();
    assert!(error.contains("a pretoken of 3145728 bytes") && error.contains("max_memory=134217728"), "{error}");
    let error = counts.add_reader("a".repeat(80 << 20).as_bytes(), 1, &mut |_| Ok(())).unwrap_err().to_string();
    assert!(error.contains("no place where this pattern lets them be cut"), "{error}");
}

/// 1,250 of 20 KB were refused under 128 MiB, as if one of them were too large (2026-12-01).
#[test]
fn long_pretokens_need_not_fit_a_table_together() {
    let text: String = (0..100).map(|number| format!("{number}{}\n", "ab".repeat(25_000))).collect();
    let counted = |table| {
        let mut counts = Counts::new(r"[^\n]+|\n", &[], Digits::None).unwrap();
        counts.set_budget(Budget::new(LEAST, 1).unwrap().with_table(table)).unwrap();
        counts.add_documents(&[Text::Valid(&text)], 1, &mut |_| Ok(())).unwrap();
        sorted(&mut counts)
    };
    assert_eq!(counted(2 << 20), counted(20 << 20));
}

#[test]
fn sums_above_64_bits_are_errors_on_disk_too() {
    let mut runs = Runs::default();
    for count in [u64::MAX, 1] {
        let mut writer = RunWriter::new().unwrap();
        writer.push(b"a", count).unwrap();
        runs.push(writer.finish().unwrap()).unwrap();
    }
    assert!(Merged::new(runs.iter()).unwrap().advance().is_err());
}

proptest! {
    #[test]
    fn runs_add_up_to_the_table(words in prop::collection::vec(("[a-c]{1,3}|[xy]{14,18}", 1..u64::MAX >> 8), 0..200),
                                parts in 1usize..40) {
        let mut whole = CountTable::default();
        let mut runs = Runs::default();
        for part in words.chunks(words.len().div_ceil(parts).max(1)) {
            let mut table = CountTable::default();
            for (word, count) in part {
                table.add(word.as_bytes(), 0, word.len(), *count).unwrap();
                whole.add(word.as_bytes(), 0, word.len(), *count).unwrap();
            }
            let before = table.sorted();
            table.sort_in_place();
            table.restore();
            prop_assert_eq!(table.sorted(), before);
            runs.push(bpetok::count::spill::spill(&mut table).unwrap()).unwrap();
            prop_assert!(table.is_empty());
        }
        let mut merged = Merged::new(runs.iter()).unwrap();
        let mut found = Vec::new();
        while let Some((text, count)) = merged.advance().unwrap() {
            found.push((text.to_vec(), count));
        }
        prop_assert_eq!(found, whole.sorted());
    }
}
