//! The path on one screen: text -> special tokens -> pretokens -> ids, and back.

use std::sync::{Arc, Mutex};

use once_cell::race::OnceBox;

use crate::cut::Cutting;
use crate::decode::Decoder;
use crate::digits::{self, Digits};
use crate::encode::{Encoder, Scratch};
use crate::error::{Error, Result};
use crate::ids::{Pair, TokenId};
use crate::memory::pages::Ahead;
use crate::merges::Merges;
use crate::pretokenize::{Ends, Joined, Pieces, Pretokenizer, regex::RegexCache};
use crate::special::{Choice, Part, Specials};
use crate::threads::Steps;
use crate::utf8::Text;
use crate::vocab::Vocabulary;

/// Threads that may keep their working memory (some 10 MiB each, more after pretokens of hundreds of KiB) with the tokenizer between calls.
const KEPT: usize = 64;

/// A tokenizer; it never changes after it is built. What is made when first needed is never waited for: of a process that is
/// forked meanwhile, the child would wait for a thread that it does not have.
pub struct Tokenizer {
    encoder: Arc<Encoder>,
    pretokenizer: Pretokenizer,
    specials: Specials,
    merges: Option<Merges>,
    unicode_version: String,
    decoder: OnceBox<Decoder>,
    fingerprint: OnceBox<String>,
    cutting: OnceBox<Cutting>,
    /// Working memories not in use. Only ever tried, never waited for: a fork may copy it locked.
    idle: Mutex<Vec<Box<Work>>>,
}

/// What one thread needs to tokenize.
pub struct Work {
    scratch: Scratch,
    regex: RegexCache,
    ends: Ends,
    /// Short texts that wait to be encoded together.
    pub(crate) joined: Joined,
}

impl Work {
    /// Says how many bytes of text are to come, for so many threads.
    pub fn expect(&mut self, bytes: usize, threads: usize) {
        self.scratch.expect(bytes, threads);
    }

    /// Says what list ids will be appended to.
    pub fn fill(&mut self, list: Ahead) {
        self.scratch.fill(list);
    }
}

/// Everything that makes a tokenizer, as it stands in a file.
pub struct Parts<'a> {
    /// The ordinary tokens.
    pub vocabulary: Vocabulary,
    /// Ordered merges of a trained vocabulary; `None` for a rank file.
    pub merges: Option<Vec<Pair>>,
    /// A preset's name or a regex.
    pub pattern: &'a str,
    /// Special tokens.
    pub specials: Vec<(String, TokenId)>,
    /// The name of the rule by which runs of digits are cut before the pattern.
    pub digits: &'a str,
    /// The version of Unicode that the vocabulary was made with.
    pub unicode_version: &'a str,
}

impl Tokenizer {
    /// Checks the parts and builds the tables.
    ///
    /// # Errors
    /// Whatever the parts get wrong.
    pub fn new(parts: Parts<'_>) -> Result<Self> {
        let specials = checked(parts.specials, &parts.vocabulary)?;
        let digits = Digits::named(parts.digits).ok_or_else(|| {
            Error::Format(format!("digit rule {:?} is not known; this version knows {}", parts.digits, digits::names()))
        })?;
        let encoder = Encoder::new(parts.vocabulary)?;
        let merges = parts
            .merges
            .map(|pairs| Merges::new(pairs, encoder.vocabulary(), |token| encoder.token_id(token)))
            .transpose()?;
        let pretokenizer = Pretokenizer::new(parts.pattern)?.with_digits(digits);
        Ok(Self::assemble(Arc::new(encoder), pretokenizer, specials, merges, parts.unicode_version))
    }

    /// The same tokenizer with these special tokens instead of its own; both share their tables.
    ///
    /// # Errors
    /// What [`Tokenizer::new`] says of special tokens.
    pub fn with_specials(&self, specials: Vec<(String, TokenId)>) -> Result<Self> {
        let specials = checked(specials, self.vocabulary())?;
        let pretokenizer = Pretokenizer::new(self.pretokenizer.pattern())?.with_digits(self.pretokenizer.digits());
        Ok(Self::assemble(
            Arc::clone(&self.encoder),
            pretokenizer,
            specials,
            self.merges.clone(),
            &self.unicode_version,
        ))
    }

    fn assemble(
        encoder: Arc<Encoder>,
        pretokenizer: Pretokenizer,
        specials: Specials,
        merges: Option<Merges>,
        unicode_version: &str,
    ) -> Self {
        let (decoder, fingerprint, cutting, idle) = Default::default();
        let unicode_version = unicode_version.to_owned();
        Self { encoder, pretokenizer, specials, merges, unicode_version, decoder, fingerprint, cutting, idle }
    }

    /// Makes now what merging new words would make when it first pays: whoever waits for a tokenizer to load need not wait
    /// again for the first text.
    pub fn prepare(&self) {
        self.encoder.prepare();
    }

    /// Appends the ids of `text`; special tokens of `allowed` become their id, others are ordinary text.
    ///
    /// # Errors
    /// The step limit of a pattern, or a pretoken beyond the size limit.
    pub fn encode_into(&self, work: &mut Work, text: Text<'_>, allowed: &Choice, ids: &mut Vec<TokenId>) -> Result<()> {
        self.encode_in_steps(work, &mut Steps::default(), text, allowed, ids)
    }

    /// [`Tokenizer::encode_into`] for texts of any length: asks now and then whether to go on.
    ///
    /// # Errors
    /// As there, and that of `steps`.
    pub fn encode_in_steps(
        &self,
        work: &mut Work,
        steps: &mut Steps<'_>,
        text: Text<'_>,
        allowed: &Choice,
        ids: &mut Vec<TokenId>,
    ) -> Result<()> {
        for part in self.specials.parts(text.bytes(), allowed) {
            match part {
                Part::Special(found) => ids.push(self.specials.tokens()[found.index].1),
                Part::Ordinary(range) => {
                    let start = range.start;
                    let result = self.batches(work, text.slice(range), |scratch, pieces| {
                        pieces.tell(steps)?;
                        self.encoder.encode(scratch, pieces, ids, steps)
                    });
                    result.map_err(|error| error.moved(start))?;
                }
            }
        }
        Ok(())
    }

    /// Appends the ids of the texts that are joined, and to `document_ends` how many ids there are behind each document.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_in_steps`]; some ids may be there then.
    pub(crate) fn encode_joined(
        &self,
        work: &mut Work,
        steps: &mut Steps<'_>,
        ids: &mut Vec<TokenId>,
        document_ends: &mut Vec<usize>,
    ) -> Result<()> {
        let Work { scratch, regex, ends, joined } = work;
        ends.expect_known(scratch.knows_most());
        let result = self.pretokenizer.batches_joined(regex, ends, joined, |pieces| {
            pieces.tell(steps)?;
            self.encoder.encode(scratch, pieces, ids, steps)
        });
        joined.clear();
        scratch.take_document_ends(document_ends);
        result
    }

    /// Calls `visit` with the pretokens of `text`, special tokens being ordinary text, and what it takes to encode them.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_into`], and the errors of `visit`.
    #[inline]
    pub(crate) fn batches<'a>(
        &self,
        work: &mut Work,
        text: Text<'a>,
        mut visit: impl FnMut(&mut Scratch, Pieces<'a, '_>) -> Result<()>,
    ) -> Result<()> {
        let Work { scratch, regex, ends, .. } = work;
        ends.expect_known(scratch.knows_most());
        self.pretokenizer.batches(regex, ends, text, |pieces| visit(scratch, pieces))
    }

    /// The pretokens of `text`, special tokens being ordinary text.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_in_steps`].
    pub fn pretokens<'a>(&self, text: Text<'a>, steps: &mut Steps<'_>) -> Result<Vec<&'a [u8]>> {
        let mut pretokens = Vec::new();
        self.pretokenizer.batches(&mut RegexCache::default(), &mut Ends::default(), text, |pieces| {
            let starts = std::iter::once(&pieces.start).chain(pieces.ends);
            pretokens.extend(starts.zip(pieces.ends).map(|(&start, &end)| &pieces.text.bytes()[start..end]));
            pieces.tell(steps)
        })?;
        Ok(pretokens)
    }

    /// Runs `job` with a working memory, taken from those idle or made anew.
    pub fn with_work<R>(&self, job: impl FnOnce(&mut Work) -> R) -> R {
        let mut work = self.take_work();
        let result = job(&mut work);
        self.keep_work(work);
        result
    }

    /// A working memory from those idle, or a new one.
    #[must_use]
    pub fn take_work(&self) -> Box<Work> {
        let idle = self.idle.try_lock().ok().and_then(|mut idle| idle.pop());
        idle.unwrap_or_else(|| self.new_work())
    }

    /// A new working memory. Not part of its caller: that would need 90 KiB of stack for it, and touch each page of them, in every
    /// call, which was a fifth of a short one.
    #[cold]
    #[inline(never)]
    fn new_work(&self) -> Box<Work> {
        let (regex, ends, joined) = Default::default();
        Box::new(Work { scratch: self.encoder.scratch(), regex, ends, joined })
    }

    /// Keeps a working memory for the next call.
    pub fn keep_work(&self, work: Box<Work>) {
        if let Ok(mut idle) = self.idle.try_lock()
            && idle.len() < KEPT
        {
            idle.push(work);
        }
    }

    /// ids -> bytes.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        self.decoder.get_or_init(|| Box::new(Decoder::new(self.encoder.vocabulary(), &self.specials)))
    }

    /// The encoder.
    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The ordinary tokens.
    #[must_use]
    pub fn vocabulary(&self) -> &Vocabulary {
        self.encoder.vocabulary()
    }

    /// The pretokenizer.
    #[must_use]
    pub fn pretokenizer(&self) -> &Pretokenizer {
        &self.pretokenizer
    }

    /// The special tokens.
    #[must_use]
    pub fn specials(&self) -> &Specials {
        &self.specials
    }

    /// The ordered merges of a trained vocabulary.
    #[must_use]
    pub fn merges(&self) -> Option<&[Pair]> {
        self.merges.as_ref().map(Merges::pairs)
    }

    /// How digits are cut before the pattern.
    #[must_use]
    pub fn digits(&self) -> &'static str {
        self.pretokenizer.digits().name()
    }

    /// The version of Unicode the vocabulary was made with.
    #[must_use]
    pub fn unicode_version(&self) -> &str {
        &self.unicode_version
    }

    /// Highest id plus one, specials included.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        let highest_special = self.specials.tokens().iter().map(|t| t.1 as usize + 1).max().unwrap_or(0);
        self.vocabulary().id_limit().max(highest_special)
    }

    /// SHA-256 over all that decides ids: tokens, merges, pattern, specials, digits, Unicode version.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| Box::new(crate::files::fingerprint(self)))
    }

    /// What cutting texts needs to know.
    pub(crate) fn cutting(&self) -> &Cutting {
        self.cutting.get_or_init(|| Box::new(Cutting::new(self)))
    }

    /// The parts again, to write them or to build a changed tokenizer.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        Parts {
            vocabulary: self.vocabulary().clone(),
            merges: self.merges().map(<[Pair]>::to_vec),
            pattern: self.pretokenizer.pattern(),
            specials: self.specials.tokens().to_vec(),
            digits: self.digits(),
            unicode_version: &self.unicode_version,
        }
    }
}

fn checked(specials: Vec<(String, TokenId)>, vocabulary: &Vocabulary) -> Result<Specials> {
    let specials = Specials::new(specials)?;
    match specials.tokens().iter().find(|token| vocabulary.get(token.1).is_some()) {
        Some((text, id)) => Err(Error::BadSpecials(format!(
            "special token {text:?} has the id {id} of an ordinary token; give it a free id"
        ))),
        None => Ok(specials),
    }
}
