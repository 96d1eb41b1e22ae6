"""`init`, limits, the merge log, checkpoints and weights of training, against slow versions in Python."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
from bpetok import Counts
from bpetok.reference import encode_by_rank
from bpetok.reference import train as slow_train
from bpetok.spec import TokenizerSpec

pytestmark = pytest.mark.filterwarnings("ignore:the text has too few pairs")

WORDS = r"[a-z]+|[^a-z]"
documents = st.lists(st.text("aabbcd ", max_size=25), max_size=6)


def text_of(size: int, seed: int = 1) -> list[str]:
    choice = random.Random(seed)
    words = [
        "".join(choice.choices("abcdefgh", k=choice.randrange(1, 9))) for _ in range(size // 4)
    ]
    return [" ".join(choice.choices(words, k=20)) for _ in range(size)]


def slow_extend(
    pretokens: list[bytes], init: dict[bytes, int], first: int, until: int
) -> tuple[dict[bytes, int], list[dict[str, Any]]]:
    """Tokens and log of training on top of `init`, every pair counted anew for each merge."""
    ids = dict(init)
    texts = {token_id: token for token, token_id in ids.items()}
    words = [encode_by_rank(word, ids) for word in pretokens]
    log: list[dict[str, Any]] = []
    while first < until:
        counts = Counter(pair for word in words for pair in pairwise(word))
        if not counts:
            break
        pair = min(counts, key=lambda pair: (-counts[pair], pair))
        joined = texts[pair[0]] + texts[pair[1]]
        if joined not in ids:
            ids[joined], texts[first] = first, joined
            first += 1
        for word in words:
            at = 0
            while at + 1 < len(word):
                if (word[at], word[at + 1]) == pair:
                    word[at : at + 2] = [ids[joined]]
                at += 1
        log.append({"merge": len(log) + 1, "left": texts[pair[0]].decode("latin-1"),
                    "right": texts[pair[1]].decode("latin-1"), "id": ids[joined], "count": counts[pair]})  # fmt: skip
    return ids, log


def tokens_of(tok: bpetok.Tokenizer) -> dict[bytes, int]:
    tokens = TokenizerSpec.of(tok).token_map()
    return {token: token_id for token_id, token in tokens.items()}


# --- init -----------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(documents, documents, st.integers(0, 12), st.integers(0, 12), st.booleans())
def test_init_against_the_slow_version(
    first: list[str], second: list[str], merges: int, more: int, by_rank: bool
) -> None:
    init = bpetok.train(first, 257 + merges, pattern=WORDS)
    if by_rank:
        spec = TokenizerSpec.of(init)
        init = TokenizerSpec.from_parts(spec.token_map(), None, WORDS, {"<S>": 900}).build()
    log = io.StringIO()
    tok = bpetok.train(second, init.vocab_size + more, init=init, verbose=log)
    pretokens = [piece for text in second for piece in init.pretokenize(text)]
    ids, rows = slow_extend(pretokens, tokens_of(init), init.vocab_size, init.vocab_size + more)
    assert tokens_of(tok) == ids
    assert [json.loads(line) for line in log.getvalue().splitlines()] == rows
    assert tok.special_tokens == init.special_tokens
    assert (TokenizerSpec.of(tok).merges is None) == by_rank
    for piece in pretokens:
        assert tok.encode_ordinary(piece) == encode_by_rank(piece, ids)


def test_init_on_the_same_text_equals_training_at_once() -> None:
    text = text_of(300)
    init = bpetok.train(text, 300, pattern=WORDS, digits="1-3", special_tokens=())
    tok = bpetok.train(text, 340, init=init)
    assert tok == bpetok.train(text, 340, pattern=WORDS, digits="1-3", special_tokens=())
    assert (tok.digits, tok.pattern) == ("1-3", WORDS)


def test_ids_of_init_are_frozen_and_new_specials_stand_above() -> None:
    init = bpetok.train(text_of(300), 300, pattern=WORDS, special_tokens=["<S>"])
    tok = bpetok.train(text_of(300, 2), 340, init=init, special_tokens=["<T>"])
    assert tok.special_tokens == {"<S>": 299, "<T>": 339}
    assert tok.vocab_size == 340
    for token_id in range(300):
        assert tok.token_bytes(token_id) == init.token_bytes(token_id)
    assert tok.merges[: len(init.merges)] == init.merges
    counts = Counts(WORDS, ["<T>", "<S>"])
    counts.update(text_of(300, 2))
    assert bpetok.train(counts, 340, init=init) == tok


def test_a_pair_that_spells_a_token_takes_no_id() -> None:
    tokens = {byte: bytes([byte]) for byte in range(256)} | {256: b"abc"}
    init = TokenizerSpec.from_parts(tokens, None, WORDS).build()
    log = io.StringIO()
    tok = bpetok.train(["abcab xabc xabc"], 259, init=init, verbose=log)
    assert [json.loads(line)["id"] for line in log.getvalue().splitlines()] == [257, 256, 258]
    assert (tok.token_bytes(257), tok.token_bytes(258), tok.vocab_size) == (b"ab", b"xabc", 259)


def test_what_contradicts_init_is_refused() -> None:
    init = bpetok.train(text_of(300), 300, pattern=WORDS, special_tokens=["<S>"])
    for options, message in [
        ({"pattern": "gpt2"}, "pattern 'gpt2' is not that of init"),
        ({"digits": "1"}, "digits='1' is not the rule of init"),
        ({"vocab_size": 299}, r"vocab_size is 299, but 300 ids of init .* at least 300"),
        ({"special_tokens": ["<T>"]}, "1 special token.* at least 301"),
    ]:
        arguments: dict[str, Any] = {"vocab_size": 300, "init": init, **options}
        with pytest.raises(bpetok.TrainError, match=message):
            bpetok.train(text_of(10), **arguments)
    with pytest.raises(bpetok.TrainError, match=r"special token \"<S>\".*no boundary"):
        bpetok.train(Counts(WORDS), 310, init=init)
    with pytest.raises(bpetok.TrainError, match="pattern"):
        bpetok.train(Counts("gpt2", ["<S>"]), 310, init=init)


# --- limits and the log -----------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(documents, st.integers(0, 5), st.none() | st.integers(1, 6), st.integers(256, 280))
def test_limits_against_the_slow_version(
    texts: list[str], min_frequency: int, max_token_bytes: int | None, vocab_size: int
) -> None:
    tok = bpetok.train(
        texts,
        vocab_size,
        pattern=WORDS,
        special_tokens=(),
        min_frequency=min_frequency,
        max_token_bytes=max_token_bytes,
    )
    pretokens = [piece for text in texts for piece in tok.pretokenize(text)]
    slow = slow_train(
        pretokens, vocab_size, min_frequency=min_frequency, max_token_bytes=max_token_bytes
    )
    assert list(tokens_of(tok)) == slow.tokens
    assert tok.merges == [(slow.tokens[left], slow.tokens[right]) for left, right in slow.merges]


def test_the_log_is_lossless(tmp_path: Path) -> None:
    texts = [b"\xff\xfe\xff\xfe na\xc3\xafve na\xc3\xafve\n"] * 3
    log = io.StringIO()
    tok = bpetok.train(texts, 270, verbose=log)
    bpetok.train(texts, 270, verbose=tmp_path / "log.jsonl")
    assert (tmp_path / "log.jsonl").read_text("ascii") == log.getvalue()
    rows = [json.loads(line) for line in log.getvalue().splitlines()]
    sides = [(row["left"].encode("latin-1"), row["right"].encode("latin-1")) for row in rows]
    assert sides == tok.merges
    assert [row["merge"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(tok.token_bytes(row["id"]) == left + right
               for row, (left, right) in zip(rows, sides, strict=True))  # fmt: skip
    with pytest.raises(TypeError, match="verbose must be a path or a text file"):
        bpetok.train(texts, 270, verbose=True)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match="missing"):
        bpetok.train(texts, 270, verbose=tmp_path / "missing" / "log")


# --- checkpoints ------------------------------------------------------------------------------------

KILLED = """
import sys, time
import bpetok, bpetok.checkpoint
from test_train_options import text_of, WORDS
bpetok.checkpoint.SECONDS = 0.0
folder, init = sys.argv[1:]
def slow(phase, done, total):
    print(phase, done, flush=True)
    time.sleep(0.05 if phase == "merge" else 0)
bpetok.train(text_of(4000), 1500, pattern=WORDS, init=bpetok.load(init) if init else None,
             checkpoint=folder + "/checkpoint", verbose=folder + "/log", progress=slow)
"""


def test_a_log_is_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(bpetok.TrainError, match="'state' is both checkpoint and log"):
        bpetok.train(text_of(100), 300, checkpoint=tmp_path / "state", verbose="state")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["bytes", "init", "ranks"])
def test_going_on_after_a_kill_gives_the_same_file(tmp_path: Path, kind: str) -> None:
    init = None
    if kind != "bytes":
        init = bpetok.train(text_of(500, 3), 290, pattern=WORDS)
        if kind == "ranks":  # "abcdefg" is a token that merging never forms
            tokens = TokenizerSpec.of(init).token_map() | {400: b"abcdefgh"}
            init = TokenizerSpec.from_parts(tokens, None, WORDS).build()
        init.save(tmp_path / "init.bpetok")
    arguments = [str(tmp_path), str(tmp_path / "init.bpetok") if init else ""]
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("merge ") and int(line.split()[1]) >= 300:
            break
    time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    records = (tmp_path / "checkpoint").read_bytes()
    assert 256 <= json.loads(records.partition(b"\n")[0])["merges"] < 1000
    options: dict[str, Any] = {"pattern": WORDS, "init": init}
    resumed = bpetok.train(text_of(4000), 1500, **options, checkpoint=tmp_path / "checkpoint",
                           verbose=tmp_path / "log")  # fmt: skip
    log = io.StringIO()
    whole = bpetok.train(text_of(4000), 1500, **options, verbose=log)
    resumed.save(tmp_path / "resumed.bpetok")
    whole.save(tmp_path / "whole.bpetok")
    assert (tmp_path / "resumed.bpetok").read_bytes() == (tmp_path / "whole.bpetok").read_bytes()
    assert (tmp_path / "log").read_text() == log.getvalue()
    # A finished checkpoint gives the result at once, and a third time too.
    assert bpetok.train(text_of(4000), 1500, **options, checkpoint=tmp_path / "checkpoint") == whole


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    texts = text_of(200)
    first: dict[str, Any] = {"vocab_size": 300, "pattern": WORDS, "checkpoint": path}
    tok = bpetok.train(texts, **first)
    kept = path.read_bytes()
    for options in (
        {"vocab_size": 301}, {"pattern": "gpt2"}, {"min_frequency": 2}, {"max_token_bytes": 9},
        {"digits": "1"}, {"special_tokens": ["<S>"]},
    ):  # fmt: skip
        (name,) = options
        with pytest.raises(bpetok.TrainError, match=f"checkpoint was made with {name}="):
            bpetok.train(texts, **{**first, **options})
    with pytest.raises(bpetok.TrainError, match="checkpoint was made with counts="):
        bpetok.train([*texts, "more"], **first)
    with pytest.raises(bpetok.TrainError, match="checkpoint was made with init="):
        bpetok.train(texts, 300, checkpoint=path, init=bpetok.train(texts, 270, pattern=WORDS))
    assert path.read_bytes() == kept
    assert bpetok.train(texts, **first) == tok


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "cut off or changed"),
        (lambda data: data[:-40] + b"x" + data[-39:], "cut off or changed"),
        (lambda _: b"", "not a checkpoint"),
        (lambda _: b"text", "not a checkpoint"),
    ],
)
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    path = tmp_path / "checkpoint"
    bpetok.train(text_of(200), 300, checkpoint=path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(bpetok.TrainError, match=message):
        bpetok.train(text_of(200), 300, checkpoint=path)


def test_what_is_no_checkpoint_is_not_read_to_its_end(tmp_path: Path) -> None:
    with open(tmp_path / "corpus", "wb") as file:
        file.truncate(1 << 42)  # more than any memory, and nothing on the disk
    with pytest.raises(bpetok.TrainError, match="not a checkpoint: name another file"):
        bpetok.train(text_of(20), 300, checkpoint=tmp_path / "corpus")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_what_is_no_ordinary_file_is_no_checkpoint_and_not_to_be_deleted(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(
            bpetok.TrainError, match=r"is no ordinary file, as a checkpoint is: name another$"
        ):
            bpetok.train(text_of(20), 300, checkpoint=path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_log_that_cannot_be_written_is_an_oserror_of_its_path() -> None:
    for size in (300, 256 + 2000):  # written when it is closed, and before
        with pytest.raises(OSError, match="No space left") as caught:
            bpetok.train(text_of(2000), size, verbose="/dev/full")
        assert caught.value.filename == "/dev/full"


def test_a_checkpoint_that_cannot_be_written_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        bpetok.train(text_of(20), 300, checkpoint=tmp_path / "missing" / "checkpoint")


# --- weights ----------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text("ab 1<S>", max_size=12), st.integers(0, 4)), max_size=8))
def test_weights_are_repetitions(rows: list[tuple[str, int]]) -> None:
    weighted, repeated = Counts("gpt2", ["<S>"]), Counts("gpt2", ["<S>"])
    weighted.update([text for text, _ in rows], weights=[weight for _, weight in rows])
    repeated.update([text for text, weight in rows for _ in range(weight)])
    assert weighted.items() == repeated.items()
    assert (weighted.total, weighted.bytes) == (repeated.total, repeated.bytes)


def test_limits_may_be_numpy_integers_also_in_a_checkpoint(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"min_frequency": 2, "max_token_bytes": 5}
    of_numpy: dict[str, Any] = {name: np.int64(value) for name, value in limits.items()}
    path = tmp_path / "checkpoint"
    tok = bpetok.train(text_of(20), np.int64(300), **of_numpy, checkpoint=path)  # type: ignore[arg-type]
    assert tok == bpetok.train(text_of(20), 300, **limits, checkpoint=os.fsencode(path))  # type: ignore[arg-type]


def test_init_is_a_tokenizer() -> None:
    with pytest.raises(
        TypeError, match=r"init must be a Tokenizer, not 'a\.bpetok' .*bpetok\.load"
    ):
        bpetok.train(["a"], 300, init="a.bpetok")  # type: ignore[arg-type]


def test_weights_are_checked() -> None:
    counts = Counts("gpt2")
    with pytest.raises(bpetok.Error, match="1 weights for 2 or more documents"):
        counts.update(iter(["a", "b"]), weights=[1])
    for weights in ([1], [1, 2, 3], []):
        with pytest.raises(bpetok.Error, match=f"{len(weights)} weights for"):
            counts.update(["a", "b"], weights=weights)
    with pytest.raises(bpetok.Error, match=r"weight -1 \(at index 1\) is out of range"):
        counts.update(["a", "b"], weights=[1, -1])
    with pytest.raises(bpetok.Error, match=r"^weight a number of thousands of digits "):
        counts.update(["a"], weights=[10**5000])
    with pytest.raises(TypeError, match="weights must be int, not float"):
        counts.update(["a"], weights=[0.5])  # type: ignore[list-item]
    for source in (Path("x"), [Path("x")], Counts("gpt2")):
        with pytest.raises(TypeError, match="weights go with documents"):
            counts.update(source, weights=[1])  # type: ignore[arg-type]
    assert len(counts) == 0
    counts.update(iter(["a", "b"]), weights=iter([2**62, 2**63]))
    assert counts.items() == [(b"a", 2**62), (b"b", 2**63)]
    with pytest.raises(bpetok.TrainError, match="passes the limit"):
        counts.update(["b"], weights=[2**63])
