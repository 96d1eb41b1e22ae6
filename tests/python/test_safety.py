"""Threads, forks and Ctrl-C: the same ids everywhere, and work that stops when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import bpetok
from support import python

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


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to one process on Windows")
@pytest.mark.parametrize(
    "script",
    [TRAIN_COUNTING, TRAIN_MERGING, ENCODE_BATCH, DECODE, PRETOKENIZE, COLLECT],
    ids=["counting", "merging", "encode_batch", "decode", "pretokenize", "collecting"],
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
