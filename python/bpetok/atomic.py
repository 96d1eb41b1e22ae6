"""Files that appear whole or not at all.

Data goes to a temporary file in the same folder, is flushed to the disk, and then takes the place of
the old file in one step; it keeps that file's permissions. A full disk, an error or a crash leaves the old
file as it was. What is no ordinary file (`/dev/null`, a named pipe) is written to as it is: there is nothing
to take the place of.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def replacing(path: str | bytes | os.PathLike[str]) -> Iterator[str]:
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
    name = os.fsdecode(path)
    mode = _mode(name)
    if mode is not None and not stat.S_ISREG(mode):
        # By its own name: a pipe behind a link, as in `-o /dev/stdout | ...` or `-o >(gzip)`, has no other.
        with _named(name, name):
            yield name
        return
    # A link keeps pointing where it did: the file behind it is what gets replaced.
    target = os.path.realpath(name)
    temporary = _create_beside(target, mode, name)
    try:
        with _named(name, temporary):
            yield temporary
            _settle(temporary, mode)
            os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def check_target(path: str | bytes | os.PathLike[str]) -> None:
    """Whether `replacing` would find a place to write to; for before work that takes long. Leaves nothing behind.

    Raises:
        OSError: what `replacing` would raise at its beginning.
    """
    name = os.fsdecode(path)
    mode = _mode(name)
    if mode is None or stat.S_ISREG(mode):
        os.unlink(_create_beside(os.path.realpath(name), mode, name))


@contextmanager
def open_atomic(path: str | bytes | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """The same as a binary file to write to; errors as `replacing`."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        yield file


def write_atomic(path: str | bytes | os.PathLike[str], data: bytes) -> None:
    """Writes `data` to `path`, whole or not at all; errors as `replacing`."""
    with open_atomic(path) as file:
        file.write(data)


def _mode(name: str) -> int | None:
    """Kind and permissions of what stands there, `None` for nothing."""
    try:
        mode = os.stat(name).st_mode
    except FileNotFoundError:
        return None
    except OSError as error:  # a name that is too long, or a file where a folder should be
        raise _naming(error, name) from None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "cannot write a file over a folder", name)
    return mode


def _create_beside(target: str, mode: int | None, name: str) -> str:
    """An empty temporary file in the folder of `target`."""
    # Not the target's name and something more: that may be too long for the file system.
    temporary = os.path.join(os.path.dirname(target), f".bpetok-{os.urandom(8).hex()}.tmp")
    # 0o666 less the umask is what `open` gives to a new file. Beside an old one nobody else reads what is written
    # before it has that one's permissions.
    permissions = 0o666 if mode is None else 0o600
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, permissions))
    except OSError as error:
        raise _naming(error, name) from None
    return temporary


def _settle(temporary: str, mode: int | None) -> None:
    """Flushes the file to the disk and gives it the permissions of the one that it replaces."""
    descriptor = os.open(temporary, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if mode is not None:
        os.chmod(temporary, stat.S_IMODE(mode))


@contextmanager
def _named(name: str, written: str) -> Iterator[None]:
    """Errors of the block that name no file, or the one that is written to, name what the caller knows."""
    try:
        yield
    except OSError as error:
        if error.filename in (None, written) and error.errno:
            raise _naming(error, name) from None
        raise


def _naming(error: OSError, name: str) -> OSError:
    """The error with the name that the caller knows, not that of the file behind it."""
    return OSError(error.errno, error.strerror, name)
