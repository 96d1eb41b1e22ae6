"""The selective scans of Mamba and Mamba-2: state-space recurrences whose decay depends on the input.

Mamba (Gu & Dao 2023, arXiv:2312.00752): every channel c has a state of n numbers,

    h[t,n,c] = exp(dt[t,c] A[n,c]) h[t-1,n,c] + dt[t,c] B[t,n] u[t,c]        y[t,c] = sum_n C[t,n] h[t,n,c]

Mamba-2 (Dao & Gu 2024, arXiv:2405.21060) has one decay per head, and the sum over the past then is a product of
matrices: within a chunk it is attention with a decaying causal mask, between chunks a recurrence of states.

Both work through the prompt in chunks that fit the cache, and neither divides by a decay, so a decay that
underflows is simply a state forgotten. `naive_selective_scan` is the definition; the others are held to it.

>>> rng = np.random.default_rng(0)
>>> u, dt, B, C = rng.random((4, 1, 40, 3))
>>> A, h = -rng.random((3, 3)), np.zeros((1, 3, 3))
>>> slow, fast = naive_selective_scan(u, dt, A, B, C, h)[0], selective_scan(u, dt, A, B, C, h)[0]
>>> bool(np.allclose(slow, fast, rtol=1e-13))
True
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.ssm import in_floats

__all__ = ["chunked_scan", "naive_selective_scan", "selective_scan"]

Array = NDArray[Any]
STEPS = 16  # of Mamba's scan at once: with 16 states and 1,536 channels in float32 that is 1.6 MB
CHUNK = 64  # of Mamba-2's: the causal square is [heads, 64, 64]


def naive_selective_scan(
    u: Array, dt: Array, A: Array, B: Array, C: Array, h: Array
) -> tuple[Array, Array]:
    """The definition, one step after the other: `u, dt [b, t, c], A [n, c], B, C [b, t, n], h [b, n, c]`.

    Gives `y [b, t, c]` and the last state.
    """
    u, dt, A, B, C, h = in_floats(u, dt, A, B, C, h)
    y = np.empty_like(u)
    for t in range(u.shape[1]):
        decay = np.exp(dt[:, t, None, :] * A)
        h = decay * h + (dt[:, t] * u[:, t])[:, None, :] * B[:, t, :, None]
        y[:, t] = (C[:, t, :, None] * h).sum(1)
    return y, h


def selective_scan(
    u: Array, dt: Array, A: Array, B: Array, C: Array, h: Array
) -> tuple[Array, Array]:
    """`naive_selective_scan` with its large products done for `STEPS` steps at a time."""
    u, dt, A, B, C, h = in_floats(u, dt, A, B, C, h)
    y, h, drive = np.empty_like(u), h.copy(), dt * u
    room = np.empty((STEPS, *A.shape), u.dtype)
    state = np.empty((STEPS, *A.shape), u.dtype)
    for row in range(len(u)):
        last = h[row]
        for start in range(0, u.shape[1], STEPS):
            now = slice(start, min(start + STEPS, u.shape[1]))
            n = now.stop - start
            decay, states = room[:n], state[:n]
            np.multiply(dt[row, now, None, :], A, out=decay)
            np.exp(decay, out=decay)
            np.multiply(drive[row, now, None, :], B[row, now, :, None], out=states)
            for t in range(n):
                decay[t] *= last
                states[t] += decay[t]
                last = states[t]
            np.matmul(C[row, now, None, :], states, out=y[row, now, None, :])
            last = last.copy()
        h[row] = last
    return y, h


def chunked_scan(u: Array, log_decay: Array, B: Array, C: Array, h: Array) -> tuple[Array, Array]:
    """Mamba-2's scan: `u [b, t, h, p]`, `log_decay [b, t, h]`, `B, C [b, t, g, n]`, `h [b, h, p, n]`.

    `u` already carries the step size. Gives `y [b, t, h, p]` and the last state.
    """
    u, log_decay, B, C, h = in_floats(u, log_decay, B, C, h)
    y = np.empty_like(u)
    for start in range(0, u.shape[1], CHUNK):
        now = slice(start, start + CHUNK)
        y[:, now], h = _chunk(u[:, now], log_decay[:, now], B[:, now], C[:, now], h)
    return y, h


def _chunk(u: Array, log_decay: Array, B: Array, C: Array, h: Array) -> tuple[Array, Array]:
    """One chunk: what it reads from the state before it, from itself, and the state after it."""
    b, steps, heads, p = u.shape
    groups = B.shape[2]
    x = u.transpose(0, 2, 1, 3)  # [b, h, l, p]
    decay = log_decay.transpose(0, 2, 1)  # [b, h, l]
    # The log decay from j to i is the sum over j+1 .. i. Summing exactly that stretch, instead of subtracting two
    # running sums, keeps small decays exact next to huge ones.
    log_between = np.where(np.tri(steps, k=-1, dtype=bool), decay[..., None], decay.dtype.type(0))
    np.cumsum(log_between, axis=-2, out=log_between)
    between = np.exp(log_between, out=log_between)
    between *= np.tri(steps, dtype=u.dtype)
    match = C.transpose(0, 2, 1, 3) @ B.transpose(0, 2, 3, 1)  # [b, g, l, l]
    weights = between.reshape(b, groups, -1, steps, steps) * match[:, :, None]
    y = weights.reshape(b, heads, steps, steps) @ x
    since = np.exp(np.cumsum(decay, axis=-1))  # decay of the incoming state, [b, h, l]
    per_head = h.reshape(b, groups, -1, p, h.shape[-1])
    incoming = C.transpose(0, 2, 1, 3)[:, :, None] @ per_head.swapaxes(-1, -2)  # [b, g, h/g, l, p]
    y += incoming.reshape(b, heads, steps, p) * since[..., None]
    rest = between[:, :, -1, :, None] * x  # each step's input as it arrives at the chunk's end
    outer = (
        rest.reshape(b, groups, -1, steps, p).swapaxes(-1, -2) @ B.transpose(0, 2, 1, 3)[:, :, None]
    )
    h = h * since[:, :, -1, None, None] + outer.reshape(h.shape)
    return y.transpose(0, 2, 1, 3), h
