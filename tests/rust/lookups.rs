//! The first look with vector instructions against that without.

use std::collections::HashSet;

use bpetok::encode::cache::{Cache, INLINE_IDS};
use bpetok::encode::key::{KEY_BYTES, Key, hash_bytes};
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
        let mut cache = Cache::new(1 << 24);
        let mut at = start;
        for (number, length) in lengths.iter().enumerate() {
            let key = Key::at(letters.as_bytes(), at, *length);
            if *length <= KEY_BYTES && number % known == 0 {
                // What stands behind those that count must not matter, nor whether anything does.
                let count = 1 + number % INLINE_IDS;
                let ids = [7, number as u32, (1 << 24) - 1, 1 << 23, 11, 5];
                cache.put(key, &ids[..if number % 2 == 0 { count } else { 6 }], count);
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

#[test]
fn an_entry_holds_up_to_five_ids_of_24_bits() {
    let (key, ids) = (Key::of(b"some pretoken"), [1, (1 << 24) - 1, 0, 1 << 23, 77, 5, 6]);
    for count in 1..=ids.len() {
        for given in [&ids[..count], &ids] {
            for (id_limit, most) in [(1 << 24, INLINE_IDS), ((1 << 24) + 1, 0)] {
                let mut cache = Cache::new(id_limit);
                cache.put(key, given, count);
                let (found, found_count, is_known) = cache.hot().get(key);
                assert_eq!(is_known, count <= most, "{count}");
                assert!(!is_known || found[..found_count] == ids[..count], "{found:?}");
            }
        }
    }
}

/// As many as a line holds of those put into it, the newest ones, whatever was made room for meanwhile.
#[test]
fn what_is_there_stays_while_the_table_grows() {
    let key = |number: u64| Key::of(format!("{:x}", number * number).as_bytes());
    let knows = |cache: &Cache, number: u64| {
        let (ids, count, is_known) = cache.hot().get(key(number));
        assert!(!is_known || ids[..count] == [number as u32, 7][..count]);
        is_known
    };
    for expected in [0, 1 << 20, 5 << 20, usize::MAX] {
        let mut cache = Cache::new(1 << 24);
        cache.expect(expected);
        let (mut lines, mut growths, mut put) = (cache.hot().lines().len(), 0, 0);
        assert!(lines >= (expected / 64).min(1 << 17));
        let mut before: Vec<u64> = Vec::new();
        for number in 0..300_000 {
            cache.put(key(number), &[number as u32, 7, 9], 1 + number as usize % 2);
            assert!(knows(&cache, number));
            put += 1;
            if cache.hot().lines().len() > lines {
                assert_eq!(put, lines);
                (lines, growths, put) = (cache.hot().lines().len(), growths + 1, 0);
                // One of them may have had to make way for the last.
                let lost = before.iter().filter(|&&number| !knows(&cache, number)).count();
                assert!(lost <= 1 && before.len() * 8 > lines, "{lost} of {} at {lines}", before.len());
            }
            if put + 1 == lines {
                before = (0..=number).filter(|&number| knows(&cache, number)).collect();
            }
        }
        assert_eq!((lines, growths), (1 << 17, if expected == 0 { 3 } else { usize::from(expected == 1 << 20) }));
        let known = (0..300_000).filter(|&number| knows(&cache, number)).count();
        assert!(known > 200_000, "{known}");
    }
}

/// A product with a factor 0 forgets the other: texts that begin with that must not all have one hash.
#[test]
fn no_beginning_makes_all_hashes_the_same() {
    let hashes: HashSet<u64> = (0..1000u64)
        .map(|number| {
            let mut text = (0x6A09_E667_F3BC_C909u64 ^ 0x30).to_le_bytes().to_vec();
            text.extend_from_slice(&number.to_le_bytes());
            text.resize(48, b'x');
            hash_bytes(&text) >> 32
        })
        .collect();
    assert_eq!(hashes.len(), 1000);
}
