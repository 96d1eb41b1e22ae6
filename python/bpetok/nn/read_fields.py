"""One field of `config.json` at a time: whether its value is one that the setting can have.

`read_config.py` and `read_rope.py` look every value up here before they compute with it, so that a wrong one is
refused by its own name and not by whatever happens to stumble over it.

>>> check_field("vocab_size", "vocab_size", 50)
>>> check_field("vocab_size", "vocab_size", "50")
Traceback (most recent call last):
bpetok.nn.errors.ConfigError: config field vocab_size='50' must be a whole number of at least 1
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bpetok.nn.errors import ConfigError

__all__ = [
    "ABOVE_0",
    "ABOVE_1",
    "FROM_0",
    "OBJECT",
    "SIZE",
    "YES_OR_NO",
    "Kind",
    "check",
    "check_field",
]

_LARGEST = 1 << 40  # of any size: far above every model's, and its products are still quick to make
_MOST = 10_000  # layers, or experts of one: ten times the most there are (arXiv:2203.00555 has 1,000 layers)


@dataclass(frozen=True)
class Kind:
    """What a value must be, in words and as a test."""

    words: str
    fits: Callable[[Any], bool]


def _whole(least: int, most: int = _LARGEST) -> Kind:
    """A whole number; JSON's true and false are none."""
    words = f"a whole number of at least {least}"
    if most != _LARGEST:
        words += f" and at most {most:,}"
    return Kind(words, lambda value: type(value) is int and least <= value <= most)


def _number(words: str, right: Callable[[float], bool]) -> Kind:
    """A finite number, with or without a point."""

    def fits(value: Any) -> bool:
        # NaN fails the comparison, and a whole number too long for a float does not overflow in it.
        return type(value) in (int, float) and value <= sys.float_info.max and right(value)

    return Kind(words, fits)


def _one_of(*names: str) -> Kind:
    words = f"one of {', '.join(repr(name) for name in names)}"
    return Kind(words, lambda value: isinstance(value, str) and value in names)


SIZE = _whole(1)
FROM_0 = _number("a finite number of at least 0", lambda value: value >= 0)
ABOVE_0 = _number("a finite number above 0", lambda value: value > 0)
ABOVE_1 = _number("a finite number above 1", lambda value: value > 1)
YES_OR_NO = Kind("true or false", lambda value: isinstance(value, bool))
OBJECT = Kind("an object", lambda value: isinstance(value, Mapping))
_ID = _whole(-1)  # -1 stands for none in old checkpoints
_IDS = Kind(
    "an id or a list of ids",
    lambda value: all(map(_ID.fits, value)) if isinstance(value, list) else _ID.fits(value),
)

# By setting, as the families' rows name them; those of `Ssm` under the same names. Names of activations are looked up
# in `read_config.py`, which knows the family's.
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("vocab_size", "decoder_vocab_size", "width", "heads", "kv_heads"), SIZE),
    **dict.fromkeys(("head_dim", "ffn_width", "max_positions", "window", "top_k"), SIZE),
    **dict.fromkeys(("expert_period", "attention_period", "inner", "state_size"), SIZE),
    **dict.fromkeys(("conv_kernel", "groups"), SIZE),
    **dict.fromkeys(("expert_offset", "attention_offset", "token_types"), _whole(0)),
    "layers": _whole(0, _MOST),
    "expert_count": _whole(1, _MOST),
    "time_step_rank": Kind(
        f"'auto' or {SIZE.words}", lambda value: value == "auto" or SIZE.fits(value)
    ),
    **dict.fromkeys(("norm_eps", "aux_coefficient"), FROM_0),
    **dict.fromkeys(("expand", "time_step"), ABOVE_0),
    "rope.theta": ABOVE_1,
    **dict.fromkeys(("tied", "shared", "scale_embedding", "scale_scores"), YES_OR_NO),
    **dict.fromkeys(("scale_by_layer", "qkv_bias", "out_bias", "mlp_bias"), YES_OR_NO),
    **dict.fromkeys(("bias", "conv_bias"), YES_OR_NO),
    **dict.fromkeys(("bos", "pad", "decoder_start"), _ID),
    "eos": _IDS,
    "discretisation": _one_of("none", "zoh", "bilinear", "euler"),
    "summary_activation": _one_of("", "tanh"),
    "architectures": Kind(
        "a list of class names",
        lambda value: isinstance(value, list) and all(isinstance(v, str) for v in value),
    ),
}


def check(field: str, value: Any, kind: Kind) -> None:
    """Refuse a value of another kind, by the field's name."""
    if not kind.fits(value):
        raise ConfigError(f"config field {field}={value!r:.80} must be {kind.words}")


def check_field(key: str, field: str, value: Any) -> None:
    """Refuse what setting `key` cannot be; null is not looked at, and is for the caller to judge."""
    kind = _KINDS.get(key.removeprefix("ssm."))
    if kind is not None and value is not None:
        check(field, value, kind)
