"""Encoder and decoder together: the 2017 Transformer and its Marian and BART checkpoints.

memory = model.encode(ids, mask)
logits, state = model.decode(target_ids, memory)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpetok.nn.attention import HIDDEN, LAST
from bpetok.nn.block import memory_keys
from bpetok.nn.errors import ConfigError, InputError
from bpetok.nn.heads import label_scores, pooled, token_scores
from bpetok.nn.inputs import as_array, as_rows, check_ids, masked_ids
from bpetok.nn.model import Model, encode_stack, run_causal
from bpetok.nn.run import Net, Packed, pack
from bpetok.nn.state import KeyValues, State, row_numbers
from bpetok.nn.trace import SILENT, Recorder
from bpetok.nn.tracing import finish_trace
from bpetok.nn.weights import Weights

__all__ = ["EncoderDecoder", "Memory", "shift_right"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Memory:
    """An encoded text: `hidden [b, m, d]`, which of it is real, and each decoder layer's keys and values of it.

    It counts as the array `hidden` wherever NumPy wants an array.
    """

    hidden: Array
    mask: NDArray[np.bool_] | None
    keys: tuple[KeyValues, ...]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        """The hidden vectors."""
        return np.array(
            self.hidden, dtype=dtype, copy=bool(copy) or dtype not in (None, self.hidden.dtype)
        )

    def __getitem__(self, index: Any) -> Array:
        """Index the hidden vectors."""
        return np.asarray(self.hidden[index])

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.hidden)

    @property
    def shape(self) -> tuple[int, ...]:
        """`[b, m, d]`."""
        return self.hidden.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The model's dtype."""
        return self.hidden.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of vectors, keys and values."""
        return self.hidden.nbytes + sum(k.keys.nbytes + k.values.nbytes for k in self.keys)

    def select(self, rows: Any) -> Memory:
        """The memory of some texts, in any order and number."""
        rows = row_numbers(rows, len(self))
        keys = tuple(KeyValues(k.keys[rows], k.values[rows]) for k in self.keys)
        return Memory(self.hidden[rows], None if self.mask is None else self.mask[rows], keys)


def shift_right(labels: Any, start: int, pad: int) -> NDArray[np.int64]:
    """Teacher forcing: what the decoder reads while it should say `labels`: `[b, t] -> [b, t]`.

    >>> shift_right([[5, 6, -100]], start=0, pad=1).tolist()
    [[0, 5, 6]]
    """
    labels = as_rows(labels, "labels").astype(np.int64)
    out = np.concatenate([np.full((len(labels), 1), start), labels[:, :-1]], axis=1)
    return np.where(out == -100, pad, out)


class EncoderDecoder(Model):
    """Reads one text in both directions and writes another, left to right."""

    def __init__(self, weights: Weights, dtype: DTypeLike) -> None:
        """Prepare both stacks."""
        super().__init__(weights, dtype)
        if weights.encoder is None:
            raise ConfigError("an encoder-decoder needs an encoder's weights")
        self.encoder = Net(weights.encoder, dtype)

    def encode(self, ids: Any, mask: Any = None) -> Memory:
        """Read the source: `[b, m] -> Memory` of shape `[b, m, d]`."""
        return self._encode(ids, mask, SILENT)

    def _encode(self, ids: Any, mask: Any, note: Recorder) -> Memory:
        checked, real = masked_ids(ids, mask, self.encoder.config.vocab_size)
        if not checked.shape[1]:
            raise InputError(
                f"the source has shape {list(checked.shape)}: a text needs at least one id, an end id for instance"
            )
        return self._memory(encode_stack(self.encoder, checked, real, note), real)

    def _memory(self, hidden: Array, real: NDArray[np.bool_] | None) -> Memory:
        return Memory(
            hidden, real, tuple(memory_keys(hidden, p, self.config) for p in self.net.layers)
        )

    def as_memory(self, memory: Memory | Array) -> Memory:
        """A memory that fits this model; of a bare array every vector counts as real: `[b, m, d] -> Memory`."""
        given = memory if isinstance(memory, Memory) else as_array(memory, "memory")
        width, layers = self.config.width, self.config.layers
        if len(given.shape) != 3 or given.shape[2] != width or not given.shape[1]:
            raise InputError(
                f"the memory has shape {list(given.shape)}; it must be [batch, ids of the source, {width}]"
            )
        if not isinstance(given, Memory):
            return self._memory(np.asarray(given, self.dtype), None)
        if len(given.keys) != layers:
            raise InputError(
                f"the memory has keys for {len(given.keys)} layers, the model has {layers}: it is another model's"
            )
        return given

    def decode(
        self,
        ids: Any,
        memory: Memory | Array,
        state: State | None = None,
        mask: Any = None,
        *,
        last: bool = False,
    ) -> tuple[Array, State]:
        """Score the next target token after each id: `[b, t], [b, m, d] -> [b, t, v]` and the state."""
        hidden, packed, new = self._decode(ids, memory, state, mask, SILENT)
        if last:
            return packed.score_last(hidden, self.scores), new
        return packed.unpack(self.scores(hidden)), new

    def _decode(
        self, ids: Any, memory: Memory | Array, state: State | None, mask: Any, note: Recorder
    ) -> tuple[Array, Packed, State]:
        memory = self.as_memory(memory)
        packed = pack(ids, mask, self.config.vocab_size)
        if len(memory) != len(packed.ids):
            raise InputError(
                f"the memory holds {len(memory)} texts, the new ids {len(packed.ids)} rows"
            )
        seen = (
            np.zeros((1, memory.shape[1]), np.int64)
            if memory.mask is None
            else np.where(memory.mask, 0, HIDDEN)
        )
        where = {"memory_pos": seen, "memory_query_pos": np.full((1, packed.ids.shape[1]), LAST)}
        hidden, new = run_causal(self.net, packed, state, note, keys=memory.keys, **where)
        return hidden, packed, new

    def scores(self, hidden: Array) -> Array:
        """The output classifier: `[..., d] -> [..., v]`."""
        return token_scores(hidden, self.config, self.heads, self.net.top["embed"])

    def classify(self, ids: Any, mask: Any = None) -> Array:
        """Scores of the labels from the decoder's vector at the last end-of-text id: `[b, t] -> [b, labels]`."""
        c, ids = self.config, check_ids(ids, self.config.vocab_size)
        if not ids.shape[1]:
            raise InputError(
                f"ids have shape {list(ids.shape)}: there is no end-of-text id to read labels at"
            )
        if c.decoder_start is None or c.pad is None or not c.eos:
            raise ConfigError(
                "classification needs decoder_start_token_id, pad_token_id and eos_token_id in the config"
            )
        ends = np.where(ids == c.eos[0], np.arange(ids.shape[1]), -1).max(1)
        if (ends < 0).any():
            raise InputError(
                f"row {int(np.argmin(ends))} has no end-of-text id {c.eos[0]} to read the labels at"
            )
        hidden, _, _ = self._decode(
            shift_right(ids, c.decoder_start, c.pad), self.encode(ids, mask), None, None, SILENT
        )
        return label_scores(
            pooled(hidden[np.arange(len(ids)), ends][:, None], self.heads), c, self.heads
        )

    def trace(self, ids: Any, target_ids: Any = None, mask: Any = None) -> dict[str, Array]:
        """Every intermediate by name: the encoder's under `encoder.`, the decoder's, and `cross_attention`.

        Without `target_ids` the decoder reads its start id alone.
        """
        if target_ids is None:
            target_ids = np.full((len(as_rows(ids)), 1), self.config.decoder_start or 0)
        source: dict[str, Array] = {}
        book: dict[str, Array] = {}
        memory = self._encode(ids, mask, Recorder(source))
        finish_trace(source, self.encoder.config, None)
        hidden, packed, _ = self._decode(target_ids, memory, None, None, Recorder(book))
        book["memory"], book["logits"] = memory.hidden, packed.unpack(self.scores(hidden))
        finish_trace(book, self.config, packed)
        return {f"encoder.{name}": array for name, array in source.items()} | book
