"""The pair that `train_demo.py` trains, in torch: a Llama and a Mamba-2.

Tensors have the names that `transformers` gives them, so `bpetok.nn.load` and `transformers` read what is saved.
The two libraries' own classes would do as well, were it not for dropout (which a few MB of text need) and speed: here
everything but the last product is small enough for torch.compile to fuse.

Shapes: b batch, t ids, d width, h heads, p width of a head, n state size, c chunks, l steps in a chunk.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SHARED = {
    "vocab_size": 4096,
    "hidden_size": 192,
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "bos_token_id": 4095,
    "eos_token_id": 4095,
    "dtype": "float16",
}
# The `config.json` of each; about 3.5 million parameters, of which 0.8 million are the embedding.
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **SHARED,
        "intermediate_size": 512,
        "num_hidden_layers": 7,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "max_position_embeddings": 1024,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "attention_bias": False,
        "mlp_bias": False,
    },
    "mamba2": {
        "architectures": ["Mamba2ForCausalLM"],
        "model_type": "mamba2",
        **SHARED,
        "num_hidden_layers": 11,
        "expand": 2,
        "num_heads": 12,
        "head_dim": 32,
        "state_size": 64,
        "n_groups": 1,
        "conv_kernel": 4,
        "chunk_size": 64,
        "use_bias": False,
        "use_conv_bias": True,
        "layer_norm_epsilon": 1e-5,
        "pad_token_id": 4095,
    },
}


def round4(weight: Tensor) -> Tensor:
    """The weight as q4_0 would give it back; its gradient passes as if nothing had been rounded."""
    blocks = weight.detach().float().reshape(-1, 32)
    largest = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))  # with its sign
    step = largest / -8
    levels = (blocks / torch.where(step == 0, 1, step) + 8.5).floor().clamp(0, 15) - 8
    rounded = levels * step.half().float()
    return weight + (rounded.reshape(weight.shape) - weight.detach())


class Linear(nn.Linear):
    """A product without bias whose weights can be seen through 4 bits."""

    rounded = False

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`[..., inputs] -> [..., outputs]`."""
        return F.linear(x, round4(self.weight) if Linear.rounded else self.weight)


class Embedding(nn.Embedding):
    """The table of vectors; it is the output classifier as well."""

    def table(self) -> Tensor:
        """`[v, d]`."""
        return round4(self.weight) if Linear.rounded else self.weight


class Norm(nn.Module):
    """RMSNorm, after an optional gate."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x: Tensor, gate: Tensor | None = None) -> Tensor:
        """`[..., d] -> [..., d]`."""
        y = x.float() if gate is None else x.float() * F.silu(gate.float())
        return (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)).to(
            x.dtype
        ) * self.weight


class Attention(nn.Module):
    """Grouped-query attention with rotary positions."""

    def __init__(self, c: dict[str, Any]) -> None:
        super().__init__()
        d, self.p = c["hidden_size"], c["head_dim"]
        self.h, self.g, self.theta = (
            c["num_attention_heads"],
            c["num_key_value_heads"],
            c["rope_theta"],
        )
        self.q_proj, self.o_proj = Linear(d, self.h * self.p), Linear(self.h * self.p, d)
        self.k_proj, self.v_proj = Linear(d, self.g * self.p), Linear(d, self.g * self.p)

    def forward(self, x: Tensor) -> Tensor:
        """`[b, t, d] -> [b, t, d]`."""
        b, t, _ = x.shape
        frequency = self.theta ** (-torch.arange(0, self.p, 2, device=x.device).float() / self.p)
        angle = (torch.arange(t, device=x.device).float()[:, None] * frequency).repeat(1, 2)

        def heads(y: Tensor, turned: bool) -> Tensor:
            y = y.view(b, t, -1, self.p).transpose(1, 2)
            if turned:
                half = torch.cat([-y[..., self.p // 2 :], y[..., : self.p // 2]], -1)
                y = (y * angle.cos() + half * angle.sin()).to(x.dtype)
            return y.to(x.dtype).repeat_interleave(self.h // y.shape[1], 1)

        y = F.scaled_dot_product_attention(
            heads(self.q_proj(x), True),
            heads(self.k_proj(x), True),
            heads(self.v_proj(x), False),
            is_causal=True,
        )
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class GatedMlp(nn.Module):
    """Llama's feed-forward."""

    def __init__(self, c: dict[str, Any]) -> None:
        super().__init__()
        d, inner = c["hidden_size"], c["intermediate_size"]
        self.gate_proj, self.up_proj, self.down_proj = (
            Linear(d, inner),
            Linear(d, inner),
            Linear(inner, d),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[b, t, d] -> [b, t, d]`."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class LlamaLayer(nn.Module):
    """Mix, then transform."""

    def __init__(self, c: dict[str, Any], dropout: float) -> None:
        super().__init__()
        self.input_layernorm = Norm(c["hidden_size"], c["rms_norm_eps"])
        self.self_attn = Attention(c)
        self.post_attention_layernorm = Norm(c["hidden_size"], c["rms_norm_eps"])
        self.mlp, self.drop = GatedMlp(c), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """`[b, t, d] -> [b, t, d]`."""
        x = x + self.drop(self.self_attn(self.input_layernorm(x)))
        return x + self.drop(self.mlp(self.post_attention_layernorm(x)))


def chunked_scan(u: Tensor, log_decay: Tensor, B: Tensor, C: Tensor, steps: int) -> Tensor:
    """Mamba-2's scan from an empty state: `[b, t, h, p], [b, t, h], [b, t, n], [b, t, n] -> [b, t, h, p]`."""
    b, t, h, p = u.shape
    u, B, C = (x.unflatten(1, (-1, steps)) for x in (u, B, C))  # [b, c, l, ...]
    a = log_decay.float().unflatten(1, (-1, steps)).permute(0, 3, 1, 2)  # [b, h, c, l]
    cum = a.cumsum(-1)

    def between(x: Tensor, diagonal: int) -> Tensor:
        """Decay from each step to each later one: `[..., k] -> [..., k, k]`."""
        past = torch.ones(x.shape[-1], x.shape[-1], dtype=torch.bool, device=x.device).tril(
            diagonal
        )
        return (x[..., :, None] - x[..., None, :]).masked_fill(~past, -math.inf).exp()

    match = torch.einsum("bcln,bcsn->bcls", C, B)
    y = torch.einsum("bhcls,bcshp->bclhp", between(cum, 0) * match[:, None], u)
    rest = (cum[..., -1:] - cum).exp()  # each step's decay until its chunk ends
    left = torch.einsum("bcln,bclhp->bchpn", B, u * rest.permute(0, 2, 3, 1)[..., None])
    # What chunk z finds: what each chunk c before it left, decayed by the chunks between them.
    ends = cum[..., -1].cumsum(-1)
    ends, starts = ends[..., None, :], (ends - cum[..., -1])[..., :, None]
    count = ends.shape[-1]
    earlier = torch.ones(count, count, dtype=torch.bool, device=u.device).tril(-1)
    reach = (starts - ends).masked_fill(~earlier, -math.inf).exp()  # [b, h, z, c]
    found = torch.einsum("bhzc,bchpn->bzhpn", reach, left)
    y = y + torch.einsum("bcln,bchpn->bclhp", C, found) * cum.exp().permute(0, 2, 3, 1)[..., None]
    return y.reshape(b, t, h, p)


class MambaMixer(nn.Module):
    """Mamba-2's mixer, with one group of B and C."""

    def __init__(self, c: dict[str, Any]) -> None:
        super().__init__()
        d, self.h, self.p, self.n = c["hidden_size"], c["num_heads"], c["head_dim"], c["state_size"]
        inner, self.steps = self.h * self.p, c["chunk_size"]
        self.in_proj, self.out_proj = Linear(d, 2 * inner + 2 * self.n + self.h), Linear(inner, d)
        channels = inner + 2 * self.n
        self.conv1d = nn.Conv1d(channels, channels, c["conv_kernel"], groups=channels)
        self.A_log = nn.Parameter(torch.arange(1, self.h + 1).float().log())
        self.D = nn.Parameter(torch.ones(self.h))
        # Steps start between 0.001 and 0.1; the bias is that through the inverse of softplus.
        dt = torch.exp(torch.rand(self.h) * math.log(100) + math.log(0.001))
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))
        self.norm = Norm(inner, c["layer_norm_epsilon"])

    def forward(self, x: Tensor) -> Tensor:
        """`[b, t, d] -> [b, t, d]`."""
        t, inner = x.shape[1], self.h * self.p
        gate, mixed, dt = self.in_proj(x).split([inner, inner + 2 * self.n, self.h], -1)
        kernel = self.conv1d.weight[:, 0]  # [channels, k]
        k = kernel.shape[1]
        padded = F.pad(mixed, (0, 0, k - 1, 0))
        mixed = sum((padded[:, i : i + t] * kernel[:, i] for i in range(k)), self.conv1d.bias)
        u, B, C = F.silu(mixed).split([inner, self.n, self.n], -1)
        dt = F.softplus(dt.float() + self.dt_bias)
        u = u.unflatten(-1, (self.h, self.p))
        y = chunked_scan(u * dt[..., None], dt * -self.A_log.exp(), B, C, self.steps)
        y = (y + u * self.D[:, None]).flatten(2)
        return self.out_proj(self.norm(y.to(x.dtype), gate))


class MambaLayer(nn.Module):
    """Mix; there is no feed-forward."""

    def __init__(self, c: dict[str, Any], dropout: float) -> None:
        super().__init__()
        self.norm, self.mixer = Norm(c["hidden_size"], c["layer_norm_epsilon"]), MambaMixer(c)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """`[b, t, d] -> [b, t, d]`."""
        return x + self.drop(self.mixer(self.norm(x)))


class Model(nn.Module):
    """Ids to scores, by either kind of layer."""

    def __init__(self, config: dict[str, Any], dropout: float = 0.0) -> None:
        super().__init__()
        kind = config["model_type"]
        layer, eps = (
            (LlamaLayer, "rms_norm_eps") if kind == "llama" else (MambaLayer, "layer_norm_epsilon")
        )
        root, table, norm = {
            "llama": ("model", "embed_tokens", "norm"),
            "mamba2": ("backbone", "embeddings", "norm_f"),
        }[kind]
        count = config["num_hidden_layers"]
        stack = nn.Module()
        stack.add_module(table, Embedding(config["vocab_size"], config["hidden_size"]))
        stack.layers = nn.ModuleList([layer(config, dropout) for _ in range(count)])
        stack.add_module(norm, Norm(config["hidden_size"], config[eps]))
        self.add_module(root, stack)
        self.names, self.drop = (root, table, norm), nn.Dropout(dropout)
        for name, p in self.named_parameters():
            if p.ndim == 2:
                last = name.endswith(("o_proj.weight", "down_proj.weight", "out_proj.weight"))
                branches = (2 if kind == "llama" else 1) * count
                nn.init.normal_(p, std=0.02 / math.sqrt(branches if last else 1))

    def forward(self, ids: Tensor) -> Tensor:
        """`[b, t] -> [b, t, v]`."""
        root, table, norm = self.names
        stack = self.get_submodule(root)
        vectors = stack.get_submodule(table).table()
        x = self.drop(F.embedding(ids, vectors))
        for layer in stack.layers:
            x = layer(x)
        return F.linear(stack.get_submodule(norm)(x), vectors)
