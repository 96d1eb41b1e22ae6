"""The table of model families: how each `config.json` becomes a `Config`.

A row says which JSON field fills which setting (with the default that `transformers` gives a missing field),
which settings the family fixes, and which fields may only hold one value. Fields that are in no row are
refused by `read_config.py`. Tensor names are the sister table, `names.py`. A new family is a row in each.

>>> FAMILIES["llama"].reads["width"]
('hidden_size', 4096)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["FAMILIES", "Family"]

Reads = Mapping[str, tuple[str, Any]]


@dataclass(frozen=True)
class Family:
    """One row: the facts about a family that its `config.json` does not spell out."""

    kind: Literal["decoder", "encoder", "seq2seq"]
    classes: tuple[str, ...]  # `architectures` whose forward pass this is
    reads: Reads  # setting -> (JSON field, default when the field is missing)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # JSON field -> the values that work
    inert: frozenset[str] = frozenset()  # JSON fields that do not change the result
    alias: Mapping[str, str] = field(default_factory=dict)  # other spelling -> JSON field
    encoder: Reads = field(default_factory=dict)  # seq2seq: what the encoder reads differently
    activations: Mapping[str, str] = field(default_factory=dict)  # family's name -> ours, where they differ
    traces_outputs: bool = False  # `transformers` lists a Mamba's hidden states after its blocks, others before


def _classes(name: str, *heads: str) -> tuple[str, ...]:
    return tuple(name + head for head in ("Model", *heads))


_TOKENS: Reads = {
    "bos": ("bos_token_id", None),
    "eos": ("eos_token_id", None),
    "pad": ("pad_token_id", None),
    "decoder_start": ("decoder_start_token_id", None),
}
_NO_BIAS = {"attention_bias": (False,), "mlp_bias": (False,)}
_LLAMA: Reads = {
    **_TOKENS,
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
_MISTRAL: Reads = {
    **_LLAMA,
    "kv_heads": ("num_key_value_heads", 8),
    "ffn_width": ("intermediate_size", 14336),
    "max_positions": ("max_position_embeddings", 131072),
    "window": ("sliding_window", 4096),
}
_EXPERTS: Reads = {
    "top_k": ("num_experts_per_tok", 2),
    "aux_coefficient": ("router_aux_loss_coef", 0.001),
}
_GATED = {"norm": "rms", "gated": True, "positions": "rope"}
_GPT: Reads = {
    **_TOKENS,
    "width": ("n_embd", 768),
    "layers": ("n_layer", 12),
    "heads": ("n_head", 12),
    "norm_eps": ("layer_norm_epsilon", 1e-5),
    "tied": ("tie_word_embeddings", True),
    "summary_activation": ("summary_activation", None),
}
_BIASED = {"norm": "layer", "qkv_bias": True, "out_bias": True, "mlp_bias": True}
_GPT_ALIAS = {
    "hidden_size": "n_embd",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "max_position_embeddings": "n_positions",
    "n_ctx": "n_positions",
}
_SUMMARY = {"summary_type": ("cls_index",), "summary_use_proj": (True,), "summary_proj_to_labels": (True,)}
_SEQ2SEQ: Reads = {
    **_TOKENS,
    "width": ("d_model", 1024),
    "layers": ("decoder_layers", 12),
    "heads": ("decoder_attention_heads", 16),
    "ffn_width": ("decoder_ffn_dim", 4096),
    "activation": ("activation_function", "gelu"),
    "max_positions": ("max_position_embeddings", 1024),
    "scale_embedding": ("scale_embedding", False),
    "tied": ("tie_word_embeddings", True),
}
_ENCODER: Reads = {
    "layers": ("encoder_layers", 12),
    "heads": ("encoder_attention_heads", 16),
    "ffn_width": ("encoder_ffn_dim", 4096),
}
_SEQ2SEQ_FIXED = {**_BIASED, "norm_place": "post", "norm_eps": 1e-5, "final_norm": False, "cross": True}
_SEQ2SEQ_FIXED["head_bias"] = True
_SEQ2SEQ_ALIAS = {
    "hidden_size": "d_model",
    "num_hidden_layers": "encoder_layers",
    "num_attention_heads": "encoder_attention_heads",
}
_POST_ONLY = {"normalize_before": (False,), "add_final_layer_norm": (False,), "add_bias_logits": (False,)}
_SSM: Reads = {
    **_TOKENS,
    "vocab_size": ("vocab_size", 50280),
    "width": ("hidden_size", 768),
    "layers": ("num_hidden_layers", 32),
    "norm_eps": ("layer_norm_epsilon", 1e-5),
    "tied": ("tie_word_embeddings", True),
    "bos": ("bos_token_id", 0),
    "eos": ("eos_token_id", 0),
    "pad": ("pad_token_id", 0),
    "ssm.state_size": ("state_size", 16),
    "ssm.expand": ("expand", 2),
    "ssm.conv_kernel": ("conv_kernel", 4),
    "ssm.bias": ("use_bias", False),
    "ssm.conv_bias": ("use_conv_bias", True),
    "ssm.activation": ("hidden_act", "silu"),
}
_SSM_INERT = frozenset(
    "residual_in_fp32 rescale_prenorm_residual time_step_scale time_step_min time_step_max time_step_floor "
    "time_step_init_scheme use_mambapy use_associative_scan fused_add_norm pad_vocab_size_multiple chunk_size".split()
)

FAMILIES: dict[str, Family] = {
    "gpt2": Family(
        "decoder",
        _classes("GPT2", "LMHeadModel", "DoubleHeadsModel", "ForSequenceClassification"),
        {
            **_GPT,
            "vocab_size": ("vocab_size", 50257),
            "ffn_width": ("n_inner", None),
            "activation": ("activation_function", "gelu_new"),
            "max_positions": ("n_positions", 1024),
            "scale_scores": ("scale_attn_weights", True),
            "scale_by_layer": ("scale_attn_by_inverse_layer_idx", False),
            "bos": ("bos_token_id", 50256),
            "eos": ("eos_token_id", 50256),
        },
        fixed={**_BIASED, "positions": "learned"},
        only=_SUMMARY,
        inert=frozenset({"reorder_and_upcast_attn", "summary_first_dropout"}),
        alias=_GPT_ALIAS,
    ),
    "openai-gpt": Family(
        "decoder",
        _classes("OpenAIGPT", "LMHeadModel", "DoubleHeadsModel", "ForSequenceClassification"),
        {
            **_GPT,
            "vocab_size": ("vocab_size", 40478),
            "activation": ("afn", "gelu"),
            "max_positions": ("n_positions", 512),
        },
        fixed={**_BIASED, "positions": "learned", "norm_place": "post", "final_norm": False},
        only=_SUMMARY,
        inert=frozenset({"summary_first_dropout", "n_special", "predict_special_tokens"}),
        alias=_GPT_ALIAS,
        activations={"gelu": "gelu_new", "relu": "relu", "silu": "silu", "swish": "silu"},
    ),
    "llama": Family(
        "decoder",
        _classes("Llama", "ForCausalLM", "ForSequenceClassification"),
        {
            **_LLAMA,
            "qkv_bias": ("attention_bias", False),
            "out_bias": ("attention_bias", False),
            "mlp_bias": ("mlp_bias", False),
        },
        fixed=_GATED,
        inert=frozenset({"pretraining_tp"}),
    ),
    "mistral": Family(
        "decoder", _classes("Mistral", "ForCausalLM", "ForSequenceClassification"), _MISTRAL, _GATED, _NO_BIAS
    ),
    "mixtral": Family(
        "decoder",
        _classes("Mixtral", "ForCausalLM", "ForSequenceClassification"),
        {
            **_MISTRAL,
            **_EXPERTS,
            "norm_eps": ("rms_norm_eps", 1e-5),
            "window": ("sliding_window", None),
            "rope.theta": ("rope_theta", 1e6),
            "expert_count": ("num_local_experts", 8),
        },
        fixed=_GATED,
        only=_NO_BIAS,
        inert=frozenset({"output_router_logits", "router_jitter_noise"}),
        alias={"num_experts": "num_local_experts"},
    ),
    "bert": Family(
        "encoder",
        _classes(
            "Bert", "ForPreTraining", "ForMaskedLM", "ForNextSentencePrediction", "ForSequenceClassification"
        ),
        {
            **_TOKENS,
            "vocab_size": ("vocab_size", 30522),
            "width": ("hidden_size", 768),
            "layers": ("num_hidden_layers", 12),
            "heads": ("num_attention_heads", 12),
            "ffn_width": ("intermediate_size", 3072),
            "activation": ("hidden_act", "gelu"),
            "norm_eps": ("layer_norm_eps", 1e-12),
            "max_positions": ("max_position_embeddings", 512),
            "token_types": ("type_vocab_size", 2),
            "tied": ("tie_word_embeddings", True),
            "pad": ("pad_token_id", 0),
        },
        fixed={
            **_BIASED,
            "norm_place": "post",
            "embedding_norm": True,
            "final_norm": False,
            "positions": "learned",
            "causal": False,
        },
        only={"position_embedding_type": ("absolute",)},
    ),
    "bart": Family(
        "seq2seq",
        _classes("Bart", "ForConditionalGeneration", "ForSequenceClassification"),
        {
            **_SEQ2SEQ,
            "vocab_size": ("vocab_size", 50265),
            "bos": ("bos_token_id", 0),
            "eos": ("eos_token_id", 2),
            "pad": ("pad_token_id", 1),
            "decoder_start": ("decoder_start_token_id", 2),
        },
        fixed={**_SEQ2SEQ_FIXED, "positions": "learned", "position_offset": 2, "embedding_norm": True},
        only={**_POST_ONLY, "normalize_embedding": (True,), "static_position_embeddings": (False,)},
        inert=frozenset({"classif_dropout", "extra_pos_embeddings"}),
        alias=_SEQ2SEQ_ALIAS,
        encoder=_ENCODER,
    ),
    "marian": Family(
        "seq2seq",
        _classes("Marian", "MTModel"),
        {
            **_SEQ2SEQ,
            "vocab_size": ("vocab_size", 58101),
            "eos": ("eos_token_id", 0),
            "pad": ("pad_token_id", 58100),
            "decoder_start": ("decoder_start_token_id", 58100),
            "shared": ("share_encoder_decoder_embeddings", True),
            "decoder_vocab_size": ("decoder_vocab_size", None),
        },
        fixed={**_SEQ2SEQ_FIXED, "positions": "sinusoid_halves"},
        only={**_POST_ONLY, "normalize_embedding": (False,), "static_position_embeddings": (True,)},
        inert=frozenset({"classif_dropout", "extra_pos_embeddings"}),
        alias=_SEQ2SEQ_ALIAS,
        encoder=_ENCODER,
    ),
    "mamba": Family(
        "decoder",
        _classes("Mamba", "ForCausalLM"),
        {**_SSM, "ssm.time_step_rank": ("time_step_rank", "auto"), "ssm.inner": ("intermediate_size", None)},
        fixed={"norm": "rms", "mixer": "mamba"},
        only={"rms_norm": (True,), "ssm_cfg": ({},)},
        inert=_SSM_INERT,
        alias={"d_model": "hidden_size", "n_layer": "num_hidden_layers", "d_inner": "intermediate_size"},
        traces_outputs=True,
    ),
    "mamba2": Family(
        "decoder",
        _classes("Mamba2", "ForCausalLM"),
        {
            **_SSM,
            "vocab_size": ("vocab_size", 32768),
            "width": ("hidden_size", 4096),
            "layers": ("num_hidden_layers", 64),
            "tied": ("tie_word_embeddings", False),
            "eos": ("eos_token_id", 2),
            "pad": ("pad_token_id", 1),
            "ssm.state_size": ("state_size", 128),
            "ssm.heads": ("num_heads", 128),
            "ssm.head_dim": ("head_dim", 64),
            "ssm.groups": ("n_groups", 8),
            "ssm.time_step_limit": ("time_step_limit", (0.0, float("inf"))),
        },
        fixed={"norm": "rms", "mixer": "mamba2"},
        only={"rms_norm": (True,), "norm_before_gate": (False,)},
        inert=_SSM_INERT | {"time_step_rank"},
        traces_outputs=True,
    ),
    "jamba": Family(
        "decoder",
        _classes("Jamba", "ForCausalLM", "ForSequenceClassification"),
        {
            **{k: v for k, v in _MISTRAL.items() if k not in {"window", "rope.theta"}},
            **_EXPERTS,
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
        fixed={"norm": "rms", "gated": True, "renormalise": False, "mixer": "mamba", "ssm.inner_norms": True},
        only={**_NO_BIAS, "sliding_window": (None,), "mamba_inner_layernorms": (True,)},
        inert=_SSM_INERT | {"output_router_logits", "use_mamba_kernels", "num_logits_to_keep"},
        alias={"num_local_experts": "num_experts"},
    ),
    "linear_ssm": Family(  # this package's own: a linear time-invariant SSM with a nonlinearity between layers
        "decoder",
        (),
        {
            **{k: v for k, v in _SSM.items() if not k.startswith("ssm.")},
            "ssm.state_size": ("state_size", 16),
            "ssm.activation": ("hidden_act", "gelu"),
            "ssm.discretisation": ("discretisation", "none"),
            "ssm.time_step": ("time_step", 1.0),
        },
        fixed={"norm": "rms", "mixer": "linear_ssm"},
    ),
}
# The 2017 Transformer as its paper draws it: Marian's tensors, sine and cosine interleaved.
FAMILIES["transformer"] = Family(
    "seq2seq",
    (),
    {**FAMILIES["marian"].reads, "activation": ("activation_function", "relu"), "scale_embedding": ("scale_embedding", True)},
    fixed={**FAMILIES["marian"].fixed, "positions": "sinusoid"},
    only=FAMILIES["marian"].only,
    alias=_SEQ2SEQ_ALIAS,
    encoder=_ENCODER,
)
