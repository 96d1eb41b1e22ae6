"""Where a token stands: sinusoids in two layouts, and rotary positions with their stretched variants.

Learned positions are an `embed` of the position. Tables are made in float64 when a model is built and then
rounded once to its dtype.

>>> sinusoids(3, 4)[0].tolist()
[0.0, 1.0, 0.0, 1.0]
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.config import Rope
from bpetok.nn.inputs import floats

__all__ = ["rope_frequencies", "rope_table", "rotate", "sinusoids"]

Array = NDArray[Any]


def sinusoids(length: int, width: int, halves: bool = False) -> Array:
    """The fixed positions of "Attention is all you need", section 3.5: `-> [length, width]`, float64.

    Channel pair i turns at `10000 ** (-2 i / width)`. The paper interleaves sine and cosine; Marian (`halves`)
    puts all sines first.
    """
    angle = np.arange(length)[:, None] * 10000.0 ** (-np.arange(0, width, 2) / width)
    table = np.empty((length, width))
    split = len(angle[0])
    table[:, (slice(0, split) if halves else slice(0, None, 2))] = np.sin(angle)
    table[:, (slice(split, None) if halves else slice(1, None, 2))] = np.cos(angle)[:, : width // 2]
    return table


def rope_frequencies(rope: Rope, head_dim: int) -> Array:
    """Radians per position for each channel pair: `-> [head_dim / 2]`, float64.

    `linear` divides all frequencies by the factor (arXiv:2306.15595); `llama3` only the slow ones, with a ramp
    between; `yarn` ramps over dimensions instead (arXiv:2309.00071).
    """
    inverse = rope.theta ** (-np.arange(0, head_dim, 2) / head_dim)
    if rope.kind == "linear":
        return inverse / rope.factor
    if rope.kind == "llama3":
        turns = (
            rope.original_max_positions * inverse / (2 * math.pi)
        )  # whole rotations within the old context
        ramp = (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor)
        ramp = np.where(
            turns < rope.low_freq_factor, 0.0, np.where(turns > rope.high_freq_factor, 1.0, ramp)
        )
        return inverse * ramp + inverse / rope.factor * (1 - ramp)
    if rope.kind == "yarn":
        low, high = (
            _yarn_dimension(rope, beta, head_dim) for beta in (rope.beta_fast, rope.beta_slow)
        )
        if rope.truncate:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, head_dim - 1)
        high = high + 0.001 if high == low else high
        ramp = np.clip((np.arange(head_dim // 2) - low) / (high - low), 0.0, 1.0)
        return inverse * (1 - ramp) + inverse / rope.factor * ramp
    return inverse


def _yarn_dimension(rope: Rope, rotations: float, head_dim: int) -> float:
    """The channel pair that turns `rotations` times within the original context."""
    return (
        head_dim
        * math.log(rope.original_max_positions / (rotations * 2 * math.pi))
        / (2 * math.log(rope.theta))
    )


def rope_table(rope: Rope, head_dim: int, length: int) -> tuple[Array, Array]:
    """Cosines and sines of every position: `-> [length, head_dim / 2]` twice, float64."""
    angle = np.arange(length)[:, None] * rope_frequencies(rope, head_dim)
    return np.cos(angle) * rope.attention_factor, np.sin(angle) * rope.attention_factor


def rotate(x: Array, cos: Array, sin: Array) -> Array:
    """Turn channel pair (i, i + d/2) of every head: `[b, t, h, d], [b, t, 1, d/2] twice -> [b, t, h, d]`."""
    x, half = floats(x), x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    y = np.empty_like(x)
    np.multiply(first, cos, out=y[..., :half])
    y[..., :half] -= second * sin
    np.multiply(second, cos, out=y[..., half:])
    y[..., half:] += first * sin
    return y
