"""Counts pretokens in Arrow record batches: the one function that data engines are given to run.

What an engine does with it is its own affair: `ray` and `spark` beside this file are two ways. The counts
of any split of the documents add up to the counts of all of them, so that it does not matter which
worker saw which document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpetok._bpetok import Counts
from bpetok.errors import FormatError
from bpetok.pipelines.optional import require
from bpetok.texts import checked_text, text_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow

MAX_PRETOKENS = 4_000_000
"""Distinct pretokens held before they are handed on; about half a GiB of state."""


def count_batches(
    batches: Iterable[pyarrow.RecordBatch] | pyarrow.Table,
    *,
    pattern: str = "cl100k",
    special_tokens: Iterable[str] = ("<|endoftext|>",),
    digits: str = "none",
    field: str = "text",
    max_pretokens: int = MAX_PRETOKENS,
    threads: int | None = 1,
) -> Iterator[pyarrow.RecordBatch]:
    """Batches of documents to batches of (pretoken: binary, count: uint64).

    A pure function: it keeps nothing and names no engine. Bind the options with `functools.partial`.
    A pretoken may come out more than once, where `max_pretokens` was reached in between; add the
    counts up (`bpetok.pipelines.counts_arrow.from_arrow` does).

    Args:
        batches: record batches with a text or binary column, or a table of them.
        pattern, special_tokens, digits: as for `bpetok.train`, and with the same defaults.
        field: the column that holds the documents.
        max_pretokens: how many distinct pretokens to hold at one time; bounds the memory of a worker.
        threads: of one worker; engines start one worker for each core, so the default is one.

    Raises:
        TypeError: for something else than record batches.
        FormatError: for a missing column, one that is not text or binary, or a null in it.
        PatternError: for an invalid regex.
        MissingPackageError: without pyarrow.

    >>> import pyarrow
    >>> batch = pyarrow.record_batch({"text": ["a b a", "b"]})
    >>> [row for out in count_batches([batch], pattern="gpt2") for row in out.to_pylist()]
    [{'pretoken': b' a', 'count': 1}, {'pretoken': b' b', 'count': 1}, {'pretoken': b'a', 'count': 1}, \
{'pretoken': b'b', 'count': 1}]
    """
    # Imported here, so that `import bpetok.pipelines` stays free of pyarrow.
    from bpetok.pipelines.counts_arrow import to_arrow
    from bpetok.pipelines.documents import documents_of

    checked_text(pattern, "pattern")
    specials = text_list(special_tokens)
    counts = Counts(pattern, specials, digits)
    for number, batch in enumerate(_each(batches)):
        counts.update(documents_of(batch, field, f"record batch {number}"), threads=threads)
        if len(counts) >= max_pretokens:
            yield from to_arrow(counts).to_batches()
            counts = Counts(pattern, specials, digits)
    if len(counts):
        yield from to_arrow(counts).to_batches()


def _each(batches: Any) -> Iterator[Any]:
    """The batches. A table would hand out its columns, and a record batch too."""
    arrow = require("pyarrow", "arrow", "Counting Arrow record batches")
    if isinstance(batches, arrow.Table):
        batches = batches.to_batches()
    elif isinstance(batches, arrow.RecordBatch):
        batches = [batches]
    for number, batch in enumerate(batches):
        if not isinstance(batch, (arrow.RecordBatch, arrow.Table)):
            raise TypeError(
                f"batches must be pyarrow record batches, and number {number} is of type "
                f"{type(batch).__name__}: give an iterable of them, or a pyarrow.Table"
            )
        yield batch


def options_for(
    what: str,
    columns: Sequence[str] | None,
    field: str,
    pattern: str,
    special_tokens: Iterable[str],
    digits: str,
) -> dict[str, Any]:
    """The settings as an adapter hands them to the tasks, found fit here and not in every task.

    Args:
        what: what the engine calls its table.
        columns: its columns, if the engine knows them.
        field: the one that holds the documents.
        pattern, special_tokens, digits: as for `bpetok.train`.

    Raises:
        FormatError: for a missing column.
        PatternError: for an invalid regex.

    >>> options_for("dataset", ["id", "text"], "body", "gpt2", (), "none")
    Traceback (most recent call last):
    ...
    bpetok.errors.FormatError: no column 'body' in this dataset; the columns there are ['id', 'text']
    """
    if columns is not None and field not in columns:
        raise FormatError(f"no column {field!r} in this {what}; the columns there are {columns}")
    options: dict[str, Any] = {
        "pattern": checked_text(pattern, "pattern"),
        "special_tokens": text_list(special_tokens),
        "digits": digits,
    }
    Counts(**options)
    return options
