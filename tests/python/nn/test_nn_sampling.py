"""What samplers see and may choose: padding, ends, ids without a token, extreme scores; what generation refuses."""

import math
from typing import Any

import numpy as np
import pytest

import bpetok
from bpetok import nn
from bpetok.nn import sampling
from nn.models import tiny

RNG = np.random.default_rng(0)


def refused(call: Any, *words: str) -> None:
    with pytest.raises(nn.InputError) as error:
        call()
    assert all(word in str(error.value) for word in words), error.value


class Noise:
    """A model that scores the ids below `size` by chance, whatever it reads."""

    def __init__(self, size: int, eos: tuple[int, ...] = ()) -> None:
        self.size, self.rng = size, np.random.default_rng(3)
        self.config = nn.Config("gpt2", size, width=1, layers=0, eos=eos, bos=size - 1)

    def __call__(
        self, ids: Any, state: Any = None, mask: Any = None, *, last: bool = False
    ) -> tuple[Any, None]:
        return self.rng.standard_normal((len(ids), 1, self.size)), None


@pytest.fixture(scope="module")
def gapped() -> Any:
    """256 bytes, and a special token above a gap."""
    pytest.importorskip("bpetok.utf8", exc_type=ImportError, reason="the Rust module is not built")
    plain = bpetok.train(["a"], 256, special_tokens=())
    return plain.with_special_tokens({"<|end|>": 300})


def test_samplers_do_not_see_padding() -> None:
    seen: list[list[list[int]]] = []

    def note(logits: Any, ids: Any, rng: Any) -> Any:
        seen.append(ids.tolist())
        return np.full(len(ids), 9)

    ids = [[63, 63, 5, 6], [7, 8, -1, 999], [1, 2, 3, 4]]
    mask = [[0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]]
    nn.generate(Noise(1000), ids, 2, note, mask=mask)
    assert seen == [
        [[-1, -1, 5, 6], [-1, -1, 7, 8], [1, 2, 3, 4]],
        [[-1, -1, 5, 6, 9], [-1, -1, 7, 8, 9], [1, 2, 3, 4, 9]],
    ]


@pytest.mark.parametrize("pad", [-1, 0, 49, 999])
def test_padding_does_not_change_what_a_penalty_chooses(pad: int) -> None:
    model, choose = tiny("llama"), nn.sample(temperature=0, repetition_penalty=3.0)
    alone = nn.generate(model, [[5, 6, 7]], 12, choose)[0, 3:].tolist()
    left = nn.generate(model, [[pad, pad, 5, 6, 7]], 12, choose, mask=[[0, 0, 1, 1, 1]])
    right = nn.generate(model, [[5, 6, 7, pad, pad]], 12, choose, mask=[[1, 1, 1, 0, 0]])
    assert left[0, 5:].tolist() == right[0, 5:].tolist() == alone
    for unseen in range(50):  # of which some are chosen
        padded = nn.generate(model, [[unseen, 5, 6, 7]], 12, choose, mask=[[0, 1, 1, 1]])
        assert padded[0, 4:].tolist() == alone


@pytest.mark.parametrize("pad", [-1, 255, 256, 999])
def test_padding_is_no_text(gapped: Any, pad: int) -> None:
    """Half a character is completed after it, not after what fills the row up on its right."""
    choose = nn.utf8_valid(gapped)
    half = gapped.encode("北".encode()[:2])
    out = nn.generate(Noise(400), [[*half, pad, pad]], 1, choose, mask=[[1, 1, 0, 0]])
    assert gapped.decode_bytes([*half, int(out[0, -1])]).decode()
    out = nn.generate(Noise(400), [[pad, pad, *half]], 1, choose, mask=[[0, 0, 1, 1]])
    assert gapped.decode_bytes([*half, int(out[0, -1])]).decode()


def test_ended_rows_have_no_more_text(gapped: Any) -> None:
    """What fills an ended row up is neither read nor searched, be it a token or not."""
    seen: list[list[list[int]]] = []

    def first_row_ends(logits: Any, ids: Any, rng: Any) -> Any:
        seen.append(ids[:, 1:].tolist())
        return np.where(np.arange(len(ids)) == 0, 300, 64)

    nn.generate(Noise(400), [[1], [1]], 3, first_row_ends, eos=[399, 300])
    assert seen == [[[], []], [[300], [64]], [[300, -1], [64, 64]]]
    half = gapped.encode("北".encode()[:1])
    calls: list[int] = []

    def stop(new: Any) -> bool:
        calls.append(len(new))
        return len(calls) == 1

    out = nn.generate(Noise(400), [half, [64]], 9, nn.utf8_valid(gapped), stop=stop)
    assert calls == [1, 1, *range(2, 10)]  # the first row once, then the second alone
    assert out[0, 2:].tolist() == [0] * 8


@pytest.mark.parametrize("eos", [-1, 50, 999])
def test_ends_that_are_no_ids_fill_rows_all_the_same(eos: int) -> None:
    model = tiny("llama")
    want = nn.generate(model, [[5, 6], [7, 8]], 6)

    def stop(new: Any) -> bool:  # at the first row's second token
        return bool(new[0] == want[0, 2] and len(new) == 2)

    out = nn.generate(model, [[5, 6], [7, 8]], 6, eos=eos, stop=stop)
    assert out[0].tolist() == [*want[0, :4].tolist(), eos, eos, eos, eos]
    assert out[1].tolist() == want[1].tolist()


def test_ids_without_a_token_are_never_chosen(gapped: Any) -> None:
    known = sampling.known_ids(gapped, 400)
    assert np.flatnonzero(known).tolist() == [*range(256), 300]
    assert sampling.known_ids(gapped, 200).all()
    assert sampling.known_ids(object(), 5).all()
    draw = nn.sample(temperature=5.0)
    for seed in range(5):
        written = list(nn.stream(Noise(400), gapped, "hi", 40, draw, utf8=False, seed=seed))
        assert len("".join(written)) > 0
    out = nn.generate(Noise(400), [[1]], 300, sampling.in_vocabulary(gapped, draw), seed=1)
    assert known[out].all()
    assert len(np.unique(out)) > 100
    out = nn.generate(Noise(400), [[1]], 300, sampling.in_vocabulary(gapped, draw, [350]), seed=1)
    assert set(np.unique(out)) - set(np.flatnonzero(known)) == {350}


@pytest.mark.parametrize("utf8", [True, False])
def test_end_ids_without_a_token_still_end(gapped: Any, utf8: bool) -> None:
    def always(token: int) -> Any:
        return lambda logits, ids, rng: np.where(
            np.isfinite(logits[:, token]), token, logits.argmax(1)
        )

    for token in (270, 350):  # in the gap and above all
        stream = nn.stream(Noise(400, eos=(token,)), gapped, "x", 30, always(token), utf8=utf8)
        assert list(stream) == []
    assert list(nn.stream(Noise(400), gapped, "", 4, utf8=utf8))  # it starts from 399, no token


def test_no_end_inside_a_character(gapped: Any) -> None:
    """An end id without a token may come after whole characters; one is finished first."""
    model, wants_350 = (
        Noise(400),
        lambda logits, ids, rng: np.where(np.isfinite(logits[:, 350]), 350, logits.argmax(1)),
    )
    choose = nn.utf8_valid(gapped, wants_350, [-1, 350, 999])
    half = gapped.encode("北".encode()[:2])
    out = nn.generate(model, [half, gapped.encode("ok")], 2, choose, eos=350)
    assert gapped.decode_bytes([*half, int(out[0, 2])]).decode()
    assert out[0, 3] == 350
    assert out[1, 2:].tolist() == [350, 350]


def test_prompts_beyond_the_position_table_are_refused(gapped: Any) -> None:
    model = tiny("gpt2", vocab_size=400)  # 64 positions
    assert len("".join(nn.stream(model, gapped, "x" * 64, 9, utf8=False))) == 1
    for length in (65, 100):
        words = f"{length} ids", "64 positions", f"leave out at least {length - 64}"
        refused(lambda n=length: list(nn.stream(model, gapped, "x" * n, 9)), *words)
        assert list(nn.stream(model, gapped, "x" * length, 0)) == []


def test_stop_strings_pass_over_ids_without_a_token(gapped: Any) -> None:
    stop = nn.stop_strings(gapped, ["ab"])
    a, b = gapped.encode("ab")
    assert stop(np.array([a, b]))
    assert stop(np.array([a, 270, 999, b]))
    assert not stop(np.array([999]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", [1e-300, 1e-40, 1e-7])
def test_tiny_temperatures_are_greedy(dtype: str, value: float) -> None:
    logits = np.array([[-3.0, 1.0, 80.0, 79.999, -np.inf], [5, -np.inf, 4, 3, 2]], dtype)
    for options in ({}, {"top_k": 3}, {"top_p": 0.9}, {"min_p": 0.1}):
        draw = nn.sample(temperature=value, **options)  # type: ignore[arg-type]
        assert draw(logits, np.zeros((2, 1), int), RNG).tolist() == [2, 0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_temperatures_are_even(dtype: str) -> None:
    logits = np.array([[-3.0, 1.0, 80.0, -np.inf]], dtype)
    draw = nn.sample(temperature=1e300)
    drawn = {int(draw(logits, np.zeros((1, 1), int), RNG)[0]) for _ in range(100)}
    assert drawn == {0, 1, 2}


@pytest.mark.parametrize("penalty", [1e-300, 1e-40, 1e40, 1e300])
def test_extreme_penalties_stay_numbers(penalty: float) -> None:
    logits = np.array([[2.0, -2.0, 1.0, 0.0, -np.inf]], np.float32)
    ids = np.array([[-1, 0, 1, 3, 4, 99]])
    out = sampling.penalise_repeats(logits, ids, penalty)
    assert not np.isnan(out).any()
    assert out[0, 2:].tolist() == [1.0, 0.0, -np.inf]
    want = [0, 2] if penalty < 1 else [2]
    assert int(nn.sample(0.5, repetition_penalty=penalty)(logits, ids, RNG)[0]) in want


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_refused(bad: float) -> None:
    logits = np.array([[1.0, 2.0], [bad, bad]])
    for choose in (nn.greedy, nn.sample()):
        with pytest.raises(nn.InputError, match="best score of row 1"):
            choose(logits, np.zeros((2, 1), int), RNG)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_beams_of_scores_that_are_no_numbers_are_refused(bad: float) -> None:
    class Broken(Noise):
        def __call__(self, ids: Any, *args: Any, **options: Any) -> tuple[Any, None]:
            logits, state = super().__call__(ids, *args, **options)
            logits[-1, 0] = bad
            return logits, state

    refused(lambda: nn.generate(Broken(9), [[1], [2]], 3, beams=4), "best score of row 1", str(bad))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e9, -1e9, 16.5, "1", None, True])
def test_length_penalties_that_cannot_be(bad: Any) -> None:
    model = tiny("llama")
    for beams in (1, 3):
        refused(
            lambda k=beams: nn.generate(model, [[1]], 3, beams=k, length_penalty=bad),
            "length_penalty=",
            "at least -16 and at most 16",
        )
    for extreme in (-16, 16, np.float32(0.5)):
        assert nn.generate(model, [[1]], 3, beams=3, length_penalty=extreme).shape == (1, 4)


@pytest.mark.parametrize(
    "bad",
    [
        {"temperature": np.inf},
        {"temperature": np.nan},
        {"temperature": "1"},
        {"temperature": True},
        {"temperature": 10**400},
        {"top_k": 1.5},
        {"top_k": True},
        {"top_p": "1"},
        {"min_p": np.nan},
        {"repetition_penalty": np.inf},
    ],
)
def test_settings_that_cannot_be(bad: dict[str, Any]) -> None:
    with pytest.raises(nn.InputError, match=next(iter(bad))):
        nn.sample(**bad)
    nn.sample(np.float32(0.5), np.int64(3), 1, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1.0], "float64"),
        ([True], "bool"),
        ([1, 2], r"shape \[2\]"),
        ([[1]], r"shape \[1, 1\]"),
        ([10], "id 10, outside 0..9"),
        ([-1], "id -1"),
    ],
)
def test_samplers_that_give_no_ids_are_refused(given: Any, words: str) -> None:
    with pytest.raises(nn.InputError, match=words):
        nn.generate(Noise(10), [[1]], 1, lambda logits, ids, rng: given)


def test_generation_is_asked_for_in_whole_numbers() -> None:
    model = tiny("gpt2")
    for options, words in (
        ({"beams": 0}, "beams=0 must be a whole number of at least 1"),
        ({"beams": 1.5}, "beams=1.5"),
        ({"max_new_tokens": 1.5}, "max_new_tokens=1.5"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": "x"}, "seed='x'"),
        ({"eos": 1.5}, "eos=1.5"),
        ({"eos": "a"}, "eos='a'"),
        ({"beams": 2, "sampler": nn.sample()}, "no sampler"),
        ({"beams": 2, "stop": lambda new: False}, "no stop="),
    ):
        refused(lambda o=options: nn.generate(model, [[1]], **{"max_new_tokens": 2, **o}), words)
    assert nn.generate(model, [[1]], np.int64(2), beams=np.int64(2), seed=0).shape == (1, 3)
    assert nn.generate(model, [[1]], 2, nn.greedy, [], beams=2).shape == (1, 3)


def test_beams_that_would_fill_memory_are_refused() -> None:
    for model, beams, most in (
        (Noise(10), 8193, "8,192"),
        (tiny("llama"), 8193, "8,192"),
        (tiny("llama", vocab_size=2**17), 257, "256"),
        (tiny("llama", vocab_size=4096), 10**6, "8,192"),
    ):
        refused(
            lambda m=model, b=beams: nn.generate(m, [[1]], 3, beams=b),
            f"beams={beams:,}",
            f"at most {most}",
        )
    assert nn.generate(tiny("llama", vocab_size=2**17), [[1]], 0, beams=256).shape == (1, 1)


def test_no_rows_stay_no_rows() -> None:
    model, none = tiny("gpt2"), np.zeros((0, 3), np.int64)
    for options in ({}, {"beams": 3}, {"mask": np.ones((0, 3))}, {"sampler": nn.sample()}):
        assert nn.generate(model, none, 4, **options).shape == (0, 3)


def test_stop_strings_are_a_list_of_texts() -> None:
    tok, model = bpetok.train(["a"], 256, special_tokens=()), tiny("llama", vocab_size=256)
    for stop, words in (
        ("ab", "['ab'] for one"),
        ([""], "''"),
        ([3], "3"),
        (5, "5"),
        ([b"a"], "b'a'"),
    ):
        refused(lambda s=stop: nn.stop_strings(tok, s), "stop string", words)
        refused(lambda s=stop: list(nn.stream(model, tok, "hi", 3, stop=s)), "stop string", words)
    with pytest.raises(bpetok.TextError, match="index 1"):
        nn.stop_strings(tok, ["a\ud800"])
    assert list(nn.stream(model, tok, "hi", 3, eos=np.int64(3))) is not None
    assert list(nn.stream(model, tok, "hi", 3, eos=np.array([3, 4]))) is not None
    refused(lambda: list(nn.stream(model, tok, "hi", -1)), "max_new_tokens=-1")
    refused(lambda: list(nn.stream(model, tok, "hi", 3, seed=-1)), "seed=-1")


class At(np.random.Generator):
    """Chance that falls where it is told."""

    def __init__(self, point: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.point = point

    def random(self, size: Any = None, *args: Any, **options: Any) -> Any:
        return np.full(size, self.point)


LLAMA3 = 128_256  # tokens


def test_every_token_of_a_large_vocabulary_can_be_drawn() -> None:
    even = np.zeros((1, LLAMA3), np.float32)
    head = even.copy()
    head[0, 0] = np.log(999 * LLAMA3)  # a thousandth is left for all others together
    for logits in (even, head):
        chance = np.exp(logits[0].astype(np.float64))
        upto = np.cumsum(chance / chance.sum())
        for token in (1, 7, 40_000, 99_999, LLAMA3 - 2, LLAMA3 - 1):
            middle = (upto[token - 1] + upto[token]) / 2
            drawn = nn.sample()(logits, np.zeros((1, 1), int), At(middle))
            assert drawn.tolist() == [token]


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 0.999, 1.0])
def test_top_p_of_a_large_vocabulary(p: float) -> None:
    logits = np.random.default_rng(1).standard_normal((2, LLAMA3)).astype(np.float32) / 4
    kept = np.isfinite(sampling.keep_top_p(logits, p))
    for row, keeps in zip(logits, kept, strict=True):
        order = sorted(range(LLAMA3), key=lambda i: -row[i])
        chances = [math.exp(float(row[i])) for i in order]
        total, before, n = math.fsum(chances), 0.0, 0
        while n < LLAMA3 and before < p * total:
            before, n = before + chances[n], n + 1
        assert sorted(np.flatnonzero(keeps)) == sorted(order[:n])
