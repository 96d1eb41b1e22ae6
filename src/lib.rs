//! bpetok: byte-level BPE, trained, run and explained.
//!
//! ```text
//! corpus --count--> pretoken counts --train--> ordered merges --> vocabulary
//! text --special--> segments --pretokenize--> pretokens --encode(merges)--> ids
//! ids --decode--> bytes --stream (UTF-8 safe)--> text
//! ```
//!
//! The modules, each after those that it uses; `files` and `cut` alone are used by `tokenizer` and use it, since a tokenizer's
//! fingerprint is the digest of its file's body, and it keeps what cutting texts needs to know. `tests/python/test_house.py` checks this order.

pub mod ids;
pub mod error;
pub mod utf8;
pub mod memory;
pub mod ordered;
pub mod threads;
pub mod digits;
pub mod pretokenize;
pub mod special;
pub mod vocab;
pub mod merges;
pub mod encode;
pub mod decode;
pub mod files;
pub mod tokenizer;
pub mod batch;
pub mod blocks;
pub mod encode_files;
pub mod spans;
pub mod cut;
pub mod masks;
pub mod stream;
pub mod count;
pub mod train;
pub mod quant;
pub mod reference;

#[cfg(feature = "python")]
mod py;
