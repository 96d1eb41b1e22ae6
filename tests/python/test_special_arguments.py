"""Special tokens as arguments: what is wrong is named, with its place, and what the caller raises is the caller's."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import pytest

import bpetok
from bpetok import Counts, SpecialTokenError, TextError

LIMIT = 67_108_862


@pytest.mark.parametrize("number", [-1, LIMIT + 1, 2**32, 2**40, 2**70])
def test_ids_out_of_range_are_named_with_the_limit(tok: bpetok.Tokenizer, number: int) -> None:
    with pytest.raises(
        SpecialTokenError, match=f'"<a>" has the id {number}; give one of 0 to {LIMIT}'
    ):
        tok.with_special_tokens({"<a>": number})


def test_a_lone_surrogate_is_named_with_its_place(tok: bpetok.Tokenizer) -> None:
    says = "special token 1 of special_tokens has a lone surrogate at index 2"
    for specials in ({"<a>": 400, "ab\ud800": 401}, ["<a>", "ab\ud800"]):
        with pytest.raises(TextError, match=says):
            tok.with_special_tokens(specials)
    with pytest.raises(TextError, match=says):
        Counts(special_tokens=["<a>", "ab\ud800"])
    with pytest.raises(TextError, match="special token 0 of allowed_special has a lone surrogate"):
        tok.encode("a", allowed_special=["\ud800"])
    with pytest.raises(TextError, match=r"^allowed_special has a lone surrogate"):
        tok.encode("a", allowed_special="\ud800")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("specials", "says"),
    [
        ("<a>", r"special_tokens is the bare str '<a>'; .* \['<a>'\]"),
        (b"<a>", "special_tokens is the bare bytes"),
        (None, "special_tokens must be a dict of str to int or a collection of str, not NoneType"),
        (7, "special_tokens must be a dict of str to int or a collection of str, not int"),
        (["<a>", 7], r"special_tokens must hold str, not int \(at index 1\)"),
        ({7: 400}, r"special_tokens must hold str, not int \(at index 0\)"),
        ({"<a>": "7"}, 'the id of special token "<a>" must be int, not str'),
        ({"<a>": 400.0}, 'the id of special token "<a>" must be int, not float'),
    ],
)
def test_wrong_types_are_named(tok: bpetok.Tokenizer, specials: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        tok.with_special_tokens(specials)


@pytest.mark.parametrize("argument", ["allowed_special", "disallowed_special"])
def test_choices_of_wrong_types(tok: bpetok.Tokenizer, argument: str) -> None:
    for value, says in [
        (7, '{} must be "all" or a collection of str, not int'),
        ([7], r"{} must hold str, not int \(at index 0\)"),
        ("<a>", r"{} is the bare str '<a>'; give .all. or a collection of str, as in \['<a>'\]"),
    ]:
        with pytest.raises(TypeError, match=says.format(argument)):
            tok.encode("a", **{argument: value})


def test_what_the_caller_raises_is_kept(tok: bpetok.Tokenizer) -> None:
    with pytest.raises(ZeroDivisionError):
        tok.encode("a", allowed_special=(str(1 / 0) for _ in [1]))  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        tok.with_special_tokens(str(1 / 0) for _ in [1])
    with pytest.raises(ZeroDivisionError):
        Counts(special_tokens=(str(1 / 0) for _ in [1]))


class Raising:
    """A collection that fails when it is asked for its items, as one does whose file is missing."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __iter__(self) -> Iterator[str]:
        raise self.error


@pytest.mark.parametrize("error", [FileNotFoundError("a.txt"), KeyboardInterrupt(), TypeError("a")])
def test_what_a_collection_raises_is_kept(tok: bpetok.Tokenizer, error: BaseException) -> None:
    for call in (
        lambda: bpetok.train(Raising(error), 300),
        lambda: Counts("gpt2").update(Raising(error)),
        lambda: Counts(special_tokens=Raising(error)),
        lambda: tok.with_special_tokens(Raising(error)),
    ):
        with pytest.raises(type(error)) as raised:
            call()
        assert raised.value is error


def test_ids_of_many_digits_are_not_all_shown(tok: bpetok.Tokenizer) -> None:
    for size, shown in (
        (300, r"10+\.\.\. \(301 characters\)"),
        (5000, "a number of thousands of digits"),
    ):
        with pytest.raises(SpecialTokenError, match=rf"has the id {shown}; give one of 0 to"):
            tok.with_special_tokens({"<a>": 10**size})


def test_any_collection_and_any_mapping(tok: bpetok.Tokenizer) -> None:
    for specials in (["<a>"], ("<a>",), {"<a>"}, (text for text in ["<a>"])):
        assert Counts(special_tokens=specials).special_tokens == ["<a>"]
    assert Counts().special_tokens == Counts(special_tokens=()).special_tokens == []
    mapping = types.MappingProxyType({"<a>": 400})
    assert tok.with_special_tokens(mapping).special_tokens["<a>"] == 400
    for wrong in ("<a>", b"<a>"):
        with pytest.raises(TypeError, match="special_tokens is the bare"):
            Counts(special_tokens=wrong)  # type: ignore[arg-type]


def test_a_sets_special_tokens_are_sorted(tok: bpetok.Tokenizer) -> None:
    """A set's own order is another in each process: ids would be, and fingerprints."""
    texts = [f"<{number}>" for number in range(40)]
    for given in (set(texts), frozenset(texts)):
        assert Counts(special_tokens=given).special_tokens == sorted(texts)
        more = tok.with_special_tokens(given).special_tokens
        assert sorted(given, key=more.__getitem__) == sorted(texts)
        trained = bpetok.train(["ab ab"], 297, special_tokens=given).special_tokens
        assert list(trained) == sorted(texts)
    for listed in (texts, dict.fromkeys(texts).keys()):
        assert Counts(special_tokens=listed).special_tokens == texts
        assert list(bpetok.train(["ab ab"], 297, special_tokens=listed).special_tokens) == texts
