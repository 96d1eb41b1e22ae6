//! Pretokens -> ids. The whole pretoken if it is a token, else what merging makes of it.
//!
//! `key` packs short text, `table` knows every token, `cache` what was merged before, `cut` where a pretoken falls
//! apart, `merge` does the rest. Most pretokens of real text end in the first two lines of
//! [`Encoder::encode`]: 9 in 10 are one token and were seen before.

pub mod cache;
pub mod cut;
pub mod key;
pub mod merge;
pub mod table;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use cache::{Cache, INLINE_IDS};
use key::{KEY_BYTES, Key, hash_bytes};
use table::TokenTable;

use crate::error::{Error, Result};
use crate::ids::{Pair, TokenId};
use crate::utf8::decode_at;
use crate::vocab::Vocabulary;

/// `2 << 13` entries of 32 bytes: 512 KiB for each thread.
const CACHE_BITS: u32 = 13;
/// Longest piece: places in it are numbered with 30 bits.
const LONGEST_PIECE: usize = 1 << 30;

/// The encoder of one vocabulary; shared by all threads.
pub struct Encoder {
    vocabulary: Vocabulary,
    table: TokenTable,
    boundaries: OnceLock<cut::Boundaries>,
    /// Whether merging a token's bytes gives that token: 0 not asked yet, 1 yes, 2 no.
    formed: Vec<AtomicU8>,
}

/// What one thread needs to encode.
pub struct Scratch {
    cache: Cache,
    long: merge::LongMerge,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { cache: Cache::new(CACHE_BITS), long: merge::LongMerge::default() }
    }
}

impl Encoder {
    /// Builds the tables.
    ///
    /// # Errors
    /// The same bytes under two ids.
    pub fn new(vocabulary: Vocabulary) -> Result<Self> {
        let table = TokenTable::new(&vocabulary)?;
        let formed = std::iter::repeat_with(|| AtomicU8::new(0)).take(vocabulary.id_limit()).collect();
        Ok(Self { vocabulary, table, boundaries: OnceLock::new(), formed })
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

    /// Appends the ids of the consecutive pretokens of `text` that begin at `start` and end at `ends`.
    ///
    /// # Errors
    /// A pretoken of more than 1 GiB.
    #[inline]
    pub fn encode(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        mut start: usize,
        ends: &[usize],
        ids: &mut Vec<TokenId>,
    ) -> Result<()> {
        for &end in ends {
            let length = end - start;
            if length <= KEY_BYTES {
                let key = Key::at(text, start, length);
                let hash = key.hash();
                match scratch.cache.get(key, hash) {
                    Some(known) => push_counted(ids, known),
                    None => self.encode_short(scratch, &text[start..end], key, hash, ids)?,
                }
            } else {
                self.encode_long(scratch, &text[start..end], ids)?;
            }
            start = end;
        }
        Ok(())
    }

    /// The ids of one pretoken of any bytes, without looking at what came before. For runs that are no text.
    ///
    /// # Errors
    /// A pretoken of more than 1 GiB.
    pub fn encode_raw(&self, scratch: &mut Scratch, pretoken: &[u8], ids: &mut Vec<TokenId>) -> Result<()> {
        match self.table.get(&self.vocabulary, pretoken) {
            Some(id) => ids.push(id),
            None => self.merge(scratch, pretoken, ids)?,
        }
        Ok(())
    }

    #[cold]
    fn encode_short(
        &self,
        scratch: &mut Scratch,
        pretoken: &[u8],
        key: Key,
        hash: u64,
        ids: &mut Vec<TokenId>,
    ) -> Result<()> {
        let first = ids.len();
        let id = self.table.span(&self.vocabulary, pretoken, 0, pretoken.len());
        if id == TokenId::MAX {
            self.encode_in_pieces(scratch, pretoken, ids)?;
        } else {
            ids.push(id);
        }
        if ids.len() - first <= INLINE_IDS {
            scratch.cache.put(key, hash, &ids[first..]);
        }
        Ok(())
    }

    fn encode_long(&self, scratch: &mut Scratch, pretoken: &[u8], ids: &mut Vec<TokenId>) -> Result<()> {
        let first = ids.len();
        let hash = if Cache::holds_long(pretoken.len()) {
            let hash = hash_bytes(pretoken);
            if let Some(known) = scratch.cache.get_long(pretoken, hash) {
                ids.extend_from_slice(known);
                return Ok(());
            }
            Some(hash)
        } else {
            None
        };
        let id = self.table.span(&self.vocabulary, pretoken, 0, pretoken.len());
        if id == TokenId::MAX {
            self.encode_in_pieces(scratch, pretoken, ids)?;
        } else {
            ids.push(id);
        }
        if let Some(hash) = hash {
            scratch.cache.put_long(pretoken, hash, &ids[first..]);
        }
        Ok(())
    }

    /// A pretoken of valid text that is not a token: cut where no token can cross, then merge each piece.
    fn encode_in_pieces(&self, scratch: &mut Scratch, pretoken: &[u8], ids: &mut Vec<TokenId>) -> Result<()> {
        if pretoken.is_ascii() {
            return self.merge(scratch, pretoken, ids);
        }
        let boundaries = self.boundaries.get_or_init(|| cut::Boundaries::new(&self.vocabulary));
        let (mut piece, mut before, mut at) = (0, 0, decode_at(pretoken, 0).1);
        while at < pretoken.len() {
            let end = (at + decode_at(pretoken, at).1).min(pretoken.len());
            if !boundaries.joins(&pretoken[before..at], &pretoken[at..end]) {
                self.encode_piece(scratch, &pretoken[piece..at], ids)?;
                piece = at;
            }
            (before, at) = (at, end);
        }
        if piece == 0 {
            return self.merge(scratch, pretoken, ids);
        }
        self.encode_piece(scratch, &pretoken[piece..], ids)
    }

    /// A piece is merged, never looked up whole: some tokens are not what merging their bytes gives (588 of
    /// Llama 3's). What was remembered for a pretoken of the same bytes holds unless it is such a token.
    fn encode_piece(&self, scratch: &mut Scratch, piece: &[u8], ids: &mut Vec<TokenId>) -> Result<()> {
        if piece.len() > KEY_BYTES {
            return self.merge(scratch, piece, ids);
        }
        let key = Key::of(piece);
        let hash = key.hash();
        if let Some(known) = scratch.cache.get(key, hash)
            && (known[INLINE_IDS] > 1 || self.is_formed(known[0]))
        {
            push_counted(ids, known);
            return Ok(());
        }
        let first = ids.len();
        let id = self.table.span(&self.vocabulary, piece, 0, piece.len());
        if id != TokenId::MAX && self.is_formed(id) {
            ids.push(id);
        } else {
            self.merge(scratch, piece, ids)?;
        }
        // A token that merging does not form must not be remembered under what its pretoken would be.
        if ids.len() - first <= INLINE_IDS && (id == TokenId::MAX || ids.len() - first == 1) {
            scratch.cache.put(key, hash, &ids[first..]);
        }
        Ok(())
    }

    /// Whether merging the bytes of `id` gives `id`.
    pub fn is_formed(&self, id: TokenId) -> bool {
        let known = &self.formed[id as usize];
        match known.load(Relaxed) {
            0 => {
                let mut ids = Vec::new();
                let token = self.vocabulary.get(id).unwrap_or_default();
                if token.len() <= merge::SHORT {
                    merge::short(&self.table, &self.vocabulary, token, &mut ids);
                } else {
                    merge::LongMerge::default().run(&self.table, &self.vocabulary, token, &mut ids);
                }
                known.store(if ids == [id] { 1 } else { 2 }, Relaxed);
                ids == [id]
            }
            answer => answer == 1,
        }
    }

    /// For each token that merging forms, the two tokens it is joined from last, in order of id. Single bytes are left out.
    #[must_use]
    pub fn canonical_splits(&self) -> Vec<Pair> {
        let mut scratch = Scratch::default();
        let mut parts = Vec::new();
        let mut splits = Vec::with_capacity(self.vocabulary.len());
        for (id, token) in self.vocabulary.iter().filter(|t| t.1.len() > 1) {
            parts.clear();
            merge::below(&self.table, &self.vocabulary, token, id, &mut scratch.long, &mut parts);
            if let [left, right] = *parts {
                splits.push(Pair { left, right });
            }
        }
        splits
    }

    fn merge(&self, scratch: &mut Scratch, piece: &[u8], ids: &mut Vec<TokenId>) -> Result<()> {
        if piece.len() <= merge::SHORT {
            merge::short(&self.table, &self.vocabulary, piece, ids);
        } else if piece.len() <= LONGEST_PIECE {
            scratch.long.run(&self.table, &self.vocabulary, piece, ids);
        } else {
            let length = piece.len();
            return Err(Error::Argument(format!(
                "a pretoken of {length} bytes is longer than the limit of {LONGEST_PIECE}; split the text or choose a pattern that splits it"
            )));
        }
        Ok(())
    }
}

/// Appends the counted ids of a cache entry.
#[inline(always)]
fn push_counted(ids: &mut Vec<TokenId>, known: &[TokenId; INLINE_IDS + 1]) {
    let count = known[INLINE_IDS] as usize;
    // Four words at once and then the right length: cheaper than a copy whose size is not known beforehand.
    let length = ids.len();
    ids.extend_from_slice(known);
    ids.truncate(length + count);
}
