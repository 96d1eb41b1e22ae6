"""Parameters, bytes and memory of a model, counted from its config alone.

Every function takes the parsed `config.json` (a dict) or a `Config`. Nothing is loaded and nothing is
run: the weights' shapes come from `shapes.py`, the rest is arithmetic.

>>> gpt2 = {"model_type": "gpt2"}
>>> f"{parameters(gpt2):,}"
'124,439,808'
>>> f"{weight_bytes(gpt2, 'q4_0') / 2**20:.0f} MiB instead of {weight_bytes(gpt2) / 2**20:.0f}"
'70 MiB instead of 475'
>>> f"{state_bytes(gpt2, tokens=1024) / 2**20:.0f} MiB of keys and values"
'72 MiB of keys and values'

Parameters are trained numbers: sine tables, and a logit bias that is never trained, are not counted, and
shared tables count once. Operations are in `operations.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from bpetok.nn.config import Config
from bpetok.nn.errors import ConfigError, InputError
from bpetok.nn.inputs import whole
from bpetok.nn.quant import BLOCK, BLOCK_BYTES
from bpetok.nn.quant_model import is_matrix
from bpetok.nn.read_config import config_from_json
from bpetok.nn.read_fields import OBJECT, SIZE, check
from bpetok.nn.shapes import head_shapes, layer_shapes, stack_shapes

__all__ = [
    "active_parameters",
    "as_config",
    "parameter_table",
    "parameters",
    "state_bytes",
    "weight_bytes",
]

Json = Mapping[str, Any]
_ITEMSIZE = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
_POOL, _NSP = ("pool.w", "pool.b"), ("nsp.w", "nsp.b")
_MLM = ("mlm.w", "mlm.b", "mlm_norm.w", "mlm_norm.b", "head.w", "head.b")
# The end of a class name in `architectures` -> the weights it has on top of the stack.
_HEADS: dict[str, tuple[str, ...]] = {
    "LMHeadModel": ("head.w",),
    "ForCausalLM": ("head.w",),
    "ForConditionalGeneration": ("head.w",),
    "MTModel": ("head.w",),
    "DoubleHeadsModel": ("head.w", "classifier.w", "classifier.b"),
    "ForPreTraining": (*_POOL, *_NSP, *_MLM),
    "ForMaskedLM": _MLM,
    "ForNextSentencePrediction": (*_POOL, *_NSP),
    "ForSequenceClassification": (*_POOL, "classifier.w", "classifier.b"),
}


def parameters(config: Json | Config) -> int:
    """All trained numbers."""
    return sum(parameter_table(config).values())


def parameter_table(config: Json | Config) -> dict[str, int]:
    """Trained numbers by what they are for: embedding, positions, attention, ssm, feed_forward, norms, output."""
    parts = dict.fromkeys(
        ("embedding", "positions", "attention", "ssm", "feed_forward", "norms", "output"), 0
    )
    for name, mixer, shape in _weights(config):
        parts[_part(name, mixer)] += math.prod(shape)
    return {part: count for part, count in parts.items() if count}


def active_parameters(config: Json | Config) -> int:
    """The numbers that take part when one token is read: of each mixture only the chosen experts."""
    c = as_config(config)
    return sum(
        math.prod(shape) // shape[0] * c.top_k
        if name.startswith("ffn.experts")
        else math.prod(shape)
        for name, _, shape in _weights(config)
    )


def weight_bytes(config: Json | Config, dtype: str = "float32") -> int:
    """Bytes of the weights in a float type, or in blocks (`"q4_0"`, ...: what `quantize_model` makes of them)."""
    if dtype in _ITEMSIZE:
        return parameters(config) * _ITEMSIZE[dtype]
    if dtype not in BLOCK_BYTES:
        raise InputError(
            f"dtype {dtype!r} is unknown; use one of {', '.join([*_ITEMSIZE, *BLOCK_BYTES])}"
        )
    total = 0
    for name, _, shape in _weights(config):
        count = math.prod(shape)
        total += count // BLOCK * BLOCK_BYTES[dtype] if is_matrix(name, shape) else 4 * count
    return total


def state_bytes(
    config: Json | Config, tokens: int, batch: int = 1, dtype: str = "float32", *, memory: int = 0
) -> int:
    """Bytes that generation keeps after `tokens` tokens: keys and values, or a state of fixed size.

    An encoder-decoder also keeps the keys and values of `memory` source tokens.
    """
    c = as_config(config)
    for name, value in (("tokens", tokens), ("batch", batch), ("memory", memory)):
        whole(name, value, 0)
    if dtype not in _ITEMSIZE:
        raise InputError(
            f"dtype {dtype!r} of a state is unknown; use one of {', '.join(_ITEMSIZE)}"
        )
    if not c.causal:
        return 0  # an encoder reads a text whole and keeps nothing
    kept = tokens if c.window is None else min(tokens, c.window)
    numbers = 0
    for mixer in c.mixers:
        if mixer == "attention":
            numbers += (
                2 * c.kv_heads * c.head_dim * kept + 2 * c.heads * c.head_dim * memory * c.cross
            )
        else:
            numbers += _state_numbers(c, mixer)
    return numbers * batch * _ITEMSIZE[dtype]


def as_config(config: Json | Config) -> Config:
    """A config in either form as a `Config`."""
    return config if isinstance(config, Config) else config_from_json(config)


def _weights(config: Json | Config) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Name, mixer of its layer, and shape of every trained weight, shared ones once."""
    c = as_config(config)
    raw: Json = {} if isinstance(config, Config) else config
    for name, shape in _heads(c, raw).items():
        yield name, "", shape
    yield from _stack(c)
    if c.encoder is not None:
        # Where nothing is tied, `transformers` 5 gives either side a table of its own.
        shared = (
            c.tied
            and c.encoder.vocab_size == c.vocab_size
            and raw.get("share_encoder_decoder_embeddings", True)
        )
        yield from (
            (name, mixer, shape)
            for name, mixer, shape in _stack(c.encoder)
            if not (shared and name == "embed")
        )


def _stack(c: Config) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    for name, shape in stack_shapes(c).items():
        yield name, "", tuple(int(n or 0) for n in shape)
    for layer, mixer in enumerate(c.mixers):
        for name, shape in layer_shapes(c, layer).items():
            yield name, mixer, tuple(int(n or 0) for n in shape)


def _heads(c: Config, raw: Json) -> dict[str, tuple[int, ...]]:
    """The heads that `architectures` names; without it a language model's, or an encoder's pooler."""
    named = str((raw.get("architectures") or [""])[0])
    known = next((names for end, names in _HEADS.items() if named.endswith(end)), None)
    if known is not None:
        wanted = known
    elif named.endswith("Model") or (not named and not c.causal):
        wanted = _POOL if c.token_types else ()
    elif not named:
        wanted = _HEADS["ForCausalLM"]
    else:
        raise ConfigError(
            f"config field architectures={named!r}: the weights of its heads are not known"
        )
    if named.endswith("ForSequenceClassification") and c.causal and not c.cross:
        wanted = ("classifier.w",)  # a decoder's classifier has no bias
    labels = 1 if named.endswith("DoubleHeadsModel") else _labels(raw)
    shapes = head_shapes(c)
    # A tied head is the embedding table, and an encoder-decoder's logit bias is not trained.
    return {
        name: tuple(labels if n is None else n for n in shapes[name])
        for name in wanted
        if name in shapes
    }


def _labels(raw: Json) -> int:
    """How many labels a classifier has; two without a word about it, as in `transformers`."""
    count = raw.get("num_labels")
    if count is not None:
        check("num_labels", count, SIZE)
        return int(count)
    names = raw.get("id2label")
    if names is None:
        return 2
    check("id2label", names, OBJECT)
    return len(names)


def _part(name: str, mixer: str) -> str:
    if "norm" in name and not name.startswith("mix.gate_norm"):
        return "norms"
    first = name.partition(".")[0]
    if first == "mix":
        return "attention" if mixer == "attention" else "ssm"
    known = {
        "embed": "embedding",
        "positions": "positions",
        "token_types": "positions",
        "cross": "attention",
    }
    return known.get(first, "feed_forward" if first == "ffn" else "output")


def _state_numbers(c: Config, mixer: str) -> int:
    s = c.ssm
    assert s is not None
    if mixer == "linear_ssm":
        return s.state_size
    channels = s.inner + (2 * s.groups * s.state_size if mixer == "mamba2" else 0)
    return max(s.conv_kernel - 1, 0) * channels + s.inner * s.state_size
