"""The same comparisons as `test_nn_made.py`, made afresh where torch and transformers are installed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bpetok
from bpetok.utf8 import State
from nn.oracles import GOLDEN
from nn.test_nn_made import check


@pytest.mark.parametrize(
    "name", sorted(path.parent.name for path in (GOLDEN / "made").glob("*/config.json"))
)
def test_live(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("transformers", reason="transformers is not installed")
    from nn import make_golden

    make_golden.make(name, tmp_path)
    check(tmp_path, "float64")


def test_a_mask_as_a_logits_processor(tok: bpetok.Tokenizer) -> None:
    """`transformers` writes valid UTF-8 too, with the mask before its own sampling."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")

    class Utf8(transformers.LogitsProcessor):  # type: ignore[misc]
        def __call__(self, ids: Any, scores: Any) -> Any:
            states = [State(tok.decode_bytes(row.tolist())) for row in ids]
            allowed = np.stack([tok.utf8_mask(state) for state in states])
            return scores.masked_fill(~torch.tensor(allowed), -torch.inf)

    config = transformers.GPT2Config(
        vocab_size=tok.vocab_size, n_embd=12, n_layer=1, n_head=2, eos_token_id=None, bos_token_id=0
    )
    torch.manual_seed(0)
    prompt = torch.tensor([tok.encode("naïve ")] * 4)
    ids = transformers.GPT2LMHeadModel(config).generate(
        prompt, do_sample=True, max_new_tokens=60, logits_processor=[Utf8()], pad_token_id=0
    )
    for row in ids.tolist():
        state = State(tok.decode_bytes(row))
        assert state.valid
        tok.decode_bytes(row).decode("utf-8", "strict" if state.complete else "ignore")


@pytest.fixture(scope="module")
def tok() -> bpetok.Tokenizer:
    """Bytes in the main, so that characters are often broken."""
    return bpetok.train(["naïve 漢字 text"] * 4, vocab_size=262)
