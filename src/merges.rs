//! Ordered merges, validated once.

use crate::error::{Error, Result};
use crate::ids::{Pair, TokenId};
use crate::vocab::Vocabulary;

/// The merges of a trained vocabulary, first to last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merges(Vec<Pair>);

impl Merges {
    /// Checks that both sides of each merge are tokens and that together they are one. `lookup` finds a token.
    ///
    /// # Errors
    /// The first merge that is not so.
    pub fn new(
        pairs: Vec<Pair>,
        vocabulary: &Vocabulary,
        lookup: impl Fn(&[u8]) -> Option<TokenId>,
    ) -> Result<Self> {
        let mut joined = Vec::new();
        for (index, pair) in pairs.iter().enumerate() {
            let (Some(left), Some(right)) = (vocabulary.get(pair.left), vocabulary.get(pair.right)) else {
                let reason = format!("ids {} and {} are not both in the vocabulary", pair.left, pair.right);
                return Err(Error::BadMerge { index, reason });
            };
            joined.clear();
            joined.extend_from_slice(left);
            joined.extend_from_slice(right);
            if lookup(&joined).is_none() {
                let reason = format!("ids {} and {} do not join to a token of the vocabulary", pair.left, pair.right);
                return Err(Error::BadMerge { index, reason });
            }
        }
        Ok(Self(pairs))
    }

    /// The pairs.
    #[must_use]
    pub fn pairs(&self) -> &[Pair] {
        &self.0
    }
}
