"""A table that encoder and decoder share is read, counted, quantised and saved once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpetok import nn
from bpetok.nn.counters import weight_bytes
from bpetok.nn.quant_files import save
from bpetok.nn.quant_model import compare, named_weights, quantize_model
from nn.oracles import GOLDEN

SHARED = ("transformer2017", "made/marian_swish", "made/bart")


def tables(model: nn.EncoderDecoder) -> tuple[Any, Any]:
    assert model.weights.encoder is not None
    return model.weights.stack.top["embed"], model.weights.encoder.top["embed"]


def scores(model: nn.EncoderDecoder) -> Any:
    return model.decode([[0, 5, 6]], model.encode([[7, 8, 9, 2]]))[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SHARED)
def test_it_is_read_and_counted_once(name: str, dtype: str) -> None:
    model = nn.load(GOLDEN / name, dtype)
    ours, theirs = tables(model)
    assert ours is theirs
    config = json.loads((GOLDEN / name / "config.json").read_text())
    untrained = model.heads["head.b"].nbytes  # which `weight_bytes` leaves out
    assert model.nbytes == weight_bytes(config, dtype) + untrained


def test_two_tables_stay_two() -> None:
    model = nn.load(GOLDEN / "made" / "marian_apart")
    ours, theirs = tables(model)
    assert ours is not theirs
    assert ours.shape != theirs.shape


def test_it_is_quantised_and_saved_once(tmp_path: Path) -> None:
    folder = GOLDEN / "transformer2017"
    model, config = nn.load(folder), json.loads((folder / "config.json").read_text())
    small = quantize_model(model, "q4_0", overrides={"embed": "q8_0"})
    save(small, tmp_path, config)
    again = nn.load(tmp_path)
    for each in (small, again):
        ours, theirs = tables(each)
        assert ours is theirs
        assert ours.format == "q8_0"
    assert "encoder.embed" not in nn.read_safetensors(tmp_path / "model.safetensors")
    assert again.nbytes == small.nbytes
    assert (scores(again) == scores(small)).all()
    untrained = model.heads["head.b"].nbytes
    assert quantize_model(model, "q4_0").nbytes == weight_bytes(config, "q4_0") + untrained


def test_two_formats_make_two_tables(tmp_path: Path) -> None:
    folder = GOLDEN / "transformer2017"
    config = json.loads((folder / "config.json").read_text())
    small = quantize_model(nn.load(folder), "q4_0", overrides={"encoder.embed": "q8_0"})
    save(small, tmp_path, config)
    for model in (small, nn.load(tmp_path)):
        assert [table.format for table in tables(model)] == ["q4_0", "q8_0"]


def test_its_error_counts_once() -> None:
    """By hand: the root of all squared differences over all squared weights, each matrix once."""
    model = nn.load(GOLDEN / "transformer2017")
    row = compare(model, lambda m: 0.0, ["q4_0"])[1]
    weights, off, all_of_it = dict(named_weights(model)), 0.0, 0.0
    for name, q in named_weights(quantize_model(model, "q4_0")):
        if hasattr(q, "dequantize") and name != "encoder.embed":
            exact = weights[name].astype(np.float64)
            off += float(((exact - q.dequantize()) ** 2).sum())
            all_of_it += float((exact**2).sum())
    assert row.relative_error == pytest.approx((off / all_of_it) ** 0.5, rel=1e-12)
