"""Counts as Arrow tables and Parquet files, and `count_batches`: exact, deterministic, refused where they differ."""

from __future__ import annotations

import functools
import os
import pathlib
import random
from typing import Any

import pytest

import bpetok
from bpetok import Counts
from bpetok.errors import FormatError, TrainError
from bpetok.pipelines import count_batches, counts_arrow

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

SPECIALS = ["<|endoftext|>"]
TEXTS = ["the cat in the hat", "naïve 我们 <|endoftext|> the end\n", "", "12345 cats"]


def counted(texts: list[str], **options: Any) -> Counts:
    counts = Counts(**({"pattern": "gpt2", "special_tokens": SPECIALS} | options))
    counts.update(texts)
    return counts


def table_of(rows: dict[bytes, int], count_type: str = "int64") -> Any:
    return arrow.table(
        {
            "pretoken": arrow.array(list(rows), arrow.binary()),
            "count": arrow.array(list(rows.values()), count_type),
        }
    )


def test_tables_hold_what_was_counted_in_order() -> None:
    counts = counted(TEXTS)
    table = counts_arrow.to_arrow(counts)
    assert table.schema.types == [arrow.binary(), arrow.uint64()]
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    assert rows == sorted(counts.items())
    assert table.schema.metadata[b"unicode_version"].decode() == bpetok.UNICODE_VERSION
    again = counts_arrow.from_arrow(table)
    assert (again.items(), again.pattern) == (counts.items(), counts.pattern)
    assert list(again.special_tokens) == SPECIALS
    assert counts_arrow.from_arrow(counts_arrow.to_arrow(counted([]))).items() == []


def test_files_are_the_same_bytes_whatever_the_order_of_counting(tmp_path: pathlib.Path) -> None:
    for name, texts in (("a", TEXTS), ("b", TEXTS[::-1])):
        counts_arrow.save(counted(texts), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert counts_arrow.load(tmp_path / "a").items() == counted(TEXTS).items()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_counts_of_any_size_and_bytes_survive(tmp_path: pathlib.Path) -> None:
    rows = {b"\xff\x00": 2**64 - 1, b"a" * 70_000: 2**53 + 1, b"b": 2**32}
    counts = counts_arrow.from_arrow(table_of(rows, "uint64"), pattern="gpt2", special_tokens=())
    counts_arrow.save(counts, tmp_path / "a.parquet")
    assert dict(counts_arrow.load(tmp_path / "a.parquet").items()) == rows


def test_rows_in_any_order_and_chunks_are_added_up() -> None:
    choice = random.Random(1)
    expected: dict[bytes, int] = {}
    tables = []
    for _ in range(20):
        rows = {
            choice.randbytes(choice.randrange(1, 3)): choice.randrange(1, 2**40) for _ in range(30)
        }
        for key, value in rows.items():
            expected[key] = expected.get(key, 0) + value
        # A slice has offsets that do not begin at 0; dropping a row from each end tests that.
        padded = table_of({b"first": 1, **rows, b"last": 1})
        tables.append(padded.slice(1, len(rows)))
    joined = arrow.concat_tables(tables)
    counts = counts_arrow.from_arrow(joined, pattern="gpt2", special_tokens=())
    assert dict(counts.items()) == expected
    ordered = counts_arrow.to_arrow(counts)
    assert ordered.column("pretoken").to_pylist() == sorted(expected)


def test_columns_beyond_32_bit_offsets_come_in_chunks() -> None:
    values = [b"a", b"bb" * 3, b"", b"c" * 8, b"d"]
    whole = arrow.array(values, arrow.large_binary())
    for limit in (8, 9, 14, 100):
        for start in range(len(values)):
            chunked = counts_arrow._to_binary(whole.slice(start), limit)
            assert chunked.to_pylist() == values[start:]
            assert all(sum(map(len, chunk.to_pylist())) <= limit for chunk in chunked.chunks)
    with pytest.raises(FormatError, match="a pretoken of 8 bytes"):
        counts_arrow._to_binary(whole, 7)


def test_sums_above_64_bits_are_refused() -> None:
    table = arrow.concat_tables([table_of({b"a": 2**63}, "uint64")] * 2)
    with pytest.raises(TrainError, match="18446744073709551615"):
        counts_arrow.from_arrow(table, pattern="gpt2", special_tokens=())


def test_other_settings_are_refused(tmp_path: pathlib.Path) -> None:
    table = counts_arrow.to_arrow(counted(TEXTS))
    assert counts_arrow.from_arrow(table, pattern="gpt2", special_tokens=SPECIALS).items()
    with pytest.raises(TrainError, match="counted with pattern="):
        counts_arrow.from_arrow(table, pattern="cl100k")
    with pytest.raises(TrainError, match="counted with special_tokens="):
        counts_arrow.from_arrow(table, special_tokens=())
    with pytest.raises(TrainError, match="counted with digits="):
        counts_arrow.from_arrow(table, digits="1")
    other = counts_arrow.Settings("x+", (), "none", "3.2.0")
    older = table.replace_schema_metadata(other.to_metadata())
    with pytest.raises(TrainError, match=rf"Unicode 3\.2\.0.*Unicode {bpetok.UNICODE_VERSION}"):
        counts_arrow.from_arrow(older)
    edited = table.replace_schema_metadata({**table.schema.metadata, b"pattern": b"x+"})
    parquet.write_table(edited, tmp_path / "a.parquet")
    with pytest.raises(FormatError, match=r"a\.parquet: the fingerprint"):
        counts_arrow.load(tmp_path / "a.parquet")
    newer = table.replace_schema_metadata({**table.schema.metadata, b"bpetok.counts": b"2"})
    with pytest.raises(FormatError, match="version 2"):
        counts_arrow.from_arrow(newer)
    partial = {key: value for key, value in table.schema.metadata.items() if key != b"digits"}
    with pytest.raises(FormatError, match="digits"):
        counts_arrow.from_arrow(table.replace_schema_metadata(partial))


def test_what_is_no_table_is_refused() -> None:
    batch = arrow.record_batch({"pretoken": [b"a"], "count": [1]})
    for wrong in (None, batch):
        with pytest.raises(TypeError, match=rf"pyarrow\.Table, not {type(wrong).__name__}: "):
            Counts.from_arrow(wrong, pattern="gpt2", special_tokens=())


def test_names_may_be_bytes(tmp_path: pathlib.Path) -> None:
    path = os.fsencode(tmp_path / "counts.parquet")
    counted(["a b"]).save(path)  # type: ignore[arg-type]
    assert Counts.load(path).items() == counted(["a b"]).items()  # type: ignore[arg-type]


def test_other_tables_are_refused(tmp_path: pathlib.Path) -> None:
    def refused(table: Any, words: str) -> None:
        with pytest.raises(FormatError, match=words):
            counts_arrow.from_arrow(table, pattern="gpt2", special_tokens=())

    refused(arrow.table({"pretoken": [b"a"]}), "one column 'count'; the columns here are")
    refused(arrow.table({"pretoken": [b"a", None], "count": [1, 2]}), "'pretoken' holds nulls")
    refused(table_of({b"a": -1}), "count: uint64")
    refused(arrow.table({"pretoken": [b"a"], "count": [1.5]}), "count: uint64")
    refused(arrow.table({"pretoken": [1], "count": [1]}), "pretoken: binary")
    with pytest.raises(FormatError, match="pass pattern="):
        counts_arrow.from_arrow(table_of({b"a": 1}))
    parquet.write_table(table_of({b"a": 1}), tmp_path / "a.parquet")
    with pytest.raises(FormatError, match=r"a\.parquet: is Parquet without the settings"):
        counts_arrow.load(tmp_path / "a.parquet")


def test_broken_files_are_refused_and_older_ones_kept(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    counts_arrow.save(counted(TEXTS), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match=r"a\.parquet is not a whole Parquet file"):
        counts_arrow.load(path)
    with pytest.raises(FileNotFoundError):
        counts_arrow.load(tmp_path / "none.parquet")
    path.write_bytes(whole)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet.ParquetWriter, "write_batch", full)
    with pytest.raises(OSError, match="No space left"):
        counts_arrow.save(counted(TEXTS), path)
    assert path.read_bytes() == whole
    assert os.listdir(tmp_path) == ["a.parquet"]


@pytest.mark.parametrize("kind", ["string", "large_string", "binary", "large_binary"])
@pytest.mark.parametrize("max_pretokens", [1, 5, 10**6])
def test_count_batches_counts_as_update_does(kind: str, max_pretokens: int) -> None:
    texts = TEXTS * 50
    column = (
        arrow.array([text.encode() for text in texts])
        .cast(arrow.string())
        .cast(getattr(arrow, kind)())
    )
    batches = arrow.table({"id": list(range(len(texts))), "body": column}).to_batches(
        max_chunksize=7
    )
    run = functools.partial(
        count_batches,
        pattern="gpt2",
        special_tokens=SPECIALS,
        field="body",
        max_pretokens=max_pretokens,
    )
    found = arrow.Table.from_batches(run(batches))
    assert found.schema.types == [arrow.binary(), arrow.uint64()]
    assert counts_arrow.from_arrow(found).items() == counted(texts).items()


def test_count_batches_takes_a_table_and_says_what_it_takes() -> None:
    table = arrow.table({"text": ["a b", "c"]})
    expected = list(count_batches(table.to_batches()))
    assert sum(batch.num_rows for batch in expected) == 3
    for source in (table, table.to_batches()[0], [table], table.to_reader()):
        assert list(count_batches(source)) == expected
    with pytest.raises(TypeError, match=r"number 1 is of type str: .* pyarrow\.Table"):
        list(count_batches([table, "text"]))


def test_count_batches_is_lazy_and_names_what_is_wrong() -> None:
    assert list(count_batches([])) == []
    good = arrow.record_batch({"text": ["a"]})
    with pytest.raises(
        FormatError, match="record batch 1: no column 'text'; the columns there are 'body'"
    ):
        list(count_batches([good, arrow.record_batch({"body": ["a"]})]))
    with pytest.raises(FormatError, match="record batch 0: column 'text' is int64"):
        list(count_batches([arrow.record_batch({"text": [1]})]))
    with pytest.raises(FormatError, match="is null in row 1"):
        list(count_batches([arrow.record_batch({"text": ["a", None]})]))

    def endless() -> Any:
        while True:
            yield arrow.record_batch({"text": ["a b c"]})

    assert next(count_batches(endless(), max_pretokens=1)).num_rows == 3
