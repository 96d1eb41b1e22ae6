"""Blocks against the `gguf` package, bit by bit; products against dequantised matrices; whole models and their files."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from bpetok.nn import Config, load, random_model
from bpetok.nn.errors import ConfigError, Error, InputError, WeightsError
from bpetok.nn.quant import BLOCK_BYTES, FEW, QuantizedMatrix, linear, matvec, quantize
from bpetok.nn.quant_files import collect_quantized, save
from bpetok.nn.quant_model import QuantizedExperts, compare, measure, named_weights, quantize_model
from bpetok.nn.read_config import config_from_json
from bpetok.nn.safetensors import read_folder, write_safetensors

FORMATS = list(BLOCK_BYTES)
LLAMA = {
    "model_type": "llama",
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
MODELS = {
    "llama": LLAMA,
    "gpt2": {
        "model_type": "gpt2",
        "vocab_size": 96,
        "n_embd": 64,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 40,
    },
    "mixtral": {**LLAMA, "model_type": "mixtral", "num_local_experts": 4},
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
}


def matrices() -> dict[str, np.ndarray]:
    """Weights of many kinds, all float32 `[*, 64]`."""
    rng = np.random.default_rng(5)
    normal = rng.standard_normal((400, 64)).astype(np.float32)
    return {
        "normal": normal,
        "tiny": normal * np.float32(1e-7),
        "subnormal": normal * np.float32(1e-41),
        "large": normal * np.float32(1e4),
        "every size": (normal * 2.0 ** rng.integers(-30, 14, (400, 1))).astype(np.float32),
        "heavy tails": (normal**5).astype(np.float32),
        "uniform": rng.random((400, 64), np.float32),
        "few values": rng.choice(np.float32([-1, -0.5, 0.25, 0, 1, 3]), (400, 64)),
        "ties": (rng.integers(-255, 256, (400, 64)) / np.float32(2)).astype(np.float32),
        "bfloat16": (normal.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32),
        "constant": np.repeat(normal[:, :1], 64, axis=1),
        "one weight": np.where(np.arange(64) == 7, normal, 0).astype(np.float32),
        "zeros": np.zeros((3, 64), np.float32),
    }


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_blocks_are_those_of_gguf(format: str) -> None:
    gguf = pytest.importorskip(
        "gguf", reason="the gguf package is not installed: uv pip install gguf"
    )
    kind = getattr(gguf.GGMLQuantizationType, format.upper())
    for name, weights in matrices().items():
        q = quantize(weights, format)
        if name != "subnormal":  # 1 / scale overflows, and gguf's casts of infinity are undefined
            np.testing.assert_array_equal(q.blocks, gguf.quantize(weights, kind), err_msg=name)
        np.testing.assert_array_equal(q.dequantize(), gguf.dequantize(q.blocks, kind), err_msg=name)


@pytest.mark.parametrize("format", FORMATS)
def test_any_bytes_dequantise_as_in_gguf(format: str) -> None:
    gguf = pytest.importorskip(
        "gguf", reason="the gguf package is not installed: uv pip install gguf"
    )
    blocks = np.random.default_rng(1).integers(0, 256, (500, 2 * BLOCK_BYTES[format]), np.uint8)
    with np.errstate(invalid="ignore"):
        expected = gguf.dequantize(blocks, getattr(gguf.GGMLQuantizationType, format.upper()))
    np.testing.assert_array_equal(QuantizedMatrix(blocks, format).dequantize(), expected)


@pytest.mark.parametrize("format", FORMATS)
def test_scales_round_as_numpy_rounds_to_half(format: str) -> None:
    """A block of one value stores it, or a fixed fraction of it, in half precision."""
    bits = np.random.default_rng(2).integers(0, 2**32, 20_000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = values[np.abs(values) < 60_000]  # drops NaN too
    divisor = {"q8_0": 127, "q5_0": -16, "q4_1": 1, "q4_0": -8}[format]
    scales = ((np.abs(values) if format == "q8_0" else values) / np.float32(divisor)).astype(
        np.float16
    )
    blocks = quantize(np.repeat(values[:, None], 32, axis=1), format).blocks
    at = 2 if format == "q4_1" else 0
    np.testing.assert_array_equal(
        blocks[:, at : at + 2].copy().view(np.uint16)[:, 0], scales.view(np.uint16)
    )


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("rows", [1, 2, FEW, FEW + 1, 50])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_are_those_of_the_dequantised_matrix(format: str, rows: int, dtype: type) -> None:
    rng = np.random.default_rng(rows)
    q = quantize(rng.standard_normal((300, 192)).astype(np.float32), format)
    x = rng.standard_normal((rows, 192)).astype(dtype)
    y = x @ q.T
    assert y.dtype == dtype
    assert y.shape == (rows, 300)
    exact = x.astype(np.float64) @ q.dequantize().astype(np.float64).T
    assert np.abs(y - exact).max() <= (1e-13 if dtype == np.float64 else 2e-6) * np.abs(exact).max()


def test_shapes_of_products() -> None:
    q = quantize(np.random.default_rng(0).standard_normal((5, 32)).astype(np.float32), "q4_0")
    x = np.ones((2, 3, 32), np.float32)
    assert linear(x, q).shape == (2, 3, 5)
    assert (x @ q.T).shape == (2, 3, 5)
    assert matvec(q, x[0, 0]).shape == (5,)
    np.testing.assert_array_equal(matvec(q, x[0, 0]), linear(x, q)[0, 0])
    assert linear(x[:, :0], q).shape == (2, 0, 5)
    assert linear(x, quantize(np.empty((0, 32), np.float32))).shape == (2, 3, 0)
    assert q.T.shape == (32, 5)
    assert q.T.T is q
    assert len(q) == 5
    transposed = np.asfortranarray(np.ones((3, 32), np.float32))
    np.testing.assert_array_equal(transposed @ q.T, linear(x, q)[0])


def test_threads_change_no_bit() -> None:
    weights = np.random.default_rng(3).standard_normal((3001, 1024)).astype(np.float32)
    x = np.random.default_rng(4).standard_normal((3, 1024)).astype(np.float32)
    alone = x @ quantize(weights, "q5_0", threads=1).T
    for threads in (2, 3, 64):
        np.testing.assert_array_equal(x @ quantize(weights, "q5_0", threads=threads).T, alone)


def test_rows_are_looked_up() -> None:
    q = quantize(np.random.default_rng(0).standard_normal((10, 64)).astype(np.float32), "q4_1")
    ids = np.array([[3, 9, 3], [0, 1, 2]])
    np.testing.assert_array_equal(q[ids], q.dequantize()[ids])
    np.testing.assert_array_equal(q[4], q.dequantize()[4])
    assert q[np.empty((2, 0), np.int64)].shape == (2, 0, 64)


def test_measured_errors_are_those_of_the_formats() -> None:
    weights = np.random.default_rng(0).standard_normal((256, 512)).astype(np.float32)
    errors = {format: measure(weights, quantize(weights, format)) for format in FORMATS}
    expected = {
        "q8_0": 0.00536,
        "q5_0": 0.0428,
        "q4_1": 0.0773,
        "q4_0": 0.0857,
    }  # of normal weights
    for format, error in errors.items():
        assert error.relative == pytest.approx(expected[format], rel=0.05)
        assert error.rms == pytest.approx(error.relative, rel=0.01)
        assert error.largest < 8 * error.rms
        assert error.bits_per_weight == BLOCK_BYTES[format] / 4


def test_what_cannot_be_is_refused_with_value_limit_and_cure() -> None:
    good = np.ones((2, 32), np.float32)
    for bad, match in [
        (np.ones((2, 33), np.float32), "33.*32.*pad"),
        (np.ones(32, np.float32), r"float matrix.*\[32\]"),
        (np.ones((2, 32), np.int64), "int64"),
        (np.full((2, 32), np.nan, np.float32), "weight 0 is NaN.*524032.*unquantised"),
        (np.full((2, 32), 1e9, np.float32), "weight 0 is 1000000000.*524032"),
    ]:
        with pytest.raises(Error, match=match):
            quantize(bad, "q4_0")
    with pytest.raises(InputError, match=r"q4_k.*q8_0, q5_0, q4_1, q4_0"):
        quantize(good, "q4_k")
    with pytest.raises(InputError, match=r"threads=0"):
        quantize(good, threads=0)
    with pytest.raises(InputError, match=r"multiple of 18.*\[2, 17\]"):
        QuantizedMatrix(np.zeros((2, 17), np.uint8), "q4_0")
    q = quantize(good)
    with pytest.raises(InputError, match=r"\.\.\., 32\].*\[1, 31\]"):
        linear(np.ones((1, 31), np.float32), q)
    with pytest.raises(InputError, match="float16"):
        linear(np.ones((1, 32), np.float16), q)
    with pytest.raises(InputError, match="one vector"):
        matvec(q, np.ones((1, 32), np.float32))


@pytest.mark.parametrize("end", ["nope", "mbed", "final_norm.w", "layers.9.mix.qkv.w"])
def test_overrides_that_name_no_matrix_are_refused(end: str) -> None:
    model = random_model(config_from_json(MODELS["llama"]))
    with pytest.raises(InputError, match=f"'{end}'.*mix.qkv.w"):
        quantize_model(model, overrides={"embed": "q8_0", end: "q8_0"})
    narrow = random_model(Config("linear_ssm", vocab_size=3, width=2, layers=0, tied=True))
    with pytest.raises(InputError, match="there are none"):
        quantize_model(narrow, overrides={"embed": "q8_0"})


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_quantised_model_runs_like_one_with_the_same_weights(family: str, dtype: str) -> None:
    model = random_model(config_from_json(MODELS[family]), seed=1, dtype=dtype, scale=0.2)
    small = quantize_model(model, "q4_0", overrides={"embed": "q8_0"})
    assert small.nbytes < 0.5 * model.nbytes

    def unpack(name: str, weight: object) -> object:
        if isinstance(weight, QuantizedExperts):
            return np.stack([matrix.dequantize() for matrix in weight.matrices])
        return weight.dequantize() if isinstance(weight, QuantizedMatrix) else weight

    ids = np.random.default_rng(0).integers(0, 96, (2, 21))
    expected = small.map_weights(unpack)(ids)[0]
    whole, _ = small(ids)
    assert whole.dtype == np.dtype(dtype)
    tolerance = (2e-5 if dtype == "float32" else 1e-12) * np.abs(expected).max()
    assert np.abs(whole - expected).max() <= tolerance
    state, steps = None, []
    for at in range(0, 21, 3):  # few enough rows to be multiplied in Rust
        logits, state = small(ids[:, at : at + 3], state)
        steps.append(logits)
    assert np.abs(np.concatenate(steps, 1) - expected).max() <= tolerance
    assert (
        np.abs(expected - model(ids)[0]).max() > tolerance
    )  # the blocks are not the weights themselves


def test_which_weights_become_blocks() -> None:
    model = quantize_model(
        random_model(config_from_json(MODELS["mixtral"])),
        overrides={"layers.1.ffn.experts.up.w": "q8_0"},
    )
    kinds = {name: getattr(weight, "format", None) for name, weight in named_weights(model)}
    assert kinds["embed"] == kinds["layers.0.mix.qkv.w"] == kinds["heads.head.w"] == "q4_0"
    assert kinds["layers.0.ffn.experts.up.w"] == "q4_0"
    assert kinds["layers.1.ffn.experts.up.w"] == "q8_0"
    assert kinds["layers.0.ffn.router.w"] is kinds["layers.0.mix.norm.w"] is None


@pytest.mark.parametrize("family", MODELS)
def test_a_saved_model_comes_back_bit_by_bit(family: str, tmp_path) -> None:
    config = config_from_json(MODELS[family])
    small = quantize_model(random_model(config), "q4_1", overrides={"embed": "q8_0"})
    save(small, tmp_path, MODELS[family])
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["model_type"] == MODELS[family]["model_type"]
    assert written["quantization_config"]["tensors"]["embed"] == "q8_0"
    ids = np.arange(12)[None]
    np.testing.assert_array_equal(load(tmp_path)(ids)[0], small(ids)[0])


def test_a_save_that_fails_leaves_the_older_model(tmp_path, monkeypatch) -> None:
    small = quantize_model(random_model(config_from_json(LLAMA)))
    save(small, tmp_path, LLAMA)
    older = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(TypeError, match="serializable"):
        save(small, tmp_path, {**LLAMA, "odd": object()})
    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match=r"No space.*model\.safetensors"):
        save(small, tmp_path, LLAMA)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == older


def test_a_config_of_another_model_is_refused_before_anything_is_written(tmp_path) -> None:
    small = quantize_model(random_model(config_from_json(LLAMA)))
    folder = tmp_path / "small"
    for config, match in [
        (MODELS["mamba2"], "not that of this model.*family='mamba2', and the model has 'llama'"),
        ({}, "model_type=None"),
        (None, "not a NoneType"),
        ({**LLAMA, "rope_theta": 5.0}, r"rope\.theta=5\.0, and the model has 10000\.0.*made from"),
        ({**LLAMA, "vocab_size": 97}, "vocab_size=97, and the model has 96"),
    ]:
        with pytest.raises(ConfigError, match=match):
            save(small, folder, config)
    altered = small.map_weights(lambda name, w: w[:9] if name == "final_norm.w" else w)
    with pytest.raises(WeightsError, match=r"final_norm\.w .*\[9\]"):
        save(altered, folder, LLAMA)
    assert not folder.exists()
    save(small, folder, LLAMA)
    again = json.loads((folder / "config.json").read_text())  # with its quantization_config
    save(load(folder), tmp_path / "again", again)
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_a_file_that_does_not_fit_is_refused_by_name(tmp_path) -> None:
    config = config_from_json(LLAMA)
    save(quantize_model(random_model(config)), tmp_path, LLAMA)
    setting = json.loads((tmp_path / "config.json").read_text())["quantization_config"]
    tensors = dict(read_folder(tmp_path))

    def refused(
        match: str, setting=setting, kind: type = WeightsError, **changed: np.ndarray | None
    ) -> None:
        changed = {name.replace("__", "."): array for name, array in changed.items()}
        now = {name: array for name, array in (tensors | changed).items() if array is not None}
        with pytest.raises(kind, match=match):
            collect_quantized(config, now, setting)

    refused(r"layers.0.mix.qkv.w is missing.*\[128, 64\]", layers__0__mix__qkv__w=None)
    refused(r"embed \(q4_0\) has shape \[95, 36\].*\[96, 64\]", embed=tensors["embed"][:95])
    refused(
        r"embed \(q4_0\) has shape \[96, 35\]", embed=np.ascontiguousarray(tensors["embed"][:, :35])
    )
    refused(r"embed \(q4_0\) has shape", embed=np.zeros((96, 64), np.float32))
    refused("tensor extra has no place", extra=np.zeros(3, np.float32))
    refused("gptq.*must be 'bpetok'", {**setting, "quant_method": "gptq"}, ConfigError)
    refused("version=2 is newer", {**setting, "version": 2}, ConfigError)
    refused("tensors must map", {**setting, "tensors": "q4_0"}, ConfigError)
    refused("q9_0.*unknown", {**setting, "tensors": {"embed": "q9_0"}}, InputError)
    refused(
        "uint8 but .* no format",
        {**setting, "tensors": {}},
        WeightsError,
        embed=np.zeros((96, 64), np.uint8),
    )
    with pytest.raises(InputError, match="quantize_model first"):
        save(random_model(config), tmp_path, LLAMA)
    foreign = {**LLAMA, "quantization_config": {"quant_method": "awq"}}
    (tmp_path / "config.json").write_text(json.dumps(foreign))
    with pytest.raises(ConfigError, match="awq"):
        load(tmp_path)
    write_safetensors(tmp_path / "model.safetensors", {})


def test_blocks_are_not_rounded_again() -> None:
    scored: list[object] = []
    for family in ("llama", "mixtral"):
        small = quantize_model(random_model(config_from_json(MODELS[family])), "q4_0")
        for call, words in (
            (lambda m: quantize_model(m, "q8_0"), "in q4_0 already.*to q8_0: take the model"),
            (lambda m: quantize_model(m, "q4_0"), "in q4_0 already.*to q4_0"),
            (lambda m: quantize_model(m, "q4_0", overrides={"embed": "q8_0"}), "to q4_0, q8_0"),
            (lambda m: compare(m, lambda m: scored.append(m) or 0.0, ["q5_0"]), "to q5_0"),
        ):
            with pytest.raises(InputError, match=words):
                call(small)
    assert not scored  # which may take minutes


def test_half_a_head_is_refused(tmp_path) -> None:
    bert = {"model_type": "bert", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 1}
    bert |= {"num_attention_heads": 2, "intermediate_size": 32}
    config = config_from_json(bert)
    save(quantize_model(random_model(config)), tmp_path, bert)
    setting = json.loads((tmp_path / "config.json").read_text())["quantization_config"]
    tensors = dict(read_folder(tmp_path))
    for name in ("pool.b", "nsp.b", "mlm.b", "mlm_norm.w", "head.b"):
        part = {full: array for full, array in tensors.items() if full != f"heads.{name}"}
        with pytest.raises(WeightsError, match=rf"heads\.{name} is missing"):
            collect_quantized(config, part, setting)


def test_compare_tells_bytes_error_and_change() -> None:
    model = random_model(config_from_json(LLAMA), scale=0.2)
    ids = np.arange(30)[None]

    def loss(model) -> float:
        logits = model(ids)[0][0, :-1].astype(np.float64)
        logits -= logits.max(-1, keepdims=True)
        return float(-(logits[np.arange(29), ids[0, 1:]] - np.log(np.exp(logits).sum(-1))).mean())

    rows = compare(model, loss)
    assert [row.format for row in rows] == ["float32", "q8_0", "q5_0", "q4_1", "q4_0"]
    assert [row.nbytes for row in rows] == sorted((row.nbytes for row in rows), reverse=True)
    assert [row.relative_error for row in rows] == sorted(row.relative_error for row in rows)
    assert rows[0].change == 0
    assert 0 < abs(rows[1].change) < 0.05
    assert rows[4].relative_error == pytest.approx(0.092, rel=0.1)
