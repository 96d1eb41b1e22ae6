//! A digest of counts, whatever their order in memory.

use sha2::{Digest, Sha256};

use crate::count::table::CountTable;

/// The sum, modulo 2^128, of one SHA-256 for each pretoken and its count, in hex. It guards against mistakes.
#[must_use]
pub fn digest(counts: &CountTable) -> String {
    let mut sum = 0u128;
    counts.for_each(|pretoken, count| {
        let hash = Sha256::new().chain_update(count.to_le_bytes()).chain_update(pretoken).finalize();
        let first = hash.first_chunk::<16>().copied().unwrap_or_default();
        sum = sum.wrapping_add(u128::from_le_bytes(first));
    });
    format!("{sum:032x}")
}
