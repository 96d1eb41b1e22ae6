"""One family of exceptions, which Rust raises too."""

from __future__ import annotations

import pytest

import bpetok
from bpetok import errors

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
