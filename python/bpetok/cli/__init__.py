"""The `bpetok` command; `command` beside this file is all of it but for an interrupt.

What takes time to import is imported in `main`: an interrupt is one line and code 130 then as well.
"""

from __future__ import annotations

import os
import sys

from bpetok.cli.stderr import say

TYPE_CHECKING = False  # `typing` takes time too
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    if sys.stderr is None:  # closed (`2>&-`): what would go there must not go to stdout instead
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (stays open as long as the process)
    try:
        from bpetok.cli.command import run

        return run(argv)
    except KeyboardInterrupt:
        say("bpetok: error: interrupted")
        return 130
