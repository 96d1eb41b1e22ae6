"""Jamba (arXiv:2403.19887): Mamba layers with attention every few, experts every few, no positions at all."""

from dataclasses import replace

from bpetok.nn.families.family import Family, classes, under
from bpetok.nn.families.llama import EXPERTS, LLAMA_NAMES, MISTRAL_READS, NO_BIAS
from bpetok.nn.families.mamba import MIXER_NAMES, SSM_INERT

__all__ = ["JAMBA"]

_FFN = "feed_forward."
_LAYER = under(
    "model.layers.{i}.",
    {
        **under("mamba.", MIXER_NAMES),
        "mix.out.w": "self_attn.o_proj.weight|mamba.out_proj.weight",
        "mix.dt_norm.w": "mamba.dt_layernorm.weight",
        "mix.b_norm.w": "mamba.b_layernorm.weight",
        "mix.c_norm.w": "mamba.c_layernorm.weight",
        "ffn.norm.w": "pre_ff_layernorm.weight",
        "ffn.up.w": f"{_FFN}gate_proj.weight+{_FFN}up_proj.weight",
        "ffn.down.w": f"{_FFN}down_proj.weight",
        "ffn.router.w": f"{_FFN}router.weight",
        "ffn.experts.up.w": f"{_FFN}experts.{{e}}.gate_proj.weight+{_FFN}experts.{{e}}.up_proj.weight"
        f"|{_FFN}experts.gate_up_proj",
        "ffn.experts.down.w": f"{_FFN}experts.{{e}}.down_proj.weight|{_FFN}experts.down_proj",
    },
)

JAMBA = Family(
    "decoder",
    classes("Jamba", "ForCausalLM", "ForSequenceClassification"),
    replace(
        LLAMA_NAMES,
        stack={
            "embed": "model.embed_tokens.weight",
            "final_norm.w": "model.final_layernorm.weight",
        },
        layer={**LLAMA_NAMES.layer, **_LAYER},
    ),
    {
        **{k: v for k, v in MISTRAL_READS.items() if k not in {"window", "rope.theta"}},
        **EXPERTS,
        "vocab_size": ("vocab_size", 65536),
        "max_positions": ("max_position_embeddings", 262144),
        "pad": ("pad_token_id", 0),
        "expert_count": ("num_experts", 16),
        "expert_period": ("expert_layer_period", 2),
        "expert_offset": ("expert_layer_offset", 1),
        "attention_period": ("attn_layer_period", 8),
        "attention_offset": ("attn_layer_offset", 4),
        "ssm.state_size": ("mamba_d_state", 16),
        "ssm.conv_kernel": ("mamba_d_conv", 4),
        "ssm.expand": ("mamba_expand", 2),
        "ssm.time_step_rank": ("mamba_dt_rank", "auto"),
        "ssm.conv_bias": ("mamba_conv_bias", True),
        "ssm.bias": ("mamba_proj_bias", False),
        "ssm.activation": ("hidden_act", "silu"),
    },
    fixed={
        "norm": "rms",
        "gated": True,
        "renormalise": False,
        "mixer": "mamba",
        "ssm.inner_norms": True,
    },
    only={**NO_BIAS, "sliding_window": (None,), "mamba_inner_layernorms": (True,)},
    inert=SSM_INERT
    | {"output_router_logits", "use_mamba_kernels", "num_logits_to_keep"}
    | {"calc_logits_for_entire_prompt"},
    alias={"num_local_experts": "num_experts"},
)
