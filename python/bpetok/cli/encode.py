"""`bpetok encode`: text files -> ids, as uint32 little-endian or as numbers to read."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from bpetok.atomic import open_atomic
from bpetok.cli import common
from bpetok.cli.common import SPECIAL_RULES, STDIN
from bpetok.errors import Error

if TYPE_CHECKING:
    import argparse
    from typing import IO

    from bpetok._bpetok import Tokenizer

EPILOG = """\
Each file is one text, and ids of all files follow one another in the output. In Python:
numpy.fromfile("book.ids", dtype="<u4") reads them.

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
        "-o", "--output", metavar="IDS",
        help="file for the ids, 4 bytes each (uint32, little-endian); - is stdout; without it the "
        "ids are printed as numbers, one line for each file",
    )  # fmt: skip
    common.add_special(parser)
    common.add_threads(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Encodes, writes, and reports."""
    common.check_one_stdin(arguments.files)
    if arguments.json and arguments.output in (None, STDIN):
        raise Error("--json needs -o FILE: stdout cannot carry both the ids and the report")
    if arguments.output == STDIN and sys.stdout.isatty():
        raise Error("-o - would write binary ids to the terminal: redirect them, or leave -o out")
    started = time.perf_counter()
    tok = common.tokenizer(arguments)
    loaded = time.perf_counter()
    if arguments.output is None:
        for name in arguments.files:
            ids = tok.encode(common.read_bytes(name), **SPECIAL_RULES[arguments.special])
            print(*ids)
        return 0
    if arguments.output == STDIN:
        _encode_all(tok, arguments, sys.stdout.buffer)
        return 0
    with open_atomic(arguments.output) as file:
        read, written = _encode_all(tok, arguments, file)
    _report(arguments, read, written, loaded - started, time.perf_counter() - loaded)
    return 0


def _encode_all(tok: Tokenizer, arguments: argparse.Namespace, file: IO[bytes]) -> tuple[int, int]:
    """Bytes read and ids written."""
    read = written = 0
    for name in arguments.files:
        text = common.read_bytes(name)
        batch = tok.encode_batch(
            [text], threads=arguments.threads, **SPECIAL_RULES[arguments.special]
        )
        file.write(batch.ids.astype("<u4", copy=False).data)
        read += len(text)
        written += len(batch.ids)
    return read, written


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
