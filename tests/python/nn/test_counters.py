"""Counts that are known from papers and checkpoints, and counts against models that are really there."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bpetok.nn import load, random_model
from bpetok.nn.counters import (
    active_parameters,
    parameter_table,
    parameters,
    state_bytes,
    weight_bytes,
)
from bpetok.nn.errors import ConfigError, InputError
from bpetok.nn.operations import flops
from bpetok.nn.quant_model import named_weights, quantize_model
from bpetok.nn.read_config import config_from_json
from bpetok.nn.safetensors import read_folder
from nn.oracles import GOLDEN

GPT3 = {"model_type": "gpt2", "n_layer": 96, "n_embd": 12288, "n_head": 96, "n_positions": 2048}
LLAMA3 = {
    "model_type": "llama",
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "rope_theta": 500000.0,
}
TRANSFORMER = {
    "model_type": "transformer",
    "vocab_size": 37000,
    "d_model": 512,
    "max_position_embeddings": 512,
    **{f"{side}_layers": 6 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 8 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 2048 for side in ("encoder", "decoder")},
}
BART = {
    "model_type": "bart",
    "d_model": 768,
    **{f"{side}_layers": 6 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 12 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 3072 for side in ("encoder", "decoder")},
}
MAMBA_130M = {
    "model_type": "mamba",
    "hidden_size": 768,
    "num_hidden_layers": 24,
    "vocab_size": 50280,
}
MAMBA_3B = {
    "model_type": "mamba",
    "hidden_size": 2560,
    "num_hidden_layers": 64,
    "vocab_size": 50280,
}
MAMBA2_130M = {
    "model_type": "mamba2",
    "hidden_size": 768,
    "num_hidden_layers": 24,
    "vocab_size": 50288,
    "num_heads": 24,
    "n_groups": 1,
    "tie_word_embeddings": True,
}
# What `sum(p.numel() for p in model.parameters())` says of the class that each config names.
KNOWN = {
    "GPT-1, 117 M in its paper": ({"model_type": "openai-gpt"}, 116_534_784),
    "GPT-2, 124 M": ({"model_type": "gpt2"}, 124_439_808),
    "GPT-2 XL, 1.5 B": (
        {"model_type": "gpt2", "n_embd": 1600, "n_layer": 48, "n_head": 25},
        1_557_611_200,
    ),
    "GPT-3, 175 B": (GPT3, 174_604_259_328),
    "Llama 2 7B": ({"model_type": "llama"}, 6_738_415_616),
    "Llama 3 8B": (LLAMA3, 8_030_261_248),
    "Mistral 7B": ({"model_type": "mistral"}, 7_241_732_096),
    "Mixtral 8x7B": ({"model_type": "mixtral"}, 46_702_792_704),
    "Jamba": ({"model_type": "jamba"}, 51_570_323_328),
    "Mamba 130M": (MAMBA_130M, 129_135_360),
    "Mamba 2.8B": (MAMBA_3B, 2_768_345_600),
    "Mamba-2 130M": (MAMBA2_130M, 128_989_632),
    "BERT base": ({"model_type": "bert"}, 109_482_240),
    "BERT base for pretraining": (
        {"model_type": "bert", "architectures": ["BertForPreTraining"]},
        110_106_428,
    ),
    "BERT base, two labels": (
        {"model_type": "bert", "architectures": ["BertForSequenceClassification"]},
        109_483_778,
    ),
    "Transformer base": (TRANSFORMER, 63_082_496),
    "BART base": (BART, 139_420_416),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_sizes(name: str) -> None:
    config, expected = KNOWN[name]
    assert parameters(config) == expected
    assert sum(parameter_table(config).values()) == expected


def test_a_mixture_counts_all_experts_and_uses_some() -> None:
    assert (
        round(active_parameters({"model_type": "mixtral"}) / 1e9, 1) == 12.9
    )  # arXiv:2401.04088: 13 B
    assert active_parameters(LLAMA3) == parameters(LLAMA3)


CHECKPOINTS = (
    *(
        "bert_tiny",
        "gpt2_tied",
        "llama_bf16_shards",
        "llama_gqa",
        "mamba1",
        "mistral_swa",
        "mixtral_moe",
    ),
    "transformer2017",
)


@pytest.mark.parametrize("family", CHECKPOINTS)
def test_a_checkpoint_has_as_many_numbers_as_its_config_says(family: str) -> None:
    config = json.loads((GOLDEN / family / "config.json").read_text())
    tensors = read_folder(GOLDEN / family)
    skip = {"final_logits_bias", "cls.predictions.decoder.bias"}  # not trained; the same as another
    if config.get("tie_word_embeddings", True):
        skip |= {"lm_head.weight", "cls.predictions.decoder.weight"}
    if "model.shared.weight" in tensors:
        skip |= {f"model.{side}.embed_tokens.weight" for side in ("encoder", "decoder")}
    kept = [
        name for name in tensors if name not in skip and not name.endswith("embed_positions.weight")
    ]
    assert parameters(config) == sum(tensors[name].size for name in kept)


@pytest.mark.parametrize("name", ["bart", "bart_scaled", "marian_apart", "marian_apart_tied"])
def test_tables_of_two_stacks_count_as_often_as_there_are(name: str) -> None:
    model = load(GOLDEN / "made" / name)
    config = json.loads((GOLDEN / "made" / name / "config.json").read_text())
    assert parameters(config) == model.nbytes // 4 - model.heads["head.b"].size


SMALL = {
    "gpt2": {
        "model_type": "gpt2",
        "vocab_size": 96,
        "n_embd": 64,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 64,
    },
    "mistral": {
        "model_type": "mistral",
        "vocab_size": 96,
        "hidden_size": 64,
        "intermediate_size": 96,
        "sliding_window": 5,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
    "mixtral": {
        "model_type": "mixtral",
        "vocab_size": 96,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_local_experts": 4,
    },
    "mamba": {"model_type": "mamba", "vocab_size": 96, "hidden_size": 64, "num_hidden_layers": 2},
    "mamba2": {
        "model_type": "mamba2",
        "vocab_size": 96,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_heads": 4,
        "head_dim": 32,
        "state_size": 16,
        "n_groups": 2,
    },
    "linear_ssm": {
        "model_type": "linear_ssm",
        "vocab_size": 96,
        "hidden_size": 64,
        "num_hidden_layers": 2,
    },
    "jamba": {
        "model_type": "jamba",
        "vocab_size": 96,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_experts": 4,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
    },
}


@pytest.mark.parametrize("family", SMALL)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_states_take_as_many_bytes_as_counted(family: str, dtype: str) -> None:
    model = random_model(config_from_json(SMALL[family]), dtype=dtype)
    state = None
    for read in (3, 9, 17):
        _, state = model(
            np.zeros((2, read - (int(state.lengths[0]) if state else 0)), np.int64), state
        )
        assert state.nbytes == state_bytes(SMALL[family], read, batch=2, dtype=dtype)


@pytest.mark.parametrize("family", SMALL)
def test_weights_take_as_many_bytes_as_counted(family: str) -> None:
    model = random_model(config_from_json(SMALL[family]))
    model = model.map_weights(lambda name, weight: weight)
    extra = sum(w.nbytes for name, w in named_weights(model) if name.startswith("heads.classifier"))
    assert weight_bytes(SMALL[family]) == model.nbytes - extra == 4 * parameters(SMALL[family])
    for format in ("q8_0", "q4_1"):
        assert weight_bytes(SMALL[family], format) == quantize_model(model, format).nbytes - extra


def test_operations_of_known_models() -> None:
    gpt2 = {"model_type": "gpt2"}
    body = 12 * 12 * 768**2  # 12 layers of 4 + 8 square matrices
    step = flops(gpt2, 1, context=99)
    assert step.weights == 2 * (body + 50257 * 768)
    assert step.attention == 2 * 2 * 12 * 768 * 100
    assert flops(gpt2, 10).attention == 2 * 2 * 12 * 768 * 55
    assert flops(gpt2, 10, last_only=True).weights == 2 * (10 * body + 50257 * 768)
    # GPT-3's paper (arXiv:2005.14165, table D.1) counts 2 operations a parameter and token.
    assert flops(GPT3, 2048).total / (2 * parameters(GPT3) * 2048) == pytest.approx(1.0, abs=0.02)
    assert flops({"model_type": "mixtral"}, 1).weights / 2e9 == pytest.approx(12.9 - 0.13, abs=0.1)


@pytest.mark.parametrize("family", SMALL)
def test_operations_of_a_text_are_the_sum_of_its_steps(family: str) -> None:
    config = SMALL[family]
    steps = [flops(config, 1, context=n) for n in range(20)]
    assert flops(config, 20).total == sum(step.total for step in steps)
    assert flops(config, 12).total + flops(config, 8, context=12).total == flops(config, 20).total
    assert (steps[19].total > steps[9].total) == (
        "mamba" not in family and family not in ("mistral", "linear_ssm")
    )


def test_operations_of_any_number_of_tokens_are_reckoned_not_listed() -> None:
    """A list of them took memory by their number, and its sum wrapped around beyond 64 bits."""
    tokens = 10**13
    plain, narrow = flops(SMALL["mixtral"], tokens), flops(SMALL["mistral"], tokens)
    each = flops(SMALL["mixtral"], 1).attention
    assert plain.attention == each * (tokens * (tokens + 1) // 2)
    far = flops(SMALL["mistral"], 1, context=tokens)
    some = flops(SMALL["mistral"], 1000)
    assert narrow.attention - some.attention == far.attention * (tokens - 1000)


def test_a_window_limits_operations_and_bytes() -> None:
    config = {"model_type": "mistral", "sliding_window": 100}
    assert flops(config, 1, context=99) == flops(config, 1, context=5000)
    assert state_bytes(config, 100) == state_bytes(config, 5000) == 100 * state_bytes(config, 1)


def test_an_encoder_decoder_reads_its_source_once() -> None:
    first, later = flops(TRANSFORMER, 1, memory=50), flops(TRANSFORMER, 1, context=1, memory=50)
    keys = 2 * 6 * (2 * 512 * 512) * 50
    encoder = flops(config_from_json(TRANSFORMER).encoder, 50)
    assert first.weights - later.weights == keys + encoder.weights
    assert encoder.weights == 2 * 50 * 6 * (4 * 512**2 + 2 * 512 * 2048)
    assert encoder.attention == 6 * 2 * 2 * 512 * 50 * 50
    assert state_bytes(TRANSFORMER, 7, memory=50) == 4 * 2 * 6 * 512 * 57


def test_an_encoder_keeps_nothing_and_reads_whole_texts() -> None:
    bert = {"model_type": "bert"}
    assert state_bytes(bert, 100) == 0
    assert flops(bert, 100).attention == 12 * 4 * 768 * 100 * 100
    with pytest.raises(InputError, match="context=5"):
        flops(bert, 1, context=5)


def test_what_cannot_be_counted_is_an_error() -> None:
    gpt2 = {"model_type": "gpt2"}
    for call, match in [
        (lambda: weight_bytes(gpt2, "int3"), "int3.*float64.*q4_0"),
        (lambda: state_bytes(gpt2, 1, dtype="q4_0"), "q4_0.*float16"),
        (lambda: flops(gpt2, -1), "new=-1"),
        (lambda: flops(gpt2, 1, memory=3), "memory=3.*gpt2 has no encoder"),
    ]:
        with pytest.raises(InputError, match=match):
            call()
    with pytest.raises(ConfigError, match="model_type"):
        parameters({"model_type": "rwkv"})
