//! ids -> bytes.

use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::special::Specials;
use crate::vocab::Vocabulary;

/// The bytes of every id, specials included, as one flat buffer: decoding is a copy for each id.
pub struct Decoder {
    bytes: Vec<u8>,
    /// `(start, length)` by id; a gap has length 0.
    places: Vec<(u32, u32)>,
}

impl Decoder {
    /// Lays out the tokens; a special token is decoded to its text.
    #[must_use]
    pub fn new(vocabulary: &Vocabulary, specials: &Specials) -> Self {
        let (flat, offsets) = vocabulary.flat();
        let mut bytes = flat.to_vec();
        let mut places: Vec<(u32, u32)> = offsets.windows(2).map(|w| (w[0], w[1] - w[0])).collect();
        let highest = specials.tokens().iter().map(|t| t.1 as usize + 1).max().unwrap_or(0);
        places.resize(places.len().max(highest), (0, 0));
        for (text, id) in specials.tokens() {
            // The vocabulary's bytes fit 32 bits, and so do the texts of special tokens behind them.
            #[allow(clippy::cast_possible_truncation)]
            let place = (bytes.len() as u32, text.len() as u32);
            places[*id as usize] = place;
            bytes.extend_from_slice(text.as_bytes());
        }
        Self { bytes, places }
    }

    /// Highest id plus one, specials included.
    #[must_use]
    pub fn id_limit(&self) -> usize {
        self.places.len()
    }

    /// The bytes of one id; `None` for an id that is not there.
    #[inline]
    #[must_use]
    pub fn get(&self, id: TokenId) -> Option<&[u8]> {
        let &(start, length) = self.places.get(id as usize)?;
        (length > 0).then(|| &self.bytes[start as usize..(start + length) as usize])
    }

    /// Length in bytes of every id, 0 for gaps.
    #[must_use]
    pub fn lengths(&self) -> Vec<u32> {
        self.places.iter().map(|p| p.1).collect()
    }

    /// Appends the bytes of `ids`.
    ///
    /// # Errors
    /// The first id that is not there, with its index.
    pub fn decode(&self, ids: &[TokenId], out: &mut Vec<u8>) -> Result<()> {
        // Real text has 4 to 5 bytes for each id.
        out.reserve(ids.len() * 5);
        for (index, &id) in ids.iter().enumerate() {
            let token = self.get(id).ok_or_else(|| self.unknown(u64::from(id), index))?;
            out.extend_from_slice(token);
        }
        Ok(())
    }

    /// The error for an id that is not there.
    #[must_use]
    pub fn unknown(&self, id: u64, index: usize) -> Error {
        Error::UnknownId { id, index, vocab_size: self.id_limit() }
    }
}
