"""Whole numbers as arguments, NumPy's too, refused alike wherever they come in."""

from __future__ import annotations

from operator import index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def whole(name: str, value: Any) -> int:
    """A plain int, which JSON can hold: NumPy's are none.

    Raises:
        TypeError: for what is no whole number; names the argument.

    >>> whole("vocab_size", "60")
    Traceback (most recent call last):
    ...
    TypeError: vocab_size must be int, not str
    """
    try:
        return index(value)
    except TypeError:
        raise TypeError(f"{name} must be int, not {type(value).__name__}") from None
