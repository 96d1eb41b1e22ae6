"""What the three kinds of model share: weights, and running a causal or a bidirectional stack on ids.

The kinds are thin: `Decoder`, `Encoder` and `EncoderDecoder`, a file each, are one `Net` or two and the heads.
They hold no state of their own, so threads may share one. `load` in `load.py` makes them from a folder.

>>> from bpetok.nn.load import random_model
>>> model = random_model(Config("linear_ssm", vocab_size=3, width=2, layers=0, tied=True))
>>> model, model.nbytes
(<Decoder linear_ssm: 0 layers of width 2, float32>, 32)
>>> model.map_weights(lambda name, array: array * 2).weights.stack.top["final_norm.w"].tolist()
[2.0, 2.0]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpetok.nn.attention import HIDDEN, LAST
from bpetok.nn.block import Here
from bpetok.nn.config import Config
from bpetok.nn.errors import InputError
from bpetok.nn.plan import make_plan
from bpetok.nn.run import Net, Packed
from bpetok.nn.state import State
from bpetok.nn.trace import Recorder
from bpetok.nn.weights import Weights

__all__ = ["Model", "encode_stack", "run_causal"]

Array = NDArray[Any]


class Model:
    """What all models share: `config`, `weights`, `dtype`."""

    def __init__(self, weights: Weights, dtype: DTypeLike) -> None:
        """Keep the weights and prepare the stacks."""
        self.config: Config = weights.stack.config
        self.weights, self.dtype, self.heads = weights, np.dtype(dtype), weights.heads
        self.net = Net(weights.stack, dtype)

    @property
    def limit(self) -> int | None:
        """The longest text its table of positions allows; None for rotary positions and state spaces."""
        return self.config.max_positions if "positions" in self.net.top else None

    @property
    def nbytes(self) -> int:
        """Bytes of all weights, a table that two stacks share once."""
        stacks = [self.weights.stack, *([self.weights.encoder] if self.weights.encoder else [])]
        groups = [self.heads, *(group for s in stacks for group in (s.top, *s.layers))]
        distinct = {id(array): array for group in groups for array in group.values()}
        return sum(array.nbytes for array in distinct.values())

    def map_weights(self, f: Callable[[str, Any], Any]) -> Model:
        """A model whose weight `name` is `f(name, weight)`, in this one's dtype: how quantised matrices get in."""
        return type(self)(self.weights.map(f).rounded(self.dtype), self.dtype)

    def __repr__(self) -> str:
        """Family, size and dtype."""
        c = self.config
        return f"<{type(self).__name__} {c.family}: {c.layers} layers of width {c.width}, {self.dtype}>"


def run_causal(
    net: Net, packed: Packed, state: State | None, note: Recorder, **memory: Any
) -> tuple[Array, State]:
    """Run new ids through a causal stack: `[b, t'] -> [b, t', d]` and the new state.

    `memory` has the keys, positions and query positions of an encoder's output, for a decoder that looks at one.
    """
    batch, t = packed.ids.shape
    if state is None:
        state = net.empty_state(batch)
    if not isinstance(state, State):
        raise TypeError(
            f"state is of type {type(state).__name__}: it must be the State that an earlier call gave, or None to start "
            "anew; a mask goes in as mask="
        )
    if len(state.layers) != net.config.layers:
        raise InputError(
            f"the state is of {len(state.layers)} layers, the model has {net.config.layers}"
        )
    if state.kind != net.state_kind:
        raise InputError(
            f"the state is another model's: {_difference(state.kind, net.state_kind)}; start with state=None"
        )
    if len(state.lengths) != batch:
        raise InputError(f"the state holds {len(state.lengths)} rows, the new ids {batch}")
    end = int((state.lengths + packed.counts).max(initial=0))
    net.check_positions(end)
    if t == 0 or batch == 0:
        return np.zeros((batch, t, net.config.width), net.dtype), state
    plan = make_plan(state, packed.counts, t)
    # Padding behind the last real id may have no position in the table.
    positions = np.minimum(plan.query_positions, end - 1)
    keys = memory.pop("keys", None)
    rotation = net.rotation(positions, end)
    here = Here(plan.query_positions, plan.key_positions, rotation, plan, note=note, **memory)
    x, new = net(net.embed(packed.ids, positions, note), here, state, keys)
    return x, new if new is not None else state


def _difference(theirs: tuple[Any, ...], ours: tuple[Any, ...]) -> str:
    """The first thing in which two kinds of state differ, layers counted from 0."""
    at = next(i for i, (a, b) in enumerate(zip(theirs, ours, strict=True)) if a != b)
    what = f"layer {at - 1} of {theirs[at][0]} {theirs[at][1]}" if at else f"window {theirs[0]}"
    return f"{what}, not {ours[at][0]} {ours[at][1]}" if at else f"{what}, not {ours[0]}"


def encode_stack(
    net: Net,
    ids: Array,
    mask: NDArray[np.bool_] | None,
    note: Recorder,
    token_types: Array | None = None,
) -> Array:
    """Run a bidirectional stack: `[b, t] -> [b, t, d]`; padding is hidden from every query but keeps its position."""
    b, t = ids.shape
    net.check_positions(t)
    if b == 0 or t == 0:
        return np.zeros((b, t, net.config.width), net.dtype)
    k_pos = np.zeros((1, t), np.int64) if mask is None else np.where(mask, 0, HIDDEN)
    x = net.embed(ids, np.arange(t)[None], note, token_types)
    return net(x, Here(np.full((1, t), LAST), k_pos, note=note), None)[0]
