"""Models that read ids left to right and score the next one.

>>> from bpetok.nn.config import Config
>>> from bpetok.nn.load import random_model
>>> c = Config(
...     "gpt2", 9, width=4, layers=1, heads=2, kv_heads=2, head_dim=2, ffn_width=8, tied=True
... )
>>> model = random_model(c, dtype="float64")
>>> logits, state = model([[1, 2, 3]])
>>> more, _ = model([[4, 5]], state)
>>> bool(np.allclose(more, model([[1, 2, 3, 4, 5]])[0][:, 3:]))
True
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.errors import InputError
from bpetok.nn.heads import label_scores, sentence, token_scores
from bpetok.nn.inputs import as_array, as_mask, as_rows, check_ids
from bpetok.nn.model import Model, run_causal
from bpetok.nn.run import Packed, pack
from bpetok.nn.state import State
from bpetok.nn.trace import SILENT, Recorder
from bpetok.nn.tracing import finish_trace

__all__ = ["Decoder"]

Array = NDArray[Any]


class Decoder(Model):
    """Reads ids left to right and scores the next one: GPT, Llama, Mistral, Mixtral, Mamba, Mamba-2, Jamba, linear SSM.

    `logits, state = model(ids)`, then `model(more_ids, state)`; any split of a text gives the logits of the whole.
    """

    def __call__(
        self, ids: Any, state: State | None = None, mask: Any = None, *, last: bool = False
    ) -> tuple[Array, State]:
        """Score the token after each id: `[b, t] -> [b, t, v]` and the state after the last.

        `mask [b, t]` marks the real ids among the new ones; padding, on either side, leaves no mark on the state
        and gets zeros. `last` scores only each row's last real id, `[b, 1, v]`; a row that has none gets zeros.
        """
        hidden, packed, state = self._hidden(ids, state, mask, SILENT)
        if last:
            return packed.score_last(hidden, self.scores), state
        return packed.unpack(self.scores(hidden)), state

    def _hidden(
        self, ids: Any, state: State | None, mask: Any, note: Recorder
    ) -> tuple[Array, Packed, State]:
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
        ids = check_ids(ids, self.config.vocab_size) if mask is None else as_rows(ids)
        real = as_mask(mask, ids)
        if not ids.shape[1] or (real is not None and not real.any(1).all()):
            raise InputError(
                f"ids have shape {list(ids.shape)}, and a row without a real id: there is none to read its label at"
            )
        hidden, _ = self.hidden(ids, None, mask)
        if at is None:
            pad = self.config.pad
            real = ids != (-1 if pad is None else pad) if real is None else real
            at = np.where(real, np.arange(ids.shape[1]), 0).max(1)
        else:
            at = _places(at, *ids.shape)
            if real is not None and not (there := real[np.arange(len(real)), at]).all():
                raise InputError(
                    f"at reads row {int(np.argmin(there))} where its mask says padding, of which there is no vector"
                )
        return label_scores(hidden[np.arange(len(hidden)), at], self.config, self.heads)

    def embed(
        self,
        ids: Any,
        mask: Any = None,
        token_types: None = None,
        pooling: str = "mean",
        normalize: bool = True,
    ) -> Array:
        """One vector per text, as an encoder gives it: `[b, t] -> [b, d]`."""
        if token_types is not None:
            raise InputError(
                f"a {self.config.family} has no token types: leave token_types at None"
            )
        real = as_mask(mask, as_rows(ids))
        return sentence(self.hidden(ids, None, mask)[0], real, pooling, normalize)

    def trace(self, ids: Any, mask: Any = None) -> dict[str, Array]:
        """Every intermediate by name (the table is in docs/nn.md), `hidden`, `attention` and `router_*` stacked."""
        book: dict[str, Array] = {}
        hidden, packed, _ = self._hidden(ids, None, mask, Recorder(book))
        if self.config.tied or "head.w" in self.heads:
            book["logits"] = packed.unpack(self.scores(hidden))
        return finish_trace(book, self.config, packed)


def _places(at: Any, rows: int, length: int) -> Array:
    """Where each row is read: `[b]`, or one place for all."""
    places = as_array(at, "at")
    if places.shape not in ((), (rows,)) or not np.issubdtype(places.dtype, np.integer):
        raise InputError(
            f"at is {places.dtype} of shape {list(places.shape)}; it must be an index for each of {rows} rows"
        )
    if ((places < -length) | (places >= length)).any():
        raise InputError(f"at={at!r} has an index outside 0..{length - 1}")
    return np.broadcast_to(places, (rows,))
