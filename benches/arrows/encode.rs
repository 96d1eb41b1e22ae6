//! Text -> ids: one long text, and one short one.

use bpetok::special::Choice;
use bpetok::utf8::Text;
use criterion::{Criterion, Throughput};

use super::text::{Named, tokenizer};

pub fn bench(criterion: &mut Criterion, texts: &[Named]) {
    let mut group = criterion.benchmark_group("encode");
    for (name, text) in texts {
        let tokenizer = tokenizer(text);
        let short: String = text.chars().take(55).collect();
        for (length, text) in [("long", text), ("55 characters", &short)] {
            let mut ids = Vec::with_capacity(text.len());
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(format!("{name}, {length}"), |bencher| {
                bencher.iter(|| {
                    ids.clear();
                    tokenizer
                        .with_work(|work| tokenizer.encode_into(work, Text::Valid(text), &Choice::None, &mut ids))
                        .unwrap();
                    ids.len()
                });
            });
        }
    }
}
