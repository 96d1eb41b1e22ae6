"""What training leaves on the disk while it works: a checkpoint to go on from, and a log of merges.

A checkpoint holds the merges so far and what they were made with. Resuming takes them up and goes on, and
the result is the same to the byte. The file is replaced in one step, so that a process killed while it
writes leaves the one before.

Layout: one line of JSON (version, settings, number of merges), then 16 bytes for each merge (left id,
right id: u32; count: u64; little-endian), then the SHA-256 of all that.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from bpetok.atomic import check_target, write_atomic
from bpetok.errors import TrainError
from bpetok.named import open_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypeAlias

    Merge: TypeAlias = tuple[int, int, int, int, bytes, bytes]
    """Left id, right id, count, id of the token made, bytes of the left, bytes of the right."""
    Log: TypeAlias = str | os.PathLike[str] | IO[str]

VERSION = 1
SECONDS = 5.0
"""Least time between two writes; a write of 100,000 merges takes some milliseconds."""
RECORD = struct.Struct("<IIQ")
DIGEST_BYTES = 32
HEAD = b'{"bpetok_checkpoint": '


class Checkpoint:
    """The checkpoint of one training run.

    Raises:
        TrainError: for what is no ordinary file, a damaged one, or one made with other settings; names the difference.
        OSError: for a file that cannot be read or written.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "c")
    ...     first = Checkpoint(path, {"vocab_size": 300})
    ...     first.add([(1, 2, 9, 256, b"a", b"b")])
    ...     first.write()
    ...     len(Checkpoint(path, {"vocab_size": 300}).done)
    16
    """

    def __init__(self, path: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        self.path = os.fsdecode(path)
        self.settings = dict(settings)
        self._held, self.done = self._read()
        """`done`: the merges that the file held, as `train_counts` takes them."""
        self._records = bytearray()
        self._written = time.monotonic()
        self._check(self.settings)
        # Found out now, not at the first write, when counting has been done.
        check_target(self.path)

    def settle(self, settings: Mapping[str, Any]) -> None:
        """Adds settings that are known only after counting, and checks them too."""
        self.settings.update(settings)
        self._check(settings)

    def add(self, merges: list[Merge]) -> None:
        """Takes merges in, and writes the file if the last time was a while ago."""
        self._records += b"".join(RECORD.pack(*merge[:3]) for merge in merges)
        # While merges of the file come in again, the file knows more than they say.
        is_new = len(self._records) > len(self.done)
        if is_new and time.monotonic() - self._written >= SECONDS:
            self.write()

    def write(self) -> None:
        """Writes what has come in."""
        head = {
            "bpetok_checkpoint": VERSION,
            "merges": len(self._records) // RECORD.size,
            "settings": self.settings,
        }
        data = json.dumps(head).encode() + b"\n" + self._records
        write_atomic(self.path, data + hashlib.sha256(data).digest())
        self._written = time.monotonic()

    def _read(self) -> tuple[dict[str, Any], bytes]:
        if not os.path.exists(self.path):
            return {}, b""
        if not os.path.isfile(self.path):
            # A pipe would be waited for, and a device may never end.
            raise TrainError(f"{self.path} is no ordinary file, as a checkpoint is: name another")
        with open(self.path, "rb") as file:
            # What is named by mistake may be larger than the memory.
            head = file.read(len(HEAD))
            if head != HEAD:
                raise TrainError(
                    f"{self.path} is not a checkpoint: name another file, or delete it"
                )
            data = head + file.read()
        body, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
        line, _, records = body.partition(b"\n")
        if hashlib.sha256(body).digest() != digest:
            raise TrainError(
                f"{self.path}: the checkpoint was cut off or changed after it was written: delete it "
                "to begin anew"
            )
        about = json.loads(line)
        if about["bpetok_checkpoint"] != VERSION:
            raise TrainError(
                f"{self.path}: the checkpoint has version {about['bpetok_checkpoint']}, this bpetok "
                f"reads version {VERSION}: use the bpetok that wrote it, or delete it"
            )
        return about["settings"], records

    def _check(self, settings: Mapping[str, Any]) -> None:
        for name, value in settings.items():
            if self._held and self._held.get(name) != value:
                raise TrainError(
                    f"{self.path}: the checkpoint was made with {name}={self._held.get(name)!r}, not "
                    f"{value!r}: train with the same settings and text, or name another checkpoint"
                )


def log_lines(merges: list[Merge], first: int) -> str:
    """A line of JSON for each merge. Bytes are written as Latin-1, a character for each byte.

    >>> print(
    ...     log_lines([(83, 71, 12, 256, b"t", b"h"), (220, 256, 9, 257, b" ", b"th")], 1), end=""
    ... )
    {"merge": 1, "left": "t", "right": "h", "id": 256, "count": 12}
    {"merge": 2, "left": " ", "right": "th", "id": 257, "count": 9}
    """
    lines = []
    for number, (_, _, count, token_id, left, right) in enumerate(merges, first):
        row = {
            "merge": number,
            "left": left.decode("latin-1"),
            "right": right.decode("latin-1"),
            "id": token_id,
            "count": count,
        }
        lines.append(json.dumps(row) + "\n")
    return "".join(lines)


class MergeLog:
    """Writes `log_lines` to a file."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._next = 1

    def add(self, merges: list[Merge]) -> None:
        """Writes a line for each merge."""
        self._file.write(log_lines(merges, self._next))
        self._next += len(merges)


def check_apart(checkpoint: str | os.PathLike[str] | None, log: Log | None) -> None:
    """A log that is the checkpoint would be written over by it.

    Raises:
        TrainError: if both are one file.

    >>> check_apart("state", "./state")
    Traceback (most recent call last):
    ...
    bpetok.errors.TrainError: './state' is both checkpoint and log: give each its own file
    """
    if checkpoint is None or not isinstance(log, (str, os.PathLike)):
        return
    if os.path.realpath(checkpoint) == os.path.realpath(log):
        raise TrainError(f"{os.fspath(log)!r} is both checkpoint and log: give each its own file")


def open_log_file(path: str | os.PathLike[str]) -> IO[str]:
    """The file of a log, written anew; `OSError` that names it, also while it is being written."""
    name = os.fsdecode(path)
    return open_text(name, name, encoding="ascii", newline="\n")


@contextmanager
def open_log(verbose: Log | None) -> Iterator[MergeLog | None]:
    """The log of a path, which is written anew, or of a file object, which stays open."""
    if verbose is None:
        yield None
    elif isinstance(verbose, (str, os.PathLike)):
        with open_log_file(verbose) as file:
            yield MergeLog(file)
    elif hasattr(verbose, "write"):
        # A closed or a binary file says so now: the first merge may be hours away.
        verbose.write("")
        yield MergeLog(verbose)
    else:
        raise TypeError(
            f"verbose must be a path or a text file open for writing, not {type(verbose).__name__}"
        )
