//! ids -> bytes.

use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::special::Specials;
use crate::vocab::Vocabulary;

/// Bytes that are copied for every token: few are longer.
const WIDE: usize = 16;

/// The bytes of every id, specials included, as one flat buffer: decoding is a copy for each id.
pub struct Decoder {
    /// Ends with [`WIDE`] bytes that belong to no token.
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
        bytes.extend_from_slice(&[0; WIDE]);
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
    /// The first id that is not there, with its index; nothing is appended then.
    pub fn decode(&self, ids: &[TokenId], out: &mut Vec<u8>) -> Result<()> {
        let mut total = 0;
        for (index, &id) in ids.iter().enumerate() {
            let length = self.places.get(id as usize).map_or(0, |place| place.1 as usize);
            if length == 0 {
                return Err(self.unknown(u64::from(id), index));
            }
            total += length;
        }
        let mut at = out.len();
        let end = at + total;
        out.resize(end + WIDE, 0);
        for &id in ids {
            let (start, length) = self.places[id as usize];
            let (start, length) = (start as usize, length as usize);
            // Copying a fixed number of bytes is one load and one store; what is too much is written over by the next.
            out[at..at + WIDE].copy_from_slice(&self.bytes[start..start + WIDE]);
            if length > WIDE {
                out[at..at + length].copy_from_slice(&self.bytes[start..start + length]);
            }
            at += length;
        }
        out.truncate(end);
        Ok(())
    }

    /// The error for an id that is not there.
    #[must_use]
    pub fn unknown(&self, id: u64, index: usize) -> Error {
        Error::UnknownId { id, index, vocab_size: self.id_limit() }
    }
}
