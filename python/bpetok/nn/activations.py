"""Activations, as plain formulas that keep the dtype of what they are given.

`ACTIVATIONS` maps the names that `config.json` uses to these functions. NumPy has no `erf`, so this file has
one: two polynomials, fitted for this project with mpmath, in the form of Shepherd & Laframboise (1981).

>>> import numpy as np
>>> bool(abs(erf(np.array([0.5]))[0] - 0.5204998778130465) < 1e-15)
True
>>> gelu(np.array([-1.0, 0.0, 1.0])).round(4).tolist()
[-0.1587, 0.0, 0.8413]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.inputs import floats

__all__ = [
    "ACTIVATIONS",
    "erf",
    "erfc",
    "gelu",
    "gelu_tanh",
    "in_blocks",
    "relu",
    "sigmoid",
    "silu",
    "softplus",
]

Array = NDArray[Any]

# erf(x) / x on |x| <= 1, a polynomial in 2 x**2 - 1 (error 8e-18), and (z + 1/2) exp(z**2) erfc(z) on z >= 1, one in
# (4 s - 1) / 3 with s = (z - 3) / (z + 3) (error 2e-17). float32 needs fewer terms (1e-9 and 1e-8).
_NEAR = (
    0.9654687386698673, -0.1405360890227171, 0.019852496688984218, -0.0022854855611440855, 0.00021751715603563488,
    -1.75371694412802e-05, 1.2233827638093572e-06, -7.51156925108609e-08, 4.115751500265885e-09,
    -2.035231956483527e-10, 9.21125018742823e-12, -3.80659122412214e-13,
)  # fmt: skip
_FAR = (
    0.6088755075318775, -0.053005647787808675, 0.004018303209157846, 0.009717548970664657, -0.00860192025914406,
    0.004417301254440886, -0.0015211092875436047, 0.0003011285964597582, 7.306813485614107e-06,
    -2.436542663845712e-05, 4.9750368522222946e-06, 1.1790976839871185e-06, -6.541730126574037e-07,
    -3.388532236022155e-08, 7.238865101228921e-08, -1.5098801098960565e-09, -8.216159778875715e-09,
    3.7797165190027985e-10, 9.182540328993094e-10, -3.054845382425697e-11, -7.168468329930167e-11,
)  # fmt: skip
_NEAR32 = (
    0.9654687386698673, -0.14053609727754268, 0.019852497140907616, -0.0022854195448728494, 0.00021751354165582579,
    -1.7669068026125697e-05, 1.2306054785446075e-06,
)  # fmt: skip
_FAR32 = (
    0.6088755145520067, -0.05300564565867848, 0.00401795122215842, 0.009717442443272736, -0.008599063072896958,
    0.0044181564492736854, -0.0015293694477568783, 0.00029871568572390335, 1.74345006701466e-05,
    -2.1561320000769653e-05,
)  # fmt: skip


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    """Horner's rule, lowest power first: `[...] -> [...]`."""
    total = np.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total *= x
        total += c
    return total


def _tail(z: Array, far: Sequence[float]) -> Array:
    """`erfc(z)` for `z >= 1`: `[...] -> [...]`; beyond 27 it is zero in float64."""
    z = np.clip(z, 1.0, 27.0)
    y = (z - 3.0) / (z + 3.0)
    y *= 4.0 / 3.0
    y -= 1.0 / 3.0
    tail = _polynomial(far, y)
    tail *= np.exp(-z * z)
    tail /= z + 0.5
    return tail


def _erf_parts(x: Array) -> tuple[Array, Array, Array]:
    """`|x| <= 1`, `erf(x)` where that holds, and `erfc(|x|)` where it does not."""
    narrow = x.dtype == np.float32
    near = np.clip(x, -1.0, 1.0)
    inner = near * _polynomial(_NEAR32 if narrow else _NEAR, 2.0 * near * near - 1.0)
    size = np.abs(x)
    return size <= 1.0, inner, _tail(size, _FAR32 if narrow else _FAR)


def erf(x: Array) -> Array:
    """The error function: `[...] -> [...]`, to the last digits of the dtype."""
    small, inner, tail = _erf_parts(x)
    return np.where(small, inner, np.copysign(1.0 - tail, x))


def erfc(x: Array) -> Array:
    """`1 - erf(x)` without cancellation for large `x`: `[...] -> [...]`."""
    small, inner, tail = _erf_parts(x)
    return np.where(small, 1.0 - inner, np.where(x > 0, tail, 2.0 - tail))


def gelu(x: Array) -> Array:
    """`x * P(X <= x)` for a standard normal X (arXiv:1606.08415), exact: `[...] -> [...]`."""
    half = erfc(x * -math.sqrt(0.5))
    half *= x
    half *= 0.5
    return half


def gelu_tanh(x: Array) -> Array:
    """GELU's tanh form, which GPT-1 and GPT-2 use: `[...] -> [...]`."""
    x = floats(x)
    u = x * x
    u *= 0.044715
    u += 1.0
    u *= x
    u *= math.sqrt(2.0 / math.pi)
    np.tanh(u, out=u)
    u += 1.0
    u *= x
    u *= 0.5
    return u


def sigmoid(x: Array) -> Array:
    """`1 / (1 + exp(-x))`, which never overflows in this form: `[...] -> [...]`."""
    u = x * 0.5
    np.tanh(u, out=u)
    u *= 0.5
    u += 0.5
    return u


def silu(x: Array) -> Array:
    """`x * sigmoid(x)` (swish): `[...] -> [...]`."""
    # exp overflows to inf only where the result is -0.0, which is right to the last digit.
    with np.errstate(over="ignore"):
        u = np.exp(-x)
    u += 1.0
    return np.divide(x, u, out=u)


def relu(x: Array) -> Array:
    """`max(x, 0)`: `[...] -> [...]`."""
    return np.maximum(x, 0.0)


def softplus(x: Array) -> Array:
    """`log(1 + exp(x))`, linear for large `x`: `[...] -> [...]`."""
    u = np.exp(-np.abs(x))
    np.log1p(u, out=u)
    u += np.maximum(x, 0.0)
    return u


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": gelu,
    "gelu_python": gelu,
    "gelu_new": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "relu": relu,
    "silu": silu,
    "swish": silu,
}


def in_blocks(f: Callable[[Array], Array], x: Array, rows: int = 1 << 16) -> Array:
    """Overwrite `x [n, d]` with `f(x)`, about `rows` numbers at a time, so that temporaries stay in the L2 cache.

    >>> in_blocks(relu, np.array([[-1.0, 2.0]])).tolist()
    [[0.0, 2.0]]
    """
    step = max(1, rows // x.shape[-1])
    for start in range(0, len(x), step):
        x[start : start + step] = f(x[start : start + step])
    return x
