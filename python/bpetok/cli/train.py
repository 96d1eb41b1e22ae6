"""`bpetok train`: files of text or documents -> vocabulary, with a figure for how well it fits unseen text."""

from __future__ import annotations

import time
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bpetok import formats
from bpetok._bpetok import PRESETS, Counts
from bpetok.atomic import check_target
from bpetok.cli import common
from bpetok.cli.arguments import file_name, own_file, pattern, text, whole
from bpetok.cli.held_out import HeldOut
from bpetok.errors import TrainError
from bpetok.pipelines import files, read_documents
from bpetok.pipelines.documents import MAX_DOCUMENT_BYTES, format_of
from bpetok.progress import ProgressBar
from bpetok.sizes import parse_size
from bpetok.tokenizer import open_checkpoint, train

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from bpetok._bpetok import Tokenizer

LEAST_MEMORY = 192 << 20
PATTERN = "cl100k"

EPILOG = """\
FILE may be a glob in quotes, and - is stdin. A file is one text, except for documents:
  .jsonl, .ndjson   the text under --field in each line
  .parquet          each value of the column --field
Texts and JSON lines may be packed: .gz, .zst.

The vocabulary is trained on all of the text. To tell how well it would fit text it has not seen, a
second one is trained on the first nine tenths of each text file, or on nine of ten documents, and
measured on the rest; it is not kept, and --no-held-out saves its time.

examples:
  bpetok train book.txt -o my.bpetok
  bpetok train *.py -o code.bpetok --vocab-size 8192 --pattern gpt2
  bpetok train 'web/**/*.jsonl.gz' -o web.bpetok --field content --max-memory 2GiB
  cat a.txt b.txt | bpetok train - -o my.bpetok
"""


def add_parser(verbs: Any) -> None:
    """Adds this command."""
    parser = common.add_verb(verbs, "train", "make a vocabulary from text files", run, EPILOG)
    common.add_files(parser)
    parser.add_argument(
        "-o", "--output", type=own_file, metavar="TOK", required=True,
        help="file to write: .bpetok, .tiktoken, or tokenizer.json",
    )  # fmt: skip
    parser.add_argument(
        "--vocab-size", type=whole(), default=32_000, metavar="N",
        help="ids to make, bytes and special tokens included (default: 32000)",
    )  # fmt: skip
    parser.add_argument(
        "--pattern", type=pattern,
        help=f"how text is cut before merging: {', '.join(PRESETS)}, or a regex (default: {PATTERN})",
    )  # fmt: skip
    parser.add_argument(
        "--special-token", type=text, action="append", metavar="TEXT",
        help="a special token; may be given several times (default: <|endoftext|>); '' for none",
    )  # fmt: skip
    parser.add_argument(
        "--min-frequency", type=whole(), default=1, metavar="N",
        help="do not merge pairs that occur less often (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--field", type=text, default="text", metavar="NAME",
        help="the field of JSON lines or column of Parquet that holds the text (default: text)",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("text", "jsonl", "parquet"),
        help="what every file is (default: its suffix decides, and stdin is text)",
    )  # fmt: skip
    parser.add_argument(
        "--max-memory", metavar="SIZE",
        help="stay below it, as 2GiB: counts that do not fit wait in TMPDIR; longest document: a 16th",
    )  # fmt: skip
    parser.add_argument(
        "--max-token-bytes", type=whole(1), metavar="N",
        help="make no longer token (default: no limit)",
    )  # fmt: skip
    parser.add_argument(
        "--digits", choices=["none", "1", "1-3", "right-1-3"],
        help="cut runs of digits before the pattern: one by one, or threes from the left or right",
    )  # fmt: skip
    parser.add_argument(
        "--init", type=file_name, metavar="TOK",
        help="a tokenizer to extend: its ids, pattern, digits and special tokens stay (.bpetok)",
    )  # fmt: skip
    parser.add_argument(
        "--checkpoint", type=own_file, metavar="FILE",
        help="keep the merges so far in FILE; the same command goes on from there",
    )  # fmt: skip
    parser.add_argument(
        "--verbose-log", type=own_file, metavar="FILE",
        help="write each merge to FILE as a line of JSON",
    )  # fmt: skip
    parser.add_argument(
        "--no-held-out", action="store_true", help="do not train a second time for the figure"
    )
    common.add_threads(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Trains, saves, and reports."""
    common.check_stdin(arguments.files)
    names = files.expand(arguments.files)
    common.check_outputs(names, arguments.output, arguments.checkpoint, arguments.verbose_log)
    init = common.named_tokenizer(arguments.init, arguments.pattern) if arguments.init else None
    settings = _settings(arguments, init)
    options = {"threads": arguments.threads, "max_memory": _memory(arguments)}
    paths = [Path(name) for name in names if _is_plain(name, arguments.format)]
    others = [name for name in names if not _is_plain(name, arguments.format)]
    started = time.perf_counter()
    counts = Counts(*settings)
    held_out = HeldOut(settings, options)
    _rehearse(arguments, counts, init, options)
    with _log(arguments.verbose_log) as log:
        with ProgressBar.on_terminal() as report:
            if paths:
                counts.update(paths, progress=report, **options)
            documents = _documents(others, arguments, settings) if others else iter(())
            if arguments.no_held_out:
                counts.update(documents, progress=report, **options)
            else:
                held_out.count(documents, report)
                held_out.add_to(counts)
        tok = _train(arguments, counts, init, checkpoint=arguments.checkpoint, verbose=log)
    seconds = time.perf_counter() - started
    tok.save(arguments.output)
    figure = None
    if not arguments.no_held_out:
        figure = held_out.figure(paths, lambda kept: _train(arguments, kept, init))
    report_rows = {
        "output": arguments.output,
        "vocab_size": tok.vocab_size,
        "merges": len(tok.merges),
        "bytes": counts.bytes,
        "unique_pretokens": len(counts),
        "seconds": round(seconds, 3),
        "held_out_bytes_per_token": figure,
    }
    _print_report(arguments, report_rows)
    return 0


def _rehearse(
    arguments: argparse.Namespace, counts: Counts, init: Tokenizer | None, options: dict[str, Any]
) -> None:
    """Counts and trains on no text and writes it nowhere: counting may take hours, and what is wrong with the settings, the
    output or the checkpoint is better told before.
    """
    format = formats.format_for(arguments.output)
    counts.update((), **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Without a bar: merges to come are none to show before counting.
        format.write(_train(arguments, counts, init, progress=False), arguments.output)
    check_target(arguments.output)
    if arguments.checkpoint is not None:
        open_checkpoint(arguments.checkpoint, _limits(arguments), init, counts)


def _log(path: str | None) -> AbstractContextManager[IO[str] | None]:
    """The file of the log, opened before counting."""
    if path is None:
        return nullcontext()
    # Here, since hashlib comes with it, which other commands need not wait for.
    from bpetok.checkpoint import open_log_file

    return open_log_file(path)


def _limits(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        name: getattr(arguments, name)
        for name in ("vocab_size", "min_frequency", "max_token_bytes")
    }


def _memory(arguments: argparse.Namespace) -> int | None:
    """The budget of each count: with a held-out tenth three of them grow side by side, and the first nine documents are in two."""
    if arguments.max_memory is None:
        return None
    size = parse_size(arguments.max_memory)
    if arguments.no_held_out:
        return size
    if size < LEAST_MEMORY:
        raise TrainError(
            f"max_memory is {size:,} bytes: with the held-out figure give at least {LEAST_MEMORY:,} (192MiB), "
            "or --no-held-out"
        )
    return size * 2 // 3


def _is_plain(name: str, format: str | None) -> bool:
    """Whether it is text that Rust reads by itself: neither packed, nor documents, nor a pipe."""
    packed = files.split_compression(name)[1]
    return (format or format_of(name)) == "text" and not packed and not common.is_stream(name)


def _documents(
    names: list[str], arguments: argparse.Namespace, settings: tuple[str, list[str], str]
) -> Iterator[bytes]:
    return read_documents(
        names,
        field=arguments.field,
        format=arguments.format,
        pattern=settings[0],
        special_tokens=settings[1],
        max_document_bytes=_longest_document(arguments.max_memory),
    )


def _longest_document(max_memory: str | None) -> int:
    """A line of JSON is there several times, as it stands, decoded, and encoded again, and while documents are few, in two parts."""
    limit = MAX_DOCUMENT_BYTES
    return limit if max_memory is None else min(limit, parse_size(max_memory) // 16)


def _settings(arguments: argparse.Namespace, init: Tokenizer | None) -> tuple[str, list[str], str]:
    """Pattern, special tokens and digits to count with; those of `init` go before the defaults."""
    given: list[str] = arguments.special_token or ([] if init else ["<|endoftext|>"])
    specials = [text for text in given if text]
    if init is None:
        return arguments.pattern or PATTERN, specials, arguments.digits or "none"
    if arguments.digits not in (None, init.digits):
        raise TrainError(
            f"--digits {arguments.digits} is not the rule of {arguments.init} ({init.digits}): leave --digits out"
        )
    held = list(init.special_tokens)
    specials = held + [text for text in specials if text not in held]
    return arguments.pattern or init.pattern, specials, init.digits


def _train(
    arguments: argparse.Namespace,
    counts: Counts,
    init: Tokenizer | None,
    *,
    progress: bool = True,
    **files: Any,
) -> Tokenizer:
    return train(
        counts,
        **_limits(arguments),
        max_memory=arguments.max_memory,
        init=init,
        threads=arguments.threads,
        progress=progress,
        **files,
    )


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
