"""Names that the examples in the docstrings of the Rust classes take for granted; each class says how it makes its own."""

from __future__ import annotations

from typing import Any

import pytest

import bpetok


@pytest.fixture(autouse=True, scope="session")
def example_names(doctest_namespace: dict[str, Any]) -> dict[str, Any]:
    """`bpetok`, and the objects whose methods are shown."""
    tok = bpetok.train(["low lower lowest"] * 4, vocab_size=262)
    counts = bpetok.Counts("gpt2")
    counts.update(["a b a", "a"])
    batch = tok.encode_batch(["low", "", "lower"])
    doctest_namespace |= {"bpetok": bpetok, "tok": tok, "counts": counts, "batch": batch}
    return doctest_namespace
