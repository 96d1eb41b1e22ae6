//! Ids -> bytes.

use bpetok::special::Choice;
use bpetok::utf8::Text;
use criterion::{Criterion, Throughput};

use super::text::{Named, tokenizer};

pub fn bench(criterion: &mut Criterion, texts: &[Named]) {
    let mut group = criterion.benchmark_group("decode");
    for (name, text) in texts {
        let tokenizer = tokenizer(text);
        let mut ids = Vec::new();
        tokenizer.with_work(|work| tokenizer.encode_into(work, Text::Valid(text), &Choice::None, &mut ids)).unwrap();
        let mut bytes = Vec::with_capacity(text.len());
        tokenizer.decoder().decode(&ids, &mut bytes).unwrap();
        assert!(bytes == text.as_bytes(), "{name}: decoding gives another text");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                bytes.clear();
                tokenizer.decoder().decode(&ids, &mut bytes).unwrap();
                bytes.len()
            });
        });
    }
}
