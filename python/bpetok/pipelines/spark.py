"""Counting on Spark: `mapInArrow` counts each partition, Spark adds the counts up, and the sums come here.

Spark has no unsigned integers, so counts travel as int64. One that does not fit is an error, in a partition
as in a sum; it never wraps. A recipe is in docs/pipelines.md.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from bpetok._bpetok import Counts
from bpetok.errors import TrainError
from bpetok.pipelines.counting import MAX_PRETOKENS, count_batches, options_for
from bpetok.pipelines.optional import require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow
    from pyspark.sql import DataFrame

SCHEMA = "pretoken binary, count bigint"


def count_dataframe(
    dataframe: DataFrame,
    *,
    pattern: str = "cl100k",
    special_tokens: Iterable[str] = ("<|endoftext|>",),
    digits: str = "none",
    field: str = "text",
    max_pretokens: int = MAX_PRETOKENS,
) -> Counts:
    """The counts of a column of a Spark dataframe; `bpetok.train` takes them, and gives the merges it would give locally.

    The sums are collected on the driver: `spark.driver.maxResultSize` (1 GiB unless set) has to hold them.

    Args:
        dataframe: any dataframe with a text or binary column. bpetok must be installed on the workers.
        pattern, special_tokens, digits: as for `bpetok.train`, and with the same defaults.
        field: the column that holds the documents.
        max_pretokens: bounds the memory of a worker, see `count_batches`.

    Raises:
        FormatError: for a missing column. For one that is not text, or a null in it, Spark's own error for a
            failed task, which quotes the message.
        PatternError: for an invalid regex.
        TrainError: for a sum above 2^63 - 1.
        MissingPackageError: without Spark.

    Example, on a cluster or one machine::

        dataframe = spark.read.parquet("s3://bucket/corpus/")
        tok = bpetok.train(count_dataframe(dataframe), 100_000)
    """
    functions = require("pyspark.sql.functions", "spark", "Counting on Spark")
    from bpetok.pipelines.counts_arrow import from_arrow

    options = options_for("dataframe", dataframe.columns, field, pattern, special_tokens, digits)
    run = partial(count_batches_int64, field=field, max_pretokens=max_pretokens, **options)
    column = functions.col(f"`{field.replace('`', '``')}`")  # in quotes, since a name may hold dots
    counted = dataframe.select(column).mapInArrow(run, SCHEMA)
    # try_sum gives null where a sum passes 2^63 - 1; sum would wrap with ANSI mode off.
    summed = counted.groupBy("pretoken").agg(functions.try_sum("count").alias("count")).toArrow()
    if nulls := summed.column("count").null_count:
        raise TrainError(
            f"{nulls:,} pretokens occur more often than 2^63 - 1 times, which Spark cannot add up: count parts of "
            "the dataframe, and add those with Counts.merge, which goes to 2^64 - 1"
        )
    return from_arrow(summed, **options)


def count_batches_int64(
    batches: Iterable[pyarrow.RecordBatch], **options: Any
) -> Iterator[pyarrow.RecordBatch]:
    """`count_batches` with counts as int64; what `mapInArrow` is given.

    Raises:
        TrainError: for a count above 2^63 - 1.
        FormatError, PatternError: as `count_batches`.

    >>> import pyarrow
    >>> batches = [pyarrow.record_batch({"text": ["a a"]})]
    >>> next(count_batches_int64(batches, pattern="gpt2")).schema.types
    [DataType(binary), DataType(int64)]
    """
    for batch in count_batches(batches, **options):
        yield to_int64(batch)


def to_int64(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    """A batch of counts with `count` as int64.

    Raises:
        TrainError: for a count above 2^63 - 1.
    """
    import pyarrow

    try:
        counts = batch.column(1).cast(pyarrow.int64())
    except pyarrow.ArrowInvalid as error:
        raise TrainError(
            f"a count does not fit the int64 that Spark carries ({error}): count smaller parts"
        ) from None
    return pyarrow.record_batch([batch.column(0), counts], names=["pretoken", "count"])
