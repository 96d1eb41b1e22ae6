"""Names to files, and files to plain bytes: globs, standard input, gzip and Zstandard.

What the bytes mean is left to `documents`. A damaged or truncated archive raises `FormatError` at the
place where it breaks; everything before that place has been handed out by then.
"""

from __future__ import annotations

import errno
import glob
import os
import sys
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TypeAlias, cast

from bpetok.errors import FormatError
from bpetok.pipelines.optional import require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STDIN = "-"
COMPRESSED = (".gz", ".zst")
# Counting these as they stand would give a vocabulary of noise without any complaint.
ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar", ".xz", ".bz2")
# The usual commands that write to a pipe what a file packs.
UNPACKERS = {".gz": "gzip -dc", ".zst": "zstd -dc", ".xz": "xz -dc", ".bz2": "bzip2 -dc"}

FileName: TypeAlias = "str | bytes | os.PathLike[str]"


def expand(names: FileName | Iterable[FileName]) -> list[str]:
    """The files that names and globs stand for, in the order given; those of a glob are sorted.

    A name that exists is that file even where it holds `*` or `[`. `-` is standard input.

    Raises:
        FileNotFoundError: for a missing file, or a glob that matches none.
        IsADirectoryError: for a folder.
        FormatError: for an archive of a kind that is not read.

    >>> expand("-")
    ['-']
    """
    single = isinstance(names, (str, bytes, os.PathLike))
    listed = [cast("FileName", names)] if single else list(cast("Iterable[FileName]", names))
    found: list[str] = []
    for name in [os.fsdecode(name) for name in listed]:
        if name == STDIN or os.path.exists(name):
            found.append(name)
        elif glob.has_magic(name):
            # Sorted, as the order of a folder differs between machines and ties must not.
            matches = sorted(
                path for path in glob.glob(name, recursive=True) if not os.path.isdir(path)
            )
            if not matches:
                raise FileNotFoundError(errno.ENOENT, "no file matches this glob", name)
            found.extend(matches)
        else:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    for name in found:
        _refuse_unreadable_kind(name)
    return found


def _refuse_unreadable_kind(name: str) -> None:
    if os.path.isdir(name):
        raise IsADirectoryError(
            errno.EISDIR,
            f"is a folder; name its files, for example with the glob {name}/**/*.txt",
            name,
        )
    inner, _ = split_compression(name)
    if inner.lower().endswith(ARCHIVES):
        raise FormatError(
            f"{name} is an archive that bpetok does not read: unpack it, or use .gz or .zst"
        )


def refuse_packed(name: str, use: str) -> None:
    """For what takes the bytes of files as they stand: those of a packed file are no text.

    Raises:
        FormatError: for a packed file, an archive or a Parquet file, by its suffix; `use` is a command that reads the
            text from a pipe.

    >>> refuse_packed("a.txt", "wc -")
    >>> refuse_packed("a.txt.gz", "wc -")
    Traceback (most recent call last):
    ...
    bpetok.errors.FormatError: a.txt.gz is packed, and its bytes are no text: gzip -dc a.txt.gz | wc -
    """
    inner, suffix = os.path.splitext(name.lower())
    if suffix == ".parquet":
        raise FormatError(
            f"{name} is a table, and its bytes are no text: in Python, "
            f"bpetok.pipelines.read_documents({name!r}, field=...) reads the texts of a column"
        )
    if suffix not in COMPRESSED + ARCHIVES:
        return
    import shlex

    cure = "unpack it"
    if suffix in UNPACKERS and not inner.endswith(ARCHIVES):
        cure = f"{UNPACKERS[suffix]} {shlex.quote(name)} | {use}"
    raise FormatError(f"{name} is packed, and its bytes are no text: {cure}")


def split_compression(name: str) -> tuple[str, str]:
    """The name without the suffix of its compression, and that suffix, `""` for none.

    >>> split_compression("a.jsonl.GZ"), split_compression("a.txt")
    (('a.jsonl', '.gz'), ('a.txt', ''))
    """
    stem, suffix = os.path.splitext(name)
    return (stem, suffix.lower()) if suffix.lower() in COMPRESSED else (name, "")


def standard_input() -> IO[bytes]:
    """The bytes of standard input.

    Raises:
        OSError: if it is closed; the next file to be opened may then have its number.
    """
    if sys.stdin is None:
        raise OSError(
            errno.EBADF, "standard input is closed: give it a text, or name a file", STDIN
        )
    return sys.stdin.buffer


@contextmanager
def open_plain(name: str) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked; standard input for `-`.

    Raises:
        OSError: if it cannot be opened.
        MissingPackageError: for Zstandard without its package (Python 3.14 has it built in).
        FormatError: while reading, where the archive is damaged or cut short.
    """
    if name == STDIN:
        yield standard_input()
        return
    _, compression = split_compression(name)
    if not compression:
        with open(name, "rb") as file:
            yield file
        return
    if os.path.getsize(name) == 0:
        # The gzip module reads nothing at all as an empty text; it is what a broken download leaves.
        raise FormatError(f"{name} is empty: not a {compression} file")
    module = _module_for(compression)
    damage = (
        EOFError,
        zlib.error,
        module.BadGzipFile if compression == ".gz" else module.ZstdError,
    )
    try:
        with module.open(name, "rb") as file:
            yield file
    except damage as error:
        raise FormatError(f"{name} is damaged or cut short: {error}") from error


@contextmanager
def open_parquet(name: str) -> Iterator[Any]:
    """A `pyarrow.parquet.ParquetFile`.

    Raises:
        OSError: if it cannot be opened.
        MissingPackageError: without pyarrow.
        FormatError: if it is damaged or cut short, also while it is being read.
    """
    parquet = require("pyarrow.parquet", "arrow", "Reading Parquet")
    arrow = require("pyarrow", "arrow", "Reading Parquet")
    with open(name, "rb"):
        pass  # a missing or forbidden file fails here, with the system's own error and its path
    try:
        with parquet.ParquetFile(name, page_checksum_verification=True) as file:
            yield file
    except FormatError:
        raise
    except (arrow.ArrowException, OSError) as error:
        # pyarrow raises OSError for damaged pages as well, but those of the system carry a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise FormatError(f"{name} is not a whole Parquet file: {error}") from error


def _module_for(compression: str) -> Any:
    if compression == ".gz":
        import gzip

        return gzip
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd
    return require("backports.zstd", "zstd", "Reading .zst on Python before 3.14")
