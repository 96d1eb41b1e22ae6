"""Linear state-space models and their four equal forms.

    h_t = A h_(t-1) + B u_t        y_t = C h_t + D u_t

Run step by step it is a *recurrence*; unrolled, `y_t = sum_k C A^k B u_(t-k)`, it is a *convolution* with the
kernel `C A^k B`; that can be done with the *FFT*; and because composing affine maps is associative, a parallel
*scan* gives every state at once. The last three matter for speed, the first for understanding; all agree:

>>> import numpy as np
>>> A, B, C = np.array([[0.5, 0.1], [0.0, 0.9]]), np.array([[1.0], [2.0]]), np.array([[1.0, -1.0]])
>>> u = np.array([[1.0], [0.0], [3.0], [0.5]])
>>> y, h = recurrence(A, B, C, u)
>>> k = kernel(A, B, C, len(u))
>>> all(np.allclose(y, z) for z in (convolution(k, u), fft_convolution(k, u), scan(A, B, C, u)[0]))
True

Gu et al. 2021, "Combining recurrent, convolutional, and continuous-time models" (arXiv:2110.13985); Blelloch 1990
for the scan. None of the forms divides by a power of A, so a decay that underflows gives 0, not NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.errors import ConfigError

__all__ = [
    "convolution",
    "diagonal_scan",
    "discretise",
    "fft_convolution",
    "in_floats",
    "kernel",
    "recurrence",
    "scan",
]

Array = NDArray[Any]


def in_floats(*arrays: Array | None) -> list[Any]:
    """Arrays in the one floating type that holds them all; a sum kept in integers would lose its fractions.

    >>> [a.dtype.name for a in in_floats(np.ones(2, np.int64), np.ones(2, np.float32))]
    ['float64', 'float64']
    """
    kind = np.result_type(np.float32, *(a for a in arrays if a is not None))
    return [a if a is None else a.astype(kind, copy=False) for a in arrays]


def recurrence(
    A: Array, B: Array, C: Array, u: Array, D: Array | None = None, h: Array | None = None
) -> tuple[Array, Array]:
    """Step through time: `[n, n], [n, i], [o, n], [..., t, i] -> y [..., t, o], last state [..., n]`."""
    A, B, C, u, D, h = in_floats(A, B, C, u, D, h)
    inputs = u @ B.T
    h = np.zeros(inputs[..., 0, :].shape, inputs.dtype) if h is None else h
    states = np.empty_like(inputs)
    for t in range(u.shape[-2]):
        h = h @ A.T + inputs[..., t, :]
        states[..., t, :] = h
    return _read(states, C, D, u), h


def kernel(A: Array, B: Array, C: Array, length: int) -> Array:
    """The impulse response `C A^k B`, k = 0 .. length - 1: `-> [length, o, i]`."""
    out = np.empty((length, C.shape[0], B.shape[1]), np.result_type(A, B, C))
    column = B
    for k in range(length):
        out[k] = C @ column
        column = A @ column
    return out


def convolution(k: Array, u: Array, D: Array | None = None) -> Array:
    """`y_t = sum_j k_j u_(t-j)`, written out: `[t, o, i], [t, i] -> [t, o]`."""
    y = np.zeros((len(u), k.shape[1]), np.result_type(k, u))
    for j in range(min(len(k), len(u))):
        y[j:] += u[: len(u) - j] @ k[j].T
    return y if D is None else y + u @ D.T


def fft_convolution(k: Array, u: Array, D: Array | None = None) -> Array:
    """The same sum as a product of spectra, padded so that nothing wraps around: `[t, o, i], [t, i] -> [t, o]`."""
    k, u, D = in_floats(k, u, D)
    size = 1 << (len(k) + len(u) - 1).bit_length()
    spectrum = np.einsum("foi,fi->fo", np.fft.rfft(k, size, axis=0), np.fft.rfft(u, size, axis=0))
    y = np.fft.irfft(spectrum, size, axis=0)[: len(u)].astype(u.dtype, copy=False)
    return y if D is None else y + u @ D.T


def scan(A: Array, B: Array, C: Array, u: Array, D: Array | None = None) -> tuple[Array, Array]:
    """Every state at once, doubling the reach each round: same shapes as `recurrence`, log2(t) rounds."""
    A, B, C, u, D = in_floats(A, B, C, u, D)
    states = u @ B.T
    power, reach = A, 1
    while reach < u.shape[-2]:
        states = states.copy()
        states[..., reach:, :] += states[..., :-reach, :].copy() @ power.T
        power, reach = power @ power, 2 * reach
    return _read(states, C, D, u), states[..., -1, :]


def diagonal_scan(a: Array, b: Array) -> Array:
    """`h_t = a_t h_(t-1) + b_t` elementwise with a decay that changes over time, by doubling: `[t, ...] -> [t, ...]`.

    Pairs (a, b) are affine maps; composing two neighbours is `(a2 a1, a2 b1 + b2)`.
    """
    a, b = in_floats(a, b)
    a, h = a.copy(), b.copy()
    reach = 1
    while reach < len(a):
        h[reach:] += a[reach:] * h[:-reach].copy()
        a[reach:] *= a[:-reach].copy()
        reach *= 2
    return h


def discretise(A: Array, B: Array, step: float, method: str = "zoh") -> tuple[Array, Array]:
    """From `h' = A h + B u` to steps of length `step`: `[n, n], [n, i] -> [n, n], [n, i]`.

    `zoh` holds u constant over a step and is exact for such u; `bilinear` is the trapezoid rule; `euler` the
    forward difference; `none` takes A and B as they are.
    """
    if method == "none":
        return A, B
    A, B = in_floats(A, B)
    eye = np.eye(len(A), dtype=A.dtype)
    if method == "euler":
        return eye + step * A, step * B
    if method == "bilinear":
        left = eye - step / 2 * A
        return np.linalg.solve(left, eye + step / 2 * A), np.linalg.solve(left, step * B)
    if method == "zoh":
        n, i = B.shape
        joint = np.zeros(
            (n + i, n + i), A.dtype
        )  # exp of [[A, B], [0, 0]] holds both answers, even for singular A
        joint[:n, :n], joint[:n, n:] = step * A, step * B
        both = _expm(joint)
        return both[:n, :n], both[:n, n:]
    raise ConfigError(f"discretisation={method!r} is not one of none, zoh, bilinear, euler")


def _expm(m: Array) -> Array:
    """Matrix exponential: Taylor series of `m / 2^s`, then squared s times: `[n, n] -> [n, n]`."""
    norm = float(np.abs(m).sum(0).max(initial=0.0))
    squarings = max(0, math.ceil(math.log2(norm)) + 3) if norm > 0 else 0
    m = m / 2.0**squarings
    total = term = np.eye(len(m), dtype=m.dtype)
    for k in range(1, 18):  # norm <= 1/8: the 17th term is below 1e-30
        term = term @ m / float(k)
        total = total + term
    for _ in range(squarings):
        total = total @ total
    return total


def _read(states: Array, C: Array, D: Array | None, u: Array) -> Array:
    y = states @ C.T
    return y if D is None else y + u @ D.T
