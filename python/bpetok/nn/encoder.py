"""Models that read a text in both directions.

>>> from bpetok.nn.load import random_model
>>> from bpetok.nn.read_config import config_from_json
>>> tiny = {
...     "hidden_size": 8,
...     "num_attention_heads": 2,
...     "num_hidden_layers": 1,
...     "intermediate_size": 8,
... }
>>> model = random_model(config_from_json({"model_type": "bert", "vocab_size": 20, **tiny}))
>>> model.embed([[5, 6, 0], [7, 8, 9]], mask=[[1, 1, 0], [1, 1, 1]]).shape
(2, 8)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.embedding import linear
from bpetok.nn.errors import InputError
from bpetok.nn.heads import label_scores, mlm_scores, need, pooled, sentence
from bpetok.nn.inputs import as_rows, check_ids, masked_ids
from bpetok.nn.model import Model, encode_stack
from bpetok.nn.trace import SILENT, Recorder
from bpetok.nn.tracing import finish_trace

__all__ = ["Encoder"]

Array = NDArray[Any]


class Encoder(Model):
    """Reads a text in both directions: BERT and its kin, and sentence embeddings made from them."""

    def encode(self, ids: Any, mask: Any = None, token_types: Any = None) -> Array:
        """A vector for every id: `[b, t] -> [b, t, d]`; `mask [b, t]` marks the real ones."""
        return self._encode(ids, mask, token_types, SILENT)[0]

    def _encode(
        self, ids: Any, mask: Any, token_types: Any, note: Recorder
    ) -> tuple[Array, NDArray[np.bool_] | None]:
        raw = as_rows(ids)
        checked, real = masked_ids(raw, mask, self.config.vocab_size)
        if real is not None and ((raw >= 0) & (raw < self.config.vocab_size)).all():
            checked = raw.astype(np.int64)  # padding is encoded too, as what it says
        types = (
            None
            if token_types is None
            else check_ids(token_types, self.config.token_types, "token type")
        )
        if types is not None and types.shape != checked.shape:
            raise InputError(
                f"token_types has shape {list(types.shape)}, the ids {list(checked.shape)}"
            )
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
        return linear(self.pool(hidden), weight, self.heads["nsp.b"])

    def classify(self, ids: Any, mask: Any = None, token_types: Any = None) -> Array:
        """Scores of the labels: `[b, t] -> [b, labels]`."""
        return label_scores(self.pool(self.encode(ids, mask, token_types)), self.config, self.heads)

    def embed(
        self,
        ids: Any,
        mask: Any = None,
        token_types: Any = None,
        pooling: str = "mean",
        normalize: bool = True,
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
