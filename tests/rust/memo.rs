//! What was merged before, beside a map that forgets nothing.

use std::collections::HashMap;

use bpetok::encode::key::hash_bytes;
use bpetok::encode::memo::{LONGEST, Memo};

/// Numbers without a pattern.
fn numbers() -> impl FnMut() -> u64 {
    let mut state = 1u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) ^ state
    }
}

#[test]
fn the_ring_is_written_over_and_never_lies() {
    // 200,000 records of 600 bytes on average: the ring goes around many times, and its end is hit within a record.
    for size in [1 << 20, 7 << 20, 42 << 20] {
        goes_around(&mut Memo::new(size), size as usize);
    }
}

fn goes_around(memo: &mut Memo, size: usize) {
    let mut next = numbers();
    let mut all: Vec<(Vec<u8>, u64, Vec<u32>)> = Vec::new();
    let (mut hits, mut recent_hits) = (0, 0);
    for round in 0..200_000u32 {
        let length = 1 + next() as usize % LONGEST;
        // Few letters and hashes of 20 bits: texts share lines, tags and beginnings.
        let text: Vec<u8> = (0..length).map(|_| b'a' + (next() % 2) as u8).collect();
        let hash = (hash_bytes(&text) >> 44) << 44 | (hash_bytes(&text) & 1);
        let ids: Vec<u32> = (0..=next() as usize % length).map(|i| round ^ i as u32).collect();
        let mut found = Vec::new();
        if !memo.read(memo.find(hash), &text, 0, length, &mut found) {
            memo.put(hash, &text, 0, length, &ids);
            all.push((text, hash, ids));
        }
    }
    let mut last: HashMap<&[u8], &[u32]> = HashMap::new();
    for (text, _, ids) in &all {
        last.insert(text, ids);
    }
    for (number, (text, hash, _)) in all.iter().enumerate() {
        // The text stands inside a longer one: what follows it must not count.
        let longer = [b"ab".as_slice(), text, b"abababab"].concat();
        let mut found = vec![7];
        if memo.read(memo.find(*hash), &longer, 2, 2 + text.len(), &mut found) {
            assert_eq!(found[1..], *last[text.as_slice()]);
            hits += 1;
            recent_hits += usize::from(number + 1000 > all.len());
        } else {
            assert_eq!(found, [7]);
        }
    }
    // A record takes 8 to 780 bytes, and eight entries of a line of the index may be too few.
    assert!(hits > size / 1500 && hits < size / 100 && hits < all.len(), "{hits} of {} in {size}", all.len());
    assert!(recent_hits > 700, "{recent_hits}");
}

#[test]
fn too_long_a_text_is_not_kept_and_not_mistaken() {
    let mut memo = Memo::default();
    let long = vec![b'a'; 70_000];
    memo.put(5, &long, 0, 300, &[1, 2]);
    assert_eq!(memo.find(5), 0);
    memo.put(5, &long, 0, LONGEST, &[3]);
    for length in [LONGEST + 1, 256 + LONGEST, 65_536 + LONGEST] {
        assert!(!memo.read(memo.find(5), &long, 0, length, &mut Vec::new()), "{length}");
    }
    let mut ids = Vec::new();
    assert!(memo.read(memo.find(5), &long, 0, LONGEST, &mut ids));
    assert_eq!(ids, [3]);
}

#[test]
fn a_place_from_before_everything_was_forgotten_is_none() {
    let bytes = 1 << 20;
    let mut memo = Memo::new(bytes);
    memo.put(5, b"some text", 0, 9, &[1, 2]);
    let place = memo.find(5);
    assert!(memo.read(place, b"some text", 0, 9, &mut Vec::new()));
    // The same word of the ring, numbered as a later lap, for every size that the ring could have.
    for lap in 1..=bytes as u32 / 8 {
        assert!(!memo.read(place + lap, b"some text", 0, 9, &mut Vec::new()), "{lap}");
    }
}

/// Three ids share a word: what does not fit is not kept, rather than cut off.
#[test]
fn ids_of_21_bits_are_kept_and_longer_ones_are_not() {
    let mut memo = Memo::new(1 << 20);
    let text = b"one two";
    for (number, (ids, is_kept)) in [([1, (1 << 21) - 1, 2], true), ([1, 1 << 21, 2], false)].into_iter().enumerate() {
        let hash = hash_bytes(&[number as u8]);
        memo.put(hash, text, 0, text.len(), &ids);
        let mut found = Vec::new();
        assert_eq!(memo.read(memo.find(hash), text, 0, text.len(), &mut found), is_kept);
        assert_eq!(found, if is_kept { ids.to_vec() } else { vec![] });
    }
}
