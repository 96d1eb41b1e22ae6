"""Training gives HF's merges: live on small text; on the handed corpora by digests of what HF learnt
(`tests/vectors/make_large.py`), since HF takes minutes and gigabytes for the larger ones."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
from support import CUSTOM, END_OF_TEXT, FOR_HF, GPT2, VECTORS, hf_merges, read_jsonl

LARGE = read_jsonl(VECTORS / "training_large.jsonl")


@pytest.mark.parametrize(
    "row",
    read_jsonl(VECTORS / "training.jsonl"),
    ids=lambda row: f"{row['name']}|{row['pattern'][:12]}",
)
@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.filterwarnings("ignore:the text has too few pairs")
def test_vectors(row: dict, threads: int) -> None:
    tok = bpetok.train(
        row["documents"],
        row["vocab_size"],
        pattern=row["pattern"],
        special_tokens=(),
        min_frequency=row["min_frequency"],
        threads=threads,
    )
    assert [[left.hex(), right.hex()] for left, right in tok.merges] == row["merges_hex"]


words = st.lists(st.text("aab bb\ncé", max_size=60), max_size=8)


@settings(max_examples=150, deadline=None)
@given(words, st.integers(256, 300))
@pytest.mark.filterwarnings("ignore:the text has too few pairs")
def test_random_corpora_full_of_ties(documents: list[str], vocab_size: int) -> None:
    tok = bpetok.train(documents, vocab_size, pattern="gpt2", special_tokens=())
    assert tok.merges == hf_merges(documents, vocab_size)


@pytest.mark.parametrize("name", CUSTOM)
def test_custom_patterns(name: str, documents: list[str]) -> None:
    tok = bpetok.train(documents, 340, pattern=CUSTOM[name], special_tokens=())
    assert tok.merges == hf_merges(documents, 340, FOR_HF[CUSTOM[name]])


# --- the handed corpora ---------------------------------------------------------------------------


def paths_of(row: dict[str, Any], data_dir: Path) -> list[Path]:
    """The files of a row, of which every byte is what HF was given."""
    paths = [data_dir / name for name in row["files"]]
    text = hashlib.sha256()
    for path in paths:
        text.update(path.read_bytes())
    assert text.hexdigest() == row["text_sha256"], "another text: run tests/vectors/make_large.py"
    return paths


def digest(merges: list[tuple[bytes, bytes]]) -> str:
    return hashlib.sha256(
        "\n".join(f"{left.hex()} {right.hex()}" for left, right in merges).encode()
    ).hexdigest()


@pytest.mark.parametrize("row", LARGE, ids=lambda row: row["name"])
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_corpora_from_files(data_dir: Path, row: dict[str, Any], threads: int) -> None:
    paths = paths_of(row, data_dir)
    for size, expected in row["merges_sha256"].items():
        # One more than HF's size: the special token has the highest id.
        tok = bpetok.train(paths, int(size) + 1, pattern="gpt2", threads=threads)
        assert tok.special_tokens == {END_OF_TEXT: int(size)}
        assert digest(tok.merges) == expected


@pytest.mark.parametrize("row", LARGE[:3], ids=lambda row: row["name"])
def test_corpora_from_an_iterator_twice_the_same_bytes(data_dir: Path, row: dict[str, Any]) -> None:
    (path,) = paths_of(row, data_dir)
    documents = path.read_bytes().decode("utf-8").split(END_OF_TEXT)
    smaller, size = map(int, row["merges_sha256"])
    from_texts = bpetok.train(iter(documents), size + 1, pattern=GPT2, threads=2)
    assert digest(from_texts.merges) == row["merges_sha256"][str(size)]
    from_file = bpetok.train([path], size + 1, pattern="gpt2", threads=2)
    assert from_file._to_bytes() == from_texts._to_bytes()
    texts = (text.encode() for text in documents)
    tok = bpetok.train(texts, smaller + 1, pattern="gpt2")
    assert digest(tok.merges) == row["merges_sha256"][str(smaller)]
