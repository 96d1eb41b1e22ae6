"""`bpetok count`: how many tokens a text has; files may be larger than the memory, as for `bpetok encode -o`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from bpetok.cli import common
from bpetok.cli.common import SPECIAL_RULES
from bpetok.pipelines.files import STDIN
from bpetok.progress import ProgressBar

if TYPE_CHECKING:
    import argparse

EPILOG = """\
examples:
  bpetok count cl100k_base notes.txt
  bpetok count my.bpetok *.md --json
"""


def add_parser(verbs: Any) -> None:
    """Adds this command."""
    parser = common.add_verb(verbs, "count", "count the tokens of files", run, EPILOG)
    common.add_tokenizer(parser)
    common.add_files(parser)
    common.add_special(parser)
    common.add_threads(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Counts each file and the sum."""
    common.check_stdin(arguments.files)
    common.check_plain(arguments.files, f"bpetok count {arguments.tokenizer} -")
    tok = common.tokenizer(arguments)
    rows: list[tuple[str, int, int]] = []
    with ProgressBar.on_terminal() as bar:
        for name in arguments.files:
            # The ids of a text in blocks, which nobody keeps.
            size, tokens = tok._encode_files(
                [None if name == STDIN else name],
                os.devnull,
                threads=arguments.threads,
                report=common.drawing(bar, "count", [name]),
                **SPECIAL_RULES[arguments.special],
            )
            rows.append((name, tokens, size))
    total = ("total", sum(row[1] for row in rows), sum(row[2] for row in rows))
    if arguments.json:
        files = [_as_json(row) for row in rows]
        common.print_json({"files": files, "tokens": total[1], "bytes": total[2]})
        return 0
    shown = [*rows, total] if len(rows) > 1 else rows
    table = [["file", "tokens", "bytes", "bytes per token"]]
    for name, tokens, size in shown:
        table.append([name, f"{tokens:,}", f"{size:,}", f"{common.per_token(size, tokens):.2f}"])
    common.print_table(table)
    return 0


def _as_json(row: tuple[str, int, int]) -> dict[str, Any]:
    name, tokens, size = row
    return {"file": name, "tokens": tokens, "bytes": size}
