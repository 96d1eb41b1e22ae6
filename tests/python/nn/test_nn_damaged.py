"""Damaged weight files, indexes and configs: each is a typed error that names what is wrong."""

import json
import shutil
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpetok import nn
from bpetok.nn.counters import parameters
from nn.models import CONFIGS
from nn.oracles import GOLDEN


def header(text: str | bytes, data: bytes = b"") -> bytes:
    text = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"1234", "too few"),
        (struct.pack("<Q", 1 << 60) + b"{}", "claims"),
        (header("nonsense"), "header"),
        (header("[1]"), "header"),
        (header('{"a": 3}'), "header"),
        (header(b"\xff\xfe"), "header"),
        (header('{"a": {"dtype": "F8", "shape": [1], "data_offsets": [0, 1]}}', b"1"), "'F8'"),
        (
            header('{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}', b"1234"),
            "8 bytes",
        ),
        (
            header('{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}', b"1234"),
            "do not fit",
        ),
        (
            header('{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}', b"1234"),
            "no size",
        ),
        (
            header('{"a": {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 4]}}', b"1234"),
            "no size",
        ),
        (
            header('{"a": {"dtype": "I8", "shape": [4], "data_offsets": [-4, 0]}}', b"1234"),
            "no size",
        ),
        (header('{"a": {"dtype": "I8", "shape": [1], "data_offsets": [0]}}', b"1"), "no size"),
        (
            header('{"a": {"dtype": "I8", "shape": [1], "data_offsets": [0, 1, 2]}}', b"1"),
            "no size",
        ),
        (header('{"a": {"dtype": "I8", "shape": 1, "data_offsets": [0, 1]}}', b"1"), "no size"),
        (
            header('{"a": {"dtype": "I8", "shape": [true], "data_offsets": [0, 1]}}', b"1"),
            "no size",
        ),
        (
            header('{"a": {"dtype": ["I8"], "shape": [1], "data_offsets": [0, 1]}}', b"1"),
            "has dtype ['I8']",
        ),
        (header('{"a": {"dtype": "I8", "shape": [1]}}', b"1"), "data_offsets"),
        (
            header(
                '{"a": {"dtype": "F32", "shape": [0, 4611686018427387904], "data_offsets": [0, 0]}}',
                b"",
            ),
            "more than",
        ),
        (
            header(
                '{"a": {"dtype": "I8", "shape": [' + "1," * 32 + '1], "data_offsets": [0, 1]}}',
                b"1",
            ),
            "33 axes",
        ),
        (header("[" * 200_000), "header"),
        (
            header('{"a": {"dtype": "I8", "shape": [0], "data_offsets": [0, 0]}, "a": {}}'),
            "'a' stands in it twice",
        ),
        (
            header(
                '{"a": {"dtype": "I8", "shape": [2], "data_offsets": [1, 3]},'
                ' "b": {"dtype": "I8", "shape": [2], "data_offsets": [0, 2]}}',
                b"123",
            ),
            "tensors b and a overlap",
        ),
    ],
)
def test_damaged_files_are_errors(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(nn.WeightsError) as error:
        nn.read_safetensors(tmp_path / "x.safetensors")
    assert words in str(error.value)


def test_empty_tensors_share_no_bytes(tmp_path: Path) -> None:
    arrays = {"a": np.zeros((0, 3)), "b": np.ones(2), "c": np.zeros(0), "d": np.ones(1)}
    nn.write_safetensors(tmp_path / "x.safetensors", arrays)
    back = nn.read_safetensors(tmp_path / "x.safetensors")
    assert [back[name].shape for name in "abcd"] == [(0, 3), (2,), (0,), (1,)]


def test_bad_indexes(tmp_path: Path) -> None:
    folder = GOLDEN / "llama_bf16_shards"
    for file in folder.iterdir():
        shutil.copy(file, tmp_path)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    for shard, words in (
        ("../model-00001-of-00002.safetensors", "plain file name"),
        ("model-00001-of-00002.safetensors", "not in"),
        (3, "shard 3 of tensor model.norm.weight"),
        ("..", "plain file name"),
        ("", "plain file name"),
        ("a\0b", "plain file name"),
    ):
        changed = {**index, "weight_map": {**index["weight_map"], "model.norm.weight": shard}}
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(changed))
        with pytest.raises(nn.WeightsError, match=words):
            nn.load(tmp_path)
    twice = '{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}'
    for text, words in (
        ("{}", "weight_map"),
        ('{"weight_map": [1]}', "weight_map"),
        ("[" * 200_000, "weight_map"),
        (twice, "'a' stands in it twice"),
    ):
        (tmp_path / "model.safetensors.index.json").write_text(text)
        with pytest.raises(nn.WeightsError, match=words):
            nn.load(tmp_path)


def test_tensors_that_the_index_does_not_list(tmp_path: Path) -> None:
    for file in (GOLDEN / "llama_bf16_shards").iterdir():
        shutil.copy(file, tmp_path)
    index = tmp_path / "model.safetensors.index.json"
    listed = json.loads(index.read_text())["weight_map"]
    want = nn.load(tmp_path)([[1, 2, 3]])[0]
    shard = tmp_path / max(listed.values())
    tensors = dict(nn.read_safetensors(shard))
    nn.write_safetensors(
        shard, tensors | {"model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(4)}
    )
    assert (nn.load(tmp_path)([[1, 2, 3]])[0] == want).all()  # a buffer that is skipped anyway
    nn.write_safetensors(shard, tensors | {"model.layers.0.self_attn.q_norm.weight": np.ones(8)})
    with pytest.raises(nn.WeightsError, match=r"self_attn\.q_norm\.weight \[8\] has no place"):
        nn.load(tmp_path)
    twice = min(name for name, file in listed.items() if file != shard.name)
    nn.write_safetensors(shard, tensors | {twice: np.ones(8)})
    with pytest.raises(nn.WeightsError, match=f"{twice} is in .* and in another shard"):
        nn.load(tmp_path)


def test_a_tensor_may_not_have_the_name_of_the_metadata(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(nn.WeightsError, match=r"called __metadata__.*choose another"):
        nn.write_safetensors(path, {"a": np.ones(2), "__metadata__": np.ones(1)})
    assert not path.exists()


def test_nested_without_end(tmp_path: Path) -> None:
    for name in ("config.json", "modules.json"):
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        (tmp_path / name).write_text("[" * 200_000)
        with pytest.raises(nn.ConfigError, match=name):
            nn.load(tmp_path)


SCALED = {"type": "linear", "factor": 2.0}
LLAMA3 = {"type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
BAD_VALUES = [
    ("llama", "num_attention_heads", 0, "at least 1"),
    ("llama", "hidden_size", "x", "a whole number"),
    ("llama", "hidden_size", 16.0, "a whole number"),
    ("llama", "hidden_size", True, "a whole number"),
    ("llama", "hidden_size", 10**400, "a whole number"),
    ("llama", "num_hidden_layers", -1, "at least 0"),
    ("llama", "num_hidden_layers", 10**8, "at most 10,000"),
    ("llama", "vocab_size", 0, "at least 1"),
    ("llama", "vocab_size", "50", "a whole number"),
    ("llama", "max_position_embeddings", "x", "a whole number"),
    ("llama", "intermediate_size", -3, "at least 1"),
    ("llama", "head_dim", "4", "a whole number"),
    ("llama", "rms_norm_eps", -1, "at least 0"),
    ("llama", "rms_norm_eps", float("nan"), "finite"),
    ("llama", "rms_norm_eps", 10**400, "finite"),
    ("llama", "rope_theta", "x", "finite number above 1"),
    ("llama", "rope_theta", 0, "above 1"),
    ("llama", "rope_scaling", [1], "an object"),
    ("llama", "rope_scaling", [], "an object"),
    ("llama", "rope_parameters", "linear", "an object"),
    ("llama", "rope_scaling", {"type": ["linear"]}, "rope_type=['linear']"),
    ("llama", "rope_scaling", {**SCALED, "factor": 0}, "rope_scaling.factor=0"),
    ("llama", "rope_scaling", {**SCALED, "factor": "2"}, "rope_scaling.factor='2'"),
    ("llama", "rope_parameters", {"rope_theta": 0}, "rope_parameters.rope_theta=0"),
    ("llama", "rope_scaling", {**LLAMA3, "high_freq_factor": 1}, "low_freq_factor=1.0 must be below"),
    ("llama", "rope_scaling", {**LLAMA3, "original_max_position_embeddings": "8"}, "rope_scaling.original"),
    ("llama", "original_max_position_embeddings", -1, "at least 1"),
    ("llama", "rope_scaling", {**SCALED, "type": "yarn", "truncate": 1}, "true or false"),
    ("llama", "architectures", 5, "a list of class names"),
    ("llama", "architectures", "LlamaForCausalLM", "a list of class names"),
    ("llama", "architectures", [["LlamaForCausalLM"]], "a list of class names"),
    ("llama", "hidden_act", ["silu"], "hidden_act=['silu']"),
    ("llama", "tie_word_embeddings", "yes", "true or false"),
    ("llama", "attention_bias", 1, "true or false"),
    ("llama", "eos_token_id", ["a"], "an id or a list of ids"),
    ("llama", "bos_token_id", [1], "a whole number"),
    ("gpt2", "summary_activation", "relu", "tanh"),
    ("mixtral", "num_local_experts", 10**9, "at most 10,000"),
    ("mixtral", "num_experts_per_tok", "2", "a whole number"),
    ("mixtral", "router_aux_loss_coef", None, "router_aux_loss_coef"),
    ("jamba", "attn_layer_period", 0, "at least 1"),
    ("jamba", "expert_layer_period", 0, "at least 1"),
    ("jamba", "mamba_dt_rank", "all", "'auto' or"),
    ("mamba", "expand", "2", "finite number above 0"),
    ("mamba", "conv_kernel", 0, "at least 1"),
    ("mamba2", "time_step_limit", 3, "two numbers"),
    ("mamba2", "time_step_limit", [0.0], "two numbers"),
    ("mamba2", "time_step_limit", [2.0, 1.0], "two numbers"),
    ("linear_ssm", "discretisation", "exact", "'zoh'"),
    ("linear_ssm", "time_step", float("inf"), "finite"),
]  # fmt: skip


@pytest.mark.parametrize(("family", "field", "value", "words"), BAD_VALUES)
def test_bad_values_are_refused_by_field(family: str, field: str, value: Any, words: str) -> None:
    start = time.perf_counter()
    with pytest.raises(nn.ConfigError) as error:
        nn.config_from_json({**CONFIGS[family], field: value})
    assert field in str(error.value)
    assert words in str(error.value)
    assert time.perf_counter() - start < 5


def test_a_config_that_is_no_object() -> None:
    with pytest.raises(nn.ConfigError, match="not a list"):
        nn.config_from_json([])  # type: ignore[arg-type]


def test_zero_is_a_value_in_both_rope_dialects() -> None:
    given = {"type": "yarn", "factor": 2.0, "beta_fast": 0}
    with pytest.raises(nn.ConfigError, match="beta_fast=0 must be a finite number above 0"):
        nn.config_from_json({**CONFIGS["llama"], "rope_scaling": given})


@pytest.mark.parametrize(("field", "value"), [("num_labels", "x"), ("id2label", 3)])
def test_labels_that_cannot_be_counted(field: str, value: Any) -> None:
    bert = {"model_type": "bert", "architectures": ["BertForSequenceClassification"]}
    with pytest.raises(nn.ConfigError, match=field):
        parameters({**bert, field: value})
    assert parameters({**bert, "num_labels": 3}) - parameters(bert) == 769


def test_as_many_layers_as_are_allowed_cost_nothing(tmp_path: Path) -> None:
    """A config of many more layers than the file holds ends at the first tensor that is missing."""
    for name in ("config.json", "model.safetensors"):
        shutil.copy(GOLDEN / "llama_gqa" / name, tmp_path)
    raw = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**raw, "num_hidden_layers": 10_000}))
    start = time.perf_counter()
    with pytest.raises(nn.WeightsError, match="is missing"):
        nn.load(tmp_path)
    assert time.perf_counter() - start < 5
