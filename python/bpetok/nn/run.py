"""Running one stack of blocks: embed, block after block, final norm; padding is taken out before, put back after.

`Net` holds a stack with what can be computed once: position tables, decays, discretised matrices. Padding never
enters a causal stack: `pack` moves each row's real ids to the front, so that a position is the number of real
tokens before it, whatever side the padding was on, and nothing inside has to know about it.

>>> packed = pack([[0, 0, 7], [4, 5, 6]], [[0, 0, 1], [1, 1, 1]], vocab_size=10)
>>> packed.ids[:, 0].tolist(), packed.counts.tolist()
([7, 4], [1, 3])
>>> packed.unpack(packed.ids).tolist()
[[0, 0, 7], [4, 5, 6]]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.block import Here, block
from bpetok.nn.config import Config
from bpetok.nn.embedding import embed
from bpetok.nn.errors import InputError
from bpetok.nn.inputs import masked_ids
from bpetok.nn.mixers import empty_memory
from bpetok.nn.norms import norm
from bpetok.nn.positions import rope_table, sinusoids
from bpetok.nn.ssm import discretise
from bpetok.nn.state import KeyValues, Recurrent, State
from bpetok.nn.trace import Recorder
from bpetok.nn.weights import Stack

__all__ = ["Net", "Packed", "pack"]

Array = NDArray[Any]


class Packed:
    """Ids without their padding: `ids [b, t']` with `counts [b]` real ones in front, and the way back."""

    def __init__(self, ids: Array, mask: NDArray[np.bool_] | None) -> None:
        """Move the real ids of each row to the front."""
        self.shape, self.order = ids.shape, None
        self.ids, self.counts = ids, np.full(len(ids), ids.shape[1])
        if mask is not None and not mask.all():
            self.counts = mask.sum(1)
            self.order = np.argsort(~mask, axis=1, kind="stable")[
                :, : int(self.counts.max(initial=0))
            ]
            self.ids = np.take_along_axis(ids, self.order, 1)

    def unpack(self, x: Array) -> Array:
        """Put rows back where their ids were, zeros at padding: `[b, t', ...] -> [b, t, ...]`."""
        if self.order is None:
            return x
        out = np.zeros((*self.shape, *x.shape[2:]), x.dtype)
        rows, packed = np.nonzero(np.arange(x.shape[1]) < self.counts[:, None])
        out[rows, self.order[rows, packed]] = x[rows, packed]
        return out

    def score_last(self, x: Array, scores: Callable[[Array], Array]) -> Array:
        """Scores at each row's last real id, zeros for a row that has none: `[b, t', d] -> [b, 1, v]`."""
        if not x.shape[1]:  # no row has any: there is nothing to read, but a shape to keep
            x = np.zeros((len(x), 1, x.shape[2]), x.dtype)
        out = scores(x[np.arange(len(x)), np.maximum(self.counts - 1, 0)][:, None])
        out[self.counts == 0] = 0
        return out


def pack(ids: Any, mask: Any, vocab_size: int) -> Packed:
    """Check ids and mask and take the padding out; what stands at padding need not be a token."""
    return Packed(*masked_ids(ids, mask, vocab_size))


class Net:
    """A stack of blocks ready to run; it has no state of its own."""

    def __init__(self, stack: Stack, dtype: Any) -> None:
        """Compute what depends on weights and settings only."""
        c = self.config = stack.config
        self.dtype, self.top = np.dtype(dtype), dict(stack.top)
        if c.positions.startswith("sinusoid") and "positions" not in self.top:
            table = sinusoids(c.max_positions, c.width, halves=c.positions == "sinusoid_halves")
            self.top["positions"] = table.astype(self.dtype)
        self.layers = tuple(_prepare(p, c) for p in stack.layers)
        self._rotation: tuple[Array, Array] = (np.zeros((0, 1)), np.zeros((0, 1)))
        self.state_kind = self.empty_state(0).kind if c.causal else ()

    def empty_state(self, batch: int) -> State:
        """The state of a causal stack that has read nothing."""
        c, zero = self.config, np.zeros(batch, np.int64)
        layers: list[KeyValues | Recurrent] = []
        for mixer in c.mixers:
            if mixer == "attention":
                nothing = np.zeros((batch, c.kv_heads, 0, c.head_dim), self.dtype)
                layers.append(KeyValues(nothing, nothing))
            else:
                layers.append(empty_memory(mixer, c, batch, self.dtype))
        return State(zero, zero, tuple(layers), c.window)

    def embed(
        self, ids: Array, positions: Array, note: Recorder, token_types: Array | None = None
    ) -> Array:
        """Token, type and position vectors added up: `[b, t], [r, t] -> [b, t, d]`."""
        c, top = self.config, self.top
        x = embed(ids, top["embed"])
        if c.embed_scale != 1.0:
            x = x * c.embed_scale
        if c.token_types:
            x = x + embed(
                np.zeros_like(ids) if token_types is None else token_types, top["token_types"]
            )
        if "positions" in top:
            x = x + embed(positions + c.position_offset, top["positions"])
        note("embedding", x)
        return norm(x, top, "embed_norm", c) if c.embedding_norm else x

    def check_positions(self, length: int) -> None:
        """Refuse positions beyond a table."""
        limit = self.config.max_positions
        if "positions" in self.top and length > limit:
            raise InputError(
                f"{length} positions are more than the model's table of {limit}; use a shorter context"
            )

    def rotation(self, positions: Array, length: int) -> tuple[Array, Array] | None:
        """Cosines and sines at some positions, `[r, t] -> [r, t, 1, head_dim / 2]` twice; None without rope."""
        c = self.config
        if c.rope is None:
            return None
        cos, sin = self._rotation
        if len(cos) < length:  # two threads may both build it; either result is right
            table = rope_table(c.rope, c.head_dim, 1 << max(6, (length - 1).bit_length()))
            cos, sin = self._rotation = table[0].astype(self.dtype), table[1].astype(self.dtype)
        return cos[positions][:, :, None], sin[positions][:, :, None]

    def __call__(
        self, x: Array, here: Here, state: State | None, memory: tuple[KeyValues, ...] | None = None
    ) -> tuple[Array, State | None]:
        """All blocks and the final norm: `[b, t, d] -> [b, t, d]` and the new state."""
        c, note, new = self.config, here.note, []
        note("hidden.0", x)
        for i, p in enumerate(self.layers):
            old = None if state is None else state.layers[i]
            x, kept = block(x, p, c, i, here, old, None if memory is None else memory[i])
            new.append(kept)
            if i + 1 < c.layers:
                note(f"hidden.{i + 1}", x)
        if c.final_norm:
            x = norm(x, self.top, "final_norm", c)
        note(f"hidden.{c.layers}", x)
        if state is None or here.plan is None:
            return x, None
        plan = here.plan
        layers = tuple(layer for layer in new if layer is not None)
        return x, replace(
            state, lengths=plan.end, base=plan.base_after, layers=layers, claim=[True]
        )


def _prepare(p: dict[str, Any], c: Config) -> dict[str, Any]:
    """Decays from their logarithms, transposed to `[n, c]`; a linear SSM's matrices in discrete time.

    Those are made in float64 and rounded once: a matrix exponential squares its errors as well.
    """
    p = dict(p)
    if "mix.A_log" in p:
        p["mix.decay"] = np.ascontiguousarray(-np.exp(p["mix.A_log"]).T)
    if "mix.A" in p and c.ssm is not None:
        A, B = p["mix.A"], p["mix.B"]
        exact = discretise(
            np.array(A, np.float64), np.array(B, np.float64), c.ssm.time_step, c.ssm.discretisation
        )
        p["mix.step.A"], p["mix.step.B"] = exact[0].astype(A.dtype), exact[1].astype(B.dtype)
    return p
