//! All Rust tests in one binary: one link, one run. Files are named like the sources they test.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::float_cmp,
    clippy::cast_sign_loss,
    clippy::missing_panics_doc,
    clippy::format_collect
)]

mod batch;
mod boundaries;
mod count;
mod cut;
mod decode;
mod digits;
mod encode;
mod encode_files;
mod files;
mod lanes;
mod lookups;
mod masks;
mod memo;
mod merges;
mod ordered;
mod pages;
mod quant;
mod regex;
mod scanner;
mod spans;
mod special;
mod spill;
mod stream;
mod sure;
mod threads;
mod train;
mod train_init;
mod utf8;
mod vectors;

use bpetok::pretokenize::classes::UNICODE_VERSION;
use bpetok::tokenizer::{Parts, Tokenizer};
use bpetok::vocab::Vocabulary;

/// A tokenizer over the 256 bytes (ids in the order of the bytes) and then `tokens`.
pub fn tokenizer(pattern: &str, tokens: &[Vec<u8>], specials: &[(&str, u32)]) -> Tokenizer {
    let bytes: Vec<[u8; 1]> = (0..=255).map(|b| [b]).collect();
    let all = bytes.iter().map(<[u8; 1]>::as_slice).chain(tokens.iter().map(Vec::as_slice));
    let specials = specials.iter().map(|&(text, id)| (text.to_owned(), id)).collect();
    Tokenizer::new(Parts {
        vocabulary: Vocabulary::new(&(0..).zip(all).collect::<Vec<_>>()).unwrap(),
        merges: None,
        pattern,
        specials,
        digits: "none",
        unicode_version: UNICODE_VERSION,
    })
    .unwrap()
}

/// Ids of a text without special tokens.
pub fn encode(tokenizer: &Tokenizer, text: &[u8]) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer
        .with_work(|work| {
            tokenizer.encode_into(work, bpetok::utf8::Text::Raw(text), &bpetok::special::Choice::None, &mut ids)
        })
        .unwrap();
    ids
}
