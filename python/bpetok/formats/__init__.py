"""The file formats, as a table: name, suffixes, how to recognise, read and write each.

A new format is a module beside this one and a row in `FORMATS`. Formats that the Rust core reads
itself hand back a `Tokenizer` directly; others go through `bpetok.spec.TokenizerSpec`.
"""

from __future__ import annotations

import os
import stat

from bpetok.errors import Error, FormatError
from bpetok.formats import bpetok as own
from bpetok.texts import checked_text

TYPE_CHECKING = False  # `typing` and what reads other formats cost three times as much as a load
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType
    from typing import TypeAlias

    from bpetok._bpetok import Tokenizer

    Specials: TypeAlias = Mapping[str, int] | Iterable[str] | None

HEAD_BYTES = 1024
"""How much of a file is read to recognise it."""


class Format:
    """One row: what a format is called and the three things that can be done with it."""

    def __init__(
        self,
        name: str,
        suffixes: tuple[str, ...],
        module: Callable[[], ModuleType],
        is_read: bool = True,
    ) -> None:
        self.name = name
        self.suffixes = suffixes
        self.is_read = is_read
        """Whether `read` does more than say why not."""
        self._module = module

    def sniff(self, head: bytes) -> bool:
        """Whether a file that begins with these bytes is of this format."""
        return bool(self._module().sniff(head))

    def read(self, path: str, pattern: str | None, special_tokens: Specials) -> Tokenizer:
        """The tokenizer of a file; errors need not name the path."""
        tok: Tokenizer = self._module().read(path, pattern, special_tokens)
        return tok

    def write(self, tok: Tokenizer, path: str) -> bytes:
        """The content of the file; the path is only for messages."""
        data: bytes = self._module().write(tok, path)
        return data


def _tiktoken() -> ModuleType:
    from bpetok.formats import tiktoken

    return tiktoken


def _huggingface() -> ModuleType:
    from bpetok.formats import huggingface

    return huggingface


# A file is asked about in this order, and a module is imported when it is first asked.
FORMATS = (
    Format("bpetok", (".bpetok",), lambda: own),
    Format("tiktoken", (".tiktoken",), _tiktoken),
    Format("tokenizer.json", (".json",), _huggingface, is_read=False),
)


def read(
    path: str | bytes | os.PathLike[str], pattern: str | None, special_tokens: Specials
) -> Tokenizer:
    """Reads any known file; see `bpetok.load`."""
    name = os.fsdecode(path)
    if pattern is not None:
        checked_text(pattern, "pattern")
    if stat.S_ISFIFO(os.stat(name).st_mode):
        return _read_pipe(name, pattern, special_tokens)
    return _read_file(name, name, pattern, special_tokens)


def _read_pipe(name: str, pattern: str | None, special_tokens: Specials) -> Tokenizer:
    """What comes out of a pipe, which cannot be opened twice, once to recognise it and once to read it."""
    import shutil
    import tempfile

    with tempfile.NamedTemporaryFile() as copy:
        with open(name, "rb") as pipe:
            shutil.copyfileobj(pipe, copy)
        copy.flush()
        return _read_file(copy.name, name, pattern, special_tokens)


def _read_file(path: str, name: str, pattern: str | None, special_tokens: Specials) -> Tokenizer:
    """The tokenizer of a file that errors call `name`."""
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise FormatError(f"{name} is empty: not a tokenizer file")
    for row in FORMATS:
        if row.sniff(head):
            try:
                return row.read(path, pattern, special_tokens)
            except Error as error:
                # Readers speak of what is in the file; here its name goes in front, once for all.
                raise type(error)(f"{name}: {error}") from None
    raise FormatError(
        f"{name} begins with {head[:16]!r}, which is none of the formats that bpetok reads: "
        + _known(row for row in FORMATS if row.is_read)
    )


def save(tok: Tokenizer, path: str | bytes | os.PathLike[str], format: str | None = None) -> None:
    """Writes `tok` to `path`, whole or not at all; `Tokenizer.save` calls this.

    Args:
        tok: what to write.
        path: the file; an existing one is replaced in one step.
        format: name of a format; by default the path's suffix decides.

    Raises:
        FormatError: for an unknown suffix or format, or one that cannot hold this tokenizer.
        OSError: if the file cannot be written; an older file is left as it was.
    """
    from bpetok.atomic import write_atomic

    name = os.fsdecode(path)
    write_atomic(name, format_for(name, format).write(tok, name))


def format_for(path: str, format: str | None = None) -> Format:
    """The row that `format` names, or else the path's suffix does; `FormatError` if there is none."""
    for row in FORMATS:
        if format == row.name or (format is None and path.endswith(row.suffixes)):
            return row
    if format is not None:
        raise FormatError(f"no format is called {format!r}: choose one of {_known()}")
    raise FormatError(
        f"the suffix of {path!r} names no format: use one of {_known()}, or pass format="
    )


def _known(formats: Iterable[Format] = FORMATS) -> str:
    return ", ".join(f"{row.name} ({' '.join(row.suffixes)})" for row in formats)
