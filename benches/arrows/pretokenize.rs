//! Text -> pretokens: the scanner of two presets, and a custom regex.

use bpetok::pretokenize::regex::RegexCache;
use bpetok::pretokenize::{Ends, Pretokenizer};
use criterion::{Criterion, Throughput};

use super::text::Named;

pub fn bench(criterion: &mut Criterion, texts: &[Named]) {
    let mut group = criterion.benchmark_group("pretokenize");
    for (name, text) in texts {
        group.throughput(Throughput::Bytes(text.len() as u64));
        for (pattern, regex) in [("cl100k", "cl100k"), ("o200k", "o200k"), ("custom", r" ?\w+| ?[^\s\w]+|\s+")] {
            let pretokenizer = Pretokenizer::new(regex).unwrap();
            let (mut cache, mut ends) = (RegexCache::default(), Ends::default());
            group.bench_function(format!("{name}, {pattern}"), |bencher| {
                bencher.iter(|| {
                    let (mut at, mut count) = (0, 0);
                    while at < text.len() {
                        ends.clear();
                        at = pretokenizer.scan(&mut cache, text, at, &mut ends).unwrap();
                        count += ends.as_slice().len();
                    }
                    count
                });
            });
        }
    }
}
