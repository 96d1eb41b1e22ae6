//! The cases of `tests/vectors`, which come from other libraries and which Python reads too.

use std::path::PathBuf;

use bpetok::count::Counts;
use bpetok::files::{from_bytes, from_tiktoken};
use bpetok::pretokenize::classes::UNICODE_VERSION;
use bpetok::threads::Steps;
use bpetok::tokenizer::{Parts, Tokenizer};
use bpetok::train::{Options, train};
use bpetok::utf8::Text;
use bpetok::vocab::Vocabulary;
use serde_json::Value;

use crate::encode;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn rows(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder().join(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let digits = hex.as_str().unwrap().as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The merges that training gives, as bytes.
fn trained(
    pattern: &str,
    documents: &[String],
    tokens: usize,
    min_frequency: u64,
) -> (Vec<Vec<u8>>, Vec<bpetok::ids::Pair>) {
    let mut counts = Counts::new(pattern, &[], bpetok::digits::Digits::None).unwrap();
    let texts: Vec<Text<'_>> = documents.iter().map(|d| Text::Valid(d)).collect();
    counts.add_documents(&texts, 2, &mut |_| Ok(())).unwrap();
    let options = Options { tokens, min_frequency, max_token_bytes: None, ..Options::default() };
    let trained = train(counts.table(), &options, &mut |_| Ok(())).unwrap();
    (trained.tokens, trained.merges)
}

/// The vocabulary of `merges.jsonl`: base bytes in their order, then each merge.
fn vocabulary() -> Vec<Vec<u8>> {
    let base = bpetok::ids::BYTE_ORDER.iter().map(|&b| vec![b]);
    let made = rows("merges.jsonl").into_iter().map(|row| [bytes(&row["left_hex"]), bytes(&row["right_hex"])].concat());
    base.chain(made).collect()
}

#[test]
fn encoding() {
    let tokens = vocabulary();
    let tokens: Vec<_> = (0..).zip(tokens.iter().map(Vec::as_slice)).collect();
    let vocabulary = Vocabulary::new(&tokens).unwrap();
    for row in rows("encoding.jsonl") {
        let tokenizer = Tokenizer::new(Parts {
            vocabulary: vocabulary.clone(),
            merges: None,
            pattern: row["pattern"].as_str().unwrap(),
            specials: Vec::new(),
            digits: "none",
            unicode_version: UNICODE_VERSION,
        })
        .unwrap();
        let text = bytes(&row["bytes_hex"]);
        let pretokens = tokenizer.pretokens(Text::Raw(&text), &mut Steps::default()).unwrap();
        let wanted: Vec<Vec<u8>> = row["pretokens_hex"].as_array().unwrap().iter().map(bytes).collect();
        assert_eq!(pretokens, wanted, "{row}");
        let ids: Vec<u64> = encode(&tokenizer, &text).into_iter().map(u64::from).collect();
        let wanted: Vec<u64> = row["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
        assert_eq!(ids, wanted, "{row}");
    }
}

#[test]
fn training() {
    for row in rows("training.jsonl") {
        let documents: Vec<String> =
            row["documents"].as_array().unwrap().iter().map(|d| d.as_str().unwrap().to_owned()).collect();
        let wanted: Vec<(Vec<u8>, Vec<u8>)> =
            row["merges_hex"].as_array().unwrap().iter().map(|pair| (bytes(&pair[0]), bytes(&pair[1]))).collect();
        let size = usize::try_from(row["vocab_size"].as_u64().unwrap()).unwrap();
        let (tokens, merges) =
            trained(row["pattern"].as_str().unwrap(), &documents, size, row["min_frequency"].as_u64().unwrap());
        let token = |id: u32| tokens[id as usize].clone();
        let found: Vec<_> = merges.iter().map(|p| (token(p.left), token(p.right))).collect();
        assert_eq!(found, wanted, "{}", row["name"]);
    }
}

#[test]
fn hostile_files_are_refused() {
    for entry in std::fs::read_dir(folder().join("hostile")).unwrap() {
        let path = entry.unwrap().path();
        let data = std::fs::read(&path).unwrap();
        let accepted = match path.extension().and_then(|e| e.to_str()) {
            Some("bpetok") => from_bytes(&data).is_ok(),
            Some("tiktoken") => from_tiktoken(&data, "gpt2", Vec::new()).is_ok(),
            _ => continue,
        };
        assert!(!accepted, "{}", path.display());
    }
}
