"""Softmax and its logarithm, safe at extremes: the largest entry is subtracted first.

>>> import numpy as np
>>> softmax(np.array([1000.0, 1000.0])).tolist()
[0.5, 0.5]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.inputs import floats

__all__ = ["log_softmax", "softmax"]

Array = NDArray[Any]


def softmax(x: Array) -> Array:
    """`exp(x) / sum exp(x)` along the last axis; a row of `-inf` gives zeros: `[..., n] -> [..., n]`."""
    x = floats(x)
    y = x - _top(x)
    np.exp(y, out=y)
    total = y.sum(-1, keepdims=True)
    total[total == 0] = 1.0
    y /= total
    return y


def log_softmax(x: Array) -> Array:
    """`x - log sum exp(x)` along the last axis: `[..., n] -> [..., n]`."""
    x = floats(x)
    y = x - _top(x)
    y -= np.log(np.exp(y).sum(-1, keepdims=True))
    return y


def _top(x: Array) -> Array:
    """Largest entry of each row, 0 where every entry is `-inf`: `[..., n] -> [..., 1]`."""
    top: Array = x.max(-1, keepdims=True)
    top[np.isneginf(top)] = 0.0
    return top
