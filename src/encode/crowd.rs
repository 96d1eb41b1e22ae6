//! Many words at once that were never met before. Each is cut where no token can cross (see `cut`), and the pieces of all of
//! them are merged side by side, those of as many parts together: the longest decides how long a few take.

use super::cache::{Counted, INLINE_IDS, counted};
use super::cut::LazyBoundaries;
use super::joins::Joins;
use super::lanes::{LONGEST, Lanes, PIECES};
use super::merge;
use super::table::TokenTable;
use crate::ids::TokenId;
use crate::utf8::Text;
use crate::vocab::Vocabulary;

/// Ids of a piece that are copied at once.
const CHUNK: usize = 4;

/// What merging a crowd reads.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    /// Every token.
    pub table: &'a TokenTable,
    /// Their bytes.
    pub vocabulary: &'a Vocabulary,
    /// What two of them make.
    pub joins: &'a Joins,
    /// Where no token crosses.
    pub boundaries: &'a LazyBoundaries,
}

/// A piece of a word: the ids `first..first + count` of all, which are its parts until it is merged.
#[derive(Clone, Copy)]
struct Piece {
    first: usize,
    count: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// In parts that are still to be merged.
    InParts,
    Merged,
    /// Too many parts for a lane, or no text.
    Left,
}

/// Working memory, kept between crowds.
#[derive(Default)]
pub struct Crowd {
    pieces: Vec<Piece>,
    /// For each word, the end of its pieces.
    ends: Vec<usize>,
    /// Numbers of the pieces that are in parts, those of few parts first.
    order: Vec<u32>,
    ids: Vec<TokenId>,
    lanes: Lanes,
    /// For pieces that are merged one by one, too.
    pub characters: Characters,
}

/// What each character of three bytes becomes when it is a piece of its own, as most of Han do: 1 MiB, filled as
/// they come. An entry whose number of ids is 0 is not known yet.
pub struct Characters(Vec<Counted>);

impl Default for Characters {
    fn default() -> Self {
        Self(vec![[0; INLINE_IDS + 1]; 1 << 16])
    }
}

impl Characters {
    /// Appends the ids of a character of three bytes.
    #[inline]
    pub fn append(&mut self, table: &TokenTable, vocabulary: &Vocabulary, character: &[u8], ids: &mut Vec<TokenId>) {
        let bits = |i: usize| usize::from(character[i] & 0x3F);
        let known = &mut self.0[(bits(0) & 0x0F) << 12 | bits(1) << 6 | bits(2)];
        if known[INLINE_IDS] == 0 {
            let mut found = Vec::with_capacity(3);
            merge::short(table, vocabulary, character, &mut found);
            *known = counted(&found).unwrap_or_default();
        }
        let length = ids.len() + known[INLINE_IDS] as usize;
        // Always three: how many they are is what the processor cannot predict.
        ids.extend_from_slice(&known[..INLINE_IDS]);
        ids.truncate(length);
    }
}

impl Crowd {
    /// Merges `words`, places in `text`, but for those that are not valid. Then [`Crowd::append`] gives the ids of each.
    pub fn merge(&mut self, tables: Tables<'_>, text: Text<'_>, words: impl Iterator<Item = (usize, usize)>) {
        let bytes = text.bytes();
        self.pieces.clear();
        self.ends.clear();
        self.ids.clear();
        for (start, end) in words {
            let word = &bytes[start..end];
            if !text.is_valid(start, end) {
                self.pieces.push(Piece { first: 0, count: 0, state: State::Left });
            } else if let Some(boundaries) = tables.boundaries.for_piece(tables.vocabulary, word) {
                boundaries.cut(bytes, start, end, |first, end| self.add(tables, &bytes[first..end], first > start));
            } else {
                self.add(tables, word, false);
            }
            self.ends.push(self.pieces.len());
        }
        self.sort();
        for numbers in self.order.chunks(PIECES) {
            let piece = |&number: &u32| self.pieces[number as usize];
            let parts = numbers.iter().map(piece).map(|piece| &self.ids[piece.first..piece.first + piece.count]);
            self.lanes.merge(tables.joins, parts);
            for (lane, &number) in numbers.iter().enumerate() {
                let piece = &mut self.pieces[number as usize];
                piece.state = State::Merged;
                let parts = &mut self.ids[piece.first..piece.first + piece.count];
                piece.count = parts.iter_mut().zip(self.lanes.ids(lane)).map(|(part, id)| *part = id).count();
            }
        }
        self.ids.extend_from_slice(&[0; CHUNK]);
    }

    /// A piece, which is not the first of its word where `is_inside`: characters of three bytes have been met before, others are
    /// left in parts.
    #[inline]
    fn add(&mut self, Tables { table, vocabulary, .. }: Tables<'_>, piece: &[u8], is_inside: bool) {
        let (first, mut state) = (self.ids.len(), State::InParts);
        if piece.len() == 3 && piece[0] >= 0xE0 {
            self.characters.append(table, vocabulary, piece, &mut self.ids);
            state = State::Merged;
        } else {
            table.sure(vocabulary).append(piece, &mut self.ids);
            let parts = self.ids.len() - first;
            if parts > LONGEST {
                self.ids.truncate(first);
                state = State::Left;
            } else if parts == 1 {
                state = State::Merged;
            }
        }
        let count = self.ids.len() - first;
        match self.pieces.last_mut() {
            // What needs no merging goes on: fewer pieces to look at.
            Some(last) if state == State::Merged && last.state == State::Merged && is_inside => last.count += count,
            _ => self.pieces.push(Piece { first, count, state }),
        }
    }

    /// Sorts the pieces that are in parts by counting those of each number of parts.
    fn sort(&mut self) {
        let in_parts = |(_, piece): &(u32, &Piece)| piece.state == State::InParts;
        let mut places = [0usize; LONGEST + 2];
        for (_, piece) in (0..).zip(&self.pieces).filter(in_parts) {
            places[piece.count + 1] += 1;
        }
        for count in 1..places.len() {
            places[count] += places[count - 1];
        }
        self.order.clear();
        self.order.resize(places[LONGEST + 1], 0);
        for (number, piece) in (0..).zip(&self.pieces).filter(in_parts) {
            self.order[places[piece.count]] = number;
            places[piece.count] += 1;
        }
    }

    /// Appends the ids of word `number`; `false` if a piece of it was left: nothing is appended then.
    pub fn append(&self, number: usize, ids: &mut Vec<TokenId>) -> bool {
        let first = if number == 0 { 0 } else { self.ends[number - 1] };
        let pieces = &self.pieces[first..self.ends[number]];
        if pieces.iter().any(|piece| piece.state != State::Merged) {
            return false;
        }
        for piece in pieces {
            if piece.count <= CHUNK {
                let length = ids.len() + piece.count;
                ids.extend_from_slice(&self.ids[piece.first..piece.first + CHUNK]);
                ids.truncate(length);
            } else {
                ids.extend_from_slice(&self.ids[piece.first..piece.first + piece.count]);
            }
        }
        true
    }
}
