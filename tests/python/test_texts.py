"""Special tokens and patterns as arguments: every function that takes some refuses the same things."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import bpetok
from bpetok import wordpiece
from bpetok.errors import SpecialTokenError, TextError
from bpetok.pipelines import count_batches, counting, read_documents

arrow = pytest.importorskip("pyarrow")

PIECES = ["[UNK]", "a", "[MASK]"]


def options_for(special_tokens: Any = (), pattern: str = "gpt2") -> Any:
    return counting.options_for("dataset", ["text"], "text", pattern, special_tokens, "none")


def counted(**options: Any) -> Any:
    return list(count_batches([arrow.record_batch({"text": ["a"]})], **options))


def from_arrow(**options: Any) -> Any:
    table = arrow.table({"pretoken": [b"a"], "count": [1]})
    return bpetok.Counts.from_arrow(table, **{"pattern": "gpt2", "special_tokens": (), **options})


READERS: list[Callable[..., Any]] = [
    partial(bpetok.train, ["a"], 300),
    partial(read_documents, Path(__file__)),
    counted,
    options_for,
    from_arrow,
]
PIECE_READERS: list[Callable[..., Any]] = [
    partial(wordpiece.train, ["a"], 300),
    partial(wordpiece.WordPiece, PIECES),
]


@pytest.mark.parametrize("reader", READERS + PIECE_READERS)
def test_a_bare_str_is_not_taken_apart(reader: Callable[..., Any]) -> None:
    with pytest.raises(
        TypeError, match=r"special_tokens is a bare str: wrap it in a list, \['a'\]"
    ):
        reader(special_tokens="a")
    with pytest.raises(TypeError, match="special_tokens must be text, and 1 is of type int"):
        reader(special_tokens=[1])
    with pytest.raises(TextError, match=r"special_tokens: 'a\\ud800' .* U\+D800 at index 1"):
        reader(special_tokens=["a\ud800"])


@pytest.mark.parametrize("reader", READERS)
def test_a_pattern_is_text(reader: Callable[..., Any]) -> None:
    with pytest.raises(TextError, match=r"pattern: '\\udcff' has a lone surrogate U\+DCFF"):
        reader(pattern="\udcff")


def test_wordpiece_takes_all_or_a_collection() -> None:
    tok = wordpiece.WordPiece(PIECES)
    for name in ("allowed_special", "disallowed_special"):
        with pytest.raises(TypeError, match=f"{name} is a bare str"):
            tok.encode("a", **{name: "[MASK]"})  # type: ignore[arg-type]
        with pytest.raises(
            SpecialTokenError, match=rf"{name} names \['\[X\]'\].*these are \['\[MASK"
        ):
            tok.encode("a", **{name: ["[X]"]})  # type: ignore[arg-type]
    assert tok.encode("a [MASK]", disallowed_special=["[UNK]"]) == [1, 0, 0, 0]
    with pytest.raises(TypeError, match="tokens is a bare str"):
        wordpiece.WordPiece("[UNK]")
