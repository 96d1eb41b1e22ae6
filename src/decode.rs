//! ids -> bytes.

use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::memory::prefetch_at;
use crate::special::Specials;
use crate::vocab::Vocabulary;

/// Bytes that are copied for every token: few are longer.
const WIDE: usize = 16;
/// Bytes of a token for which room is made: a little more than a token of English has.
const USUAL: usize = 5;
/// How many ids ahead an entry is fetched.
const AHEAD: usize = 48;
/// In place of a length: the token stands elsewhere.
const IS_LONG: u8 = WIDE as u8;

/// A token of fewer than [`WIDE`] bytes, zero padded, then its length, which is 0 for a gap: one line of memory is read for it. For a
/// longer one, where it stands, of 64 bits, and how long it is, of 56: tokens of a vocabulary take up to 1 GiB together, and special
/// tokens come on top.
type Entry = [u8; WIDE];

/// The bytes of every id, specials included: decoding is a copy for each id.
pub struct Decoder {
    /// By id.
    entries: Vec<Entry>,
    /// The tokens of [`WIDE`] bytes and more.
    long: Vec<u8>,
}

impl Decoder {
    /// Lays out the tokens; a special token is decoded to its text.
    #[must_use]
    pub fn new(vocabulary: &Vocabulary, specials: &Specials) -> Self {
        let highest = specials.tokens().iter().map(|t| t.1 as usize + 1).max().unwrap_or(0);
        let entries = vec![[0; WIDE]; vocabulary.id_limit().max(highest)];
        let mut decoder = Self { entries, long: Vec::new() };
        for (id, token) in vocabulary.iter() {
            decoder.add(id, token);
        }
        for (text, id) in specials.tokens() {
            decoder.add(*id, text.as_bytes());
        }
        decoder
    }

    fn add(&mut self, id: TokenId, token: &[u8]) {
        let entry = &mut self.entries[id as usize];
        if token.len() < WIDE {
            entry[..token.len()].copy_from_slice(token);
            // Below `WIDE`.
            entry[WIDE - 1] = token.len() as u8;
        } else {
            // No memory holds a token whose length needs the last byte, which is the mark's.
            entry[..8].copy_from_slice(&(self.long.len() as u64).to_le_bytes());
            entry[8..].copy_from_slice(&(token.len() as u64).to_le_bytes());
            entry[WIDE - 1] = IS_LONG;
            self.long.extend_from_slice(token);
        }
    }

    /// Highest id plus one, specials included.
    #[must_use]
    pub fn id_limit(&self) -> usize {
        self.entries.len()
    }

    /// The bytes of one id; `None` for an id that is not there.
    #[inline]
    #[must_use]
    pub fn get(&self, id: TokenId) -> Option<&[u8]> {
        let entry = self.entries.get(id as usize)?;
        match entry[WIDE - 1] {
            0 => None,
            IS_LONG => Some(self.long(*entry)),
            length => Some(&entry[..usize::from(length)]),
        }
    }

    fn long(&self, entry: Entry) -> &[u8] {
        let bits = u128::from_le_bytes(entry);
        let (start, length) = (bits as u64 as usize, ((bits >> 64) as u64 & (u64::MAX >> 8)) as usize);
        &self.long[start..start + length]
    }

    /// Length in bytes of every id, 0 for gaps.
    #[must_use]
    pub fn lengths(&self) -> Vec<u32> {
        // A token has 1 GiB at most.
        (0..self.entries.len()).map(|id| self.get(id as TokenId).map_or(0, |token| token.len() as u32)).collect()
    }

    /// Appends the bytes of `ids`.
    ///
    /// # Errors
    /// The first id that is not there, with its index; nothing is appended then.
    pub fn decode(&self, ids: &[TokenId], out: &mut Vec<u8>) -> Result<()> {
        let first = out.len();
        let mut at = first;
        for (index, &id) in ids.iter().enumerate() {
            if let Some(&later) = ids.get(index + AHEAD) {
                prefetch_at(self.entries.as_ptr().wrapping_add(later as usize));
            }
            let entry = self.entries.get(id as usize).unwrap_or(&[0; WIDE]);
            // As one number: read as bytes, it would go by way of memory.
            let bits = u128::from_le_bytes(*entry);
            let mut length = (bits >> (8 * (WIDE - 1))) as usize;
            if out.len() - at < WIDE {
                make_room(out, at, ids.len() - index);
            }
            // Copying a fixed number of bytes is one load and one store; what is too much is written over by the next.
            out[at..at + WIDE].copy_from_slice(&bits.to_le_bytes());
            if length == 0 {
                out.truncate(first);
                return Err(self.unknown(u64::from(id), index));
            }
            if length == WIDE {
                let token = self.long(*entry);
                length = token.len();
                make_room(out, at + length, ids.len() - index);
                out[at..at + length].copy_from_slice(token);
            }
            at += length;
        }
        out.truncate(at);
        Ok(())
    }

    /// The error for an id that is not there.
    #[must_use]
    pub fn unknown(&self, id: u64, index: usize) -> Error {
        Error::UnknownId { id, index, vocab_size: self.id_limit() }
    }
}

/// Room behind `at` for what `left` tokens of usual length need.
#[cold]
fn make_room(out: &mut Vec<u8>, at: usize, left: usize) {
    let length = at + WIDE + USUAL * left;
    if out.len() < length {
        out.resize(length, 0);
    }
}
