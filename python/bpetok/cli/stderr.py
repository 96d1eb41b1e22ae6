"""Standard error as the commands write to it: what it does not take is lost, and the work goes on."""

from __future__ import annotations

import sys


def say(line: str) -> None:
    """Prints a line for the reader of stderr, who may have gone, or whose disk may be full.

    Neither may cost what was made meanwhile, hours of training for one warning, nor change the exit code.
    """
    # Without contextlib, which takes 2 ms: `main` imports this file before it minds interrupts.
    try:  # noqa: SIM105
        print(line, file=sys.stderr)
    except OSError:
        pass
