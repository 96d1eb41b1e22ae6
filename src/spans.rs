//! Where tokens lie in their text: offsets in three units, and the longest prefix within a number of tokens.

use crate::batch::may_cut;
use crate::error::Result;
use crate::ids::TokenId;
use crate::special::Choice;
use crate::tokenizer::{Tokenizer, Work};
use crate::utf8::Text;

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
    #[must_use]
    pub fn offsets(&self, text: &str, ids: &[TokenId], unit: Unit) -> Vec<[i64; 2]> {
        let ends = self.token_ends(ids);
        if unit == Unit::Byte {
            let starts = std::iter::once(0).chain(ends.iter().copied());
            return starts
                .zip(&ends)
                .map(|(start, &end)| [start.cast_signed() as i64, end.cast_signed() as i64])
                .collect();
        }
        let mut characters = text.char_indices().peekable();
        // The character that holds the next byte to look at: where it starts, in bytes and in units, and its end.
        let (mut start_unit, mut end_unit, mut end_byte) = (0, 0, 0);
        let mut offsets = Vec::with_capacity(ends.len());
        let mut start_byte = 0;
        for end in ends {
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
        offsets
    }

    /// Length of the longest prefix of `text` that ends at a token and character boundary of its encoding and itself
    /// encodes to at most `most` tokens.
    ///
    /// # Errors
    /// As for encoding.
    pub fn cut(&self, work: &mut Work, text: Text<'_>, most: usize, allowed: &Choice) -> Result<usize> {
        let (whole, text) = (text, text.bytes());
        let splits = |text: &[u8], at: usize| may_cut(self.pretokenizer(), self.specials(), text, at);
        // No token is longer than this, so nothing behind it can be in the prefix.
        let longest = self.encoder().longest_token().max(self.specials().longest());
        let reach = most.saturating_mul(longest).min(text.len());
        let region = (reach..text.len()).find(|&at| splits(text, at)).unwrap_or(text.len());
        let (whole, text) = (whole.slice(0..region), &text[..region]);
        let mut ids = Vec::new();
        self.encode_into(work, whole, allowed, &mut ids)?;
        let ends = self.token_ends(&ids);
        // Where the pretokenizer splits for certain, every prefix beyond has all tokens before: too many already.
        let first_too_long = (most..ends.len()).find(|&i| splits(text, ends[i])).map_or(ends.len(), |i| i);
        let (mut base, mut base_tokens) = (0, 0);
        if let Some(i) = (0..first_too_long.min(most)).rev().find(|&i| splits(text, ends[i])) {
            (base, base_tokens) = (ends[i], i + 1);
        }
        for &end in ends[..first_too_long].iter().rev() {
            if end <= base {
                break;
            }
            let is_boundary = text.get(end).is_none_or(|&b| b & 0xC0 != 0x80);
            if end > reach || !is_boundary {
                continue;
            }
            ids.clear();
            self.encode_into(work, whole.slice(base..end), allowed, &mut ids)?;
            if base_tokens + ids.len() <= most {
                return Ok(end);
            }
        }
        Ok(base)
    }
}
