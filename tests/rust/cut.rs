//! Cuts against their definition, tried on every token boundary.

use bpetok::error::Error;
use bpetok::pretokenize::classes::UNICODE_VERSION;
use bpetok::special::Choice;
use bpetok::tokenizer::{Parts, Tokenizer};
use bpetok::utf8::Text;
use bpetok::vocab::Vocabulary;
use proptest::prelude::*;

/// Presets, steady patterns (with gaps, with matches that look far ahead in vain) and patterns that look around.
const PATTERNS: [&str; 25] = [
    "gpt2",
    "cl100k",
    "o200k",
    "llama3",
    "qwen2",
    r"\w+|\s+(?!\S)|\s+|.",
    r"\d+|\s++$|\s+|\p{L}+",
    r"[^\S\n]+$|\n+|\S+",
    r"(?s:.)+",
    r"[ab]*b|.",
    r".*1|a",
    r"ab+",
    r"a+?|1{3}",
    r"(?s:a.*?b)|\s",
    r"[ab1 ]{2,5}|.",
    r"(?s:.{3})",
    r"a*$|.",
    r"\b\w+|.",
    r"\w+\b|.",
    r"a(?=b)|\w+|\s",
    r"(?s:.*)(?<=1)|.",
    r"(?<=a)b+|a+|.",
    r"(?>abb|a)b|.",
    r"(?m:.+$)|\n",
    r"(a|b)\1|.",
];

/// Tokens of which some are never formed by merging.
fn tokens() -> Vec<Vec<u8>> {
    let mut tokens: Vec<Vec<u8>> =
        ["ab", "abc", " a", "  ", "\n\n", "中", "é", "aa", "aaaa", "b\u{301}", "11", "1111", "..", "12", "bab1"]
            .map(|token| token.as_bytes().to_vec())
            .to_vec();
    tokens.extend([
        b"a".repeat(16),
        b" ".repeat(9),
        b"1".repeat(7),
        b"A".repeat(3),
        b"A".repeat(12),
        b"\n".repeat(5),
        b"a b a b a".to_vec(),
        b". 1. 1".to_vec(),
    ]);
    tokens
}

fn tokenizer(pattern: &str, digits: &str, specials: &[(&str, u32)]) -> Tokenizer {
    let tokens: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).chain(tokens()).collect();
    let specials = specials.iter().map(|&(text, id)| (text.to_owned(), id)).collect();
    let tokens: Vec<_> = (0..).zip(tokens.iter().map(Vec::as_slice)).collect();
    let vocabulary = Vocabulary::new(&tokens).unwrap();
    Tokenizer::new(Parts { vocabulary, merges: None, pattern, specials, digits, unicode_version: UNICODE_VERSION })
        .unwrap()
}

fn ids(tokenizer: &Tokenizer, text: &[u8], allowed: &Choice) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.with_work(|work| tokenizer.encode_into(work, Text::Raw(text), allowed, &mut ids)).unwrap();
    ids
}

fn cut(tokenizer: &Tokenizer, text: Text<'_>, most: usize, allowed: &Choice) -> usize {
    tokenizer.with_work(|work| tokenizer.cut(work, text, most, allowed, &mut || Ok(()))).unwrap()
}

/// What `cut` is to give for every number of tokens.
fn by_definition(tokenizer: &Tokenizer, text: &[u8], allowed: &Choice) -> impl Fn(usize) -> usize {
    let ends = tokenizer.token_ends(&ids(tokenizer, text, allowed));
    // Bytes that are in no character stand between two boundaries each.
    let mut boundaries = vec![true; text.len() + 1];
    let mut start = 0;
    for chunk in text.utf8_chunks() {
        for (at, character) in chunk.valid().char_indices() {
            boundaries[start + at + 1..start + at + character.len_utf8()].fill(false);
        }
        start += chunk.valid().len() + chunk.invalid().len();
    }
    let is_boundary = |end: &usize| boundaries[*end];
    let counted: Vec<(usize, usize)> = std::iter::once(0)
        .chain(ends)
        .filter(is_boundary)
        .map(|end| (end, ids(tokenizer, &text[..end], allowed).len()))
        .collect();
    move |most| counted.iter().filter(|(_, count)| *count <= most).map(|(end, _)| *end).max().unwrap_or(0)
}

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ab .é中1\n]{0,30}",
        "[a]{0,60}",
        "[ab]{0,50}",
        "[ \n]{0,40}",
        "[1-3]{0,40}",
        "[.,1 ]{0,60}",
        "[中é\u{301}AaBb']{0,30}",
        "[ .中\u{301}1]?[A]{0,30}b?",
        "[!a \n]?[\n]{0,30}[./]?"
    ];
    prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn cuts_are_the_longest_prefixes(text in texts(), digits in prop::sample::select(vec!["none", "1", "1-3", "right-1-3"])) {
        for pattern in PATTERNS {
            let tokenizer = tokenizer(pattern, digits, &[]);
            let wanted = by_definition(&tokenizer, text.as_bytes(), &Choice::None);
            for most in 0..40 {
                let got = cut(&tokenizer, Text::Valid(&text), most, &Choice::None);
                prop_assert_eq!(got, wanted(most), "{} {} {:?} {}", pattern, digits, text, most);
            }
        }
    }

    /// With broken characters, and special tokens that are allowed or not.
    #[test]
    fn cuts_of_bytes_and_special_tokens(
        parts in prop::collection::vec(
            prop_oneof![
                texts().prop_map(String::into_bytes),
                prop::sample::select(vec![b"<s>".to_vec(), b"<s><t>".to_vec(), b"11<t>".to_vec(), b"\xF0\x9F".to_vec(), b"\xFF".to_vec(), b"\xA0".to_vec(), b"\x80".repeat(12)]),
            ],
            1..6,
        ),
        digits in prop::sample::select(vec!["none", "right-1-3"]),
        pattern in prop::sample::select(PATTERNS.to_vec()),
    ) {
        let text = parts.concat();
        let tokenizer = tokenizer(pattern, digits, &[("<s>", 1000), ("<s><t>", 1001), ("1<t>", 1002)]);
        for allowed in [Choice::None, Choice::All, tokenizer.specials().choose(["<s>"]).unwrap()] {
            let wanted = by_definition(&tokenizer, &text, &allowed);
            for most in 0..40 {
                let got = cut(&tokenizer, Text::Raw(&text), most, &allowed);
                prop_assert_eq!(got, wanted(most), "{} {} {:?} {}", pattern, digits, text, most);
            }
        }
    }
}

/// Each took seconds to hours while every end that may fit was tried with all text before it (2026-11-29).
#[test]
fn cutting_is_quick_where_nothing_splits_for_certain() {
    for (pattern, text) in [
        ("cl100k", "1 2 3 4 5 6 7 8 9 0, ".repeat(20_000)),
        ("gpt2", "1. 1. 11 a b a b a.. ".repeat(20_000)),
        (r"\w+|\s+(?!\S)|\s+|.", "ab ab. a b a b a ".repeat(20_000)),
        (r"\w+\b|.", "ab ab. 11. 1. 1".repeat(20_000)),
        ("cl100k", "a".repeat(300_000)),
        ("cl100k", "中.\n".repeat(50_000)),
        ("gpt2", "1213111".repeat(50_000)),
        ("o200k", ",.;".repeat(100_000)),
        // 47 s for 1 MB, and the square of that (2026-12-01).
        (r"(?s:.)+", "ab abc a..aaaaab\n".repeat(40_000)),
        (r"[^\n]+|\n", "ab abc a..aaaaa b".repeat(40_000)),
    ] {
        let tokenizer = tokenizer(pattern, "none", &[]);
        // Of patterns that look around little is known: the tries are as many as their tokens are more than the fewest.
        let many = if pattern == r"\w+\b|." { 500 } else { 50_000 };
        for most in [10, 1_000.min(many), many] {
            let end = cut(&tokenizer, Text::Valid(&text), most, &Choice::None);
            assert!(ids(&tokenizer, &text.as_bytes()[..end], &Choice::None).len() <= most);
        }
    }
}

#[test]
fn cutting_stops_when_asked_to() {
    let tokenizer = tokenizer(r"a*$|.", "none", &[]);
    let text = "ab".repeat(1_000_000);
    let mut asked = 0;
    let mut pause = || {
        asked += 1;
        if asked < 3 { Ok(()) } else { Err(Error::Interrupted) }
    };
    let result =
        tokenizer.with_work(|work| tokenizer.cut(work, Text::Valid(&text), 100_000, &Choice::None, &mut pause));
    assert!(matches!(result, Err(Error::Interrupted)));
}

#[test]
fn cutting_a_giant_is_quick() {
    let tokenizer = tokenizer("cl100k", "none", &[]);
    let text = "a".repeat(2_000_000);
    assert_eq!(cut(&tokenizer, Text::Valid(&text), 10, &Choice::None), 40);
}

/// What may be a token was looked up by its bytes, at every place in every length up to the longest: 31 s for 8 KB (2026-11-30).
#[test]
fn cutting_is_quick_where_tokens_are_long() {
    let runs: Vec<Vec<u8>> = (1..13).map(|power| b"=".repeat(1 << power)).collect();
    let (one, giant) = (b"ab".repeat(1 << 14), b"ab".repeat(1 << 15));
    for (long, text, most) in [(runs, b"=".repeat(100_000), 60), (vec![one], giant, 30)] {
        let tokens: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).chain(long).collect();
        let tokens: Vec<_> = (0..).zip(tokens.iter().map(Vec::as_slice)).collect();
        let vocabulary = Vocabulary::new(&tokens).unwrap();
        let (specials, digits) = (Vec::new(), "none");
        let parts =
            Parts { vocabulary, merges: None, pattern: "cl100k", specials, digits, unicode_version: UNICODE_VERSION };
        let tokenizer = Tokenizer::new(parts).unwrap();
        let end = cut(&tokenizer, Text::Raw(&text), most, &Choice::None);
        assert!(ids(&tokenizer, &text[..end], &Choice::None).len() <= most);
        assert_eq!(
            end,
            (1..=text.len())
                .rev()
                .step_by(97)
                .chain([end])
                .filter(|&at| { at >= end && ids(&tokenizer, &text[..at], &Choice::None).len() <= most })
                .max()
                .unwrap()
        );
    }
}
