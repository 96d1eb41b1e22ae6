"""The command line: argument parsing, then one call each.

Errors are one line on stderr. Exit codes: 0 done, 1 the work gave a wrong result (`demo`), 2 bad
input or arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from typing import TYPE_CHECKING

from bpetok._bpetok import __version__
from bpetok.cli import count, decode, demo, encode, generate, show, train
from bpetok.cli.arguments import Parser
from bpetok.cli.messages import for_command, one_line
from bpetok.cli.stderr import say
from bpetok.cli.stdout import named_stdout
from bpetok.errors import Error

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = (demo, train, encode, decode, count, show, generate)

DESCRIPTION = """\
Train, run and understand byte-level BPE tokenizers.

A tokenizer cuts text into pieces (tokens) from a fixed vocabulary and gives each its
number (id). Start here:

  bpetok demo                                        see everything once, on Python's own sources
  bpetok train book.txt -o my.bpetok                 make a vocabulary from text
  echo "Hello there" | bpetok show my.bpetok -       see how a text is cut
  bpetok encode my.bpetok book.txt -o book.ids       text -> ids (uint32, little-endian)
  bpetok decode my.bpetok book.ids -o book.again     ids -> text
  bpetok generate llama "It was a dark"              a small model that comes with bpetok writes on
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line; each verb's module adds its own part."""
    top = Parser(
        prog="bpetok", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"bpetok {__version__}")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb in VERBS:
        verb.add_parser(verbs)
    return top


def run(argv: Sequence[str] | None) -> int:
    """Runs one command and returns its exit code."""
    try:
        with named_stdout(), warnings.catch_warnings():
            arguments = parser().parse_args(argv)
            if sys.stdout is None:
                # The next file to be opened would take its number, and the output with it.
                return _fail("stdout is closed: redirect it, to /dev/null if need be", 2)
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = _show_warning
            code: int = arguments.run(arguments)
            return code
    except BrokenPipeError:
        return 0  # the reader (`head`, say) has seen enough
    except OSError as error:
        place = f"{error.filename}: " if error.filename is not None else ""
        return _fail(f"{place}{error.strerror or error}", 2)
    except Error as error:
        return _fail(for_command(str(error)), 2)


def _fail(message: str, code: int) -> int:
    say(f"bpetok: error: {one_line(message)}")
    return code


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    say(f"bpetok: warning: {one_line(str(message))}")
