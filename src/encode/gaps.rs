//! What the first look at a group of pretokens did not know: tokens that are not frequent, words that were merged before,
//! and new ones. Each step goes over all gaps of the group, so that what the next one reads is on its way from memory
//! meanwhile, and new words can be merged side by side.

use std::ops::Range;

use super::key::hash_at;
use super::lookups::{CHUNK, Lookups};
use super::memo::{self, MemoRef};
use super::table::TokenTable;
use crate::ids::TokenId;
use crate::pretokenize::{Mark, Pieces};

/// Bits of the places where new words are looked for among those of the same group.
const SEEN_BITS: u32 = 10;

/// Some of the ids of all gaps: the number of the first, and how many.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Span {
    first: u32,
    count: u32,
}

impl Span {
    /// Nothing yet.
    pub const NONE: Self = Self { first: 0, count: u32::MAX };
    /// No ids, which is what no pretoken becomes but the end of a document.
    pub const OF_AN_END: Self = Self { first: 0, count: 0 };

    /// The ids `first..end`.
    // What is remembered is short, so a group has fewer ids than 32 bits can tell.
    #[allow(clippy::cast_possible_truncation)]
    #[inline]
    #[must_use]
    pub fn new(first: usize, end: usize) -> Self {
        Self { first: first as u32, count: (end - first) as u32 }
    }

    /// Which of all ids they are.
    #[inline]
    #[must_use]
    pub fn range(self) -> Range<usize> {
        let first = self.first as usize;
        first..first + self.count as usize
    }
}

/// A pretoken that the first look did not know.
#[derive(Clone, Copy)]
pub struct Unknown {
    /// First byte in the text.
    pub start: usize,
    /// First byte behind it.
    pub end: usize,
    /// Of its key, or of its bytes where it has none.
    pub hash: u64,
    /// Where it may be remembered.
    pub place: memo::Place,
    /// Whether it may be a token.
    pub may_be_token: bool,
    /// What it became; nothing if it is too long to be remembered: its ids are found when all before them are written.
    pub ids: Span,
}

/// A word that was never met before, or is not remembered.
#[derive(Clone, Copy)]
pub struct New {
    /// First byte in the text.
    pub start: usize,
    /// First byte behind it.
    pub end: usize,
    /// As [`Unknown::hash`].
    pub hash: u64,
    /// What it became.
    pub ids: Span,
}

/// The gaps of one group.
pub struct Gaps {
    unknown: Vec<Unknown>,
    new: Vec<New>,
    /// Gaps that are a new word, and which.
    waiting: Vec<(usize, usize)>,
    /// By hash: the number of a new word plus 1. 0 is none.
    seen: Vec<u16>,
    /// What the gaps became, in no order: appended first, then given to a gap or a new word.
    pub ids: Vec<TokenId>,
}

impl Default for Gaps {
    fn default() -> Self {
        let (unknown, new, waiting, ids) = Default::default();
        Self { unknown, new, waiting, seen: vec![0; 1 << SEEN_BITS], ids }
    }
}

impl Gaps {
    /// The gaps that `lookups` left among `pieces`. What filling them will read is fetched ahead of time.
    pub fn take(&mut self, lookups: &Lookups, table: &TokenTable, memo: MemoRef<'_>, pieces: Pieces<'_, '_>) {
        let Pieces { text, start, ends, marks, .. } = pieces;
        let (text, mut marks) = (text.bytes(), marks.iter().peekable());
        let longest = table.longest().min(memo::LONGEST);
        self.ids.clear();
        let mut unknown = |index: usize| {
            let (start, end) = (if index == 0 { start } else { ends[index - 1] }, ends[index]);
            let length = end - start;
            let hash = hash_at(text, start, start + length.min(memo::LONGEST));
            memo.prefetch(hash);
            // No branch: which of the gaps are tokens is what the processor cannot predict.
            let may_be_token = (length <= longest) & table.may_have(hash);
            table.prefetch(hash, length);
            let ids = match marks.next_if(|mark| mark.0 == index) {
                None => Span::NONE,
                Some((_, Mark::End)) => Span::OF_AN_END,
                Some(&(_, Mark::Special(id))) => {
                    self.ids.push(id);
                    Span::new(self.ids.len() - 1, self.ids.len())
                }
            };
            Unknown { start, end, hash, place: 0, may_be_token, ids }
        };
        if !self.new.is_empty() {
            self.new.clear();
            self.waiting.clear();
            self.seen.fill(0);
        }
        self.unknown.clear();
        self.unknown.extend(lookups.gaps().iter().map(|gap| unknown(gap.index())));
        for unknown in &mut self.unknown {
            unknown.place = memo.find(unknown.hash);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.unknown.len()
    }

    /// The pretoken of gap `number`.
    #[must_use]
    pub fn unknown(&self, number: usize) -> Unknown {
        self.unknown[number]
    }

    /// Gives gap `number` the ids from the `first` on.
    #[inline]
    pub fn answer(&mut self, number: usize, first: usize) {
        self.unknown[number].ids = Span::new(first, self.ids.len());
    }

    /// Notes that gap `number` is a new word, unless it is the same as another of them.
    // A group has fewer pretokens than 16 bits can tell.
    #[allow(clippy::cast_possible_truncation)]
    pub fn leave_new(&mut self, number: usize, text: &[u8]) {
        let Unknown { start, end, hash, .. } = self.unknown[number];
        let seen = &mut self.seen[(hash >> (64 - SEEN_BITS)) as usize];
        let is_same = |new: &New| new.hash == hash && text[new.start..new.end] == text[start..end];
        if !self.new.get(usize::from(*seen).wrapping_sub(1)).is_some_and(is_same) {
            self.new.push(New { start, end, hash, ids: Span::NONE });
            *seen = self.new.len() as u16;
        }
        self.waiting.push((number, usize::from(*seen) - 1));
    }

    /// The new words.
    #[must_use]
    pub fn new_words(&self) -> &[New] {
        &self.new
    }

    /// The new words, to say what they became, and the ids of all gaps.
    #[must_use]
    pub fn new_words_mut(&mut self) -> (&mut [New], &mut Vec<TokenId>) {
        (&mut self.new, &mut self.ids)
    }

    /// No more ids are coming: gaps that are a new word become what that became.
    pub fn finish(&mut self) {
        for &(gap, new) in &self.waiting {
            self.unknown[gap].ids = self.new[new].ids;
        }
        self.ids.extend_from_slice(&[0; CHUNK]);
    }

    /// The ids of gap `number`, with [`CHUNK`] more behind them; `None` if it was left for the end.
    #[inline]
    #[must_use]
    pub fn answered(&self, number: usize) -> Option<(&[TokenId], usize)> {
        let Span { first, count } = self.unknown[number].ids;
        if count == Span::NONE.count { None } else { Some((&self.ids[first as usize..], count as usize)) }
    }
}
