"""Files that appear whole or not at all.

Data goes to a temporary file in the same folder, is flushed to the disk, and then takes the place of
the old file in one step. A full disk, an error or a crash leaves the old file as it was.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def open_atomic(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file to write to; `path` gets its content when the block ends without an error.

    Raises:
        OSError: if the folder cannot be written to or the disk is full; names the path.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "f")
    ...     with open_atomic(path) as file:
    ...         _ = file.write(b"all")
    ...     path.read_bytes(), os.listdir(folder)
    (b'all', ['f'])
    """
    # A link keeps pointing where it did: the file behind it is what gets replaced.
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise IsADirectoryError(21, "cannot write a file over a folder", os.fspath(path))
    temporary = f"{target}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    # 0o666 less the umask: what `open` would give, where tempfile gives 0o600.
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes `data` to `path`, whole or not at all; errors as `open_atomic`."""
    with open_atomic(path) as file:
        file.write(data)
