"""Objectives: how wrong a model's scores are, for every way these networks are trained.

All are cross-entropies in nats. Labels of `IGNORE` (-100, as everywhere) count for nothing.

>>> import numpy as np
>>> round(cross_entropy(np.zeros((1, 4)), np.array([2])), 4), round(perplexity(np.log(4.0)), 1)
(1.3863, 4.0)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.errors import InputError
from bpetok.nn.inputs import as_array, as_rows, number
from bpetok.nn.softmax import log_softmax

__all__ = [
    "IGNORE",
    "classification_loss",
    "cross_entropy",
    "mlm_loss",
    "next_token_loss",
    "nll",
    "nsp_loss",
    "perplexity",
    "sequence_loss",
    "token_nll",
]

Array = NDArray[Any]
IGNORE = -100


def nll(logits: Array, labels: Any) -> Array:
    """Minus the log probability of each label, 0 where it is ignored: `[..., v], [...] -> [...]`."""
    labels = as_array(labels, "labels")
    if labels.shape != logits.shape[:-1]:
        raise InputError(f"labels have shape {list(labels.shape)}, the scores {list(logits.shape)}")
    if labels.size and labels.dtype.kind not in "biu":
        raise InputError(f"labels must be integers, not {labels.dtype}")
    counted = labels != IGNORE
    if (labels[counted] < 0).any() or (labels[counted] >= logits.shape[-1]).any():
        raise InputError(f"labels must be {IGNORE} (ignored) or in 0..{logits.shape[-1] - 1}")
    picked = np.take_along_axis(log_softmax(logits), np.where(counted, labels, 0)[..., None], -1)[
        ..., 0
    ]
    return np.where(counted, -picked, picked.dtype.type(0))


def cross_entropy(logits: Array, labels: Any, smoothing: float = 0.0) -> float:
    """Mean over the labels that count: `[..., v], [...] -> number`; NaN when none does.

    With `smoothing` s the target is `1 - s` on the label and `s / v` on every token (arXiv:1512.00567, section 7).
    """
    labels, smoothing = as_array(labels, "labels"), number("smoothing", smoothing, 0, 1)
    counted = labels != IGNORE
    if not counted.any():
        return math.nan
    losses = nll(logits, labels)
    if smoothing:
        losses = (1 - smoothing) * losses - smoothing * log_softmax(logits).mean(-1)
    return float(losses[counted].mean())


def token_nll(logits: Array, labels: Any) -> Array:
    """Nats for each token given those before it: `[b, t, v], [b, t] -> [b, t - 1]`.

    Teacher forcing: the scores after token i are held against token i + 1 of `labels` (usually the ids themselves).
    """
    return nll(logits[:, :-1], as_rows(labels, "labels")[:, 1:])


def next_token_loss(logits: Array, labels: Any) -> float:
    """Mean of `token_nll` over the labels that count: `[b, t, v], [b, t] -> number`."""
    return cross_entropy(logits[:, :-1], as_rows(labels, "labels")[:, 1:])


def sequence_loss(logits: Array, labels: Any, smoothing: float = 0.0) -> float:
    """An encoder-decoder's loss; its inputs were shifted already (`shift_right`): `[b, t, v], [b, t] -> number`."""
    return cross_entropy(logits, labels, smoothing)


def mlm_loss(logits: Array, labels: Any) -> float:
    """BERT's loss at the masked positions, the only ones whose label counts: `[b, t, v], [b, t] -> number`."""
    return cross_entropy(logits, labels)


def nsp_loss(scores: Array, labels: Any) -> float:
    """Is the second text the next (0) or a random one (1): `[b, 2], [b] -> number`."""
    return cross_entropy(scores, labels)


def classification_loss(scores: Array, labels: Any) -> float:
    """Cross-entropy over a classifier's labels: `[b, labels], [b] -> number`."""
    return cross_entropy(scores, labels)


def perplexity(mean_nll: float) -> float:
    """`exp` of the mean nats per token: as uncertain as a choice among that many equal tokens.

    Infinity where that is above the largest float (from 709.8 nats on), as `numpy.exp` gives, without its warning.

    >>> perplexity(1e9), perplexity(-1e9)
    (inf, 0.0)
    """
    try:
        return math.exp(mean_nll)
    except OverflowError:  # whole numbers too long for a float overflow on either side
        return math.inf if mean_nll > 0 else 0.0
