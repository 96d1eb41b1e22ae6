//! What one thread needs to encode: its working memory, the pretokens that it met often, and what it knows of the text.

use std::sync::Arc;

use super::cache::Cache;
use super::crowd::Crowd;
use super::gaps::Gaps;
use super::lookups::Lookups;
use super::memo::{Memo, Pen};
use super::merge::LongMerge;
use crate::memory::pages::Ahead;

/// Bytes of text of which it is told how many are of new words.
const ENOUGH: usize = 32 << 10;

/// Bytes of text that use all of the memory that tables have at first. Page by page it would be read before it is written: then a page
/// is taken twice, and all processors must hear of it, which is dear where many threads begin.
const LONG: usize = 256 << 10;

/// What one thread needs to encode.
pub struct Scratch {
    pub(super) cache: Cache,
    pub(super) pen: Pen,
    pub(super) long: LongMerge,
    pub(super) lookups: Lookups,
    pub(super) gaps: Gaps,
    pub(super) crowd: Crowd,
    /// How many ids there are behind each document that was joined with others.
    pub(super) document_ends: Vec<usize>,
    /// Memory behind the ids so far.
    pub(super) ahead: Ahead,
    /// Bytes of text so far, those of new words, and those that are known to come.
    read: usize,
    pub(super) new: usize,
    to_come: usize,
    /// Whether so much was to come that the memory that all tables use first was taken at once.
    is_long: bool,
    /// Whether few of the last pretokens left gaps.
    pub(super) knows_most: bool,
}

impl Scratch {
    /// For ids below `id_limit`.
    #[must_use]
    pub fn new(memo: Arc<Memo>, id_limit: usize) -> Self {
        let (pen, cache, crowd) = (Pen::new(memo, id_limit), Cache::new(id_limit), Crowd::new(id_limit));
        let (long, lookups, gaps, document_ends, ahead) = Default::default();
        Self {
            cache,
            pen,
            long,
            lookups,
            gaps,
            crowd,
            document_ends,
            ahead,
            read: 0,
            new: 0,
            to_come: 0,
            is_long: false,
            knows_most: false,
        }
    }

    /// Says how many bytes of text are to come, for so many threads.
    pub fn expect(&mut self, bytes: usize, threads: usize) {
        self.to_come = bytes;
        self.cache.expect(bytes / threads);
        if bytes / threads >= LONG && !self.is_long {
            self.is_long = true;
            self.cache.take_few();
            self.crowd.take_few();
            self.pen.take_few();
        }
    }

    /// Whether few of the pretokens to come are likely to be new or rare.
    #[must_use]
    pub fn knows_most(&self) -> bool {
        self.knows_most
    }

    /// Says what list ids will be appended to.
    pub fn fill(&mut self, list: Ahead) {
        self.ahead = list;
    }

    /// Moves how many ids there are behind each document since the last time to `ends`.
    pub fn take_document_ends(&mut self, ends: &mut Vec<usize>) {
        ends.append(&mut self.document_ends);
    }

    /// Says that so many bytes come now.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.read += bytes;
        self.to_come = self.to_come.saturating_sub(bytes);
    }

    /// Bytes of new words so far and of those that are to come, if they go on to be as frequent.
    pub(super) fn new_words(&self) -> u128 {
        let [new, read, to_come] = [self.new, self.read.max(ENOUGH), self.to_come].map(|bytes| bytes as u128);
        new + new * to_come / read
    }
}
