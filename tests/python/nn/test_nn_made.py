"""The golden vectors that `make_golden.py` wrote: every family, with odd settings of every field."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bpetok import nn
from nn.oracles import GOLDEN, close, distance, vectors

CASES = sorted(path.parent.name for path in (GOLDEN / "made").glob("*/config.json"))
ENDS = range(2, 9)


def check_decoder(model: nn.Decoder, o: dict[str, Any], dtype: str) -> None:
    ids, mask = o["ids"], o["mask"].astype(bool)
    if "labels" in o:
        close(model.classify(ids, mask), o["labels"], dtype)
        shifted = np.stack(
            [np.roll(row, (~real).sum()) for row, real in zip(ids, mask, strict=True)]
        )
        close(model.classify(shifted, np.sort(mask, axis=1)), o["labels"], dtype)
    if "hidden" in o:
        close(model.trace(ids[:1])["hidden"][:, 0], o["hidden"], dtype)
    if "logits" in o:
        full = model(ids[:1])[0]
        close(full[0], o["logits"], dtype)
        if dtype == "float64":
            state, parts = None, []
            for start, end in ((0, 1), (1, 5), (5, 6), (6, 13)):
                logits, state = model(ids[:1, start:end], state)
                parts.append(logits)
            assert distance(np.concatenate(parts, axis=1), full) < 1e-12
    if "aux" in o:
        router = model.trace(ids[:1])["router_logits"]
        close(nn.balance_loss(router, model.config.top_k), o["aux"], dtype)
    if "greedy" in o:
        assert nn.generate(model, ids[:1, :5], 8).tolist() == o["greedy"].tolist()
    for k, penalty in ((3, 1.0), (4, 0.2)):
        if f"beams{k}" in o:
            got = nn.generate(
                model, ids[:1, :5], 8, eos=list(ENDS), beams=k, length_penalty=penalty
            )
            same_text(got, o[f"beams{k}"])


def same_text(got: Any, want: Any) -> None:
    """Equal up to and with the first id that ends a text; what fills a row after it differs."""

    def cut(row: list[int]) -> list[int]:
        ends = [i for i, token in enumerate(row) if i > 0 and token in ENDS]
        return row[: ends[0] + 1] if ends else row

    assert [cut(row[4:]) for row in got.tolist()] == [cut(row[4:]) for row in want.tolist()]


def check_encoder(model: nn.Encoder, o: dict[str, Any], dtype: str) -> None:
    hidden = model.encode(o["ids"], o["mask"], o["types"])
    trace = model.trace(o["ids"], o["mask"], o["types"])
    close(trace["hidden"], o["hidden"], dtype)
    close(hidden, o["hidden"][-1], dtype)
    for name, head in (("mlm", model.mlm), ("nsp", model.nsp), ("pooled", model.pool)):
        if name in o:
            close(head(hidden), o[name], dtype)
    if "labels" in o:
        close(model.classify(o["ids"], o["mask"], o["types"]), o["labels"], dtype)


def check_seq2seq(model: nn.EncoderDecoder, o: dict[str, Any], dtype: str) -> None:
    if "labels" in o:
        close(model.classify(o["ids"], o["mask"]), o["labels"], dtype)
        return
    memory = model.encode(o["ids"], o["mask"])
    close(memory, o["memory"], dtype)
    close(model.decode(o["target"], memory)[0], o["logits"], dtype)
    start = np.zeros((2, 1), np.int64)
    assert nn.generate(model, start, 8, memory=memory).tolist() == o["greedy"].tolist()
    got = nn.generate(model, start, 8, memory=memory, eos=list(ENDS), beams=3)
    for row, want in zip(got, o["beams"], strict=True):
        pad = np.zeros(4, np.int64)
        same_text(np.concatenate([pad, row])[None], np.concatenate([pad, want])[None])


CHECKS = {nn.Decoder: check_decoder, nn.Encoder: check_encoder, nn.EncoderDecoder: check_seq2seq}


def check(folder: Path, dtype: str) -> None:
    """Hold one case to its vectors."""
    model = nn.load(folder, dtype)
    CHECKS[type(model)](model, vectors(folder), dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_made(name: str, dtype: str) -> None:
    check(GOLDEN / "made" / name, dtype)


def test_only_multiple_choices_are_activated(tmp_path: Path) -> None:
    """A GPT-2 for labels may carry `summary_activation`, as its pretrained config did, and does not read it."""
    for name, scale in (("gpt2_classify", lambda y: y), ("gpt2_heads", np.arctanh)):
        folder, o = GOLDEN / "made" / name, vectors(f"made/{name}")
        config = json.loads((folder / "config.json").read_text())
        shutil.copy(folder / "model.safetensors", tmp_path)
        for activation in (None, "tanh"):
            text = json.dumps({**config, "summary_activation": activation})
            (tmp_path / "config.json").write_text(text)
            got = nn.load(tmp_path, "float64").classify(o["ids"], o["mask"].astype(bool))
            close(got, o["labels"] if activation == "tanh" else scale(o["labels"]))


def test_there_are_cases_of_every_family() -> None:
    families = {
        json.loads((GOLDEN / "made" / name / "config.json").read_text())["model_type"]
        for name in CASES
    }
    assert families == set(nn.FAMILIES) - {"linear_ssm", "transformer"}
