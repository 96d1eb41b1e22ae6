"""Files to write to whose errors say which file it was.

Opening a file that cannot be opened names it; a write that fails does not, and "No space left on device"
alone leaves the user to guess which of several outputs it was.
"""

from __future__ import annotations

import io
from typing import Any


class NamedFile(io.FileIO):
    """A file that is written to without a buffer; `shown` is what errors of writing call it."""

    def __init__(self, file: str | int, shown: str) -> None:
        super().__init__(file, "w", closefd=not isinstance(file, int))
        self.shown = shown

    def write(self, data: Any, /) -> int:
        """Writes what it can.

        Raises:
            OSError: of the system, with the name.
        """
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.shown) from None


def open_text(
    file: str | int,
    shown: str,
    *,
    encoding: str,
    errors: str = "strict",
    newline: str | None = None,
    at_once: bool = False,
) -> io.TextIOWrapper:
    """A text file, written anew, or one on a descriptor, which stays open.

    `at_once` writes each line when it is whole, as a terminal gets them anyway.

    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open_text(os.path.join(folder, "f"), "f", encoding="ascii") as file:
    ...         file.write("text")
    4
    """
    raw = NamedFile(file, shown)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, errors, newline, line_buffering=at_once or raw.isatty()
    )
