"""The feed-forward half of a block: an MLP, a gated MLP, or a mixture of them with a router in front.

>>> import numpy as np
>>> p = {"ffn.up.w": np.eye(2), "ffn.down.w": np.eye(2)}
>>> mlp(np.array([[1.0, -1.0]]), p["ffn.up.w"], None, p["ffn.down.w"], None, "relu", False).tolist()
[[1.0, 0.0]]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.activations import ACTIVATIONS, in_blocks
from bpetok.nn.config import Config
from bpetok.nn.embedding import linear
from bpetok.nn.errors import InputError
from bpetok.nn.inputs import as_array, as_mask, whole
from bpetok.nn.softmax import softmax
from bpetok.nn.trace import Recorder

__all__ = ["balance_loss", "feed_forward", "mixture", "mlp", "route"]

Array = NDArray[Any]


def mlp(
    x: Array,
    up: Array,
    up_bias: Array | None,
    down: Array,
    down_bias: Array | None,
    activation: str,
    gated: bool,
) -> Array:
    """`down(act(up x))`, or gated `down(act(gate x) * up x)` (arXiv:2002.05202): `[n, d] -> [n, d]`.

    A gated `up` holds both matrices, the gate's rows first: `[2 f, d]`; else `[f, d]`.
    """
    hidden = linear(x, up, up_bias)
    if not gated:
        return linear(in_blocks(ACTIVATIONS[activation], hidden), down, down_bias)
    width = hidden.shape[1] // 2
    gate = in_blocks(ACTIVATIONS[activation], hidden[:, :width])
    gate *= hidden[:, width:]
    return linear(gate, down, down_bias)


def route(logits: Array, top_k: int, renormalise: bool) -> tuple[NDArray[np.int64], Array]:
    """Choose experts by the softmax over all of them: `[n, e] -> choice [n, k], weight [n, k]`.

    Mixtral makes the chosen weights add up to 1 (arXiv:2401.04088, section 2.1), Jamba leaves them as they are.
    """
    weights = softmax(logits)
    choice = np.argsort(-weights, axis=-1, kind="stable")[:, :top_k]
    chosen = np.take_along_axis(weights, choice, -1)
    if renormalise:
        chosen /= chosen.sum(-1, keepdims=True)
    return choice, chosen


def mixture(x: Array, p: Mapping[str, Any], c: Config, note: Recorder) -> Array:
    """Each row's weighted sum of its experts' outputs: `[n, d] -> [n, d]`; experts see only their own rows."""
    logits = linear(x, p["ffn.router.w"])
    choice, weight = route(logits, c.top_k, c.renormalise)
    note("router_logits", logits)
    note("router_choice", choice)
    note("router_weight", weight)
    out = np.zeros_like(x)
    for expert in np.unique(choice):
        rows, slot = np.nonzero(choice == expert)
        up, down = p["ffn.experts.up.w"][expert], p["ffn.experts.down.w"][expert]
        out[rows] += (
            mlp(x[rows], up, None, down, None, c.activation, c.gated) * weight[rows, slot, None]
        )
    return out


def feed_forward(x: Array, p: Mapping[str, Any], c: Config, experts: int, note: Recorder) -> Array:
    """A layer's feed-forward, plain or mixed: `[b, t, d] -> [b, t, d]`."""
    flat = x.reshape(-1, x.shape[-1])
    if experts > 1:
        y = mixture(flat, p, c, note)
    else:
        get = p.get
        y = mlp(
            flat,
            p["ffn.up.w"],
            get("ffn.up.b"),
            p["ffn.down.w"],
            get("ffn.down.b"),
            c.activation,
            c.gated,
        )
    return y.reshape(x.shape)


def balance_loss(router_logits: Array, top_k: int, mask: Array | None = None) -> float:
    """How unevenly tokens load the experts, `top_k` when even: `[l, n, e] -> number`.

    The Switch Transformer's loss (arXiv:2101.03961, equations 4 to 6) over the tokens of all layers together:
    `e * sum_i (share of choices that fall on i) * (mean probability of i)`. `mask [n]` leaves padding out; without
    a token it is NaN.
    """
    experts = router_logits.shape[-1]
    if whole("top_k", top_k, 1) > experts:
        raise InputError(f"top_k={top_k} is more than the {experts} experts that have scores")
    layers: Array = router_logits.reshape(len(router_logits), -1, experts)
    if mask is not None:
        flat = as_array(mask, "the mask's entries").reshape(1, -1)
        real = as_mask(flat, layers[:1, :, 0])
        assert real is not None
        layers = layers[:, real[0]]
    logits = layers.reshape(-1, experts)
    if not len(logits):
        return math.nan
    choice, _ = route(logits, top_k, False)
    share = np.bincount(choice.reshape(-1), minlength=experts) / len(logits)
    return float(experts * (share * softmax(logits).mean(0)).sum())
