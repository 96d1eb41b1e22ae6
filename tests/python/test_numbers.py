"""Every int that Rust takes: what is out of range is a typed error that names it, the limit and the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import bpetok
from bpetok import Error, TrainError, _bpetok
from bpetok.tokenizer import MEMO_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[[bpetok.Tokenizer, Path, Any], object]


def _counts() -> bpetok.Counts:
    counts = bpetok.Counts("gpt2")
    counts.update(["the cat in the hat"] * 9)
    return counts


def _files(tok: bpetok.Tokenizer, folder: Path, **options: Any) -> object:
    (folder / "text").write_text("the cat")
    (folder / "ids.bin").write_bytes(b"")
    return tok._encode_files([folder / "text"], folder / "ids.bin", **options)


BLOCKS = np.zeros((1, 18), np.uint8)
ROW = np.zeros((1, 32), np.float32)

# argument, what takes it, the least that it takes, the error
ARGUMENTS: list[tuple[str, Call, int, type[Error]]] = [
    ("min_frequency", lambda t, f, n: bpetok.train(_counts(), 258, special_tokens=(), min_frequency=n), 0, TrainError),
    ("max_token_bytes", lambda t, f, n: bpetok.train(_counts(), 256, special_tokens=(), max_token_bytes=n), 1, TrainError),
    ("threads", lambda t, f, n: _bpetok.train_counts(_counts(), 258, threads=n), 1, Error),
    ("threads", lambda t, f, n: _counts().update(["a"], threads=n), 1, Error),
    ("threads", lambda t, f, n: t.encode_batch(["a"], threads=n), 1, Error),
    ("threads", lambda t, f, n: t.count_batch(["a"], threads=n), 1, Error),
    ("threads", lambda t, f, n: _files(t, f, threads=n), 1, Error),
    ("threads", lambda t, f, n: _bpetok.quant_multiply(BLOCKS, ROW, "q4_0", n), 1, Error),
    ("block_bytes", lambda t, f, n: _files(t, f, block_bytes=n), 1, Error),
    ("min_count", lambda t, f, n: _counts().prune(n), 0, Error),
    ("max_tokens", lambda t, f, n: t.cut("the cat", n), 0, Error),
    ("bytes", lambda t, f, n: _counts()._blocks(n), 0, Error),
    ("length", lambda t, f, n: t.encode_batch([""]).pad(n), 0, Error),
    ("value", lambda t, f, n: t.encode_batch(["a"]).pad(3, n), 0, Error),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call", "least", "error"), ARGUMENTS)
@pytest.mark.filterwarnings("ignore:the text has too few pairs")
def test_ints_and_what_is_none(
    tok: bpetok.Tokenizer, tmp_path: Path, name: str, call: Call, least: int, error: type[Error]
) -> None:
    low = [value for value in (-1, 0, -(2**63), -(2**64), -(2**70)) if value < least]
    for value in low:
        with pytest.raises(error, match=f"^{name} is {value}; give {least} or more"):
            call(tok, tmp_path, value)
    with pytest.raises(error, match=rf"^{name} is {2**70}; give [0-9]+ or less"):
        call(tok, tmp_path, 2**70)
    for value in (10**50, -(10**50)):
        with pytest.raises(error, match=rf"^{name} is -?10+\.\.\. \([0-9]+ characters\); give "):
            call(tok, tmp_path, value)
    with pytest.raises(error, match=f"^{name} is a number of thousands of digits; give"):
        call(tok, tmp_path, 10**5000)
    for wrong in (1.0, "1", b"1", [1], np.float64(1)):
        with pytest.raises(TypeError, match=f"^(argument '{name}': )?{name} must be int, not "):
            call(tok, tmp_path, wrong)
    number = max(least, 300)
    for value in (number, np.int64(number), np.uint32(number), least):
        call(tok, tmp_path, value)
    # As everywhere but in amounts of memory, `True` is 1.
    if least <= 1:
        call(tok, tmp_path, True)


@pytest.mark.parametrize(
    ("size", "says"),
    [(-1, "give 0 or more"), (0, "at least 25"), (100, "at least 25"), (2**70, "or less"), (10**50, "or less")],
)  # fmt: skip
def test_sizes_that_no_vocabulary_has(size: int, says: str) -> None:
    with pytest.raises(TrainError, match=f"vocab_size.*{says}"):
        _bpetok.train_counts(_counts(), size)


def test_none_is_no_limit(tok: bpetok.Tokenizer) -> None:
    assert len(tok.encode_batch(["a"], threads=None)) == 1
    assert (
        _bpetok.train_counts(_counts(), 258, max_token_bytes=None, threads=None).vocab_size == 258
    )


@pytest.mark.parametrize("size", [-1, 0, 2**63, 2**64, -(2**70)])
def test_no_size_of_a_memo(size: int) -> None:
    with pytest.raises(Error, match=f"{size}.* give .* bytes|{size} bytes: give 1 MiB to 2048 MiB"):
        _bpetok.set_memo_bytes(size)
    _bpetok.set_memo_bytes(np.int64(37 << 20))


def test_the_limits_of_a_memo_are_those_of_the_core() -> None:
    for limit, beyond in zip(MEMO_BYTES, (MEMO_BYTES[0] - 1, MEMO_BYTES[1] + 1), strict=True):
        bpetok.set_memo_size(limit)
        with pytest.raises(Error, match="1 MiB to 2048 MiB"):
            _bpetok.set_memo_bytes(beyond)
        for size in (beyond, str(beyond), -beyond):
            with pytest.raises(Error, match=rf"size is '?{size}'?: give 1 to 2,048 MiB"):
                bpetok.set_memo_size(size)
    bpetok.set_memo_size("37MiB")


def test_numpy_integers_are_amounts_too() -> None:
    bpetok.set_memo_size(np.int64(37 << 20))
    with pytest.raises(TypeError, match="must be a str such as"):
        bpetok.set_memo_size(True)
    with pytest.raises(TypeError, match="must be a str such as"):
        bpetok.set_memo_size(1.5)
