"""What Python adds to the Rust class: `train` and `load`, the two ways to get a `Tokenizer`.

`Tokenizer` itself is the Rust class: a Python wrapper around it would cost more than a short encode.
"""

from __future__ import annotations

from bpetok._bpetok import PRESETS, UNICODE_VERSION, Counts, Tokenizer, train_counts
from bpetok.errors import TrainError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import TypeAlias

    Source: TypeAlias = Iterable[str | bytes] | Path | Iterable[Path] | Counts
    Callback: TypeAlias = Callable[[str, int, int], object]
    Progress: TypeAlias = bool | Callback

BYTE_TOKENS = 256


def train(
    source: Source,
    vocab_size: int = 32_000,
    *,
    pattern: str = "cl100k",
    special_tokens: Iterable[str] = ("<|endoftext|>",),
    min_frequency: int = 1,
    max_token_bytes: int | None = None,
    digits: str = "none",
    threads: int | None = None,
    progress: Progress = False,
) -> Tokenizer:
    """Trains a byte-level BPE vocabulary and returns the tokenizer for it.

    The merges are the same on every machine and with any number of threads: the pair with the higher
    count first, then the smaller `(left id, right id)`.

    Args:
        source: documents as an iterable of `str` or of `bytes`, a `pathlib.Path`, a list of Paths, or
            `Counts`. A `str` is always text and a `Path` always a file. Special tokens spelled in the
            text are boundaries and are never counted.
        vocab_size: how many ids to make, the 256 bytes and the special tokens included.
        pattern: name of a preset (`bpetok.PRESETS`) or any regex; cuts text before merging.
            `Counts` bring their own.
        special_tokens: texts that get ids of their own, above the merges. `Counts` bring their own.
        min_frequency: a pair that occurs less often is not merged.
        max_token_bytes: no token gets longer than this.
        digits: how each run of numbers (`\\p{N}+`) is cut before the pattern: `"none"` leaves it to the
            pattern, `"1"` makes each digit a pretoken, `"1-3"` groups of three from the left,
            `"right-1-3"` from the right (`12345` is `12|345`). `Counts` bring their own.
        threads: `None` uses all available cores, `1` the calling thread.
        progress: `True` draws a bar on a terminal; a callable is called as
            `(phase, done, total)` with phase `"count"` (bytes; total 0 if unknown) or `"merge"`.

    Raises:
        TypeError: for a bare `str` or `bytes` (wrap it in a list) or a mix of Paths and texts.
        TrainError: for a `vocab_size` below 256 plus the special tokens, or settings that contradict
            the `Counts`.
        PatternError: for an invalid regex.
        TextError: for a lone surrogate in a `str`.
        OSError: for a file that cannot be read.

    Warns:
        UserWarning: if the text has too few pairs for `vocab_size`; both sizes are named.

    >>> tok = train(["low lower lowest " * 4], vocab_size=260, special_tokens=())
    >>> tok.merges[:2]
    [(b'l', b'o'), (b'lo', b'w')]
    """
    specials = _special_list(special_tokens)
    with _reporter(progress) as report:
        if isinstance(source, Counts):
            counts = source
            _check_counts(counts, pattern, specials, digits)
        else:
            _check_vocab_size(vocab_size, len(specials))
            counts = Counts(pattern, specials, digits)
            counts.update(source, threads=threads, progress=report)
        tok = train_counts(
            counts,
            vocab_size,
            min_frequency=min_frequency,
            max_token_bytes=max_token_bytes,
            threads=threads,
            progress=report,
        )
    _warn_if_smaller(tok, vocab_size)
    return tok


def load(
    path: str | os.PathLike[str],
    pattern: str | None = None,
    special_tokens: Mapping[str, int] | Iterable[str] | None = None,
) -> Tokenizer:
    """Reads a tokenizer file; the format is recognised by its content, not by its name.

    Args:
        path: a `.bpetok` file, or a `.tiktoken` rank file.
        pattern: name of a preset or a regex. Required for a rank file, which holds none; for a file
            that holds one it must be the same.
        special_tokens: `{text: id}`, or a list of texts that get the ids above the highest one. For
            files that hold none.

    Raises:
        FormatError: for an unknown or damaged file, a newer version, a missing pattern, or a pattern
            or special tokens that conflict with what the file says.
        VocabError: for a repeated token or id, or a missing byte.
        OSError: for a file that cannot be read.

    Warns:
        UserWarning: if the file was made with another Unicode version; both are named.

    >>> import pathlib, tempfile
    >>> tok = train(["some text"], vocab_size=258, special_tokens=())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "tok.bpetok")
    ...     tok.save(path)
    ...     load(path) == tok
    True
    """
    from bpetok import formats

    tok = formats.read(path, pattern, special_tokens)
    if tok.unicode_version != UNICODE_VERSION:
        import warnings

        warnings.warn(
            f"{path} was made with Unicode {tok.unicode_version}, this bpetok uses Unicode "
            f"{UNICODE_VERSION}: text with characters assigned in between may get other ids",
            stacklevel=2,
        )
    return tok


def expand_pattern(pattern: str) -> str:
    """The regex of a preset's name, or the regex itself.

    >>> expand_pattern("gpt2") == PRESETS["gpt2"], expand_pattern("[a-z]+")
    (True, '[a-z]+')
    """
    return PRESETS.get(pattern, pattern)


def _special_list(special_tokens: Iterable[str]) -> list[str]:
    if isinstance(special_tokens, (str, bytes)):
        raise TypeError(
            f"special_tokens is a bare {type(special_tokens).__name__}: wrap it in a list, "
            f"[{special_tokens!r}]"
        )
    return list(special_tokens)


def _check_vocab_size(vocab_size: int, special_count: int) -> None:
    """Checked before counting, which may take hours; Rust checks it once more."""
    smallest = BYTE_TOKENS + special_count
    if vocab_size < smallest:
        raise TrainError(
            f"vocab_size is {vocab_size}, but 256 bytes and {special_count} special token(s) need "
            f"at least {smallest}: pass a larger vocab_size"
        )


def _check_counts(counts: Counts, pattern: str, specials: list[str], digits: str) -> None:
    """`Counts` decide pattern, specials and digits; an argument may only repeat them or be default."""
    defaults = train.__kwdefaults__ or {}
    if pattern != defaults["pattern"] and expand_pattern(pattern) != counts.pattern:
        raise TrainError(
            f"pattern {pattern!r} is not the one these counts were made with ({counts.pattern!r}): "
            "leave it out, or count again with it"
        )
    if digits not in (defaults["digits"], counts.digits):
        raise TrainError(
            f"digits={digits!r} is not the rule these counts were made with ({counts.digits!r}): "
            "leave it out, or count again with it"
        )
    made_with = list(counts.special_tokens)
    if specials != list(defaults["special_tokens"]) and sorted(specials) != sorted(made_with):
        raise TrainError(
            f"special_tokens {specials!r} are not those these counts were made with "
            f"({made_with!r}): leave them out, or count again with them"
        )


def _reporter(progress: Progress) -> AbstractContextManager[Callback | None]:
    """A context that gives the callback for Rust: none, the caller's, or a bar on the terminal."""
    from contextlib import nullcontext

    if callable(progress):
        return nullcontext(progress)
    if not progress:
        return nullcontext(None)
    from bpetok.progress import ProgressBar

    return ProgressBar.on_terminal()


def _warn_if_smaller(tok: Tokenizer, vocab_size: int) -> None:
    if tok.vocab_size < vocab_size:
        import warnings

        warnings.warn(
            f"the text has too few pairs for vocab_size={vocab_size}: the vocabulary has "
            f"{tok.vocab_size} tokens",
            stacklevel=3,
        )
