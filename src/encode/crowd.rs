//! Many words at once that were never met before. Each is cut where no token can cross (see `cut`), and the pieces of all of
//! them are merged side by side, those of like length together: the longest decides how long a few take.

use super::cache::{Counted, INLINE_IDS, counted};
use super::cut::{self, Boundaries, Character};
use super::lanes::{LANES, LONGEST, Lanes, Tables};
use super::merge;
use super::table::TokenTable;
use crate::ids::TokenId;
use crate::vocab::Vocabulary;

/// Ids of a piece that are copied at once.
const CHUNK: usize = 4;

/// A piece of a word, and its ids among those of all pieces.
struct Piece {
    start: usize,
    length: usize,
    first: usize,
    count: usize,
}

/// Working memory, kept between crowds.
#[derive(Default)]
pub struct Crowd {
    pieces: Vec<Piece>,
    /// For each word, the end of its pieces.
    ends: Vec<usize>,
    /// Numbers of the pieces that are not known yet, the short ones first.
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
    /// Appends the ids of a character of three bytes; returns how many there are.
    #[inline]
    pub fn append(
        &mut self,
        table: &TokenTable,
        vocabulary: &Vocabulary,
        character: &[u8],
        ids: &mut Vec<TokenId>,
    ) -> usize {
        let bits = |i: usize| usize::from(character[i] & 0x3F);
        let known = &mut self.0[(bits(0) & 0x0F) << 12 | bits(1) << 6 | bits(2)];
        if known[INLINE_IDS] == 0 {
            let mut found = Vec::with_capacity(3);
            merge::short(table, vocabulary, character, &mut found);
            *known = counted(&found).unwrap_or_default();
        }
        let count = known[INLINE_IDS] as usize;
        let length = ids.len() + count;
        // Always three: how many they are is what the processor cannot predict.
        ids.extend_from_slice(&known[..INLINE_IDS]);
        ids.truncate(length);
        count
    }
}

impl Crowd {
    /// Merges `words`, places in `text`. Then [`Crowd::append`] gives the ids of each.
    pub fn merge(
        &mut self,
        tables: Tables<'_>,
        boundaries: &Boundaries,
        text: &[u8],
        words: impl Iterator<Item = (usize, usize)>,
    ) {
        self.pieces.clear();
        self.ends.clear();
        self.ids.clear();
        for (start, end) in words {
            if cut::is_worth(&text[start..end]) {
                self.cut(tables, boundaries, text, start, end);
            } else {
                self.leave(start, end);
            }
            self.ends.push(self.pieces.len());
        }
        self.sort();
        for numbers in self.order.chunks(LANES) {
            let piece = |number: &u32| &self.pieces[*number as usize];
            let texts = numbers.iter().map(piece).map(|piece| &text[piece.start..piece.start + piece.length]);
            self.lanes.merge(tables, texts);
            for (lane, &number) in numbers.iter().enumerate() {
                let first = self.ids.len();
                self.ids.extend(self.lanes.ids(lane));
                let piece = &mut self.pieces[number as usize];
                (piece.first, piece.count) = (first, self.ids.len() - first);
            }
        }
        self.ids.extend_from_slice(&[0; CHUNK]);
    }

    fn cut(&mut self, tables: Tables<'_>, boundaries: &Boundaries, text: &[u8], start: usize, end: usize) {
        let mut left = Character::at(text, start);
        let (mut piece, mut at) = (start, start + left.length());
        while at < end {
            let right = Character::at(text, at);
            if !boundaries.joins(left, right) {
                self.add(tables, text, piece, at);
                piece = at;
            }
            at += right.length();
            left = right;
        }
        self.add(tables, text, piece, end);
    }

    #[inline]
    fn add(&mut self, tables: Tables<'_>, text: &[u8], start: usize, end: usize) {
        if end - start == 3 && text[start] >= 0xE0 {
            let first = self.ids.len();
            let count = self.characters.append(tables.table, tables.vocabulary, &text[start..end], &mut self.ids);
            self.pieces.push(Piece { start, length: 3, first, count });
        } else {
            self.leave(start, end);
        }
    }

    /// A piece that is to be merged: it has no ids yet, and every piece has some.
    #[inline]
    fn leave(&mut self, start: usize, end: usize) {
        self.pieces.push(Piece { start, length: end - start, first: 0, count: 0 });
    }

    /// Sorts the pieces that are not known by counting those of each length. Longer ones than fit a lane are left out.
    fn sort(&mut self) {
        let unknown = |(_, piece): &(u32, &Piece)| piece.count == 0 && piece.length <= LONGEST;
        let mut places = [0usize; LONGEST + 2];
        for (_, piece) in (0..).zip(&self.pieces).filter(unknown) {
            places[piece.length + 1] += 1;
        }
        for length in 1..places.len() {
            places[length] += places[length - 1];
        }
        self.order.clear();
        self.order.resize(places[LONGEST + 1], 0);
        for (number, piece) in (0..).zip(&self.pieces).filter(unknown) {
            self.order[places[piece.length]] = number;
            places[piece.length] += 1;
        }
    }

    /// Appends the ids of word `number`; `false` if a piece of it is too long for a lane: nothing is appended then.
    pub fn append(&self, number: usize, ids: &mut Vec<TokenId>) -> bool {
        let first = if number == 0 { 0 } else { self.ends[number - 1] };
        let pieces = &self.pieces[first..self.ends[number]];
        if pieces.iter().any(|piece| piece.count == 0) {
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
