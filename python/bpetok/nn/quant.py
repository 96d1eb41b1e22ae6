"""Weights in 4, 5 or 8 bits: blocks of 32, byte for byte those of llama.cpp, and products with them.

    format   bits/weight   a block of 32 weights                            a weight
    q8_0     8.5           half scale, 32 signed bytes                      scale * q
    q5_0     5.5           half scale, 32 high bits, 32 halves of a byte    scale * (q - 16)
    q4_1     5.0           half scale, half minimum, 32 halves of a byte    scale * q + minimum
    q4_0     4.5           half scale, 32 halves of a byte                  scale * (q - 8)

A `QuantizedMatrix` stands wherever a stored matrix `[out, in]` does: to the right of `@` as `.T`, and as
a table of which rows are looked up. One token at a time is multiplied in Rust, from the blocks, with
float32 activations; a long prompt is multiplied by BLAS, a few rows of weights at a time. Both see the
same weights, so they differ only in the order of a sum. `blocks [out, bytes of a row]` are the bytes a
GGUF file holds. How a whole model gets such weights is in `quant_model.py`.

>>> import numpy as np
>>> weights = np.linspace(-1, 1, 4 * 64, dtype=np.float32).reshape(4, 64)
>>> q = quantize(weights, "q4_0")
>>> q
QuantizedMatrix([4, 64], 'q4_0', 144 bytes)
>>> x = np.ones((1, 64), np.float32)
>>> bool(np.allclose(x @ q.T, x @ q.dequantize().T))
True
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpetok.nn.errors import InputError

__all__ = ["BLOCK", "BLOCK_BYTES", "QuantizedMatrix", "linear", "matvec", "quantize"]

Array = NDArray[Any]
BLOCK = 32  # weights in a block
BLOCK_BYTES = {"q8_0": 34, "q5_0": 22, "q4_1": 20, "q4_0": 18}
# Up to so many rows of x it is faster to multiply from the blocks than to unpack them for BLAS: at 3072 x 768 one
# row takes 0.13 ms against 1.1, sixteen take 2.2 against 3.2, and at 32 they are even (one thread, 2026-11-24).
FEW = 16
# Weights that are unpacked at a time for BLAS: 16 MB, in small models all of a matrix but the classifier.
TILE = 1 << 22


class QuantizedMatrix:
    """A matrix `[out, in]` in blocks. Immutable.

    `threads=None` means as many as BLAS would use. `dtype` is that of rows looked up and of `dequantize`.
    """

    __slots__ = ("blocks", "dtype", "format", "shape", "threads")
    __array_ufunc__ = None  # `x @ q.T` must ask q.T, not make an object array of it
    ndim = 2

    def __init__(
        self,
        blocks: Array,
        format: str,
        *,
        dtype: DTypeLike = np.float32,
        threads: int | None = None,
    ) -> None:
        """Wrap blocks `[out, bytes of a row]` as they lie in a file; they are not copied."""
        size = block_bytes(format)
        blocks = np.asarray(blocks)
        if blocks.dtype != np.uint8 or blocks.ndim != 2 or blocks.shape[1] % size:
            raise InputError(
                f"{format} blocks are uint8 [out, a multiple of {size}], not {blocks.dtype} {list(blocks.shape)}"
            )
        if threads is not None and threads < 1:
            raise InputError(f"threads={threads} must be at least 1; use None for all")
        self.blocks = np.ascontiguousarray(blocks).view()
        self.blocks.flags.writeable = False
        self.format = format
        self.shape = (len(blocks), blocks.shape[1] // size * BLOCK)
        self.dtype = np.dtype(dtype)
        self.threads = threads

    @property
    def nbytes(self) -> int:
        """Bytes of the blocks."""
        return self.blocks.nbytes

    @property
    def T(self) -> Transposed:  # noqa: N802
        """The matrix `[in, out]`, to the right of `@`."""
        return Transposed(self)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Array:
        """Look rows up, as in an embedding table: `[...] -> [..., in]`."""
        taken = self.blocks[rows]
        flat = taken.reshape(-1, self.blocks.shape[1])
        weights = _unpack(flat, self.format).astype(self.dtype, copy=False)
        return weights.reshape(*taken.shape[:-1], self.shape[1])

    def astype(self, dtype: DTypeLike) -> QuantizedMatrix:
        """The same blocks with rows of another dtype."""
        return QuantizedMatrix(self.blocks, self.format, dtype=dtype, threads=self.threads)

    def dequantize(self) -> Array:
        """The weights that the blocks stand for: `[out, in]`."""
        return _unpack(self.blocks, self.format).astype(self.dtype, copy=False)

    def __repr__(self) -> str:
        return f"QuantizedMatrix({list(self.shape)}, {self.format!r}, {self.nbytes} bytes)"


@dataclass(frozen=True, eq=False, slots=True)
class Transposed:
    """`QuantizedMatrix.T`: knows only how to stand to the right of `@`."""

    of: QuantizedMatrix
    __array_ufunc__ = None

    @property
    def shape(self) -> tuple[int, int]:
        """`(in, out)`."""
        return self.of.shape[1], self.of.shape[0]

    @property
    def T(self) -> QuantizedMatrix:  # noqa: N802
        """The matrix itself."""
        return self.of

    def __rmatmul__(self, x: Array) -> Array:
        return linear(x, self.of)


def quantize(
    weights: Array, format: str = "q4_0", *, threads: int | None = None
) -> QuantizedMatrix:
    """Round a float matrix to blocks as llama.cpp's reference functions do: `[out, in]`."""
    size = block_bytes(format)
    weights = np.asarray(weights)
    if weights.ndim != 2 or not np.issubdtype(weights.dtype, np.floating):
        raise InputError(
            f"only a float matrix [out, in] has blocks, not {weights.dtype} {list(weights.shape)}"
        )
    if weights.shape[1] % BLOCK:
        raise InputError(
            f"rows of {weights.shape[1]} weights do not fill blocks of {BLOCK}; pad them with zeros or "
            "leave this matrix as it is"
        )
    blocks = np.empty((len(weights), weights.shape[1] // BLOCK * size), np.uint8)
    if blocks.size:
        from bpetok import _bpetok

        blocks = _bpetok.quant_quantize(np.ascontiguousarray(weights, np.float32), format)
    dtype = weights.dtype if weights.dtype == np.float64 else np.float32
    return QuantizedMatrix(blocks, format, dtype=dtype, threads=threads)


def linear(x: Array, q: QuantizedMatrix) -> Array:
    """`x @ W.T` in x's own precision, float32 or float64: `[..., in], [out, in] -> [..., out]`."""
    x = np.asarray(x)
    if x.dtype not in (np.float32, np.float64) or x.ndim < 1 or x.shape[-1] != q.shape[1]:
        raise InputError(
            f"x must be float32 or float64 [..., {q.shape[1]}], not {x.dtype} {list(x.shape)}"
        )
    flat = x.reshape(-1, q.shape[1])
    if not flat.size or not q.blocks.size:
        out = np.zeros((len(flat), len(q)), x.dtype)
    elif x.dtype == np.float32 and len(flat) <= FEW:
        from bpetok import _bpetok

        threads = q.threads or available_threads()
        out = _bpetok.quant_multiply(q.blocks, np.ascontiguousarray(flat), q.format, threads)
    else:
        out = np.empty((len(flat), len(q)), x.dtype)
        rows = max(1, TILE // q.shape[1])
        for start in range(0, len(q), rows):
            tile = slice(start, start + rows)
            out[:, tile] = flat @ _unpack(q.blocks[tile], q.format).astype(x.dtype, copy=False).T
    return out.reshape(*x.shape[:-1], len(q))


def matvec(q: QuantizedMatrix, x: Array) -> Array:
    """`W @ x` for one vector: `[out, in], [in] -> [out]`."""
    if np.ndim(x) != 1:
        raise InputError(
            f"x must be one vector [{q.shape[1]}], not {list(np.shape(x))}; use linear for more"
        )
    return linear(x, q)


def block_bytes(format: str) -> int:
    """Bytes of one block, or which formats there are."""
    size = BLOCK_BYTES.get(format)
    if size is None:
        raise InputError(f"format {format!r} is unknown; use one of {', '.join(BLOCK_BYTES)}")
    return size


@functools.cache
def available_threads() -> int:
    """Processors this process may use, or fewer if OMP_NUM_THREADS says so (NumPy's BLAS obeys it too)."""
    affinity = getattr(os, "sched_getaffinity", None)
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    wished = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(processors, int(wished)) if wished.isdigit() and int(wished) > 0 else processors


def _unpack(blocks: Array, format: str) -> NDArray[np.float32]:
    if not blocks.size:
        return np.zeros((len(blocks), blocks.shape[1] // BLOCK_BYTES[format] * BLOCK), np.float32)
    from bpetok import _bpetok

    return _bpetok.quant_dequantize(np.ascontiguousarray(blocks), format)
