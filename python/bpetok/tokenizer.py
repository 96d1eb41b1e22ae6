"""What Python adds to the Rust class: `train` and `load`, the two ways to get a `Tokenizer`.

`Tokenizer` itself is the Rust class: a Python wrapper around it would cost more than a short encode.
"""

from __future__ import annotations

import os

from bpetok._bpetok import (
    PRESETS,
    UNICODE_VERSION,
    Counts,
    Tokenizer,
    counts_digest,
    set_memo_bytes,
    train_counts,
)
from bpetok.errors import Error, TrainError
from bpetok.numbers import whole
from bpetok.texts import checked_text, text_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import Any, TypeAlias

    from bpetok.checkpoint import Checkpoint, Log, Merge, MergeLog

    Source: TypeAlias = Iterable[str | bytes] | Path | Iterable[Path] | Counts
    Callback: TypeAlias = Callable[[str, int, int], object]
    Progress: TypeAlias = bool | Callback

BYTE_TOKENS = 256
MEMO_BYTES = (1 << 20, 2 << 30)
"""The least and the most that a tokenizer may be allowed to remember; the core has the same."""


class _Default(str):
    """An argument that nobody gave: the same text, given, is one that must not be contradicted."""

    __slots__ = ()


PATTERN = _Default("cl100k")
DIGITS = _Default("none")
SPECIAL_TOKENS = ("<|endoftext|>",)


def train(
    source: Source,
    vocab_size: int = 32_000,
    *,
    pattern: str = PATTERN,
    special_tokens: Iterable[str] = SPECIAL_TOKENS,
    min_frequency: int = 1,
    max_token_bytes: int | None = None,
    digits: str = DIGITS,
    init: Tokenizer | None = None,
    max_memory: str | int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    progress: Progress = False,
    verbose: Log | None = None,
) -> Tokenizer:
    """Trains a byte-level BPE vocabulary and returns the tokenizer for it.

    The merges are the same on every machine and with any number of threads: the pair with the higher
    count first, then the smaller `(left id, right id)`.

    Args:
        source: documents as an iterable of `str` or of `bytes`, a `pathlib.Path`, an iterable of Paths,
            or `Counts`. A `str` is always text and a `Path` always a file. Special tokens spelled in the
            text are boundaries and are never counted.
        vocab_size: how many ids to make, the 256 bytes and the special tokens included.
        pattern: name of a preset (`bpetok.PRESETS`) or any regex; cuts text before merging.
            `Counts` bring their own.
        special_tokens: texts that get ids of their own, above the merges, in the order given (a set's are sorted).
            `Counts` bring their own.
        min_frequency: a pair that occurs less often is not merged.
        max_token_bytes: no token gets longer than this.
        max_memory: the most memory to use, as `"2GiB"` or a number of bytes, 128 MiB or more. Counting
            stays below it with sorted files in the temporary folder, and the result is the same; if
            the merging that follows would take more, it is refused before it begins.
        digits: how each run of numbers (`\\p{N}+`) is cut before the pattern: `"none"` leaves it to the
            pattern, `"1"` makes each digit a pretoken, `"1-3"` groups of three from the left,
            `"right-1-3"` from the right (`12345` is `12|345`). `Counts` bring their own.
        init: a tokenizer to extend. Its ids stay, special tokens included; new ones follow its highest id.
            Its pattern, digits and special tokens are taken over: those arguments may only repeat them,
            or, in `special_tokens`, name more, which get ids above the new merges. Text is first encoded
            with it, and pairs are counted in what comes out; a pair that spells a token joins it and takes
            no id. `vocab_size` is that of the result: its highest id plus one.
        checkpoint: a file that keeps the merges so far, written every few seconds. If it exists, training
            goes on from it, and the result is the same to the byte as that of one run.
        threads: `None` uses all available cores, `1` the calling thread.
        progress: `True` draws a bar on a terminal; a callable is called as
            `(phase, done, total)` with phase `"count"` (bytes; total 0 if unknown) or `"merge"`.
        verbose: a path or a text file to which each merge is written as a line of JSON: number, bytes of
            both sides (Latin-1, a character for each byte), id, count.

    Raises:
        TypeError: for a bare `str` or `bytes` (wrap it in a list), a mix of Paths and texts, special tokens with ids, or an
            `init` that is no tokenizer.
        TrainError: for a `vocab_size` below 256 (or the ids of `init`) plus the special tokens, settings
            that contradict the `Counts` or `init`, a checkpoint of other settings or another text, one file
            for checkpoint and log, or merging that would take more than `max_memory`.
        PatternError: for an invalid regex.
        TextError: for a lone surrogate in a text, a special token or the pattern.
        OSError: for a file that cannot be read.

    Warns:
        UserWarning: if the text has too few pairs for `vocab_size`; both sizes are named.

    >>> tok = train(["low lower lowest " * 4], vocab_size=260, special_tokens=())
    >>> tok.merges[:2]
    [(b'l', b'o'), (b'lo', b'w')]
    """
    specials = _texts_of(special_tokens)
    given = None if special_tokens is SPECIAL_TOKENS else specials
    checked_text(pattern, "pattern")
    if init is not None:
        pattern, digits, specials = _of_init(init, pattern, digits, given)
    limits: dict[str, Any] = {
        "vocab_size": whole("vocab_size", vocab_size),
        "min_frequency": whole("min_frequency", min_frequency),
        "max_token_bytes": None
        if max_token_bytes is None
        else whole("max_token_bytes", max_token_bytes),
    }
    if isinstance(source, Counts):
        _check_counts(source, pattern, given, digits)
        counts = source
    else:
        _check_vocab_size(limits["vocab_size"], specials, init)
        counts = Counts(pattern, specials, digits)
        _rehearse(counts, limits, threads, max_memory)
    from bpetok.checkpoint import check_apart, open_log

    check_apart(checkpoint, verbose)
    saved = None if checkpoint is None else open_checkpoint(checkpoint, limits, init, counts)
    with _reporter(progress) as report, open_log(verbose) as log:
        if not isinstance(source, Counts):
            counts.update(source, threads=threads, progress=report, max_memory=max_memory)
        if saved:
            saved.settle({"counts": counts_digest(counts)})
        tok = train_counts(
            counts,
            **limits,
            init=init,
            done=saved.done if saved else None,
            on_merges=_merge_listener(saved, log),
            threads=threads,
            progress=report,
            max_memory=max_memory,
            take=counts is not source,
        )
        if saved:
            saved.write()
    _warn_if_smaller(tok, limits)
    return tok


def load(
    path: str | bytes | os.PathLike[str],
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
            f"{os.fsdecode(path)} was made with Unicode {tok.unicode_version}, this bpetok uses Unicode "
            f"{UNICODE_VERSION}: text with characters assigned in between may get other ids",
            stacklevel=2,
        )
    return tok


def expand_pattern(pattern: str) -> str:
    """The regex of a preset's name, or the regex itself.

    Raises:
        TextError: for a lone surrogate.

    >>> expand_pattern("gpt2") == PRESETS["gpt2"], expand_pattern("[a-z]+")
    (True, '[a-z]+')
    """
    return PRESETS.get(pattern) or checked_text(pattern, "pattern")


def _texts_of(special_tokens: Iterable[str]) -> list[str]:
    if hasattr(special_tokens, "keys"):
        raise TypeError(
            f"special_tokens is the mapping {special_tokens!r}, but training chooses the ids: give a list of the texts"
        )
    return text_list(special_tokens)


def _of_init(
    init: Tokenizer, pattern: str, digits: str, given: list[str] | None
) -> tuple[str, str, list[str]]:
    """`init` decides pattern and digits; arguments may repeat them, or add specials."""
    if not isinstance(init, Tokenizer):
        raise TypeError(
            f"init must be a Tokenizer, not {init!r} of type {type(init).__name__}: load it first, init=bpetok.load(path)"
        )
    if pattern is not PATTERN and expand_pattern(pattern) != init.pattern:
        raise TrainError(
            f"pattern {pattern!r} is not that of init ({init.pattern!r}): leave it out"
        )
    if digits is not DIGITS and digits != init.digits:
        raise TrainError(
            f"digits={digits!r} is not the rule of init ({init.digits!r}): leave it out"
        )
    held = init.special_tokens
    return init.pattern, init.digits, [*held, *(text for text in given or () if text not in held)]


def _check_vocab_size(vocab_size: int, specials: list[str], init: Tokenizer | None) -> None:
    """Checked before counting, which may take hours; Rust checks it once more."""
    if init is None:
        taken, what, special_count = BYTE_TOKENS, "256 bytes", len(specials)
    else:
        taken, what = init.vocab_size, f"{init.vocab_size} ids of init"
        special_count = len(set(specials) - init.special_tokens.keys())
    if vocab_size < taken + special_count:
        raise TrainError(
            f"vocab_size is {vocab_size}, but {what} and {special_count} special token(s) need "
            f"at least {taken + special_count}: pass a larger vocab_size"
        )


def _rehearse(
    counts: Counts, limits: Mapping[str, Any], threads: int | None, max_memory: str | int | None
) -> None:
    """Counts and merges no text, which takes no time: counting may take hours, and Rust refuses bad limits after it."""
    counts.update((), threads=threads, max_memory=max_memory)
    train_counts(counts, **limits)


def open_checkpoint(
    path: str | os.PathLike[str], limits: Mapping[str, Any], init: Tokenizer | None, counts: Counts
) -> Checkpoint:
    """The checkpoint of a training run with these settings; what was counted is not looked at.

    Raises:
        TrainError: for a file that is no checkpoint, or one made with other settings.
        OSError: for a file that cannot be read or written.
    """
    from bpetok.checkpoint import Checkpoint

    settings = {**limits, "init": init and init.fingerprint, "unicode_version": UNICODE_VERSION}
    settings |= {
        "pattern": counts.pattern,
        "digits": counts.digits,
        "special_tokens": list(counts.special_tokens),
    }
    return Checkpoint(path, settings)


def _merge_listener(
    saved: Checkpoint | None, log: MergeLog | None
) -> Callable[[list[Merge]], None] | None:
    """What Rust calls with merges; `None` if nobody asked."""
    listeners = [listener.add for listener in (saved, log) if listener]
    if not listeners:
        return None

    def tell(merges: list[Merge]) -> None:
        for listen in listeners:
            listen(merges)

    return tell


def _check_counts(counts: Counts, pattern: str, given: list[str] | None, digits: str) -> None:
    """`Counts` decide pattern, specials and digits; an argument may only repeat them."""
    if pattern is not PATTERN and expand_pattern(pattern) != counts.pattern:
        raise TrainError(
            f"pattern {pattern!r} is not the one these counts were made with ({counts.pattern!r}): "
            "leave it out, or count again with it"
        )
    if digits is not DIGITS and digits != counts.digits:
        raise TrainError(
            f"digits={digits!r} is not the rule these counts were made with ({counts.digits!r}): "
            "leave it out, or count again with it"
        )
    made_with = list(counts.special_tokens)
    if given is not None and sorted(given) != sorted(made_with):
        raise TrainError(
            f"special_tokens {given!r} are not those these counts were made with "
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


def _warn_if_smaller(tok: Tokenizer, limits: Mapping[str, Any]) -> None:
    if tok.vocab_size < limits["vocab_size"]:
        import warnings

        usual = {"min_frequency": 1, "max_token_bytes": None}
        others = [f"{name}={limits[name]}" for name in usual if limits[name] != usual[name]]
        under = f" with {' and '.join(others)}" if others else ""
        warnings.warn(
            f"the text has too few pairs for vocab_size={limits['vocab_size']}{under}: the vocabulary has "
            f"{tok.vocab_size} tokens",
            stacklevel=3,
        )


def set_memo_size(size: str | int) -> None:
    """Sets how much memory a tokenizer may take to remember what merging gave: 37 MiB unless set.

    It is taken as it fills, and all threads share it. Text that is read again and again is encoded fastest where all its
    different words fit, 30 to 60 bytes each. Tokenizers that have encoded before keep the size that they began with.

    Args:
        size: bytes, or a text such as `"64MiB"`; 1 MiB to 2 GiB.

    Raises:
        TypeError: for something else than a `str` or an `int`.
        Error: for a text that is no amount, or an amount out of range.

    >>> import bpetok
    >>> bpetok.set_memo_size("64MiB")
    >>> bpetok.set_memo_size("37MiB")
    """
    from bpetok.sizes import parse_size

    set_memo_bytes(parse_size(size, "size", Error, MEMO_BYTES))
