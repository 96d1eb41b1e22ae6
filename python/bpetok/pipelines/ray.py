"""Counting on Ray Data: each block is counted where it lies, and the counts are added up here.

Only counts travel: a block of 128 MB of text comes back as a few MB. A recipe is in docs/pipelines.md.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from bpetok._bpetok import Counts
from bpetok.pipelines.counting import MAX_PRETOKENS, count_batches, options_for
from bpetok.pipelines.optional import require

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow
    from ray.data import Dataset


def count_dataset(
    dataset: Dataset,
    *,
    pattern: str = "cl100k",
    special_tokens: Iterable[str] = ("<|endoftext|>",),
    digits: str = "none",
    field: str = "text",
    max_pretokens: int = MAX_PRETOKENS,
    **resources: Any,
) -> Counts:
    """The counts of a column of a Ray dataset; `bpetok.train` takes them, and gives the merges it would give locally.

    Args:
        dataset: any dataset with a text or binary column. bpetok must be installed on the workers.
        pattern, special_tokens, digits: as for `bpetok.train`, and with the same defaults.
        field: the column that holds the documents.
        max_pretokens: bounds the memory of a worker, see `count_batches`.
        **resources: for `Dataset.map_batches`, such as `num_cpus` or `concurrency`.

    Raises:
        FormatError: for a missing column. For one that is not text, or a null in it, Ray's own error for a
            failed task, which quotes the message.
        PatternError: for an invalid regex.
        TrainError: for a count above 2^64 - 1.
        MissingPackageError: without Ray.

    Example, on a cluster or one machine::

        dataset = ray.data.read_parquet("s3://bucket/corpus/")
        tok = bpetok.train(count_dataset(dataset), 100_000)
    """
    require("ray.data", "ray", "Counting on Ray")
    from bpetok.pipelines.counts_arrow import from_arrow

    options = options_for("dataset", dataset.columns(), field, pattern, special_tokens, digits)
    total = Counts(**options)
    counted = dataset.select_columns([field]).map_batches(
        partial(_count_block, field=field, max_pretokens=max_pretokens, **options),
        batch_format="pyarrow",
        batch_size=None,  # a whole block at a time, without copying it
        zero_copy_batch=True,
        **resources,
    )
    for table in counted.iter_batches(batch_format="pyarrow", batch_size=None):
        total.merge(from_arrow(table, **options))
    return total


def _count_block(block: pyarrow.Table, **options: Any) -> pyarrow.Table:
    """`count_batches` in the shape that Ray calls: one table in, one out."""
    import pyarrow

    from bpetok.pipelines.counts_arrow import schema_of

    settings: dict[str, Any] = {
        name: options[name] for name in ("pattern", "special_tokens", "digits")
    }
    return pyarrow.Table.from_batches(
        count_batches(block.to_batches(), **options), schema_of(Counts(**settings))
    )
