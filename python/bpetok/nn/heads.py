"""What is made of hidden states: token scores, sentence vectors, labels, and BERT's two pretraining heads.

Every head of a checkpoint is optional; asking for one that is not there says which tensor is missing.

>>> import numpy as np
>>> sentence(np.array([[[1.0, 0.0], [3.0, 4.0]]]), np.array([[True, False]]), "mean", True).tolist()
[[1.0, 0.0]]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.activations import ACTIVATIONS
from bpetok.nn.config import Config
from bpetok.nn.embedding import linear, unembed
from bpetok.nn.errors import InputError, WeightsError
from bpetok.nn.norms import norm
from bpetok.nn.weights import Params

__all__ = ["label_scores", "mlm_scores", "need", "pooled", "sentence", "token_scores"]

Array = NDArray[Any]


def need(heads: Mapping[str, Any], name: str, what: str) -> Any:
    """A head's weight, or an error that says the checkpoint has none."""
    if name not in heads:
        raise WeightsError(f"this checkpoint has no {what} (no tensor for {name!r})")
    return heads[name]


def token_scores(hidden: Array, c: Config, heads: Params, table: Array) -> Array:
    """Logits over the vocabulary, from the output matrix or the tied embedding table: `[..., d] -> [..., v]`."""
    weight = table if c.tied else need(heads, "head.w", "output classifier")
    return unembed(hidden, weight, heads.get("head.b"))


def pooled(hidden: Array, heads: Params) -> Array:
    """BERT's summary of a text, tanh of a map of its first token: `[b, t, d] -> [b, d]`."""
    if not hidden.shape[1]:
        raise InputError(
            f"hidden states have shape {list(hidden.shape)}: a text without ids has no first token to sum it up"
        )
    return np.tanh(linear(hidden[:, 0], need(heads, "pool.w", "pooler"), heads["pool.b"]))


def mlm_scores(hidden: Array, c: Config, heads: Params, table: Array) -> Array:
    """BERT's guess for every position: dense, activation, norm, then token scores: `[b, t, d] -> [b, t, v]`."""
    x = ACTIVATIONS[c.activation](
        linear(hidden, need(heads, "mlm.w", "masked-language-model head"), heads["mlm.b"])
    )
    return token_scores(norm(x, heads, "mlm_norm", c), c, heads, table)


def label_scores(vector: Array, c: Config, heads: Params) -> Array:
    """A classifier's scores from one vector per text: `[b, d] -> [b, labels]`."""
    bias = heads.get("classifier.b")
    scores = linear(vector, need(heads, "classifier.w", "classifier"), bias)
    # Only GPT's multiple-choice head reads that setting; the one for labels has no bias to tell it by.
    return np.tanh(scores) if c.summary_activation == "tanh" and bias is not None else scores


def sentence(hidden: Array, mask: NDArray[np.bool_] | None, pooling: str, normalize: bool) -> Array:
    """One vector per text from its real tokens: `[b, t, d], [b, t] -> [b, d]`.

    `mean`, `max`, `cls` (the first) or `last`; `normalize` scales to length 1 (as sentence-transformers does).
    A text without real tokens gets zeros.
    """
    if pooling not in ("mean", "max", "cls", "last"):
        raise InputError(f"pooling={pooling!r} is not one of mean, max, cls, last")
    real = np.ones(hidden.shape[:2], bool) if mask is None else mask
    rows = np.arange(len(hidden))
    vector: Array
    if not hidden.shape[1]:
        vector = np.zeros((len(hidden), hidden.shape[2]), hidden.dtype)
    elif pooling == "mean":
        weight = real.astype(hidden.dtype)
        vector = np.einsum("btd,bt->bd", hidden, weight)
        vector /= np.maximum(weight.sum(1, keepdims=True), 1e-9)
    elif pooling == "max":
        vector = np.where(real[..., None], hidden, hidden.dtype.type(-np.inf)).max(1)
    elif pooling == "cls":
        vector = hidden[rows, real.argmax(1)]
    else:
        vector = hidden[rows, real.shape[1] - 1 - real[:, ::-1].argmax(1)]
    vector[~real.any(1)] = 0
    if normalize:
        vector /= np.maximum(np.sqrt((vector * vector).sum(1, keepdims=True)), 1e-12)
    return vector
