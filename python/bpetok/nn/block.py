"""The one block: mix tokens, look at a memory if there is one, transform each token; residuals around each.

    pre-norm   x = x + f(norm(x))       GPT-2, Llama, Mamba, ...
    post-norm  x = norm(x + f(x))       the 2017 Transformer, GPT-1, BERT, BART

Every architecture of this package is a stack of these with a `Config`. What differs between layers of one
model (attention or state space, experts or not) is in `config.mixers` and `config.experts`.

>>> import numpy as np
>>> from bpetok.nn.untrained import random_weights
>>> c = Config(
...     "llama", 9, width=8, layers=1, heads=2, kv_heads=1, head_dim=4, ffn_width=6, gated=True
... )
>>> x, now = np.ones((1, 3, 8), np.float32), np.arange(3)[None]
>>> out, state = block(x, random_weights(c).stack.layers[0], c, 0, Here(now, now), None, None)
>>> out.shape, bool(np.allclose(out[0, 0], out[0, 2]))  # equal tokens without positions stay equal
((1, 3, 8), True)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray

from bpetok.nn.attention import attend, attention_map, visible
from bpetok.nn.config import Config
from bpetok.nn.embedding import linear
from bpetok.nn.feedforward import feed_forward
from bpetok.nn.mixers import mix
from bpetok.nn.norms import norm
from bpetok.nn.plan import Plan
from bpetok.nn.positions import rotate
from bpetok.nn.state import KeyValues, Recurrent
from bpetok.nn.trace import SILENT, Recorder

__all__ = ["Here", "block", "memory_keys"]

Array = NDArray[Any]
Params = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Here:
    """What all layers of one forward pass share: positions, rotation, the plan for the state, what is traced."""

    q_pos: Array  # [r, t]
    k_pos: Array  # [r, s]
    rotation: tuple[Array, Array] | None = None  # cos and sin, [r, t, 1, head_dim / 2]
    plan: Plan | None = None
    memory_pos: Array | None = None  # positions of an encoder's memory, [r, m]
    memory_query_pos: Array | None = None
    note: Recorder = SILENT


def block(
    x: Array,
    p: Params,
    c: Config,
    layer: int,
    here: Here,
    state: KeyValues | Recurrent | None,
    memory: KeyValues | None,
) -> tuple[Array, KeyValues | Recurrent | None]:
    """One layer: `[b, t, d] -> [b, t, d]` and its new state. `memory` holds an encoder's keys and values."""
    note, new = here.note.at(f"block.{layer}"), state

    def mixer(y: Array) -> Array:
        nonlocal new
        if c.mixers[layer] == "attention":
            out, new = self_attention(y, p, c, layer, here, state, note.at("attention"))
        else:
            assert isinstance(state, Recurrent)
            assert here.plan is not None
            out, new = mix(c.mixers[layer], y, p, c, state, here.plan.counts, note.at("mixer"))
        return out

    x = _residual(x, p, c, "mix.norm", mixer)
    note("mixed", x)
    if memory is not None:
        look = partial(cross_attention, p=p, c=c, here=here, memory=memory, note=note.at("cross"))
        x = _residual(x, p, c, "cross.norm", look)
        note("crossed", x)
    if c.experts[layer]:
        think = partial(feed_forward, p=p, c=c, experts=c.experts[layer], note=note.at("ffn"))
        x = _residual(x, p, c, "ffn.norm", think)
    note("out", x)
    return x, new


def _residual(x: Array, p: Params, c: Config, name: str, f: Callable[[Array], Array]) -> Array:
    """`x + f(x)` with the norm before `f` or after the sum: `[b, t, d] -> [b, t, d]`."""
    if c.norm_place == "pre":
        y = f(norm(x, p, name, c))
        y += x
        return y
    y = f(x)
    y += x
    return norm(y, p, name, c)


def _heads(x: Array, heads: int) -> Array:
    """`[b, t, h d] -> [b, t, h, d]`."""
    return x.reshape(*x.shape[:2], heads, x.shape[2] // heads)


def _scale(c: Config, layer: int) -> float:
    scale = c.head_dim**-0.5 if c.scale_scores else 1.0
    return scale / (layer + 1) if c.scale_by_layer else scale


def self_attention(
    x: Array, p: Params, c: Config, layer: int, here: Here, state: Any, note: Recorder
) -> tuple[Array, KeyValues | None]:
    """Project to queries, keys and values, rotate, remember, attend, project back: `[b, t, d] -> [b, t, d]`."""
    qkv = linear(x, p["mix.qkv.w"], p.get("mix.qkv.b"))
    split = c.heads * c.head_dim, (c.heads + c.kv_heads) * c.head_dim
    q, k = _heads(qkv[..., : split[0]], c.heads), _heads(qkv[..., split[0] : split[1]], c.kv_heads)
    v = _heads(qkv[..., split[1] :], c.kv_heads).swapaxes(1, 2)
    if here.rotation is not None:
        q, k = rotate(q, *here.rotation), rotate(k, *here.rotation)
    q, k = q.swapaxes(1, 2), k.swapaxes(1, 2)
    if here.plan is not None:
        state, k, v = here.plan.extend(state, k, v)
    out = _attend(q, k, v, here.q_pos, here.k_pos, _scale(c, layer), c.window, note)
    return linear(out, p["mix.out.w"], p.get("mix.out.b")), state


def cross_attention(
    x: Array, p: Params, c: Config, here: Here, memory: KeyValues, note: Recorder
) -> Array:
    """Look at an encoder's memory: `[b, t, d] -> [b, t, d]`."""
    assert here.memory_pos is not None
    assert here.memory_query_pos is not None
    q = _heads(linear(x, p["cross.q.w"], p.get("cross.q.b")), c.heads).swapaxes(1, 2)
    positions = here.memory_query_pos, here.memory_pos
    out = _attend(q, memory.keys, memory.values, *positions, _scale(c, 0), None, note)
    return linear(out, p["cross.out.w"], p.get("cross.out.b"))


def memory_keys(memory: Array, p: Params, c: Config) -> KeyValues:
    """Keys and values of an encoder's output, made once per text: `[b, m, d] -> [b, h, m, head_dim]` twice."""
    both = linear(memory, p["cross.kv.w"], p.get("cross.kv.b"))
    keys, values = both[..., : c.heads * c.head_dim], both[..., c.heads * c.head_dim :]
    return KeyValues(_heads(keys, c.heads).swapaxes(1, 2), _heads(values, c.heads).swapaxes(1, 2))


def _attend(
    q: Array,
    k: Array,
    v: Array,
    q_pos: Array,
    k_pos: Array,
    scale: float,
    window: int | None,
    note: Recorder,
) -> Array:
    """Attention with its heads joined again, `[b, h, t, e] -> [b, t, h e]`; a trace also keeps the map."""
    if note:
        note("q", q)
        note("k", k)
        note("v", v)
        note("map", attention_map(q, k, scale, visible(q_pos, k_pos, window)))
    out = attend(q, k, v, q_pos, k_pos, scale, window)
    return out.swapaxes(1, 2).reshape(q.shape[0], q.shape[2], -1)
