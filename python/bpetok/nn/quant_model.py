"""Whole models in 4, 5 or 8 bits: which weights become blocks, and what that costs.

    small = quantize_model(model, "q4_0")                                   # runs like `model`
    compare(model, lambda m: bpetok.nn.bits_per_byte(m, tok, text))         # bytes, error, change

Blocks are made of the large matrices that the forward pass only multiplies by or looks rows up in.
Norms, biases, position tables, convolutions, decays, routers and Mamba's step-size projections stay as
they are: together they are under 1 % of the weights and errors in them spread (llama.cpp's choice too).

Files of such models are in `quant_files.py`.

>>> is_matrix("layers.0.mix.qkv.w", (96, 32)), is_matrix("layers.0.mix.conv.w", (64, 4))
(True, False)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpetok.nn.errors import InputError
from bpetok.nn.quant import BLOCK, BLOCK_BYTES, QuantizedMatrix, block_bytes, quantize

__all__ = [
    "Error",
    "QuantizedExperts",
    "Row",
    "compare",
    "is_matrix",
    "measure",
    "named_weights",
    "quantize_model",
]

Array = NDArray[Any]
ROWS = 256  # compared at a time
_MATRICES = {
    *(
        "embed",
        "head.w",
        "mix.qkv.w",
        "mix.out.w",
        "mix.in.w",
        "cross.q.w",
        "cross.kv.w",
        "cross.out.w",
    ),
    *("ffn.up.w", "ffn.down.w", "ffn.experts.up.w", "ffn.experts.down.w", "pool.w", "mlm.w"),
}


class QuantizedExperts:
    """The matrices of a mixture, `[expert, out, in]`: `experts[i]` is the i-th expert's `QuantizedMatrix`."""

    def __init__(self, matrices: Iterable[QuantizedMatrix]) -> None:
        self.matrices = tuple(matrices)
        self.format, self.dtype = self.matrices[0].format, self.matrices[0].dtype
        self.shape = (len(self.matrices), *self.matrices[0].shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all blocks."""
        return sum(matrix.nbytes for matrix in self.matrices)

    @property
    def blocks(self) -> Array:
        """uint8 `[expert, out, bytes of a row]`."""
        return np.stack([matrix.blocks for matrix in self.matrices])

    def astype(self, dtype: DTypeLike) -> QuantizedExperts:
        """The same blocks with rows of another dtype."""
        return QuantizedExperts(matrix.astype(dtype) for matrix in self.matrices)

    def __getitem__(self, expert: int) -> QuantizedMatrix:
        return self.matrices[expert]


def is_matrix(name: str, shape: tuple[int | None, ...]) -> bool:
    """Whether a weight becomes blocks: one of the large matrices, with rows of whole blocks."""
    suffixes = (".".join(name.split(".")[-n:]) for n in (1, 2, 3, 4))
    return not _MATRICES.isdisjoint(suffixes) and (shape[-1] or 1) % BLOCK == 0


def quantize_model(
    model: Any,
    format: str = "q4_0",
    *,
    overrides: Mapping[str, str] | None = None,
    threads: int | None = None,
) -> Any:
    """A model with the same interface whose large matrices are blocks.

    `overrides` gives some weights another format by the end of their name: `{"embed": "q8_0"}` or, in full,
    `{"layers.0.ffn.up.w": "q8_0"}`. One that names no matrix is an InputError, and so is a model that has blocks.
    """
    overrides = overrides or {}
    wanted_formats = (format, *overrides.values())
    for each in wanted_formats:
        block_bytes(each)
    _refuse_blocks(model, wanted_formats)
    matrices = [f".{n}" for n, w in named_weights(model) if is_matrix(n, w.shape)]
    for end in overrides:
        if not any(name.endswith(f".{end}") for name in matrices):
            raise InputError(
                f"overrides names {end!r}, the end of no matrix of this model that can become blocks; "
                f"there are {', '.join(sorted({_kind(name) for name in matrices})) or 'none'}"
            )
    made: dict[tuple[int, str], Any] = {}  # a table that two stacks share stays shared

    def change(name: str, weight: Any) -> Any:
        if not isinstance(weight, np.ndarray) or not is_matrix(name, weight.shape):
            return weight
        wanted = next(
            (f for end, f in overrides.items() if f".{name}".endswith(f".{end}")),
            format,
        )
        if (id(weight), wanted) not in made:
            made[id(weight), wanted] = _quantize(weight, wanted, threads)
        return made[id(weight), wanted]

    return model.map_weights(change)


def _refuse_blocks(model: Any, formats: Iterable[str]) -> None:
    """Refuse a model with blocks: rounded again they would be further off than any format says."""
    kinds = QuantizedMatrix | QuantizedExperts
    there = {w.format for _, w in named_weights(model) if isinstance(w, kinds)}
    if there:
        raise InputError(
            f"this model has matrices in {', '.join(sorted(there))} already, which are not rounded again to "
            f"{', '.join(sorted(set(formats)))}: take the model that they were made from"
        )


def _kind(name: str) -> str:
    """What the same matrix of every layer and stack is called.

    >>> _kind(".encoder.layers.3.ffn.up.w"), _kind(".heads.head.w")
    ('ffn.up.w', 'head.w')
    """
    return re.sub(r"^\.(encoder\.)?(layers\.\d+\.|heads\.)?", "", name)


def _quantize(
    weight: Array, format: str, threads: int | None
) -> QuantizedMatrix | QuantizedExperts:
    if weight.ndim == 3:
        return QuantizedExperts(quantize(expert, format, threads=threads) for expert in weight)
    return quantize(weight, format, threads=threads)


@dataclass(frozen=True)
class Error:
    """How far rounded weights are from the weights they came from."""

    rms: float  # root of the mean squared difference
    relative: float  # that, over the root of the mean squared weight
    largest: float  # the largest absolute difference
    bits_per_weight: float


def measure(weights: Array, q: QuantizedMatrix) -> Error:
    """Compare a matrix with its blocks, in float64."""
    weights = np.asarray(weights)
    if weights.shape != q.shape:
        raise InputError(f"weights {list(weights.shape)} are not those of {q!r}")
    square = difference = largest = 0.0
    for start in range(0, len(q), ROWS):
        some = weights[start : start + ROWS].astype(np.float64)
        off = some - q[start : start + ROWS]
        square += float((some * some).sum())
        difference += float((off * off).sum())
        largest = max(largest, float(np.abs(off).max(initial=0.0)))
    count = max(weights.size, 1)
    relative = (difference / square) ** 0.5 if square else 0.0
    return Error((difference / count) ** 0.5, relative, largest, 8 * q.nbytes / count)


@dataclass(frozen=True)
class Row:
    """One line of `compare`."""

    format: str
    nbytes: int
    relative_error: float  # of the weights in blocks, all together
    score: float
    change: float  # against the model as it was


def compare(
    model: Any, score: Callable[[Any], float], formats: Iterable[str] = tuple(BLOCK_BYTES)
) -> list[Row]:
    """Bytes, error and a score of the model as it is and in each format.

    The score is usually `lambda m: bpetok.nn.bits_per_byte(m, tok, text)`. A model that has blocks is an InputError.
    """
    formats = tuple(formats)
    _refuse_blocks(model, formats)
    before = score(model)
    rows = [Row(str(model.dtype), model.nbytes, 0.0, before, 0.0)]
    for format in formats:
        small = quantize_model(model, format)
        after = score(small)
        rows.append(Row(format, small.nbytes, _error(model, small), after, after - before))
    return rows


def _error(model: Any, small: Any) -> float:
    weights, squares, differences = dict(named_weights(model)), 0.0, 0.0
    distinct = {id(q): (name, q) for name, q in named_weights(small)}
    for name, q in distinct.values():
        pairs = [(weights[name], q)] if isinstance(q, QuantizedMatrix) else []
        if isinstance(q, QuantizedExperts):
            pairs = list(zip(weights[name], q.matrices, strict=True))
        for weight, matrix in pairs:
            error = measure(weight, matrix)
            differences += error.rms**2 * weight.size
            squares += float(np.square(weight, dtype=np.float64).sum())
    return (differences / squares) ** 0.5 if squares else 0.0


def named_weights(model: Any) -> list[tuple[str, Any]]:
    """Every weight of a model with its full name, in the order of `Model.map_weights`."""
    found: list[tuple[str, Any]] = []

    def note(name: str, weight: Any) -> Any:
        found.append((name, weight))
        return weight

    model.map_weights(note)
    return found
