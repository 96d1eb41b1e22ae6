"""What callers hand in: ids, masks, numbers and texts, each looked at once and refused by its value.

>>> masked_ids([[7, -1]], [[1, 0]], vocab_size=9)
(array([[7, 0]]), array([[ True, False]]))
>>> whole("beams", 0, 1)
Traceback (most recent call last):
bpetok.nn.errors.InputError: beams=0 must be a whole number of at least 1
"""

from __future__ import annotations

import math
import sys
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.errors import TextError
from bpetok.nn.errors import InputError

__all__ = [
    "as_array",
    "as_mask",
    "as_rows",
    "check_ids",
    "floats",
    "generator",
    "masked_ids",
    "number",
    "utf8",
    "whole",
]

Array = NDArray[Any]
LARGEST = sys.float_info.max


def as_array(values: Any, what: str = "ids") -> Array:
    """An array of what is one; rows of different lengths are none."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise InputError(
            f"{what} are no array: {error}; fill rows up to one length and say which ids are real with mask="
        ) from error


def floats(numbers: Array) -> Array:
    """Integers as float64, which can hold what comes of them; floats as they are: `[...] -> [...]`."""
    return numbers if numbers.dtype.kind == "f" else numbers.astype(np.float64)


def as_rows(values: Any, what: str = "ids") -> Array:
    """Rows of whatever type: `[b, t] or [t] -> [b, t]`."""
    array = np.atleast_2d(as_array(values, what))
    if array.ndim != 2:
        raise InputError(f"{what} must have shape [batch, time], not {list(array.shape)}")
    return array


def check_ids(ids: Any, vocab_size: int, what: str = "id") -> NDArray[np.int64]:
    """Give ids as int64 of shape `[b, t]`, or say which one is no token: `[b, t] or [t] -> [b, t]`."""
    array = as_array(ids, f"{what}s")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{what}s must be integers, not {array.dtype}")
    array = as_rows(array.astype(np.int64), f"{what}s")
    if array.size and not (array.min() >= 0 and array.max() < vocab_size):
        bad = array[(array < 0) | (array >= vocab_size)][0]
        raise InputError(
            f"{what} {bad} is outside 0..{vocab_size - 1}, the model's {vocab_size} rows"
        )
    return array


def as_mask(mask: Any, ids: Array) -> NDArray[np.bool_] | None:
    """A mask as booleans of the ids' shape; None stays None."""
    if mask is None:
        return None
    array = as_rows(mask, "the mask's entries")
    if array.dtype.kind not in "biuf":
        raise InputError(f"mask is of {array.dtype}: it must be 1 at real ids and 0 at padding")
    if array.shape != ids.shape:
        raise InputError(
            f"mask has shape {list(array.shape)}, the new ids {list(ids.shape)}: it must cover exactly them"
        )
    real: NDArray[np.bool_] = array == 1
    if not (real | (array == 0)).all():
        bad = array[~(real | (array == 0))][0]
        raise InputError(f"mask holds {bad}: it must be 1 at real ids and 0 at padding")
    return real


def masked_ids(
    ids: Any, mask: Any, vocab_size: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Ids and mask, both checked; what stands at padding need not be a token and becomes 0: `[b, t]` twice."""
    raw = as_rows(ids)
    real = as_mask(mask, raw)
    return check_ids(raw if real is None else np.where(real, raw, 0), vocab_size), real


def whole(name: str, value: Any, least: int) -> int:
    """A whole number that is large enough, NumPy's too."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise InputError(f"{name}={value!r} must be a whole number of at least {least}")
    return int(value)


def number(
    name: str, value: Any, least: float, most: float = LARGEST, *, open_below: bool = False
) -> float:
    """A number from `least` to `most`, or above `least` where it is `open_below`; NaN is neither."""
    try:
        got = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:  # a whole number that is too long for it
        got = math.inf
    if not least <= got <= most or (open_below and got == least):
        words = f"above {least:g}" if open_below else f"at least {least:g}"
        words += ", and finite" if most == LARGEST else f" and at most {most:g}"
        raise InputError(f"{name}={value!r} is out of range: it must be a number {words}")
    return got


def generator(seed: Any) -> np.random.Generator:
    """The random numbers of a seed, or those of a generator in hand."""
    try:
        return np.random.default_rng(seed)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"seed={seed!r} must be a whole number of at least 0, a NumPy Generator, or None"
        ) from error


def utf8(text: str) -> bytes:
    """The bytes of a text."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise TextError(
            f"the text has a lone surrogate at index {error.start}, which has no UTF-8 form; "
            "encode the str with errors='surrogatepass' or 'replace' first"
        ) from error
