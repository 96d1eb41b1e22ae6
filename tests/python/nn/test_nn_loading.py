"""Configs and whole models: what is read, and what is refused by name."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpetok import nn
from bpetok.errors import Error
from bpetok.nn.quant import QuantizedMatrix
from bpetok.nn.quant_model import QuantizedExperts, named_weights, quantize_model
from bpetok.nn.shapes import layer_shapes
from bpetok.nn.untrained import random_weights
from nn.models import CONFIGS, tiny
from nn.oracles import GOLDEN, distance

BASE: dict[str, dict[str, Any]] = {
    **CONFIGS,
    "bert": {
        "model_type": "bert",
        "hidden_size": 16,
        "num_attention_heads": 4,
        "num_hidden_layers": 1,
    },
    "bart": {
        "model_type": "bart",
        "d_model": 16,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 2,
    },
    "marian": {
        "model_type": "marian",
        "d_model": 16,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 2,
    },
}
REFUSED = [
    ("gpt2", {"activation_function": "quick_gelu"}, "activation_function='quick_gelu'"),
    ("gpt2", {"add_cross_attention": True}, "add_cross_attention=True"),
    ("gpt2", {"summary_type": "mean"}, "summary_type='mean'"),
    ("gpt2", {"n_embd": 16, "hidden_size": 32}, "hidden_size=32"),
    ("gpt1", {"afn": "gelu_pytorch_tanh"}, "afn='gelu_pytorch_tanh'"),
    ("llama", {"sliding_window": 4}, "sliding_window=4"),
    ("llama", {"attn_logit_softcapping": 30.0}, "attn_logit_softcapping=30.0"),
    ("llama", {"layer_types": ["full_attention"]}, "layer_types"),
    ("llama", {"quantization_config": {"bits": 4}}, "quantization_config"),
    ("llama", {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_type='dynamic'"),
    ("llama", {"rope_parameters": {"rope_type": "longrope"}}, "rope_parameters.rope_type='longrope'"),
    ("llama", {"rope_parameters": {"rope_type": "linear"}}, "rope_parameters.factor"),
    ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "beta_fast": 3}}, "beta_fast=3"),
    ("llama", {"rope_parameters": {"rope_type": "default"}, "rope_scaling": {"type": "linear", "factor": 2.0}}, "two dialects"),
    ("llama", {"rope_scaling": {"type": "yarn", "rope_type": "linear", "factor": 2.0}}, "rope_scaling.type='yarn'"),
    ("llama", {"rope_parameters": {"rope_theta": 1e4}, "rope_theta": 5e5}, "and rope_theta=500000.0"),
    ("llama", {"rope_parameters": {"partial_rotary_factor": 1.0}, "partial_rotary_factor": 0.5}, "and partial_rotary_factor=0.5"),
    ("llama", {"rope_scaling": {"type": "yarn", "factor": 2.0, "original_max_position_embeddings": 8}, "original_max_position_embeddings": 9}, "embeddings=9"),
    ("llama", {"rms_norm_eps": None}, "rms_norm_eps=None"),
    ("llama", {"hidden_act": None}, "hidden_act=None"),
    ("mamba", {"conv_kernel": None}, "conv_kernel=None"),
    ("gpt2", {"n_positions": None}, "n_positions=None"),
    ("llama", {"partial_rotary_factor": 0.5}, "partial_rotary_factor=0.5"),
    ("llama", {"num_key_value_heads": 3}, "3 key/value heads"),
    ("llama", {"hidden_size": 18}, "18"),
    ("llama", {"head_dim": 5}, "head_dim=5"),
    ("llama", {"architectures": ["LlamaForTokenClassification"]}, "LlamaForTokenClassification"),
    ("llama", {"is_decoder": True}, "is_decoder=True"),
    ("mistral", {"attention_bias": True}, "attention_bias=True"),
    ("mistral", {"sliding_window": 0}, "sliding_window=0"),
    ("mixtral", {"num_local_experts": 1}, "num_local_experts=1"),
    ("mixtral", {"num_experts_per_tok": 9}, "num_experts_per_tok=9"),
    ("mixtral", {"shared_expert_intermediate_size": 8}, "shared_expert_intermediate_size=8"),
    ("bert", {"position_embedding_type": "relative_key"}, "position_embedding_type='relative_key'"),
    ("bert", {"is_decoder": True}, "is_decoder=True"),
    ("bart", {"normalize_before": True}, "normalize_before=True"),
    ("bart", {"is_encoder_decoder": False}, "is_encoder_decoder=False"),
    ("marian", {"static_position_embeddings": False}, "static_position_embeddings=False"),
    ("mamba", {"intermediate_size": 40}, "intermediate_size=40"),
    ("mamba", {"hidden_act": "tanh"}, "hidden_act='tanh'"),
    ("mamba2", {"rms_norm": False}, "rms_norm=False"),
    ("mamba2", {"num_heads": 5}, "num_heads=5"),
    ("jamba", {"attn_layer_offset": 3}, "attn_layer_offset=3"),
    ("jamba", {"rope_theta": 10000.0}, "rope_theta=10000.0"),
]  # fmt: skip


@pytest.mark.parametrize(("family", "change", "words"), REFUSED)
def test_what_is_not_supported_is_refused_by_name(
    family: str, change: dict[str, Any], words: str
) -> None:
    nn.config_from_json(BASE[family])
    with pytest.raises(nn.ConfigError) as error:
        nn.config_from_json({**BASE[family], **change})
    assert words in str(error.value)


def test_unknown_families_and_bad_files() -> None:
    with pytest.raises(nn.ConfigError, match="model_type='t5'"):
        nn.config_from_json({"model_type": "t5"})
    assert issubclass(nn.ConfigError, Error)


def test_errors_in_a_config_name_its_file(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for text, words in (
        ("{}", "config field model_type=None"),
        ('{"model_type": "llama", "head_dim": 5}', "head_dim=5"),
    ):
        path.write_text(text)
        for call in (
            nn.load,
            nn.load_config,
            lambda folder: nn.load_config(folder / "config.json"),
        ):
            with pytest.raises(nn.ConfigError, match=words) as error:
                call(tmp_path)
            assert str(error.value).startswith(f"{path}: ")
    blocks = {"quantization_config": {"quant_method": "bpetok", "version": 2, "tensors": {}}}
    path.write_text(json.dumps({**BASE["llama"], **blocks}))
    nn.write_safetensors(tmp_path / "model.safetensors", {})
    with pytest.raises(nn.ConfigError, match="version=2 is newer") as error:
        nn.load(tmp_path)
    assert str(error.value).startswith(f"{path}: config")


def test_harmless_fields_pass() -> None:
    harmless = {
        "torch_dtype": "float16",
        "use_cache": False,
        "attention_dropout": 0.5,
        "unheard_of": None,
    }
    assert nn.config_from_json({**BASE["llama"], **harmless}) == nn.config_from_json(BASE["llama"])


def test_both_rope_dialects_say_the_same() -> None:
    parts = {"factor": 4.0, "original_max_position_embeddings": 8}
    new = {"rope_parameters": {"rope_type": "yarn", "rope_theta": 50.0, **parts}}
    old = {"rope_theta": 50.0, "rope_scaling": {"type": "yarn", **parts}}
    assert nn.config_from_json({**BASE["llama"], **new}) == nn.config_from_json(
        {**BASE["llama"], **old}
    )
    plain = {"rope_theta": 50.0, "rope_scaling": None}
    assert nn.config_from_json({**BASE["llama"], **plain}).rope == nn.Rope(
        theta=50.0, original_max_positions=2048
    )


def test_null_where_it_means_the_default() -> None:
    base = BASE["mistral"]
    same = {"head_dim": None, "rope_theta": None, "rope_scaling": None, "rope_parameters": None}
    assert nn.config_from_json({**base, **same}) == nn.config_from_json(base)
    both = {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 50.0}}
    old = {"rope_theta": 50.0, "rope_scaling": {"type": "linear", "factor": 2.0}}
    assert nn.config_from_json({**base, **both, **old}) == nn.config_from_json({**base, **old})


def test_windows_and_experts_by_default() -> None:
    assert nn.config_from_json({"model_type": "mistral"}).window == 4096
    assert nn.config_from_json({"model_type": "mistral", "sliding_window": None}).window is None
    jamba = nn.config_from_json({"model_type": "jamba", "num_hidden_layers": 8})
    assert [i for i, mixer in enumerate(jamba.mixers) if mixer == "attention"] == [4]
    assert jamba.experts == (1, 16) * 4


def test_infinity_in_any_spelling() -> None:
    for spelled in (float("inf"), "inf", {"__float__": "Infinity"}):
        c = nn.config_from_json({**BASE["mamba2"], "time_step_limit": [0.0, spelled]})
        assert c.ssm is not None
        assert c.ssm.time_step_limit == (0.0, float("inf"))


def test_dtypes_of_models(tmp_path: Path) -> None:
    with pytest.raises(nn.ConfigError, match="float16"):
        nn.load(GOLDEN / "gpt2_tied", "float16")
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(nn.ConfigError, match="object"):
        nn.load(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(nn.ConfigError, match="JSON"):
        nn.load(tmp_path)
    shutil.copy(GOLDEN / "gpt2_tied" / "config.json", tmp_path)
    with pytest.raises(FileNotFoundError):
        nn.load(tmp_path)


@pytest.mark.parametrize("name", CONFIGS)
def test_random_models_run(name: str) -> None:
    model = tiny(name, "float32")
    assert model([[1, 2]])[0].shape == (1, 2, 50)
    assert "layers" in repr(model)
    assert model.nbytes > 0
    assert set(model.weights.stack.layers[0]) == set(layer_shapes(model.config, 0))


@pytest.mark.parametrize("name", ["llama", "linear_ssm", "mamba2"])
def test_weights_in_hand_are_rounded_to_the_model_s_dtype(name: str) -> None:
    c = nn.config_from_json(CONFIGS[name])
    given = random_weights(c, 0, "float64", 0.3)
    model = nn.from_weights(given, "float32")
    assert {w.dtype for _, w in named_weights(model)} == {np.dtype("float32")}
    assert model([[1, 2, 3]])[0].dtype == np.float32
    rounded = nn.from_weights(given.map(lambda _, w: w.astype("float32")), "float32")
    assert (model([[1, 2, 3]])[0] == rounded([[1, 2, 3]])[0]).all()
    assert nn.from_weights(given, "float64").nbytes == 2 * model.nbytes
    assert given.stack.top["embed"].dtype == np.float64


@pytest.mark.parametrize("name", ["gpt2", "mixtral", "jamba"])
def test_changed_weights_are_rounded_to_the_model_s_dtype(name: str) -> None:
    """A number of NumPy's widens an array: a float32 model computed in float64 and did not know its own state."""
    model = nn.random_model(nn.config_from_json(CONFIGS[name]), 0, "float32", 0.3)
    wider = model.map_weights(lambda _, w: w * np.sqrt(2))
    assert {w.dtype for _, w in named_weights(wider)} == {np.dtype("float32")}
    assert wider([[1, 2, 3]])[0].dtype == np.float32
    assert nn.generate(wider, [[1, 2]], 3).shape == (1, 5)
    pair = nn.load(GOLDEN / "transformer2017").map_weights(lambda _, w: w)
    assert pair.weights.encoder.top["embed"] is pair.weights.stack.top["embed"]
    with pytest.raises(nn.WeightsError, match=r"weight layers\.0\..* is of type NoneType"):
        model.map_weights(lambda _, w: None)


def test_blocks_in_hand_give_rows_of_the_model_s_dtype() -> None:
    c = nn.config_from_json({**CONFIGS["mixtral"], "hidden_size": 32, "intermediate_size": 32})
    small = quantize_model(nn.random_model(c, 0, "float32", 0.3))
    model, ids = nn.from_weights(small.weights, "float64"), [[1, 2, 3]]
    want = nn.from_weights(small.weights.map(unpacked), "float64")(ids)[0]
    assert distance(model(ids)[0], want) < 1e-12
    shared = nn.from_weights(nn.load(GOLDEN / "transformer2017", "float64").weights, "float32")
    assert shared.weights.encoder.top["embed"] is shared.weights.stack.top["embed"]


def unpacked(name: str, weight: Any) -> Any:
    if isinstance(weight, QuantizedExperts):
        return np.stack([matrix.dequantize() for matrix in weight.matrices])
    return weight.dequantize() if isinstance(weight, QuantizedMatrix) else weight


def test_the_paper_s_transformer() -> None:
    sizes = {
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_ffn_dim": 20,
        "decoder_ffn_dim": 20,
        "vocab_size": 30,
    }
    settings = {
        **BASE["marian"],
        **sizes,
        "model_type": "transformer",
        "pad_token_id": 0,
        "decoder_start_token_id": 0,
        "max_position_embeddings": 16,
    }
    c = nn.config_from_json(settings)
    assert (c.activation, c.embed_scale, c.positions, c.tied) == ("relu", 4.0, "sinusoid", True)
    model = nn.from_weights(random_weights(c, 0, "float64", 0.3), "float64")
    memory = model.encode([[3, 4, 5, 0]], [[1, 1, 1, 0]])
    short = model.encode([[3, 4, 5]])
    assert distance(memory[:, :3], short) < 1e-14
    logits, _ = model.decode([[0, 6]], memory)
    assert distance(model.decode([[0, 6]], short)[0], logits) < 1e-14
    assert distance(model.decode([[0, 6]], np.asarray(short))[0], logits) < 1e-14
    assert set(model.trace([[3, 4]])) >= {
        "memory",
        "logits",
        "encoder.hidden",
        "hidden",
        "cross_attention",
    }


def test_a_linear_ssm_from_disk(tmp_path: Path) -> None:
    model = tiny("linear_ssm")
    tensors = {
        "embed.weight": model.weights.stack.top["embed"],
        "final_norm.weight": model.weights.stack.top["final_norm.w"],
    }
    for i, p in enumerate(model.weights.stack.layers):
        tensors |= {f"layers.{i}.mixer.{name}": p[f"mix.{name}"] for name in "ABCD"}
        tensors |= {
            f"layers.{i}.norm.weight": p["mix.norm.w"],
            f"layers.{i}.mixer.out.weight": p["mix.out.w"],
        }
    nn.write_safetensors(tmp_path / "model.safetensors", tensors)
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS["linear_ssm"]))
    assert distance(nn.load(tmp_path, "float64")([[1, 2, 3]])[0], model([[1, 2, 3]])[0]) == 0
