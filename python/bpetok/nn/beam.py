"""Beam search: keep the few likeliest texts at every step instead of one.

The rules are those of `transformers`: of the best continuations the k best unfinished ones go on; one that ends
among the best k is set aside with its score, the sum of log probabilities over `length ** length_penalty`; a
row is done when its k finished texts all beat what the best unfinished one scores now.

>>> from bpetok.nn.state import State
>>> nothing = State(np.zeros(1, np.int64), np.zeros(1, np.int64), ())
>>> step = lambda ids, state, mask: (
...     np.log([[[0.1, 0.6, 0.3]]] * len(ids)),
...     nothing.select([0] * len(ids)),
... )
>>> beam_search(step, np.array([[0]]), None, 3, 2, (), 1.0).tolist()
[[0, 1, 1, 1]]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.sampling import highest
from bpetok.nn.softmax import log_softmax

__all__ = ["beam_search", "most_beams"]

Ids = NDArray[np.int64]
# A step sorts a score for each beam and token: this many take 1.3 GB and 6 seconds for each prompt.
_MOST_SCORES = 1 << 25
# Each beam has a text and a state of its own, however small the vocabulary is.
_MOST_BEAMS = 1 << 13


def most_beams(vocab_size: int) -> int:
    """How many beams a prompt may have: 8,192, and fewer where their scores would be more than 2**25.

    >>> most_beams(50), most_beams(4096), most_beams(128_256)
    (8192, 8192, 261)
    """
    return min(_MOST_BEAMS, max(_MOST_SCORES // vocab_size, 1))


class _Row:
    """One prompt's finished texts, the best k of them."""

    def __init__(self, k: int) -> None:
        self.k, self.done, self.found = k, False, list[tuple[float, Ids]]()

    def add(self, score: float, text: Ids) -> None:
        """Set a finished text aside."""
        self.found.append((score, text))
        self.found.sort(key=lambda pair: -pair[0])
        del self.found[self.k :]

    def worst(self) -> float:
        """The score to beat; minus infinity while there is room."""
        return self.found[-1][0] if len(self.found) == self.k else -np.inf


def beam_search(
    step: Callable[[Ids, Any, Any], tuple[Any, Any]],
    prompt: Ids,
    mask: Any,
    max_new_tokens: int,
    k: int,
    ends: tuple[int, ...],
    length_penalty: float,
) -> Ids:
    """The likeliest continuation of each row: `[b, t] -> [b, t + new]`, filled up with the first of `ends`.

    `step(ids [b k, n], state, mask) -> logits [b k, 1, v], state` runs the model on every beam.
    """
    b, start = prompt.shape
    text = np.repeat(prompt, k, axis=0)  # [b k, t]
    wide = None if mask is None else np.repeat(np.atleast_2d(np.asarray(mask)), k, axis=0)
    score = np.full((b, k), -np.inf)
    score[:, 0] = 0.0  # the k copies are equal at first: only one may branch
    rows, state, new = [_Row(k) for _ in range(b)], None, text
    for length in range(1, max_new_tokens + 1):
        logits, state = step(new, state, wide)
        wide = None
        highest(logits[:, -1], k)
        logp = log_softmax(logits[:, -1]).reshape(b, k, -1)
        parent, token, score = _best(logp, score, k * max(2, 1 + len(ends)))
        alive = np.zeros((b, k), np.int64)
        for i, row in enumerate(rows):
            alive[i] = _sort_out(
                row, i * k, parent[i], token[i], score[i], text, ends, length**length_penalty, k
            )
        score = np.take_along_axis(score, alive, 1)
        source = (np.take_along_axis(parent, alive, 1) + np.arange(b)[:, None] * k).reshape(-1)
        token = np.take_along_axis(token, alive, 1)
        # Where every id is an end, some that ended fill the beams up; they never go on.
        score[np.isin(token, np.asarray(ends, np.int64))] = -np.inf
        new = token.reshape(-1, 1)
        text, state = np.concatenate([text[source], new], axis=1), state.select(source)
        for i, row in enumerate(rows):
            row.done = row.done or row.worst() >= score[i, 0] / length**length_penalty
        if all(row.done for row in rows):
            break
    best = []
    for i, row in enumerate(rows):
        if not row.done:
            for j in range(k):
                row.add(
                    score[i, j] / max(text.shape[1] - start, 1) ** length_penalty, text[i * k + j]
                )
        best.append(row.found[0][1])
    out = np.full((b, max(map(len, best))), ends[0] if ends else 0, np.int64)
    for i, row_text in enumerate(best):
        out[i, : len(row_text)] = row_text
    return out


def _best(logp: Any, score: Any, n: int) -> tuple[Ids, Ids, Any]:
    """The n best continuations of each row, best first: parent beam, token and score, `[b, n]` each.

    With `(1 + len(ends)) * k` of them at least k do not end.
    """
    total = (score[..., None] + logp).reshape(len(score), -1)
    order = np.argsort(-total, axis=1, kind="stable")[:, :n]
    return order // logp.shape[-1], order % logp.shape[-1], np.take_along_axis(total, order, 1)


def _sort_out(
    row: _Row,
    offset: int,
    parent: Ids,
    token: Ids,
    score: Any,
    text: Ids,
    ends: tuple[int, ...],
    size: float,
    k: int,
) -> Ids:
    """Set aside what ends among the best k and name the k best candidates that go on, `[k]`."""
    ending = np.isin(token, np.asarray(ends, np.int64))
    for j in np.nonzero(ending[:k])[0]:
        if not row.done:
            row.add(float(score[j]) / size, np.append(text[offset + parent[j]], token[j]))
    return np.concatenate([np.nonzero(~ending)[0], np.nonzero(ending)[0]])[:k]
