"""`bpetok train`: text files -> vocabulary, with a figure for how well it fits unseen text."""

from __future__ import annotations

import time
import warnings
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpetok import formats
from bpetok._bpetok import PRESETS, Counts
from bpetok.cli import common
from bpetok.progress import ProgressBar
from bpetok.tokenizer import train

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from bpetok._bpetok import Tokenizer

PATTERN = "cl100k"
HELD_OUT_SHARE = 10
BLOCK_BYTES = 4 << 20

EPILOG = """\
The vocabulary is trained on all of the text. To tell how well it would fit text it has not seen, a
second one is trained on the first nine tenths of each file and measured on the last tenth; it is
not kept, and --no-held-out saves its time.

examples:
  bpetok train book.txt -o my.bpetok
  bpetok train *.py -o code.bpetok --vocab-size 8192 --pattern gpt2
  cat a.txt b.txt | bpetok train - -o my.bpetok
"""


def add_parser(verbs: Any) -> None:
    """Adds this command."""
    parser = common.add_verb(verbs, "train", "make a vocabulary from text files", run, EPILOG)
    common.add_files(parser)
    parser.add_argument(
        "-o", "--output", metavar="TOK", required=True, help="file to write: .bpetok, or .tiktoken"
    )
    parser.add_argument(
        "--vocab-size", type=int, default=32_000, metavar="N",
        help="ids to make, bytes and special tokens included (default: 32000)",
    )  # fmt: skip
    parser.add_argument(
        "--pattern",
        help=f"how text is cut before merging: {', '.join(PRESETS)}, or a regex (default: {PATTERN})",
    )  # fmt: skip
    parser.add_argument(
        "--special-token", action="append", metavar="TEXT",
        help="a special token; may be given several times (default: <|endoftext|>); '' for none",
    )  # fmt: skip
    parser.add_argument(
        "--min-frequency", type=int, default=1, metavar="N",
        help="do not merge pairs that occur less often (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--max-token-bytes", type=int, metavar="N", help="make no longer token (default: no limit)"
    )
    parser.add_argument(
        "--digits", choices=["none", "1", "1-3", "right-1-3"],
        help="cut runs of digits before the pattern: one by one, or threes from the left or right",
    )  # fmt: skip
    parser.add_argument(
        "--init", metavar="TOK",
        help="a tokenizer to extend: its ids, pattern, digits and special tokens stay (.bpetok)",
    )  # fmt: skip
    parser.add_argument(
        "--checkpoint", metavar="FILE",
        help="keep the merges so far in FILE; the same command goes on from there",
    )  # fmt: skip
    parser.add_argument(
        "--verbose-log", metavar="FILE", help="write each merge to FILE as a line of JSON"
    )
    parser.add_argument(
        "--no-held-out", action="store_true", help="do not train a second time for the figure"
    )
    common.add_threads(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Trains, saves, and reports."""
    common.check_one_stdin(arguments.files)
    formats.format_for(arguments.output)  # a bad suffix is better told before the work than after
    init = common.named_tokenizer(arguments.init, arguments.pattern) if arguments.init else None
    settings = _settings(arguments, init)
    paths = [Path(name) for name in arguments.files if not common.is_stream(name)]
    texts = [common.read_bytes(name) for name in arguments.files if common.is_stream(name)]
    started = time.perf_counter()
    counts = Counts(*settings)
    for source in (paths, texts):
        if source:
            _count(counts, source, arguments)
    tok = _train(
        arguments,
        counts,
        init,
        checkpoint=arguments.checkpoint,
        verbose=arguments.verbose_log,
    )
    seconds = time.perf_counter() - started
    tok.save(arguments.output)
    report_rows = {
        "output": arguments.output,
        "vocab_size": tok.vocab_size,
        "merges": len(tok.merges),
        "bytes": counts.bytes,
        "unique_pretokens": len(counts),
        "seconds": round(seconds, 3),
        "held_out_bytes_per_token": None
        if arguments.no_held_out
        else _held_out_figure(arguments, settings, init, paths, texts),
    }
    _print_report(arguments, report_rows)
    return 0


def _count(
    counts: Counts, source: Iterable[bytes] | list[Path], arguments: argparse.Namespace
) -> None:
    with ProgressBar.on_terminal() as report:
        counts.update(source, threads=arguments.threads, progress=report)


def _settings(arguments: argparse.Namespace, init: Tokenizer | None) -> tuple[str, list[str], str]:
    """Pattern, special tokens and digits to count with; those of `init` go before the defaults."""
    given: list[str] = arguments.special_token or ([] if init else ["<|endoftext|>"])
    specials = [text for text in given if text]
    if init is None:
        return arguments.pattern or PATTERN, specials, arguments.digits or "none"
    held = list(init.special_tokens)
    specials = held + [text for text in specials if text not in held]
    return arguments.pattern or init.pattern, specials, arguments.digits or init.digits


def _train(
    arguments: argparse.Namespace, counts: Counts, init: Tokenizer | None, **files: str | None
) -> Tokenizer:
    with ProgressBar.on_terminal() as report:
        return train(
            counts,
            arguments.vocab_size,
            min_frequency=arguments.min_frequency,
            max_token_bytes=arguments.max_token_bytes,
            init=init,
            threads=arguments.threads,
            progress=report or False,
            checkpoint=files.get("checkpoint"),
            verbose=files.get("verbose"),
        )


def _held_out_figure(
    arguments: argparse.Namespace,
    settings: tuple[str, list[str], str],
    init: Tokenizer | None,
    paths: list[Path],
    texts: list[bytes],
) -> float | None:
    """Bytes per token on the last tenth of each input, trained on the rest; `None` for no text."""
    counts = Counts(*settings)
    sizes = {path: path.stat().st_size for path in paths}
    for path, size in sizes.items():
        _count(counts, _blocks(path, 0, _cut(size)), arguments)
    _count(counts, [text[: _cut(len(text))] for text in texts], arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a smaller vocabulary has been warned of once already
        tok = _train(arguments, counts, init)
    held = [text[_cut(len(text)) :] for text in texts]
    blocks = chain(held, *(_blocks(path, _cut(size), size) for path, size in sizes.items()))
    byte_count = token_count = 0
    for block in blocks:
        byte_count += len(block)
        token_count += tok.count(block, allowed_special="all")
    return round(common.per_token(byte_count, token_count), 4) if token_count else None


def _cut(size: int) -> int:
    return size - size // HELD_OUT_SHARE


def _blocks(path: Path, start: int, end: int) -> Iterator[bytes]:
    """Part of a file in blocks, so that memory stays bounded; cuts follow a line's end.

    A cut may split a pretoken in two, one in some 4 MB: enough for a figure, and the reason why the
    vocabulary that is kept is not trained on blocks.
    """
    rest = b""
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (block := file.read(min(BLOCK_BYTES, end - start))):
            start += len(block)
            whole, newline, rest_of_line = (rest + block).rpartition(b"\n")
            yield whole + newline
            rest = rest_of_line
    yield rest


def _print_report(arguments: argparse.Namespace, report: dict[str, Any]) -> None:
    if arguments.json:
        common.print_json(report)
        return
    megabytes, seconds = report["bytes"] / 1e6, report["seconds"]
    print(
        f"{report['output']}: {report['vocab_size']:,} ids, {report['merges']:,} merges, "
        f"from {megabytes:,.1f} MB in {seconds:.2f} s ({megabytes / max(seconds, 1e-9):,.1f} MB/s)"
    )
    figure = report["held_out_bytes_per_token"]
    if figure is not None:
        print(f"{figure:.2f} bytes per token on a held-out tenth, trained without it")
