"""A progress bar on a terminal: phase, share done, speed and time left, redrawn in place."""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

BAR_WIDTH = 24
REDRAW_SECONDS = 0.1

# phase -> (what the user reads, unit of `done`, how many of these make one shown unit)
PHASES = {
    "count": ("counting", "MB", 1_000_000),
    "merge": ("merging", "merges", 1),
    "encode": ("encoding", "MB", 1_000_000),
    "decode": ("decoding", "MB", 1_000_000),
}


class ProgressBar:
    """Called as `(phase, done, total)`; draws on a stream, and wipes itself off when it is closed.

    >>> import io
    >>> stream = io.StringIO()
    >>> with ProgressBar(stream) as bar:
    ...     bar("count", 5_000_000, 10_000_000)
    >>> "counting" in stream.getvalue() and "5.0/10.0 MB" in stream.getvalue()
    True
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._phase = ""
        self._started = 0.0
        self._drawn = 0.0
        self._width = 0

    @staticmethod
    def on_terminal() -> AbstractContextManager[Callable[[str, int, int], None] | None]:
        """A bar on stderr if that is a terminal, and otherwise a context that gives `None`."""
        # Python has no stderr where it was closed (`2>&-`), nor in a program of Windows without a console.
        there = sys.stderr is not None and sys.stderr.isatty()
        return ProgressBar() if there else nullcontext(None)

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Draws, at most every tenth of a second until all is done."""
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._started, self._drawn = phase, now, 0.0
        # The last state is drawn whenever it comes; a total of 0 is one that nobody knows.
        if now - self._drawn >= REDRAW_SECONDS or 0 < total == done:
            self._drawn = now
            self._draw(progress_line(phase, done, total, now - self._started))

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._draw("", end="\r")

    def _draw(self, line: str, end: str = "") -> None:
        # A terminal that has gone (its window closed, the connection lost) must not end the work.
        with suppress(OSError):
            # Trailing spaces wipe what a longer line left behind; no escape codes are needed. A line as wide as the
            # terminal would go on below, where no `\r` brings it back from: each drawing would then stay.
            self._stream.write("\r" + line.ljust(self._width)[: self._room()] + end)
            self._stream.flush()
        self._width = len(line)

    def _room(self) -> int | None:
        """How much of a line a terminal shows; `None` where nobody knows."""
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (AttributeError, OSError, ValueError):  # no terminal, or no file at all
            return None
        return columns - 1 if columns > 0 else None


def progress_line(phase: str, done: int, total: int, seconds: float) -> str:
    """One line of text for a state of the work.

    >>> progress_line("merge", 500, 1000, 2.0)
    'merging   ############------------  500/1,000 merges  250 merges/s  2 s left'
    >>> progress_line("count", 3_000_000, 0, 1.0)
    'counting  3.0 MB  3.0 MB/s'
    """
    label, unit, scale = PHASES.get(phase, (phase, "", 1))
    rate = done / seconds if seconds > 0 else 0.0
    parts = [f"{label:<8}"]
    if total:
        filled = min(BAR_WIDTH, BAR_WIDTH * done // total)
        parts.append("#" * filled + "-" * (BAR_WIDTH - filled))
        parts.append(f"{_amount(done, scale)}/{_amount(total, scale)} {unit}".rstrip())
    else:
        parts.append(f"{_amount(done, scale)} {unit}".rstrip())
    if rate:
        parts.append(f"{_amount(int(rate), scale)} {unit}/s")
    if rate and total:
        parts.append(f"{max(0, total - done) / rate:.0f} s left")
    return "  ".join(parts)


def _amount(number: int, scale: int) -> str:
    return f"{number:,}" if scale == 1 else f"{number / scale:,.1f}"
