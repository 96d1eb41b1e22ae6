"""Threads, forks and Ctrl-C: the same ids everywhere, and work that stops when it is told to."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import bpetok
from support import python

if TYPE_CHECKING:
    from pathlib import Path

PROMPTLY = 3.0
"""Seconds from Ctrl-C to the end of the process, on a machine that others use as well."""

TRAIN_COUNTING = """
import bpetok, itertools
print("ready", flush=True)
bpetok.train((f"document {n} " * 50 for n in itertools.count()), 1000)
"""
TRAIN_MERGING = """
import bpetok, random
text = random.Random(1).randbytes(6_000_000).hex()
counts = bpetok.Counts("[0-9a-f]{1,30}")
counts.update([text])
print("ready", flush=True)
bpetok.train(counts, 2_000_000)
"""
ENCODE_BATCH = """
import bpetok
tok = bpetok.train(["the cat in the hat"] * 9, 270)
texts = ["the cat in the hat sat on the mat, 世界 and 12345 rats too. " * 2000] * 100_000
print("ready", flush=True)
tok.encode_batch(texts)
"""

DECODE = """
import bpetok, itertools
tok = bpetok.train(["the cat in the hat"] * 9, 270)
print("ready", flush=True)
tok.decode(itertools.repeat(5))
"""
PRETOKENIZE = """
import bpetok
tok = bpetok.train(["the cat in the hat"] * 9, 260, pattern="(?:a|b)(?=a|b|$)")
text = "ab" * 20_000_000
print("ready", flush=True)
tok.pretokenize(text)
"""
# Each word takes some hundred thousand steps, so that few make seconds.
SLOW_PATTERN = """
import bpetok
pattern = r"(?:a|aa|aaa)+?(?=x)|(?:\\w+|\\s+)(?!~)|."
tok = bpetok.train(["the cat in the hat"] * 9, 260, pattern=pattern)
text = ("a" * 20 + " ") * 700
"""
ENCODE_SLOWLY = f"""{SLOW_PATTERN}
print("ready", flush=True)
tok.encode(text)
"""
COUNT_SLOWLY = f"""{SLOW_PATTERN}
counts = bpetok.Counts(pattern)
print("ready", flush=True)
counts.update([text * 3])
"""
# Each stretch takes a millisecond, and there are many.
ENCODE_STRETCHES = f"""{SLOW_PATTERN}
text = ("a" * 18 + "<|endoftext|>") * 20_000
print("ready", flush=True)
tok.encode(text, allowed_special="all")
"""
COUNT_STRETCHES = f"""{SLOW_PATTERN}
counts = bpetok.Counts(pattern, ["<|endoftext|>"])
text = ("a" * 18 + "<|endoftext|>") * 20_000
print("ready", flush=True)
counts.update([text])
"""
COLLECT = """
import bpetok, itertools
tok = bpetok.train(["the cat in the hat"] * 9, 270)
print("ready", flush=True)
tok.encode_batch(itertools.repeat("the cat"))
"""


def test_sixteen_threads_share_one_tokenizer(tok: bpetok.Tokenizer, documents: list[str]) -> None:
    texts = [text + str(number) for number in range(50) for text in documents]
    expected = [tok.encode(text) for text in texts]
    fresh = bpetok.Tokenizer._from_bytes(tok._to_bytes())

    def work(_: int) -> tuple[list[list[int]], list[list[int]]]:
        return [fresh.encode(text) for text in texts], fresh.encode_batch(texts, threads=2).tolist()

    with ThreadPoolExecutor(16) as pool:
        for one_by_one, batch in pool.map(work, range(32)):
            assert one_by_one == batch == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_gives_the_same_ids() -> None:
    script = """
import os, bpetok, warnings
warnings.simplefilter("ignore")
tok = bpetok.train(["the cat in the hat"] * 9, 270, threads=4)
texts = ["the cat", "in the hat"] * 2000
before = tok.encode_batch(texts, threads=4).tolist()
child = os.fork()
if child == 0:
    same = tok.encode_batch(texts, threads=4).tolist() == before == [tok.encode(t) for t in texts]
    trained = bpetok.train(["the cat in the hat"] * 9, 270, threads=4) == tok
    os._exit(0 if same and trained else 1)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status))
"""
    assert python(script).stdout == "0\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(
    "call",
    ["tok.decode([1, 2, 3])", "tok.encode_batch([text], threads=1)", "tok.utf8_mask(State())"],
)
def test_a_fork_while_a_table_is_made_does_not_hang(
    published: dict[str, bpetok.Tokenizer], call: str
) -> None:
    script = f"""
import os, pickle, signal, sys, threading, time, warnings
from bpetok.utf8 import State
warnings.simplefilter("ignore")
blob = sys.stdin.buffer.read()
text = " ".join("qzx%dvkj" % number for number in range(3000))
for trial in range(20):
    tok = pickle.loads(blob)
    thread = threading.Thread(target=lambda: {call})
    thread.start()
    time.sleep(0.0002 * (trial % 10))
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        {call}
        os._exit(0)
    _, status = os.waitpid(child, 0)
    thread.join()
    if status:
        sys.exit(f"trial {{trial}}: the child ended with status {{status}}")
"""
    blob = pickle.dumps(published["cl100k_base"])
    done = subprocess.run(
        [sys.executable, "-c", script], input=blob, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to one process on Windows")
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(TRAIN_COUNTING, id="counting"),
        pytest.param(TRAIN_MERGING, id="merging"),
        pytest.param(ENCODE_BATCH, id="encode_batch"),
        pytest.param(DECODE, id="decode"),
        pytest.param(PRETOKENIZE, id="pretokenize"),
        pytest.param(ENCODE_SLOWLY, id="encode slowly"),
        pytest.param(COUNT_SLOWLY, id="count slowly"),
        pytest.param(ENCODE_STRETCHES, id="encode stretches slowly"),
        pytest.param(COUNT_STRETCHES, id="count stretches slowly"),
        pytest.param(COLLECT, id="collecting"),
    ],
)
def test_ctrl_c_stops_promptly(script: str) -> None:
    # In a session of its own, so that the signal reaches only it.
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
        time.sleep(0.7)
        assert process.poll() is None, "the work ended before it could be interrupted"
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        _, errors = process.communicate(timeout=60)
        assert "KeyboardInterrupt" in errors
        assert time.monotonic() - asked < PROMPTLY
    finally:
        process.kill()
        process.wait()


def test_other_threads_go_on_under_a_slow_pattern() -> None:
    script = f"""{SLOW_PATTERN}
import threading, time
beats = []
def beat():
    while True:
        beats.append(time.monotonic())
        time.sleep(0.01)
threading.Thread(target=beat, daemon=True).start()
tok.encode(text[:2100])
print(max(after - before for before, after in zip(beats, beats[1:])) < 0.3 and len(beats) > 10)
"""
    assert python(script).stdout == "True\n"


def test_whoever_comes_while_numpy_is_imported_waits_for_nothing() -> None:
    # What runs in the middle of an import here may as well be a signal's handler.
    script = """
import bpetok, sys
tok = bpetok.train(["the cat in the hat"] * 9, 267)
class InTheMiddle:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("numpy."):
            sys.meta_path.remove(self)
            try:
                tok.encode_numpy("the cat")
            except ImportError as error:
                print(error)
sys.meta_path.insert(0, InTheMiddle())
print(tok.encode_numpy("the cat").tolist() == tok.encode("the cat"))
"""
    assert python(script).stdout == "NumPy is just being imported; ask again when it is\nTrue\n"


NOT_A_THREAD = """
import bpetok, pathlib, sys
import numpy as np
tok = bpetok.train(["the cat in the hat"] * 9, 266, special_tokens=(), threads=16)
text = "the cat in the hat sat on the mat. " * 100_000
path, ids = pathlib.Path(sys.argv[1], "text"), pathlib.Path(sys.argv[1], "ids.bin")
path.write_text(text)
ids.touch()
rows = {}
for threads in (1, 16):
    counts, from_file = bpetok.Counts("gpt2"), bpetok.Counts("gpt2")
    counts.update([text] * 3, threads=threads)
    from_file.update(path, threads=threads)
    tok._encode_files([path], ids, threads=threads)
    weights = bpetok.nn.quant.quantize(np.ones((256, 1 << 16), np.float32), "q4_0", threads=threads)
    product = bpetok.nn.quant.linear(np.ones((1, 1 << 16), np.float32), weights)
    rows[threads] = (
        tok.encode_batch([text] * 3, threads=threads).tolist(), counts.items(), from_file.items(),
        ids.read_bytes(), product.tobytes(),
    )
assert rows[1] == rows[16]
print("same")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for stacks that it cannot give")
def test_without_threads_the_calling_one_does_it_all(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOT_A_THREAD, str(tmp_path)],
        capture_output=True, text=True, env={**os.environ, "RUST_MIN_STACK": str(1 << 47)},
    )  # fmt: skip
    assert done.stdout == "same\n", done.stderr


# What waits for the other end of a pipe, which this test holds and does not use.
FROM_PIPE = "bpetok.Counts().update(pathlib.Path('pipe'), threads={threads})"
INTO_PIPE = "tok._encode_files(['text'], 'pipe', threads={threads})"
INTO_STDOUT = "tok._encode_files(['text'], None, threads={threads})"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "call", [FROM_PIPE, INTO_PIPE, INTO_STDOUT], ids=["from", "into", "stdout"]
)
def test_ctrl_c_ends_waiting_for_a_pipe(tmp_path: Path, call: str, threads: int) -> None:
    (tmp_path / "text").write_bytes(b"the cat in the hat. " * 200_000)
    os.mkfifo(tmp_path / "pipe")
    # Open for both, so that no end waits for the other to be opened. What is read is written now:
    # later the process may have filled the pipe, and this one would wait for itself.
    pipe = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(pipe, b"a few words")
    script = f"""
import bpetok, pathlib, sys
tok = bpetok.train(["the cat in the hat"] * 9, 266, special_tokens=())
print("ready", file=sys.stderr, flush=True)
{call.format(threads=threads)}
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        time.sleep(0.7)
        assert process.poll() is None, "it did not wait"
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        process.wait(timeout=20)
        assert time.monotonic() - asked < PROMPTLY
        assert "KeyboardInterrupt" in process.stderr.read()
    finally:
        process.kill()
        process.communicate()
        os.close(pipe)


WITHOUT_NUMPY = """
import sys
import bpetok
tok = bpetok.train(["low lower lowest"] * 4, 262)
batch = tok.encode_batch(["low"])
state = bpetok.utf8.State()
sys.modules["numpy"] = None
calls = [
    lambda: tok.encode_numpy("low"),
    lambda: tok.encode_with_offsets("low"),
    lambda: tok.count_batch(["low"]),
    lambda: tok.token_byte_lengths,
    lambda: tok.utf8_mask(state),
    lambda: batch.ids,
    lambda: batch.offsets,
    lambda: batch[0],
    lambda: batch.pad(),
]
for call in calls:
    try:
        call()
    except ImportError:
        continue
    raise SystemExit("no ImportError")
assert batch.tolist() == [tok.encode("low")]
"""


def test_numpy_that_cannot_be_imported_is_an_import_error() -> None:
    # Rust's way to NumPy ends with a panic otherwise, as it did when Ctrl-C came while NumPy was imported.
    subprocess.run([sys.executable, "-c", WITHOUT_NUMPY], check=True, timeout=60)
