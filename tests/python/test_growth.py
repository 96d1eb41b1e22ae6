"""Shapes that grow without bound: their memory, and Ctrl-C, which is heard at all times."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import python

MEBIBYTE = 1 << 20
PROMPTLY = 2.0
"""Seconds from Ctrl-C to KeyboardInterrupt, on a machine that others use as well."""

WORDS = """
import bpetok, random
letters = random.Random(1).randbytes(12_000_000).hex()
counts = bpetok.Counts("[0-9a-f]{8}")
counts.update([letters])
"""
MANY_SPECIALS = """
import bpetok
specials = [f"<|s{number}|>" for number in range(5000)]
tok = bpetok.train(["the cat"], 5256, pattern="[^x]+|x", special_tokens=specials)
text = "<|s <" * 8_000_000
"""
ROWS = """
import bpetok, numpy
tok = bpetok.train(["the cat in the hat"] * 9, 262)
batch = tok.encode_batch(["the cat"] * 2_000_000 + ["x" * 300])
"""
GIANT = r"""
import bpetok, random
text = random.Random(1).randbytes(45_000_000).hex()
tok = bpetok.train([text[:20_000]], 1000, pattern=r"[\s\S]+")
"""
DEAF = {
    "one pretoken": GIANT + "call = lambda: tok.encode_batch([text])",
    "cut in one pretoken": GIANT + "call = lambda: tok.cut(text, 10**9)",
    "cut": MANY_SPECIALS + "call = lambda: tok.cut(text, 10)",
    "refuse": MANY_SPECIALS + "call = lambda: tok.encode(text)",
    "special tokens alone": "import bpetok; tok = bpetok.train(['the cat'], 257); "
    "text = '<|endoftext|>' * 4_000_000; call = lambda: tok.encode(text, allowed_special='all')",
    "pad": ROWS + "call = batch.pad",
    "items": WORDS + "call = counts.items",
    "to_arrow": WORDS + "import pyarrow; call = counts.to_arrow",
    "empty documents": "import bpetok; counts = bpetok.Counts(); texts = [''] * 20_000_000; "
    "call = lambda: counts.update(texts)",
}
# The time is that of the call alone: to free so many objects takes long too.
RUN = """
import time
print("ready", flush=True)
try:
    call()
    print("it ended before it could be interrupted", flush=True)
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to one process on Windows")
@pytest.mark.parametrize("script", [pytest.param(DEAF[name], id=name) for name in DEAF])
def test_ctrl_c_is_heard_meanwhile(script: str) -> None:
    # In a session of its own, so that the signal reaches only it.
    process = subprocess.Popen(
        [sys.executable, "-c", f"{script}\n{RUN}"],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        heard = process.stdout.readline()
        assert float(heard) - asked < PROMPTLY
    finally:
        process.kill()
        process.communicate()


def test_ctrl_c_before_the_first_array_is_no_panic() -> None:
    # Rust's way to NumPy asks for its version, in Python, when the first array is made: a signal that came before was
    # raised there, and Rust took that for an error of NumPy.
    script = """
import bpetok, ctypes, itertools, numpy
tok = bpetok.train(["low lower lowest"] * 4, 262)
# The signal is there without a line of Python in between.
names = itertools.filterfalse(ctypes.pythonapi.PyErr_SetInterrupt, ["<|endoftext|>"])
try:
    tok.encode_numpy("low", allowed_special=names)
except KeyboardInterrupt:
    pass
assert tok.encode_numpy("low").tolist() == tok.encode("low")
"""
    assert python(script).stderr == ""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize(
    "documents", ["'' for _ in range(4_000_000)", "str(n) for n in range(2_000_000)"]
)
def test_documents_of_an_iterator_stay_below_the_limit_however_short(documents: str) -> None:
    script = f"""
import bpetok
bpetok.Counts().update(({documents}), threads=2, max_memory="128MiB")
print(next(row for row in open("/proc/self/status") if row.startswith("VmHWM")).split()[1])
"""
    assert int(python(script).stdout) << 10 < 128 * MEBIBYTE


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_tokens_longer_than_blocks_take_no_memory_for_all_of_a_text() -> None:
    # A line of 128 KiB makes a token of half of all its lengths, and two blocks of 16 KiB are never merged each for itself.
    script = """
import bpetok
tok = bpetok.train(["=" * 2**17], 400, special_tokens=())
text = "=" * (6 * 2**20 - 1) + "x"
ids = tok.encode(text)
assert tok.decode(ids) == text
print(next(row for row in open("/proc/self/status") if row.startswith("VmHWM")).split()[1])
"""
    assert int(python(script).stdout) << 10 < 128 * MEBIBYTE


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_a_file_that_is_held_whole_takes_its_ids_once(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(b"xyz," * (6 * MEBIBYTE))
    script = f"""
import bpetok
tok = bpetok.train(["the cat"], 256, pattern="(?s:.)+", special_tokens=())
out = {str(tmp_path / "ids")!r}
open(out, "w").close()
tok._encode_files([{str(file)!r}], out)
print(next(row for row in open("/proc/self/status") if row.startswith("VmHWM")).split()[1])
"""
    # 24 MiB of text in room for 32, and 96 of ids.
    assert int(python(script).stdout) << 10 < (32 + 96 + 64) * MEBIBYTE
