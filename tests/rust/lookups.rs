//! The first look with vector instructions against that without.

use bpetok::encode::cache::Cache;
use bpetok::encode::key::{KEY_BYTES, Key};
use bpetok::encode::lookups::{GROUP, Lookups};
use proptest::prelude::*;

proptest! {
    /// Pretokens of 1 to 20 bytes from two letters, some of them known; the text ends at once behind the last, or not.
    #[test]
    fn both_ways_find_the_same(
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
                cache.put(key, key.hash(), &[7, number as u32, 9, count]);
            }
            at += length;
            ends.push(at);
        }
        let text = &letters.as_bytes()[..at + behind];
        prop_assert!(ends.len() <= GROUP);
        let (mut wide, mut portable) = (Lookups::default(), Lookups::default());
        wide.look_up(cache.hot(), text, start, &ends);
        portable.look_up_portable(cache.hot(), text, start, &ends);
        prop_assert_eq!(wide.gaps(), portable.gaps());
        let (found, count) = wide.ids();
        prop_assert_eq!(&found[..count], &portable.ids().0[..portable.ids().1]);
        // The first is known if it fits a key.
        prop_assert!(count > 0 || lengths[0] > KEY_BYTES);
    }
}
