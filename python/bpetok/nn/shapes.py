"""The name and shape of every weight that a `Config` asks for.

The loader checks files against this, `random_weights` fills it, and parameter counts add it up. Matrices are
`[out, in]`. `None` in a shape means that the file decides (a classifier's number of labels).

>>> from bpetok.nn.config import Config
>>> c = Config(
...     family="llama",
...     vocab_size=9,
...     width=4,
...     layers=1,
...     heads=2,
...     kv_heads=1,
...     head_dim=2,
...     ffn_width=6,
...     gated=True,
... )
>>> layer_shapes(c, 0)["mix.qkv.w"], layer_shapes(c, 0)["ffn.up.w"]
((8, 4), (12, 4))
"""

from __future__ import annotations

from collections.abc import Collection

from bpetok.nn.config import Config

__all__ = ["head_shapes", "layer_shapes", "missing_of_heads", "part_shapes", "stack_shapes"]

Shape = tuple[int | None, ...]
# What a head is made of. The first one is in `head_shapes` of every config that can have this head.
_HEADS = (
    ("pool.w", "pool.b"),
    ("nsp.w", "nsp.b"),
    ("mlm.w", "mlm.b", "mlm_norm.w", "mlm_norm.b", "head.w", "head.b"),
    ("classifier.w", "classifier.b"),
)


def _linear(name: str, out: int, into: int, bias: bool) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {f"{name}.w": (out, into)}
    return shapes | ({f"{name}.b": (out,)} if bias else {})


def _norm(name: str, c: Config, width: int | None = None) -> dict[str, Shape]:
    shape: Shape = (c.width if width is None else width,)
    return {f"{name}.w": shape} | ({f"{name}.b": shape} if c.norm == "layer" else {})


def stack_shapes(c: Config) -> dict[str, Shape]:
    """Weights outside the layers of one stack: tables, norms, the output classifier."""
    shapes: dict[str, Shape] = {"embed": (c.vocab_size, c.width)}
    if c.positions == "learned":
        shapes["positions"] = (c.max_positions + c.position_offset, c.width)
    if c.token_types:
        shapes["token_types"] = (c.token_types, c.width)
    if c.embedding_norm:
        shapes |= _norm("embed_norm", c)
    if c.final_norm:
        shapes |= _norm("final_norm", c)
    return shapes


def head_shapes(c: Config) -> dict[str, Shape]:
    """Weights of the heads; which heads there are depends on the checkpoint, so each is optional to the loader."""
    shapes: dict[str, Shape] = {} if c.tied else {"head.w": (c.vocab_size, c.width)}
    if c.head_bias:
        shapes["head.b"] = (c.vocab_size,)
    shapes |= {"classifier.w": (None, c.width), "classifier.b": (None,)}
    if c.token_types:
        shapes |= _linear("pool", c.width, c.width, True) | _linear("nsp", 2, c.width, True)
        shapes |= _linear("mlm", c.width, c.width, True) | _norm("mlm_norm", c)
        shapes["head.b"] = (c.vocab_size,)
    if c.cross:
        shapes |= _linear("pool", c.width, c.width, True)
    return shapes


def missing_of_heads(c: Config, found: Collection[str], biased: bool) -> list[str]:
    """What heads lack of which a part is there; `biased` says whether a classifier has a bias.

    >>> c = Config("bert", 9, width=4, layers=0, token_types=2)
    >>> missing_of_heads(c, {"pool.w", "nsp.w", "nsp.b"}, True), missing_of_heads(c, (), True)
    (['pool.b'], [])
    """
    shapes = head_shapes(c)
    if not biased:
        del shapes["classifier.b"]
    return [
        name
        for head in _HEADS
        if head[0] in shapes and not set(head).isdisjoint(found)
        for name in head
        if name in shapes and name not in found
    ]


def layer_shapes(c: Config, layer: int) -> dict[str, Shape]:
    """Weights of one block."""
    shapes = _norm("mix.norm", c)
    if c.mixers[layer] == "attention":
        shapes |= _linear("mix.qkv", (c.heads + 2 * c.kv_heads) * c.head_dim, c.width, c.qkv_bias)
        shapes |= _linear("mix.out", c.width, c.heads * c.head_dim, c.out_bias)
    else:
        shapes |= _ssm_shapes(c, c.mixers[layer])
    if c.cross:
        inner = c.heads * c.head_dim
        shapes |= _norm("cross.norm", c) | _linear("cross.q", inner, c.width, c.qkv_bias)
        shapes |= _linear("cross.kv", 2 * inner, c.width, c.qkv_bias)
        shapes |= _linear("cross.out", c.width, inner, c.out_bias)
    experts, up = c.experts[layer], c.ffn_width * (2 if c.gated else 1)
    if experts:
        shapes |= _norm("ffn.norm", c)
    if experts == 1:
        shapes |= _linear("ffn.up", up, c.width, c.mlp_bias) | _linear(
            "ffn.down", c.width, c.ffn_width, c.mlp_bias
        )
    elif experts > 1:
        shapes["ffn.router.w"] = (experts, c.width)
        shapes["ffn.experts.up.w"] = (experts, up, c.width)
        shapes["ffn.experts.down.w"] = (experts, c.width, c.ffn_width)
    return shapes


def part_shapes(c: Config, name: str, shape: Shape, parts: int) -> list[Shape]:
    """The shapes of a weight's matrices where a file keeps them apart: queries, keys and values, or equal halves.

    >>> c = Config("llama", 9, width=4, layers=1, heads=2, kv_heads=1, head_dim=2)
    >>> part_shapes(c, "mix.qkv.w", (8, 4), 3), part_shapes(c, "ffn.up.w", (12, 4), 2)
    ([(4, 4), (2, 4), (2, 4)], [(6, 4), (6, 4)])
    """
    if parts == 1:
        return [shape]
    rows = [(shape[0] or 0) // parts] * parts
    if name.startswith("mix.qkv."):
        rows = [heads * c.head_dim for heads in (c.heads, c.kv_heads, c.kv_heads)]
    return [(n, *shape[1:]) for n in rows]


def _ssm_shapes(c: Config, mixer: str) -> dict[str, Shape]:
    """Weights of a state-space mixer."""
    s = c.ssm
    assert s is not None
    if mixer == "linear_ssm":
        shapes: dict[str, Shape] = {
            "mix.A": (s.state_size, s.state_size),
            "mix.B": (s.state_size, c.width),
        }
        shapes |= {"mix.C": (c.width, s.state_size), "mix.D": (c.width,)}
        return shapes | _linear("mix.out", c.width, c.width, False)
    shared = 2 * s.groups * s.state_size if mixer == "mamba2" else 0
    shapes = {"mix.conv.w": (s.inner + shared, s.conv_kernel)}
    if s.conv_bias:
        shapes["mix.conv.b"] = (s.inner + shared,)
    if mixer == "mamba2":
        shapes |= _linear("mix.in", 2 * s.inner + shared + s.heads, c.width, s.bias)
        shapes |= dict.fromkeys(("mix.dt.b", "mix.A_log", "mix.D"), (s.heads,))
        shapes["mix.gate_norm.w"] = (s.inner,)
    else:
        shapes |= _linear("mix.in", 2 * s.inner, c.width, s.bias)
        shapes |= _linear("mix.x", s.time_step_rank + 2 * s.state_size, s.inner, False)
        shapes |= _linear("mix.dt", s.inner, s.time_step_rank, True)
        shapes |= {"mix.A_log": (s.inner, s.state_size), "mix.D": (s.inner,)}
        if s.inner_norms:
            shapes |= {"mix.dt_norm.w": (s.time_step_rank,)}
            shapes |= {"mix.b_norm.w": (s.state_size,), "mix.c_norm.w": (s.state_size,)}
    return shapes | _linear("mix.out", c.width, s.inner, s.bias)
