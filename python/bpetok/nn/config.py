"""The settings that turn one block into every architecture of this package.

A `Config` is a value: no code, no weights, no defaults of a family (those are rows in `families`).
Whatever reads it (the forward pass, `shapes.py`, the counters) reads the same fields. An encoder-decoder
is a decoder's `Config` with `cross=True` that carries its encoder's `Config` in `encoder`.

>>> tiny = Config(
...     family="llama",
...     vocab_size=100,
...     width=32,
...     layers=2,
...     heads=4,
...     kv_heads=2,
...     head_dim=8,
...     ffn_width=56,
... )
>>> tiny.mixers, tiny.experts
(('attention', 'attention'), (1, 1))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bpetok.nn.errors import ConfigError

__all__ = ["Config", "Rope", "Ssm"]

Mixer = Literal["attention", "mamba", "mamba2", "linear_ssm"]


@dataclass(frozen=True)
class Rope:
    """Rotary positions (Su et al. 2021, arXiv:2104.09864) and how they are stretched to longer contexts."""

    theta: float = 10_000.0
    kind: Literal["default", "linear", "llama3", "yarn"] = "default"
    factor: float = 1.0
    original_max_positions: int = 0
    low_freq_factor: float = 1.0  # llama3
    high_freq_factor: float = 4.0  # llama3
    beta_fast: float = 32.0  # yarn
    beta_slow: float = 1.0  # yarn
    truncate: bool = True  # yarn: round the ramp to whole dimensions
    attention_factor: float = 1.0  # yarn: multiplies cos and sin


@dataclass(frozen=True)
class Ssm:
    """Settings of the state-space mixers: Mamba (arXiv:2312.00752), Mamba-2 (arXiv:2405.21060), linear SSM."""

    inner: int  # channels inside the mixer: expand * width
    state_size: int
    conv_kernel: int = 0
    time_step_rank: int = 0  # mamba: rank of the step-size projection
    heads: int = 0  # mamba2: heads * head_dim = inner
    head_dim: int = 0
    groups: int = 1  # mamba2: heads / groups heads share B and C
    bias: bool = False  # biases of the in and out projections
    conv_bias: bool = True
    activation: str = "silu"  # after the convolution; the gate is always SiLU
    inner_norms: bool = False  # Jamba: RMSNorm on step, B and C
    time_step_limit: tuple[float, float] = (0.0, float("inf"))
    discretisation: Literal["none", "zoh", "bilinear", "euler"] = "none"  # linear_ssm
    time_step: float = 1.0  # linear_ssm


@dataclass(frozen=True)
class Config:
    """Every setting that changes the result of a forward pass, for one stack of blocks."""

    family: str
    vocab_size: int
    width: int  # channels of the residual stream
    layers: int
    heads: int = 0
    kv_heads: int = 0  # fewer than heads: grouped-query attention; 1: multi-query
    head_dim: int = 0
    ffn_width: int = 0
    activation: str = "gelu"
    gated: bool = False  # down(act(gate x) * up x) instead of down(act(up x))
    norm: Literal["layer", "rms"] = "rms"
    norm_eps: float = 1e-5
    norm_place: Literal["pre", "post"] = "pre"
    embedding_norm: bool = False
    final_norm: bool = True
    positions: Literal["none", "learned", "sinusoid", "sinusoid_halves", "rope"] = "none"
    max_positions: int = 0  # rows of the position table; 0: no limit
    position_offset: int = 0  # BART keeps two unused rows before position 0
    rope: Rope | None = None
    embed_scale: float = 1.0
    token_types: int = 0
    qkv_bias: bool = False
    out_bias: bool = False
    mlp_bias: bool = False
    window: int | None = None  # a query sees itself and window - 1 positions before
    scale_scores: bool = True  # divide scores by sqrt(head_dim)
    scale_by_layer: bool = False  # and by the layer's number, from 1
    causal: bool = True
    cross: bool = False  # a decoder that looks at an encoder's memory
    tied: bool = False  # the output classifier is the embedding table
    head_bias: bool = False
    mixers: tuple[Mixer, ...] = ()  # one per layer; empty: all attention
    experts: tuple[int, ...] = ()  # one per layer: 0 no feed-forward, 1 an MLP, more: a mixture
    top_k: int = 1
    renormalise: bool = True  # the chosen experts' weights add up to 1
    aux_coefficient: float = 0.0
    ssm: Ssm | None = None
    encoder: Config | None = None
    summary_activation: str | None = None  # GPT double-heads: None or "tanh"
    bos: int | None = None
    eos: tuple[int, ...] = ()
    pad: int | None = None
    decoder_start: int | None = None

    def __post_init__(self) -> None:
        """Fill in the per-layer defaults and refuse settings that contradict each other."""
        if not self.mixers:
            object.__setattr__(self, "mixers", ("attention",) * self.layers)
        if not self.experts:
            object.__setattr__(self, "experts", (1,) * self.layers)
        if "attention" in self.mixers:
            if self.heads < 1 or self.kv_heads < 1 or self.heads % self.kv_heads:
                raise ConfigError(
                    f"{self.heads} query heads cannot share {self.kv_heads} key/value heads evenly"
                )
            if self.head_dim < 1 or (self.rope and self.head_dim % 2):
                raise ConfigError(
                    f"head_dim={self.head_dim}: must be positive, and even for rotary positions"
                )
            if self.window is not None and self.window < 1:
                raise ConfigError(
                    f"sliding_window={self.window}: a query must at least see itself; use null for none"
                )
        if max(self.experts, default=0) > 1 and not 1 <= self.top_k <= min(
            e for e in self.experts if e > 1
        ):
            raise ConfigError(
                f"num_experts_per_tok={self.top_k} with experts {sorted(set(self.experts))}"
            )
        ssm = self.ssm
        if (
            ssm
            and "mamba2" in self.mixers
            and (ssm.heads * ssm.head_dim != ssm.inner or ssm.heads % ssm.groups)
        ):
            raise ConfigError(
                f"num_heads={ssm.heads} x head_dim={ssm.head_dim} must be expand x hidden_size = {ssm.inner}, "
                f"and n_groups={ssm.groups} must divide num_heads"
            )
