//! The first look with vector instructions against that without.

use bpetok::encode::cache::Cache;
use bpetok::encode::key::{KEY_BYTES, Key};
use bpetok::encode::lookups::{GROUP, Lookups, Width};
use proptest::prelude::*;

proptest! {
    /// Pretokens of 1 to 20 bytes from two letters, some of them known; the text ends at once behind the last, or not.
    #[test]
    fn all_ways_find_the_same(
        lengths in prop::collection::vec(1usize..20, 1..300),
        letters in "[ab]{6000}",
        behind in 0usize..40,
        known in 1usize..5,
        start in 0usize..3,
    ) {
        let mut ends = Vec::new();
        let mut cache = Cache::default();
        let mut at = start;
        for (number, length) in lengths.iter().enumerate() {
            let key = Key::at(letters.as_bytes(), at, *length);
            if *length <= KEY_BYTES && number % known == 0 {
                let count = 1 + number as u32 % 3;
                cache.put(key, &[7, number as u32, 9, count]);
            }
            at += length;
            ends.push(at);
        }
        let text = &letters.as_bytes()[..at + behind];
        prop_assert!(ends.len() <= GROUP);
        let look = |width| {
            let mut lookups = Lookups::with_width(width);
            lookups.look_up(cache.hot(), text, start, &ends);
            let (found, count) = lookups.ids();
            (lookups.gaps().to_vec(), found[..count].to_vec())
        };
        let portable = look(Width::Portable);
        prop_assert_eq!(&look(Width::Avx2), &portable);
        prop_assert_eq!(&look(Width::Avx512), &portable);
        // The first is known if it fits a key.
        prop_assert!(!portable.1.is_empty() || lengths[0] > KEY_BYTES);
    }
}
