"""Fixtures: a small trained tokenizer for everyone, and the handed data where it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import bpetok
from support import END_OF_TEXT, VECTORS, read_jsonl

RANK_FILES = ("r50k_base", "p50k_base", "cl100k_base", "o200k_base")


@pytest.fixture(scope="session")
def documents() -> list[str]:
    """A few short texts in many scripts."""
    return read_jsonl(VECTORS / "training.jsonl")[0]["documents"]


@pytest.fixture(scope="session")
def tok(documents: list[str]) -> bpetok.Tokenizer:
    """A small vocabulary with one special token above its merges."""
    return bpetok.train(documents, vocab_size=340, pattern="gpt2")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The handed corpora, vocabularies and vectors."""
    folder = os.environ.get("BPETOK_TEST_DATA")
    if not folder:
        pytest.skip("needs BPETOK_TEST_DATA")
    return Path(folder)


@pytest.fixture(scope="session")
def published(data_dir: Path) -> dict[str, bpetok.Tokenizer]:
    """The four published vocabularies, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BPETOK_DATA_DIR", str(data_dir / "vocabs"))
        return {name: bpetok.get_encoding(name) for name in RANK_FILES}


@pytest.fixture(scope="session")
def special() -> str:
    """The special token that `tok` has."""
    return END_OF_TEXT
