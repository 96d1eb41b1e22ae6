//! Our own file and rank files: what was written comes back, anything else is refused.

use bpetok::error::Error;
use bpetok::files::{from_bytes, from_tiktoken, to_bytes, to_tiktoken};
use proptest::prelude::*;

use crate::tokenizer;

fn example() -> Vec<u8> {
    to_bytes(&tokenizer("cl100k", &[b"ab".to_vec(), "中".into()], &[("<|end|>", 300), ("<pad>", 258)]))
}

#[test]
fn everything_comes_back() {
    let read = from_bytes(&example()).unwrap();
    assert_eq!(to_bytes(&read), example());
    assert_eq!(read.vocab_size(), 301);
    assert_eq!(read.specials().text_of(258), Some("<pad>"));
    let ranks = to_tiktoken(&read).unwrap();
    let again = from_tiktoken(&ranks, "cl100k", read.specials().tokens().to_vec()).unwrap();
    assert_eq!(again.fingerprint(), read.fingerprint());
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let whole = example();
    for length in 0..whole.len() {
        assert!(matches!(from_bytes(&whole[..length]), Err(Error::Format(_))), "cut at {length}");
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(from_bytes(&changed).is_err(), "bit of byte {at}");
    }
}

#[test]
fn a_newer_file_says_so() {
    let mut newer = example();
    newer[8] = 2;
    assert!(from_bytes(&newer).err().unwrap().to_string().contains("version 2"));
}

#[test]
fn bad_rank_files() {
    let good = String::from_utf8(to_tiktoken(&tokenizer("gpt2", &[], &[])).unwrap()).unwrap();
    let cases = [
        ("", "empty"),
        ("YQ==", "no space"),
        ("YQ= 1", "base64"),
        ("Y!== 1", "base64"),
        ("YR== 1", "base64"),
        ("YQ== x", "rank"),
        ("YQ== -1", "rank"),
        ("YQ== 99999999999", "rank"),
        ("YQ== 1", "0x00"),
    ];
    for (text, wanted) in cases {
        let error = from_tiktoken(text.as_bytes(), "gpt2", Vec::new()).err().unwrap().to_string();
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
    let twice = format!("{good}YQ== 300\n");
    assert!(matches!(from_tiktoken(twice.as_bytes(), "gpt2", Vec::new()), Err(Error::DuplicateToken { .. })));
    let same_rank = format!("{good}YWI= 97\n");
    assert!(matches!(from_tiktoken(same_rank.as_bytes(), "gpt2", Vec::new()), Err(Error::DuplicateId(97))));
    let missing: String = good.lines().skip(1).map(|l| format!("{l}\n")).collect();
    assert!(matches!(from_tiktoken(missing.as_bytes(), "gpt2", Vec::new()), Err(Error::MissingByte(0))));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = from_bytes(&bytes);
        let _ = from_bytes(&[example()[..12].to_vec(), bytes.clone()].concat());
        let _ = from_tiktoken(&bytes, "gpt2", Vec::new());
    }
}
