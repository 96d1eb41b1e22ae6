"""Ray Data with two worker processes counts as one process does, and trains the same vocabulary."""

from __future__ import annotations

import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

import bpetok
from bpetok.pipelines.ray import count_dataset

ray = pytest.importorskip("ray", reason="engine Ray: run `make test-engines`")
pytest.importorskip("ray.data", reason="engine Ray: run `make test-engines`")
arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
VOCAB_SIZE = 3000


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray.init(
        num_cpus=2, include_dashboard=False, object_store_memory=200_000_000, log_to_driver=False
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def dataset(texts: list[str]) -> Any:
    """The corpus in eight blocks, so that both workers get some."""
    parts = [texts[number::8] for number in range(8)]
    return ray.data.from_arrow(
        [arrow.table({"id": list(range(len(part))), "text": part}) for part in parts]
    )


def test_the_vocabulary_is_that_of_a_local_run(
    dataset: Any, texts: list[str], local: bpetok.Counts
) -> None:
    counts = count_dataset(dataset)
    assert counts.items() == local.items()
    tok, expected = bpetok.train(counts, VOCAB_SIZE), bpetok.train(texts, VOCAB_SIZE)
    assert tok.merges == expected.merges
    assert tok._to_bytes() == expected._to_bytes()


def test_several_processes_work(dataset: Any, tmp_path: pathlib.Path) -> None:
    folder = str(tmp_path)

    def process(table: Any) -> Any:
        # Waits for a colleague, so that a slow start of the second worker cannot hide it.
        open(os.path.join(folder, str(os.getpid())), "w").close()
        deadline = time.monotonic() + 120
        while len(os.listdir(folder)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        return table

    dataset.map_batches(process, batch_format="pyarrow", batch_size=None).count()
    assert len(set(os.listdir(tmp_path)) - {str(os.getpid())}) >= 2


def test_partial_counts_and_empty_blocks_are_added_up(dataset: Any, local: bpetok.Counts) -> None:
    assert count_dataset(dataset, max_pretokens=1000).items() == local.items()
    assert count_dataset(dataset.filter(expr="id < 0")).items() == []
    total = count_dataset(dataset.filter(expr="id < 100"))
    total.merge(count_dataset(dataset.filter(expr="id >= 100")))
    assert total.items() == local.items()


def test_files_are_counted(texts: list[str], local: bpetok.Counts, tmp_path: pathlib.Path) -> None:
    for number in range(4):
        part = arrow.table({"id": list(range(len(texts[number::4]))), "text": texts[number::4]})
        parquet.write_table(part, tmp_path / f"{number}.parquet")
    assert count_dataset(ray.data.read_parquet(str(tmp_path))).items() == local.items()


def test_bad_columns_are_named(dataset: Any) -> None:
    with pytest.raises(
        bpetok.FormatError, match="no column 'body' in this dataset; the columns there are"
    ):
        count_dataset(dataset, field="body")
    with pytest.raises(ray.exceptions.RayTaskError, match="column 'id' is int64"):
        count_dataset(dataset, field="id")
    with pytest.raises(bpetok.PatternError):
        count_dataset(dataset, pattern="(")
