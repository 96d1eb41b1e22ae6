//! Where tokens lie in their text: offsets in three units.

use crate::error::Result;
use crate::ids::TokenId;
use crate::threads::Steps;
use crate::tokenizer::Tokenizer;

/// What offsets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Unicode code points, as Python indexes `str`.
    Char,
    /// Bytes of UTF-8.
    Byte,
    /// UTF-16 code units, as JavaScript and Java index strings.
    Utf16,
}

impl Unit {
    fn width(self, character: char) -> i64 {
        match self {
            Self::Char => 1,
            // At most four.
            Self::Byte => character.len_utf8().cast_signed() as i64,
            Self::Utf16 => character.len_utf16().cast_signed() as i64,
        }
    }
}

impl Tokenizer {
    /// Byte positions at which the tokens `ids` end.
    #[must_use]
    pub fn token_ends(&self, ids: &[TokenId]) -> Vec<usize> {
        let decoder = self.decoder();
        let mut end = 0;
        ids.iter()
            .map(|&id| {
                end += decoder.get(id).map_or(0, <[u8]>::len);
                end
            })
            .collect()
    }

    /// `[start, end]` of each token of `ids`, the tokens of `text`. In units other than bytes, a token that begins or ends
    /// inside a character spans that whole character.
    ///
    /// # Errors
    /// That of `steps`.
    pub fn offsets(&self, text: &str, ids: &[TokenId], unit: Unit, steps: &mut Steps<'_>) -> Result<Vec<[i64; 2]>> {
        let decoder = self.decoder();
        let mut characters = text.char_indices();
        // The character that holds the next byte to look at: where it starts, in bytes and in units, and its end.
        let (mut start_unit, mut end_unit, mut end_byte) = (0, 0, 0);
        let mut offsets = Vec::with_capacity(ids.len());
        let mut start_byte = 0;
        for &id in ids {
            let end = start_byte + decoder.get(id).map_or(0, <[u8]>::len);
            steps.take(end - start_byte)?;
            if unit == Unit::Byte {
                offsets.push([start_byte, end].map(|at| at.cast_signed() as i64));
                start_byte = end;
                continue;
            }
            while end_byte <= start_byte {
                let Some((at, character)) = characters.next() else { break };
                (start_unit, end_unit) = (end_unit, end_unit + unit.width(character));
                end_byte = at + character.len_utf8();
            }
            let first = start_unit;
            while end_byte < end {
                let Some((at, character)) = characters.next() else { break };
                (start_unit, end_unit) = (end_unit, end_unit + unit.width(character));
                end_byte = at + character.len_utf8();
            }
            offsets.push([first, end_unit]);
            start_byte = end;
        }
        Ok(offsets)
    }
}
