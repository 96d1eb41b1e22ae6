"""Spark with two worker processes counts as one process does, and trains the same vocabulary."""

from __future__ import annotations

import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

import bpetok
import bpetok.pipelines.spark as adapter
from bpetok.pipelines.spark import count_dataframe, to_int64

pytest.importorskip("pyspark", reason="engine Spark: run `make test-engines`")
arrow = pytest.importorskip("pyarrow")
from pyspark.sql import SparkSession  # noqa: E402

VOCAB_SIZE = 3000


@pytest.fixture(scope="module")
def spark(java: None) -> Iterator[SparkSession]:
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def corpus(spark: SparkSession, texts: list[str]) -> Any:
    rows = [(number, text) for number, text in enumerate(texts)]
    return spark.createDataFrame(rows, "id bigint, text string").repartition(8).cache()


def test_the_vocabulary_is_that_of_a_local_run(
    corpus: Any, texts: list[str], local: bpetok.Counts
) -> None:
    counts = count_dataframe(corpus)
    assert counts.items() == local.items()
    tok, expected = bpetok.train(counts, VOCAB_SIZE), bpetok.train(texts, VOCAB_SIZE)
    assert tok.merges == expected.merges
    assert tok._to_bytes() == expected._to_bytes()


def test_several_processes_work(corpus: Any, tmp_path: pathlib.Path) -> None:
    folder = str(tmp_path)

    def process(batches: Any) -> Any:
        # Waits for a colleague, so that a slow start of the second worker cannot hide it.
        open(os.path.join(folder, str(os.getpid())), "w").close()
        deadline = time.monotonic() + 120
        while len(os.listdir(folder)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        yield from batches

    corpus.mapInArrow(process, corpus.schema).count()
    assert len(set(os.listdir(tmp_path)) - {str(os.getpid())}) >= 2


def test_partial_counts_empty_partitions_and_bytes_are_added_up(
    corpus: Any, local: bpetok.Counts
) -> None:
    assert count_dataframe(corpus, max_pretokens=1000).items() == local.items()
    assert count_dataframe(corpus.where("id < 0")).items() == []
    as_bytes = corpus.selectExpr("cast(text as binary) as body")
    assert count_dataframe(as_bytes, field="body").items() == local.items()


def test_bad_columns_are_named(corpus: Any) -> None:
    from pyspark.errors import PythonException

    with pytest.raises(
        bpetok.FormatError, match=r"no column 'body' in this dataframe; .*\['id', 'text'\]"
    ):
        count_dataframe(corpus, field="body")
    with pytest.raises(PythonException, match="column 'id' is int64"):
        count_dataframe(corpus, field="id")
    with pytest.raises(bpetok.PatternError):
        count_dataframe(corpus, pattern="(")


def test_counts_beyond_int64_are_refused(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = arrow.record_batch({"pretoken": [b"a"], "count": arrow.array([2**63], arrow.uint64())})
    with pytest.raises(bpetok.TrainError, match="int64 that Spark carries"):
        to_int64(batch)
    kept = to_int64(
        arrow.record_batch({"pretoken": [b"a"], "count": arrow.array([2**63 - 1], arrow.uint64())})
    )
    assert kept.column(1).to_pylist() == [2**63 - 1]

    # Two partial counts whose sum does not fit: a function that makes such stands in for centuries of text.
    def huge(batches: Any, **_: Any) -> Any:
        for _batch in batches:
            yield from [arrow.record_batch({"pretoken": [b"a"], "count": [2**62]})] * 2

    monkeypatch.setattr(adapter, "count_batches_int64", huge)
    rows = spark.createDataFrame([("a",)], "text string")
    with pytest.raises(bpetok.TrainError, match=r"1 pretokens occur more often than 2\^63 - 1"):
        count_dataframe(rows)
