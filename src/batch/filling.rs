//! What one thread makes of its shares of the documents: short ones are encoded together, which takes two thirds of the time.

use super::{Options, Part};
use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::pretokenize::Mark;
use crate::threads::Steps;
use crate::tokenizer::{Tokenizer, Work};
use crate::utf8::Text;

/// Longest part, in bytes, that is copied to be encoded together with others: that costs a longer one more than it saves.
const SHORT: usize = 16 << 10;
/// Bytes that are encoded together: many groups of pretokens.
const TOGETHER: usize = 64 << 10;

/// Lists that are filled with the ids of documents.
pub(super) struct Filling<'a> {
    pub tokenizer: &'a Tokenizer,
    pub documents: &'a [Text<'a>],
    pub options: &'a Options<'a>,
    pub work: &'a mut Work,
    pub ids: &'a mut Vec<TokenId>,
    /// How many ids there are behind each part.
    pub ends: &'a mut Vec<usize>,
}

impl<'a> Filling<'a> {
    /// Appends the ids of the parts of a share.
    pub fn add(&mut self, share: &[Part], steps: &mut Steps<'_>) -> Result<()> {
        let mut first = 0;
        for (number, part) in share.iter().enumerate() {
            if self.join(part) {
                if self.work.joined.text().len() < TOGETHER {
                    continue;
                }
                self.add_joined(&share[first..=number], steps)?;
            } else {
                self.add_joined(&share[first..number], steps)?;
                self.add_alone(part, steps)?;
            }
            first = number + 1;
        }
        self.add_joined(&share[first..], steps)
    }

    /// Leaves a part to be encoded together with others, if it is short and text, and no special token in it is forbidden.
    fn join(&mut self, part: &Part) -> bool {
        if part.range.len() > SHORT {
            return false;
        }
        let specials = self.tokenizer.specials();
        let Text::Valid(text) = self.text(part).checked() else { return false };
        if specials.find(text.as_bytes(), 0, self.options.forbidden).is_some() {
            return false;
        }
        let mut at = 0;
        while let Some(special) = specials.find(text.as_bytes(), at, self.options.allowed) {
            self.work.joined.push(&text[at..special.start], Mark::Special(specials.tokens()[special.index].1));
            at = special.end;
        }
        self.work.joined.push(&text[at..], Mark::End);
        true
    }

    /// Those that were joined.
    fn add_joined(&mut self, parts: &[Part], steps: &mut Steps<'_>) -> Result<()> {
        let (ids, ends) = (self.ids.len(), self.ends.len());
        match self.tokenizer.encode_joined(self.work, steps, self.ids, self.ends) {
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Ok(()) => Ok(()),
            // Whose error it is is found by encoding each alone.
            Err(_) => {
                self.ids.truncate(ids);
                self.ends.truncate(ends);
                parts.iter().try_for_each(|part| self.add_alone(part, steps))
            }
        }
    }

    fn add_alone(&mut self, part: &Part, steps: &mut Steps<'_>) -> Result<()> {
        let text = self.text(part);
        let Self { tokenizer, documents, options, work, ids, ends } = self;
        tokenizer
            .specials()
            .refuse_in_steps(text.bytes(), options.forbidden, steps)
            .and_then(|()| tokenizer.encode_in_steps(work, steps, text, options.allowed, ids))
            .map_err(|error| error.in_document(part.document, part.range.start, documents.len()))?;
        ends.push(ids.len());
        Ok(())
    }

    fn text(&self, part: &Part) -> Text<'a> {
        self.documents[part.document].slice(part.range.clone())
    }
}
