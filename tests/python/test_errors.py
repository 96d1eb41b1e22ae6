"""One family of exceptions, which Rust raises too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import bpetok
from bpetok import errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NARROW = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, errors.Error) and value is not errors.Error
]


def test_there_are_eight_kinds_and_the_package_has_them_all() -> None:
    assert len(NARROW) == 8
    assert all(getattr(bpetok, kind.__name__) is kind for kind in [*NARROW, errors.Error])


@pytest.mark.parametrize("kind", NARROW)
def test_each_is_a_value_error_and_says_what_raises_it(kind: type) -> None:
    assert issubclass(kind, ValueError)
    assert "Raised" in (kind.__doc__ or "")


def test_rust_raises_these_very_classes(tok: bpetok.Tokenizer) -> None:
    with pytest.raises(errors.TokenIdError):
        tok.token_bytes(10**6)


BROKEN = "a\ud800"


@pytest.mark.parametrize(
    "call",
    [
        lambda tok, path: bpetok.Counts(BROKEN),
        lambda tok, path: bpetok.Counts(digits=BROKEN),
        lambda tok, path: bpetok.train([], digits=BROKEN),
        lambda tok, path: tok.encode_with_offsets("a", unit=BROKEN),
        lambda tok, path: tok.encode_batch([]).pad(side=BROKEN),
        lambda tok, path: tok.decode([], errors=BROKEN),
        lambda tok, path: tok.decode_batch([], errors=BROKEN),
        lambda tok, path: tok.save(path / "tok", format=BROKEN),
    ],
)
def test_an_argument_that_is_no_text_is_a_text_error(
    call: Callable[[bpetok.Tokenizer, Path], object], tok: bpetok.Tokenizer, tmp_path: Path
) -> None:
    with pytest.raises(errors.TextError, match=r"'a\\ud800' has a lone surrogate at index 1"):
        call(tok, tmp_path)
