"""The exceptions of bpetok: one base class, one subclass for each kind of bad input.

The Rust core raises these classes too: it looks them up here by name, so there is one family only.
Each message names the offending value, the limit it broke, and what to do about it. Failures of the
operating system (a missing file, a full disk) are not wrapped: they stay `OSError` and carry the path.

>>> issubclass(VocabError, Error), issubclass(Error, ValueError)
(True, True)
"""


class Error(ValueError):
    """Base of every exception that bpetok raises for bad input.

    Raised itself only where no narrower class fits, such as `threads=0`.
    """


class VocabError(Error):
    """A set of tokens that cannot be a vocabulary.

    Raised when a rank file or spec repeats a token or an id, lacks one of the 256 single bytes, is
    empty, or when merges name tokens that do not exist.
    """


class PatternError(Error):
    """A pretokenizer pattern that does not compile or is too slow to run.

    Raised for an invalid regex (with the regex engine's own reason) and, at encoding time, when a
    pattern with backreferences or look-around passes its step limit (with the position).
    """


class SpecialTokenError(Error):
    """A special token where it may not be, or one that is not defined.

    Raised when text that is being encoded spells a special token that was not allowed, when
    `allowed_special` names an unknown special, or when the specials themselves clash.
    """


class TokenIdError(Error):
    """An id that no token has.

    Raised by decoding and by `token_bytes` for ids outside the vocabulary or in one of its gaps, and
    by `token_id` for bytes that are not a token.
    """


class FormatError(Error):
    """A tokenizer file that cannot be read, or settings that contradict what it says.

    Raised for unknown or damaged files, files of a newer version, bad base64, a missing pattern, a
    pattern that conflicts with the file, and for formats that cannot hold the tokenizer being saved.
    """


class TextError(Error):
    """A `str` that is not valid Unicode text.

    Raised for a lone surrogate; the message gives its index in the `str`.
    """


class TrainError(Error):
    """Training settings that cannot give a vocabulary.

    Raised when `vocab_size` is below 256 plus the special tokens, for impossible limits, and for
    counts that were made with other settings.
    """


class DownloadError(Error):
    """A published rank file that could not be fetched, or that is not the published one.

    Raised by `get_encoding` when the network fails or the sha256 differs; the message says where to
    put the file by hand.
    """
