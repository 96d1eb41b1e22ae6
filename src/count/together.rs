//! Two tables into one by several threads: each takes a stretch of slots and enters what belongs there. What would run
//! over the end of its stretch is entered at last, by one thread.

use std::sync::{Mutex, PoisonError};

use super::table::{CountTable, Long, Short, place, sum, text_in};
use crate::batch::in_parallel;
use crate::error::Result;
use crate::threads::Ask;

/// Smaller tables are added up before a thread has started.
const WORTH_THREADS: usize = 1 << 14;
/// In the start of a long entry that was just entered: the rest is its place in the texts of the stretch.
const OWN: u64 = 1 << 63;

/// One thread's share of the slots.
struct Stretch<'a, T> {
    /// Index of its first slot, and how many slots there are in all.
    first: usize,
    size: usize,
    slots: &'a mut [T],
    /// Entries of the other table that found no place.
    late: Vec<usize>,
    entered: usize,
    texts: Vec<u8>,
    /// Slots whose text is in `texts`.
    own: Vec<usize>,
}

impl<'a, T> Stretch<'a, T> {
    fn all(slots: &'a mut [T], threads: usize) -> Vec<Mutex<Self>> {
        let (size, each) = (slots.len(), slots.len().div_ceil(threads).max(1));
        let stretch = |(number, slots)| Self {
            first: number * each,
            size,
            slots,
            late: Vec::new(),
            entered: 0,
            texts: Vec::new(),
            own: Vec::new(),
        };
        slots.chunks_mut(each).enumerate().map(|part| Mutex::new(stretch(part))).collect()
    }

    /// Where in this stretch an entry belongs, if it does.
    fn home(&self, hash: u64) -> Option<usize> {
        place(hash, self.size).checked_sub(self.first).filter(|&at| at < self.slots.len())
    }
}

fn run<T: Send>(
    stretches: &[Mutex<Stretch<'_, T>>],
    enter: impl Fn(&mut Stretch<'_, T>) -> Result<()> + Sync,
) -> Result<()> {
    let job = |stretch: &Mutex<Stretch<'_, T>>, _: Ask<'_>| {
        enter(&mut stretch.lock().unwrap_or_else(PoisonError::into_inner))
    };
    in_parallel(stretches, stretches.len(), job, &mut || Ok(())).map(|_| ())
}

fn done<T>(stretches: Vec<Mutex<Stretch<'_, T>>>) -> impl Iterator<Item = Stretch<'_, T>> {
    stretches.into_iter().map(|stretch| stretch.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn enter_short(stretch: &mut Stretch<'_, Short>, other: &[Short]) -> Result<()> {
    for (index, entry) in other.iter().enumerate().filter(|(_, entry)| entry.count > 0) {
        let Some(home) = stretch.home(entry.key.hash()) else { continue };
        let found =
            stretch.slots[home..].iter_mut().find(|slot| slot.count == 0 || slot.key.is(entry.key.low, entry.key.high));
        match found {
            None => stretch.late.push(index),
            Some(slot) if slot.count == 0 => {
                *slot = *entry;
                stretch.entered += 1;
            }
            Some(slot) => slot.count = sum(slot.count, entry.count)?,
        }
    }
    Ok(())
}

fn enter_long(stretch: &mut Stretch<'_, Long>, texts: &[u8], other: &CountTable) -> Result<()> {
    for (index, entry) in other.long.iter().enumerate().filter(|(_, entry)| entry.count > 0) {
        let Some(home) = stretch.home(entry.hash) else { continue };
        let text = text_in(&other.texts, entry);
        let own = &stretch.texts;
        let text_at = |slot: &Long| match slot.start & OWN {
            0 => text_in(texts, slot),
            _ => text_in(own, &Long { start: slot.start ^ OWN, ..*slot }),
        };
        let is_here = |slot: &Long| slot.count == 0 || slot.hash == entry.hash && text_at(slot) == text;
        match stretch.slots[home..].iter().position(is_here) {
            None => stretch.late.push(index),
            Some(ahead) if stretch.slots[home + ahead].count == 0 => {
                stretch.slots[home + ahead] = Long { start: OWN | stretch.texts.len() as u64, ..*entry };
                stretch.texts.extend_from_slice(text);
                stretch.own.push(home + ahead);
                stretch.entered += 1;
            }
            Some(ahead) => {
                let slot = &mut stretch.slots[home + ahead];
                slot.count = sum(slot.count, entry.count)?;
            }
        }
    }
    Ok(())
}

/// Adds all counts of `other` to `table`.
///
/// # Errors
/// A count above `u64`.
pub fn add_all(table: &mut CountTable, other: &CountTable, threads: usize) -> Result<()> {
    if threads == 1 || other.len() < WORTH_THREADS {
        return table.add_all(other);
    }
    table.make_room_for(other);
    let stretches = Stretch::all(&mut table.short, threads);
    let result = run(&stretches, |stretch| enter_short(stretch, &other.short));
    let mut late = Vec::new();
    for stretch in done(stretches) {
        table.short_len += stretch.entered;
        late.extend(stretch.late);
    }
    result?;
    for entry in late.into_iter().map(|index| other.short[index]) {
        table.add_short(entry.key, entry.count)?;
    }

    let CountTable { long, long_len, texts, .. } = table;
    let stretches = Stretch::all(long, threads);
    let result = run(&stretches, |stretch| enter_long(stretch, texts, other));
    let mut late = Vec::new();
    for stretch in done(stretches) {
        let before = texts.len() as u64;
        for slot in stretch.own {
            stretch.slots[slot].start = before + (stretch.slots[slot].start ^ OWN);
        }
        texts.extend_from_slice(&stretch.texts);
        *long_len += stretch.entered;
        late.extend(stretch.late);
    }
    result?;
    for entry in late.into_iter().map(|index| other.long[index]) {
        table.add_long(text_in(&other.texts, &entry), entry.count)?;
    }
    Ok(())
}
