"""The state-space mixers: Mamba, Mamba-2 and a plain linear SSM, each from its input to its output projection.

A mixer gets `x [b, t, d]`, its weights, and the memory of the ids before; it gives its output and the new
memory. `counts [b]` says how many of the t steps are real: padding stands behind them, must not reach the
memory, and so gets a step size of zero (decay 1, input 0) and is skipped by the convolution's window.

>>> x = np.arange(4.0).reshape(1, 4, 1)
>>> causal_convolution(x, np.array([[10.0, 1.0]]), None, np.zeros((1, 1, 1)))[0, :, 0].tolist()
[0.0, 1.0, 12.0, 23.0]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.activations import ACTIVATIONS, in_blocks, silu, softplus
from bpetok.nn.config import Config, Ssm
from bpetok.nn.embedding import linear
from bpetok.nn.norms import gated_rms_norm, rms_norm
from bpetok.nn.selective_scan import chunked_scan, selective_scan
from bpetok.nn.ssm import recurrence
from bpetok.nn.state import Recurrent, sealed
from bpetok.nn.trace import Recorder

__all__ = ["causal_convolution", "empty_memory", "mix"]

Array = NDArray[Any]
Params = Mapping[str, Any]


def causal_convolution(x: Array, weight: Array, bias: Array | None, before: Array) -> Array:
    """Each channel's last k inputs, weighted: `[b, t, c], [c, k], [b, k - 1, c] -> [b, t, c]`."""
    k, t = weight.shape[1], x.shape[1]
    padded = np.concatenate([before, x], axis=1)
    y = padded[:, k - 1 :] * weight[:, -1]
    for i in range(k - 1):
        y += padded[:, i : i + t] * weight[:, i]
    if bias is not None:
        y += bias
    return y


def mix(
    kind: str, x: Array, p: Params, c: Config, memory: Recurrent, counts: Array, note: Recorder
) -> tuple[Array, Recurrent]:
    """Run the mixer called `kind`: `[b, t, d] -> [b, t, d]` and the new memory."""
    assert c.ssm is not None
    return _MIXERS[kind](x, p, c, c.ssm, memory, counts, note)


def empty_memory(kind: str, c: Config, batch: int, dtype: Any) -> Recurrent:
    """The memory of a layer that has read nothing."""
    s = c.ssm
    assert s is not None
    channels = s.inner + (2 * s.groups * s.state_size if kind == "mamba2" else 0)
    shape = {
        "mamba": (s.state_size, s.inner),
        "mamba2": (s.heads, s.head_dim, s.state_size),
        "linear_ssm": (s.state_size,),
    }[kind]
    conv = (batch, max(s.conv_kernel - 1, 0), channels)
    return Recurrent(np.zeros(conv, dtype), np.zeros((batch, *shape), dtype))


def _real(counts: Array, t: int) -> Array | None:
    """Which steps are real, `[b, t, 1]`; None when all are."""
    return None if (counts == t).all() else np.arange(t)[None, :, None] < counts[:, None, None]


def _window(before: Array, x: Array, counts: Array) -> Array:
    """The last k - 1 real inputs of each row: `[b, k - 1, c], [b, t, c] -> [b, k - 1, c]`."""
    keep, t = before.shape[1], x.shape[1]
    if (counts == t).all() and t >= keep:
        return x[:, t - keep :].copy()
    both = np.concatenate([before, x], axis=1)
    return both[np.arange(len(x))[:, None], counts[:, None] + np.arange(keep)]


def _convolve(x: Array, p: Params, s: Ssm, memory: Recurrent, counts: Array) -> tuple[Array, Array]:
    """Convolution and activation, and the inputs to remember: `[b, t, c] -> [b, t, c], [b, k - 1, c]`."""
    y = causal_convolution(x, p["mix.conv.w"], p.get("mix.conv.b"), memory.conv)
    in_blocks(ACTIVATIONS[s.activation], y.reshape(-1, y.shape[-1]))
    return y, _window(memory.conv, x, counts)


def _mamba(
    x: Array, p: Params, c: Config, s: Ssm, memory: Recurrent, counts: Array, note: Recorder
) -> tuple[Array, Recurrent]:
    """Mamba's mixer (arXiv:2312.00752, section 3.4); Jamba adds RMSNorms on step, B and C (arXiv:2403.19887)."""
    both = linear(x, p["mix.in.w"], p.get("mix.in.b"))
    u, conv = _convolve(both[..., : s.inner], p, s, memory, counts)
    step, B, C = np.split(
        linear(u, p["mix.x.w"]), [s.time_step_rank, s.time_step_rank + s.state_size], axis=-1
    )
    if s.inner_norms:
        step, B, C = (
            rms_norm(part, p[f"mix.{name}.w"], c.norm_eps)
            for part, name in ((step, "dt_norm"), (B, "b_norm"), (C, "c_norm"))
        )
    dt = linear(step, p["mix.dt.w"], p["mix.dt.b"])
    in_blocks(softplus, dt.reshape(-1, s.inner))
    real = _real(counts, x.shape[1])
    if real is not None:
        dt *= real
    for name, array in (("u", u), ("dt", dt), ("b", B), ("c", C)):
        note(name, array)
    y, h = selective_scan(u, dt, p["mix.decay"], B, C, memory.ssm)
    u *= p["mix.D"]
    y += u
    gate = in_blocks(silu, both[..., s.inner :].reshape(-1, s.inner))
    y *= gate.reshape(y.shape)
    return linear(y, p["mix.out.w"], p.get("mix.out.b")), Recurrent(sealed(conv), sealed(h))


def _mamba2(
    x: Array, p: Params, c: Config, s: Ssm, memory: Recurrent, counts: Array, note: Recorder
) -> tuple[Array, Recurrent]:
    """Mamba-2's mixer (arXiv:2405.21060, section 7): one projection makes gate, u, B, C and step."""
    b, t, _ = x.shape
    shared = s.groups * s.state_size
    gate, u_b_c, dt = np.split(
        linear(x, p["mix.in.w"], p.get("mix.in.b")), [s.inner, 2 * s.inner + 2 * shared], axis=-1
    )
    mixed, conv = _convolve(u_b_c, p, s, memory, counts)
    u, B, C = np.split(mixed, [s.inner, s.inner + shared], axis=-1)
    dt = np.clip(softplus(dt + p["mix.dt.b"]), *s.time_step_limit)
    real = _real(counts, t)
    if real is not None:
        dt = dt * real
    B, C = (part.reshape(b, t, s.groups, s.state_size) for part in (B, C))
    u = u.reshape(b, t, s.heads, s.head_dim)
    for name, array in (("u", u), ("dt", dt), ("b", B), ("c", C)):
        note(name, array)
    y, h = chunked_scan(u * dt[..., None], dt * p["mix.decay"], B, C, memory.ssm)
    y += u * p["mix.D"][:, None]
    y = gated_rms_norm(y.reshape(b, t, s.inner), gate, p["mix.gate_norm.w"], c.norm_eps, s.groups)
    return linear(y, p["mix.out.w"], p.get("mix.out.b")), Recurrent(sealed(conv), sealed(h))


def _linear_ssm(
    x: Array, p: Params, c: Config, s: Ssm, memory: Recurrent, counts: Array, note: Recorder
) -> tuple[Array, Recurrent]:
    """A time-invariant SSM with an activation and an output projection after it (S5's block, arXiv:2208.04933)."""
    A, B = p["mix.step.A"], p["mix.step.B"]
    y = np.empty((*x.shape[:2], len(p["mix.C"])), x.dtype)
    h = memory.ssm.copy()
    if (counts == x.shape[1]).all():
        y, h = recurrence(A, B, p["mix.C"], x, h=h)
    else:
        y[:] = 0
        for i, n in enumerate(counts):
            y[i, :n], h[i] = recurrence(A, B, p["mix.C"], x[i, :n], h=h[i])
    y += x * p["mix.D"]
    return linear(ACTIVATIONS[s.activation](y), p["mix.out.w"]), Recurrent(memory.conv, sealed(h))


_MIXERS = {"mamba": _mamba, "mamba2": _mamba2, "linear_ssm": _linear_ssm}
