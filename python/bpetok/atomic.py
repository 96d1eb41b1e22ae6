"""Files that appear whole or not at all.

Data goes to a temporary file in the same folder, is flushed to the disk, and then takes the place of
the old file in one step. A full disk, an error or a crash leaves the old file as it was. What is no
ordinary file (`/dev/null`, a named pipe) is written to as it is: there is nothing to take the place of.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """The name of an empty file to write to; it takes the place of `path` when the block ends without an error.

    Raises:
        OSError: if the folder cannot be written to or the disk is full; names the path.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "f")
    ...     with replacing(path) as temporary:
    ...         _ = pathlib.Path(temporary).write_bytes(b"all")
    ...     path.read_bytes(), os.listdir(folder)
    (b'all', ['f'])
    """
    # A link keeps pointing where it did: the file behind it is what gets replaced.
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise IsADirectoryError(21, "cannot write a file over a folder", os.fspath(path))
    if os.path.exists(target) and not stat.S_ISREG(os.stat(target).st_mode):
        yield target
        return
    temporary = f"{target}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    # 0o666 less the umask: what `open` would give, where tempfile gives 0o600.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        yield temporary
        descriptor = os.open(temporary, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, target)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError) and error.filename in (None, temporary) and error.errno:
            error.filename = os.fspath(path)
        raise


@contextmanager
def open_atomic(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """The same as a binary file to write to; errors as `replacing`."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        yield file


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes `data` to `path`, whole or not at all; errors as `replacing`."""
    with open_atomic(path) as file:
        file.write(data)
