"""Tiny untrained models of every causal family, for tests that need no reference."""

from typing import Any

from bpetok import nn

LLAMA = {"model_type": "llama", "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2}
LLAMA |= {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 50}
MAMBA = {"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4, "vocab_size": 50}
CONFIGS: dict[str, dict[str, Any]] = {
    "gpt1": {
        "model_type": "openai-gpt",
        "n_embd": 16,
        "n_layer": 2,
        "n_head": 4,
        "vocab_size": 50,
        "n_positions": 64,
    },
    "gpt2": {
        "model_type": "gpt2",
        "n_embd": 16,
        "n_layer": 2,
        "n_head": 4,
        "vocab_size": 50,
        "n_positions": 64,
    },
    "llama": LLAMA,
    "mistral": {**LLAMA, "model_type": "mistral", "sliding_window": 3},
    "mixtral": {**LLAMA, "model_type": "mixtral", "num_local_experts": 3, "num_experts_per_tok": 2},
    "linear_ssm": {**MAMBA, "model_type": "linear_ssm", "discretisation": "zoh", "time_step": 0.5},
    "mamba": {**MAMBA, "model_type": "mamba", "use_bias": True},
    "mamba2": {**MAMBA, "model_type": "mamba2", "num_heads": 4, "head_dim": 8, "n_groups": 2},
    "jamba": {
        **{k: v for k, v in LLAMA.items() if k != "num_hidden_layers"},
        "model_type": "jamba",
        "num_hidden_layers": 3,
        "attn_layer_period": 3,
        "attn_layer_offset": 1,
        "num_experts": 3,
        "mamba_d_state": 4,
    },
}


def tiny(family: str, dtype: str = "float64", seed: int = 0, **changes: Any) -> Any:
    """An untrained model with large weights."""
    return nn.random_model(
        nn.config_from_json({**CONFIGS[family], **changes}), seed, dtype, scale=0.3
    )
