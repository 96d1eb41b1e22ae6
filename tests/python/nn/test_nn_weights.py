"""Tensors of a file: which are read, how, and which are refused by name."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpetok import nn
from nn.oracles import GOLDEN, close, distance, vectors


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "bool"])
def test_safetensors_round_trip(tmp_path: Path, dtype: str) -> None:
    arrays = {
        "a": np.arange(6).reshape(2, 3).astype(dtype),
        "b": np.ones((), dtype),
        "c": np.zeros((0, 4), dtype),
    }
    nn.write_safetensors(tmp_path / "x.safetensors", arrays)
    back = nn.read_safetensors(tmp_path / "x.safetensors")
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == dtype
        assert (back[name] == array).all()
        assert back[name].shape == array.shape
    with pytest.raises(ValueError, match="read-only"):
        back["a"][0, 0] = 1


def rewritten(tmp_path: Path, name: str, **changes: Any) -> Path:
    """A copy of a golden model with tensors replaced, added, or (None) removed."""
    tensors = dict(nn.read_safetensors(GOLDEN / name / "model.safetensors")) | changes
    nn.write_safetensors(
        tmp_path / "model.safetensors", {k: v for k, v in tensors.items() if v is not None}
    )
    shutil.copy(GOLDEN / name / "config.json", tmp_path)
    return tmp_path


def test_tensors_that_do_not_fit_are_named(tmp_path: Path) -> None:
    norm = "model.norm.weight"
    with pytest.raises(nn.WeightsError, match=norm + " is missing"):
        nn.load(rewritten(tmp_path, "llama_gqa", **{norm: None}))
    with pytest.raises(nn.WeightsError, match=r"model.norm.weight has shape \[31\]"):
        nn.load(rewritten(tmp_path, "llama_gqa", **{norm: np.ones(31, np.float32)}))
    extra = "model.layers.0.self_attn.q_norm.weight"
    with pytest.raises(nn.WeightsError, match=extra):
        nn.load(rewritten(tmp_path, "llama_gqa", **{extra: np.ones(8, np.float32)}))
    with pytest.raises(nn.WeightsError, match="output classifier"):
        nn.load(rewritten(tmp_path, "llama_gqa", **{"lm_head.weight": None}))([[1]])


def test_parts_of_a_joined_matrix_are_checked_one_by_one(tmp_path: Path) -> None:
    """Two of them can be wrong and have the right number of rows together."""
    llama, mixtral = "model.layers.1.", "model.layers.1.block_sparse_moe.experts.2."
    for name, shapes, bad in (
        ("llama_gqa", {"self_attn.q_proj": (16, 32), "self_attn.k_proj": (32, 32)}, r"q_proj.weight .*\[16, 32\].*\[32, 32\]"),
        ("llama_gqa", {"self_attn.k_proj": (8, 32), "self_attn.v_proj": (24, 32)}, r"k_proj.weight .*\[8, 32\].*\[16, 32\]"),
        ("llama_gqa", {"self_attn.v_proj": (16, 31)}, r"v_proj.weight .*\[16, 31\].*\[16, 32\]"),
        ("llama_gqa", {"mlp.gate_proj": (55, 32), "mlp.up_proj": (57, 32)}, r"gate_proj.weight .*\[55, 32\].*\[56, 32\]"),
        ("mixtral_moe", {"w1": (23, 32), "w3": (25, 32)}, r"experts.2.w1.weight .*\[23, 32\].*\[24, 32\]"),
        ("mixtral_moe", {"w2": (32, 25)}, r"experts.2.w2.weight .*\[32, 25\].*\[32, 24\]"),
    ):  # fmt: skip
        prefix = mixtral if name == "mixtral_moe" else llama
        changed = {f"{prefix}{n}.weight": np.ones(s, np.float32) for n, s in shapes.items()}
        with pytest.raises(nn.WeightsError, match=bad):
            nn.load(rewritten(tmp_path, name, **changed))


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "bool"])
def test_weights_that_are_no_floating_point_numbers_are_refused(tmp_path: Path, dtype: str) -> None:
    for name in ("model.norm.weight", "model.layers.0.self_attn.k_proj.weight"):
        array = nn.read_safetensors(GOLDEN / "llama_gqa" / "model.safetensors")[name]
        with pytest.raises(nn.WeightsError, match=f"{name} is {dtype}; weights must be float16"):
            nn.load(rewritten(tmp_path, "llama_gqa", **{name: array.astype(dtype)}))


BERT_HEADS = {
    "bert.pooler.dense": ("weight", "bias"),
    "cls.seq_relationship": ("weight", "bias"),
    "cls.predictions.transform.dense": ("weight", "bias"),
    "cls.predictions.transform.LayerNorm": ("weight", "bias"),
    "cls.predictions": ("bias",),
}
HALVES = [
    *(("bert_tiny", f"{n}.{part}") for n, parts in BERT_HEADS.items() for part in parts),
    ("made/bert_untied", "cls.predictions.decoder.weight"),
    *(("made/bert_classify", f"classifier.{part}") for part in ("weight", "bias")),
    *(("made/bart_classify", f"classification_head.{part}.bias") for part in ("dense", "out_proj")),
    *(("made/gpt2_heads", f"multiple_choice_head.summary.{p}") for p in ("weight", "bias")),
]


@pytest.mark.parametrize(("name", "tensor"), HALVES)
def test_half_a_head_is_refused(tmp_path: Path, name: str, tensor: str) -> None:
    assert tensor in nn.read_safetensors(GOLDEN / name / "model.safetensors")
    with pytest.raises(nn.WeightsError, match=f"{tensor}.* is missing, and the rest"):
        nn.load(rewritten(tmp_path, name, **{tensor: None}))


@pytest.mark.parametrize("head", ["bert.pooler", "cls.seq_relationship", "cls.predictions"])
def test_a_whole_head_may_be_left_out(tmp_path: Path, head: str) -> None:
    tensors = nn.read_safetensors(GOLDEN / "bert_tiny" / "model.safetensors")
    gone = [name for name in tensors if name.startswith(f"{head}.")]
    model = nn.load(rewritten(tmp_path, "bert_tiny", **dict.fromkeys(gone)))
    calls = {"bert.pooler": model.pool, "cls.seq_relationship": model.nsp, "cls.predictions": model.mlm}  # fmt: skip
    with pytest.raises(nn.WeightsError, match="this checkpoint has no"):
        calls[head](model.encode([[1, 2]]))


def test_old_buffers_and_tied_copies_are_skipped(tmp_path: Path) -> None:
    o = vectors("gpt2_tied")
    table = nn.read_safetensors(GOLDEN / "gpt2_tied" / "model.safetensors")[
        "transformer.wte.weight"
    ]
    buffers = {
        "transformer.h.0.attn.bias": np.ones((1, 1, 64, 64), np.float32),
        "transformer.h.0.attn.masked_bias": np.ones((), np.float32),
        "lm_head.weight": table,
    }
    folder = rewritten(tmp_path, "gpt2_tied", **buffers)
    close(nn.load(folder, "float64")(o["full.input_ids"])[0][0], o["full.logits"])
    assert nn.load(folder, "float32").nbytes == nn.load(GOLDEN / "gpt2_tied", "float32").nbytes


def test_a_tied_classifier_that_is_no_copy_is_refused(tmp_path: Path) -> None:
    table = nn.read_safetensors(GOLDEN / "gpt2_tied" / "model.safetensors")[
        "transformer.wte.weight"
    ]
    last = table.copy()
    last[-1, -1] += 1
    for head in (last, table[:-1], -table):
        folder = rewritten(tmp_path, "gpt2_tied", **{"lm_head.weight": head})
        with pytest.raises(
            nn.WeightsError, match=r"lm_head\.weight .*tie_word_embeddings to false"
        ):
            nn.load(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    model = nn.load(folder, "float64")
    hidden, _ = model.hidden([[1, 2, 3]])
    assert distance(model([[1, 2, 3]])[0], -hidden @ table.astype(np.float64).T) < 1e-14


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_weights_of_other_widths(tmp_path: Path, dtype: str) -> None:
    tensors = {
        k: v.astype(dtype)
        for k, v in nn.read_safetensors(GOLDEN / "llama_gqa" / "model.safetensors").items()
    }
    logits, _ = nn.load(rewritten(tmp_path, "llama_gqa", **tensors), "float32")([[1, 2, 3]])
    want, _ = nn.load(GOLDEN / "llama_gqa", "float64")([[1, 2, 3]])
    assert logits.dtype == np.float32
    assert distance(logits, want) < (0.01 if dtype == "float16" else 5e-6)


def test_bare_names_without_the_prefix(tmp_path: Path) -> None:
    tensors = nn.read_safetensors(GOLDEN / "gpt2_tied" / "model.safetensors")
    nn.write_safetensors(
        tmp_path / "model.safetensors",
        {k.removeprefix("transformer."): v for k, v in tensors.items()},
    )
    shutil.copy(GOLDEN / "gpt2_tied" / "config.json", tmp_path)
    o = vectors("gpt2_tied")
    close(nn.load(tmp_path, "float64")(o["full.input_ids"])[0][0], o["full.logits"])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_one_file_or_many(tmp_path: Path, dtype: str) -> None:
    """Three shards give what one file gives; where there are both, the one file counts, as in `transformers`."""
    tensors = nn.read_safetensors(GOLDEN / "gpt2_tied" / "model.safetensors")
    shutil.copy(GOLDEN / "gpt2_tied" / "config.json", tmp_path)
    owner = {name: f"part-{i % 3}.safetensors" for i, name in enumerate(tensors)}
    for shard in set(owner.values()):
        mine = {name: tensors[name].astype(dtype) for name in tensors if owner[name] == shard}
        nn.write_safetensors(tmp_path / shard, mine)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": owner}))
    ids = [[1, 2, 3]]
    many, _ = nn.load(tmp_path, "float64")(ids)
    whole = {name: tensor.astype(dtype) for name, tensor in tensors.items()}
    nn.write_safetensors(tmp_path / "model.safetensors", whole)
    (tmp_path / "part-0.safetensors").unlink()
    assert (nn.load(tmp_path, "float64")(ids)[0] == many).all()
    want = nn.load(GOLDEN / "gpt2_tied", "float64")(ids)[0]
    assert distance(many, want) < (0.01 if dtype == "float16" else 1e-15)


def test_another_dtype_must_hold_every_number(tmp_path: Path) -> None:
    """A weight beyond float16 was written as infinity, and fractions were cut off."""
    path = tmp_path / "x.safetensors"
    wide, whole = {"w": np.array([[1.5, -7e4]], np.float32)}, {"w": np.array([300])}
    for tensors, dtype, words in (
        (wide, "float16", r"tensor w holds -70000\.0, and float16 ends at 65504\.0"),
        (wide, "int32", "tensor w is float32, and int32"),
        (whole, "int8", "tensor w holds 300, and int8 ends at 127"),
    ):
        with pytest.raises(nn.WeightsError, match=words):
            nn.write_safetensors(path, tensors, dtype)
        assert not path.exists()
    nn.write_safetensors(path, {"w": np.array([65504.0, np.inf, np.nan, 1e-9])}, "float16")
    assert nn.read_safetensors(path)["w"][0] == 65504
