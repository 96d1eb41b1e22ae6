//! Where training begins: at single bytes, at the tokens of `init`, or behind merges that were made before.
//!
//! What an encoder makes of a pretoken is what its merges make of it, one after another, if merging forms every token
//! of the vocabulary. Merging never crosses the border of a token of the result, so each stretch of neighbours comes out
//! as it would alone; if neighbours spelled a token, alone they would be it. So no two neighbours spell a token,
//! a new token is the last in rank, and by induction the encoder of the tokens after n merges gives each
//! pretoken as n merges leave it (`tests/rust/train.rs` tries it on random corpora). Where `init` has tokens
//! that merging never forms, as some rank files do, merges are made again one by one instead.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::{Changes, OnMerge, Options, Pairs, Trainer, Words, pair_of};
use crate::count::table::CountTable;
use crate::encode::{Encoder, Scratch};
use crate::error::{Error, Result};
use crate::ids::{BYTE_ORDER, Pair, TokenId};
use crate::tokenizer::Tokenizer;
use crate::vocab::Vocabulary;

impl Trainer {
    /// The state behind `options.done`, all of which `on_merge` is told.
    pub(super) fn new(counts: &CountTable, options: &Options<'_>, on_merge: OnMerge<'_>) -> Result<Self> {
        let mut trainer = Self {
            tokens: options.init.map_or_else(bytes_alone, tokens_of),
            ids: HashMap::new(),
            words: Words::default(),
            pairs: Pairs::default(),
            queue: std::collections::BinaryHeap::new(),
            merges: Vec::new(),
            longest: options.max_token_bytes.unwrap_or(usize::MAX),
            left_changes: Changes::default(),
            right_changes: Changes::default(),
        };
        let named = (0..).zip(&trainer.tokens).filter(|(_, token)| token.len() > 1);
        trainer.ids = named.map(|(id, token)| (token.clone(), id)).collect();
        let forms_all = options.init.is_none_or(merging_forms_all);
        if forms_all {
            for &(pair, count) in options.done {
                trainer.check_known(pair)?;
                let id = trainer.join(pair);
                trainer.tell(on_merge, pair, id, count)?;
            }
        }
        trainer.words = trainer.lay_out(counts, options.init)?;
        trainer.queue_pairs();
        if !forms_all {
            for &(pair, count) in options.done {
                trainer.check_known(pair)?;
                if trainer.pairs.count(super::key(pair.left, pair.right)) != count {
                    return Err(misfit(pair));
                }
                let id = trainer.merge(pair);
                trainer.tell(on_merge, pair, id, count)?;
            }
        }
        Ok(trainer)
    }

    fn check_known(&self, pair: Pair) -> Result<()> {
        let is_known = |id: TokenId| self.tokens.get(id as usize).is_some_and(|token| !token.is_empty());
        if is_known(pair.left) && is_known(pair.right) { Ok(()) } else { Err(misfit(pair)) }
    }

    /// Every pretoken as the tokens so far.
    fn lay_out(&self, counts: &CountTable, init: Option<&Tokenizer>) -> Result<Words> {
        if init.is_none() && self.merges.is_empty() {
            let mut id_of = [0; 256];
            for (id, byte) in (0..).zip(BYTE_ORDER) {
                id_of[usize::from(byte)] = id;
            }
            return Words::new(counts, |text, symbols| {
                symbols.extend(text.iter().map(|&byte| id_of[usize::from(byte)]));
                Ok(())
            });
        }
        let named: Vec<(TokenId, &[u8])> =
            (0..).zip(self.tokens.iter().map(Vec::as_slice)).filter(|t| !t.1.is_empty()).collect();
        let encoder = Encoder::new(Vocabulary::new(&named)?)?;
        let mut scratch = Scratch::default();
        Words::new(counts, |text, symbols| encoder.encode_raw(&mut scratch, text, symbols))
    }

    /// Counts all neighbours and queues those that may become a token.
    fn queue_pairs(&mut self) {
        self.words.count_pairs(&mut self.pairs);
        let length = |id: TokenId| self.tokens[id as usize].len();
        let may_join = |pair: Pair| length(pair.left) + length(pair.right) <= self.longest;
        let pairs = self.pairs.iter().filter(|&(pair, _)| may_join(pair_of(pair)));
        self.queue = pairs.map(|(pair, count)| (count, Reverse(pair))).collect();
    }
}

fn bytes_alone() -> Vec<Vec<u8>> {
    BYTE_ORDER.iter().map(|&byte| vec![byte]).collect()
}

/// By id; gaps and special tokens are empty.
fn tokens_of(init: &Tokenizer) -> Vec<Vec<u8>> {
    let mut tokens = vec![Vec::new(); init.vocab_size()];
    for (id, token) in init.vocabulary().iter() {
        tokens[id as usize] = token.to_vec();
    }
    tokens
}

fn merging_forms_all(init: &Tokenizer) -> bool {
    init.vocabulary().iter().all(|(id, _)| init.encoder().is_formed(id))
}

fn misfit(pair: Pair) -> Error {
    Error::Train(format!(
        "the merges done before do not fit these counts: ids {} and {} do not stand side by side as often as they say; delete the checkpoint to begin anew",
        pair.left, pair.right
    ))
}
