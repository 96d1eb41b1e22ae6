"""Objectives, sampling, generation, streaming and bits per byte."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from bpetok import nn
from bpetok.nn import sampling, tasks
from bpetok.nn.beam import beam_search
from nn.models import tiny
from nn.oracles import distance

RNG = np.random.default_rng(0)


class Bytes:
    """A tokenizer whose tokens are bytes, and `<|end|>` above them."""

    vocab_size = 257

    def encode(self, text: str, allowed_special: Any = ()) -> list[int]:
        return list(text.encode())

    def encode_ordinary(self, text: str | bytes) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)

    def token_bytes(self, token: int) -> bytes:
        return bytes([token]) if token < 256 else b"<|end|>"

    def stream(self) -> Any:
        return Decoding()


class Decoding:
    """The bytes so far, given out as whole characters."""

    def __init__(self) -> None:
        self.held = b""

    def push(self, token: int) -> str:
        self.held += bytes([token])
        try:
            text, self.held = self.held.decode(), b""
        except UnicodeDecodeError:
            return ""
        return text

    def finish(self) -> str:
        return self.held.decode(errors="replace")


class Script:
    """A model that says one thing, whatever it is asked: the ids of `says`, one a step."""

    def __init__(
        self, says: Sequence[int], vocab: int = 257, eos: tuple[int, ...] = (256,)
    ) -> None:
        self.says, self.vocab = says, vocab
        self.config = nn.Config(family="gpt2", vocab_size=vocab, width=1, layers=0, eos=eos, bos=65)

    def __call__(
        self, ids: Any, state: Any = None, mask: Any = None, *, last: bool = False
    ) -> tuple[Any, int]:
        at = 0 if state is None else state
        logits = np.zeros((len(ids), 1, self.vocab))
        logits[:, 0, self.says[min(at, len(self.says) - 1)]] = 5.0
        return logits, at + 1


def write(text: str, *, end: bool = True, **options: Any) -> list[str]:
    model = Script([*text.encode(), *([256] if end else [])])
    return list(nn.stream(model, Bytes(), "prompt", utf8=False, **options))


def test_streaming_whole_characters_and_the_end() -> None:
    assert "".join(write("naïve 北京 🙂")) == "naïve 北京 🙂"
    assert all("\ufffd" not in piece for piece in write("🙂🙂"))
    assert "".join(write("🙂🙂", end=False, max_new_tokens=6)) == "🙂\ufffd"


def test_stop_strings_are_never_shown() -> None:
    assert "".join(write("one ## two ### three", stop=["###"])) == "one ## two "
    assert "".join(write("ends with ##", stop=["###"])) == "ends with ##"
    assert "".join(write("###", stop=["###"])) == ""
    assert "".join(write("abcd", stop=["cd", "bc"])) == "a"
    broken = Script([*b"ab\xc3", 256])  # half a character, of which only the end makes U+FFFD
    assert "".join(nn.stream(broken, Bytes(), "x", utf8=False, stop=["b\ufffd"])) == "a"


def test_an_empty_prompt_starts_from_bos() -> None:
    assert "".join(nn.stream(Script([*b"hi", 256]), Bytes(), "", utf8=False)) == "hi"


def test_an_end_id_that_is_ordinary_text_ends_nothing() -> None:
    class Named(Bytes):
        special_tokens: ClassVar = {"<|end|>": 256}

    model = Script([*b"a#b", 256], eos=(256, 35))  # 35 is "#"
    assert "".join(nn.stream(model, Named(), "x", utf8=False)) == "a#b"
    assert "".join(nn.stream(model, Named(), "x", utf8=False, eos=35)) == "a"


def test_stop_in_batches() -> None:
    stop = nn.stop_strings(Bytes(), ["lo"])
    out = nn.generate(Script(b"hello world"), [[1], [2]], 20, stop=stop)
    assert bytes(out[0, 1:].tolist()) == b"hello"
    assert not stop(np.array([108]))
    assert nn.stop_strings(Bytes(), ["<|end|>"])(np.array([5, 256]))


def test_ended_rows_are_filled() -> None:
    class Two(Script):
        def __call__(
            self, ids: Any, state: Any = None, mask: Any = None, *, last: bool = False
        ) -> tuple[Any, int]:
            logits, at = super().__call__(ids, state, mask, last=last)
            if at == 2:
                logits[0, 0, 9] = 50.0  # only the first row ends at the second step
            return logits, at

    out = nn.generate(Two([5], vocab=10), [[1], [1]], 4, eos=9)
    assert out.tolist() == [[1, 5, 9, 9, 9], [1, 5, 5, 5, 5]]
    out = nn.generate(Two([5, 5, 8], vocab=10), [[1], [1]], 9, eos=[9, 8])
    assert out.tolist() == [[1, 5, 9, 9], [1, 5, 5, 8]]


def test_greedy_is_argmax_of_the_whole() -> None:
    model = tiny("llama")
    ids = np.array([[1, 2, 3]])
    for _ in range(6):
        ids = np.concatenate([ids, model(ids)[0][:, -1:].argmax(-1)], axis=1)
    assert nn.generate(model, [[1, 2, 3]], 6).tolist() == ids.tolist()


@pytest.mark.parametrize("family", ["gpt2", "mistral", "mamba", "jamba"])
def test_padding_does_not_change_what_is_written(family: str) -> None:
    model = tiny(family)
    alone = nn.generate(model, [[4, 5]], 5)[0, 2:]
    left = nn.generate(model, [[0, 0, 4, 5], [1, 2, 3, 4]], 5, mask=[[0, 0, 1, 1], [1] * 4])
    right = nn.generate(model, [[4, 5, 0, 0], [1, 2, 3, 4]], 5, mask=[[1, 1, 0, 0], [1] * 4])
    assert left[0, 4:].tolist() == right[0, 4:].tolist() == alone.tolist()
    assert left[1].tolist() == nn.generate(model, [[1, 2, 3, 4]], 5)[0].tolist()
    with pytest.raises(nn.InputError, match="all padding"):
        nn.generate(model, [[0, 0]], 5, mask=[[0, 0]])
    with pytest.raises(nn.InputError, match="at least one"):
        nn.generate(model, np.zeros((1, 0), np.int64), 5)


def test_the_end_of_the_position_table() -> None:
    model = tiny("gpt2")  # 64 positions
    assert nn.generate(model, np.ones((1, 60), np.int64), 5).shape == (
        1,
        65,
    )  # the last id is not read again
    with pytest.raises(nn.InputError, match="ask for at most 5"):
        nn.generate(model, np.ones((1, 60), np.int64), 6)
    left = np.array([[0] * 3 + [1] * 60])
    assert nn.generate(model, np.ones((1, 63), np.int64), 5, mask=left).shape == (1, 68)
    wide = tiny("gpt2", vocab_size=257)
    written = list(nn.stream(wide, Bytes(), "x" * 60, 99, nn.sample(), eos=(), utf8=False, seed=0))
    assert len("".join(written)) <= 5


def test_sampling_is_seeded_and_follows_the_odds() -> None:
    model = tiny("gpt2")
    draw = nn.sample(temperature=1.5, top_k=20)
    first, again, other = (
        nn.generate(model, [[1, 2]], 12, draw, seed=seed).tolist() for seed in (1, 1, 2)
    )
    assert first == again != other
    logits = np.log(np.array([[0.5, 0.3, 0.0, 0.2]]) + 1e-300)
    rng = np.random.default_rng(0)
    drawn = np.concatenate(
        [nn.sample()(np.repeat(logits, 100, 0), np.zeros((100, 1), int), rng) for _ in range(200)]
    )
    share = np.bincount(drawn, minlength=4) / len(drawn)
    assert np.abs(share - [0.5, 0.3, 0.0, 0.2]).max() < 0.015


def test_steps_of_sampling() -> None:
    x = np.log(np.array([[0.4, 0.3, 0.2, 0.1]]))

    def kept(y: Any) -> list[int]:
        return np.flatnonzero(np.isfinite(y[0])).tolist()

    assert kept(sampling.keep_top_k(x, 2)) == [0, 1]
    assert kept(sampling.keep_top_k(x, 9)) == [0, 1, 2, 3]
    assert [kept(sampling.keep_top_p(x, p)) for p in (0.3, 0.5, 0.71, 1.0)] == [
        [0],
        [0, 1],
        [0, 1, 2],
        [0, 1, 2, 3],
    ]
    assert kept(sampling.keep_min_p(x, 0.5)) == [0, 1, 2]
    scores = np.array([[2.0, -2.0, 1.0]])
    assert sampling.penalise_repeats(scores, np.array([[0, 1, 0]]), 2.0).tolist() == [
        [1.0, -4.0, 1.0]
    ]
    assert nn.sample(temperature=0)(x, np.zeros((1, 1), int), RNG).tolist() == [0]
    for bad in (
        {"temperature": -1},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"min_p": 2},
        {"repetition_penalty": 0},
    ):
        with pytest.raises(nn.InputError, match=next(iter(bad))):
            nn.sample(**bad)  # type: ignore[arg-type]


def test_beams_find_the_best_of_all() -> None:
    """With as many beams as there are texts, beam search is exhaustive."""
    model = tiny("gpt2", vocab_size=5)
    found = nn.generate(model, [[1, 2]], 3, beams=25)
    best: tuple[float, list[int]] = (-math.inf, [])
    for n in range(125):
        text = [1, 2, n // 25, n // 5 % 5, n % 5]
        score = -float(nn.token_nll(model([text])[0], [text])[0, 1:].sum())
        best = max(best, (score, text))
    assert found[0].tolist() == best[1]


def test_no_beam_goes_on_behind_an_end() -> None:
    """Where every id is an end, beams wrote on as if it were none."""
    model, every = tiny("llama"), list(range(50))
    for beams in (2, 3, 60):
        out = nn.generate(model, [[1, 2, 3], [4, 5, 6]], 4, eos=every, beams=beams)
        assert out.tolist() == nn.generate(model, [[1, 2, 3], [4, 5, 6]], 1).tolist()


def test_beams_of_a_batch_are_those_of_its_rows() -> None:
    model = tiny("llama")
    both = nn.generate(
        model, [[0, 4, 5], [1, 2, 3]], 6, mask=[[0, 1, 1], [1, 1, 1]], beams=3, eos=7
    )
    for row, prompt in ((0, [4, 5]), (1, [1, 2, 3])):
        alone = nn.generate(model, [prompt], 6, beams=3, eos=7)[0, len(prompt) :].tolist()
        assert both[row, 3 : 3 + len(alone)].tolist() == alone
        assert set(both[row, 3 + len(alone) :].tolist()) <= {7}
    assert beam_search.__doc__


def test_lengths_that_cannot_be() -> None:
    model = tiny("llama")
    for beams in (1, 3):
        assert nn.generate(model, [[1, 2]], 0, beams=beams).tolist() == [[1, 2]]
        with pytest.raises(nn.InputError, match="max_new_tokens=-1"):
            nn.generate(model, [[1, 2]], -1, beams=beams)


def test_models_that_cannot_write_say_so() -> None:
    bert = nn.random_model(
        nn.config_from_json(
            {
                "model_type": "bert",
                "hidden_size": 16,
                "num_attention_heads": 4,
                "num_hidden_layers": 1,
                "vocab_size": 20,
                "intermediate_size": 8,
            }
        )
    )
    for call in (
        lambda: nn.generate(bert, [[1]], 2),
        lambda: nn.bits_per_byte(bert, Bytes(), "text"),
    ):
        with pytest.raises(nn.InputError, match="Encoder"):
            call()


def test_utf8_comes_out_whatever_the_model_says(tok: Any) -> None:
    utf8 = pytest.importorskip(
        "bpetok.utf8", exc_type=ImportError, reason="the Rust module is not built"
    )
    rng = np.random.default_rng(3)

    class Noise:
        def __call__(
            self, ids: Any, state: Any = None, mask: Any = None, *, last: bool = False
        ) -> tuple[Any, None]:
            return rng.standard_normal((len(ids), 1, tok.vocab_size + 5)), None

    choose = nn.utf8_valid(tok, nn.sample(temperature=2.0))
    prompt = tok.encode("naïve 北")
    out = nn.generate(Noise(), [prompt, prompt], 200, choose, seed=0)
    for row in out.tolist():
        text = b"".join(tok.token_bytes(i) for i in row)
        assert utf8.State(text).valid
        text.decode("utf-8", errors="strict") if utf8.State(text).complete else text.decode(
            "utf-8", errors="ignore"
        )
    cut = nn.generate(Noise(), [tok.encode(b"\xe5\x8c")], 1, choose)
    assert 0x80 <= tok.token_bytes(int(cut[0, -1]))[0] <= 0xBF


def test_streams_of_a_real_tokenizer(tok: Any) -> None:
    pytest.importorskip("bpetok.utf8", exc_type=ImportError, reason="the Rust module is not built")
    model = tiny("llama", vocab_size=tok.vocab_size)
    text = "".join(nn.stream(model, tok, "the cat", 40, nn.sample(temperature=3.0), seed=5))
    assert text == text.encode().decode()
    assert "".join(nn.stream(model, tok, "the cat", 40, nn.sample(temperature=3.0), seed=5)) == text


def test_bits_per_byte_of_a_uniform_model() -> None:
    model = tiny("gpt2", vocab_size=256)
    flat = model.map_weights(lambda name, w: w * 0 if name == "embed" else w)
    text = "twelve bytes"
    assert abs(nn.bits_per_byte(flat, Bytes(), text) - 8 * 11 / 12) < 1e-12
    assert abs(nn.bits_per_byte(flat, Bytes(), text, bos=0) - 8) < 1e-12
    with pytest.raises(nn.InputError, match="empty"):
        nn.bits_per_byte(model, Bytes(), "")


def test_bits_per_byte_takes_any_tokenizer() -> None:
    class Plain:
        def encode(self, text: str) -> list[int]:
            return list(text.encode())

    model = tiny("gpt2", vocab_size=256)
    assert nn.bits_per_byte(model, Plain(), "é text") == nn.bits_per_byte(model, Bytes(), "é text")


@pytest.mark.parametrize("family", ["llama", "mamba"])
def test_bits_per_byte_is_the_loss_over_the_bytes(family: str) -> None:
    model = tiny(family, vocab_size=256)
    text = "é" * 150 + "plain text" * 90  # more than one piece of 1,024 ids, scored 256 at a time
    ids = np.array([Bytes().encode(text)])
    want = float(nn.token_nll(model(ids)[0], ids).sum()) / math.log(2) / len(text.encode())
    assert abs(nn.bits_per_byte(model, Bytes(), text) - want) < 1e-12


@pytest.mark.parametrize(
    ("context", "stride"), [(10, 5), (10, 1), (10, 10), (7, 7), (2, None), (None, None)]
)
def test_windows_score_every_id_once(context: int | None, stride: int | None) -> None:
    model, ids = tiny("gpt2"), np.random.default_rng(0).integers(0, 50, 43)
    got = nn.text_nll(model, ids, context, stride)
    assert got.shape == (42,)
    size, step = context or 43, stride or max((context or 43) // 2, 1)
    start, done, want = 0, 1, []
    while done < 43:
        end = min(start + size, 43)
        logits = model(ids[None, start:end])[0]
        want += nn.token_nll(logits, ids[None, start:end])[0, done - 1 - start :].tolist()
        done, start = end, min(start + step, end - 1)
    assert distance(got, want) < 1e-12
    for bad, words in (
        ((1, 1), "at least 2"),
        ((5, 0), "at least 1"),
        ((7, 30), "at most context=7"),
    ):
        with pytest.raises(nn.InputError, match=words):
            nn.text_nll(model, ids, *bad)
    with pytest.raises(nn.InputError, match="at most context=64"):  # the model's positions
        nn.text_nll(model, ids, None, 65)
    assert nn.text_nll(model, ids[:5], 20, 10).shape == (4,)  # a text shorter than its window
    assert nn.text_nll(tiny("mamba"), ids, None, 99).shape == (42,)  # a window without an end


def test_masking_for_mlm() -> None:
    ids = np.arange(10, 4010).reshape(4, 1000)
    masked, labels = tasks.mask_tokens(ids, np.random.default_rng(0), 3, 5000, special=[10, 11])
    chosen = labels != -100
    assert not chosen[0, :2].any()
    assert (labels[chosen] == ids[chosen]).all()
    assert (masked[~chosen] == ids[~chosen]).all()
    assert abs(chosen.mean() - 0.15) < 0.02
    assert abs((masked[chosen] == 3).mean() - 0.8) < 0.05
    assert abs((masked[chosen] == ids[chosen]).mean() - 0.1) < 0.04


def test_sentence_pairs() -> None:
    documents = [[[i, j] for j in range(5)] for i in range(6)]
    pairs = tasks.nsp_pairs(documents, np.random.default_rng(0))
    assert len(pairs) == 24
    assert {label for _, _, label in pairs} == {0, 1}
    for first, second, label in pairs:
        assert (second[0] != first[0]) if label else (second == [first[0], first[1] + 1])
    with pytest.raises(nn.InputError, match="1 documents"):
        tasks.nsp_pairs([[[1]]], RNG)


def test_gpt_layouts() -> None:
    assert tasks.classification_ids([1, 2], 90, 92) == [90, 1, 2, 92]
    assert tasks.choice_ids([1], [[2], [3, 4]], 90, 91, 92) == [
        [90, 1, 91, 2, 92],
        [90, 1, 91, 3, 4, 92],
    ]
    assert tasks.pair_ids([7], [8], 1, 2)[1] == [0, 0, 0, 1, 1]
