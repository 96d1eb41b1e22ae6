//! Digit rules against a slow version that groups strings, and their way through files, counts and cuts.

use bpetok::batch::{Options, SHARE, may_cut};
use bpetok::count::Counts;
use bpetok::digits::{Digits, RULES};
use bpetok::error::Error;
use bpetok::files::{fingerprint, from_bytes, to_bytes, to_tiktoken};
use bpetok::pretokenize::Pretokenizer;
use bpetok::special::Choice;
use bpetok::threads::Steps;
use bpetok::tokenizer::{Parts, Tokenizer};
use bpetok::utf8::Text;
use proptest::prelude::*;

use crate::tokenizer;

fn with_rule(pattern: &str, digits: &str) -> Result<Tokenizer, Error> {
    let base = tokenizer(pattern, &[b"12".to_vec(), b"123".to_vec(), b"  ".to_vec()], &[]);
    Tokenizer::new(Parts { digits, ..base.parts() })
}

fn pretokens(tokenizer: &Tokenizer, text: &[u8]) -> Vec<Vec<u8>> {
    let found = tokenizer.pretokens(Text::Raw(text), &mut Steps::default()).unwrap();
    found.into_iter().map(<[u8]>::to_vec).collect()
}

/// Groups by string, from the end where the rule says so; the stretches between by a tokenizer without a rule.
fn slow(plain: &Tokenizer, digits: &str, text: &str) -> Vec<Vec<u8>> {
    let numbers = regex_automata::meta::Regex::new(r"\p{N}+").unwrap();
    let (mut found, mut at) = (Vec::new(), 0);
    for run in numbers.find_iter(text) {
        found.extend(pretokens(plain, &text.as_bytes()[at..run.start()]));
        let mut characters: Vec<char> = text[run.range()].chars().collect();
        let width = if digits == "1" { 1 } else { 3 };
        if digits == "right-1-3" {
            characters.reverse();
        }
        let mut groups: Vec<String> = characters.chunks(width).map(|group| group.iter().collect()).collect();
        if digits == "right-1-3" {
            groups = groups.iter().rev().map(|group| group.chars().rev().collect()).collect();
        }
        found.extend(groups.into_iter().map(String::into_bytes));
        at = run.end();
    }
    found.extend(pretokens(plain, &text.as_bytes()[at..]));
    found
}

#[test]
fn groups_are_those_of_the_rule() {
    let split = |digits: &str, text: &str| {
        let found = pretokens(&with_rule("gpt2", digits).unwrap(), text.as_bytes());
        found.into_iter().map(|piece| String::from_utf8(piece).unwrap()).collect::<Vec<_>>().join("|")
    };
    assert_eq!(split("none", "a 12345x"), "a| 12345|x");
    assert_eq!(split("1", "a 12345x"), "a| |1|2|3|4|5|x");
    assert_eq!(split("1-3", "a 12345x"), "a| |123|45|x");
    assert_eq!(split("right-1-3", "a 12345x"), "a| |12|345|x");
    assert_eq!(split("right-1-3", "1234567.89  x"), "1|234|567|.|89| | x");
    // White space before a number ends a text, so none of it is given back; all of Unicode's numbers count.
    assert_eq!(split("right-1-3", "a   ٣½Ⅷ4"), "a|   |٣|½Ⅷ4");
}

#[test]
fn long_runs_fill_several_batches() {
    let run = "7".repeat(10_000);
    for (digits, rule) in RULES {
        let tokenizer = with_rule("cl100k", digits).unwrap();
        let lengths: Vec<usize> = pretokens(&tokenizer, run.as_bytes()).iter().map(Vec::len).collect();
        assert_eq!(lengths.iter().sum::<usize>(), run.len());
        if rule == Digits::RightThrees {
            assert!(lengths[0] == 1 && lengths[1..].iter().all(|&l| l == 3));
        }
    }
}

#[test]
fn the_rule_travels_and_decides_the_fingerprint() {
    let mut prints: Vec<String> = Vec::new();
    for (digits, _) in RULES {
        let made = with_rule("o200k", digits).unwrap();
        let read = from_bytes(&to_bytes(&made)).unwrap();
        assert_eq!((read.digits(), fingerprint(&read)), (digits, fingerprint(&made)));
        assert_eq!(to_tiktoken(&made).is_ok(), digits == "none");
        prints.push(fingerprint(&made));
    }
    prints.dedup();
    assert_eq!(prints.len(), RULES.len());
    let unknown = with_rule("o200k", "3").err().map(|e| e.to_string()).unwrap_or_default();
    assert!(unknown.contains("\"3\"") && unknown.contains("right-1-3"), "{unknown}");
}

#[test]
fn counts_of_another_rule_do_not_add_up() {
    let counts = |rule| Counts::new("gpt2", &[], rule).unwrap();
    let error = counts(Digits::Ones).merge(&counts(Digits::Threes)).unwrap_err().to_string();
    assert!(error.contains("\"1\"") && error.contains("\"1-3\""), "{error}");
}

#[test]
fn threads_change_nothing() {
    let line = "Year 1234567 of 12 and٣٤٥٦ 99999; x12345y 中文2024 it's  100\n";
    let long = line.repeat(3 * SHARE / line.len());
    let digits = "1234567890".repeat(SHARE / 5);
    for (rule, _) in RULES {
        let tokenizer = with_rule("cl100k", rule).unwrap();
        let batch = |threads| {
            let options = Options { allowed: &Choice::None, forbidden: &Choice::None, threads };
            tokenizer.encode_batch(&[Text::Valid(&long), Text::Valid(&digits)], &options, &mut || Ok(())).unwrap()
        };
        assert_eq!(batch(3), batch(1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn random_texts(
        text in r"([0-9]{1,8}|[ a'\n]{1,3}|[٣²½Ⅷ中é.]|\PC){0,12}",
        pattern in prop::sample::select(vec!["gpt2", "cl100k", "o200k", "qwen2", "llama3", r"\S+|\s+", r"\b\w+|\s+(?!\S)|\W"]),
        rule in prop::sample::select(vec!["1", "1-3", "right-1-3"]),
    ) {
        let (plain, ruled) = (with_rule(pattern, "none").unwrap(), with_rule(pattern, rule).unwrap());
        let wanted = slow(&plain, rule, &text);
        prop_assert_eq!(&pretokens(&ruled, text.as_bytes()), &wanted);
        let mut counts = Counts::new(pattern, &[], Digits::parse(rule).unwrap()).unwrap();
        counts.add_documents(&[Text::Valid(&text)], 1, &mut |_| Ok(())).unwrap();
        prop_assert_eq!(counts.table().total(), wanted.len() as u128);
        for at in 0..text.len() {
            if may_cut(ruled.pretokenizer(), ruled.specials(), text.as_bytes(), at) {
                let mut parts = pretokens(&ruled, &text.as_bytes()[..at]);
                parts.extend(pretokens(&ruled, &text.as_bytes()[at..]));
                prop_assert_eq!(&parts, &wanted);
            }
        }
    }
}

#[test]
fn the_rule_is_part_of_the_pretokenizer() {
    let made = Pretokenizer::new("gpt2").unwrap().with_digits(Digits::RightThrees);
    assert_eq!((made.digits().name(), made.digits().group(7), made.digits().group(0)), ("right-1-3", 1, 0));
}
