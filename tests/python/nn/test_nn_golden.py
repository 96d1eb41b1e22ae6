"""The handed golden vectors: what `transformers` computes in float64 for tiny models with random weights."""

from typing import Any

import numpy as np
import pytest

from bpetok import nn
from nn.oracles import GOLDEN, close, distance, vectors

DECODERS = ("gpt2_tied", "llama_gqa", "mistral_swa", "mixtral_moe", "mamba1")
DTYPES = ("float64", "float32")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*DECODERS, "llama_bf16_shards"])
def test_logits(name: str, dtype: str) -> None:
    o, model = vectors(name), nn.load(GOLDEN / name, dtype)
    logits, state = model(o["full.input_ids"])
    assert logits.dtype == dtype
    close(logits[0], o["full.logits"], dtype)
    if "full.last_logits_row1" in o:
        close(logits[1, -1], o["full.last_logits_row1"], dtype)
    for layer in state.layers:
        assert all(array.dtype == dtype for array in vars(layer).values())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", DECODERS)
def test_losses(name: str, dtype: str) -> None:
    o, model = vectors(name), nn.load(GOLDEN / name, dtype)
    logits, _ = model(o["full.input_ids"])
    close(nn.next_token_loss(logits, o["loss.labels"]), o["loss.mean"], dtype)
    close(nn.token_nll(logits, o["full.input_ids"]), o["loss.token_nll"], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", DECODERS)
def test_trace(name: str, dtype: str) -> None:
    o, model = vectors(name), nn.load(GOLDEN / name, dtype)
    trace = model.trace(o["full.input_ids"])
    assert {array.dtype for key, array in trace.items() if not key.endswith("router_choice")} == {
        np.dtype(dtype)
    }
    close(trace["hidden"][:, 0], o["full.hidden"], dtype)
    if "full.attn16" in o:
        close(trace["attention"][:, 0, :, :16, :16], o["full.attn16"], dtype)
    if "moe.router_logits" in o:
        logits = trace["router_logits"]
        close(logits.reshape(len(logits), -1, logits.shape[-1]), o["moe.router_logits"], dtype)
        aux = nn.balance_loss(logits, model.config.top_k)
        close(aux, o["moe.aux_loss"], dtype)
        total = (
            nn.next_token_loss(trace["logits"], o["loss.labels"])
            + model.config.aux_coefficient * aux
        )
        close(total, o["moe.loss_with_aux"], dtype)


@pytest.mark.parametrize("side", ["leftpad", "rightpad"])
@pytest.mark.parametrize("name", ["gpt2_tied", "llama_gqa", "mistral_swa", "mixtral_moe"])
def test_padding(name: str, side: str) -> None:
    o, model = vectors(name), nn.load(GOLDEN / name, "float64")
    mask = o[f"{side}.mask"].astype(bool)
    logits, state = model(o[f"{side}.input_ids"], mask=mask)
    close(logits[0][mask[0]], o[f"{side}.logits"])
    assert state.lengths.tolist() == mask.sum(1).tolist()


@pytest.mark.parametrize("name", DECODERS)
def test_chunks_give_the_full_pass(name: str) -> None:
    o, model = vectors(name), nn.load(GOLDEN / name, "float64")
    ids, state, at = o["full.input_ids"], None, 0
    full, end = model(ids)
    for n in o["chunks"]:
        logits, state = model(ids[:, at : at + n], state)
        assert distance(logits, full[:, at : at + n]) <= 1e-12
        at += int(n)
    assert state.nbytes == end.nbytes


def test_mamba_state() -> None:
    o, model = vectors("mamba1"), nn.load(GOLDEN / "mamba1", "float64")
    _, state = model(o["full.input_ids"])
    for layer, conv, ssm in zip(
        state.layers, o["state.conv_states"], o["state.recurrent_states"], strict=True
    ):
        close(layer.ssm[0].T, ssm)
        close(
            layer.conv[0].T, conv[:, 1:]
        )  # the oldest input that transformers keeps is never read again


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", DECODERS)
def test_greedy(name: str, dtype: str) -> None:
    o, model = vectors(name), nn.load(GOLDEN / name, dtype)
    prompt, want = o["greedy.prompt"], o["greedy.ids"]
    got = nn.generate(model, prompt, want.shape[1])
    assert got[:, prompt.shape[1] :].tolist() == want.tolist()
    eos = int(o["greedy_eos.eos"])
    got = nn.generate(model, prompt[:1], want.shape[1], eos=eos)
    assert got[:, prompt.shape[1] :].tolist() == o["greedy_eos.ids"].tolist()
    if "greedy_leftpad.ids" in o:
        want = o["greedy_leftpad.ids"]
        got = nn.generate(
            model, o["greedy_leftpad.prompt"], want.shape[1], mask=o["greedy_leftpad.mask"]
        )
        assert got[:, -want.shape[1] :].tolist() == want.tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_bert(dtype: str) -> None:
    o, model = vectors("bert_tiny"), nn.load(GOLDEN / "bert_tiny", dtype)
    hidden = model.encode(o["input_ids"], o["mask"], o["token_type_ids"])
    mlm, nsp = model.mlm(hidden), model.nsp(hidden)
    assert hidden.dtype == mlm.dtype == nsp.dtype == dtype
    close(mlm[1, :14], o["mlm_logits_row1"], dtype)
    close(mlm[o["mlm_labels"] != -100], o["mlm_logits_at_masks"], dtype)
    close(nsp, o["nsp_logits"], dtype)
    close(model.pool(hidden), o["pooled"], dtype)
    close(
        nn.mlm_loss(mlm, o["mlm_labels"]) + nn.nsp_loss(nsp, o["nsp_label"]),
        o["loss_mlm_plus_nsp"],
        dtype,
    )
    close(model.mlm(model.encode(o["input_ids"][:1]))[0], o["nomask_mlm_logits_row0"], dtype)
    trace = model.trace(o["input_ids"], o["mask"], o["token_type_ids"])
    close(trace["hidden"][:, 1, :14], o["hidden_row1"], dtype)
    close(trace["attention"][:, 2], o["attn_row2"], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_transformer2017(dtype: str) -> None:
    o, model = vectors("transformer2017"), nn.load(GOLDEN / "transformer2017", dtype)
    memory = model.encode(o["input_ids"], o["mask"])
    logits, _ = model.decode(o["decoder_input_ids"], memory)
    assert logits.dtype == memory.dtype == dtype
    close(memory[1, :9], o["encoder_out_row1"], dtype)
    close(logits[1], o["logits_row1"], dtype)
    close(logits[0, -1], o["last_logits_row0"], dtype)
    close(nn.sequence_loss(logits, o["labels"]), o["loss"], dtype)
    limit: dict[str, Any] = {
        "float64": 1e-7,
        "float32": 1e-5,
    }  # float32 maps: scores of 50 carry 3e-6 of noise
    trace = model.trace(o["input_ids"], o["decoder_input_ids"], o["mask"])
    assert distance(trace["hidden"][:, 1], o["decoder_hidden_row1"]) < limit[dtype]
    assert distance(trace["cross_attention"][:, 1], o["cross_attn_row1"]) < limit[dtype]
    assert distance(trace["attention"][:, 1], o["decoder_attn_row1"]) < limit[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_translation(dtype: str) -> None:
    o, model = vectors("transformer2017"), nn.load(GOLDEN / "transformer2017", dtype)
    memory = model.encode(o["input_ids"], o["mask"])
    start = np.full((2, 1), model.config.decoder_start)
    greedy = nn.generate(model, start, o["greedy.ids"].shape[1], memory=memory)
    assert greedy[:, 1:].tolist() == o["greedy.ids"].tolist()
    beams = nn.generate(model, start, o["beam3.ids"].shape[1], memory=memory, beams=3)
    assert beams[:, 1:].tolist() == o["beam3.ids"].tolist()
    logits, state = model.decode(o["decoder_input_ids"][:, :4], memory)
    rest, _ = model.decode(o["decoder_input_ids"][:, 4:], memory, state)
    full, _ = model.decode(o["decoder_input_ids"], memory)
    assert distance(np.concatenate([logits, rest], 1), full) < (
        1e-12 if dtype == "float64" else 5e-6
    )
