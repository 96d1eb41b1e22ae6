//! One benchmark for each arrow of the path, in Rust and without peers: what `cargo bench` runs. `compare.py` beside it
//! holds the same arrows against other libraries, in fresh processes.
//!
//! ```text
//! cargo bench                                   # all; generated text
//! cargo bench -- encode                         # one arrow
//! BPETOK_TEST_DATA=folder cargo bench           # real text and cl100k's ranks
//! ```
//!
//! Criterion repeats a call until its time is known, so these are steady rates: tables warm, caches full. They are for
//! telling whether a change helps; the first pass is measured by `compare.py --only first`.

#![allow(missing_docs, clippy::unwrap_used)]

mod count;
mod decode;
mod encode;
mod pretokenize;
mod text;
mod train;

use criterion::Criterion;

fn main() {
    // A noisy machine needs more time, not more care: `-- --measurement-time 10`.
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let texts = text::all();
    pretokenize::bench(&mut criterion, &texts);
    count::bench(&mut criterion, &texts);
    train::bench(&mut criterion, &texts);
    encode::bench(&mut criterion, &texts);
    decode::bench(&mut criterion, &texts);
    criterion.final_summary();
}
