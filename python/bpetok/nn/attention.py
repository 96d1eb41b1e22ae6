"""Softmax attention: one rule for who sees whom, a form that keeps the maps, and a blockwise one that does not.

Visibility is one comparison. Every query and every key carries a position; a query sees a key if
`query - window < key <= query`. Causal masks, sliding windows and padding are only positions:

* causal: keys and queries count 0, 1, 2, ...
* padding: a hidden key sits at `HIDDEN`, after every query;
* an encoder or cross attention: every query at `LAST`, every key at 0, so all are seen.

`attend` computes softmax(q k^T) v in blocks with a running maximum and sum (Milakov & Gimelshein 2018,
arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135), so no array of shape `[heads, t, s]` is ever made.

>>> import numpy as np
>>> q = k = v = np.eye(3)[None, None]
>>> now = np.arange(3)[None]
>>> causal = visible(now, now)
>>> bool(np.allclose(attend(q, k, v, now, now, 1.0), attention_map(q, k, 1.0, causal) @ v))
True
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.inputs import floats
from bpetok.nn.softmax import softmax

__all__ = ["HIDDEN", "LAST", "attend", "attention_map", "visible"]

Array = NDArray[Any]
LAST = 1 << 40  # the position of a query that sees every key
HIDDEN = 1 << 41  # the position of a key that no query sees
QUERIES, KEYS = 128, 512  # rows and columns of one block of scores: 12 heads of float32 take 3 MB


def visible(q_pos: Array, k_pos: Array, window: int | None = None) -> NDArray[np.bool_]:
    """Which query sees which key: `[r, t], [r, s] -> [r, t, s]`."""
    seen = k_pos[:, None, :] <= q_pos[:, :, None]
    if window is not None:
        seen &= k_pos[:, None, :] > q_pos[:, :, None] - window
    return seen


def attention_map(q: Array, k: Array, scale: float, seen: Array | None = None) -> Array:
    """The weights themselves: `[b, h, t, d], [b, g, s, d], seen [r, t, s] -> [b, h, t, s]`, r = 1 or b.

    The definition, for reading and tracing; times `v` it is what `attend` computes. `seen` may be any mask. With
    fewer key heads than query heads (`g < h`), query heads `i h/g .. (i+1) h/g - 1` share key head `i`.
    """
    b, h, t, d = q.shape
    grouped = floats(q).reshape(b, k.shape[1], -1, d)
    scores = (grouped @ k.swapaxes(-1, -2)).reshape(b, h, t, -1) * scale
    if seen is not None:
        scores = np.where(seen[:, None], scores, scores.dtype.type(-np.inf))
    return softmax(scores)


def attend(
    q: Array,
    k: Array,
    v: Array,
    q_pos: Array,
    k_pos: Array,
    scale: float,
    window: int | None = None,
) -> Array:
    """Attention without its map: `[b, h, t, d], [b, g, s, d] twice, [r, t], [r, s] -> [b, h, t, d]`, r = 1 or b.

    A query that sees no key gets zeros.
    """
    q, (b, h, t, d) = floats(q), q.shape
    out = np.empty((b, h, t, v.shape[-1]), q.dtype)
    keys = KEYS * max(
        1, QUERIES // max(t, 1)
    )  # few queries: longer stretches of keys for as many scores
    step = QUERIES if b * h > 6 else 2 * QUERIES  # few heads: as many scores in half the products
    for start in range(0, t, step):
        rows = slice(start, min(start + step, t))
        block = np.multiply(q[:, :, rows], scale).reshape(b, k.shape[1], -1, d)
        near = _near(q_pos[:, rows], k_pos, window)
        some = _attend_rows(
            block, k[:, :, near], v[:, :, near], q_pos[:, rows], k_pos[:, near], window, keys
        )
        out[:, :, rows] = some.reshape(b, h, -1, v.shape[-1])
    return out


def _near(q_pos: Array, k_pos: Array, window: int | None) -> slice:
    """The stretch of keys outside which no query of a block sees any."""
    near = k_pos <= q_pos.max()
    if window is not None:
        near &= k_pos > q_pos.min() - window
    found = np.flatnonzero(near.any(0))
    return slice(found[0], found[-1] + 1) if len(found) else slice(0, 0)


def _attend_rows(
    q: Array, k: Array, v: Array, q_pos: Array, k_pos: Array, window: int | None, step: int
) -> Array:
    """One block of queries against all keys, `step` at a time: `[b, g, n t, d], [b, g, s, d] -> [b, g, n t, d]`."""
    top: Array | None = None
    acc = np.zeros((*q.shape[:-1], v.shape[-1]), q.dtype)
    total = np.zeros((*q.shape[:-1], 1), q.dtype)
    for start in range(0, k.shape[2], step):
        cols = slice(start, start + step)
        seen = _seen(q_pos, k_pos[:, cols], window)
        if seen is False:
            continue
        scores = q @ k[:, :, cols].swapaxes(-1, -2)
        if seen is not True:
            per_head = scores.reshape(*scores.shape[:2], -1, *seen.shape[1:])
            np.copyto(per_head, -np.inf, where=~seen[:, None, None])
        new = scores.max(-1, keepdims=True)
        if top is not None:
            new = np.maximum(new, top)
        # A query that has seen nothing yet keeps -inf as its maximum; subtracting 0 gives it exp(-inf) = 0.
        shift = new if seen is True else np.where(np.isneginf(new), new.dtype.type(0), new)
        scores -= shift
        np.exp(scores, out=scores)
        part, weight = scores @ v[:, :, cols], scores.sum(-1, keepdims=True)
        if top is None:
            acc, total = part, weight
        else:
            fade = np.exp(top - shift)
            acc, total = acc * fade + part, total * fade + weight
        top = new
    total[total == 0] = 1.0
    acc /= total
    return acc


def _seen(q_pos: Array, k_pos: Array, window: int | None) -> NDArray[np.bool_] | bool:
    """`visible` for one block, or True or False where one answer holds for all of it."""
    first, last, low, high = q_pos.min(), q_pos.max(), k_pos.min(), k_pos.max()
    if low > last or (window is not None and high <= first - window):
        return False
    if high <= first and (window is None or low > last - window):
        return True
    return visible(q_pos, k_pos, window)
