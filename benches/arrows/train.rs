//! Pretoken counts -> merges.

use criterion::{Criterion, Throughput};

use super::count::counted;
use super::text::{Named, trained};

const TOKENS: usize = 8192;

pub fn bench(criterion: &mut Criterion, texts: &[Named]) {
    let mut group = criterion.benchmark_group("train");
    for (name, text) in texts {
        let counts = counted(text);
        group.throughput(Throughput::Elements(TOKENS as u64));
        group.bench_function(*name, |bencher| bencher.iter(|| trained(&counts, TOKENS)));
    }
}
