"""Making inputs for training objectives: BERT's masking and sentence pairs, GPT-1's task layouts.

>>> entailment_ids([1, 2], [3], start=90, delimiter=91, extract=92)
[90, 1, 2, 91, 3, 92]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.errors import InputError
from bpetok.nn.inputs import check_ids, number, whole
from bpetok.nn.losses import IGNORE

__all__ = [
    "choice_ids",
    "classification_ids",
    "entailment_ids",
    "mask_tokens",
    "nsp_pairs",
    "pair_ids",
    "similarity_ids",
]

Ids = Sequence[int]


def mask_tokens(
    ids: Any,
    rng: np.random.Generator,
    mask_id: int,
    vocab_size: int,
    special: Iterable[int] = (),
    rate: float = 0.15,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """BERT's masking (arXiv:1810.04805, section 3.1): `[b, t] -> ids [b, t], labels [b, t]`.

    A share `rate` of the tokens that are not `special` becomes labels; of these 80 % are replaced by `mask_id`,
    10 % by a random token, 10 % stay.

    >>> ids, labels = mask_tokens([[5, 6, 7, 8]], np.random.default_rng(0), 103, 1000, rate=1.0)
    >>> labels.tolist()
    [[5, 6, 7, 8]]
    """
    vocab_size, rate = whole("vocab_size", vocab_size, 1), number("rate", rate, 0, 1)
    if whole("mask_id", mask_id, 0) >= vocab_size:
        raise InputError(f"mask_id={mask_id} is outside 0..{vocab_size - 1}")
    ids = check_ids(ids, vocab_size)
    chosen = (rng.random(ids.shape) < rate) & ~np.isin(ids, np.array([*special], np.int64))
    fate = rng.random(ids.shape)
    masked = np.where(chosen & (fate < 0.8), mask_id, ids)
    masked = np.where(chosen & (fate >= 0.9), rng.integers(0, vocab_size, ids.shape), masked)
    return masked, np.where(chosen, ids, IGNORE)


def nsp_pairs(
    documents: Sequence[Sequence[Ids]], rng: np.random.Generator
) -> list[tuple[Ids, Ids, int]]:
    """Pairs of sentences, half real neighbours (label 0), half with a second from another document (label 1).

    >>> pairs = nsp_pairs([[[1], [2]], [[3], [4]]], np.random.default_rng(0))
    >>> all((b == [a[0] + 1]) == (label == 0) for a, b, label in pairs)
    True
    """
    if len([d for d in documents if len(d)]) < 2:
        raise InputError(
            f"{len(documents)} documents are too few: a random second sentence comes from another one"
        )
    pairs: list[tuple[Ids, Ids, int]] = []
    for i, document in enumerate(documents):
        for first, second in pairwise(document):
            if rng.random() < 0.5:
                pairs.append((first, second, 0))
                continue
            others = [d for j, d in enumerate(documents) if j != i and len(d)]
            other = others[int(rng.integers(len(others)))]
            pairs.append((first, other[int(rng.integers(len(other)))], 1))
    return pairs


def pair_ids(first: Ids, second: Ids, cls: int, sep: int) -> tuple[list[int], list[int]]:
    """BERT's layout of two texts and its token types.

    >>> pair_ids([7], [8, 9], cls=1, sep=2)
    ([1, 7, 2, 8, 9, 2], [0, 0, 0, 1, 1, 1])
    """
    left, right = [cls, *first, sep], [*second, sep]
    return left + right, [0] * len(left) + [1] * len(right)


def classification_ids(text: Ids, start: int, extract: int) -> list[int]:
    """GPT-1's layout of a text to classify (Radford et al. 2018, section 3.3); the head reads at `extract`."""
    return [start, *text, extract]


def entailment_ids(
    premise: Ids, hypothesis: Ids, start: int, delimiter: int, extract: int
) -> list[int]:
    """GPT-1's layout of premise and hypothesis."""
    return [start, *premise, delimiter, *hypothesis, extract]


def similarity_ids(
    first: Ids, second: Ids, start: int, delimiter: int, extract: int
) -> list[list[int]]:
    """GPT-1's layout of two texts without an order: both orders, whose vectors are added.

    >>> similarity_ids([1], [2], start=90, delimiter=91, extract=92)
    [[90, 1, 91, 2, 92], [90, 2, 91, 1, 92]]
    """
    return [
        entailment_ids(a, b, start, delimiter, extract)
        for a, b in ((first, second), (second, first))
    ]


def choice_ids(
    context: Ids, answers: Sequence[Ids], start: int, delimiter: int, extract: int
) -> list[list[int]]:
    """GPT-1's layout of a context with each possible answer; the answer with the highest score is the choice."""
    return [entailment_ids(context, answer, start, delimiter, extract) for answer in answers]
