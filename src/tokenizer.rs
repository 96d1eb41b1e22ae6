//! The path on one screen: text -> special tokens -> pretokens -> ids, and back.

use std::sync::{Mutex, OnceLock};

use crate::decode::Decoder;
use crate::encode::{Encoder, Scratch};
use crate::error::{Error, Result};
use crate::ids::{Pair, TokenId};
use crate::merges::Merges;
use crate::pretokenize::{Ends, Pretokenizer, classes, regex::RegexCache};
use crate::special::{Choice, Specials};
use crate::utf8::{Stretch, Text, stretches};
use crate::vocab::Vocabulary;

/// Threads that may keep their working memory (1.5 MiB each) with the tokenizer between calls.
const KEPT: usize = 64;

/// A tokenizer; it never changes after it is built.
pub struct Tokenizer {
    encoder: Encoder,
    pretokenizer: Pretokenizer,
    specials: Specials,
    merges: Option<Merges>,
    digits: String,
    unicode_version: String,
    decoder: OnceLock<Decoder>,
    fingerprint: OnceLock<String>,
    /// Working memories not in use. Only ever tried, never waited for: a fork may copy it locked.
    idle: Mutex<Vec<Box<Work>>>,
}

/// What one thread needs to tokenize.
#[derive(Default)]
pub struct Work {
    scratch: Scratch,
    regex: RegexCache,
    ends: Ends,
}

/// Everything that makes a tokenizer, as it stands in a file.
pub struct Parts<'a> {
    /// `(id, bytes)` of the ordinary tokens.
    pub tokens: Vec<(TokenId, &'a [u8])>,
    /// Ordered merges of a trained vocabulary; `None` for a rank file.
    pub merges: Option<Vec<Pair>>,
    /// A preset's name or a regex.
    pub pattern: &'a str,
    /// Special tokens.
    pub specials: Vec<(String, TokenId)>,
    /// How runs of digits are cut before the pattern: `none`.
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
        let vocabulary = Vocabulary::new(&parts.tokens)?;
        let specials = Specials::new(parts.specials)?;
        if let Some((text, id)) = specials.tokens().iter().find(|t| vocabulary.get(t.1).is_some()) {
            return Err(Error::BadSpecials(format!(
                "special token {text:?} has the id {id} of an ordinary token; give it a free id"
            )));
        }
        if parts.digits != "none" {
            return Err(Error::Format(format!(
                "digit rule {:?} is not known; this version knows \"none\"",
                parts.digits
            )));
        }
        let encoder = Encoder::new(vocabulary)?;
        let merges = parts
            .merges
            .map(|pairs| Merges::new(pairs, encoder.vocabulary(), |token| encoder.token_id(token)))
            .transpose()?;
        Ok(Self {
            encoder,
            pretokenizer: Pretokenizer::new(parts.pattern)?,
            specials,
            merges,
            digits: parts.digits.to_owned(),
            unicode_version: parts.unicode_version.to_owned(),
            decoder: OnceLock::new(),
            fingerprint: OnceLock::new(),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Appends the ids of `text`; special tokens of `allowed` become their id, others are ordinary text.
    ///
    /// # Errors
    /// The step limit of a pattern, or a pretoken beyond the size limit.
    pub fn encode_into(&self, work: &mut Work, text: Text<'_>, allowed: &Choice, ids: &mut Vec<TokenId>) -> Result<()> {
        let mut at = 0;
        while let Some(special) = self.specials.find(text.bytes(), at, allowed) {
            self.encode_ordinary_into(work, text.slice(at..special.start), ids)?;
            ids.push(self.specials.tokens()[special.index].1);
            at = special.end;
        }
        self.encode_ordinary_into(work, text.slice(at..text.bytes().len()), ids)
    }

    /// The same without special tokens.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_into`].
    pub fn encode_ordinary_into(&self, work: &mut Work, text: Text<'_>, ids: &mut Vec<TokenId>) -> Result<()> {
        stretches(text, |stretch| match stretch {
            Stretch::Valid(text) => self.encode_text(work, text, ids),
            Stretch::Invalid(bytes) => self.encoder.encode_raw(&mut work.scratch, bytes, ids),
        })
    }

    fn encode_text(&self, work: &mut Work, text: &str, ids: &mut Vec<TokenId>) -> Result<()> {
        let mut at = 0;
        while at < text.len() {
            work.ends.clear();
            let end = self.pretokenizer.scan(&mut work.regex, text, at, &mut work.ends)?;
            self.encoder.encode(&mut work.scratch, text.as_bytes(), at, work.ends.as_slice(), ids)?;
            at = end;
        }
        Ok(())
    }

    /// Calls `visit` with every pretoken of `text`, special tokens being ordinary text.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_into`].
    pub fn pretokens<'a>(&self, text: Text<'a>, mut visit: impl FnMut(&'a [u8])) -> Result<()> {
        let mut regex = RegexCache::default();
        stretches(text, |stretch| match stretch {
            Stretch::Invalid(bytes) => {
                visit(bytes);
                Ok(())
            }
            Stretch::Valid(text) => {
                let mut at = 0;
                while at < text.len() {
                    let mut ends = Ends::default();
                    let stop = self.pretokenizer.scan(&mut regex, text, at, &mut ends)?;
                    for &end in ends.as_slice() {
                        visit(&text.as_bytes()[at..end]);
                        at = end;
                    }
                    at = stop;
                }
                Ok(())
            }
        })
    }

    /// Runs `job` with a working memory, taken from those idle or made anew.
    pub fn with_work<R>(&self, job: impl FnOnce(&mut Work) -> R) -> R {
        let idle = || self.idle.try_lock().ok();
        let mut work = idle().and_then(|mut idle| idle.pop()).unwrap_or_default();
        let result = job(&mut work);
        if let Some(mut idle) = idle()
            && idle.len() < KEPT
        {
            idle.push(work);
        }
        result
    }

    /// ids -> bytes.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        self.decoder.get_or_init(|| Decoder::new(self.encoder.vocabulary(), &self.specials))
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
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// The version of Unicode the vocabulary was made with.
    #[must_use]
    pub fn unicode_version(&self) -> &str {
        &self.unicode_version
    }

    /// Whether that is the version this build splits by.
    #[must_use]
    pub fn unicode_matches(&self) -> bool {
        self.unicode_version == classes::UNICODE_VERSION
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
        self.fingerprint.get_or_init(|| crate::files::fingerprint(self))
    }

    /// The parts again, to write them or to build a changed tokenizer.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        Parts {
            tokens: self.vocabulary().iter().collect(),
            merges: self.merges().map(<[Pair]>::to_vec),
            pattern: self.pretokenizer.pattern(),
            specials: self.specials.tokens().to_vec(),
            digits: &self.digits,
            unicode_version: &self.unicode_version,
        }
    }
}
