"""What docs/nn.md shows runs as it stands."""

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs" / "nn.md"


def test_examples() -> None:
    pytest.importorskip("bpetok.utf8", exc_type=ImportError, reason="the Rust module is not built")
    failed, tried = doctest.testfile(str(DOCS), module_relative=False, encoding="utf-8")
    assert tried > 30
    assert failed == 0
