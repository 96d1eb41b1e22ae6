"""`bpetok decode`: ids -> the bytes they stand for, in blocks, so that files may be larger than the memory."""

from __future__ import annotations

import sys
from array import array
from contextlib import nullcontext
from typing import IO, TYPE_CHECKING, Any

from bpetok.atomic import open_atomic
from bpetok.cli import common
from bpetok.cli.arguments import file_name
from bpetok.errors import Error
from bpetok.pipelines.files import STDIN, standard_input
from bpetok.progress import ProgressBar

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

ID_BYTES = 4
BLOCK_BYTES = 1 << 20

EPILOG = """\
examples:
  bpetok decode my.bpetok book.ids -o book.txt
  bpetok encode my.bpetok book.txt -o - | bpetok decode my.bpetok - | cmp - book.txt
"""


def add_parser(verbs: Any) -> None:
    """Adds this command."""
    parser = common.add_verb(verbs, "decode", "turn ids back into text", run, EPILOG)
    common.add_tokenizer(parser)
    parser.add_argument(
        "ids", type=file_name, metavar="IDS",
        help="a file of uint32 little-endian ids; - is stdin",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=file_name, metavar="FILE", help="file to write (default: stdout)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Decodes and writes."""
    name = arguments.ids
    common.check_outputs([arguments.tokenizer, name], arguments.output)
    tok = common.tokenizer(arguments)
    with (
        _source(name) as source,
        _target(arguments.output) as target,
        ProgressBar.on_terminal() as bar,
    ):
        report = common.drawing(bar, "decode", [name])
        done = 0
        for block in _blocks(source, name):
            with common.reading(
                name if done == 0 else f"{common.shown(name)}, counted from id {done // ID_BYTES:,}"
            ):
                target.write(tok.decode_bytes(_numbers(block)))
            done += len(block)
            if report is not None:
                report(done)
    return 0


def _source(name: str) -> AbstractContextManager[IO[bytes]]:
    return nullcontext(standard_input()) if name == STDIN else open(name, "rb")


def _target(output: str | None) -> AbstractContextManager[IO[bytes]]:
    return nullcontext(sys.stdout.buffer) if output in (None, STDIN) else open_atomic(output)


def _blocks(source: IO[bytes], name: str) -> Iterator[bytes]:
    """The ids, a block at a time; each block is whole ids."""
    size = 0
    while block := source.read(BLOCK_BYTES):
        size += len(block)
        if len(block) % ID_BYTES:
            raise Error(
                f"{common.shown(name)} has {size} bytes, which is not a multiple of {ID_BYTES}: it is not a file of uint32 "
                "ids, or it was cut short"
            )
        yield block


def _numbers(block: bytes) -> array[int]:
    """The ids of a block, in the order of bytes of this machine."""
    ids = array("I", block)
    if sys.byteorder == "big":
        ids.byteswap()
    return ids
