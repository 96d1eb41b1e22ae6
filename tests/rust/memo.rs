//! What was merged before, beside a map that forgets nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use bpetok::encode::key::hash_bytes;
use bpetok::encode::memo::{LONGEST, Memo, Pen};

/// Numbers without a pattern.
fn numbers() -> impl FnMut() -> u64 {
    let mut state = 1u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) ^ state
    }
}

fn pen(bytes: u64) -> Pen {
    Pen::new(Arc::new(Memo::new(bytes)), 1 << 21)
}

fn read(pen: &Pen, hash: u64, text: &[u8], start: usize, end: usize, ids: &mut Vec<u32>) -> bool {
    pen.memo().read(pen.memo().find(hash), text, start, end, ids)
}

#[test]
fn the_ring_is_written_over_and_never_lies() {
    // 200,000 records of 600 bytes on average: the ring goes around many times, and its end is hit within a record.
    for size in [1 << 20, 7 << 20, 42 << 20] {
        goes_around(&mut pen(size), size as usize);
    }
}

fn goes_around(memo: &mut Pen, size: usize) {
    let mut next = numbers();
    let mut all: Vec<(Vec<u8>, u64, Vec<u32>)> = Vec::new();
    let (mut hits, mut recent_hits) = (0, 0);
    for round in 0..200_000u32 {
        let length = 1 + next() as usize % LONGEST;
        // Few letters and hashes of 20 bits: texts share lines, tags and beginnings.
        let text: Vec<u8> = (0..length).map(|_| b'a' + (next() % 2) as u8).collect();
        let hash = (hash_bytes(&text) >> 44) << 44 | (hash_bytes(&text) & 15);
        let ids: Vec<u32> = (0..=next() as usize % length).map(|i| round ^ i as u32).collect();
        let mut found = Vec::new();
        if !read(memo, hash, &text, 0, length, &mut found) {
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
        if read(memo, *hash, &longer, 2, 2 + text.len(), &mut found) {
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
fn little_is_lost_while_the_index_grows() {
    // Of 37 MiB the index is 8 in the end, 128 KiB at first: half a million of its million entries.
    let mut memo = pen(37 << 20);
    let text = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
    let knows = |memo: &Pen, number: u64| {
        let (text, mut ids) = (text(number), Vec::new());
        let is_known = read(memo, hash_bytes(&text), &text, 0, 8, &mut ids);
        assert!(!is_known || ids == [number as u32, 1]);
        is_known
    };
    for number in 0..500_000 {
        let text = text(number);
        memo.put(hash_bytes(&text), &text, 0, 8, &[number as u32, 1]);
        assert!(knows(&memo, number));
        if (number + 1).is_power_of_two() {
            let known = (0..=number).filter(|&number| knows(&memo, number)).count();
            assert!(known as u64 * 100 > number * 98, "{known} of {number}");
        }
    }
    let known = (0..500_000).filter(|&number| knows(&memo, number)).count();
    assert!(known > 490_000, "{known}");
}

#[test]
fn too_long_a_text_is_not_kept_and_not_mistaken() {
    let mut memo = pen(37 << 20);
    let long = vec![b'a'; 70_000];
    memo.put(5, &long, 0, 300, &[1, 2]);
    assert_eq!(memo.memo().find(5), 0);
    memo.put(5, &long, 0, LONGEST, &[3]);
    for length in [LONGEST + 1, 256 + LONGEST, 65_536 + LONGEST] {
        assert!(!read(&memo, 5, &long, 0, length, &mut Vec::new()), "{length}");
    }
    let mut ids = Vec::new();
    assert!(read(&memo, 5, &long, 0, LONGEST, &mut ids));
    assert_eq!(ids, [3]);
}

#[test]
fn what_a_full_line_of_the_index_pushes_out_goes_to_its_neighbour() {
    let mut memo = pen(1 << 20);
    // The upper bits of a hash choose its line.
    let hash = |number: u64| 5 << 60 | number << 4;
    let mut known = |number: u64| {
        memo.put(hash(number), &number.to_le_bytes(), 0, 8, &[number as u32]);
        let is_known = |number: &u64| read(&memo, hash(*number), &number.to_le_bytes(), 0, 8, &mut Vec::new());
        (0..=number).filter(is_known).count()
    };
    for number in 0..16 {
        assert_eq!(known(number), number as usize + 1);
    }
    assert_eq!(known(16), 16, "both are full");
}

#[test]
fn a_place_that_was_given_out_again_is_none() {
    let bytes = 1 << 20;
    let mut memo = pen(bytes);
    memo.put(5, b"some text", 0, 9, &[1, 2]);
    let place = memo.memo().find(5);
    assert!(memo.memo().read(place, b"some text", 0, 9, &mut Vec::new()));
    // The same word of the ring, numbered as a later lap, for every size that the ring could have.
    for lap in 1..=bytes / 8 {
        assert!(!memo.memo().read(place + lap, b"some text", 0, 9, &mut Vec::new()), "{lap}");
    }
}

#[test]
fn a_block_is_written_by_one_pen_at_a_time_and_goes_back_when_it_is_dropped() {
    // 24 blocks in the ring of a mebibyte.
    let memo = Arc::new(Memo::new(1 << 20));
    let put = |number: u64| {
        let (mut pen, hash) = (Pen::new(Arc::clone(&memo), 1 << 21), number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        pen.put(hash, &number.to_le_bytes(), 0, 8, &[number as u32]);
        (pen, hash)
    };
    let is_there = |number: u64, hash| {
        memo.to_read().read(memo.to_read().find(hash), &number.to_le_bytes(), 0, 8, &mut Vec::new())
    };
    let pens: Vec<_> = (0..24).map(put).collect();
    for (number, (_, hash)) in (0..).zip(&pens) {
        assert!(is_there(number, *hash));
    }
    let (late, hash) = put(24);
    assert!(!is_there(24, hash), "no block was left");
    drop((pens, late));
    for number in 25..1000 {
        let (_pen, hash) = put(number);
        assert!(is_there(number, hash));
    }
}

#[test]
fn threads_that_write_over_each_other_never_read_a_lie() {
    // The ring of a mebibyte goes around every few milliseconds. A text says which ids it has, so that a reader knows.
    let memo = Arc::new(Memo::new(1 << 20));
    let (is_over, hits, written) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let of = |seed: u64| {
        let word = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 8;
        let length = 1 + (word >> 20) as usize % 60;
        let text: Vec<u8> = (0..length).map(|i| (word >> (i % 7 * 8)) as u8 ^ i as u8).collect();
        let hash = hash_bytes(&text);
        let ids: Vec<u32> = (0..=length / 2).map(|i| ((hash as u32 >> 11) ^ i as u32) & 0x1F_FFFF).collect();
        (hash, text, ids)
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (memo, is_over, hits, written) = (&memo, &is_over, &hits, &written);
            scope.spawn(move || {
                let (mut pen, mut next, mut found) = (Pen::new(Arc::clone(memo), 1 << 21), numbers(), Vec::new());
                for round in 0.. {
                    if is_over.load(Relaxed) {
                        return;
                    }
                    // Now new ones, now those of the others that may just be written over.
                    let seed = if next().is_multiple_of(2) {
                        written.fetch_add(1, Relaxed)
                    } else {
                        written.load(Relaxed).saturating_sub(next() % 20_000)
                    };
                    let (hash, text, ids) = of(seed);
                    found.clear();
                    if pen.memo().read(pen.memo().find(hash), &text, 0, text.len(), &mut found) {
                        assert_eq!(found, ids);
                        hits.fetch_add(1, Relaxed);
                    } else {
                        pen.put(hash, &text, 0, text.len(), &ids);
                    }
                    if round == 1_000_000 {
                        is_over.store(true, Relaxed);
                    }
                }
            });
        }
    });
    let (hits, written) = (hits.into_inner(), written.into_inner());
    assert!(hits > 100_000 && written > 200_000, "{hits} hits, {written} written");
}

/// Three ids share a word: where one might not fit, nothing is kept, rather than cut off.
#[test]
fn ids_of_21_bits_are_kept_and_longer_ones_are_not() {
    let text = b"one two";
    for (ids, is_kept) in [([1, (1 << 21) - 1, 2], true), ([1, 1 << 21, 2], false)] {
        let mut memo = Pen::new(Arc::new(Memo::new(1 << 20)), 1 + ids[1] as usize);
        memo.put(7, text, 0, text.len(), &ids);
        let mut found = Vec::new();
        assert_eq!(read(&memo, 7, text, 0, text.len(), &mut found), is_kept);
        assert_eq!(found, if is_kept { ids.to_vec() } else { vec![] });
    }
}
