//! Where training begins: at single bytes, at the tokens of `init`, or behind merges that were made before.
//!
//! What an encoder makes of a pretoken is what its merges make of it, one after another, if merging forms every token
//! of the vocabulary. Merging never crosses the border of a token of the result, so each stretch of neighbours comes out
//! as it would alone; if neighbours spelled a token, alone they would be it. So no two neighbours spell a token,
//! a new token is the last in rank, and by induction the encoder of the tokens after n merges gives each
//! pretoken as n merges leave it (`tests/rust/train.rs` tries it on random corpora). Where `init` has tokens
//! that merging never forms, as some rank files do, merges are made again one by one instead.

use std::borrow::Borrow;

use super::{Changes, OnMerge, Options, Pairs, Tokens, Trainer, Words};
use crate::count::table::CountTable;
use crate::encode::Encoder;
use crate::error::{Error, Result};
use crate::ids::{BYTE_ORDER, Pair, TokenId};
use crate::threads::Ask;
use crate::tokenizer::Tokenizer;
use crate::vocab::Vocabulary;

impl Trainer {
    /// The state behind `options.done`, all of which `on_merge` is told.
    pub(super) fn new(counts: impl Borrow<CountTable>, options: &Options<'_>, on_merge: OnMerge<'_>) -> Result<Self> {
        let mut trainer = Self {
            tokens: options.init.map_or_else(bytes_alone, tokens_of),
            words: Words::default(),
            pairs: Pairs::nothing(),
            queue: std::collections::BinaryHeap::new(),
            merges: Vec::new(),
            wanted: options.tokens,
            least: options.min_frequency.max(1),
            longest: options.max_token_bytes.unwrap_or(usize::MAX),
            threads: options.threads.max(1),
            left_changes: Changes::default(),
            right_changes: Changes::default(),
        };
        let forms_all = options.init.is_none_or(|init| init.encoder().forms_all());
        if forms_all {
            for &(pair, count) in options.done {
                trainer.check_known(pair)?;
                let id = trainer.join(pair);
                trainer.tell(on_merge, pair, id, count)?;
            }
        }
        trainer.words = trainer.lay_out(counts.borrow(), options.init, &mut || on_merge(None))?;
        drop(counts);
        if !forms_all {
            for &(pair, count) in options.done {
                if trainer.best(&mut || on_merge(None))? != Some((pair, count)) {
                    return Err(misfit(pair));
                }
                let id = trainer.merge(pair);
                trainer.tell(on_merge, pair, id, count)?;
            }
        }
        Ok(trainer)
    }

    fn check_known(&self, pair: Pair) -> Result<()> {
        if self.tokens.is_known(pair.left) && self.tokens.is_known(pair.right) { Ok(()) } else { Err(misfit(pair)) }
    }

    /// Every pretoken as the tokens so far.
    fn lay_out(&self, counts: &CountTable, init: Option<&Tokenizer>, ask: Ask<'_>) -> Result<Words> {
        if init.is_none() && self.merges.is_empty() {
            let mut id_of = [0; 256];
            for (id, byte) in (0..).zip(BYTE_ORDER) {
                id_of[usize::from(byte)] = id;
            }
            return Words::new(counts, ask, |text, symbols| {
                symbols.extend(text.iter().map(|&byte| id_of[usize::from(byte)]));
                Ok(())
            });
        }
        let named: Vec<(TokenId, &[u8])> = self.tokens.iter().filter(|token| !token.1.is_empty()).collect();
        let encoder = Encoder::new(Vocabulary::new(&named)?)?;
        let mut scratch = encoder.scratch();
        Words::new(counts, ask, |text, symbols| encoder.encode_alone(&mut scratch, text, symbols))
    }
}

fn bytes_alone() -> Tokens {
    let mut tokens = Tokens::default();
    for byte in BYTE_ORDER {
        tokens.push(&[byte]);
    }
    tokens
}

/// By id; gaps and special tokens are empty.
fn tokens_of(init: &Tokenizer) -> Tokens {
    let mut tokens = Tokens::default();
    // Ids are 32 bits.
    for id in 0..init.vocab_size() as TokenId {
        tokens.push(init.vocabulary().get(id).unwrap_or_default());
    }
    tokens
}

fn misfit(pair: Pair) -> Error {
    Error::Train(format!(
        "the merges done before do not fit these counts: ids {} and {} do not stand side by side as often as they say; delete the checkpoint to begin anew",
        pair.left, pair.right
    ))
}
