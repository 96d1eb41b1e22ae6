//! Memory that is taken ahead of time: it holds what it held, and is there.

use bpetok::memory::pages::{Ahead, LARGE, STEP, prefer_large, take};
use bpetok::memory::{Words, large_vec};

const ELEMENTS: usize = 3 * LARGE;

/// How many bytes of the pages that `memory` fills are there.
#[cfg(target_os = "linux")]
fn there<T>(memory: &[T]) -> usize {
    const PAGE: usize = 4 << 10;
    let before = memory.as_ptr().cast::<u8>().align_offset(PAGE);
    let pages = size_of_val(memory).saturating_sub(before) / PAGE;
    let mut states = vec![0u8; pages];
    // SAFETY: the pages lie within `memory`, and each has a byte in `states`.
    let result = unsafe {
        let start = memory.as_ptr().byte_add(before).cast_mut();
        libc::mincore(start.cast(), pages * PAGE, states.as_mut_ptr())
    };
    assert!(result == 0 || pages == 0);
    states.iter().filter(|&&state| state & 1 == 1).count() * PAGE
}

#[test]
fn what_stands_there_stays() {
    let list: Vec<u32> = (0..ELEMENTS as u32).collect();
    prefer_large(&list);
    for range in [0..0, 5..6, 0..list.len(), 1000..STEP, list.len() - 1..list.len(), list.len()..list.len()] {
        take(&list, range);
    }
    assert!(list.iter().enumerate().all(|(number, &element)| number == element as usize));
    take::<u32>(&[], 0..0);
    take(&[7u8], 0..1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_list_finds_its_memory_there() {
    for step in [1, 1000, STEP, LARGE] {
        let (mut list, mut ahead): (Vec<u32>, _) = (large_vec(ELEMENTS), Ahead::default());
        for number in 0..ELEMENTS {
            if number.is_multiple_of(step.max(1000)) {
                ahead.reach(&mut list, step);
                let spare = list.spare_capacity_mut();
                let (asked, behind) = spare.split_at(step.min(spare.len()));
                assert!(there(asked) + 2 * 4096 > size_of_val(asked), "{number}");
                assert!(number > 0 || there(behind) <= LARGE, "{}", there(behind));
            }
            list.push(number as u32);
        }
        // Behind its room it has other memory, of which nothing was taken.
        list.extend(0..1000);
        ahead.reach(&mut list, usize::MAX);
        assert!(list.iter().enumerate().all(|(number, &element)| number % ELEMENTS == element as usize));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_table_that_grows_takes_what_is_asked_for() {
    for len in [LARGE / 32, LARGE / 16, LARGE / 2, LARGE] {
        let table: Words = Words::to_grow(len);
        let is_large = size_of_val(table.get()) >= 512 << 10;
        assert!(there(table.get()) == 0 || !is_large, "{len}");
        table.take(0..len / 4);
        assert!(there(&table.get()[..len / 4]) + 2 * 4096 > len * 2 || !is_large, "{len}");
        assert!(there(&table.get()[len / 4..]) <= LARGE, "{len}");
        table.take(len / 4..len);
        assert!(there(table.get()) + 2 * 4096 > len * 8 || !is_large, "{len}");
        let full: Words = Words::new(len);
        for table in [table, full] {
            assert!(table.get().iter().all(|&word| word == 0));
            assert_eq!(table.lines().as_ptr().addr() % 64, 0);
            assert_eq!(table.lines().len(), len / 8);
        }
    }
}
