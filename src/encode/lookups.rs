//! The lookups of one batch of pretokens. The first pass goes through all of them without a branch that depends on what is
//! known: ids of known pretokens are appended, unknown ones leave a gap. So the processor works on many pretokens at
//! once and nothing is mispredicted where known and unknown ones alternate. The gaps are filled afterwards, when the
//! places that they need have been fetched.

use super::cache::{Hot, INLINE_IDS, Place};
use super::key::{KEY_BYTES, Key, hash_bytes};
use super::memo::{self, Memo};
use super::table::TokenTable;
use crate::ids::TokenId;
use crate::pretokenize::scanner::BATCH;

/// Ids that are copied at once.
const CHUNK: usize = 16;

/// A pretoken of the batch that the first pass did not know.
#[derive(Clone, Copy, Default)]
pub struct Gap {
    /// Which pretoken.
    index: u16,
    /// How many ids of known pretokens come before it.
    before: u16,
}

/// The same, with all that filling it needs.
#[derive(Clone, Copy, Default)]
pub struct Unknown {
    /// First byte in the text.
    pub start: usize,
    /// First byte behind it.
    pub end: usize,
    /// Of its key, or of its bytes where it has none.
    pub hash: u64,
    /// Where it may be remembered.
    pub place: memo::Place,
    /// Whether it may be a token that fits a key.
    pub may_be_token: bool,
}

/// The state of one batch.
pub struct Lookups {
    keys: [Key; BATCH],
    places: [Place; BATCH],
    gaps: [Gap; BATCH + 1],
    gap_count: usize,
    unknown: [Unknown; BATCH],
    /// Padded, so that whole chunks can be copied from every place.
    ids: [TokenId; BATCH * INLINE_IDS + 1 + CHUNK],
    id_count: usize,
    /// Ids that stand in the output already.
    written: usize,
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            keys: [Key::default(); BATCH],
            places: [Place::default(); BATCH],
            gaps: [Gap::default(); BATCH + 1],
            gap_count: 0,
            unknown: [Unknown::default(); BATCH],
            ids: [0; BATCH * INLINE_IDS + 1 + CHUNK],
            id_count: 0,
            written: 0,
        }
    }
}

impl Lookups {
    /// Keys of the pretokens of `text` from `start` on that end at `ends`; their places are fetched ahead of time.
    #[inline(never)]
    pub fn pack(&mut self, hot: Hot<'_>, text: &[u8], mut start: usize, ends: &[usize]) {
        for ((&end, key), place) in ends.iter().zip(&mut self.keys).zip(&mut self.places) {
            *key = Key::at(text, start, end - start);
            *place = hot.place(key.hash());
            hot.prefetch(*place);
            start = end;
        }
    }

    /// Looks up the first `pretokens` of those packed.
    #[inline(never)]
    pub fn look_up(&mut self, hot: Hot<'_>, pretokens: usize) {
        let (mut gaps, mut count) = (0, 0);
        let packed = self.keys.iter().zip(&self.places).take(pretokens);
        for (index, (&key, &place)) in (0u16..).zip(packed) {
            let (found, is_known) = hot.get(key, place);
            // Always four words; the next entry overwrites those that do not count.
            self.ids[count..=count + INLINE_IDS].copy_from_slice(&found);
            self.gaps[gaps] = Gap { index, before: count as u16 };
            count += if is_known { found[INLINE_IDS] as usize } else { 0 };
            gaps += usize::from(!is_known);
        }
        (self.gap_count, self.id_count, self.written) = (gaps, count, 0);
    }

    /// How many pretokens were not known.
    #[inline]
    pub fn gap_count(&self) -> usize {
        self.gap_count
    }

    /// Fetches ahead of time what filling the gaps will read.
    #[inline(never)]
    pub fn fetch(&mut self, table: &TokenTable, memo: &Memo, text: &[u8], start: usize, ends: &[usize]) {
        for (gap, unknown) in self.gaps[..self.gap_count].iter().zip(&mut self.unknown) {
            let index = usize::from(gap.index);
            let (start, end) = (if index == 0 { start } else { ends[index - 1] }, ends[index]);
            let length = end - start;
            let (hash, may_be_token) = if length <= KEY_BYTES {
                let hash = self.keys[index].hash();
                (hash, table.may_have(hash, length))
            } else {
                (hash_bytes(&text[start..start + length.min(memo::LONGEST)]), false)
            };
            memo.prefetch(hash);
            if may_be_token {
                table.prefetch(hash);
            }
            *unknown = Unknown { start, end, hash, place: 0, may_be_token };
        }
        for unknown in &mut self.unknown[..self.gap_count] {
            unknown.place = memo.find(unknown.hash);
            memo.prefetch_record(unknown.place);
        }
    }

    /// The pretoken of gap `number`.
    #[inline]
    pub fn unknown(&self, number: usize) -> Unknown {
        self.unknown[number]
    }

    /// Appends the known ids before gap `number`.
    #[inline]
    pub fn write_to(&mut self, number: usize, ids: &mut Vec<TokenId>) {
        let before = usize::from(self.gaps[number].before);
        append(ids, &self.ids, self.written, before - self.written);
        self.written = before;
    }

    /// Appends the known ids behind the last gap.
    #[inline]
    pub fn write_rest(&mut self, ids: &mut Vec<TokenId>) {
        append(ids, &self.ids, self.written, self.id_count - self.written);
    }
}

/// Appends `source[start..start + count]` in pieces of fixed size, which needs no prediction of how many there are as a
/// copy of just so many would. [`CHUNK`] more must stand in `source`.
#[inline(always)]
fn append(ids: &mut Vec<TokenId>, source: &[TokenId], start: usize, count: usize) {
    ids.reserve(count + CHUNK);
    let spare = ids.spare_capacity_mut().as_chunks_mut::<CHUNK>().0;
    let source = source[start..].as_chunks::<CHUNK>().0;
    let mut done = 0;
    for (to, from) in spare.iter_mut().zip(source) {
        for (to, from) in to.iter_mut().zip(from) {
            to.write(*from);
        }
        done += CHUNK;
        if done >= count {
            break;
        }
    }
    assert!(done >= count, "the list of a batch is padded");
    // SAFETY: the capacity was reserved above, and `done` elements behind the end, `count` or more, were just written.
    unsafe { ids.set_len(ids.len() + count) };
}
