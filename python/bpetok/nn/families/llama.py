"""Llama (arXiv:2302.13971), Mistral (arXiv:2310.06825) and Mixtral (arXiv:2401.04088)."""

from dataclasses import replace

from bpetok.nn.families.family import TOKENS, Family, Names, Reads, classes, under, with_bias

__all__ = [
    "EXPERTS",
    "GATED",
    "LLAMA",
    "LLAMA_NAMES",
    "MISTRAL",
    "MISTRAL_READS",
    "MIXTRAL",
    "NO_BIAS",
]

_HEADS = ("ForCausalLM", "ForSequenceClassification")
NO_BIAS = {"attention_bias": (False,), "mlp_bias": (False,)}
GATED = {"norm": "rms", "gated": True, "positions": "rope"}
EXPERTS: Reads = {
    "top_k": ("num_experts_per_tok", 2),
    "aux_coefficient": ("router_aux_loss_coef", 0.001),
}
_READS: Reads = {
    **TOKENS,
    "vocab_size": ("vocab_size", 32000),
    "width": ("hidden_size", 4096),
    "layers": ("num_hidden_layers", 32),
    "heads": ("num_attention_heads", 32),
    "kv_heads": ("num_key_value_heads", None),
    "head_dim": ("head_dim", None),
    "ffn_width": ("intermediate_size", 11008),
    "activation": ("hidden_act", "silu"),
    "norm_eps": ("rms_norm_eps", 1e-6),
    "max_positions": ("max_position_embeddings", 2048),
    "tied": ("tie_word_embeddings", False),
    "rope.theta": ("rope_theta", 10_000.0),
    "bos": ("bos_token_id", 1),
    "eos": ("eos_token_id", 2),
}
MISTRAL_READS: Reads = {
    **_READS,
    "kv_heads": ("num_key_value_heads", 8),
    "ffn_width": ("intermediate_size", 14336),
    "max_positions": ("max_position_embeddings", 131072),
    "window": ("sliding_window", 4096),
}
LLAMA_NAMES = Names(
    prefix="model.",
    stack={"embed": "model.embed_tokens.weight", "final_norm.w": "model.norm.weight"},
    layer=under(
        "model.layers.{i}.",
        with_bias(
            mix__norm="input_layernorm",
            mix__qkv="self_attn.q_proj+self_attn.k_proj+self_attn.v_proj",
            mix__out="self_attn.o_proj",
            ffn__norm="post_attention_layernorm",
            ffn__up="mlp.gate_proj+mlp.up_proj",
            ffn__down="mlp.down_proj",
        ),
    ),
    heads={"head.w": "lm_head.weight", "classifier.w": "score.weight"},
)
_MOE = "block_sparse_moe."
_MIXTRAL_FFN = under(
    "model.layers.{i}.",
    {
        "ffn.router.w": f"{_MOE}gate.weight|mlp.gate.weight",
        "ffn.experts.up.w": f"{_MOE}experts.{{e}}.w1.weight+{_MOE}experts.{{e}}.w3.weight|mlp.experts.gate_up_proj",
        "ffn.experts.down.w": f"{_MOE}experts.{{e}}.w2.weight|mlp.experts.down_proj",
    },
)

LLAMA = Family(
    "decoder",
    classes("Llama", *_HEADS),
    LLAMA_NAMES,
    {
        **_READS,
        "qkv_bias": ("attention_bias", False),
        "out_bias": ("attention_bias", False),
        "mlp_bias": ("mlp_bias", False),
    },
    fixed=GATED,
    only={"rope_interleaved": (False,)},
    inert=frozenset({"pretraining_tp", "is_llama_config"}),
)
MISTRAL = Family(
    "decoder", classes("Mistral", *_HEADS), LLAMA_NAMES, MISTRAL_READS, fixed=GATED, only=NO_BIAS
)
MIXTRAL = Family(
    "decoder",
    classes("Mixtral", *_HEADS),
    replace(LLAMA_NAMES, layer={**LLAMA_NAMES.layer, **_MIXTRAL_FFN}),
    {
        **MISTRAL_READS,
        **EXPERTS,
        "norm_eps": ("rms_norm_eps", 1e-5),
        "window": ("sliding_window", None),
        "rope.theta": ("rope_theta", 1e6),
        "expert_count": ("num_local_experts", 8),
    },
    fixed=GATED,
    only=NO_BIAS,
    inert=frozenset({"output_router_logits", "router_jitter_noise"}),
    alias={"num_experts": "num_local_experts"},
)
