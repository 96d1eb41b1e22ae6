//! Text -> pretoken counts.

use bpetok::count::Counts;
use bpetok::digits::Digits;
use bpetok::utf8::Text;
use criterion::{Criterion, Throughput};

use super::text::Named;

/// The counts of a text, by one thread.
pub fn counted(text: &str) -> Counts {
    let mut counts = Counts::new("cl100k", &[], Digits::None).unwrap();
    counts.add_documents(&[Text::Valid(text)], 1, &mut |_| Ok(())).unwrap();
    counts.settle().unwrap();
    counts
}

pub fn bench(criterion: &mut Criterion, texts: &[Named]) {
    let mut group = criterion.benchmark_group("count");
    for (name, text) in texts {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(*name, |bencher| bencher.iter(|| counted(text)));
    }
}
