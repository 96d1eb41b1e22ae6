"""Operations of a forward pass, counted from a model's config alone.

Additions and multiplications of matrix products, convolutions, attention and state updates, two for each
multiply-add. Norms, activations and softmax are left out (under 1 % at usual sizes), and so is looking a
row up. A mixture of experts counts the router and the chosen experts, a state-space layer its recurrence.

>>> gpt2 = {"model_type": "gpt2"}
>>> f"{flops(gpt2, 1024).total / 1e9:.0f} billion for a prompt of 1,024 tokens"
'272 billion for a prompt of 1,024 tokens'
>>> f"{flops(gpt2, 1, context=1023).total / 1e6:.0f} million for the token after 1,023"
'285 million for the token after 1,023'
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bpetok.nn.config import Config
from bpetok.nn.counters import as_config
from bpetok.nn.errors import InputError
from bpetok.nn.inputs import whole
from bpetok.nn.shapes import layer_shapes

__all__ = ["Flops", "flops"]


@dataclass(frozen=True)
class Flops:
    """Operations by kind."""

    weights: int  # products with stored matrices
    attention: int  # queries with keys, weights with values
    ssm: int  # convolutions and state updates

    @property
    def total(self) -> int:
        """All of them."""
        return self.weights + self.attention + self.ssm


def flops(
    config: Mapping[str, Any] | Config,
    new: int,
    context: int = 0,
    *,
    memory: int = 0,
    last_only: bool = False,
) -> Flops:
    """Operations to read `new` tokens after `context` earlier ones, whose state is at hand.

    A prompt is `flops(c, n)`; a step of generation is `flops(c, 1, context=n)`. With `last_only` only the
    last token's scores are made. An encoder-decoder reads `memory` source tokens; they are encoded when
    `context` is 0.
    """
    c = as_config(config)
    for what, value in (("new", new), ("context", context), ("memory", memory)):
        whole(what, value, 0)
    if memory and c.encoder is None:
        raise InputError(f"memory={memory}: {c.family} has no encoder; leave it at 0")
    if context and not c.causal:
        raise InputError(f"context={context}: an encoder reads a text whole; give all of it as new")
    seen = _pairs(c, new, context)
    products = attention = ssm = 0
    for layer, mixer in enumerate(c.mixers):
        for name, shape in layer_shapes(c, layer).items():
            size = math.prod(int(n or 0) for n in shape)
            if name == "cross.kv.w":
                products += size * memory * (context == 0)
            elif name.startswith("ffn.experts"):
                products += size // int(shape[0] or 1) * c.top_k * new
            elif _is_product(name):
                products += size * new
        if mixer == "attention":
            attention += 4 * c.heads * c.head_dim * seen
        else:
            ssm += _ssm_operations(c, mixer) * new
        attention += 4 * c.heads * c.head_dim * new * memory * c.cross
    scored = min(new, 1) if last_only else new
    products += c.vocab_size * c.width * scored * (c.causal or c.cross)
    total = Flops(2 * products, attention, ssm)
    if c.encoder is not None and context == 0:
        first = flops(c.encoder, memory)
        total = Flops(
            total.weights + first.weights, total.attention + first.attention, total.ssm + first.ssm
        )
    return total


def _is_product(name: str) -> bool:
    """Whether every token is multiplied by a layer's weight of this name."""
    return name.endswith(".w") and "norm" not in name and name != "mix.conv.w"


def _pairs(c: Config, new: int, context: int) -> int:
    """Pairs of a new query and a key it sees."""
    if not c.causal:
        return new * new

    def first(queries: int) -> int:
        """Pairs of a text's first queries: one key more each, until the window is full."""
        growing = queries if c.window is None else min(queries, c.window)
        return growing * (growing + 1) // 2 + (queries - growing) * growing

    return first(context + new) - first(context)


def _ssm_operations(c: Config, mixer: str) -> int:
    """Operations of one state-space layer for one token, matrix products apart."""
    s = c.ssm
    assert s is not None
    if mixer == "linear_ssm":
        return 2 * (s.state_size * s.state_size + 2 * s.state_size * c.width) + 2 * c.width
    channels = s.inner + (2 * s.groups * s.state_size if mixer == "mamba2" else 0)
    # h = exp(dt A) h + (dt u) B and y = C h + D u: Mamba has a decay for every entry of h, Mamba-2 one a head.
    each = 7 if mixer == "mamba" else 5
    return 2 * s.conv_kernel * channels + (each * s.state_size + 3) * s.inner
