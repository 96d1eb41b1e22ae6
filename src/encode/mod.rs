//! Pretokens -> ids. The whole pretoken if it is a token, else what merging makes of it.
//!
//! Pretokens come in groups. `lookups` finds those that come often in `cache`: 24 in 25 of English. What it does not know are
//! `gaps`: other tokens, which `table` knows; words that were merged before, which are in `memo`; and new words. A `crowd` of
//! those is cut into pieces (`cut`), started with what is `sure` and merged side by side (`lanes`, `joins`); a few are merged by
//! `merge`, and `giants` does the rest. `key` packs short text so that comparing it is comparing two numbers; `scratch` holds what one
//! thread needs for all this.

pub mod cache;
mod crowd;
pub mod cut;
mod gaps;
pub mod giants;
pub mod joins;
pub mod key;
pub mod lanes;
pub mod lookups;
mod made;
pub mod memo;
pub mod merge;
mod scratch;
pub mod sure;
pub mod table;

use std::ops::Range;
use std::sync::Arc;

use once_cell::race::OnceBox;

use crowd::{Characters, Tables};
use cut::{Kind, LazyBoundaries};
use gaps::{New, Span, Unknown};
use joins::Joins;
use key::{KEY_BYTES, Key};
use lookups::append;
use made::Made;
use memo::Memo;
use merge::LongMerge;
pub use scratch::Scratch;
use table::TokenTable;

use crate::error::{Error, Result};
use crate::ids::{Pair, TokenId};
use crate::pretokenize::Pieces;
use crate::threads::Steps;
use crate::utf8::Text;
use crate::vocab::Vocabulary;

/// Longest piece: places in it are numbered with 30 bits.
const LONGEST_PIECE: usize = 1 << 30;

/// [`Joins`] are made when new words, with those that are likely to come, have as many bytes for each token: making them saves
/// as much as it costs then. Where nothing is known of what is to come, who stops before has paid nothing, who goes on at most twice.
const NEW_BYTES: u128 = 2;
/// Tokens whose joins take long enough, some 50 ns each, that the first text should not wait for them.
const SLOW: usize = 1 << 15;
/// Ids for which memory is taken at once: more than a group of pretokens becomes, but for a giant's, and not what is never used.
const AHEAD: usize = 128 << 10;

/// Of so many pretokens less than one is a gap where most are known.
const FEW_GAPS: usize = 12;

/// The encoder of one vocabulary; shared by all threads.
pub struct Encoder {
    vocabulary: Vocabulary,
    table: TokenTable,
    boundaries: LazyBoundaries,
    /// Made when they pay; `None` for a vocabulary with too high ids.
    joins: Made<Option<Joins>>,
    memo: OnceBox<Arc<Memo>>,
}

impl Encoder {
    /// Builds the tables.
    ///
    /// # Errors
    /// The same bytes under two ids.
    pub fn new(vocabulary: Vocabulary) -> Result<Self> {
        let table = TokenTable::new(&vocabulary)?;
        let (boundaries, joins, memo) = Default::default();
        Ok(Self { vocabulary, table, boundaries, joins, memo })
    }

    /// What a thread needs to encode; all of them share one memory of what was merged before.
    #[must_use]
    pub fn scratch(&self) -> Scratch {
        Scratch::new(Arc::clone(self.memo.get_or_init(Box::default)), self.vocabulary.id_limit())
    }

    /// Makes what merging new words needs, before it is known whether that will pay, unless it is made in no time.
    pub fn prepare(&self) {
        if self.vocabulary.len() >= SLOW {
            self.make_joins();
            self.boundaries.make(&self.vocabulary);
        }
    }

    fn make_joins(&self) {
        self.joins.make(|| Joins::of(&self.table, &self.vocabulary));
    }

    /// The vocabulary.
    #[must_use]
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The id of a token.
    #[must_use]
    pub fn token_id(&self, token: &[u8]) -> Option<TokenId> {
        self.table.get(&self.vocabulary, token)
    }

    /// Length of the longest token in bytes.
    #[must_use]
    pub fn longest_token(&self) -> usize {
        self.table.longest()
    }

    /// Appends the ids of pretokens, at most [`lookups::GROUP`] of them, and notes how many ids there are behind each document.
    ///
    /// # Errors
    /// A pretoken of more than 1 GiB, and that of `steps`, which a long one takes.
    ///
    /// # Panics
    /// For more pretokens.
    pub fn encode(
        &self,
        scratch: &mut Scratch,
        pieces: Pieces<'_, '_>,
        ids: &mut Vec<TokenId>,
        steps: &mut Steps<'_>,
    ) -> Result<()> {
        scratch.advance(pieces.bytes());
        scratch.ahead.reach(ids, AHEAD);
        scratch.lookups.look_up(scratch.cache.hot(), pieces.text.bytes(), pieces.start, pieces.ends);
        scratch.knows_most = scratch.lookups.gaps().len() * FEW_GAPS < pieces.ends.len();
        if !scratch.lookups.gaps().is_empty() {
            self.fill_gaps(scratch, pieces)?;
        }
        self.write(scratch, pieces.text, ids, steps)
    }

    /// Finds the ids of the pretokens of a group that are not among those that come often.
    fn fill_gaps(&self, scratch: &mut Scratch, pieces: Pieces<'_, '_>) -> Result<()> {
        let Scratch { lookups, gaps, pen, .. } = scratch;
        gaps.take(lookups, &self.table, pen.memo(), pieces);
        for number in 0..gaps.count() {
            self.fill(scratch, pieces.text.bytes(), number);
        }
        if !scratch.gaps.new_words().is_empty() {
            self.merge_new(scratch, pieces.text)?;
        }
        scratch.gaps.finish();
        Ok(())
    }

    /// Finds the ids of one gap, or leaves it as a new word.
    fn fill(&self, scratch: &mut Scratch, text: &[u8], number: usize) {
        let Scratch { gaps, pen, cache, .. } = scratch;
        let Unknown { start, end, hash, place, may_be_token, ids } = gaps.unknown(number);
        // A mark is no pretoken: it has what it becomes from the start.
        if ids != Span::NONE {
            return;
        }
        let pretoken = &text[start..end];
        let (first, is_short) = (gaps.ids.len(), pretoken.len() <= KEY_BYTES);
        if may_be_token {
            let key = Key::at(text, start, end - start);
            let id = self.table.by_key(&self.vocabulary, pretoken, key, hash);
            if id != TokenId::MAX {
                gaps.ids.push(id);
                gaps.answer(number, first);
                if is_short {
                    cache.put(key, &[id], 1);
                }
                return;
            }
        }
        if pen.memo().read(place, text, start, end, &mut gaps.ids) {
            gaps.answer(number, first);
            if is_short {
                cache.put(Key::at(text, start, end - start), &gaps.ids[first..], gaps.ids.len() - first);
            }
            return;
        }
        if pretoken.len() <= memo::LONGEST {
            gaps.leave_new(number, text);
        }
    }

    /// Merges the new words of a group, side by side where they are many, and remembers them.
    fn merge_new(&self, scratch: &mut Scratch, text: Text<'_>) -> Result<()> {
        scratch.new += scratch.gaps.new_words().iter().map(|new| new.end - new.start).sum::<usize>();
        let is_worth = scratch.new_words() >= NEW_BYTES * self.vocabulary.len() as u128;
        if is_worth && self.joins.get().is_none() {
            self.make_joins();
        }
        let Scratch { gaps, crowd, .. } = scratch;
        if let Some(Some(joins)) = self.joins.get() {
            let (table, vocabulary, boundaries) = (&self.table, &self.vocabulary, &self.boundaries);
            let (words, ids) = gaps.new_words_mut();
            crowd.merge(Tables { table, vocabulary, joins, boundaries }, text, words, ids);
        }
        let Scratch { gaps, crowd, long, pen, cache, .. } = scratch;
        let (words, ids) = gaps.new_words_mut();
        for New { start, end, hash, ids: span } in words {
            let (start, end) = (*start, *end);
            if *span == Span::NONE {
                let first = ids.len();
                // None of them is long.
                self.encode_in_pieces(long, &mut crowd.characters, text, start..end, ids, &mut Steps::default())?;
                *span = Span::new(first, ids.len());
            }
            let Range { start: first, end: last } = span.range();
            pen.put(*hash, text.bytes(), start, end, &ids[first..last]);
            if end - start <= KEY_BYTES {
                cache.put(Key::at(text.bytes(), start, end - start), &ids[first..], last - first);
            }
        }
        Ok(())
    }

    /// Appends the ids of a group: those that the first look knew, and those of the gaps between them.
    fn write(
        &self,
        scratch: &mut Scratch,
        text: Text<'_>,
        ids: &mut Vec<TokenId>,
        steps: &mut Steps<'_>,
    ) -> Result<()> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature that the function needs was detected on the line above.
            return unsafe { self.write_avx2(scratch, text, ids, steps) };
        }
        self.write_any(scratch, text, ids, steps)
    }

    /// The same with wider registers, which is half of the instructions.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn write_avx2(
        &self,
        scratch: &mut Scratch,
        text: Text<'_>,
        ids: &mut Vec<TokenId>,
        steps: &mut Steps<'_>,
    ) -> Result<()> {
        self.write_any(scratch, text, ids, steps)
    }

    #[inline(always)]
    fn write_any(
        &self,
        scratch: &mut Scratch,
        text: Text<'_>,
        ids: &mut Vec<TokenId>,
        steps: &mut Steps<'_>,
    ) -> Result<()> {
        let mut written = 0;
        for number in 0..scratch.lookups.gaps().len() {
            let before = scratch.lookups.gaps()[number].before();
            append(ids, &scratch.lookups.ids().0[written..], before - written);
            written = before;
            if let Some((answer, count)) = scratch.gaps.answered(number) {
                append(ids, answer, count);
                // Only the end of a document: every pretoken has an id.
                if count == 0 {
                    scratch.document_ends.push(ids.len());
                }
            } else {
                let Unknown { start, end, .. } = scratch.gaps.unknown(number);
                match self.table.span(&self.vocabulary, text.bytes(), start, end) {
                    TokenId::MAX => {
                        let Scratch { long, crowd, .. } = scratch;
                        self.encode_in_pieces(long, &mut crowd.characters, text, start..end, ids, steps)?;
                    }
                    id => ids.push(id),
                }
            }
        }
        let (known, count) = scratch.lookups.ids();
        append(ids, &known[written..], count - written);
        Ok(())
    }

    /// The ids of one pretoken of any bytes, without looking at what came before.
    ///
    /// # Errors
    /// A pretoken of more than 1 GiB.
    pub fn encode_alone(&self, scratch: &mut Scratch, pretoken: &[u8], ids: &mut Vec<TokenId>) -> Result<()> {
        match self.token_id(pretoken) {
            Some(id) => {
                ids.push(id);
                Ok(())
            }
            None => self.merge(&mut scratch.long, pretoken, ids, &mut Steps::default()),
        }
    }

    /// A pretoken that is not a token: cut where no token can cross, if it is valid text, then merge each piece.
    fn encode_in_pieces(
        &self,
        long: &mut LongMerge,
        characters: &mut Characters,
        text: Text<'_>,
        Range { start, end }: Range<usize>,
        ids: &mut Vec<TokenId>,
        steps: &mut Steps<'_>,
    ) -> Result<()> {
        let bytes = text.bytes();
        let boundaries = if text.is_valid(start, end) {
            self.boundaries.for_piece(&self.vocabulary, &bytes[start..end])
        } else {
            None
        };
        let Some(boundaries) = boundaries else { return self.merge(long, &bytes[start..end], ids, steps) };
        let mut result = Ok(());
        // Pieces are merged, never looked up whole: some tokens are not what merging their bytes gives (588 of Llama 3's).
        boundaries.cut(bytes, start, end, |kind, first, end| match kind {
            Kind::Characters => characters.append(&self.table, &self.vocabulary, &bytes[first..end], ids),
            Kind::Other if result.is_ok() => {
                result = steps.take(end - first).and_then(|()| self.merge(long, &bytes[first..end], ids, steps));
            }
            Kind::Other => (),
        });
        result
    }

    /// Whether merging the bytes of each token gives that token.
    #[must_use]
    pub fn forms_all(&self) -> bool {
        let (mut long, mut ids) = (LongMerge::default(), Vec::new());
        self.vocabulary.iter().all(|(id, token)| {
            ids.clear();
            merge::below(&self.table, &self.vocabulary, token, TokenId::MAX, &mut long, &mut ids);
            ids == [id]
        })
    }

    /// For each token that merging forms, the two tokens it is joined from last, in order of id. Single bytes are left out.
    #[must_use]
    pub fn canonical_splits(&self) -> Vec<Pair> {
        let mut long = LongMerge::default();
        let mut parts = Vec::new();
        let mut splits = Vec::with_capacity(self.vocabulary.len());
        for (id, token) in self.vocabulary.iter().filter(|t| t.1.len() > 1) {
            parts.clear();
            merge::below(&self.table, &self.vocabulary, token, id, &mut long, &mut parts);
            if let [left, right] = *parts {
                splits.push(Pair { left, right });
            }
        }
        splits
    }

    fn merge(&self, long: &mut LongMerge, piece: &[u8], ids: &mut Vec<TokenId>, steps: &mut Steps<'_>) -> Result<()> {
        let length = piece.len();
        if length <= merge::SHORT {
            merge::short(&self.table, &self.vocabulary, piece, ids);
            Ok(())
        } else if length <= LONGEST_PIECE {
            giants::run(long, &self.table, &self.vocabulary, piece, giants::BLOCK, ids, steps)
        } else {
            Err(Error::Argument(format!(
                "a pretoken of {length} bytes is longer than the limit of {LONGEST_PIECE}; split the text or choose a pattern that splits it"
            )))
        }
    }
}
