"""Choosing the next token: greedy, or by chance after reshaping the scores.

A sampler is `sampler(logits [b, v], ids [b, t], rng) -> ids [b]`; `ids` is everything so far, with `NONE` (-1) where
a row has no token: before a prompt that was padded, whatever side the padding was on, and after an end. The steps
that reshape scores give logits again, with `-inf` for what is ruled out, and run in the order of `transformers`.

>>> import numpy as np
>>> greedy(np.array([[0.1, 2.0, 1.0]]), np.array([[0]]), np.random.default_rng(0)).tolist()
[1]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.errors import TokenIdError
from bpetok.nn.errors import InputError
from bpetok.nn.inputs import floats, number, whole
from bpetok.nn.softmax import softmax

__all__ = [
    "NONE",
    "Sampler",
    "by_temperature",
    "bytes_of",
    "greedy",
    "highest",
    "in_vocabulary",
    "keep_min_p",
    "keep_top_k",
    "keep_top_p",
    "known_ids",
    "penalise_repeats",
    "sample",
    "utf8_valid",
]

Array = NDArray[Any]
Sampler = Callable[[Array, NDArray[np.int64], np.random.Generator], NDArray[np.int64]]
NONE = -1  # stands among the ids where a row has no token


def greedy(logits: Array, ids: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """The token with the highest score, the smaller id on a tie: `[b, v] -> [b]`."""
    highest(logits)
    best: NDArray[np.int64] = logits.argmax(-1)
    return best


def highest(logits: Array, beams: int = 1) -> Array:
    """The best score of each row, `[b beams, v] -> [b beams, 1]`; where it is no number there is nothing to choose by."""
    top: Array = logits.max(-1, keepdims=True)
    if not np.isfinite(top).all():
        bad = int(np.argmin(np.isfinite(top[:, 0])))
        raise InputError(
            f"the best score of row {bad // beams} is {top[bad, 0]}: the model's scores have run out of numbers, "
            "or a step before the sampler has ruled every id out"
        )
    return top


def by_temperature(logits: Array, value: float) -> Array:
    """Flatter above 1, sharper below, the best score at 0: `[b, v] -> [b, v]`."""
    limits = np.finfo(logits.dtype)
    value = min(max(value, float(limits.tiny)), float(limits.max))  # 1e-300 is 0 as a float32
    with np.errstate(over="ignore"):  # to -inf: too unlikely for a number
        scaled: Array = (logits - highest(logits)) / value
    return scaled


def keep_top_k(logits: Array, k: int) -> Array:
    """Keep the k highest scores, and ties with the last: `[b, v] -> [b, v]`."""
    if k >= logits.shape[-1]:
        return logits
    bar = np.partition(logits, -k, axis=-1)[:, -k, None]
    return np.where(logits < bar, logits.dtype.type(-np.inf), logits)


def keep_top_p(logits: Array, p: float) -> Array:
    """Keep the likeliest tokens whose probabilities reach p together (arXiv:1904.09751): `[b, v] -> [b, v]`."""
    if p >= 1:  # all of them, however a sum of all rounds
        return logits
    order = np.argsort(-logits, axis=-1, kind="stable")
    chance = np.take_along_axis(_chances(logits), order, -1)
    late = np.cumsum(chance, axis=-1) - chance >= p  # those before it had reached p already
    late[:, 0] = False
    drop = np.zeros_like(late)
    np.put_along_axis(drop, order, late, -1)
    return np.where(drop, logits.dtype.type(-np.inf), logits)


def _chances(logits: Array) -> Array:
    """Probabilities to add up: `[b, v] -> [b, v]`, float64, as a sum of 100,000 in float32 misses many of them."""
    return softmax(logits.astype(np.float64))


def keep_min_p(logits: Array, p: float) -> Array:
    """Keep tokens at least p times as likely as the likeliest (arXiv:2407.01082): `[b, v] -> [b, v]`."""
    chance = softmax(logits)
    return np.where(chance < p * chance.max(-1, keepdims=True), logits.dtype.type(-np.inf), logits)


def penalise_repeats(logits: Array, ids: NDArray[np.int64], penalty: float) -> Array:
    """Make every token that already occurred less likely (arXiv:1909.05858): `[b, v], [b, t] -> [b, v]`.

    An id that has no score, as `NONE`, is passed over.
    """
    rows, columns = np.nonzero((ids >= 0) & (ids < logits.shape[-1]))
    found = ids[rows, columns]
    scores = logits[rows, found].astype(np.float64)
    with np.errstate(over="ignore"):
        changed = np.where(scores < 0, scores * penalty, scores / penalty)
    most = float(np.finfo(logits.dtype).max)
    out = logits.copy()
    out[rows, found] = np.where(np.isinf(scores), scores, np.clip(changed, -most, most))
    return out


def sample(
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float = 1.0,
) -> Sampler:
    """Make a sampler that draws by chance; a temperature of 0 means greedy.

    >>> draw = sample(temperature=0.8, top_k=1)
    >>> draw(np.array([[0.1, 2.0, 1.0]]), np.array([[0]]), np.random.default_rng(0)).tolist()
    [1]
    """
    temperature = number("temperature", temperature, 0)
    if top_k is not None:
        top_k = whole("top_k", top_k, 1)
    if top_p is not None:
        number("top_p", top_p, 0, 1, open_below=True)
    if min_p is not None:
        number("min_p", min_p, 0, 1)
    penalty = number("repetition_penalty", repetition_penalty, 0, open_below=True)

    def draw(logits: Array, ids: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        logits = floats(logits)
        if penalty != 1.0:
            logits = penalise_repeats(logits, ids, penalty)
        if temperature == 0:
            return greedy(logits, ids, rng)
        logits = by_temperature(logits, temperature)
        if top_k is not None:
            logits = keep_top_k(logits, top_k)
        if top_p is not None:
            logits = keep_top_p(logits, top_p)
        if min_p is not None:
            logits = keep_min_p(logits, min_p)
        return _draw(logits, rng)

    return draw


def _draw(logits: Array, rng: np.random.Generator) -> NDArray[np.int64]:
    """One token per row with the softmax's probabilities: `[b, v] -> [b]`."""
    total = np.cumsum(_chances(logits), axis=-1)
    point = rng.random((len(logits), 1)) * total[:, -1:]
    chosen: NDArray[np.int64] = (total <= point).sum(-1)
    last: NDArray[np.int64] = (total < total[:, -1:]).sum(-1)  # the last token that has a chance
    return np.where(chosen < last, chosen, last)


def known_ids(tok: Any, size: int) -> NDArray[np.bool_]:
    """Which of the ids below `size` are tokens of `tok`, gaps left out: `-> [size]`."""
    known = np.zeros(size, bool)
    lengths = getattr(tok, "token_byte_lengths", None)
    if lengths is None:  # a tokenizer of another make: it has all ids, or as many as it says
        known[: getattr(tok, "vocab_size", size)] = True
    else:
        known[: len(lengths)] = np.asarray(lengths)[:size] > 0
    return known


def bytes_of(tok: Any, token: int) -> bytes:
    """A token's bytes; none for an id that `tok` has no token for."""
    try:
        return bytes(tok.token_bytes(token))
    except TokenIdError:
        return b""


def in_vocabulary(tok: Any, sampler: Sampler = greedy, ends: Sequence[int] = ()) -> Sampler:
    """Let `sampler` choose only ids that `tok` has a token for, and the end ids `ends`.

    A model often has more ids than its tokenizer: its tables are filled up to a round number.
    """

    def choose(
        logits: Array, ids: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        size = logits.shape[1]
        known = known_ids(tok, size)
        known[[end for end in ends if 0 <= end < size]] = True
        return sampler(_only(logits, known), ids, rng)

    return choose


def _only(logits: Array, allowed: NDArray[np.bool_]) -> Array:
    """Rule out all ids but some: `[b, v], [v] or [b, v] -> [b, v]`."""
    return np.where(allowed, logits, logits.dtype.type(-np.inf))


def utf8_valid(tok: Any, sampler: Sampler = greedy, ends: Sequence[int] = ()) -> Sampler:
    """Let `sampler` choose only tokens after which the text can still become valid UTF-8.

    `tok` gives `utf8_mask(state)` and `token_bytes(id)`. The state is read off the last bytes, so rows may be
    reordered, and a prompt may end inside a character. Ids that `tok` has no token for are never chosen, but the end
    ids `ends`, and those only between two characters.
    """
    from bpetok import utf8  # the automaton's states live beside the tokenizer, not in this package

    def state(row: NDArray[np.int64]) -> Any:
        tail = b""
        for token in row[row != NONE][::-1]:
            tail = bytes_of(tok, int(token)) + tail
            if len(tail) >= 4:
                break
        start = max(len(tail) - 4, 0)
        while start < len(tail) and tail[start] & 0xC0 == 0x80:
            start += 1
        now = utf8.State(tail[start:])
        if not now.valid:
            raise InputError(
                f"the text so far ends in {tail!r}, which is no UTF-8: nothing after it could be valid"
            )
        return now

    def choose(
        logits: Array, ids: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        allowed = np.zeros(logits.shape, bool)
        for i, row in enumerate(ids):
            now = state(row)
            mask = np.asarray(tok.utf8_mask(now))[: logits.shape[1]]
            allowed[i, : len(mask)] = mask
            if now.complete:
                allowed[i, [end for end in ends if 0 <= end < logits.shape[1]]] = True
        return sampler(_only(logits, allowed), ids, rng)

    return choose
