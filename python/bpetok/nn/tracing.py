"""Gathering a trace: the arrays of all layers stacked under one name, beside the single ones.

>>> import numpy as np
>>> gather({"hidden.0": np.zeros(1), "hidden.1": np.ones(1)}, "hidden.{}", 2).tolist()
[[0.0], [1.0]]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.config import Config
from bpetok.nn.families import FAMILIES
from bpetok.nn.run import Packed

__all__ = ["finish_trace", "gather"]

Array = NDArray[Any]


def gather(book: dict[str, Array], pattern: str, count: int) -> Array | None:
    """Stack the entries `pattern.format(0)`, ... that are there; None when none is."""
    found = [book[name] for name in (pattern.format(i) for i in range(count)) if name in book]
    return np.stack(found) if found else None


def finish_trace(
    book: dict[str, Array], c: Config, packed: Packed | None, prefix: str = ""
) -> dict[str, Array]:
    """Add `hidden [l + 1, b, t, d]`, `attention [l, b, h, t, s]` and the router's arrays `[l, b, t, ...]`.

    `hidden` has the entries of `output_hidden_states` in `transformers`: the embeddings, then every block's output,
    the last after the final norm; for Mamba and Mamba-2 every block's output, then the last after the final norm.
    Of a causal stack all have zeros at padding, and the single entries have it taken out. An encoder reads padding as
    what it says, and nothing looks at it: only its columns of `attention` are zeros.
    """
    groups = {
        "hidden": (f"{prefix}hidden.{{}}", c.layers + 1),
        "attention": (f"{prefix}block.{{}}.attention.map", c.layers),
        "cross_attention": (f"{prefix}block.{{}}.cross.map", c.layers),
        **{name: (f"{prefix}block.{{}}.ffn.{name}", c.layers) for name in _ROUTER},
    }
    for name, (pattern, count) in groups.items():
        stacked = gather(book, pattern, count)
        if stacked is None:
            continue
        if name in _ROUTER and packed is not None:
            stacked = stacked.reshape(len(stacked), *packed.ids.shape, -1)
        if packed is not None and packed.order is not None:
            stacked = np.stack([_unpack(layer, name, packed) for layer in stacked])
        book[prefix + name] = stacked
    if FAMILIES[c.family].traces_outputs and f"{prefix}hidden" in book:
        stacked = gather(book, f"{prefix}block.{{}}.out", c.layers)
        if stacked is not None:
            blocks = (
                stacked if packed is None else np.stack([packed.unpack(layer) for layer in stacked])
            )
            book[f"{prefix}hidden"] = np.concatenate([blocks, book[f"{prefix}hidden"][-1:]])
    return book


_ROUTER = ("router_logits", "router_choice", "router_weight")


def _unpack(x: Array, name: str, packed: Packed) -> Array:
    """Padding put back along time; an attention map has time on both of its last axes."""
    if name == "attention":
        x = np.moveaxis(packed.unpack(np.moveaxis(x, 3, 1)), 1, 3)
    if name in ("attention", "cross_attention"):
        return np.moveaxis(packed.unpack(np.moveaxis(x, 2, 1)), 1, 2)
    return packed.unpack(x)
