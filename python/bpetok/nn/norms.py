"""Normalisation: LayerNorm, RMSNorm, and Mamba-2's gated RMSNorm over groups of channels.

>>> import numpy as np
>>> rms_norm(np.array([[3.0, 4.0]]), np.ones(2), 0.0).round(3).tolist()
[[0.849, 1.131]]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.activations import silu
from bpetok.nn.config import Config
from bpetok.nn.inputs import floats

__all__ = ["gated_rms_norm", "layer_norm", "norm", "rms_norm"]

Array = NDArray[Any]


def layer_norm(x: Array, weight: Array, bias: Array | None, eps: float) -> Array:
    """Centre each row, scale it to variance 1, then `* weight + bias` (arXiv:1607.06450): `[..., d] -> [..., d]`."""
    y: Array = x - x.mean(-1, keepdims=True)
    scale = _mean_square(y)
    scale += eps
    y /= np.sqrt(scale, out=scale)
    y *= weight
    if bias is not None:
        y += bias
    return y


def rms_norm(x: Array, weight: Array, eps: float) -> Array:
    """Scale each row to mean square 1, then `* weight` (arXiv:1910.07467): `[..., d] -> [..., d]`."""
    scale = _mean_square(floats(x))
    scale += eps
    y = x / np.sqrt(scale, out=scale)
    y *= weight
    return y


def gated_rms_norm(x: Array, gate: Array, weight: Array, eps: float, groups: int) -> Array:
    """`rms_norm(x * silu(gate))`, each of `groups` stretches of channels on its own: `[..., d] -> [..., d]`."""
    y = silu(gate)
    y *= x
    grouped = y.reshape(*y.shape[:-1], groups, -1)
    scale = _mean_square(grouped)
    scale += eps
    grouped /= np.sqrt(scale, out=scale)
    y = grouped.reshape(x.shape)
    y *= weight
    return y


def norm(x: Array, p: Mapping[str, Array], name: str, c: Config) -> Array:
    """The norm that the config asks for, with the weights `name.w` and `name.b`: `[..., d] -> [..., d]`."""
    if c.norm == "rms":
        return rms_norm(x, p[f"{name}.w"], c.norm_eps)
    return layer_norm(x, p[f"{name}.w"], p.get(f"{name}.b"), c.norm_eps)


def _mean_square(x: Array) -> Array:
    """`[..., d] -> [..., 1]`, one pass without a temporary of the size of `x`."""
    total: Array = np.einsum("...i,...i->...", x, x)[..., None]
    total /= x.shape[-1]
    return total
