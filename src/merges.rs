//! Ordered merges, validated once.

use crate::error::{Error, Result};
use crate::ids::{Pair, TokenId};
use crate::vocab::Vocabulary;

/// The merges of a trained vocabulary, first to last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merges(Vec<Pair>);

impl Merges {
    /// Checks that both sides of each merge are tokens, that together they are one, that tokens are first made in the order
    /// of their ids, and that each token of two bytes or more is made. Then, and only then, merging by the list
    /// and merging by id are the same (`tests/rust/encode.rs` tries it), and this crate merges by id.
    /// `lookup` finds a token.
    ///
    /// # Errors
    /// The first merge that is not so, or a token that none makes.
    pub fn new(pairs: Vec<Pair>, vocabulary: &Vocabulary, lookup: impl Fn(&[u8]) -> Option<TokenId>) -> Result<Self> {
        let mut joined = Vec::new();
        let mut is_made = vec![false; vocabulary.id_limit()];
        let (mut newest, mut made) = (None, 0);
        for (index, pair) in pairs.iter().enumerate() {
            let (Some(left), Some(right)) = (vocabulary.get(pair.left), vocabulary.get(pair.right)) else {
                let reason = format!("ids {} and {} are not both in the vocabulary", pair.left, pair.right);
                return Err(Error::BadMerge { index, reason });
            };
            joined.clear();
            joined.extend_from_slice(left);
            joined.extend_from_slice(right);
            let Some(id) = lookup(&joined) else {
                let reason = format!("ids {} and {} do not join to a token of the vocabulary", pair.left, pair.right);
                return Err(Error::BadMerge { index, reason });
            };
            if newest.is_none_or(|newest| id > newest) {
                newest = Some(id);
                made += 1;
                is_made[id as usize] = true;
            } else if !is_made[id as usize] {
                let reason = format!(
                    "it makes id {id} after id {}; tokens must be numbered in the order of their merges",
                    newest.unwrap_or(id)
                );
                return Err(Error::BadMerge { index, reason });
            }
        }
        let wanted = vocabulary.iter().filter(|t| t.1.len() > 1).count();
        if made < wanted {
            let reason = format!(
                "the list ends with {made} tokens made of the {wanted} that are longer than a byte; it must make each"
            );
            return Err(Error::BadMerge { index: pairs.len(), reason });
        }
        Ok(Self(pairs))
    }

    /// The pairs.
    #[must_use]
    pub fn pairs(&self) -> &[Pair] {
        &self.0
    }
}
