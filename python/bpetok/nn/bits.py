"""Bits per byte: how well a model with its tokenizer predicts a text, comparable between any two pairs.

Perplexity depends on the tokenizer: fewer, longer tokens are harder to guess each. Dividing the surprise of the
whole text by its bytes does not.

>>> from bpetok.nn.config import Config
>>> from bpetok.nn.load import random_model
>>> model = random_model(
...     Config("linear_ssm", 256, width=4, layers=0, tied=True), dtype="float64", scale=0.0
... )
>>> text_nll(model, [1, 2, 3]).round(3).tolist()  # it knows nothing: log(256) nats for each id
[5.545, 5.545]
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.errors import InputError
from bpetok.nn.inputs import check_ids, utf8, whole
from bpetok.nn.losses import nll

__all__ = ["bits_per_byte", "text_nll"]

_READ = 1024  # ids read at once: few large products, which wait less for BLAS's threads than many small ones
_SCORED = 256  # ids scored at once: 256 x 200,000 float32 scores are 200 MB


def bits_per_byte(
    model: Any,
    tok: Any,
    text: str | bytes,
    context: int | None = None,
    stride: int | None = None,
    *,
    bos: int | None = None,
) -> float:
    """NLL of all ids but the first (of all, after a `bos` id) over ln 2 x UTF-8 bytes.

    `tok` gives `encode_ordinary(text)`, or else `encode(text)` without special tokens of its own making.
    `context` is how many ids the model sees at most (default: the config's `max_positions`, or the whole text),
    `stride` how far that window moves, at most its length (default: half of it). Every id is scored once.
    A text of which nothing is predicted, empty or of one id without `bos`, is an InputError: 0 bits would look perfect.
    """
    size = len(utf8(text) if isinstance(text, str) else text)
    if size == 0:
        raise InputError("the text is empty: it has no bytes to share the bits among")
    encode = getattr(tok, "encode_ordinary", None) or tok.encode
    ids = [*([] if bos is None else [bos]), *encode(text)]
    if len(ids) < 2:
        raise InputError(
            f"bits per byte need at least 2 ids, and this text gives {len(ids)}: the first is given, only later ones are "
            "predicted; pass a longer text, or bos= to predict the first one too"
        )
    return float(text_nll(model, ids, context, stride).sum(dtype=np.float64)) / (math.log(2) * size)


def text_nll(
    model: Any, ids: Any, context: int | None = None, stride: int | None = None
) -> NDArray[Any]:
    """Nats of each id but the first, given those before it in its window: `[t] -> [t - 1]`."""
    if not callable(model):
        raise InputError(f"{model!r} does not predict a next id; bits per byte need a decoder")
    ids = _one_text(check_ids(ids, model.config.vocab_size))
    size = model.config.max_positions or None if context is None else whole("context", context, 2)
    if stride is not None:
        stride = whole("stride", stride, 1)
        if size is not None and stride > size:
            raise InputError(
                f"stride={stride} must be at most context={size}: windows further apart would leave ids out"
            )
    context = max(min(size or len(ids), len(ids)), 1)
    if context < 2 and len(ids) > 1:
        raise InputError(f"context={context}: an id needs one before it, so it must be at least 2")
    stride = max(context // 2, 1) if stride is None else stride
    out, done, start = (
        [np.zeros(0, model.dtype)],
        1,
        0,
    )  # `done` counts the ids that need no more scoring
    while done < len(ids):
        end = min(start + context, len(ids))
        out.append(_window_nll(model, ids[start:end], done - start))
        done, start = end, min(start + stride, end - 1)
    return np.concatenate(out)


def _one_text(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The ids of a text, which may come as the one row of a batch: `[1, t] -> [t]`."""
    if len(rows) != 1:
        raise InputError(
            f"ids have shape {list(rows.shape)}: they must be those of one text, [t]; call it for each row by itself"
        )
    text: NDArray[np.int64] = rows[0]
    return text


def _window_nll(model: Any, ids: NDArray[np.int64], first: int) -> NDArray[Any]:
    """Nats of `ids[first:]`, read in pieces: `[t] -> [t - first]`."""
    state, out = None, []
    for start in range(0, len(ids) - 1, _READ):
        end = min(start + _READ, len(ids) - 1)
        hidden, state = model.hidden(ids[None, start:end], state)
        for at in range(max(first - 1, start), end, _SCORED):
            stop = min(at + _SCORED, end)
            scores = model.scores(hidden[0, at - start : stop - start])
            out.append(nll(scores, ids[at + 1 : stop + 1]))
    return np.concatenate(out)
