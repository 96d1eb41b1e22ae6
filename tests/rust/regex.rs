//! Any pattern: what is linear, what is refused, what runs under a limit, and that nothing is dropped.

use bpetok::error::Error;
use bpetok::pretokenize::regex::{Regex, RegexCache};
use bpetok::pretokenize::{Ends, Pretokenizer};
use proptest::prelude::*;

fn pieces(pattern: &str, text: &str) -> Vec<String> {
    split(&Pretokenizer::by_regex(pattern).unwrap(), text)
}

fn split(pretokenizer: &Pretokenizer, text: &str) -> Vec<String> {
    let (mut cache, mut found, mut at, mut start) = (RegexCache::default(), Vec::new(), 0, 0);
    while at < text.len() {
        let mut ends = Ends::default();
        at = pretokenizer.scan(&mut cache, text, at, &mut ends).unwrap();
        for &end in ends.as_slice() {
            found.push(text[start..end].to_owned());
            start = end;
        }
    }
    found
}

/// Patterns for the comparison below, compiled once by both engines.
fn compared() -> &'static [(Pretokenizer, fancy_regex::Regex)] {
    static COMPARED: std::sync::OnceLock<Vec<(Pretokenizer, fancy_regex::Regex)>> = std::sync::OnceLock::new();
    COMPARED.get_or_init(|| {
        let patterns = [
            r"\w+|\s+(?!\S)|\s+|[^\w\s]+",
            r"[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
            r"a+b|\s+(?!\S)|1{2}|\s",
        ];
        patterns.iter().map(|p| (Pretokenizer::by_regex(p).unwrap(), fancy_regex::Regex::new(p).unwrap())).collect()
    })
}

#[test]
fn text_between_matches_is_kept() {
    assert_eq!(pieces(r"\d+", "ab12cd3"), ["ab", "12", "cd", "3"]);
    assert_eq!(pieces(r"x*", "abxx"), ["ab", "xx"]);
    assert_eq!(pieces(r"(?<=a)b", "abb"), ["a", "b", "b"]);
    assert_eq!(pieces(r"z{3}", "abc"), ["abc"]);
}

#[test]
fn linear_where_it_can_be() {
    for pattern in [r"\w+|\s+", r"\s+(?!\S)|\s+", r"\p{N}{1,3}+| ?\p{L}++", r"(?:a|b)+|\s++$", r"(\w+)|\s+(?!\S)|."] {
        assert!(Regex::new(pattern).unwrap().is_linear(), "{pattern}");
    }
    for pattern in [r"a(?=b)", r"(a)\1", r"a++ab", r"(?<!a)b", r"(?>a|ab)c"] {
        assert!(!Regex::new(pattern).unwrap().is_linear(), "{pattern}");
    }
}

#[test]
fn refused_with_a_reason() {
    for pattern in ["(", r"\p{Nope}", "[a", r"^a", r"\d{3}+", r"(?i:ss|k)", "cl100", "a**", ""] {
        let error = Pretokenizer::new(pattern).err();
        assert!(matches!(error, Some(Error::Pattern { .. })), "{pattern}: {error:?}");
    }
}

#[test]
fn endless_backtracking_is_an_error_with_its_place() {
    let regex = Regex::new(r"(a*)*b\1|(?:x+x+)+y(?=z)").unwrap();
    let text = format!("abab{}", "x".repeat(60));
    let (mut at, mut ends) = (0, Ends::default());
    let error = loop {
        match regex.scan(&mut RegexCache::default(), &text, at, &mut ends) {
            Ok(end) if end < text.len() => at = end,
            other => break other.err(),
        }
    };
    assert!(matches!(error, Some(Error::PatternSteps { .. })), "{error:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// The linear engine's trick for `\s+(?!\S)` and for possessive runs, against the engine that backtracks.
    #[test]
    fn linear_equals_backtracking(text in "[ab1 .\n\u{A0}中]{0,40}") {
        for (pretokenizer, backtracking) in compared() {
            let wanted: Vec<&str> = backtracking.find_iter(&text).map(|m| m.unwrap().as_str()).collect();
            let found = split(pretokenizer, &text);
            prop_assert_eq!(found.concat(), text.clone());
            let mut rest = found.iter();
            for piece in wanted {
                prop_assert!(rest.any(|f| f == piece), "{} {:?} {:?}", pretokenizer.pattern(), text, found);
            }
        }
    }
}
