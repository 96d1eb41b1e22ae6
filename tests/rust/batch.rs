//! Any number of threads gives the same ids, for many documents and for one long one.

use bpetok::batch::{Options, SHARE, shares, threads, threads_for};
use bpetok::error::Error;
use bpetok::special::Choice;
use bpetok::tokenizer::{Parts, Tokenizer};
use bpetok::utf8::Text;

use crate::{encode, tokenizer};

fn long_text(size: usize) -> String {
    let line = "The <|end|> quick brown fox, 12345 times; быстрая лиса 中文字 и it's naïve.\n\n  x = 'y'\n";
    line.repeat(size / line.len() + 1)
}

#[test]
fn threads_change_nothing() {
    for pattern in ["gpt2", "cl100k", "o200k", r"\w+|\s+|[^\w\s]+"] {
        let tokenizer = tokenizer(pattern, &[b"th".to_vec(), b" b".to_vec(), "ы".into()], &[("<|end|>", 400)]);
        let long = long_text(3 * SHARE);
        let mut documents: Vec<Text<'_>> =
            vec![Text::Valid(""), Text::Valid(&long), Text::Raw(b"\xFFab"), Text::Valid("")];
        documents.extend(std::iter::repeat_n(Text::Valid("short"), 500));
        let batch = |threads, allowed: &Choice| {
            let options = Options { allowed, forbidden: &Choice::None, threads };
            tokenizer.encode_batch(&documents, &options, &mut || Ok(())).unwrap()
        };
        for allowed in [Choice::None, Choice::All] {
            let one = batch(1, &allowed);
            assert_eq!(one.offsets.len(), documents.len() + 1);
            for threads in [2, 3, 8] {
                assert_eq!(batch(threads, &allowed), one, "{pattern}, {threads} threads");
            }
            if allowed == Choice::None {
                let alone: Vec<u32> = documents.iter().flat_map(|d| encode(&tokenizer, d.bytes())).collect();
                assert_eq!(one.ids, alone);
            }
        }
    }
}

/// Short texts are encoded together with others: what they become must not depend on what stands beside them, nor on how many
/// of them there are.
#[test]
fn neighbours_change_nothing() {
    let marks = "\0".repeat(16);
    let kinds = [
        "",
        "a",
        " ",
        "\n\n",
        "  x",
        "'s it",
        "<|end|>",
        "x<|end|><|end|> y",
        "12345",
        "3",
        "中文",
        "\u{301}e",
        "s",
        &marks,
        "\0",
    ];
    let long = "many words ".repeat(2000);
    for pattern in ["gpt2", "cl100k", "o200k", r"\w+|\s+|[^\w\s]+", r"(?<=a) b|[ab]|\s+(?!\S)|."] {
        for digits in ["none", "1-3", "right-1-3"] {
            let tokens = [b"th".to_vec(), b"  ".to_vec(), b"\0\0".to_vec(), "中".into()];
            let plain = tokenizer(pattern, &tokens, &[("<|end|>", 400)]);
            let tokenizer = Tokenizer::new(Parts { digits, ..plain.parts() }).unwrap();
            let mut state = 7u32;
            let mut documents = Vec::new();
            for _ in 0..4000 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                documents.push(match state >> 20 {
                    0 => Text::Valid(&long),
                    1..20 => Text::Raw(b"a\xFF\xFEb <|end|>"),
                    20..40 => Text::Raw("bytes that are text".as_bytes()),
                    number => Text::Valid(kinds[number as usize % kinds.len()]),
                });
            }
            for allowed in [Choice::None, Choice::All] {
                let options = Options { allowed: &allowed, forbidden: &Choice::None, threads: 1 };
                let batch = tokenizer.encode_batch(&documents, &options, &mut || Ok(())).unwrap();
                tokenizer.with_work(|work| {
                    for (document, ends) in documents.iter().zip(batch.offsets.windows(2)) {
                        let mut alone = Vec::new();
                        tokenizer.encode_into(work, *document, &allowed, &mut alone).unwrap();
                        assert_eq!(
                            batch.ids[ends[0] as usize..ends[1] as usize],
                            alone,
                            "{pattern} {digits} {document:?}"
                        );
                    }
                });
            }
        }
    }
}

#[test]
fn errors_name_document_and_place_and_the_caller_may_stop() {
    let tokenizer = tokenizer("cl100k", &[], &[("<|end|>", 400)]);
    let long = long_text(2 * SHARE);
    let documents = [Text::Valid("fine"), Text::Valid(&long)];
    for threads in [1, 4] {
        let options = Options { allowed: &Choice::None, forbidden: &Choice::All, threads };
        let error = tokenizer.encode_batch(&documents, &options, &mut || Ok(())).unwrap_err().to_string();
        assert!(error.contains("document 1") && error.contains("byte 4"), "{error}");
        let options = Options { allowed: &Choice::All, forbidden: &Choice::None, threads };
        let short = [Text::Valid("fine"), Text::Valid("fine"), Text::Valid("so <|end|>"), Text::Valid("<|end|>")];
        let forbidding = Options { allowed: &Choice::None, forbidden: &Choice::All, threads };
        let error = tokenizer.encode_batch(&short, &forbidding, &mut || Ok(())).unwrap_err().to_string();
        assert!(error.contains("document 2") && error.contains("byte 3"), "{error}");
        let stopped = tokenizer.encode_batch(&documents, &options, &mut || Err(Error::Interrupted));
        assert!(matches!(stopped, Err(Error::Interrupted)));
    }
}

#[test]
fn short_documents_are_for_one_thread_whatever_is_wanted() {
    let long = long_text(SHARE + 1);
    for wanted in [None, Some(1), Some(3)] {
        assert_eq!(threads_for(&[Text::Valid("short"), Text::Valid("")], wanted).unwrap(), 1);
        assert_eq!(threads_for(&[Text::Valid(&long)], wanted).unwrap(), threads(wanted).unwrap());
    }
    assert!(threads_for(&[], Some(0)).is_err());
}

#[test]
fn documents_without_text_are_shared_out_and_the_caller_may_stop() {
    let tokenizer = tokenizer("cl100k", &[], &[]);
    let documents = vec![Text::Valid(""); 100_000];
    let (pretokenizer, specials) = (tokenizer.pretokenizer(), tokenizer.specials());
    let shared = shares(pretokenizer, specials, &documents, &mut || Ok(())).unwrap();
    assert!(shared.len() > 4 && shared.concat().len() == documents.len());
    assert!(shares(pretokenizer, specials, &documents, &mut || Err(Error::Interrupted)).is_err());
}
