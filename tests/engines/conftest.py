"""The corpus that every engine counts, and what bpetok makes of it locally."""

from __future__ import annotations

import pathlib
import sysconfig

import pytest

import bpetok

VOCAB_SIZE = 3000
MULTILINGUAL = "naïve 我们 в лесу\u00a0родилась <|endoftext|> ёлочка 12345 🚀👩‍🚀 한국어"


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Real text that every machine has: sources of the standard library, cut into documents of many sizes."""
    folder = pathlib.Path(sysconfig.get_path("stdlib"))
    files = sorted(path for path in folder.glob("*.py") if path.is_file())
    sources = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    documents = [part for source in sources for part in source.split("\n\ndef ")]
    assert sum(map(len, documents)) > 2_000_000
    return [*documents, *[MULTILINGUAL] * 50, "", " "]


@pytest.fixture(scope="session")
def local(texts: list[str]) -> bpetok.Counts:
    counts = bpetok.Counts("cl100k", ["<|endoftext|>"])
    counts.update(texts)
    return counts
