//! Memory that is taken ahead of time: it is there, and holds what it should.

use std::cell::Cell;
use std::process::Command;
#[cfg(target_os = "linux")]
use std::time::Duration;

#[cfg(target_os = "linux")]
use bpetok::batch::Options;
#[cfg(target_os = "linux")]
use bpetok::memory::pages::{Front, MANY};
use bpetok::memory::pages::{LARGE, prefer_large, take};
use bpetok::memory::{Words, large_vec};
#[cfg(target_os = "linux")]
use bpetok::{special::Choice, utf8::Text};

#[cfg(target_os = "linux")]
use crate::tokenizer;

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

/// Whether this is a process of its own for the test of this name; if not, the test is run in one. What is known of pages is
/// the process's, and other tests may meet slow ones meanwhile.
fn is_alone(name: &str) -> bool {
    const ALONE: &str = "BPETOK_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let test = std::env::current_exe().unwrap();
    let done = Command::new(test).args([&format!("pages::{name}"), "--exact"]).env(ALONE, "1").output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && told.contains("1 passed"), "{told}");
    false
}

#[test]
fn only_where_a_large_page_begins_is_written() {
    if !is_alone("only_where_a_large_page_begins_is_written") {
        return;
    }
    let mut list = vec![7u32; ELEMENTS];
    prefer_large(&list);
    let begins = |element: &u32| std::ptr::from_ref(element).addr().is_multiple_of(LARGE);
    for (start, count) in [(0, 0), (5, 1), (0, ELEMENTS / 2), (1000, ELEMENTS - 1000), (ELEMENTS, 0), (1, usize::MAX)] {
        list.fill(7);
        let cells = Cell::from_mut(&mut list[start..]).as_slice_of_cells();
        let is_small = take(cells, count, |element| element.set(element.get() + 1));
        let within = |number: usize| number >= start && number - start < count;
        for (number, element) in list.iter().enumerate() {
            let is_written = within(number) && begins(element);
            // If the machine is slow just now, none of those behind.
            assert!(*element == 7 + u32::from(is_written) || (*element == 7 && is_small), "{number}");
        }
    }
    assert!(!take::<Cell<u64>>(&[], 9, |_| ()));
}

#[test]
fn a_list_that_is_filled_ahead_is_what_was_pushed() {
    if !is_alone("a_list_that_is_filled_ahead_is_what_was_pushed") {
        return;
    }
    for step in [1, 1000, LARGE, usize::MAX / 8] {
        let (mut list, mut ahead): (Vec<u32>, _) = large_vec(ELEMENTS);
        // Behind its room it has other memory.
        for number in 0..ELEMENTS + 3000 {
            if number.is_multiple_of(step.clamp(1000, LARGE)) {
                ahead.reach(&mut list, step);
            }
            list.push(number as u32);
        }
        assert!(list.iter().enumerate().all(|(number, &element)| number == element as usize));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn behind_a_slow_page_a_list_takes_small_ones_ahead_of_time() {
    if !is_alone("behind_a_slow_page_a_list_takes_small_ones_ahead_of_time") {
        return;
    }
    let mut slow = vec![0u32; ELEMENTS];
    let cells = Cell::from_mut(&mut slow[..]).as_slice_of_cells();
    // Twice at most in a process: other tests may have met slow pages.
    if !take(cells, ELEMENTS, |_| std::thread::sleep(Duration::from_millis(3))) {
        return;
    }
    let (mut list, mut ahead): (Vec<u32>, _) = large_vec(ELEMENTS);
    let (mut reached, step) = (0, 50_000);
    for number in 0..4 * step as u32 {
        if number as usize == reached {
            ahead.reach(&mut list, step);
            reached += step;
            let (before, behind) = list.spare_capacity_mut().split_at(step);
            let taken = there(before);
            // Kernels before 5.14 take none.
            assert!(taken == 0 || taken + (8 << 10) >= size_of_val(before), "{taken}");
            assert!(there(behind) <= 4 << 10);
        }
        list.push(number);
    }
    assert!((0..).zip(&list).all(|(number, &element)| number == element));
}

#[cfg(target_os = "linux")]
#[test]
fn what_threads_fill_is_taken_before_they_come_there_and_not_far_ahead() {
    if !is_alone("what_threads_fill_is_taken_before_they_come_there_and_not_far_ahead") {
        return;
    }
    let mut few: Vec<u32> = Vec::with_capacity(MANY / 8);
    let front = Front::of(few.spare_capacity_mut());
    let (piece, behind) = few.spare_capacity_mut().split_at(60_000);
    front.reach(piece);
    assert!(there(behind) <= 4 << 10);
    for is_slow in [false, true] {
        let mut slow = vec![0u32; ELEMENTS];
        let cells = Cell::from_mut(&mut slow[..]).as_slice_of_cells();
        if is_slow && !take(cells, ELEMENTS, |_| std::thread::sleep(Duration::from_millis(3))) {
            return;
        }
        let (mut list, _): (Vec<u32>, _) = large_vec(2 * ELEMENTS);
        let front = Front::of(list.spare_capacity_mut());
        let (room, step) = (list.capacity(), 60_000);
        for start in (0..room).step_by(step) {
            let (piece, behind) = list.spare_capacity_mut().split_at(step.min(room - start));
            let ahead = there(behind);
            front.reach(piece);
            let taken = there(piece);
            // Kernels before 5.14 take none.
            assert!(taken == 0 || taken + (8 << 10) >= size_of_val(piece), "{taken}");
            assert!(there(behind) <= 2 * LARGE && there(behind) <= ahead + LARGE, "{start}");
            list.extend(start as u32..(start + step).min(room) as u32);
        }
        assert!((0..).zip(&list).all(|(number, &element)| number == element));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn ids_of_a_long_document_take_no_more_memory_than_they_need_soon() {
    if !is_alone("ids_of_a_long_document_take_no_more_memory_than_they_need_soon") {
        return;
    }
    let spaces = |count| b" ".repeat(count);
    // No custom pattern says where its pretokens must end, so the document is one part.
    let tokenizer = tokenizer(" {1,32}", &[2, 4, 8, 16, 32].map(spaces), &[]);
    let text = " ".repeat(8 * LARGE);
    let options = Options { allowed: &Choice::None, forbidden: &Choice::None, threads: 1 };
    let mut batch = tokenizer.encode_batch(&[Text::Valid(&text)], &options, &mut || Ok(())).unwrap();
    assert_eq!(batch.ids.len(), text.len() / 32);
    // What is asked for at once is half a MiB, and a large page may come with it.
    assert!(there(batch.ids.spare_capacity_mut()) <= 2 * LARGE);
}

#[cfg(target_os = "linux")]
#[test]
fn a_table_that_grows_has_no_memory_before_it_needs_some() {
    if !is_alone("a_table_that_grows_has_no_memory_before_it_needs_some") {
        return;
    }
    for len in [LARGE / 32, LARGE / 16, LARGE / 2, LARGE] {
        let mut table: Words = Words::to_grow(len);
        let is_large = size_of_val(table.get()) >= 512 << 10;
        assert!(there(table.get()) == 0 || !is_large, "{len}");
        table.take_few();
        assert!(there(table.get()) == 128 << 10 || !is_large, "{len}");
        table.take(0..len / 4);
        assert!(there(&table.get()[len / 4..]) <= LARGE, "{len}");
        table.take(len / 4..len);
        for table in [table, Words::new(len)] {
            assert!(table.get().iter().all(|&word| word == 0));
            assert_eq!(table.lines().as_ptr().addr() % 64, 0);
            assert_eq!(table.lines().len(), len / 8);
        }
    }
}
