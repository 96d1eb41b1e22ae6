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
from bpetok.nn.read_fields import ABOVE_0, ABOVE_1, FROM_0, OBJECT, SIZE, YES_OR_NO, Kind, check

__all__ = ["ROPE_FIELDS", "rope_from_json"]

_ORIGINAL = "original_max_position_embeddings"
ROPE_FIELDS = frozenset(
    {
        "rope_theta",
        "rope_scaling",
        "rope_parameters",
        _ORIGINAL,
        "partial_rotary_factor",
    }
)
_KINDS: dict[str, Kind] = {
    "rope_theta": ABOVE_1,
    _ORIGINAL: SIZE,
    **dict.fromkeys(("factor", "low_freq_factor", "high_freq_factor"), ABOVE_0),
    **dict.fromkeys(("attention_factor", "beta_fast", "beta_slow"), ABOVE_0),
    **dict.fromkeys(("mscale", "mscale_all_dim"), FROM_0),
    "truncate": YES_OR_NO,
}
_NEEDS: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor"),
    "yarn": ("factor",),
}
_MAY: dict[str, frozenset[str]] = {
    "default": frozenset(),
    "linear": frozenset(),
    "llama3": frozenset({_ORIGINAL}),
    "yarn": frozenset(
        [
            _ORIGINAL,
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
    where, parts = _dialect(json, theta, max_positions)
    _check_agreement(where, parts, json)
    kind = parts.pop("rope_type", None) or parts.get("type") or "default"
    parts.pop("type", None)
    if not isinstance(kind, str) or kind not in _NEEDS:
        raise ConfigError(
            f"config field {where}.rope_type={kind!r} is not supported; known: {', '.join(_NEEDS)}"
        )
    for field, value in parts.items():
        if value is not None and field in _KINDS:
            check(f"{where}.{field}", value, _KINDS[field])
    theta = float(_first(parts.pop("rope_theta", None), theta))
    partial = _first(
        parts.pop("partial_rotary_factor", None), json.get("partial_rotary_factor"), 1.0
    )
    if partial != 1.0:
        raise ConfigError(
            f"config field partial_rotary_factor={partial!r} is not supported: it must be 1.0"
        )
    missing = [field for field in _NEEDS[kind] if parts.get(field) is None]
    if (beside := json.get(_ORIGINAL)) is not None:
        check(_ORIGINAL, beside, SIZE)
    # YaRN without a factor: DeepSeek's configs mean the ratio of the two context lengths.
    original = _first(beside, parts.get(_ORIGINAL))
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
    if kind == "llama3" and not parts["low_freq_factor"] < parts["high_freq_factor"]:
        raise ConfigError(
            f"config field {where}.low_freq_factor={parts['low_freq_factor']!r} must be below "
            f"high_freq_factor={parts['high_freq_factor']!r}"
        )
    common: dict[str, Any] = {
        "theta": theta,
        "kind": kind,
        "original_max_positions": _first(original, max_positions),
    }
    common |= {field: float(parts[field]) for field in _NEEDS[kind]}
    if kind == "yarn":
        common |= _yarn(parts)
    return Rope(**common)


def _dialect(
    json: Mapping[str, Any], theta: float, max_positions: int
) -> tuple[str, dict[str, Any]]:
    """The name of the field that says how positions are stretched, and what it says; two must say the same."""
    for field in ("rope_parameters", "rope_scaling"):
        check(field, _first(json.get(field), {}), OBJECT)
    if json.get("rope_parameters") and json.get("rope_scaling"):
        both = [
            rope_from_json({**json, other: None}, theta, max_positions)
            for other in ("rope_scaling", "rope_parameters")
        ]
        if both[0] != both[1]:
            raise ConfigError(
                "config fields rope_parameters and rope_scaling are the same in two dialects and differ; keep one"
            )
    where = "rope_parameters" if json.get("rope_parameters") else "rope_scaling"
    return where, dict(json.get(where) or {})


def _check_agreement(where: str, parts: Mapping[str, Any], json: Mapping[str, Any]) -> None:
    """Refuse a value that is written twice and differs: which of the two counts is up to the version that reads it."""
    twice = [
        (f"{where}.{field}", parts.get(field), field, json.get(field))
        for field in ("rope_theta", "partial_rotary_factor", _ORIGINAL)
    ]
    twice.append((f"{where}.rope_type", parts.get("rope_type"), f"{where}.type", parts.get("type")))
    for inner, this, outer, other in twice:
        if this is not None and other is not None and this != other:
            raise ConfigError(
                f"config fields {inner}={this!r} and {outer}={other!r} are the same and differ; keep one"
            )


def _first(*values: Any) -> Any:
    """The first that is given; 0 is."""
    return next((value for value in values if value is not None), None)


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
        "beta_fast": float(_first(parts.get("beta_fast"), 32)),
        "beta_slow": float(_first(parts.get("beta_slow"), 1)),
        "truncate": bool(parts.get("truncate", True)),
    }
