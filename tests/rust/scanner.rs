//! The scanner against the regex engine, on every preset and every level of vector instructions.

use bpetok::pretokenize::block::{self, BLOCK};
use bpetok::pretokenize::classes::{ClassTable, LETTER, UNICODE_VERSION};
use bpetok::pretokenize::patterns::PRESETS;
use bpetok::pretokenize::regex::RegexCache;
use bpetok::pretokenize::scanner::Scanner;
use bpetok::pretokenize::{Ends, Pretokenizer};
use proptest::prelude::*;

/// Characters that sit on the edges of some class of some preset.
const NASTY: [&str; 45] = [
    "a", "B", "s", "S", "l", "L", "e", "r", "t", "'", " ", " ", "\n", "\r", "\t", ".", "/", "-", "1", "2", "\u{17F}",
    "\u{212A}", "é", "É", "ß", "×", "ǅ", "ʰ", "中", "文", "각", "Ж", "ж", "Ѡ", "あ", "\u{301}", "½", "\u{A0}",
    "\u{2028}", "\u{85}", "’", "—", "😀", "\u{200D}", "\0",
];

fn by_regex(regex: &Pretokenizer, text: &str) -> Vec<usize> {
    all(|at, ends| regex.scan(&mut RegexCache::default(), text, at, ends).unwrap(), text)
}

fn by_scanner(scanner: &Scanner, text: &str) -> Vec<usize> {
    all(|at, ends| scanner.scan(text.as_bytes(), at, ends), text)
}

fn all(mut scan: impl FnMut(usize, &mut Ends) -> usize, text: &str) -> Vec<usize> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let mut ends = Ends::default();
        at = scan(at, &mut ends);
        found.extend_from_slice(ends.as_slice());
    }
    found
}

type Engines = Vec<(&'static str, Pretokenizer, Vec<Scanner>)>;

/// Compiled once: the regexes take longer than most comparisons.
fn engines() -> &'static Engines {
    static ENGINES: std::sync::OnceLock<Engines> = std::sync::OnceLock::new();
    ENGINES.get_or_init(|| {
        let levels = |rules| (0..=2).map(|level| Scanner::with_level(rules, level)).collect();
        PRESETS.iter().map(|p| (p.name, Pretokenizer::by_regex(p.name).unwrap(), levels(p.rules))).collect()
    })
}

fn check(engines: &Engines, text: &str) {
    for (name, regex, scanners) in engines {
        let wanted = by_regex(regex, text);
        for (level, scanner) in scanners.iter().enumerate() {
            assert_eq!(by_scanner(scanner, text), wanted, "{name}, level {level}, {text:?}");
        }
    }
}

#[test]
fn presets_run_in_linear_time() {
    use bpetok::pretokenize::regex::Regex;
    for preset in &PRESETS {
        assert!(Regex::new(preset.regex).unwrap().is_linear(), "{}", preset.name);
    }
}

/// Up to 64 starts in a window.
#[test]
fn windows_full_of_starts() {
    for text in ["1", "1.", "a\n", "a1", "\n1'", "Ab1中 "] {
        for count in [8, 15, 16, 17, 31, 64, 300] {
            check(engines(), &text.repeat(count));
        }
    }
}

#[test]
fn short_strings_exhaustively() {
    let engines = engines();
    let mut texts: Vec<String> = vec![String::new()];
    for _ in 0..3 {
        texts = texts.iter().flat_map(|t| NASTY.iter().map(move |c| format!("{t}{c}"))).collect();
        for text in &texts {
            check(engines, text);
        }
    }
}

#[test]
fn ascii_strings_exhaustively() {
    let engines = engines();
    let alphabet = ["a", "B", "'", "s", " ", "\n", ".", "/", "1", "\t"];
    let mut texts: Vec<String> = vec![String::new()];
    for _ in 0..5 {
        texts = texts.iter().flat_map(|t| alphabet.iter().map(move |c| format!("{t}{c}"))).collect();
        for text in &texts {
            check(engines, text);
        }
    }
}

#[test]
fn every_code_point_alone_and_in_context() {
    let engines = engines();
    for code in (0..=0x10_FFFFu32).filter_map(char::from_u32) {
        // Plain and unassigned planes are uniform; one of sixteen stands for them.
        if code > '\u{3_0000}' && !(code as u32).is_multiple_of(16) && (code as u32) < 0xE_0000 {
            continue;
        }
        check(engines, &format!("{code}a {code} B{code}'s.{code}1{code}\n{code}"));
    }
}

fn nasty_text(longest: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&NASTY[..]), 0..longest).prop_map(|parts| parts.concat())
}

fn ascii_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(&[
        "the",
        " Word",
        "'s",
        "'LL",
        "'ve",
        " ",
        "  ",
        "\n",
        "\r\n",
        "\n    ",
        "\t",
        ".",
        ",",
        "...",
        " (",
        ")",
        "/",
        "12",
        "2024",
        "camelCase",
        "ABC",
        "x",
        "'",
        "\"",
        "é",
        "中文",
        ".\n/",
        " \n \n ",
    ]);
    prop::collection::vec(piece, 0..80).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn random_text(text in prop_oneof![nasty_text(60), ascii_text(), any::<String>(), "[ -~\n]{0,200}"]) {
        check(engines(), &text);
    }

    #[test]
    fn cuts_change_nothing(text in prop_oneof![nasty_text(40), ascii_text()]) {
        for preset in &PRESETS {
            let pretokenizer = Pretokenizer::new(preset.name).unwrap();
            let whole = by_regex(&pretokenizer, &text);
            for at in (0..text.len()).filter(|&at| pretokenizer.may_cut(text.as_bytes(), at)) {
                let mut parts = by_regex(&pretokenizer, &text[..at]);
                parts.extend(by_regex(&pretokenizer, &text[at..]).iter().map(|end| at + end));
                prop_assert_eq!(&parts, &whole, "{} cut at {} of {:?}", preset.name, at, text);
            }
        }
    }
}

#[test]
fn blocks_agree_on_every_byte() {
    for shift in 0..256usize {
        let block: [u8; BLOCK] = std::array::from_fn(|i| u8::try_from((i * 5 + shift) % 256).unwrap());
        let masks = block::portable(&block);
        for (i, &byte) in block.iter().enumerate() {
            let bit = |mask: u64| mask >> i & 1 == 1;
            assert_eq!(bit(masks.letter), byte.is_ascii_alphabetic());
            assert_eq!(bit(masks.upper), byte.is_ascii_uppercase());
            assert_eq!(bit(masks.digit), byte.is_ascii_digit());
            assert_eq!(bit(masks.space), byte == b' ');
            assert_eq!(bit(masks.white), byte == b' ' || (9..=13).contains(&byte));
            assert_eq!(bit(masks.newline), byte == b'\n' || byte == b'\r');
            assert_eq!(bit(masks.quote), byte == b'\'');
            assert_eq!(bit(masks.slash), byte == b'/');
            assert_eq!(bit(masks.high), byte >= 0x80);
        }
        for level in block::vector_levels() {
            assert_eq!(level(&block), masks);
        }
        for level in block::vector_levels_high() {
            assert_eq!(level(&block, masks.high), block::portable_high(&block, masks.high));
        }
    }
}

/// The class tables come from the regex engine: an update of it must not change the version unnoticed.
#[test]
fn the_version_of_unicode_is_that_of_the_tables() {
    let class = |code_point| ClassTable::get().class(code_point);
    assert_eq!(UNICODE_VERSION, "16.0.0");
    // Todhri letters came with 16.0, Beria Erfe with 17.0.
    assert!(class(0x105C0) & LETTER != 0);
    assert!(class(0x16EA0) == 0);
}
