"""What docs/nn.md shows runs as it stands, and its table of names is the whole of them."""

import doctest
import importlib
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from bpetok import nn
from nn.models import CONFIGS, tiny
from nn.oracles import GOLDEN

DOCS = Path(__file__).parents[3] / "docs" / "nn.md"


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("bpetok.utf8", exc_type=ImportError, reason="the Rust module is not built")
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(DOCS), module_relative=False, encoding="utf-8")
    assert tried > 30
    assert failed == 0
    assert (tmp_path / "memory.svg").read_bytes() == (DOCS.parent / "memory.svg").read_bytes()


ROWS = re.findall(
    r"^\| (`.*?) \| (.*?) \|",
    DOCS.read_text("utf-8").split("## The names in one table")[1],
    re.MULTILINE,
)


def names(cell: str) -> list[str]:
    """The names in a cell; one that starts with a dot stands for the name before it with another end."""
    found: list[str] = []
    for name in re.findall(r"`(.*?)`", cell):
        found.append(found[-1].rpartition(".")[0] + name if name.startswith(".") else name)
    return found


def test_every_name_of_a_trace_is_in_the_table() -> None:
    models = [tiny(family) for family in CONFIGS]
    models += [nn.load(GOLDEN / name) for name in ("bert_tiny", "transformer2017")]
    traced = {key for model in models for key in model.trace([[5, 6, 7]])}
    listed = [name for cell, where in ROWS if where == "trace" for name in names(cell)]
    layers = {re.sub(r"\b(block|hidden)\.\d+", r"\1.i", key) for key in traced}
    assert {key for key in layers if not any(fnmatchcase(key, name) for name in listed)} == set()
    assert [n for n in listed if not any(fnmatchcase(key, n) for key in layers)] == []


def test_every_loss_and_counter_in_the_table_is_there() -> None:
    rows = [(cell, re.match(r"`nn(\.\w+)?`", where)) for cell, where in ROWS if where != "trace"]
    assert len(rows) > 8
    for cell, where in rows:
        assert where is not None, cell
        home = importlib.import_module("bpetok.nn" + (where[1] or ""))
        assert all(hasattr(home, name) for name in names(cell)), cell
