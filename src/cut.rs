//! The longest prefix of a text within a number of tokens.
//!
//! A prefix is not encoded as the same text with more behind it: its last pretokens may be others. So the ends of the text's
//! tokens are tried from the last that may fit, and a try encodes the prefix. What keeps tries few and short:
//!
//! - Nothing before a place where the pretokenizer splits for certain is encoded again.
//! - A try is over when there are too many tokens.
//! - No prefix has fewer tokens than the fewest it can be put together from (`fewest`).
//! - Under most patterns a prefix has the pretokens of the text but for the last (`Steady`), so only those are encoded.

mod fingerprints;
mod steady;

use std::ops::Range;

use crate::batch::may_cut;
use crate::encode::Scratch;
use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::pretokenize::Pieces;
use crate::special::{self, Choice, Found};
use crate::threads::{Ask, Steps};
use crate::tokenizer::{Tokenizer, Work};
use crate::utf8::Text;
use fingerprints::{Fingerprints, Prefixes};
use steady::{Steady, is_steady};

/// Tries before it is asked which can succeed: most cuts need one or two, and asking costs more than a try.
const FEW: usize = 8;

/// What is known of a tokenizer.
pub struct Cutting {
    is_steady: bool,
    tokens: Fingerprints,
}

impl Cutting {
    /// Reads all tokens.
    pub fn new(tokenizer: &Tokenizer) -> Self {
        Self { is_steady: is_steady(tokenizer.pretokenizer()), tokens: Fingerprints::new(tokenizer.vocabulary()) }
    }
}

/// A part of a text.
enum Part<'a, 'e, 's> {
    /// Some pretokens, with what it takes to encode them; places in them are counted from `start`.
    Pretokens { scratch: &'a mut Scratch, steps: &'a mut Steps<'s>, pieces: Pieces<'a, 'e>, start: usize },
    /// A special token and where it ends.
    Special { id: TokenId, end: usize },
}

/// A text that is being cut.
struct Cut<'a> {
    tokenizer: &'a Tokenizer,
    work: &'a mut Work,
    text: Text<'a>,
    allowed: &'a Choice,
    steps: Steps<'a>,
    ids: Vec<TokenId>,
}

impl Tokenizer {
    /// Length of the longest prefix of `text` that ends at a token and character boundary of its encoding and itself
    /// encodes to at most `most` tokens. Asks now and then whether to go on.
    ///
    /// # Errors
    /// As for encoding, and that of `ask`.
    pub fn cut(&self, work: &mut Work, text: Text<'_>, most: usize, allowed: &Choice, ask: Ask<'_>) -> Result<usize> {
        let whole = text.checked();
        let text = whole.bytes();
        let splits = |text: &[u8], at: usize| may_cut(self.pretokenizer(), self.specials(), text, at);
        // No token is longer than this, so nothing behind it can be in the prefix.
        let longest = self.encoder().longest_token().max(self.specials().longest());
        let reach = most.saturating_mul(longest).min(text.len());
        let region = (reach..text.len()).find(|&at| splits(text, at)).unwrap_or(text.len());
        let (whole, text) = (whole.slice(0..region), &text[..region]);
        let mut cut = Cut { tokenizer: self, work, text: whole, allowed, steps: Steps::new(ask), ids: Vec::new() };
        cut.count(0..region, usize::MAX)?;
        let ends = self.token_ends(&cut.ids);
        // Where the pretokenizer splits for certain, every prefix beyond has all tokens before: too many already.
        let first_too_long = (most..ends.len()).find(|&i| splits(text, ends[i])).unwrap_or(ends.len());
        let (mut base, mut base_tokens) = (0, 0);
        if let Some(i) = (0..first_too_long.min(most)).rev().find(|&i| splits(text, ends[i])) {
            (base, base_tokens) = (ends[i], i + 1);
        }
        let last = first_too_long.min(ends.partition_point(|&end| end <= reach));
        let is_boundary = |&&end: &&usize| end > base && whole.is_boundary(end);
        let mut limits = None;
        for (tried, &end) in ends[base_tokens..last].iter().filter(is_boundary).rev().enumerate() {
            if tried == FEW {
                limits = Some(cut.limits(base, base_tokens, most, &ends)?);
            }
            let start = match &mut limits {
                Some(limits) => match limits.count(&ends, end) {
                    Some(tokens) if tokens <= most => return Ok(end),
                    Some(_) => None,
                    None => limits.start(end, most),
                },
                None => Some((base, base_tokens)),
            };
            let Some((start, tokens)) = start else { continue };
            if tokens + cut.count(start..end, most - tokens)? <= most {
                return Ok(end);
            }
        }
        Ok(base)
    }
}

impl<'a> Cut<'a> {
    /// Calls `visit` with the parts of `text[range]` while it wants more.
    fn each_part(
        &mut self,
        range: Range<usize>,
        mut visit: impl FnMut(Part<'_, '_, '_>) -> Result<bool>,
    ) -> Result<()> {
        let text = self.text.slice(range.clone());
        let specials = self.tokenizer.specials();
        for part in specials.parts(text.bytes(), self.allowed) {
            let mut is_enough = false;
            match part {
                special::Part::Special(Found { index, end, .. }) => {
                    is_enough = !visit(Part::Special { id: specials.tokens()[index].1, end: range.start + end })?;
                }
                special::Part::Ordinary(stretch) => {
                    let (steps, start) = (&mut self.steps, range.start + stretch.start);
                    let result = self.tokenizer.batches(self.work, text.slice(stretch), |scratch, pieces| {
                        pieces.tell(steps)?;
                        is_enough = !visit(Part::Pretokens { scratch, steps, pieces, start })?;
                        // Any error ends the walk.
                        if is_enough { Err(Error::Interrupted) } else { Ok(()) }
                    });
                    if !is_enough {
                        result.map_err(|error| error.moved(start))?;
                    }
                }
            }
            if is_enough {
                break;
            }
        }
        Ok(())
    }

    /// The number of tokens of `text[range]`, which are then in `ids`; if there are more than `most`, some number above.
    fn count(&mut self, range: Range<usize>, most: usize) -> Result<usize> {
        let (encoder, mut ids) = (self.tokenizer.encoder(), std::mem::take(&mut self.ids));
        ids.clear();
        let result = self.each_part(range, |part| {
            match part {
                Part::Pretokens { scratch, steps, pieces, .. } => encoder.encode(scratch, pieces, &mut ids, steps)?,
                Part::Special { id, .. } => ids.push(id),
            }
            Ok(ids.len() <= most)
        });
        self.ids = ids;
        result.map(|()| self.ids.len())
    }

    /// What is known of prefixes that end behind `base`.
    fn limits(&mut self, base: usize, base_tokens: usize, most: usize, ends: &[usize]) -> Result<Limits<'a>> {
        let cutting = self.tokenizer.cutting();
        let fewest = self.fewest(&cutting.tokens, base, most - base_tokens)?;
        let last = base + fewest.len();
        let mut steady = cutting.is_steady.then(|| Steady::new(self.tokenizer, base, base_tokens));
        if let Some(steady) = &mut steady {
            self.each_part(base..self.text.bytes().len(), |part| {
                Ok(match part {
                    Part::Pretokens { pieces, start, .. } => {
                        pieces.ends.iter().all(|end| steady.add(start + end, ends) <= last)
                    }
                    Part::Special { end, .. } => steady.add(end, ends) <= last,
                })
            })?;
        }
        Ok(Limits { tokenizer: self.tokenizer, text: self.text.bytes(), base, base_tokens, fewest, steady })
    }

    /// For each place behind `base`: the fewest tokens that the text up to there can be put together from. It ends where none is at
    /// most `most`.
    fn fewest(&mut self, tokens: &Fingerprints, base: usize, most: usize) -> Result<Vec<usize>> {
        let (text, specials) = (self.text.bytes(), self.tokenizer.specials());
        let mut fewest = vec![0];
        let mut special = specials.find(text, base, self.allowed);
        let (mut at, mut behind) = (base, Prefixes::new(&text[base..]));
        while let Some(&count) = fewest.get(at - base) {
            let mut reaches = |end: usize| {
                if fewest.len() <= end - base {
                    fewest.resize(end - base + 1, usize::MAX);
                }
                let there = &mut fewest[end - base];
                *there = (count + 1).min(*there);
            };
            if count < most && at < text.len() {
                for length in tokens.lengths_at(&text[at..]) {
                    self.steps.take(1)?;
                    if tokens.may_have(behind.fingerprint(at - base, length)) {
                        reaches(at + length.bytes());
                    }
                }
                if let Some(found) = special.filter(|found| found.start == at) {
                    reaches(found.end);
                    special = specials.find(text, found.end, self.allowed);
                }
            }
            at += 1;
            self.steps.take(1)?;
        }
        Ok(fewest)
    }
}

/// What is known of prefixes.
struct Limits<'a> {
    tokenizer: &'a Tokenizer,
    text: &'a [u8],
    base: usize,
    base_tokens: usize,
    /// See [`Cut::fewest`].
    fewest: Vec<usize>,
    /// The pretokens, where those of a prefix are mostly the same.
    steady: Option<Steady<'a>>,
}

impl Limits<'_> {
    /// The number of tokens of the prefix that ends at `end`, if it is known at once.
    fn count(&mut self, ends: &[usize], end: usize) -> Option<usize> {
        let is_token = |pretoken: &[u8]| self.tokenizer.encoder().token_id(pretoken).is_some();
        self.steady.as_mut()?.count(self.text, end, ends, is_token)
    }

    /// From where on the prefix that ends at `end` must be encoded, and how many tokens it has before; `None` if it has more than
    /// `most` for certain.
    fn start(&mut self, end: usize, most: usize) -> Option<(usize, usize)> {
        let fewest = *self.fewest.get(end - self.base)?;
        if self.base_tokens.checked_add(fewest).is_none_or(|tokens| tokens > most) {
            return None;
        }
        let start = self.steady.as_mut().map_or((self.base, self.base_tokens), |steady| steady.start(self.text, end));
        (start.1 <= most).then_some(start)
    }
}
