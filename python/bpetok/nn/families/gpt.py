"""GPT-1 (Radford et al. 2018) and GPT-2 (2019): learned positions, tanh GELU; post-norm, then pre-norm."""

from bpetok.nn.families.family import TOKENS, Family, Names, Reads, classes, under, with_bias

__all__ = ["GPT1", "GPT2"]

_HEADS = ("LMHeadModel", "DoubleHeadsModel", "ForSequenceClassification")
_READS: Reads = {
    **TOKENS,
    "width": ("n_embd", 768),
    "layers": ("n_layer", 12),
    "heads": ("n_head", 12),
    "norm_eps": ("layer_norm_epsilon", 1e-5),
    "tied": ("tie_word_embeddings", True),
    "summary_activation": ("summary_activation", None),
}
_ALIAS = {
    "hidden_size": "n_embd",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "max_position_embeddings": "n_positions",
    "n_ctx": "n_positions",
}
_FIXED = {
    "norm": "layer",
    "qkv_bias": True,
    "out_bias": True,
    "mlp_bias": True,
    "positions": "learned",
}
_ONLY = {
    "summary_type": ("cls_index",),
    "summary_use_proj": (True,),
    "summary_proj_to_labels": (True,),
}
_LAYER = with_bias(
    mix__norm="ln_1",
    mix__qkv="attn.c_attn",
    mix__out="attn.c_proj",
    ffn__norm="ln_2",
    ffn__up="mlp.c_fc",
    ffn__down="mlp.c_proj",
)


def _names(stack: dict[str, str]) -> Names:
    return Names(
        prefix="transformer.",
        stack=under("transformer.", stack),
        layer=under("transformer.h.{i}.", _LAYER),
        heads={
            "head.w": "lm_head.weight",
            "classifier.w": "score.weight|multiple_choice_head.summary.weight",
            "classifier.b": "multiple_choice_head.summary.bias",
        },
        transposed=frozenset({"mix.qkv.w", "mix.out.w", "ffn.up.w", "ffn.down.w"}),
    )


GPT2 = Family(
    "decoder",
    classes("GPT2", *_HEADS),
    _names({"embed": "wte.weight", "positions": "wpe.weight", **with_bias(final_norm="ln_f")}),
    {
        **_READS,
        "vocab_size": ("vocab_size", 50257),
        "ffn_width": ("n_inner", None),
        "activation": ("activation_function", "gelu_new"),
        "max_positions": ("n_positions", 1024),
        "scale_scores": ("scale_attn_weights", True),
        "scale_by_layer": ("scale_attn_by_inverse_layer_idx", False),
        "bos": ("bos_token_id", 50256),
        "eos": ("eos_token_id", 50256),
    },
    fixed=_FIXED,
    only=_ONLY,
    inert=frozenset({"reorder_and_upcast_attn", "summary_first_dropout"}),
    alias=_ALIAS,
)
GPT1 = Family(
    "decoder",
    classes("OpenAIGPT", *_HEADS),
    _names({"embed": "tokens_embed.weight", "positions": "positions_embed.weight"}),
    {
        **_READS,
        "vocab_size": ("vocab_size", 40478),
        "activation": ("afn", "gelu"),
        "max_positions": ("n_positions", 512),
    },
    fixed={**_FIXED, "norm_place": "post", "final_norm": False},
    only=_ONLY,
    inert=frozenset({"summary_first_dropout", "n_special", "predict_special_tokens"}),
    alias=_ALIAS,
    activations={"gelu": "gelu_new", "relu": "relu", "silu": "silu", "swish": "silu"},
)
