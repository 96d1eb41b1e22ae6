"""`config.json` -> `Config`: reads what the family's row names and refuses, by name, what it does not.

Refusing is the point: a field that changes the result and is silently skipped gives a model that runs and
is wrong. So every field must be read, be known not to matter, or hold the one value that is implemented.

>>> config_from_json({"model_type": "gpt2", "n_layer": 2, "vocab_size": 300}).layers
2
>>> config_from_json({"model_type": "bert", "is_decoder": True})
Traceback (most recent call last):
bpetok.nn.errors.ConfigError: config field is_decoder=True is not supported for bert: it must be False
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bpetok.nn.activations import ACTIVATIONS
from bpetok.nn.config import Config, Ssm
from bpetok.nn.errors import ConfigError
from bpetok.nn.families import FAMILIES, Family, Reads
from bpetok.nn.families.inert import INERT, ONLY
from bpetok.nn.read_fields import check_field
from bpetok.nn.read_rope import ROPE_FIELDS, rope_from_json

__all__ = ["config_from_json"]

_MAY_BE_NULL = frozenset({"window", "kv_heads", "bos", "eos", "pad", "decoder_start", "rope.theta"})


def config_from_json(raw: Mapping[str, Any]) -> Config:
    """Turn the parsed `config.json` of any family in the table into a `Config`."""
    if not isinstance(raw, Mapping):
        raise ConfigError(f"a config must be a JSON object, not a {type(raw).__name__}")
    name = raw.get("model_type")
    family = FAMILIES.get(str(name))
    if family is None:
        raise ConfigError(
            f"config field model_type={name!r} is not one of {', '.join(sorted(FAMILIES))}"
        )
    json = _unalias(raw, family)
    _check_fields(str(name), family, json)
    if family.kind != "seq2seq":
        return _build(str(name), family, json, family.reads)
    decoder = _build(str(name), family, json, family.reads)
    encoder = _build(str(name), family, json, {**family.reads, **family.encoder})
    encoder = replace(
        encoder,
        causal=False,
        cross=False,
        head_bias=False,
        vocab_size=json.get("vocab_size", encoder.vocab_size),
    )
    return replace(decoder, encoder=encoder)


def _unalias(raw: Mapping[str, Any], family: Family) -> dict[str, Any]:
    """Fold other spellings of a field into the one that is read; two that disagree are an error."""
    json = {k: v for k, v in raw.items() if k not in family.alias}
    for other, field in family.alias.items():
        if other in raw and json.setdefault(field, raw[other]) != raw[other]:
            raise ConfigError(
                f"config fields {other}={raw[other]!r} and {field}={json[field]!r} are the same and differ"
            )
    return json


def _check_fields(name: str, family: Family, json: Mapping[str, Any]) -> None:
    """Refuse the first field that could change the result and is not implemented."""
    read = {field for field, _ in [*family.reads.values(), *family.encoder.values()]}
    if "rope.theta" in family.reads:
        read |= ROPE_FIELDS
    only = {**ONLY, **family.only, "is_encoder_decoder": (family.kind == "seq2seq",)}
    for field, value in json.items():
        if field in only and value not in only[field]:
            allowed = " or ".join(repr(v) for v in only[field])
            raise ConfigError(
                f"config field {field}={value!r} is not supported for {name}: it must be {allowed}"
            )
        known = field in read or field in INERT or field in family.inert or field in only
        if not known and value is not None:
            raise ConfigError(
                f"config field {field}={value!r} is unknown for {name} and may change the result; "
                "delete it from config.json if it does not"
            )
    check_field("architectures", "architectures", json.get("architectures"))
    for cls in json.get("architectures") or ():
        if family.architectures and cls not in family.architectures:
            raise ConfigError(
                f"config field architectures={cls!r} is not one of {', '.join(family.architectures)}"
            )


def _build(name: str, family: Family, json: Mapping[str, Any], reads: Reads) -> Config:
    """Fill the settings of one stack from the fields that `reads` names."""
    got = {key: _value(json, key, field, default) for key, (field, default) in reads.items()}
    got |= family.fixed
    inner = {key[4:]: got.pop(key) for key in list(got) if key.startswith("ssm.")}
    theta = got.pop("rope.theta", None)
    width, layers = got["width"], got["layers"]
    if "attention_period" in got or "mixer" not in got:
        heads = got["heads"]
        if got.get("head_dim") is None:
            if width % heads:
                raise ConfigError(
                    f"hidden size {width} is not a multiple of {heads} heads, and head_dim is not given"
                )
            got["head_dim"] = width // heads
        got["kv_heads"] = heads if got.get("kv_heads") is None else got["kv_heads"]
        got["ffn_width"] = 4 * width if got.get("ffn_width") is None else got["ffn_width"]
    if got.pop("scale_embedding", False):
        got["embed_scale"] = math.sqrt(width)
    if not got.pop("shared", True):
        got["vocab_size"] = got["decoder_vocab_size"] or got["vocab_size"]
    got.pop("decoder_vocab_size", None)
    got |= _layer_pattern(got, layers)
    if "activation" in got:
        got["activation"] = _activation(name, got["activation"], family, reads["activation"][0])
    if inner:
        got["ssm"] = _ssm(name, inner, width, family, reads)
    if theta is not None:
        got["rope"] = rope_from_json(json, float(theta), got["max_positions"])
    eos = got["eos"]
    got["eos"] = () if eos is None else tuple(eos) if isinstance(eos, list) else (eos,)
    return Config(family=name, **got)


def _value(json: Mapping[str, Any], key: str, field: str, default: Any) -> Any:
    """One field or its default, of the right kind; null is a value of its own for some fields, none for the others."""
    value = json.get(field, default)
    if value is None and default is not None and key not in _MAY_BE_NULL:
        raise ConfigError(
            f"config field {field}=None: give a value, or leave it out for {default!r}"
        )
    value = default if value is None and key == "rope.theta" else value
    check_field(key, field, value)
    return value


def _layer_pattern(got: dict[str, Any], layers: int) -> dict[str, Any]:
    """Say for each layer what mixes tokens and how many experts its feed-forward has."""
    mixer, count = got.pop("mixer", "attention"), got.pop("expert_count", 1)
    if count < 2 and "expert_period" not in got and "top_k" in got:
        raise ConfigError(
            f"config field num_local_experts={count} must be at least 2: one expert needs no router"
        )
    period, offset = got.pop("attention_period", 0), got.pop("attention_offset", 0)
    expert_period, expert_offset = got.pop("expert_period", 1), got.pop("expert_offset", 0)
    if mixer != "attention" and not period:
        return {"mixers": (mixer,) * layers, "experts": (0,) * layers}
    for what, p, o in (
        ("attn_layer", period or 1, offset),
        ("expert_layer", expert_period, expert_offset),
    ):
        if not 0 <= o < p:
            raise ConfigError(
                f"config field {what}_offset={o} must be at least 0 and below {what}_period={p}"
            )
    return {
        "mixers": tuple(
            "attention" if not period or i % period == offset else mixer for i in range(layers)
        ),
        "experts": tuple(count if i % expert_period == expert_offset else 1 for i in range(layers)),
    }


def _activation(name: str, value: Any, family: Family, field: str) -> str:
    """Give the activation its one spelling, or refuse it by field and name."""
    table = family.activations or {known: known for known in ACTIVATIONS}
    if not isinstance(value, str) or value not in table:
        raise ConfigError(
            f"config field {field}={value!r} is not supported for {name}; known: {', '.join(table)}"
        )
    return table[value]


def _ssm(name: str, inner: dict[str, Any], width: int, family: Family, reads: Reads) -> Ssm:
    """Fill the state-space settings; `expand` and a written-out inner width must agree."""
    expected = int(inner.pop("expand", 1) * width)
    given = inner.pop("inner", None)
    if given is not None and given != expected:
        raise ConfigError(
            f"config field intermediate_size={given} must be expand * hidden_size = {expected}"
        )
    if inner.get("time_step_rank") == "auto":
        inner["time_step_rank"] = math.ceil(width / 16)
    inner["activation"] = _activation(name, inner["activation"], family, reads["ssm.activation"][0])
    if "time_step_limit" in inner:
        field = reads["ssm.time_step_limit"][0]
        inner["time_step_limit"] = _limits(field, inner["time_step_limit"])
    return Ssm(inner=expected, **inner)


def _limits(field: str, value: Any) -> tuple[float, float]:
    """Two numbers, which JSON may spell `Infinity`, `"inf"` or `{"__float__": "Infinity"}`."""
    try:
        low, high = (float(v["__float__"] if isinstance(v, dict) else v) for v in value)
    except (ValueError, TypeError, KeyError, OverflowError):
        low = high = math.nan
    if not 0 <= low <= high:
        raise ConfigError(
            f"config field {field}={value!r:.80} must be two numbers of at least 0, the smaller one first"
        )
    return low, high
