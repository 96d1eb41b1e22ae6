//! Rank merging of one piece: repeatedly join the neighbouring pair whose concatenation has the lowest id,
//! leftmost first. Short pieces scan a small array; long ones take the ids in order, so that 1 MB of one letter
//! costs time in proportion to its length.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::table::TokenTable;
use crate::ids::TokenId;
use crate::vocab::Vocabulary;

/// Longest piece for the quadratic routine: below this, scanning beats bookkeeping.
pub const SHORT: usize = 48;

const NONE: u32 = u32::MAX;
/// Bits of a place in a short piece.
const PLACE_BITS: u32 = 6;

/// Merges `piece` of at most [`SHORT`] bytes and appends its ids.
#[inline]
pub fn short(table: &TokenTable, vocabulary: &Vocabulary, piece: &[u8], ids: &mut Vec<TokenId>) {
    short_below(table, vocabulary, piece, TokenId::MAX, ids);
}

/// The parts of `piece` when only tokens with an id below `limit` are made: for a token and its own id, the two that
/// are joined last.
pub fn below(
    table: &TokenTable,
    vocabulary: &Vocabulary,
    piece: &[u8],
    limit: TokenId,
    long: &mut LongMerge,
    ids: &mut Vec<TokenId>,
) {
    if piece.len() <= SHORT {
        short_below(table, vocabulary, piece, limit, ids);
    } else {
        long.run_below(table, vocabulary, piece, limit, ids);
    }
}

fn short_below(table: &TokenTable, vocabulary: &Vocabulary, piece: &[u8], limit: TokenId, ids: &mut Vec<TokenId>) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
    {
        // SAFETY: the features that the function needs were detected on the lines above.
        return unsafe { short_avx2(table, vocabulary, piece, limit, ids) };
    }
    short_any(table, vocabulary, piece, limit, ids);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn short_avx2(table: &TokenTable, vocabulary: &Vocabulary, piece: &[u8], limit: TokenId, ids: &mut Vec<TokenId>) {
    short_any(table, vocabulary, piece, limit, ids);
}

/// Parts are bits of one word, so joining two clears one bit and nothing is moved. Each place holds the id that
/// joining its part with the next would give and, below it, the place: the minimum is the lowest id, leftmost.
#[inline(always)]
fn short_any(table: &TokenTable, vocabulary: &Vocabulary, piece: &[u8], limit: TokenId, ids: &mut Vec<TokenId>) {
    let length = piece.len();
    // Padding lets every key load 16 bytes.
    let mut text = [0u8; SHORT + 16];
    text[..length].copy_from_slice(piece);
    let mut made = [NONE; SHORT];
    let mut joined = [NONE; SHORT];
    // Whole vectors: the places behind the last hold `NONE`.
    let scanned = length.next_multiple_of(8).min(SHORT);
    // Bit `i`: a part starts at byte `i`. The bit behind the last byte ends the last part.
    let mut starts = 1u64 << length;
    let next = |starts: u64, at: usize| at + 1 + (starts >> (at + 1)).trailing_zeros() as usize;
    table.sure(vocabulary).each(piece, limit, |at, is_part, id| {
        made[at] = id;
        starts |= u64::from(is_part) << at;
    });
    let (mut at, mut end) = (0, next(starts, 0));
    while end < length {
        let after = next(starts, end);
        joined[at] = offer(table.span(vocabulary, &text, at, after), at);
        (at, end) = (end, after);
    }
    loop {
        let best = joined[..scanned].iter().fold(NONE, |best, &offer| best.min(offer));
        if best >> PLACE_BITS >= limit.min(NONE >> PLACE_BITS) {
            break;
        }
        let at = (best & ((1 << PLACE_BITS) - 1)) as usize;
        made[at] = best >> PLACE_BITS;
        let gone = next(starts, at);
        starts &= !(1 << gone);
        joined[gone] = NONE;
        let end = next(starts, at);
        joined[at] = if end < length { offer(table.span(vocabulary, &text, at, next(starts, end)), at) } else { NONE };
        if at > 0 {
            let before = 63 - (starts & ((1 << at) - 1)).leading_zeros() as usize;
            joined[before] = offer(table.span(vocabulary, &text, before, end), before);
        }
    }
    starts &= (1 << length) - 1;
    while starts != 0 {
        let at = starts.trailing_zeros() as usize;
        starts &= starts - 1;
        ids.push(made[at]);
    }
}

/// An id above the place that would make it; `NONE` stays above every offer.
#[inline(always)]
fn offer(id: TokenId, place: usize) -> u32 {
    if id == TokenId::MAX { NONE } else { id << PLACE_BITS | place as u32 }
}

/// Working memory of [`LongMerge::run`], kept between pieces.
#[derive(Default)]
pub struct LongMerge {
    /// First node of the list of places for each id; `NONE` when empty.
    first: Vec<u32>,
    /// `(place, next node)`.
    nodes: Vec<(u32, u32)>,
    /// Ids whose list is not empty.
    waiting: BinaryHeap<Reverse<TokenId>>,
    /// The rest of a list, one of whose joins made a pair with a lower id. Trainers make no such vocabulary, but files may hold
    /// one; then each place comes here once, where putting the rest back each time would take time by the square of the length.
    late: BinaryHeap<Reverse<(TokenId, u32)>>,
    /// By place: where the part that starts there ends, where the part before starts, and the id that joining
    /// it with the part behind it would give.
    ends: Vec<u32>,
    befores: Vec<u32>,
    joined: Vec<TokenId>,
    places: Vec<u32>,
}

impl LongMerge {
    /// Merges a `piece` of up to 1 GiB and appends its ids.
    pub fn run(&mut self, table: &TokenTable, vocabulary: &Vocabulary, piece: &[u8], ids: &mut Vec<TokenId>) {
        self.run_below(table, vocabulary, piece, TokenId::MAX, ids);
    }

    fn run_below(
        &mut self,
        table: &TokenTable,
        vocabulary: &Vocabulary,
        piece: &[u8],
        limit: TokenId,
        ids: &mut Vec<TokenId>,
    ) {
        self.prepare(table, vocabulary, piece);
        while let Some(id) = self.next_id() {
            self.take_places(id);
            if id >= limit {
                continue;
            }
            let mut done = 0;
            while done < self.places.len() {
                let at = self.places[done];
                done += 1;
                // A place whose parts have changed since it was noted.
                if self.joined[at as usize] != id {
                    continue;
                }
                if self.join(table, vocabulary, piece, at) < id {
                    // Joining made a better pair: it comes first.
                    self.late.extend(self.places.drain(done..).map(|place| Reverse((id, place))));
                }
            }
        }
        let mut at = 0;
        while at < piece.len() {
            let end = self.ends[at] as usize;
            ids.push(if end - at == 1 {
                vocabulary.byte_id(piece[at])
            } else {
                table.span(vocabulary, piece, at, end)
            });
            at = end;
        }
        // A giant piece must not keep its memory for the life of the thread.
        if piece.len() > 1 << 20 {
            *self = Self::default();
        }
    }

    // Places fit 32 bits: the caller refuses longer pieces.
    #[allow(clippy::cast_possible_truncation)]
    fn prepare(&mut self, table: &TokenTable, vocabulary: &Vocabulary, piece: &[u8]) {
        let length = piece.len() as u32;
        self.first.resize(vocabulary.id_limit(), NONE);
        self.nodes.clear();
        self.ends.clear();
        self.ends.extend(1..=length);
        self.befores.clear();
        self.befores.extend((0..length).map(|i| i.wrapping_sub(1)));
        self.joined.clear();
        self.joined.extend(piece.windows(2).map(|pair| table.pair(pair[0], pair[1])));
        self.joined.push(TokenId::MAX);
        // From the right, so that each list comes out in order.
        for at in (0..length).rev() {
            let id = self.joined[at as usize];
            if id != TokenId::MAX {
                self.note(id, at);
            }
        }
    }

    fn note(&mut self, id: TokenId, place: u32) {
        let first = &mut self.first[id as usize];
        if *first == NONE {
            self.waiting.push(Reverse(id));
        }
        // At most three notes for each place: they fit 32 bits for pieces of up to 1 GiB, which the caller checks; no token is longer.
        #[allow(clippy::cast_possible_truncation)]
        let node = self.nodes.len() as u32;
        self.nodes.push((place, *first));
        *first = node;
    }

    /// The lowest id that has places, which is not waiting any more.
    fn next_id(&mut self) -> Option<TokenId> {
        let waiting = self.waiting.peek().map(|&Reverse(id)| id);
        let late = self.late.peek().map(|&Reverse((id, _))| id);
        let lowest = waiting.into_iter().chain(late).min()?;
        if waiting == Some(lowest) {
            self.waiting.pop();
        }
        Some(lowest)
    }

    /// Takes the places of an id in order: those of its list, or if some are late, the first of them all.
    fn take_places(&mut self, id: TokenId) {
        self.places.clear();
        let mut node = std::mem::replace(&mut self.first[id as usize], NONE);
        while node != NONE {
            let (place, next) = self.nodes[node as usize];
            self.places.push(place);
            node = next;
        }
        if self.late.peek().is_some_and(|late| late.0.0 == id) {
            self.late.extend(self.places.drain(..).map(|place| Reverse((id, place))));
            self.places.extend(self.late.pop().map(|late| late.0.1));
        }
        if !self.places.is_sorted() {
            self.places.sort_unstable();
        }
    }

    /// Joins the part at `at` with the part behind it; returns the lowest id that its new neighbours offer.
    fn join(&mut self, table: &TokenTable, vocabulary: &Vocabulary, piece: &[u8], at: u32) -> TokenId {
        let right = self.ends[at as usize];
        let end = self.ends[right as usize];
        self.ends[at as usize] = end;
        self.joined[right as usize] = TokenId::MAX;
        let mut lowest = TokenId::MAX;
        let after = self.ends.get(end as usize).copied();
        let with_next = after.map_or(TokenId::MAX, |after| table.span(vocabulary, piece, at as usize, after as usize));
        self.joined[at as usize] = with_next;
        if after.is_some() {
            self.befores[end as usize] = at;
        }
        if with_next != TokenId::MAX {
            self.note(with_next, at);
            lowest = with_next;
        }
        let before = self.befores[at as usize];
        if at > 0 {
            let with_before = table.span(vocabulary, piece, before as usize, end as usize);
            self.joined[before as usize] = with_before;
            if with_before != TokenId::MAX {
                self.note(with_before, before);
                lowest = lowest.min(with_before);
            }
        }
        lowest
    }
}
