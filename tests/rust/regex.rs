//! Any pattern: what is linear, what is refused, what runs under a limit, and that nothing is dropped.

use std::sync::Mutex;

use bpetok::error::Error;
use bpetok::pretokenize::regex::{Regex, RegexCache};
use bpetok::pretokenize::{Ends, Pretokenizer};
use proptest::prelude::*;

fn pieces(pattern: &str, text: &str) -> Vec<String> {
    split(&Pretokenizer::by_regex(pattern).unwrap(), text)
}

fn split(pretokenizer: &Pretokenizer, text: &str) -> Vec<String> {
    split_with(&mut RegexCache::default(), pretokenizer, text)
}

fn split_with(cache: &mut RegexCache, pretokenizer: &Pretokenizer, text: &str) -> Vec<String> {
    let (mut found, mut at, mut start) = (Vec::new(), 0, 0);
    while at < text.len() {
        let mut ends = Ends::default();
        at = pretokenizer.scan(cache, text, at, &mut ends).unwrap();
        for &end in ends.as_slice() {
            found.push(text[start..end].to_owned());
            start = end;
        }
    }
    found
}

/// Matches that are not empty, and what stands between them.
fn plainly(regex: &fancy_regex::Regex, text: &str) -> Vec<String> {
    let (mut pieces, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = regex.find_from_pos(text, at).unwrap() {
        if found.start() < found.end() {
            pieces.push(&text[start..found.start()]);
            pieces.push(found.as_str());
            (start, at) = (found.end(), found.end());
        } else {
            at = found.end() + text[found.end()..].chars().next().map_or(1, char::len_utf8);
        }
        if at > text.len() {
            break;
        }
    }
    pieces.push(&text[start..]);
    pieces.into_iter().filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
}

type Compared = (Pretokenizer, fancy_regex::Regex, Mutex<RegexCache>);

/// Patterns for the comparison below, compiled once by both engines, and a working memory that has seen enough text to
/// go by its table.
fn compared() -> &'static [Compared] {
    static COMPARED: std::sync::OnceLock<Vec<Compared>> = std::sync::OnceLock::new();
    COMPARED.get_or_init(|| {
        let patterns = [
            r"\w+|\s+(?!\S)|\s+|[^\w\s]+",
            r"[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
            r"a+b|\s+(?!\S)|1{2}|\s",
            r"a*b|a",
            r"(?:[ab]1)*中|a1|[^中]",
            r"a.*?\.|b*|1+$",
            r"1*?|a+?b|(?:)",
            r"\p{L}{1,3}|\p{N}{2}| ",
            r" ?\w+|\s+",
            r"(?m:^)a+|b",
            r"[ab]+(?:—1)?|中.|\PM",
            r"a中{0,2}|—+é?|[^é]",
            r"[^\n]{1,40}\n?|\n+",
            r"[\x{3000}-\x{303F}]+|[ぁ-ヺ]+|[^\x{3000}-ヺ]{1,9}",
        ];
        let both = patterns.iter().map(|p| (Pretokenizer::by_regex(p).unwrap(), fancy_regex::Regex::new(p).unwrap()));
        let warm = |(pretokenizer, regex): (Pretokenizer, fancy_regex::Regex)| {
            let mut cache = RegexCache::default();
            split_with(&mut cache, &pretokenizer, &"ab 1. 中\n".repeat(2000));
            (pretokenizer, regex, Mutex::new(cache))
        };
        both.map(warm).collect()
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
    for pattern in [
        r"\w+|\s+",
        r"\s+(?!\S)|\s+",
        r"\p{N}{1,3}+| ?\p{L}++",
        r"(?:a|b)+|\s++$",
        r"(\w+)|\s+(?!\S)|.",
        r"a++b|.",
        r"(?>é+)b|.",
    ] {
        assert!(Regex::new(pattern).unwrap().is_linear(), "{pattern}");
    }
    for pattern in [r"a(?=b)", r"(a)\1", r"a++ab", r"(?<!a)b", r"(?>a|ab)c", r"(?:ab)++a|."] {
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

/// A bracket that comes first in a class does not end it, so that what follows is still of the class.
#[test]
fn a_bracket_that_comes_first_is_of_the_class() {
    for (pattern, text, expected) in [
        ("[]^]+|a", "]^a^", vec!["]^", "a", "^"]),
        ("[^]^]+", "a]^b", vec!["a", "]^", "b"]),
        ("[]a{3}+]+|.", "}]+b", vec!["}]+", "b"]),
    ] {
        assert_eq!(pieces(pattern, text), expected, "{pattern}");
    }
    for pattern in ["[]a]^b", "[]a]{3}+"] {
        assert!(Pretokenizer::new(pattern).is_err(), "{pattern}");
    }
}

/// `\K` in a look-around may put the start of a match behind its end, or the whole match before where it was looked for: the first
/// of these once searched the same place for ever.
#[test]
fn a_match_that_lies_before_takes_nothing() {
    for (pattern, text, expected) in [
        (r"(?<=\Ka)|[\s\S]", "aab", vec!["a", "ab"]),
        (r"(?<n>(?<=\Ka))|[\s\S]", "aab", vec!["a", "ab"]),
        (r"(?=ab\K)a|b", "abab", vec!["abab"]),
        (r"(?<=\Ka)b|[ab]", "abab", vec!["a", "b", "a", "b"]),
        (r"a\Kb", "abab", vec!["a", "b", "a", "b"]),
    ] {
        assert_eq!(pieces(pattern, text), expected, "{pattern}");
    }
}

/// Each of these looks to the end of the text from every place of it: a million times a million steps.
#[test]
fn looking_far_ahead_is_linear_too() {
    let (a, quotes, pairs) = ("a".repeat(1_000_000), "/*".repeat(500_000), "ab".repeat(500_000));
    for (pattern, text, count) in [
        (r"a*b|a", &a, 1_000_000),
        (r"(?s)/\*.*?\*/!|.", &quotes, 1_000_000),
        (r"(?:ab)*c|a|b", &pairs, 1_000_000),
        (r"a*b|c", &a, 1),
    ] {
        assert_eq!(pieces(pattern, text).len(), count, "{pattern}");
    }
}

/// What was learnt of one text must not be used for another, whether it is searched match by match or by the table that
/// is made when much text has come.
#[test]
fn texts_are_strangers() {
    for (pattern, begin, middle, end) in [
        ("a*b|a", "", "a", "b"),
        ("a+b|a|[^a]+", "x ", "a", "b"),
        (r"<[^>]*>|\w+|\s+|.", "ab ", "<", ">"),
        (r"\s*b|\s|\w", "a", " ", "b"),
    ] {
        let pretokenizer = Pretokenizer::by_regex(pattern).unwrap();
        let mut cache = RegexCache::default();
        for round in 0..12 {
            let text = begin.to_owned() + &middle.repeat(1000 + round) + if round % 2 == 0 { "" } else { end };
            let found = split_with(&mut cache, &pretokenizer, &text);
            assert!(found == split(&pretokenizer, &text), "{pattern}, round {round}: {}", found.len());
        }
        assert!(split(&pretokenizer, &(begin.to_owned() + &middle.repeat(1000))).len() >= 1000, "{pattern}");
    }
}

/// A search that ran out of states has learnt nothing of what it came by.
#[test]
fn nothing_is_learnt_where_states_run_out() {
    let pretokenizer = Pretokenizer::by_regex(r"(?:a|b)*a(?:a|b){17}c|[^x]").unwrap();
    let mut random = 1u32;
    let mut text = |length: usize| -> String {
        let mut letter = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if random >> 31 == 0 { 'a' } else { 'b' }
        };
        (0..length).map(|_| letter()).collect()
    };
    let mut cache = RegexCache::default();
    for length in [20_000, 6_000, 20_000, 6_000, 6_000] {
        let text = text(length) + "c" + &text(300);
        assert!(split_with(&mut cache, &pretokenizer, &text) == split(&pretokenizer, &text), "{length}");
    }
}

/// More states than are kept, and word boundaries, which the automaton does not know.
#[test]
fn patterns_that_outgrow_the_automaton() {
    let letter = |n: u32| match n.wrapping_mul(2_654_435_761) >> 31 {
        _ if n.is_multiple_of(1500) => 'c',
        0 => 'a',
        _ => 'b',
    };
    let text: String = (1..300_000).map(letter).collect();
    for pattern in [r"[ab]*a[ab]{18}c|[ab]{1,3}|c", r"\b[ab]|[abc]{1,2}"] {
        let backtracking = fancy_regex::Regex::new(pattern).unwrap();
        let wanted: Vec<&str> = backtracking.find_iter(&text).map(|m| m.unwrap().as_str()).collect();
        assert!(Regex::new(pattern).unwrap().is_linear());
        assert!(pieces(pattern, &text) == wanted, "{pattern}");
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

/// What `regex` for Python and tiktoken 0.14 say; the engine's own version of these patterns took other text.
#[test]
fn a_useless_lookahead_changes_nothing() {
    for (pattern, text, lengths) in [
        (r"a{2}a*?a{3}(?=)", "a".repeat(24), vec![5, 5, 5, 5, 4]),
        (r"(?!b)[^b]{2}[^b]*?[^b]{3}", "a".repeat(10), vec![5, 5]),
        (r"a{1,2}(?:aaX)?a{1,2}(?=)", "aaaXa".to_owned(), vec![3, 2]),
        (r"a*(?:aaX)?a+(?=)", "aaaXa".to_owned(), vec![3, 1, 1]),
        (r"a{2}a*?a{3}", "a".repeat(24), vec![5, 5, 5, 5, 4]),
    ] {
        let found: Vec<usize> = pieces(pattern, &text).iter().map(String::len).collect();
        assert_eq!(found, lengths, "{pattern}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// The linear engine's trick for `\s+(?!\S)` and for possessive runs, against the engine that backtracks.
    #[test]
    fn linear_equals_backtracking(text in "[ab1 .\n\u{A0}中—é]{0,40}") {
        for (pretokenizer, backtracking, cache) in compared() {
            let wanted = plainly(backtracking, &text);
            prop_assert_eq!(&split(pretokenizer, &text), &wanted, "{}", pretokenizer.pattern());
            let found = split_with(&mut cache.lock().unwrap(), pretokenizer, &text);
            prop_assert_eq!(found, wanted, "{}, warm", pretokenizer.pattern());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    /// The same for texts of many batches: a walk ends where a batch is full, in the middle of anything, and leaps over runs.
    #[test]
    fn batches_change_nothing(parts in prop::collection::vec(prop_oneof![
        "[ab1 .\n\u{A0}中—é]{0,9}|[ab中 ]{0,300}",
        "[ぁ-ん一-龥é]{0,90}",
        ("[ab1 .\n—\u{3000}あ漢]", 1..200usize).prop_map(|(character, count)| character.repeat(count)),
    ], 0..400)) {
        let text = parts.concat();
        for (pretokenizer, backtracking, cache) in compared() {
            let found = split_with(&mut cache.lock().unwrap(), pretokenizer, &text);
            prop_assert!(found == plainly(backtracking, &text), "{}: {text:?}", pretokenizer.pattern());
        }
    }
}
