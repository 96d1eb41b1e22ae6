"""Damaged weight files, indexes and configs: each is a typed error that names what is wrong."""

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from bpetok import nn
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


def test_nested_without_end(tmp_path: Path) -> None:
    for name in ("config.json", "modules.json"):
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        (tmp_path / name).write_text("[" * 200_000)
        with pytest.raises(nn.ConfigError, match=name):
            nn.load(tmp_path)
