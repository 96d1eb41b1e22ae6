//! Splits text into ordinary stretches and allowed special tokens, nothing else. Where several special tokens
//! begin at the same byte, the longest counts.

use crate::error::{Error, Result};
use crate::ids::{MAX_TOKEN_ID, TokenId};

/// The special tokens of a tokenizer.
#[derive(Clone, Debug, Default)]
pub struct Specials {
    /// In the order given.
    tokens: Vec<(String, TokenId)>,
    /// Indices into `tokens`, longest text first.
    by_length: Vec<usize>,
    /// Which bytes begin one.
    begins: Vec<bool>,
    first_bytes: Vec<u8>,
}

impl PartialEq for Specials {
    fn eq(&self, other: &Self) -> bool {
        let sorted = |specials: &Self| {
            let mut tokens = specials.tokens.clone();
            tokens.sort();
            tokens
        };
        sorted(self) == sorted(other)
    }
}

impl Eq for Specials {}

/// Which special tokens a call allows (or forbids).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Every one.
    All,
    /// None.
    None,
    /// By index.
    Some(Vec<bool>),
}

impl Choice {
    /// Whether special token number `index` is in.
    #[must_use]
    pub fn has(&self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Some(flags) => flags.get(index).copied().unwrap_or(false),
        }
    }

    /// Every one that is not in `other`.
    #[must_use]
    pub fn all_but(other: &Self, count: usize) -> Self {
        match other {
            Self::All => Self::None,
            Self::None => Self::All,
            Self::Some(flags) => Self::Some((0..count).map(|i| !flags.get(i).copied().unwrap_or(false)).collect()),
        }
    }
}

/// A special token found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it starts.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Its number among the special tokens.
    pub index: usize,
}

impl Specials {
    /// Checks and keeps the tokens.
    ///
    /// # Errors
    /// An empty text, a text or an id given twice, an id above the limit.
    pub fn new(tokens: Vec<(String, TokenId)>) -> Result<Self> {
        let mut begins = vec![false; 256];
        for (i, (text, id)) in tokens.iter().enumerate() {
            let Some(&first) = text.as_bytes().first() else {
                return Err(Error::BadSpecials(
                    "a special token has no text; give it at least one character".to_owned(),
                ));
            };
            begins[usize::from(first)] = true;
            if *id > MAX_TOKEN_ID {
                return Err(Error::IdTooLarge(u64::from(*id)));
            }
            if let Some((other, _)) = tokens[..i].iter().find(|t| t.0 == *text || t.1 == *id) {
                return Err(Error::BadSpecials(format!(
                    "special tokens {other:?} and {text:?} share their text or the id {id}; give each its own"
                )));
            }
        }
        let mut by_length: Vec<usize> = (0..tokens.len()).collect();
        by_length.sort_by_key(|&i| std::cmp::Reverse(tokens[i].0.len()));
        let first_bytes = (0..=255u8).filter(|&b| begins[usize::from(b)]).collect();
        Ok(Self { tokens, by_length, begins, first_bytes })
    }

    /// `(text, id)` in the order given.
    #[must_use]
    pub fn tokens(&self) -> &[(String, TokenId)] {
        &self.tokens
    }

    /// The text of a special id.
    #[must_use]
    pub fn text_of(&self, id: TokenId) -> Option<&str> {
        self.tokens.iter().find(|t| t.1 == id).map(|t| t.0.as_str())
    }

    /// Length of the longest text in bytes.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.by_length.first().map_or(0, |&i| self.tokens[i].0.len())
    }

    /// The choice that names exactly these texts.
    ///
    /// # Errors
    /// A text that is no special token.
    pub fn choose<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<Choice> {
        let mut flags = vec![false; self.tokens.len()];
        for name in names {
            let index = self.tokens.iter().position(|t| t.0 == name).ok_or_else(|| Error::UnknownSpecial {
                token: name.to_owned(),
                known: self.tokens.iter().map(|t| t.0.clone()).collect(),
            })?;
            flags[index] = true;
        }
        Ok(if flags.iter().any(|&f| f) { Choice::Some(flags) } else { Choice::None })
    }

    /// The first special token of `choice` that starts at or after `from`.
    #[must_use]
    pub fn find(&self, text: &[u8], from: usize, choice: &Choice) -> Option<Found> {
        if self.tokens.is_empty() || *choice == Choice::None {
            return None;
        }
        let mut at = from;
        loop {
            at += self.next_candidate(text.get(at..)?)?;
            let rest = &text[at..];
            let hit = self.by_length.iter().find(|&&i| choice.has(i) && rest.starts_with(self.tokens[i].0.as_bytes()));
            if let Some(&index) = hit {
                return Some(Found { start: at, end: at + self.tokens[index].0.len(), index });
            }
            at += 1;
        }
    }

    fn next_candidate(&self, text: &[u8]) -> Option<usize> {
        match *self.first_bytes.as_slice() {
            [one] => memchr::memchr(one, text),
            [one, two] => memchr::memchr2(one, two, text),
            [one, two, three] => memchr::memchr3(one, two, three, text),
            _ => text.iter().position(|&b| self.begins[usize::from(b)]),
        }
    }

    /// Refuses a text that spells a special token of `forbidden`.
    ///
    /// # Errors
    /// The first such token and its place.
    pub fn refuse(&self, text: &[u8], forbidden: &Choice) -> Result<()> {
        match self.find(text, 0, forbidden) {
            Some(found) => {
                Err(Error::SpecialInText { token: self.tokens[found.index].0.clone(), position: found.start })
            }
            None => Ok(()),
        }
    }
}
