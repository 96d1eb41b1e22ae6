"""Standard output as the commands write to it: with no character that it cannot show, and named in its errors."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bpetok.named import open_text

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "stdout"
ESCAPED = "backslashreplace"


@contextmanager
def named_stdout() -> Iterator[None]:
    """`sys.stdout` for the time of the block; what it still holds is written at the end.

    Raises:
        OSError: of the system, with the name `stdout`; `BrokenPipeError` if its reader has gone.
    """
    before = sys.stdout
    if isinstance(before, io.TextIOWrapper):
        # A terminal that cannot show a character gets its escape, not a traceback.
        before.reconfigure(errors=ESCAPED)
        # With `python -u` there is no buffer, and the stream is on the file itself.
        if isinstance(getattr(before.buffer, "raw", before.buffer), io.FileIO):
            before.flush()
            sys.stdout = open_text(
                before.fileno(),
                NAME,
                encoding=before.encoding,
                errors=ESCAPED,
                at_once=before.write_through,
            )
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        if error.filename == NAME and sys.stdout is not before:
            # What is left in the buffer has no place to go, and would be an error again when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
    finally:
        sys.stdout = before
