"""Sentence vectors, and the folders that sentence-transformers writes in every dialect that is about."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bpetok import nn
from nn.models import tiny
from nn.oracles import GOLDEN, close, distance

BARE = GOLDEN / "made" / "bert_bare"  # BertModel: no prefix, with a pooler
IDS = np.array([[5, 6, 7, 8], [9, 10, 0, 0]])
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]])


def listed(*modules: tuple[str, str]) -> str:
    """A modules.json of (class, folder)."""
    return json.dumps(
        [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (kind, path) in enumerate(modules)
        ]
    )


def folder(
    path: Path, tensors: dict[str, NDArray[Any]], inner: str = "", dtype: str = "float32"
) -> Path:
    """A folder as sentence-transformers lays it out, its network in `inner`."""
    home = path / inner
    home.mkdir(parents=True, exist_ok=True)
    config = json.loads((BARE / "config.json").read_text())
    old = {"gradient_checkpointing": False, "position_embedding_type": "absolute"}
    (home / "config.json").write_text(json.dumps(config | old | {"architectures": ["BertModel"]}))
    nn.write_safetensors(
        home / "model.safetensors",
        {k: v.astype(dtype) if v.dtype.kind == "f" else v for k, v in tensors.items()},
    )
    (path / "modules.json").write_text(
        listed(("Transformer", inner), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))
    )
    (path / "1_Pooling").mkdir()
    (path / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    return path


def tensors() -> dict[str, NDArray[Any]]:
    return dict(nn.read_safetensors(BARE / "model.safetensors"))


def prefixed(tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {f"bert.{name}": array for name, array in tensors.items()}


def without_pooler(tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: array for name, array in tensors.items() if "pooler" not in name}


def with_buffers(tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    position = next(name for name in tensors if name.endswith("position_embeddings.weight"))
    home = position.removesuffix("position_embeddings.weight")
    return tensors | {
        f"{home}position_ids": np.arange(32)[None],
        f"{home}token_type_ids": np.zeros((1, 32), np.int64),
    }


def spelled_as_tensorflow(tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): array
        for name, array in tensors.items()
    }


@pytest.mark.parametrize("inner", ["", "0_Transformer"])
@pytest.mark.parametrize(
    "changes",
    [(), (prefixed,), (without_pooler,), (with_buffers,), (prefixed, without_pooler, with_buffers), (spelled_as_tensorflow,)],
    ids=["bare", "prefix", "no pooler", "buffers", "all three", "gamma and beta"],
)  # fmt: skip
def test_every_dialect_gives_the_same_vectors(
    tmp_path: Path, changes: tuple[Any, ...], inner: str
) -> None:
    plain = nn.load(BARE, dtype="float64")
    hidden = plain.encode(IDS, MASK)
    mean = np.stack([hidden[0].mean(0), hidden[1, :2].mean(0)])
    named = tensors()
    for change in changes:
        named = change(named)
    model = nn.load(folder(tmp_path / "x", named, inner), dtype="float64")
    close(model.embed(IDS, MASK, pooling="mean", normalize=False), mean)
    vectors = model.embed(IDS, MASK, token_types=np.zeros_like(IDS))
    close(vectors, mean / np.linalg.norm(mean, axis=1, keepdims=True))
    assert nn.load_config(tmp_path / "x") == model.config


def test_half_precision_is_widened(tmp_path: Path) -> None:
    half = nn.load(folder(tmp_path / "x", tensors(), dtype="float16"))
    whole = nn.load(BARE)
    assert half.embed(IDS, MASK).dtype == np.float32
    assert np.abs(half.embed(IDS, MASK) - whole.embed(IDS, MASK)).max() < 5e-3


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "not json",
        '[{"path": "inner"}]',
        '[{"path": "../elsewhere", "type": "Transformer"}]',
        '[{"path": 3, "type": "Transformer"}]',
    ],
)
def test_a_folder_without_a_network_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "modules.json").write_text(text)
    with pytest.raises(nn.ConfigError, match=r"modules\.json"):
        nn.load(tmp_path)


@pytest.mark.parametrize("inner", ["", "0_Transformer"])
@pytest.mark.parametrize("kind", ["Dense", "WordWeights", "StaticEmbedding"])
def test_modules_that_would_be_left_out_are_refused(tmp_path: Path, kind: str, inner: str) -> None:
    home = folder(tmp_path / "x", tensors(), inner)
    modules = (("Transformer", inner), ("Pooling", "1_Pooling"), (kind, "2"))
    (home / "modules.json").write_text(listed(*modules))
    for call in (nn.load, nn.load_config):
        with pytest.raises(nn.ConfigError, match=rf"modules\.json: .*models\.{kind} is not one of"):
            call(home)


def test_sentence_vectors() -> None:
    settings = {
        "model_type": "bert",
        "hidden_size": 16,
        "num_attention_heads": 4,
        "num_hidden_layers": 1,
        "vocab_size": 20,
    }
    model = nn.random_model(
        nn.config_from_json({**settings, "intermediate_size": 8}), 0, "float64", 0.5
    )
    ids, mask = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8]]), np.array([[1, 1, 1, 0, 0], [1] * 5])
    vectors = model.embed(ids, mask)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert distance(vectors[:1], model.embed(ids[:1, :3])) < 1e-14
    hidden = model.encode(ids, mask)
    assert distance(model.embed(ids, mask, normalize=False)[0], hidden[0, :3].mean(0)) < 1e-14
    assert distance(model.embed(ids, mask, pooling="cls", normalize=False), hidden[:, 0]) == 0
    assert (
        distance(model.embed(ids, mask, pooling="max", normalize=False)[0], hidden[0, :3].max(0))
        == 0
    )
    assert distance(model.embed(ids, mask, pooling="last", normalize=False)[0], hidden[0, 2]) == 0
    with pytest.raises(nn.InputError, match="median"):
        model.embed(ids, mask, pooling="median")
    with pytest.raises(nn.WeightsError, match="masked-language-model"):
        nn.from_weights(type(model.weights)(model.weights.stack, {})).mlm(hidden)


def test_a_decoder_embeds_as_an_encoder_does() -> None:
    model = tiny("llama")
    hidden = model.hidden([[4, 5, 6]])[0][0]
    got = model.embed([[0, 4, 5, 6]], [[0, 1, 1, 1]], None, "mean", False)
    assert distance(got[0], hidden.mean(0)) < 1e-14
    with pytest.raises(nn.InputError, match="llama has no token types"):
        model.embed([[4]], token_types=[[0]])
