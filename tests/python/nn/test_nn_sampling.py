"""What samplers see and may choose: padding, ends, ids without a token, extreme scores; what generation refuses."""

from typing import Any

import numpy as np
import pytest

from bpetok import nn
from bpetok.nn import sampling

RNG = np.random.default_rng(0)


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
