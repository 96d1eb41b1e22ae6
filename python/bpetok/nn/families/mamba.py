"""State-space models: Mamba (arXiv:2312.00752), Mamba-2 (arXiv:2405.21060), and a plain linear SSM of ours."""

from bpetok.nn.families.family import TOKENS, Family, Names, Reads, classes, under, with_bias

__all__ = ["LINEAR_SSM", "MAMBA", "MAMBA2", "MIXER_NAMES", "SSM_INERT"]

_STACK_READS: Reads = {
    **TOKENS,
    "vocab_size": ("vocab_size", 50280),
    "width": ("hidden_size", 768),
    "layers": ("num_hidden_layers", 32),
    "norm_eps": ("layer_norm_epsilon", 1e-5),
    "tied": ("tie_word_embeddings", True),
    "bos": ("bos_token_id", 0),
    "eos": ("eos_token_id", 0),
    "pad": ("pad_token_id", 0),
}
_READS: Reads = {
    **_STACK_READS,
    "ssm.state_size": ("state_size", 16),
    "ssm.expand": ("expand", 2),
    "ssm.conv_kernel": ("conv_kernel", 4),
    "ssm.bias": ("use_bias", False),
    "ssm.conv_bias": ("use_conv_bias", True),
    "ssm.activation": ("hidden_act", "silu"),
}
# How the steps were initialised, and which kernel computes what; `residual_in_fp32` concerns half precision.
SSM_INERT = frozenset(
    {
        "residual_in_fp32",
        "rescale_prenorm_residual",
        "time_step_scale",
        "time_step_min",
        "time_step_max",
        "time_step_floor",
        "time_step_init_scheme",
        "use_mambapy",
        "use_associative_scan",
        "fused_add_norm",
        "pad_vocab_size_multiple",
        "chunk_size",
    }
)
_SHARED = {
    **with_bias(mix__in="in_proj", mix__out="out_proj", mix__conv="conv1d"),
    "mix.A_log": "A_log",
    "mix.D": "D",
}
MIXER_NAMES = {**_SHARED, "mix.x.w": "x_proj.weight", **with_bias(mix__dt="dt_proj")}


def _names(mixer: dict[str, str]) -> Names:
    return Names(
        prefix="backbone.",
        stack={
            "embed": "backbone.embeddings.weight|backbone.embedding.weight",
            "final_norm.w": "backbone.norm_f.weight",
        },
        layer=under(
            "backbone.layers.{i}.", {"mix.norm.w": "norm.weight", **under("mixer.", mixer)}
        ),
        heads={"head.w": "lm_head.weight"},
    )


MAMBA = Family(
    "decoder",
    classes("Mamba", "ForCausalLM"),
    _names(MIXER_NAMES),
    {
        **_READS,
        "ssm.time_step_rank": ("time_step_rank", "auto"),
        "ssm.inner": ("intermediate_size", None),
    },
    fixed={"norm": "rms", "mixer": "mamba"},
    only={"rms_norm": (True,), "ssm_cfg": ({},)},
    inert=SSM_INERT,
    alias={
        "d_model": "hidden_size",
        "n_layer": "num_hidden_layers",
        "d_inner": "intermediate_size",
    },
    traces_outputs=True,
)
MAMBA2 = Family(
    "decoder",
    classes("Mamba2", "ForCausalLM"),
    _names({**_SHARED, "mix.dt.b": "dt_bias", "mix.gate_norm.w": "norm.weight"}),
    {
        **_READS,
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
    only={"rms_norm": (True,)},
    # Every implementation gates before the norm, whatever `norm_before_gate` says.
    inert=SSM_INERT | {"time_step_rank", "norm_before_gate"},
    traces_outputs=True,
)
LINEAR_SSM = Family(
    "decoder",
    (),
    Names(
        prefix="",
        stack={"embed": "embed.weight", "final_norm.w": "final_norm.weight"},
        layer=under(
            "layers.{i}.",
            {
                "mix.norm.w": "norm.weight",
                **{f"mix.{name}": f"mixer.{name}" for name in "ABCD"},
                "mix.out.w": "mixer.out.weight",
            },
        ),
        heads={"head.w": "head.weight"},
    ),
    {
        **_STACK_READS,
        "ssm.state_size": ("state_size", 16),
        "ssm.activation": ("hidden_act", "gelu"),
        "ssm.discretisation": ("discretisation", "none"),
        "ssm.time_step": ("time_step", 1.0),
    },
    fixed={"norm": "rms", "mixer": "linear_ssm"},
)
