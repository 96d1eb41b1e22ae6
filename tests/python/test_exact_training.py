"""Training gives HF's merges: live on small text, and on the handed corpora at full size."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
from support import CUSTOM, END_OF_TEXT, FOR_HF, GPT2, VECTORS, hf_merges, read_jsonl

CORPORA = ("english", "code", "multilingual")
SIZES = (8_192, 32_768)


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


@cache
def expected(path: Path) -> list[tuple[bytes, bytes]]:
    """HF's merges at the largest size; those of a smaller one are a prefix. 10 to 20 s each."""
    documents = path.read_bytes().decode("utf-8").split(END_OF_TEXT)
    return hf_merges(documents, max(SIZES))


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_corpora_from_files(data_dir: Path, corpus: str, size: int, threads: int) -> None:
    path = data_dir / f"corpora/{corpus}.txt"
    # One more than HF's size: the special token has the highest id.
    tok = bpetok.train(path, size + 1, pattern="gpt2", threads=threads)
    assert tok.special_tokens == {END_OF_TEXT: size}
    assert tok.merges == expected(path)[: size - 256]


@pytest.mark.parametrize("corpus", CORPORA)
def test_corpora_from_an_iterator_twice_the_same_bytes(data_dir: Path, corpus: str) -> None:
    path = data_dir / f"corpora/{corpus}.txt"
    documents = path.read_bytes().decode("utf-8").split(END_OF_TEXT)
    size = max(SIZES)
    from_texts = bpetok.train(iter(documents), size + 1, pattern=GPT2, threads=2)
    assert from_texts.merges == expected(path)
    from_file = bpetok.train([path], size + 1, pattern="gpt2", threads=2)
    assert from_file._to_bytes() == from_texts._to_bytes()
    smaller = bpetok.train((text.encode() for text in documents), min(SIZES) + 1, pattern="gpt2")
    assert smaller.merges == expected(path)[: min(SIZES) - 256]
