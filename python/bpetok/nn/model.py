"""The models: a causal decoder, a bidirectional encoder, and an encoder with a decoder that looks at it.

All three are thin: settings and weights in, one `Net` or two, and the heads. They hold no state of their own, so
threads may share one. `load` in `load.py` makes them from a folder, `from_weights` from arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpetok.nn.attention import HIDDEN, LAST
from bpetok.nn.block import Here
from bpetok.nn.config import Config
from bpetok.nn.embedding import check_ids
from bpetok.nn.errors import InputError
from bpetok.nn.heads import label_scores, mlm_scores, need, pooled, sentence, token_scores
from bpetok.nn.run import Net, Packed, as_mask, pack
from bpetok.nn.state import State, make_plan
from bpetok.nn.trace import SILENT, Recorder
from bpetok.nn.tracing import finish_trace
from bpetok.nn.weights import Stack, Weights

__all__ = ["Decoder", "Encoder", "Model", "encode_stack", "run_causal"]

Array = NDArray[Any]


class Model:
    """What all models share: `config`, `weights`, `dtype`."""

    def __init__(self, weights: Weights, dtype: DTypeLike) -> None:
        """Keep the weights and prepare the stacks."""
        self.config: Config = weights.stack.config
        self.weights, self.dtype, self.heads = weights, np.dtype(dtype), weights.heads
        self.net = Net(weights.stack, dtype)

    @property
    def nbytes(self) -> int:
        """Bytes of all weights."""
        stacks = [self.weights.stack, *([self.weights.encoder] if self.weights.encoder else [])]
        groups = [self.heads, *(group for s in stacks for group in (s.top, *s.layers))]
        return sum(array.nbytes for group in groups for array in group.values())

    def map_weights(self, f: Callable[[str, Any], Any]) -> Model:
        """A model whose weight `name` is `f(name, weight)`: how quantised matrices get in."""

        def change(group: dict[str, Any], prefix: str) -> dict[str, Any]:
            return {name: f(prefix + name, array) for name, array in group.items()}

        def stack(s: Stack, prefix: str) -> Stack:
            layers = tuple(change(p, f"{prefix}layers.{i}.") for i, p in enumerate(s.layers))
            return Stack(s.config, change(s.top, prefix), layers)

        w = self.weights
        encoder = stack(w.encoder, "encoder.") if w.encoder else None
        return type(self)(Weights(stack(w.stack, ""), change(w.heads, "heads."), encoder), self.dtype)

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
    if len(state.lengths) != batch:
        raise InputError(f"the state holds {len(state.lengths)} rows, the new ids {batch}")
    end = int((state.lengths + packed.counts).max(initial=0))
    net.check_positions(end)
    if t == 0 or batch == 0:
        return np.zeros((batch, t, net.config.width), net.dtype), state
    plan = make_plan(state, packed.counts, t)
    positions = np.minimum(plan.query_positions, end - 1)  # padding behind the last real id has no position
    keys = memory.pop("keys", None)
    rotation = net.rotation(positions, end)
    here = Here(plan.query_positions, plan.key_positions, rotation, plan, note=note, **memory)
    x, new = net(net.embed(packed.ids, positions, note), here, state, keys)
    return x, new if new is not None else state


def encode_stack(
    net: Net, ids: Array, mask: NDArray[np.bool_] | None, note: Recorder, token_types: Array | None = None
) -> Array:
    """Run a bidirectional stack: `[b, t] -> [b, t, d]`; padding is hidden from every query but keeps its position."""
    b, t = ids.shape
    net.check_positions(t)
    if b == 0 or t == 0:
        return np.zeros((b, t, net.config.width), net.dtype)
    k_pos = np.zeros((1, t), np.int64) if mask is None else np.where(mask, 0, HIDDEN)
    x = net.embed(ids, np.arange(t)[None], note, token_types)
    return net(x, Here(np.full((1, t), LAST), k_pos, note=note), None)[0]


class Decoder(Model):
    """Reads ids left to right and scores the next one: GPT, Llama, Mistral, Mixtral, Mamba, Mamba-2, Jamba, linear SSM.

    `logits, state = model(ids)`, then `model(more_ids, state)`; any split of a text gives the logits of the whole.
    """

    def __call__(self, ids: Any, state: State | None = None, mask: Any = None, *, last: bool = False) -> tuple[Array, State]:
        """Score the token after each id: `[b, t] -> [b, t, v]` and the state after the last.

        `mask [b, t]` marks the real ids among the new ones; padding, on either side, leaves no mark on the state
        and gets zeros. `last` scores only each row's last real id, `[b, 1, v]`.
        """
        hidden, packed, state = self._hidden(ids, state, mask, SILENT)
        if last:
            return self.scores(packed.last(hidden)[:, None] if hidden.shape[1] else hidden), state
        return packed.unpack(self.scores(hidden)), state

    def _hidden(self, ids: Any, state: State | None, mask: Any, note: Recorder) -> tuple[Array, Packed, State]:
        packed = pack(ids, mask, self.config.vocab_size)
        hidden, new = run_causal(self.net, packed, state, note)
        return hidden, packed, new

    def scores(self, hidden: Array) -> Array:
        """The output classifier: `[..., d] -> [..., v]`."""
        return token_scores(hidden, self.config, self.heads, self.net.top["embed"])

    def hidden(self, ids: Any, state: State | None = None, mask: Any = None) -> tuple[Array, State]:
        """The vectors before the output classifier: `[b, t] -> [b, t, d]` and the state."""
        hidden, packed, new = self._hidden(ids, state, mask, SILENT)
        return packed.unpack(hidden), new

    def classify(self, ids: Any, mask: Any = None, at: Any = None) -> Array:
        """Scores of the labels, read at the last real id or at index `at [b]`: `[b, t] -> [b, labels]`.

        Without a mask, ids equal to the config's `pad` are taken for padding, as `transformers` does.
        """
        ids = check_ids(ids, self.config.vocab_size) if mask is None else np.atleast_2d(np.asarray(ids))
        hidden, _ = self.hidden(ids, None, mask)
        if at is None:
            pad = self.config.pad
            real = as_mask(mask, ids) if mask is not None else ids != (-1 if pad is None else pad)
            assert real is not None
            at = np.where(real, np.arange(ids.shape[1]), 0).max(1)
        return label_scores(hidden[np.arange(len(hidden)), at], self.config, self.heads)

    def embed(self, ids: Any, mask: Any = None, pooling: str = "mean", normalize: bool = True) -> Array:
        """One vector per text: `[b, t] -> [b, d]`."""
        real = as_mask(mask, np.atleast_2d(np.asarray(ids)))
        return sentence(self.hidden(ids, None, mask)[0], real, pooling, normalize)

    def trace(self, ids: Any, mask: Any = None) -> dict[str, Array]:
        """Every intermediate by name (the table is in docs/nn.md), `hidden`, `attention` and `router_*` stacked."""
        book: dict[str, Array] = {}
        hidden, packed, _ = self._hidden(ids, None, mask, Recorder(book))
        if self.config.tied or "head.w" in self.heads:
            book["logits"] = packed.unpack(self.scores(hidden))
        return finish_trace(book, self.config, packed)


class Encoder(Model):
    """Reads a text in both directions: BERT and its kin, and sentence embeddings made from them."""

    def encode(self, ids: Any, mask: Any = None, token_types: Any = None) -> Array:
        """A vector for every id: `[b, t] -> [b, t, d]`; `mask [b, t]` marks the real ones."""
        return self._encode(ids, mask, token_types, SILENT)[0]

    def _encode(self, ids: Any, mask: Any, token_types: Any, note: Recorder) -> tuple[Array, NDArray[np.bool_] | None]:
        raw = np.atleast_2d(np.asarray(ids))
        real = as_mask(mask, raw)
        checked = check_ids(raw if real is None else np.where(real, raw, 0), self.config.vocab_size)
        if real is not None and ((0 <= raw) & (raw < self.config.vocab_size)).all():
            checked = raw.astype(np.int64)  # padding is encoded too, as what it says
        types = None if token_types is None else check_ids(token_types, self.config.token_types, "token type")
        if types is not None and types.shape != checked.shape:
            raise InputError(f"token_types has shape {list(types.shape)}, the ids {list(checked.shape)}")
        return encode_stack(self.net, checked, real, note, types), real

    def pool(self, hidden: Array) -> Array:
        """The summary of the first token that NSP and classification read: `[b, t, d] -> [b, d]`."""
        return pooled(hidden, self.heads)

    def mlm(self, hidden: Array) -> Array:
        """Scores of the token that belongs at each position: `[b, t, d] -> [b, t, v]`."""
        return mlm_scores(hidden, self.config, self.heads, self.net.top["embed"])

    def nsp(self, hidden: Array) -> Array:
        """Scores that the second text follows the first (label 0) or is random (label 1): `[b, t, d] -> [b, 2]`."""
        weight = need(self.heads, "nsp.w", "next-sentence head")
        return self.pool(hidden) @ weight.T + self.heads["nsp.b"]

    def classify(self, ids: Any, mask: Any = None, token_types: Any = None) -> Array:
        """Scores of the labels: `[b, t] -> [b, labels]`."""
        return label_scores(self.pool(self.encode(ids, mask, token_types)), self.config, self.heads)

    def embed(
        self, ids: Any, mask: Any = None, token_types: Any = None, pooling: str = "mean", normalize: bool = True
    ) -> Array:
        """One vector per text, the mean over its real tokens scaled to length 1: `[b, t] -> [b, d]`."""
        hidden, real = self._encode(ids, mask, token_types, SILENT)
        return sentence(hidden, real, pooling, normalize)

    def trace(self, ids: Any, mask: Any = None, token_types: Any = None) -> dict[str, Array]:
        """Every intermediate by name (the table is in docs/nn.md), `hidden` and `attention` stacked."""
        book: dict[str, Array] = {}
        hidden, _ = self._encode(ids, mask, token_types, Recorder(book))
        if "pool.w" in self.heads:
            book["pooled"] = self.pool(hidden)
        if "mlm.w" in self.heads:
            book["mlm_logits"] = self.mlm(hidden)
        if "nsp.w" in self.heads:
            book["nsp_logits"] = self.nsp(hidden)
        return finish_trace(book, self.config, None)
