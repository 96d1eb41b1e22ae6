//! One error type. Every variant carries the value that was refused and the limit it broke; `Display` adds the cure.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::ids::{MAX_TOKEN_ID, TokenId};

/// What went wrong, with the value and the limit.
#[derive(Debug)]
pub enum Error {
    /// A vocabulary without a single token.
    EmptyVocabulary,
    /// A base byte that no token of length one stands for.
    MissingByte(u8),
    /// A token of no bytes.
    EmptyToken(TokenId),
    /// The same bytes under two ids.
    DuplicateToken {
        /// The bytes.
        token: Vec<u8>,
        /// The id met first.
        first: TokenId,
        /// The id met second.
        second: TokenId,
    },
    /// The same id given twice.
    DuplicateId(TokenId),
    /// An id above [`MAX_TOKEN_ID`].
    IdTooLarge(u64),
    /// A merge whose two sides do not add up to a token of the vocabulary.
    BadMerge {
        /// Place in the list.
        index: usize,
        /// Why it cannot be.
        reason: String,
    },
    /// A pattern that does not compile, or that engines read in different ways.
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// Why it is refused and what to write instead.
        reason: String,
    },
    /// A pattern with look-around or backreferences took too many steps.
    PatternSteps {
        /// Byte position in the text where the match was tried.
        position: usize,
        /// The limit it ran under.
        limit: usize,
    },
    /// Text spells a special token that the caller did not allow.
    SpecialInText {
        /// The special token.
        token: String,
        /// Byte position in the text.
        position: usize,
    },
    /// A name that is no special token of this tokenizer.
    UnknownSpecial {
        /// The name given.
        token: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A set of special tokens that cannot be.
    BadSpecials(String),
    /// An id that the vocabulary does not have.
    UnknownId {
        /// The id given.
        id: u64,
        /// Its place in the list.
        index: usize,
        /// Highest id of the vocabulary plus one.
        vocab_size: usize,
    },
    /// A file that is not what it says.
    Format(String),
    /// Training that cannot be done as asked.
    Train(String),
    /// An argument out of its range.
    Argument(String),
    /// The system refused; the path says where.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// One of several documents is at fault.
    InDocument {
        /// Which.
        index: usize,
        /// Why.
        source: Box<Error>,
    },
    /// One of several files is at fault.
    InFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<Error>,
    },
    /// The caller's progress function asked to stop.
    Interrupted,
}

impl Error {
    /// Places an error that was found `start` bytes into a document: positions are those of the document, and
    /// the document is named where there are several.
    #[must_use]
    pub fn in_document(self, index: usize, start: usize, count: usize) -> Self {
        let moved = self.moved(start);
        if count > 1 && !matches!(moved, Self::Interrupted) {
            return Self::InDocument { index, source: Box::new(moved) };
        }
        moved
    }

    /// Places an error that was found `start` bytes into a file.
    #[must_use]
    pub fn in_file(self, path: &Path, start: usize) -> Self {
        Self::InFile { path: path.to_owned(), source: Box::new(self.moved(start)) }
    }

    /// Names what was being read, where reading failed and nothing is named yet.
    #[must_use]
    pub fn reading(self, name: &Path) -> Self {
        match self {
            Self::Io { path, source } if path.as_os_str().is_empty() => Self::Io { path: name.to_owned(), source },
            other => other,
        }
    }

    /// The same with positions that are `start` bytes further on.
    #[must_use]
    pub fn moved(mut self, start: usize) -> Self {
        if let Self::SpecialInText { position, .. } | Self::PatternSteps { position, .. } = &mut self {
            *position += start;
        }
        self
    }
}

/// Short for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Bytes as a person reads them: text where it is text, escapes elsewhere, at most 40 bytes.
fn shown(bytes: &[u8]) -> String {
    let head: String = bytes.iter().take(40).flat_map(|&b| std::ascii::escape_default(b)).map(char::from).collect();
    if bytes.len() > 40 { format!("b\"{head}\"... ({} bytes)", bytes.len()) } else { format!("b\"{head}\"") }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyVocabulary => write!(f, "the vocabulary is empty; it needs at least the 256 single bytes"),
            Self::MissingByte(byte) => write!(
                f,
                "no token stands for the single byte 0x{byte:02X}; a byte-level vocabulary needs all 256, or some text could not be encoded"
            ),
            Self::EmptyToken(id) => write!(f, "token {id} has no bytes; every token needs at least one"),
            Self::DuplicateToken { token, first, second } => {
                write!(f, "token {} stands under two ids, {first} and {second}; give each token one id", shown(token))
            }
            Self::DuplicateId(id) => write!(f, "id {id} is given twice; give each token its own id"),
            Self::IdTooLarge(id) => {
                write!(f, "token id {id} is above the limit {MAX_TOKEN_ID}; renumber the vocabulary")
            }
            Self::BadMerge { index, reason } => write!(f, "merge {index}: {reason}"),
            Self::Pattern { pattern, reason } => write!(f, "pattern {pattern:?}: {reason}"),
            Self::PatternSteps { position, limit } => write!(
                f,
                "the pattern took more than {limit} steps or places to come back to, at byte {position} of the text; patterns without backreferences and look-around (other than \\s+(?!\\S)) run in linear time"
            ),
            Self::SpecialInText { token, position } => write!(
                f,
                "the text spells the special token {token:?} at byte {position}; pass allowed_special={{{token:?}}} to encode it as one token, disallowed_special=() or encode_ordinary to treat it as ordinary text"
            ),
            Self::UnknownSpecial { token, known } => {
                write!(f, "{token:?} is not a special token of this tokenizer; it has {known:?}")
            }
            Self::UnknownId { id, index, vocab_size } => write!(
                f,
                "token id {id} (at index {index}) is not in the vocabulary; ids run below {vocab_size}, and some may be gaps"
            ),
            Self::BadSpecials(reason) | Self::Format(reason) | Self::Train(reason) | Self::Argument(reason) => {
                f.write_str(reason)
            }
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::InDocument { index, source } => write!(f, "document {index}: {source}"),
            Self::InFile { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Interrupted => f.write_str("stopped by the caller"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
