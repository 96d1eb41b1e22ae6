"""What callers hand in: ids, masks, numbers and texts that cannot be are refused by name, empty ones have an answer."""

from typing import Any

import numpy as np
import pytest

import bpetok
from bpetok import nn
from bpetok.nn import tasks
from bpetok.nn.counters import state_bytes
from bpetok.nn.operations import flops
from nn.models import LLAMA, MAMBA, tiny

BERT = {
    "model_type": "bert",
    "hidden_size": 16,
    "num_attention_heads": 4,
    "num_hidden_layers": 1,
    "vocab_size": 20,
    "intermediate_size": 8,
    "max_position_embeddings": 16,
}
PAIR = {
    "model_type": "transformer",
    "d_model": 16,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_ffn_dim": 20,
    "decoder_ffn_dim": 20,
    "vocab_size": 30,
    "pad_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 0,
    "max_position_embeddings": 16,
}
NOTHING = np.zeros((2, 0), np.int64)


def made(config: dict[str, Any], **changes: Any) -> Any:
    return nn.random_model(nn.config_from_json({**config, **changes}), 0, "float64", 0.3)


def refused(call: Any, *words: str) -> None:
    with pytest.raises(nn.InputError) as error:
        call()
    assert all(word in str(error.value) for word in words), error.value


def test_ragged_ids_are_refused() -> None:
    model, bert, pair = tiny("gpt2"), made(BERT), made(PAIR)
    ragged = [[1], [1, 2]]
    memory = pair.encode([[3], [4]])
    for call in (
        lambda: model(ragged),
        lambda: model([[1, 2]] * 2, mask=ragged),
        lambda: model.classify(ragged),
        lambda: model.classify(ragged, mask=[[1, 1]]),
        lambda: model.embed(ragged),
        lambda: model.trace(ragged),
        lambda: bert.encode(ragged),
        lambda: bert.encode([[1, 2]], token_types=ragged),
        lambda: pair.encode(ragged),
        lambda: pair.decode(ragged, memory),
        lambda: pair.trace(ragged),
        lambda: nn.generate(model, ragged, 1),
        lambda: nn.token_nll(np.zeros((2, 2, 9)), ragged),
        lambda: nn.cross_entropy(np.zeros((2, 2, 9)), ragged),
        lambda: nn.text_nll(model, ragged),
        lambda: nn.shift_right(ragged, 0, 1),
        lambda: tasks.mask_tokens(ragged, np.random.default_rng(0), 3, 9),
    ):
        refused(call, "no array")
    refused(lambda: nn.nll(np.zeros((1, 4)), [0.5]), "integers")


@pytest.mark.parametrize("mask", [[[2, 0.5]], [[1, -1]], [[1, np.nan]], [["1", "0"]], [[None, 1]]])
def test_masks_are_ones_and_zeros(mask: Any) -> None:
    model, bert, pair = tiny("gpt2"), made(BERT), made(PAIR)
    for call in (
        lambda: model([[1, 2]], mask=mask),
        lambda: bert.embed([[1, 2]], mask),
        lambda: pair.encode([[1, 2]], mask),
        lambda: nn.generate(model, [[1, 2]], 1, mask=mask),
        lambda: nn.balance_loss(np.zeros((1, 2, 3)), 1, mask),
    ):
        refused(call, "mask", "1 at real ids and 0 at padding")


def test_masks_of_any_number_type() -> None:
    model = tiny("gpt2")
    want, _ = model([[0, 1, 2]], mask=[[False, True, True]])
    for dtype in ("int8", "uint32", "float32", "float64"):
        assert (model([[0, 1, 2]], mask=np.array([[0, 1, 1]], dtype))[0] == want).all()


def test_bits_of_what_is_no_text() -> None:
    tok, model = bpetok.train(["a"], 256, special_tokens=()), tiny("gpt2", vocab_size=256)
    with pytest.raises(bpetok.TextError, match="index 2"):
        nn.bits_per_byte(model, tok, "ab\ud800")
    refused(lambda: nn.bits_per_byte(model, tok, "abc", 2, 3), "stride=3")
    refused(lambda: nn.bits_per_byte(model, tok, "abc", 2.5), "context=2.5")
    refused(lambda: nn.bits_per_byte(model, tok, "abc", stride=0.5), "stride=0.5")
    refused(lambda: nn.text_nll(model, [1.5, 2.0]), "integers")


def test_nats_are_those_of_one_text() -> None:
    """Rows of a batch were joined, and the first id of each held against the text before it."""
    model = tiny("gpt2")
    assert (nn.text_nll(model, [[1, 2, 3]]) == nn.text_nll(model, [1, 2, 3])).all()
    refused(lambda: nn.text_nll(model, [[1, 2], [3, 4]]), "shape [2, 2]", "each row")
    refused(lambda: nn.text_nll(model, np.zeros((0, 3), np.int64)), "shape [0, 3]")


def test_the_balance_of_a_router_needs_a_choice_that_there_is() -> None:
    logits = np.zeros((1, 2, 3))
    for top_k, words in ((0, "top_k=0"), (1.5, "top_k=1.5"), (4, "top_k=4 is more than the 3")):
        refused(lambda k=top_k: nn.balance_loss(logits, k), words)  # type: ignore[misc]
    assert np.isnan(nn.balance_loss(logits, 1, np.zeros(2)))


def test_bits_of_a_text_of_which_nothing_is_predicted() -> None:
    tok, model = bpetok.train(["a"], 256, special_tokens=()), tiny("gpt2", vocab_size=256)
    refused(lambda: nn.bits_per_byte(model, tok, "a"), "at least 2 ids", "gives 1", "bos=")
    want = -np.log2(np.exp(model([[7]])[0][0, 0]) / np.exp(model([[7]])[0][0, 0]).sum())[
        tok.encode("a")[0]
    ]
    assert abs(nn.bits_per_byte(model, tok, "a", bos=7) - want) < 1e-12


@pytest.mark.parametrize("name", ["tokens", "batch", "memory"])
def test_counts_are_not_negative(name: str) -> None:
    for config in (LLAMA, {**MAMBA, "model_type": "mamba"}):
        for bad in (-5, 1.5):
            refused(
                lambda c=config, b=bad: state_bytes(c, **{"tokens": 1, name: b}), f"{name}={bad}"
            )
    refused(lambda: flops(LLAMA, 1.5), "new=1.5")  # type: ignore[arg-type]


@pytest.mark.parametrize("pooling", ["mean", "max", "cls", "last"])
@pytest.mark.parametrize("normalize", [True, False])
def test_texts_without_real_ids_are_zeros(pooling: str, normalize: bool) -> None:
    for model in (made(BERT), tiny("llama")):
        options = {"pooling": pooling, "normalize": normalize}
        assert (model.embed(NOTHING, **options) == np.zeros((2, 16))).all()
        both = model.embed([[5, 6], [7, 8]], [[0, 0], [1, 1]], **options)
        assert not both[0].any()
        assert np.abs(both[1] - model.embed([[7, 8]], **options)[0]).max() < 1e-14
        assert model.embed(np.zeros((0, 3), np.int64), **options).shape == (0, 16)


def test_the_first_id_is_a_real_one() -> None:
    model = tiny("llama")
    padded = model.embed([[0, 0, 5, 6]], [[0, 0, 1, 1]], pooling="cls")
    assert np.abs(padded - model.embed([[5, 6]], pooling="cls")).max() < 1e-14
    bert = made(BERT)
    hidden = bert.encode([[0, 5, 6]], [[0, 1, 1]])
    padded = bert.embed([[0, 5, 6]], [[0, 1, 1]], pooling="cls", normalize=False)
    assert (padded == hidden[:, 1]).all()


def test_heads_need_an_id_to_read() -> None:
    bert = made(BERT)
    refused(lambda: bert.pool(bert.encode(NOTHING)), "[2, 0, 16]", "first token")
    refused(lambda: bert.classify(NOTHING), "first token")
    refused(lambda: bert.nsp(bert.encode(NOTHING)), "first token")
    model = tiny("gpt2")
    model.heads["classifier.w"] = np.ones((3, 16))
    refused(lambda: model.classify(NOTHING), "[2, 0]")
    refused(lambda: model.classify([[1, 2], [3, 4]], [[1, 1], [0, 0]]), "without a real id")
    refused(lambda: model.classify([[1, 2]], at=[2]), "outside 0..1")
    refused(lambda: model.classify([[1, 2]], at=[0.5]), "float64")
    refused(lambda: model.classify([[1, 2]], at=[0, 1]), "[2]")
    assert (model.classify([[1, 2]], at=1) == model.classify([[1, 2]], at=[1])).all()
    padded, mask = [[1, 2], [3, 0]], [[1, 1], [1, 0]]
    refused(lambda: model.classify(padded, mask, at=-1), "row 1", "padding")
    assert (model.classify(padded, mask, at=[1, 0]) == model.classify(padded, mask)).all()
    refused(lambda: made(PAIR).classify(NOTHING), "[2, 0]")


def test_what_a_trace_has_at_padding() -> None:
    """As docs/nn.md says under its table of names."""
    ids, mask = [[5, 6, 0, 0], [7, 8, 9, 10]], np.array([[1, 1, 0, 0], [1] * 4], bool)
    causal = tiny("mixtral").trace(ids, mask)
    for name in ("hidden", "router_logits"):
        assert not causal[name][:, ~mask].any()
        assert causal[name][:, mask].all()
    assert not causal["logits"][~mask].any()
    assert not causal["attention"][:, 0, :, 2:].any()
    pair = made(PAIR).trace(ids, [[0, 5], [0, 6]], mask)
    for trace, prefix in ((made(BERT).trace(ids, mask), ""), (pair, "encoder.")):
        assert trace[f"{prefix}hidden"][:, ~mask].all()
        looks = trace[f"{prefix}attention"]
        assert not looks[:, 0, :, :, 2:].any()
        assert np.allclose(looks[:, 0, :, :, :2].sum(-1), 1)  # from padding too
    assert not pair["cross_attention"][:, 0, :, :, 2:].any()


def test_sources_and_memories_that_do_not_fit() -> None:
    pair = made(PAIR)
    refused(lambda: pair.encode(NOTHING), "[2, 0]", "at least one id")
    for shape in ((1, 3, 15), (1, 0, 16), (3, 16), (1, 1, 3, 16)):
        refused(lambda s=shape: pair.decode([[0]], np.zeros(s)), str(list(shape)), "16]")
    other = made(PAIR, decoder_layers=2).encode([[3, 4]])
    refused(lambda: pair.decode([[0]], other), "2 layers", "has 1")
    wide = made(PAIR, d_model=32).encode([[3, 4]])
    refused(lambda: pair.decode([[0]], wide), "[1, 2, 32]")
    none = pair.encode(np.zeros((0, 3), np.int64))
    assert pair.decode(np.zeros((0, 1), np.int64), none)[0].shape == (0, 1, 30)
    assert nn.generate(pair, None, 3, memory=none).shape == (0, 1)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_memory_may_be_a_bare_array(beams: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pair, source = made(PAIR), [[3, 4, 5], [6, 7, 8]]
    memory = pair.encode(source)
    want = nn.generate(pair, None, 5, memory=memory, beams=beams, eos=2)
    made_of: list[tuple[int, ...]] = []
    plain = pair._memory
    monkeypatch.setattr(pair, "_memory", lambda x, m: (made_of.append(x.shape), plain(x, m))[1])
    got = nn.generate(pair, None, 5, memory=memory.hidden, beams=beams, eos=2)
    assert (got == want).all()
    assert made_of == [(2, 3, 16)]  # keys and values once, not at every step
    rows = [list(map(list, text)) for text in memory.hidden]
    assert (nn.generate(pair, None, 5, memory=rows, beams=beams, eos=2) == want).all()
    refused(lambda: nn.generate(pair, None, 5, memory=np.zeros((2, 3)), beams=beams), "[2, 3]")
    refused(lambda: nn.generate(tiny("gpt2"), [[1]], 5, memory=memory, beams=beams), "no memory")
    for rows in (1, 3):
        prompt = np.zeros((rows, 1), np.int64)
        refused(lambda p=prompt: nn.generate(pair, p, 5, memory=memory, beams=beams), "2 texts")


def test_the_last_of_nothing_is_zeros() -> None:
    model = tiny("gpt2")
    _, state = model([[1, 2], [3, 4]])
    for ids, mask in (([[9, 9], [9, 9]], [[0, 0], [0, 0]]), (NOTHING, None)):
        last, same = model(ids, state, mask, last=True)
        assert last.shape == (2, 1, 50)
        assert not last.any()
        assert same is state
    some, _ = model([[9, 9], [9, 9]], state, [[0, 0], [1, 0]], last=True)
    assert not some[0].any()
    assert some[1].any()
    assert model(np.zeros((0, 2), np.int64), last=True)[0].shape == (0, 1, 50)
    pair = made(PAIR)
    pair.heads["head.b"] = np.ones(30)  # which is no part of what nothing scores
    memory = pair.encode([[3], [4]])
    some, _ = pair.decode([[5, 6], [5, 6]], memory, None, [[0, 0], [1, 1]], last=True)
    assert not some[0].any()
    assert some[1].any()


def test_texts_of_a_memory_are_selected_by_number_or_by_a_mask() -> None:
    memory = made(PAIR).encode([[3, 4], [5, 6]], [[1, 1], [1, 0]])
    assert memory.select([]).shape == (0, 2, 16)
    assert (memory.select([False, True])[0] == memory.select([1])[0]).all()
    for bad in (1, [2], [0.5]):
        refused(lambda rows=bad: memory.select(rows), "rows=", "0..1")  # type: ignore[misc]


def test_shares_and_ids_of_objectives() -> None:
    """A rate in per cent masked everything, and ids beyond the vocabulary went into the batch."""
    ids, rng = [[5, 6, 7]], np.random.default_rng(0)
    refused(lambda: tasks.mask_tokens(ids, rng, 3, 10, rate=15), "rate=15", "at most 1")
    refused(lambda: tasks.mask_tokens(ids, rng, 103, 10), "mask_id=103", "0..9")
    refused(lambda: tasks.mask_tokens([[5, 10]], rng, 3, 10), "id 10", "0..9")
    _, labels = tasks.mask_tokens(ids, rng, 3, 10, special={6}, rate=1)
    assert labels.tolist() == [[5, -100, 7]]
    for smoothing in (-0.1, 7, np.nan):
        refused(lambda s=smoothing: nn.cross_entropy(np.zeros((1, 4)), [2], s), "smoothing=")  # type: ignore[misc]
