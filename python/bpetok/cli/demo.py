"""`bpetok demo`: the whole path once, on the sources of Python's own standard library.

Every machine with Python has them: 10 to 35 MB of real text, so nothing needs to be bundled or
fetched. They are read as bytes; some are broken UTF-8 on purpose, being test cases.
"""

from __future__ import annotations

import sys
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bpetok._bpetok import Tokenizer
from bpetok.atomic import check_target
from bpetok.cli import common, generate, pieces
from bpetok.cli.arguments import file_name, own_file
from bpetok.errors import Error
from bpetok.formats import format_for
from bpetok.progress import ProgressBar
from bpetok.tokenizer import load, train

if TYPE_CHECKING:
    import argparse

VOCAB_SIZE = 8_192
MIN_BYTES = 1_000_000
SITE_FOLDERS = {"site-packages", "dist-packages"}
OUTPUT = "demo.bpetok"
SAMPLE = "def tokenize(text):\n    return [piece for piece in text.split() if piece]  # naïve\n"

EPILOG = """\
examples:
  bpetok demo
  bpetok demo --source ~/my/books -o books.bpetok
  bpetok demo --generate
"""


class Row(NamedTuple):
    """One line of the table."""

    step: str
    seconds: float
    tokens: int


def add_parser(verbs: Any) -> None:
    """Adds this command."""
    help = "train, save, encode and decode on Python's own sources, and show it"
    parser = common.add_verb(verbs, "demo", help, run, EPILOG)
    parser.add_argument(
        "--source", metavar="PATH", type=lambda name: Path(file_name(name)),
        help="a file, or a folder of files, to use instead of Python's sources (1 MB at least)",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="TOK", type=own_file,
        help=f"where to save the vocabulary (default: {OUTPUT})",
    )  # fmt: skip
    parser.add_argument(
        "--generate", action="store_true",
        help="instead, let the two small models that come with bpetok write",
    )  # fmt: skip
    common.add_threads(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Does it all and checks that the bytes come back."""
    if arguments.generate:
        _check_alone(arguments)
        return generate.demonstrate()
    arguments.output = arguments.output or OUTPUT
    if format_for(arguments.output).name != "bpetok":
        raise Error(
            f"{arguments.output}: the demo reads back what it saves: use the suffix .bpetok"
        )
    check_target(arguments.output)
    documents = read_source(arguments.source)
    started = time.perf_counter()
    with ProgressBar.on_terminal() as report:
        tok = train(documents, VOCAB_SIZE, threads=arguments.threads, progress=report or False)
    trained = time.perf_counter()
    tok.save(arguments.output)
    tok = load(arguments.output)
    loaded = time.perf_counter()
    # The sources are ordinary text to us, whatever they spell.
    batch = tok.encode_batch(documents, disallowed_special=(), threads=arguments.threads)
    encoded = time.perf_counter()
    # Of no step: the first array of a process imports NumPy.
    ids, text = batch.ids, b"".join(documents)
    ready = time.perf_counter()
    equal = tok.decode_bytes(ids) == text
    decoded = time.perf_counter()
    rows = [
        Row("train", trained - started, tok.vocab_size),
        Row("encode", encoded - loaded, len(ids)),
        Row("decode", decoded - ready, len(ids)),
    ]
    _print_report(arguments, documents, rows, equal, tok)
    return 0 if equal else 1


def _check_alone(arguments: argparse.Namespace) -> None:
    """With `--generate` there is no training and no report, so that other options would be for nothing."""
    options = {
        "--source": arguments.source,
        "-o": arguments.output,
        "--threads": arguments.threads,
        "--json": arguments.json,
    }
    if given := [option for option, value in options.items() if value]:
        raise Error(f"--generate only writes text: leave {', '.join(given)} out")


def read_source(source: Path | None) -> list[bytes]:
    """The files to train on, each one document.

    Raises:
        Error: if there is less than 1 MB of them.
        OSError: if one cannot be read.
    """
    if source is None:
        folder = Path(sysconfig.get_paths()["stdlib"])
        paths = [
            path for path in sorted(folder.rglob("*.py"))
            if not SITE_FOLDERS.intersection(path.parts)
        ]  # fmt: skip
    elif source.is_dir():
        folder = source
        paths = [path for path in sorted(folder.rglob("*")) if not path.name.startswith(".")]
    else:
        folder, paths = source, [source]
    documents = [path.read_bytes() for path in paths if path.is_file() or path == source]
    size = sum(map(len, documents))
    if size < MIN_BYTES:
        raise Error(
            f"{folder} has {size:,} bytes of text, and the demo needs {MIN_BYTES:,}: name a larger "
            "file or folder with --source"
        )
    return documents


def _print_report(
    arguments: argparse.Namespace,
    documents: list[bytes],
    rows: list[Row],
    equal: bool,
    tok: Tokenizer,
) -> None:
    size = sum(map(len, documents))
    tokens = rows[1].tokens
    if arguments.json:
        common.print_json(
            {
                "files": len(documents),
                "bytes": size,
                "output": arguments.output,
                "vocab_size": tok.vocab_size,
                "seconds": {row.step: round(row.seconds, 4) for row in rows},
                "tokens": tokens,
                "bytes_per_token": round(common.per_token(size, tokens), 4),
                "bytes_equal": equal,
            }
        )
        return
    table = [["", "files", "MB", "seconds", "MB/s", "tokens", "bytes per token"]]
    for row in rows:
        figures = [f"{len(documents):,}", f"{size / 1e6:.1f}", f"{row.seconds:.2f}"]
        figures.append(f"{size / 1e6 / max(row.seconds, 1e-9):,.0f}")
        if row.step == "train":
            figures += [f"{row.tokens:,}", ""]
        else:
            figures += [f"{row.tokens:,}", f"{common.per_token(size, row.tokens):.2f}"]
        table.append([row.step, *figures])
    common.print_table(table)
    print(f"decoded bytes equal the files: {'yes' if equal else 'NO, this is a bug'}")
    print(f"saved {arguments.output}; look at more text: bpetok show {arguments.output} FILE\n")
    parts = [tok.token_bytes(token_id) for token_id in tok.encode(SAMPLE)]
    colour = common.use_colour(sys.stdout)
    print((pieces.coloured if colour else pieces.bracketed)(parts).rstrip("\n"))
