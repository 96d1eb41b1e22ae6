"""`bpetok encode`: text files -> ids, as uint32 little-endian or as numbers to read."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from bpetok.atomic import replacing
from bpetok.cli import common
from bpetok.cli.arguments import file_name
from bpetok.cli.common import SPECIAL_RULES
from bpetok.errors import Error
from bpetok.pipelines.files import STDIN
from bpetok.progress import ProgressBar

if TYPE_CHECKING:
    import argparse

EPILOG = """\
Each file is one text, and ids of all files follow one another in the output. Packed files (.gz, .zst)
are unpacked beforehand: gzip -dc book.txt.gz | bpetok encode my.bpetok - -o book.ids. In Python:
numpy.fromfile("book.ids", dtype="<u4") reads them.

With -o, files may be larger than the memory: they are read, encoded and written in blocks, and the ids
are those of the whole text. Two kinds of text are held whole: one that a custom pattern (no preset)
splits, since nothing is known about where it may be cut, and one without any word end; with --special
allow, both are cut behind special tokens.

examples:
  bpetok encode my.bpetok book.txt -o book.ids
  echo "Hello there" | bpetok encode cl100k_base -
"""


def add_parser(verbs: Any) -> None:
    """Adds this command."""
    parser = common.add_verb(verbs, "encode", "turn text into ids", run, EPILOG)
    common.add_tokenizer(parser)
    common.add_files(parser)
    parser.add_argument(
        "-o", "--output", type=file_name, metavar="IDS",
        help="file for the ids, 4 bytes each (uint32, little-endian); - is stdout; without it the "
        "ids are printed as numbers, one line for each file",
    )  # fmt: skip
    common.add_special(parser)
    common.add_threads(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Encodes, writes, and reports."""
    common.check_stdin(arguments.files)
    common.check_plain(arguments.files, f"bpetok encode {arguments.tokenizer} -")
    common.check_outputs([arguments.tokenizer, *arguments.files], arguments.output)
    if arguments.json and arguments.output in (None, STDIN):
        raise Error("--json needs -o FILE: stdout cannot carry both the ids and the report")
    if arguments.output == STDIN and sys.stdout.isatty():
        raise Error("-o - would write binary ids to the terminal: redirect them, or leave -o out")
    started = time.perf_counter()
    tok = common.tokenizer(arguments)
    loaded = time.perf_counter()
    if arguments.output is None:
        for name in arguments.files:
            with common.reading(name):
                ids = tok.encode(common.read_bytes(name), **SPECIAL_RULES[arguments.special])
            print(*ids)
        return 0
    with _target(arguments.output) as path, ProgressBar.on_terminal() as bar:
        read, written = tok._encode_files(
            [None if name == STDIN else name for name in arguments.files],
            path,
            threads=arguments.threads,
            report=common.drawing(bar, "encode", arguments.files),
            **SPECIAL_RULES[arguments.special],
        )
    if path is not None:
        _report(arguments, read, written, loaded - started, time.perf_counter() - loaded)
    return 0


def _target(output: str) -> AbstractContextManager[str | None]:
    """The file to write to in the end; None for stdout."""
    return nullcontext() if output == STDIN else replacing(output)


def _report(
    arguments: argparse.Namespace, read: int, written: int, load_seconds: float, seconds: float
) -> None:
    if arguments.json:
        common.print_json(
            {
                "output": arguments.output,
                "bytes": read,
                "tokens": written,
                "load_seconds": round(load_seconds, 4),
                "seconds": round(seconds, 4),
            }
        )
        return
    print(
        f"{arguments.output}: {written:,} ids from {read / 1e6:,.1f} MB in {seconds:.2f} s "
        f"({read / 1e6 / max(seconds, 1e-9):,.1f} MB/s), {common.per_token(read, written):.2f} bytes "
        f"per token; the tokenizer loaded in {load_seconds:.3f} s"
    )
