"""`bpetok decode`: ids -> the bytes they stand for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from bpetok.atomic import write_atomic
from bpetok.cli import common
from bpetok.errors import Error
from bpetok.pipelines.files import STDIN

if TYPE_CHECKING:
    import argparse

ID_BYTES = 4

EPILOG = """\
examples:
  bpetok decode my.bpetok book.ids -o book.txt
  bpetok encode my.bpetok book.txt -o - | bpetok decode my.bpetok - | cmp - book.txt
"""


def add_parser(verbs: Any) -> None:
    """Adds this command."""
    parser = common.add_verb(verbs, "decode", "turn ids back into text", run, EPILOG)
    common.add_tokenizer(parser)
    parser.add_argument("ids", metavar="IDS", help="a file of uint32 little-endian ids; - is stdin")
    parser.add_argument("-o", "--output", metavar="FILE", help="file to write (default: stdout)")


def run(arguments: argparse.Namespace) -> int:
    """Decodes and writes."""
    import numpy

    tok = common.tokenizer(arguments)
    data = common.read_bytes(arguments.ids)
    if len(data) % ID_BYTES:
        raise Error(
            f"{arguments.ids} has {len(data)} bytes, which is not a multiple of {ID_BYTES}: it is "
            "not a file of uint32 ids, or it was cut short"
        )
    text = tok.decode_bytes(numpy.frombuffer(data, dtype="<u4"))
    if arguments.output is None or arguments.output == STDIN:
        sys.stdout.buffer.write(text)
    else:
        write_atomic(arguments.output, text)
    return 0
