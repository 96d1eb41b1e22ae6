//! What is measured on: the corpora that `BPETOK_TEST_DATA` names, or text made here.

use std::path::PathBuf;

use bpetok::files::from_tiktoken;
use bpetok::pretokenize::classes::UNICODE_VERSION;
use bpetok::tokenizer::{Parts, Tokenizer};
use bpetok::train::{Options, Trained, train};
use bpetok::vocab::Vocabulary;

/// Bytes of each text.
const SIZE: usize = 4 << 20;

/// A name and a text.
pub type Named = (&'static str, String);

fn data() -> Option<PathBuf> {
    std::env::var_os("BPETOK_TEST_DATA").map(PathBuf::from)
}

/// The texts.
pub fn all() -> Vec<Named> {
    let Some(data) = data() else {
        return vec![
            ("generated latin", generated("etaoinshrdlcumwfgypb")),
            ("generated cyrillic", generated("оеаинтсрвлкмдпуяыьгз")),
        ];
    };
    let read = |name: &'static str| {
        let bytes = std::fs::read(data.join(format!("corpora/{name}.txt"))).unwrap();
        (name, String::from_utf8_lossy(&bytes[..SIZE.min(bytes.len())]).into_owned())
    };
    ["english", "code", "multilingual"].map(read).into()
}

/// Words of which few are frequent, as in real text, with punctuation and numbers between them; always the same.
fn generated(letters: &str) -> String {
    let letters: Vec<char> = letters.chars().collect();
    let mut state = 1u64;
    let mut random = move |below: u64| {
        // The constants of Knuth's MMIX; the upper bits are the random ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut pick = |below: usize| usize::try_from(random(below as u64)).unwrap_or(0);
    let words: Vec<String> =
        (0..20_000).map(|_| (0..2 + pick(8)).map(|_| letters[pick(letters.len())]).collect()).collect();
    let mut text = String::with_capacity(SIZE + 64);
    while text.len() < SIZE {
        match pick(20) {
            0 => text.push_str(".\n"),
            1 => {
                text.push_str(", ");
                text.push_str(&pick(3000).to_string());
            }
            _ => {
                // Halving the choice again and again makes the first words the frequent ones.
                let among = words.len() >> pick(12);
                text.push(' ');
                text.push_str(&words[pick(among)]);
            }
        }
    }
    text
}

/// A vocabulary for a text: that of cl100k where there is data, else one trained on the text.
pub fn tokenizer(text: &str) -> Tokenizer {
    if let Some(data) = data() {
        let ranks = std::fs::read(data.join("vocabs/cl100k_base.tiktoken")).unwrap();
        return from_tiktoken(&ranks, "cl100k", Vec::new()).unwrap();
    }
    let trained = trained(&super::count::counted(text), 8192);
    let tokens: Vec<_> = (0..).zip(trained.tokens.iter().map(Vec::as_slice)).collect();
    let (pattern, digits) = ("cl100k", "none");
    Tokenizer::new(Parts {
        vocabulary: Vocabulary::new(&tokens).unwrap(),
        merges: None,
        pattern,
        specials: Vec::new(),
        digits,
        unicode_version: UNICODE_VERSION,
    })
    .unwrap()
}

/// Merges learnt from counts.
pub fn trained(counts: &bpetok::count::Counts, tokens: usize) -> Trained {
    let options = Options { tokens, min_frequency: 1, ..Options::default() };
    train(counts.table(), &options, &mut |_| Ok(())).unwrap()
}
