//! id -> bytes as one flat buffer with offsets. What text becomes is decided elsewhere; this only knows tokens.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::ids::{MAX_TOKEN_ID, TokenId};

/// Most bytes of all tokens together: places in them, and in a token that is merged, are numbered with 30 bits.
const MOST_BYTES: usize = 1 << 30;

/// The ordinary tokens of a tokenizer. Ids may have gaps; a gap has no bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    bytes: Vec<u8>,
    /// `offsets[id]..offsets[id + 1]` is the place of `id` in `bytes`.
    offsets: Vec<u32>,
    /// Number of ids in use.
    len: usize,
    byte_ids: Vec<TokenId>,
}

impl Vocabulary {
    /// Builds from `(id, bytes)` in any order. Equal bytes under two ids are found by the encoder's table, which
    /// hashes every token anyway.
    ///
    /// # Errors
    /// No tokens, an empty token, an id given twice or above the limit, a single byte without a token.
    pub fn new(tokens: &[(TokenId, &[u8])]) -> Result<Self> {
        let bytes = tokens.iter().map(|token| token.1).collect::<Vec<_>>().concat();
        Self::from_flat(bytes, tokens.iter().map(|token| (token.0, token.1.len())))
    }

    /// The same from the bytes of all tokens one behind another, with the id and the length of each.
    ///
    /// # Errors
    /// As [`Vocabulary::new`], and lengths that do not add up to the number of bytes.
    pub fn from_flat(bytes: Vec<u8>, tokens: impl Iterator<Item = (TokenId, usize)> + Clone) -> Result<Self> {
        let total = tokens.clone().fold(0usize, |total, token| total.saturating_add(token.1));
        if total != bytes.len() {
            let held = bytes.len();
            return Err(Error::Format(format!(
                "the lengths of the tokens add up to {total}, and they have {held} bytes; the two must agree"
            )));
        }
        let ids = || tokens.clone().map(|token| token.0);
        if !ids().is_sorted() {
            return Self::new(&sorted(&bytes, tokens));
        }
        let highest = ids().last().ok_or(Error::EmptyVocabulary)?;
        if highest > MAX_TOKEN_ID {
            return Err(Error::IdTooLarge(u64::from(highest)));
        }
        if total > MOST_BYTES {
            return Err(Error::Format(format!("the tokens take {total} bytes together; the limit is 1 GiB")));
        }
        let (mut offsets, mut byte_ids) = (Vec::with_capacity(highest as usize + 2), vec![TokenId::MAX; 256]);
        let (mut len, mut end) = (0, 0u32);
        for (id, length) in tokens {
            if length == 0 {
                return Err(Error::EmptyToken(id));
            }
            if offsets.len() > id as usize + 1 {
                return Err(Error::DuplicateId(id));
            }
            // A gap ends where it begins.
            offsets.resize(id as usize + 1, end);
            if length == 1 {
                byte_ids[usize::from(bytes[end as usize])] = id;
            }
            // `total` fits, so each partial sum does.
            end += length as u32;
            offsets.push(end);
            len += 1;
        }
        match (0..=255u8).find(|&b| byte_ids[usize::from(b)] == TokenId::MAX) {
            Some(byte) => Err(Error::MissingByte(byte)),
            None => Ok(Self { bytes, offsets, len, byte_ids }),
        }
    }

    /// The bytes of `id`; `None` for a gap or an id out of range.
    #[inline]
    #[must_use]
    pub fn get(&self, id: TokenId) -> Option<&[u8]> {
        let at = id as usize;
        let (start, end) = (*self.offsets.get(at)?, *self.offsets.get(at + 1)?);
        (start < end).then(|| &self.bytes[start as usize..end as usize])
    }

    /// The token of a single byte.
    #[inline]
    #[must_use]
    pub fn byte_id(&self, byte: u8) -> TokenId {
        self.byte_ids[usize::from(byte)]
    }

    /// Highest id plus one.
    #[must_use]
    pub fn id_limit(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of tokens, gaps not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never true for a vocabulary that was built.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// `(id, bytes)` in order of id, gaps left out.
    pub fn iter(&self) -> impl Iterator<Item = (TokenId, &[u8])> {
        self.places().map(|(id, place)| (id, &self.bytes[place]))
    }

    /// The same with the place of the bytes in the flat buffer.
    pub fn places(&self) -> impl Iterator<Item = (TokenId, Range<usize>)> {
        let places = (0..).zip(self.offsets.windows(2)).filter(|(_, ends)| ends[0] < ends[1]);
        places.map(|(id, ends)| (id, ends[0] as usize..ends[1] as usize))
    }

    /// The flat buffer and the offsets of every id, for routines that copy many tokens.
    #[must_use]
    pub fn flat(&self) -> (&[u8], &[u32]) {
        (&self.bytes, &self.offsets)
    }
}

/// The tokens in order of id; their lengths add up to the number of bytes.
fn sorted(bytes: &[u8], tokens: impl Iterator<Item = (TokenId, usize)>) -> Vec<(TokenId, &[u8])> {
    let mut rest = bytes;
    let mut sorted: Vec<_> = tokens
        .map(|(id, length)| {
            let (token, after) = rest.split_at(length);
            rest = after;
            (id, token)
        })
        .collect();
    sorted.sort_by_key(|token| token.0);
    sorted
}
