"""An error in one of many documents says in which."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import bpetok
from bpetok import Counts, TextError, TokenIdError

TEXTS = ["a", "b\ud800"]
SAYS = "document 1: the text has a lone surrogate at index 1"


def test_a_text_of_a_batch(tok: bpetok.Tokenizer) -> None:
    for encode in (tok.encode_batch, tok.count_batch):
        with pytest.raises(TextError, match=SAYS):
            encode(TEXTS)
        wrong: Any = ["a", "b", 7]
        with pytest.raises(TypeError, match="document 2: text must be str or bytes, not int"):
            encode(wrong)


def test_the_first_item_that_is_no_text_ends_a_batch(tok: bpetok.Tokenizer) -> None:
    endless: Any = itertools.count()
    with pytest.raises(TypeError, match="document 0"):
        tok.encode_batch(endless)


def test_a_text_that_is_counted() -> None:
    with pytest.raises(TextError, match=SAYS):
        Counts().update(TEXTS)
    with pytest.raises(TextError, match=SAYS):
        bpetok.train(iter(TEXTS), 260)
    wrong: Any = ["a", 7]
    with pytest.raises(TypeError, match="document 1: text must be str or bytes, not int"):
        Counts().update(wrong)


def test_numbers_are_those_of_the_source_not_of_a_round() -> None:
    # 16 MiB are counted together: each of the large documents fills a round of its own.
    large, wild = "x" * (16 << 20), "a" * 60
    counts = Counts(r"x+|(?:a(?=a)|a(?!c))+b|\s")
    for before in ([], ["x"], [large], [large, "x"], [large, large, "x"]):
        with pytest.raises(bpetok.PatternError) as error:
            counts.update([*before, wild], threads=1)
        # One document alone needs no number.
        number = f"document {len(before)}: " if before else ""
        assert str(error.value).startswith(f"{number}the pattern took more than")


def test_ids_of_a_batch(tok: bpetok.Tokenizer) -> None:
    with pytest.raises(TokenIdError, match=r"document 1: token id 99999 \(at index 2\)"):
        tok.decode_batch([[0], [0, 1, 99999]])
    wrong: Any = [[0], ["a"]]
    with pytest.raises(
        TypeError, match=r"document 1: token ids must be int, not str \(at index 0\)"
    ):
        tok.decode_batch(wrong)
    wrong = [[0], 7]
    with pytest.raises(TypeError, match="document 1: ids must be a collection, not int"):
        tok.decode_batch(wrong)
    other = tok.with_special_tokens({"<far>": 5000}).encode_batch(
        ["a", "<far>"], allowed_special="all"
    )
    with pytest.raises(TokenIdError, match="document 1: token id 5000"):
        tok.decode_batch(other)


def test_broken_text_of_a_batch_has_a_note(tok: bpetok.Tokenizer) -> None:
    with pytest.raises(UnicodeDecodeError) as error:
        tok.decode_batch([[0], tok.encode_ordinary(b"\xff")], errors="strict")
    assert error.value.__notes__ == ["in document 1"]


def test_what_the_caller_raises_stays(tok: bpetok.Tokenizer) -> None:
    def ids() -> Any:
        yield 0
        raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        tok.decode_batch([ids()])


class Lost:
    """A source whose connection fails before there is a first document."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __iter__(self) -> Any:
        raise self.error


@pytest.mark.parametrize(
    "error", [ConnectionError("lost"), RuntimeError("lost"), TypeError("lost")]
)
def test_what_a_source_raises_is_for_the_caller_to_see(
    tok: bpetok.Tokenizer, error: Exception
) -> None:
    for read in (tok.encode_batch, Counts().update, bpetok.train):
        with pytest.raises(type(error), match=r"^lost$"):
            read(Lost(error))  # type: ignore[operator]
    with pytest.raises(TypeError, match="source must be an iterable of str or bytes"):
        Counts().update(7)  # type: ignore[arg-type]
