//! The Python module `bpetok._bpetok`: one file per class. Convert, detach, call, convert; nothing about tokenization is
//! decided here.

// The documentation here is what `help()` shows in Python, where names are not linked and `>>>` begins an example; PyO3 hands
// arguments over by value.
#![allow(
    clippy::doc_lazy_continuation,
    clippy::doc_link_with_quotes,
    clippy::doc_markdown,
    clippy::needless_pass_by_value,
    clippy::trivially_copy_pass_by_ref,
    clippy::type_complexity
)]

mod arrays;
mod batch;
mod blocks;
mod convert;
mod counting;
mod counts;
mod errors;
mod files;
mod ints;
mod numbers;
mod quant;
mod source;
mod specials;
mod stream;
mod tokenizer;
mod train;
mod utf8;

use pyo3::prelude::*;

#[pymodule]
mod _bpetok {
    use pyo3::prelude::*;
    use pyo3::types::PyDict;

    #[pymodule_export]
    use super::batch::TokenBatch;
    #[pymodule_export]
    use super::counts::Counts;
    #[pymodule_export]
    use super::files::{load_bpetok, may_be_empty, parse_tiktoken, write_tiktoken};
    #[pymodule_export]
    use super::quant::{quant_dequantize, quant_multiply, quant_quantize};
    #[pymodule_export]
    use super::stream::Stream;
    #[pymodule_export]
    use super::tokenizer::{Tokenizer, set_memo_bytes};
    #[pymodule_export]
    use super::train::{counts_digest, train_counts};
    #[pymodule_export]
    use super::utf8::Utf8State;
    use crate::pretokenize::{classes, patterns};

    #[pymodule_export]
    const UNICODE_VERSION: &str = classes::UNICODE_VERSION;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let presets = PyDict::new(module.py());
        for preset in &patterns::PRESETS {
            presets.set_item(preset.name, preset.regex)?;
        }
        module.add("PRESETS", presets)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
