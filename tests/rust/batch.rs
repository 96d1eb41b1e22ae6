//! Any number of threads gives the same ids, for many documents and for one long one.

use bpetok::batch::{Options, SHARE};
use bpetok::error::Error;
use bpetok::special::Choice;
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
        let stopped = tokenizer.encode_batch(&documents, &options, &mut || Err(Error::Interrupted));
        assert!(matches!(stopped, Err(Error::Interrupted)));
    }
}
