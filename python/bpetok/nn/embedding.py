"""Ids in, vectors out, and back: one-hot vectors, the embedding table, the output classifier, linear maps.

Looking a row up and multiplying by a one-hot vector are the same thing; only the price differs:

>>> import numpy as np
>>> table = np.arange(12.0).reshape(4, 3)
>>> ids = np.array([[2, 0]])
>>> bool((embed(ids, table) == one_hot(ids, 4, table.dtype) @ table).all())
True
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpetok.nn.inputs import floats

__all__ = ["embed", "linear", "one_hot", "unembed"]

Array = NDArray[Any]


def one_hot(ids: Array, size: int, dtype: DTypeLike = np.float64) -> Array:
    """A 1 at each id, 0 elsewhere: `[...] -> [..., size]`."""
    hot: Array = np.equal(np.asarray(ids)[..., None], np.arange(size)).astype(dtype)
    return hot


def embed(ids: Array, table: Array) -> Array:
    """Rows of the table, which is `one_hot(ids) @ table`: `[...], [v, d] -> [..., d]`."""
    return table[ids]


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """`x @ weight.T + bias`: `[..., i], [o, i] -> [..., o]`.

    The only product with stored weights. `weight` may be any object whose `.T` can stand to the right of `@`
    (a quantised matrix, say). Rows are flattened first, so that BLAS sees one large product, not one per batch.
    """
    flat = floats(x.reshape(-1, x.shape[-1]) @ weight.T)
    if bias is not None:
        flat += bias
    return flat.reshape(*x.shape[:-1], flat.shape[-1])


def unembed(x: Array, table: Array, bias: Array | None = None) -> Array:
    """The output classifier: one score per token, from its own weights or the tied table: `[..., d] -> [..., v]`."""
    return linear(x, table, bias)
