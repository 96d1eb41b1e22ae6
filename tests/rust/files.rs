//! Our own file and rank files: what was written comes back, anything else is refused.

use bpetok::error::Error;
use bpetok::files::{from_bytes, from_tiktoken, to_bytes, to_tiktoken};
use bpetok::vocab::Vocabulary;
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
    assert_eq!(read.specials().tokens(), [("<|end|>".to_owned(), 300), ("<pad>".to_owned(), 258)]);
    let ranks = to_tiktoken(&read).unwrap();
    let again = from_tiktoken(&ranks, "cl100k", read.specials().tokens().to_vec()).unwrap();
    assert_eq!(again.fingerprint(), read.fingerprint());
}

#[test]
fn other_special_tokens_share_the_tables() {
    let first = tokenizer("cl100k", &[b"ab".to_vec()], &[("<a>", 300)]);
    let second = first.with_specials(vec![("<b>".to_owned(), 258)]).unwrap();
    assert!(std::ptr::eq(first.encoder(), second.encoder()));
    assert_eq!(second.specials().tokens(), [("<b>".to_owned(), 258)]);
    assert_eq!(second.vocab_size(), 259);
    assert_eq!(to_bytes(&second), to_bytes(&tokenizer("cl100k", &[b"ab".to_vec()], &[("<b>", 258)])));
    let taken = first.with_specials(vec![("<b>".to_owned(), 97)]).err().unwrap();
    assert!(matches!(taken, Error::BadSpecials(_)));
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
    newer[8] = 0;
    assert!(from_bytes(&newer).err().unwrap().to_string().contains("no version 0"));
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

/// A vocabulary from one buffer is that of its tokens one by one, in whatever order; lengths that are not the buffer's are refused.
#[test]
fn flat_vocabularies() {
    let bytes: Vec<u8> = (0..=255).chain(*b"abcab").collect();
    let lengths = |more: [(u32, usize); 2]| (0..256).map(|id| (id, 1)).chain(more).collect::<Vec<_>>();
    let flat = |bytes: &[u8], tokens: &[(u32, usize)]| Vocabulary::from_flat(bytes.to_vec(), tokens.iter().copied());
    let mut single: Vec<(u32, &[u8])> =
        bytes[..256].iter().map(std::slice::from_ref).zip(0..).map(|(t, id)| (id, t)).collect();
    single.extend([(300, &b"abc"[..]), (260, b"ab")]);
    for reversed in [false, true] {
        let (mut tokens, mut bytes) = (lengths([(300, 3), (260, 2)]), bytes.clone());
        if reversed {
            tokens.reverse();
            bytes = single.iter().rev().flat_map(|token| token.1).copied().collect();
        }
        let vocabulary = flat(&bytes, &tokens).unwrap();
        assert_eq!(vocabulary, Vocabulary::new(&single).unwrap());
        assert_eq!([257, 260, 300, 301].map(|id| vocabulary.get(id)), [None, Some(&b"ab"[..]), Some(b"abc"), None]);
    }
    let refused = |more| flat(&bytes, &lengths(more)).err().unwrap();
    assert!(matches!(refused([(300, 5), (260, 0)]), Error::EmptyToken(260)));
    assert!(matches!(refused([(256, 3), (256, 2)]), Error::DuplicateId(256)));
    assert!(matches!(refused([(7, 3), (256, 2)]), Error::DuplicateId(7)));
    for [first, second] in [[3, 1], [3, 3], [0, 0], [usize::MAX, 5]] {
        for ids in [[256, 257], [257, 256]] {
            assert!(matches!(refused([(ids[0], first), (ids[1], second)]), Error::Format(_)), "{first} and {second}");
        }
    }
}

proptest! {
    /// Lines that end with a line feed are read by a shorter way than those that end with two characters.
    #[test]
    fn both_ways_of_reading_a_rank_file_say_the_same(changes in prop::collection::vec((0usize..2600, "[A-Za-z0-9+/= \n-]{0,3}"), 0..3)) {
        let tokens = ["ab", "abc", "the rest", "中"].map(|token| token.as_bytes().to_vec());
        let mut text = String::from_utf8(to_tiktoken(&tokenizer("gpt2", &tokens, &[])).unwrap()).unwrap();
        for (at, new) in changes {
            let at = at % text.len();
            text.replace_range(at..=at, &new);
        }
        let read = |text: &str| from_tiktoken(text.as_bytes(), "gpt2", Vec::new());
        match (read(&text), read(&text.replace('\n', "\r\n"))) {
            (Ok(short), Ok(long)) => prop_assert_eq!(short.fingerprint(), long.fingerprint()),
            (short, long) => prop_assert_eq!(
                short.err().map(|error| error.to_string()),
                long.err().map(|error| error.to_string())
            ),
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = from_bytes(&bytes);
        let _ = from_bytes(&[example()[..12].to_vec(), bytes.clone()].concat());
        let _ = from_tiktoken(&bytes, "gpt2", Vec::new());
    }
}
