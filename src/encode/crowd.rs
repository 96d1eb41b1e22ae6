//! Many words at once that were never met before. Each is cut where no token can cross (see `cut`), and the pieces of all of
//! them are merged side by side, those of as many parts together: the longest decides how long a few take.

use super::cache::{Cache, INLINE_IDS};
use super::cut::{self, LazyBoundaries};
use super::gaps::{New, Span};
use super::joins::Joins;
use super::key::{KEY_BYTES, Key};
use super::lanes::{AT_ONCE, LONGEST, Lanes, PIECES};
use super::merge;
use super::table::TokenTable;
use crate::ids::TokenId;
use crate::memory::pages;
use crate::utf8::Text;
use crate::vocab::Vocabulary;

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

/// A piece of a word: `count` of all ids from the `first` on, which are its parts until it is merged.
#[derive(Clone, Copy)]
struct Piece {
    first: usize,
    count: usize,
}

/// Working memory, kept between crowds.
pub struct Crowd {
    pieces: Vec<Piece>,
    /// For each word, the end of its pieces.
    ends: Vec<usize>,
    /// Numbers of the pieces that are in parts, as they came, and those of few parts first.
    in_parts: Vec<u32>,
    order: Vec<u32>,
    lanes: Lanes,
    /// What short pieces of words that were cut became: of two Han that some token may join, half came before in other words.
    known: Cache,
    /// The numbers of those of this crowd that were not there, and their texts.
    to_know: Vec<(u32, Key)>,
    /// For pieces that are merged one by one, too.
    pub characters: Characters,
}

/// What each character of three bytes becomes when it is a piece of its own, as most of Han do: 1 MiB, filled as
/// they come.
pub struct Characters {
    /// Up to three ids and their number; one whose number is 0 is not known yet.
    entries: Vec<([TokenId; 3], u32)>,
    /// One bit for each first byte, by its lower half: whether the memory of those that begin with it is to be taken at once.
    to_take: u16,
}

/// Characters that begin with the same byte.
const ALIKE: usize = 1 << 12;

impl Default for Characters {
    fn default() -> Self {
        Self { entries: vec![([0; 3], 0); ALIKE << 4], to_take: 0 }
    }
}

impl Characters {
    /// Appends the ids of characters of three bytes, each of which is merged alone.
    #[inline]
    pub fn append(&mut self, table: &TokenTable, vocabulary: &Vocabulary, characters: &[u8], ids: &mut Vec<TokenId>) {
        for character in characters.as_chunks::<3>().0 {
            let bits = |i: usize| usize::from(character[i] & 0x3F);
            let place = (bits(0) & 0x0F) << 12 | bits(1) << 6 | bits(2);
            if self.entries[place].1 == 0 {
                self.meet(table, vocabulary, *character, place);
            }
            // Always three: how many they are is what the processor cannot predict.
            let (known, count) = &self.entries[place];
            let length = ids.len() + *count as usize;
            ids.extend_from_slice(known);
            ids.truncate(length);
        }
    }

    /// Notes what a character becomes that was not met before.
    #[cold]
    fn meet(&mut self, table: &TokenTable, vocabulary: &Vocabulary, character: [u8; 3], place: usize) {
        let first = place / ALIKE;
        if self.to_take & 1 << first != 0 {
            self.to_take &= !(1 << first);
            pages::take_now(&self.entries[first * ALIKE..][..ALIKE]);
        }
        let mut found = Vec::with_capacity(3);
        merge::short(table, vocabulary, &character, &mut found);
        let (known, count) = &mut self.entries[place];
        for (known, id) in known.iter_mut().zip(found) {
            *known = id;
            *count += 1;
        }
    }
}

impl Crowd {
    /// For ids below `id_limit`.
    #[must_use]
    pub fn new(id_limit: usize) -> Self {
        let (pieces, ends, in_parts, order, lanes, to_know, characters) = Default::default();
        Self { pieces, ends, in_parts, order, lanes, known: Cache::small(id_limit), to_know, characters }
    }

    /// Takes the memory that is used first, or will when it is needed.
    pub fn take_few(&mut self) {
        self.known.take_few();
        self.characters.to_take = u16::MAX;
    }

    /// Merges new words, places in `text`, and appends what they become to `ids`. Those that are left, being no text or of too
    /// many parts, have no ids then.
    pub fn merge(&mut self, tables: Tables<'_>, text: Text<'_>, words: &mut [New], ids: &mut Vec<TokenId>) {
        let bytes = text.bytes();
        self.pieces.clear();
        self.ends.clear();
        self.in_parts.clear();
        self.to_know.clear();
        for word in &*words {
            let (first, start, end) = (self.pieces.len(), word.start, word.end);
            let (in_parts, to_know) = (self.in_parts.len(), self.to_know.len());
            let is_merged = if !text.is_valid(start, end) {
                false
            } else if let Some(boundaries) = tables.boundaries.for_piece(tables.vocabulary, &bytes[start..end]) {
                let mut is_merged = true;
                boundaries.cut(bytes, start, end, |kind, at, end| match kind {
                    cut::Kind::Characters => self.add_characters(tables, &bytes[at..end], first, ids),
                    cut::Kind::Other if end - at <= KEY_BYTES => self.add_short(tables, bytes, (at, end), first, ids),
                    cut::Kind::Other => is_merged &= self.add(tables, &bytes[at..end], first, ids),
                });
                is_merged
            } else {
                self.add(tables, &bytes[start..end], first, ids)
            };
            if !is_merged {
                self.pieces.truncate(first);
                self.in_parts.truncate(in_parts);
                self.to_know.truncate(to_know);
            }
            self.ends.push(self.pieces.len());
        }
        // What is read of a word may be more than its ids.
        ids.extend_from_slice(&[0; INLINE_IDS]);
        self.sort();
        self.merge_pieces(tables.joins, ids);
        for &(number, key) in &self.to_know {
            let Piece { first, count } = self.pieces[number as usize];
            self.known.put(key, &ids[first..], count);
        }
        let mut first = 0;
        for (word, &end) in words.iter_mut().zip(&self.ends) {
            word.ids = joined(&self.pieces[first..end], ids);
            first = end;
        }
    }

    /// Appends characters of three bytes of the word whose pieces begin with number `word`, each a piece of its own.
    #[inline]
    fn add_characters(
        &mut self,
        Tables { table, vocabulary, .. }: Tables<'_>,
        characters: &[u8],
        word: usize,
        ids: &mut Vec<TokenId>,
    ) {
        let first = ids.len();
        self.characters.append(table, vocabulary, characters, ids);
        self.add_merged(Piece { first, count: ids.len() - first }, word);
    }

    /// Appends a piece that has a key: what it became before, or in parts.
    #[inline]
    fn add_short(
        &mut self,
        tables: Tables<'_>,
        text: &[u8],
        (start, end): (usize, usize),
        word: usize,
        ids: &mut Vec<TokenId>,
    ) {
        let key = Key::at(text, start, end - start);
        let (known, count, is_known) = self.known.hot().get(key);
        if is_known {
            let first = ids.len();
            ids.extend_from_slice(&known);
            ids.truncate(first + count);
            self.add_merged(Piece { first, count }, word);
            return;
        }
        // Pieces are few.
        #[allow(clippy::cast_possible_truncation)]
        let number = self.pieces.len() as u32;
        // It has fewer bytes than a lane has room for parts.
        self.add(tables, &text[start..end], word, ids);
        // A piece of one part went on with another, and nothing is to be known of it.
        if self.in_parts.last() == Some(&number) {
            self.to_know.push((number, key));
        }
    }

    /// Appends another piece in parts; `false` where they are too many.
    #[inline]
    fn add(
        &mut self,
        Tables { table, vocabulary, .. }: Tables<'_>,
        piece: &[u8],
        word: usize,
        ids: &mut Vec<TokenId>,
    ) -> bool {
        let first = ids.len();
        table.sure(vocabulary).append(piece, ids);
        let count = ids.len() - first;
        if count > LONGEST {
            ids.truncate(first);
            return false;
        }
        let piece = Piece { first, count };
        if count == 1 {
            self.add_merged(piece, word);
        } else {
            // Pieces are few.
            #[allow(clippy::cast_possible_truncation)]
            self.in_parts.push(self.pieces.len() as u32);
            ids.extend_from_slice(&[0; AT_ONCE]);
            ids.truncate(first + count.max(AT_ONCE));
            self.pieces.push(piece);
        }
        true
    }

    /// What needs no merging goes on with what came before, if that is of the same word and needs none either: fewer pieces to look at.
    #[inline]
    fn add_merged(&mut self, piece: Piece, word: usize) {
        let last_in_parts = self.in_parts.last().map_or(0, |&last| last as usize + 1);
        if self.pieces.len() > word.max(last_in_parts)
            && let Some(last) = self.pieces.last_mut()
        {
            last.count += piece.count;
        } else {
            self.pieces.push(piece);
        }
    }

    /// Sorts the pieces that are in parts by counting those of each number of parts.
    fn sort(&mut self) {
        let mut places = [0u32; LONGEST + 2];
        for &number in &self.in_parts {
            places[self.pieces[number as usize].count + 1] += 1;
        }
        for count in 1..places.len() {
            places[count] += places[count - 1];
        }
        self.order.resize(self.in_parts.len(), 0);
        for &number in &self.in_parts {
            let place = &mut places[self.pieces[number as usize].count];
            self.order[*place as usize] = number;
            *place += 1;
        }
    }

    /// Merges the pieces that are in parts.
    fn merge_pieces(&mut self, joins: &Joins, ids: &mut [TokenId]) {
        for numbers in self.order.chunks(PIECES) {
            let piece = |&number: &u32| self.pieces[number as usize];
            let parts = numbers.iter().map(piece).map(|piece| &ids[piece.first..piece.first + piece.count]);
            self.lanes.merge(joins, parts);
            for (lane, &number) in numbers.iter().enumerate() {
                let piece = &mut self.pieces[number as usize];
                piece.count = self.lanes.copy(lane, &mut ids[piece.first..]);
            }
        }
    }
}

/// The ids of merged pieces, moved together.
#[inline]
fn joined(pieces: &[Piece], ids: &mut [TokenId]) -> Span {
    let Some((&Piece { first, count }, others)) = pieces.split_first() else { return Span::NONE };
    let mut end = first + count;
    for piece in others {
        ids.copy_within(piece.first..piece.first + piece.count, end);
        end += piece.count;
    }
    Span::new(first, end)
}
