//! One list that several threads fill: what each has made goes behind what comes before it, as soon as that is known.
//!
//! To join lists when all are made would take memory for everything twice, and fresh memory is dear.

use std::collections::BTreeMap;
use std::mem::{MaybeUninit, take};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::memory::pages::Front;

/// Pieces of a list, numbered from 0 on, that come in any order: each number once, none left out.
pub struct Ordered<'a, T> {
    state: Mutex<State<'a, T>>,
    /// The memory of the room for all.
    front: Front,
}

struct State<'a, T> {
    /// What is left of the room for all.
    room: &'a mut [MaybeUninit<T>],
    /// Elements that were given a place in it.
    placed: usize,
    /// Number of the first piece that was not.
    next: usize,
    /// Those that wait for the ones before them, or for room.
    waiting: BTreeMap<usize, Vec<T>>,
    /// Memory to be used again.
    free: Vec<Vec<T>>,
}

impl<'a, T: Copy> Ordered<'a, T> {
    /// Calls `work`, whose threads put the pieces of a list; then appends them to `list`, which has room for most of them if all is
    /// well.
    ///
    /// # Errors
    /// That of `work`; then `list` is as before.
    pub fn fill<R, E>(list: &mut Vec<T>, work: impl FnOnce(&Ordered<'_, T>) -> Result<R, E>) -> Result<R, E> {
        let room = list.spare_capacity_mut();
        let front = Front::of(room);
        let state = State { room, placed: 0, next: 0, waiting: BTreeMap::new(), free: Vec::new() };
        let ordered = Ordered { state: Mutex::new(state), front };
        let result = work(&ordered)?;
        let State { placed, waiting, .. } = ordered.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: so many elements of the spare capacity were given to `put`, which wrote each of them before it returned; and the
        // threads that called it are through, since they borrow what was just taken apart.
        unsafe { list.set_len(list.len() + placed) };
        for piece in waiting.into_values() {
            list.extend(piece);
        }
        Ok(result)
    }

    /// An empty list to make a piece in.
    #[must_use]
    pub fn take(&self) -> Vec<T> {
        self.lock().free.pop().unwrap_or_default()
    }

    /// Puts piece `number` in its place, and those that waited for it.
    pub fn put(&self, number: usize, piece: Vec<T>) {
        let mut state = self.lock();
        state.waiting.insert(number, piece);
        while let Some((room, mut piece)) = state.next_piece() {
            // Others may go on while this one copies.
            drop(state);
            self.front.reach(room);
            for (to, from) in room.iter_mut().zip(&piece) {
                to.write(*from);
            }
            piece.clear();
            state = self.lock();
            state.free.push(piece);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<'a, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a, T> State<'a, T> {
    /// The next piece in order and its place, if it has come and there is room.
    fn next_piece(&mut self) -> Option<(&'a mut [MaybeUninit<T>], Vec<T>)> {
        let piece = self.waiting.first_entry().filter(|first| *first.key() == self.next)?;
        let length = piece.get().len();
        if length > self.room.len() {
            return None;
        }
        let (room, rest) = take(&mut self.room).split_at_mut(length);
        (self.room, self.placed, self.next) = (rest, self.placed + length, self.next + 1);
        Some((room, piece.remove()))
    }
}
