//! bpetok: byte-level BPE, trained, run and explained.
//!
//! ```text
//! corpus --count--> pretoken counts --train--> ordered merges --> vocabulary
//! text --special--> segments --pretokenize--> pretokens --encode(merges)--> ids
//! ids --decode--> bytes --stream (UTF-8 safe)--> text
//! ```
//!
//! The modules, in reading order.

pub mod error;
pub mod ids;
pub mod utf8;
pub mod memory;
pub mod vocab;
pub mod merges;
pub mod special;
pub mod pretokenize;
pub mod count;
pub mod train;
pub mod encode;
pub mod decode;
pub mod stream;
pub mod files;
pub mod tokenizer;
pub mod batch;
pub mod spans;
pub mod reference;

#[cfg(feature = "python")]
mod py;
