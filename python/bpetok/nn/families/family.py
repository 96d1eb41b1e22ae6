"""What a row of the table of families holds, and the shorthand its rows are written in.

A row has two halves. `Family` says how a `config.json` becomes a `Config`: which JSON field fills which
setting, with the default that `transformers` gives a missing field. `Names` says what the family calls its
tensors: `{i}` is the layer, `{e}` the expert, `+` joins matrices below each other, `|` separates spellings, of
which the first that exists is read.

>>> with_bias(mix__norm="ln_1")
{'mix.norm.w': 'ln_1.weight', 'mix.norm.b': 'ln_1.bias'}
>>> under("h.{i}.", {"mix.out.w": "o.weight|proj.weight"})
{'mix.out.w': 'h.{i}.o.weight|h.{i}.proj.weight'}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["TOKENS", "Family", "Names", "Reads", "classes", "under", "with_bias"]

Reads = Mapping[str, tuple[str, Any]]

# What every family reads; rows put their own defaults over these.
TOKENS: Reads = {
    "bos": ("bos_token_id", None),
    "eos": ("eos_token_id", None),
    "pad": ("pad_token_id", None),
    "decoder_start": ("decoder_start_token_id", None),
}


@dataclass(frozen=True)
class Names:
    """A family's tensor names, by ours (as in `shapes.py`)."""

    prefix: str  # may be missing from a file: bare models are saved without it
    stack: Mapping[str, str]
    layer: Mapping[str, str]
    heads: Mapping[str, str]
    encoder_stack: Mapping[str, str] = field(default_factory=dict)
    encoder_layer: Mapping[str, str] = field(default_factory=dict)
    transposed: frozenset[str] = frozenset()  # matrices stored [in, out]


@dataclass(frozen=True)
class Family:
    """The facts about a family that its `config.json` does not spell out."""

    kind: Literal["decoder", "encoder", "seq2seq"]
    architectures: tuple[str, ...]  # whose forward pass this is
    names: Names
    reads: Reads  # setting -> (JSON field, default when the field is missing)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    only: Mapping[str, tuple[Any, ...]] = field(
        default_factory=dict
    )  # field -> the values that work
    inert: frozenset[str] = frozenset()  # fields that do not change the result
    alias: Mapping[str, str] = field(default_factory=dict)  # other spelling -> field
    encoder: Reads = field(default_factory=dict)  # seq2seq: what the encoder reads differently
    activations: Mapping[str, str] = field(
        default_factory=dict
    )  # theirs -> ours, where they differ
    traces_outputs: bool = False  # `transformers` lists a Mamba's hidden states after its blocks


def classes(name: str, *heads: str) -> tuple[str, ...]:
    """`transformers` class names: the bare model and those with heads."""
    return tuple(name + head for head in ("Model", *heads))


def with_bias(**pairs: str) -> dict[str, str]:
    """A weight and a bias for each of ours (`__` for a dot) and theirs."""
    out = {}
    for ours, theirs in pairs.items():
        for short, long in (("w", "weight"), ("b", "bias")):
            joined = "+".join(f"{part}.{long}" for part in theirs.split("+"))
            out[f"{ours.replace('__', '.')}.{short}"] = joined
    return out


def under(prefix: str, names: Mapping[str, str]) -> dict[str, str]:
    """Put a prefix before every file name."""
    out = {}
    for ours, theirs in names.items():
        spellings = ("+".join(prefix + part for part in s.split("+")) for s in theirs.split("|"))
        out[ours] = "|".join(spellings)
    return out
