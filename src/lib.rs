//! bpetok: byte-level BPE, trained, run and explained.
//!
//! ```text
//! corpus --count--> pretoken counts --train--> ordered merges --> vocabulary
//! text --special--> segments --pretokenize--> pretokens --encode(merges)--> ids
//! ids --decode--> bytes --stream (UTF-8 safe)--> text
//! ```
//!
//! The modules, in reading order.

pub mod batch;
pub mod blocks;
pub mod count;
pub mod cut;
pub mod decode;
pub mod digits;
pub mod encode;
pub mod encode_files;
pub mod error;
pub mod files;
pub mod ids;
pub mod masks;
pub mod memory;
pub mod merges;
pub mod ordered;
pub mod pretokenize;
pub mod quant;
pub mod reference;
pub mod spans;
pub mod special;
pub mod stream;
pub mod tokenizer;
pub mod train;
pub mod utf8;
pub mod vocab;

#[cfg(feature = "python")]
mod py;
