//! All Rust tests in one binary: one link, one run. Files are named like the sources they test.
#![allow(clippy::unwrap_used)]

mod scanner;
