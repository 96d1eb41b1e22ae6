"""`bpetok show`: how a text is cut, piece by piece, with the id of each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from bpetok.cli import common, pieces
from bpetok.cli.arguments import file_name, whole
from bpetok.cli.arguments import text as text_value
from bpetok.cli.common import SPECIAL_RULES
from bpetok.cli.stderr import say

if TYPE_CHECKING:
    import argparse

SHOWN = 500

EPILOG = f"""\
On a terminal pieces are coloured and their ids stand below each line. Elsewhere, or with NO_COLOR
set, there is one piece a line: id, tab, piece. More than {SHOWN} pieces are shown with --limit.

examples:
  bpetok show cl100k_base --text "Hello there"
  head README.md | bpetok show my.bpetok -
"""


def add_parser(verbs: Any) -> None:
    """Adds this command."""
    parser = common.add_verb(verbs, "show", "show how a text is cut into tokens", run, EPILOG)
    common.add_tokenizer(parser)
    text = parser.add_mutually_exclusive_group(required=True)
    text.add_argument(
        "file", type=file_name, metavar="FILE", nargs="?", help="a file to read; - is stdin"
    )
    text.add_argument("--text", type=text_value, help="the text itself")
    parser.add_argument(
        "--limit", type=whole(), default=SHOWN, metavar="N",
        help=f"show at most N pieces, 0 for all (default: {SHOWN})",
    )  # fmt: skip
    common.add_special(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Encodes and prints."""
    if arguments.file is not None:
        common.check_plain([arguments.file], f"bpetok show {arguments.tokenizer} -")
    tok = common.tokenizer(arguments)
    text = arguments.text if arguments.text is not None else common.read_bytes(arguments.file)
    with common.reading("--text" if arguments.file is None else arguments.file):
        ids = tok.encode(text, **SPECIAL_RULES[arguments.special])
    shown = ids[: arguments.limit] if arguments.limit else ids
    parts = [tok.token_bytes(token_id) for token_id in shown]
    if arguments.json:
        tokens = [
            {"id": token_id, "text": part.decode("utf-8", "replace"), "hex": part.hex()}
            for token_id, part in zip(shown, parts, strict=True)
        ]
        common.print_json({"count": len(ids), "tokens": tokens})
        return 0
    if common.use_colour(sys.stdout):
        for line in pieces.coloured_with_ids(shown, parts):
            print(line)
    else:
        for token_id, part in zip(shown, parts, strict=True):
            print(f"{token_id}\t{pieces.visible(part)}")
    if len(shown) < len(ids):
        left = len(ids) - len(shown)
        say(f"... and {left:,} more pieces: --limit 0 shows all")
    return 0
