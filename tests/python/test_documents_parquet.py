"""`bpetok.pipelines.documents` on Parquet: every kind of text, long values, every way in which a file can be bad."""

from __future__ import annotations

import gzip
import pathlib

import pytest

from bpetok.errors import FormatError
from bpetok.pipelines import documents, read_documents
from support import fails_to_read

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

TEXTS = ["one", "", "zwei\r\n", "三\n", "<|endoftext|>"]


@pytest.mark.parametrize("kind", ["string", "large_string", "binary", "string_view", "dictionary"])
def test_parquet(tmp_path: pathlib.Path, kind: str) -> None:
    column = arrow.array([text.encode() for text in TEXTS * 200], arrow.binary())
    column = column.cast(arrow.string())
    column = (
        column.dictionary_encode() if kind == "dictionary" else column.cast(getattr(arrow, kind)())
    )
    table = arrow.table({"id": list(range(1000)), "body": column})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=300)
    expected = [text.encode() for text in TEXTS * 200]
    assert list(read_documents(tmp_path / "a.parquet", field="body")) == expected


def test_long_values_of_parquet_come_a_few_at_a_time(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["short"] * 10 + ["long " * 20_000 + str(number) for number in range(30)]
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"text": texts}), path, row_group_size=10)
    monkeypatch.setattr("bpetok.pipelines.documents.PARQUET_BYTES", 300_000)
    sizes: list[int] = []
    real = documents.documents_of
    monkeypatch.setattr(
        documents, "documents_of", lambda *a: sizes.append(len(real(*a))) or real(*a)
    )
    assert list(read_documents(path)) == [text.encode() for text in texts]
    assert max(sizes) == 2
    with pytest.raises(
        FormatError, match=r"the text of row 10 is longer than max_document_bytes=9"
    ):
        list(read_documents(path, max_document_bytes=9))


def test_broken_parquet(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.parquet"
    table = arrow.table({"text": [str(i) * 50 for i in range(5000)], "id": list(range(5000))})
    parquet.write_table(
        table, path, compression="none", write_page_checksum=True, use_dictionary=False
    )
    whole = path.read_bytes()
    for broken in (b"", whole[: len(whole) // 2], whole[:-1], b"text"):
        path.write_bytes(broken)
        fails_to_read(FormatError, r"a\.parquet is not a whole Parquet file", path)
    path.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    fails_to_read(FormatError, r"a\.parquet is not a whole Parquet file", path)
    path.write_bytes(whole)
    fails_to_read(
        FormatError, "no column 'body'; the columns there are 'text', 'id'", path, field="body"
    )
    fails_to_read(FormatError, "column 'id' is int64", path, field="id")
    parquet.write_table(arrow.table({"text": ["a"] * 300 + [None]}), path)
    fails_to_read(FormatError, "column 'text' is null in row 300", path)
    (tmp_path / "b.parquet.gz").write_bytes(gzip.compress(whole))
    fails_to_read(FormatError, "only from a plain file", tmp_path / "b.parquet.gz")
