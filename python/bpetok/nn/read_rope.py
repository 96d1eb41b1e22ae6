"""The two dialects in which `config.json` writes rotary positions, read into one `Rope`.

`transformers` 5 writes `rope_parameters: {rope_type, rope_theta, ...}`; before that it was `rope_theta` beside
`rope_scaling: {type or rope_type, factor, ...}`. Everything inside that is not understood is refused by name.

>>> rope_from_json(
...     {"rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 2.0}}, 500.0, 64
... ).kind
'linear'
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bpetok.nn.config import Rope
from bpetok.nn.errors import ConfigError

__all__ = ["ROPE_FIELDS", "rope_from_json"]

ROPE_FIELDS = frozenset(
    {
        "rope_theta",
        "rope_scaling",
        "rope_parameters",
        "original_max_position_embeddings",
        "partial_rotary_factor",
    }
)
_NEEDS: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor"),
    "yarn": ("factor",),
}
_MAY: dict[str, frozenset[str]] = {
    "default": frozenset(),
    "linear": frozenset(),
    "llama3": frozenset({"original_max_position_embeddings"}),
    "yarn": frozenset(
        [
            "original_max_position_embeddings",
            "attention_factor",
            "beta_fast",
            "beta_slow",
            "mscale",
            "mscale_all_dim",
            "truncate",
        ]
    ),
}


def rope_from_json(json: Mapping[str, Any], theta: float, max_positions: int) -> Rope:
    """Read either dialect; `theta` is the value of `rope_theta` or the family's default."""
    if json.get("rope_parameters") and json.get("rope_scaling"):
        both = [
            rope_from_json({**json, other: None}, theta, max_positions)
            for other in ("rope_scaling", "rope_parameters")
        ]
        if both[0] != both[1]:
            raise ConfigError(
                "config fields rope_parameters and rope_scaling are the same in two dialects and differ; keep one"
            )
    parts = dict(json.get("rope_parameters") or json.get("rope_scaling") or {})
    where = "rope_parameters" if json.get("rope_parameters") else "rope_scaling"
    kind = parts.pop("rope_type", None) or parts.get("type") or "default"
    parts.pop("type", None)
    if kind not in _NEEDS:
        raise ConfigError(
            f"config field {where}.rope_type={kind!r} is not supported; known: {', '.join(_NEEDS)}"
        )
    theta = float(parts.pop("rope_theta", None) or theta)
    partial = parts.pop("partial_rotary_factor", None) or json.get("partial_rotary_factor") or 1.0
    if partial != 1.0:
        raise ConfigError(
            f"config field partial_rotary_factor={partial!r} is not supported: it must be 1.0"
        )
    missing = [field for field in _NEEDS[kind] if parts.get(field) is None]
    # YaRN without a factor: DeepSeek's configs mean the ratio of the two context lengths.
    original = json.get("original_max_position_embeddings") or parts.get(
        "original_max_position_embeddings"
    )
    if missing == ["factor"] and kind == "yarn" and original:
        parts["factor"], missing = max_positions / original, []
    if missing:
        raise ConfigError(
            f"config field {where}.{missing[0]} is needed for rope_type {kind!r} and missing"
        )
    for field, value in parts.items():
        if field not in _NEEDS[kind] and field not in _MAY[kind] and value is not None:
            raise ConfigError(
                f"config field {where}.{field}={value!r} is not understood for rope_type {kind!r}"
            )
    common: dict[str, Any] = {
        "theta": theta,
        "kind": kind,
        "original_max_positions": int(original or max_positions),
    }
    common |= {field: float(parts[field]) for field in _NEEDS[kind]}
    if kind == "yarn":
        common |= _yarn(parts)
    return Rope(**common)


def _yarn(parts: Mapping[str, Any]) -> dict[str, Any]:
    """YaRN's ramp and the factor on cos and sin (Peng et al. 2023, arXiv:2309.00071, section 3.4)."""
    factor, given = float(parts["factor"]), parts.get("attention_factor")
    top, bottom = parts.get("mscale"), parts.get("mscale_all_dim")

    def temperature(scale: float) -> float:
        return 1.0 if factor <= 1 else 0.1 * scale * math.log(factor) + 1.0

    if given is None:
        given = temperature(top) / temperature(bottom) if top and bottom else temperature(1.0)
    return {
        "attention_factor": float(given),
        "beta_fast": float(parts.get("beta_fast") or 32),
        "beta_slow": float(parts.get("beta_slow") or 1),
        "truncate": bool(parts.get("truncate", True)),
    }
