"""The sister table of `families.py`: what each family calls its tensors.

Left our name (as in `shapes.py`), right the file's: `{i}` is the layer, `{e}` the expert, `+` joins matrices
below each other, `|` separates spellings, of which the first that exists is read. A name's `prefix` may be
missing from a file (bare models are saved without it). `transposed` matrices are stored `[in, out]`.

>>> NAMES["gpt2"].layer["mix.norm.w"]
'transformer.h.{i}.ln_1.weight'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

__all__ = ["IGNORED", "NAMES", "Names"]

# Buffers that some versions of `transformers` saved beside the weights: masks, position numbers, versions.
IGNORED = (
    r"(^|\.)attn\.(masked_)?bias$",
    r"(^|\.)(position_ids|token_type_ids|inv_freq|version)$",
    r"(^|\.)shared\.weight$",
)


@dataclass(frozen=True)
class Names:
    """One family's spelling."""

    prefix: str
    stack: Mapping[str, str]
    layer: Mapping[str, str]
    heads: Mapping[str, str]
    encoder_stack: Mapping[str, str] = field(default_factory=dict)
    encoder_layer: Mapping[str, str] = field(default_factory=dict)
    transposed: frozenset[str] = frozenset()


def _wb(**pairs: str) -> dict[str, str]:
    """`mix__norm="ln_1"` -> `mix.norm.w` and `mix.norm.b` with `.weight` and `.bias`."""
    out = {}
    for ours, theirs in pairs.items():
        for short, long in (("w", "weight"), ("b", "bias")):
            out[f"{ours.replace('__', '.')}.{short}"] = "+".join(f"{part}.{long}" for part in theirs.split("+"))
    return out


def _under(prefix: str, names: Mapping[str, str]) -> dict[str, str]:
    """Put a prefix before every file name."""
    out = {}
    for ours, theirs in names.items():
        spellings = ("+".join(prefix + part for part in s.split("+")) for s in theirs.split("|"))
        out[ours] = "|".join(spellings)
    return out


_LLAMA = Names(
    "model.",
    {"embed": "model.embed_tokens.weight", "final_norm.w": "model.norm.weight"},
    _under(
        "model.layers.{i}.",
        _wb(
            mix__norm="input_layernorm",
            ffn__norm="post_attention_layernorm",
            mix__qkv="self_attn.q_proj+self_attn.k_proj+self_attn.v_proj",
            mix__out="self_attn.o_proj",
            ffn__up="mlp.gate_proj+mlp.up_proj",
            ffn__down="mlp.down_proj",
        ),
    ),
    {"head.w": "lm_head.weight", "classifier.w": "score.weight"},
)
_GPT_LAYER = _wb(
    mix__norm="ln_1", ffn__norm="ln_2", mix__qkv="attn.c_attn", mix__out="attn.c_proj", ffn__up="mlp.c_fc",
    ffn__down="mlp.c_proj",
)  # fmt: skip
_GPT2 = Names(
    "transformer.",
    _under("transformer.", {"embed": "wte.weight", "positions": "wpe.weight", **_wb(final_norm="ln_f")}),
    _under("transformer.h.{i}.", _GPT_LAYER),
    {
        "head.w": "lm_head.weight",
        "classifier.w": "score.weight|multiple_choice_head.summary.weight",
        "classifier.b": "multiple_choice_head.summary.bias",
    },
    transposed=frozenset({"mix.qkv.w", "mix.out.w", "ffn.up.w", "ffn.down.w"}),
)
_BERT_LAYER = _wb(
    mix__qkv="attention.self.query+attention.self.key+attention.self.value",
    mix__out="attention.output.dense",
    ffn__up="intermediate.dense",
    ffn__down="output.dense",
)


def _old_norm(name: str, theirs: str) -> dict[str, str]:
    """BERT's norms, with the TensorFlow spelling of the first checkpoints."""
    return {f"{name}.w": f"{theirs}.weight|{theirs}.gamma", f"{name}.b": f"{theirs}.bias|{theirs}.beta"}


_BERT = Names(
    "bert.",
    _under(
        "bert.embeddings.",
        {
            "embed": "word_embeddings.weight",
            "positions": "position_embeddings.weight",
            "token_types": "token_type_embeddings.weight",
            **_old_norm("embed_norm", "LayerNorm"),
        },
    ),
    _under(
        "bert.encoder.layer.{i}.",
        _BERT_LAYER
        | _old_norm("mix.norm", "attention.output.LayerNorm")
        | _old_norm("ffn.norm", "output.LayerNorm"),
    ),
    {
        **_wb(pool="bert.pooler.dense", nsp="cls.seq_relationship", mlm="cls.predictions.transform.dense"),
        **_wb(classifier="classifier"),
        **_old_norm("mlm_norm", "cls.predictions.transform.LayerNorm"),
        "head.w": "cls.predictions.decoder.weight",
        "head.b": "cls.predictions.decoder.bias|cls.predictions.bias",
        "head.b, tied": "cls.predictions.bias|cls.predictions.decoder.bias",
    },
)
_ENCODER_LAYER = _wb(
    mix__norm="self_attn_layer_norm",
    mix__qkv="self_attn.q_proj+self_attn.k_proj+self_attn.v_proj",
    mix__out="self_attn.out_proj",
    ffn__norm="final_layer_norm",
    ffn__up="fc1",
    ffn__down="fc2",
)
_CROSS = _wb(
    cross__norm="encoder_attn_layer_norm",
    cross__q="encoder_attn.q_proj",
    cross__kv="encoder_attn.k_proj+encoder_attn.v_proj",
    cross__out="encoder_attn.out_proj",
)


def _seq2seq_stack(side: str) -> dict[str, str]:
    return {
        "embed": f"model.{side}.embed_tokens.weight|model.shared.weight",
        "positions": f"model.{side}.embed_positions.weight",
        **_wb(embed_norm=f"model.{side}.layernorm_embedding"),
    }


_BART = Names(
    "model.",
    _seq2seq_stack("decoder"),
    _under("model.decoder.layers.{i}.", {**_ENCODER_LAYER, **_CROSS}),
    {
        "head.w": "lm_head.weight",
        "head.b": "final_logits_bias",
        **_wb(pool="classification_head.dense", classifier="classification_head.out_proj"),
    },
    _seq2seq_stack("encoder"),
    _under("model.encoder.layers.{i}.", _ENCODER_LAYER),
)
_MIXER = {
    **_wb(mix__in="in_proj", mix__out="out_proj", mix__conv="conv1d"),
    "mix.A_log": "A_log",
    "mix.D": "D",
}
_MAMBA1 = {**_MIXER, "mix.x.w": "x_proj.weight", **_wb(mix__dt="dt_proj")}
_MAMBA_STACK = {"embed": "backbone.embeddings.weight|backbone.embedding.weight", "final_norm.w": "backbone.norm_f.weight"}
_MAMBA = Names(
    "backbone.",
    _MAMBA_STACK,
    {"mix.norm.w": "backbone.layers.{i}.norm.weight", **_under("backbone.layers.{i}.mixer.", _MAMBA1)},
    {"head.w": "lm_head.weight"},
)

NAMES: dict[str, Names] = {
    "gpt2": _GPT2,
    "openai-gpt": replace(
        _GPT2,
        stack=_under("transformer.", {"embed": "tokens_embed.weight", "positions": "positions_embed.weight"}),
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "mixtral": replace(
        _LLAMA,
        layer={
            **_LLAMA.layer,
            **_under(
                "model.layers.{i}.",
                {
                    "ffn.router.w": "block_sparse_moe.gate.weight|mlp.gate.weight",
                    "ffn.experts.up.w": "block_sparse_moe.experts.{e}.w1.weight+block_sparse_moe.experts.{e}.w3.weight"
                    "|mlp.experts.gate_up_proj",
                    "ffn.experts.down.w": "block_sparse_moe.experts.{e}.w2.weight|mlp.experts.down_proj",
                },
            ),
        },
    ),
    "bert": _BERT,
    "bart": _BART,
    "marian": _BART,
    "transformer": _BART,
    "mamba": _MAMBA,
    "mamba2": replace(
        _MAMBA,
        layer={
            "mix.norm.w": "backbone.layers.{i}.norm.weight",
            **_under(
                "backbone.layers.{i}.mixer.", {**_MIXER, "mix.dt.b": "dt_bias", "mix.gate_norm.w": "norm.weight"}
            ),
        },
    ),
    "jamba": replace(
        _LLAMA,
        stack={"embed": "model.embed_tokens.weight", "final_norm.w": "model.final_layernorm.weight"},
        layer={
            **_LLAMA.layer,
            **_under("model.layers.{i}.mamba.", {k: v for k, v in _MAMBA1.items() if k not in _wb(mix__out="")}),
            **_under(
                "model.layers.{i}.",
                {
                    "ffn.norm.w": "pre_ff_layernorm.weight",
                    "mix.out.w": "self_attn.o_proj.weight|mamba.out_proj.weight",
                    "mix.out.b": "mamba.out_proj.bias",
                    "mix.dt_norm.w": "mamba.dt_layernorm.weight",
                    "mix.b_norm.w": "mamba.b_layernorm.weight",
                    "mix.c_norm.w": "mamba.c_layernorm.weight",
                    "ffn.up.w": "feed_forward.gate_proj.weight+feed_forward.up_proj.weight",
                    "ffn.down.w": "feed_forward.down_proj.weight",
                    "ffn.router.w": "feed_forward.router.weight",
                    "ffn.experts.up.w": "feed_forward.experts.{e}.gate_proj.weight"
                    "+feed_forward.experts.{e}.up_proj.weight|feed_forward.experts.gate_up_proj",
                    "ffn.experts.down.w": "feed_forward.experts.{e}.down_proj.weight|feed_forward.experts.down_proj",
                },
            ),
        },
    ),
    "linear_ssm": Names(
        "",
        {"embed": "embed.weight", "final_norm.w": "final_norm.weight"},
        _under(
            "layers.{i}.",
            {
                "mix.norm.w": "norm.weight",
                **{f"mix.{name}": f"mixer.{name}" for name in "ABCD"},
                "mix.out.w": "mixer.out.weight",
            },
        ),
        {"head.w": "head.weight"},
    ),
}
