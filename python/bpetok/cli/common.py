"""What several commands share: arguments, reading input, choosing colours, tables, JSON."""

from __future__ import annotations

import argparse
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from bpetok.cli.arguments import MOST_THREADS, file_name, pattern, whole
from bpetok.encodings import ENCODINGS, get_encoding
from bpetok.errors import Error
from bpetok.pipelines.files import STDIN, refuse_packed, standard_input
from bpetok.tokenizer import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bpetok._bpetok import Tokenizer

# --special -> arguments of `encode` and its relatives
SPECIAL_RULES: dict[str, dict[str, Any]] = {
    "error": {},
    "text": {"disallowed_special": ()},
    "allow": {"allowed_special": "all"},
}


def add_verb(
    verbs: Any, name: str, help: str, run: Any, epilog: str = ""
) -> argparse.ArgumentParser:
    """A command's own parser; `run(arguments)` does the work and returns the exit code."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_tokenizer(parser: argparse.ArgumentParser) -> None:
    """The tokenizer argument, with the pattern that rank files need."""
    parser.add_argument(
        "tokenizer",
        type=file_name,
        metavar="TOK",
        help=f"a tokenizer file, or a published name: {', '.join(ENCODINGS)}",
    )
    parser.add_argument(
        "--pattern", type=pattern, help="for a .tiktoken file: the preset or regex it was made with"
    )


def add_files(parser: argparse.ArgumentParser) -> None:
    """The input files."""
    parser.add_argument(
        "files", type=file_name, metavar="FILE", nargs="+", help="a file to read; - is stdin"
    )


def add_special(parser: argparse.ArgumentParser) -> None:
    """What to do about special tokens in the input."""
    parser.add_argument(
        "--special",
        choices=list(SPECIAL_RULES),
        default="error",
        help="text that spells a special token: stop with an error (default), treat it as ordinary "
        "text, or make it the special token",
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """How many threads."""
    parser.add_argument(
        "--threads",
        type=whole(1, MOST_THREADS),
        metavar="N",
        help="threads to use (default: all cores)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """A report for programs."""
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")


def tokenizer(arguments: argparse.Namespace) -> Tokenizer:
    """The tokenizer that the arguments name: an existing file first, then a published name."""
    return named_tokenizer(arguments.tokenizer, arguments.pattern)


def named_tokenizer(name: str, pattern: str | None) -> Tokenizer:
    """The tokenizer of a file or of a published name."""
    if os.path.exists(name):
        return load(name, pattern=pattern)
    if name not in ENCODINGS:
        raise Error(
            f"{name}: no such file, and not one of the published names {', '.join(ENCODINGS)}"
        )
    if pattern is not None:
        raise Error(f"{name} brings its own pattern: leave --pattern out")
    return get_encoding(name)


def read_bytes(path: str) -> bytes:
    """All bytes of a file or of stdin."""
    if path == STDIN:
        return standard_input().read()
    return Path(path).read_bytes()


def is_stream(path: str) -> bool:
    """Whether it can be read only once, as stdin and pipes can."""
    return path == STDIN or Path(path).is_fifo()


def check_stdin(files: Sequence[str]) -> None:
    """Stdin can be read only once, and only if it is open."""
    if STDIN in files:
        standard_input()
    if files.count(STDIN) > 1:
        raise Error(f"- (stdin) is given {files.count(STDIN)} times: it can be read only once")


def check_plain(files: Sequence[str], command: str) -> None:
    """Only `bpetok train` unpacks; `command` is what reads the unpacked text from stdin."""
    for name in filter(os.path.exists, files):
        refuse_packed(name, command)


def check_outputs(inputs: Sequence[str], *outputs: str | None) -> None:
    """No output may be an input, or another output: it would take its place, or cut it to nothing."""
    named: set[str] = set()
    for output in filter(None, outputs):
        if any(_is_same(output, name) for name in inputs):
            raise Error(f"{output} is both input and output: name another output")
        path = os.path.realpath(output)
        if path in named:
            raise Error(f"{output} is named for two outputs: give each its own name")
        if os.path.isfile(path) or not os.path.exists(path):
            named.add(path)


def _is_same(output: str, name: str) -> bool:
    """Whether both are one file; what is no ordinary file (`/dev/null`) may be read and written."""
    try:
        return os.path.isfile(output) and os.path.samefile(output, name)
    except OSError:
        return False  # an input that is not there


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Puts the name of the input in front of what is wrong with it."""
    try:
        yield
    except Error as error:
        raise type(error)(f"{shown(name)}: {error}") from None


def shown(name: str) -> str:
    """How messages call an input."""
    return "stdin" if name == STDIN else name


def drawing(
    bar: Callable[[str, int, int], None] | None, phase: str, files: Sequence[str]
) -> Callable[[int], None] | None:
    """Shows on a bar how many bytes of the files are done, where their size is known beforehand."""
    if bar is None:
        return None
    known = not any(map(is_stream, files))
    total = sum(Path(name).stat().st_size for name in files) if known else 0
    return lambda done: bar(phase, done, total)


def use_colour(stream: TextIO) -> bool:
    """Colours on terminals only, and never where NO_COLOR is set (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_json(report: dict[str, Any]) -> None:
    """The report on one line of stdout, in ASCII, which every terminal and pipe can carry."""
    print(json.dumps(report))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Columns on stdout, the first flush left and the others flush right.

    >>> print_table([["file", "tokens"], ["a.txt", "12"]])
    file   tokens
    a.txt      12
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *cells]).rstrip())


def per_token(byte_count: int, token_count: int) -> float:
    """Bytes per token; 0 for no tokens."""
    return byte_count / token_count if token_count else 0.0
