"""`bpetok encode -o`: files to a file in bounded memory, with the ids of the whole text."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import bpetok
from bpetok.errors import Error, SpecialTokenError
from support import python

BLOCKS = (1, 7, 64, 4096, 1 << 19)


@pytest.fixture(scope="module")
def tok() -> bpetok.Tokenizer:
    """A tokenizer with merges that would join across careless cuts."""
    return bpetok.train(["the cat in the hat, the end. 世界 naïve 12345\r\n" * 9], 280)


def encoded(
    tok: bpetok.Tokenizer, inputs: list[Path], folder: Path, **options: Any
) -> NDArray[np.uint32]:
    output = folder / "ids.bin"
    output.touch()
    size, count = tok._encode_files(inputs, output, **options)
    ids = np.fromfile(output, dtype="<u4")
    assert (size, count) == (sum(path.stat().st_size for path in inputs), len(ids))
    return ids


def test_blocks_and_threads_give_the_ids_of_the_whole_text(
    tok: bpetok.Tokenizer, tmp_path: Path
) -> None:
    line = (
        "the <|endoftext|> hat's 123456 世界。naïve\r\n".encode()
        + b"\xff\xc3 \xe4\xb8\xf0\x9f\x98 \xef\xbb\xbf"
    )
    texts = [line * 300, b"", b"a" * 9000, b"\xff" * 5000, b" " * 5000 + b"x", b"ab\xe4\xb8"]
    files = [tmp_path / str(number) for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_bytes(text)
    for rule in ({"disallowed_special": ()}, {"allowed_special": "all"}):
        options: dict[str, Any] = rule
        expected = [id for text in texts for id in tok.encode(text, **options)]
        for threads in (1, 2, 8):
            for block in BLOCKS:
                options = {**rule, "threads": threads, "block_bytes": block}
                assert encoded(tok, files, tmp_path, **options).tolist() == expected


@pytest.mark.parametrize("name", ["cl100k_base", "o200k_base"])
def test_real_and_hostile_files(
    published: dict[str, bpetok.Tokenizer], name: str, data_dir: Path, tmp_path: Path
) -> None:
    tok = published[name]
    files = [data_dir / "corpora" / "mixed_10mb.txt", *sorted((data_dir / "adversarial").iterdir())]
    expected = tok.encode_batch([file.read_bytes() for file in files], disallowed_special=()).ids
    for threads, block in ((1, 4096), (2, 1 << 16), (8, 1 << 19)):
        options: dict[str, Any] = {"threads": threads, "block_bytes": block}
        found = encoded(tok, files, tmp_path, disallowed_special=(), **options)
        assert np.array_equal(found, expected)


def test_a_custom_pattern_holds_the_text_whole(tmp_path: Path) -> None:
    text = "one two, three four; " * 500
    tok = bpetok.train([text], 265, pattern=r"\w+ \w+|\s+|[^\w\s]+")
    (tmp_path / "t").write_text(text)
    assert encoded(tok, [tmp_path / "t"], tmp_path, block_bytes=16).tolist() == tok.encode(text)


def test_errors_name_the_file(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_bytes(b"word " * 100 + b"<|endoftext|>")
    with pytest.raises(SpecialTokenError, match=r"text: .* at byte 500"):
        encoded(tok, [text], tmp_path, block_bytes=10)
    with pytest.raises(FileNotFoundError) as caught:
        encoded(tok, [text, tmp_path / "absent"], tmp_path, disallowed_special=())
    assert caught.value.filename == str(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="no-output"):
        tok._encode_files([text], tmp_path / "no-output")
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        tok._encode_files([tmp_path], tmp_path / "ids.bin")
    with pytest.raises(Error, match="threads is 0"):
        encoded(tok, [text], tmp_path, threads=0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("threads", [1, 4])
def test_a_full_disk_is_an_os_error(tok: bpetok.Tokenizer, tmp_path: Path, threads: int) -> None:
    (tmp_path / "t").write_bytes(b"the cat in the hat " * 100_000)
    with pytest.raises(OSError, match=r"No space left on device.*/dev/full"):
        tok._encode_files([tmp_path / "t"], "/dev/full", threads=threads)


def command(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bpetok", "encode", "tok.bpetok", *arguments],
        cwd=folder, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_the_command_says_that_the_disk_is_full(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    tok.save(tmp_path / "tok.bpetok")
    (tmp_path / "text").write_bytes(b"the cat")
    for output in ("/dev/full", "-"):
        with open("/dev/full", "wb") as full:
            done = command(tmp_path, "text", "-o", output, stdout=full)
            _, said = done.communicate(timeout=60)
        assert done.returncode == 2
        assert b"No space left" in said
    assert os.path.exists("/dev/full")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_ctrl_c_while_waiting_for_stdin(
    tok: bpetok.Tokenizer, tmp_path: Path, threads: str
) -> None:
    tok.save(tmp_path / "tok.bpetok")
    (tmp_path / "ids.bin").write_bytes(b"old")
    running = command(tmp_path, "-", "-o", "ids.bin", "--threads", threads, stdin=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while len(os.listdir(tmp_path)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)  # until the temporary file is there
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, said = running.communicate(timeout=30)
    assert time.monotonic() - started < 3
    assert running.returncode == 130, said
    assert sorted(os.listdir(tmp_path)) == ["ids.bin", "tok.bpetok"]
    assert (tmp_path / "ids.bin").read_bytes() == b"old"


PEAK = """
import sys, bpetok
tok = bpetok.load("tok.bpetok")
open("ids.bin", "wb").close()
tok._encode_files(["t"], "ids.bin", threads=2)
print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_file(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    tok.save(tmp_path / "tok.bpetok")
    peaks = []
    for megabytes in (4, 64):
        (tmp_path / "t").write_bytes(b"the cat in the hat sat. " * (megabytes * 1_000_000 // 24))
        peaks.append(int(python(PEAK, cwd=tmp_path).stdout))
    assert peaks[1] - peaks[0] < 8 << 10  # KiB


@pytest.mark.parametrize("size", [0, 2**30 + 1, 2**63, 2**64 - 1])
def test_sizes_of_blocks_that_cannot_be(tok: bpetok.Tokenizer, tmp_path: Path, size: int) -> None:
    text = tmp_path / "text"
    text.write_text("some text")
    with pytest.raises(Error, match=f"block_bytes is {size}; give "):
        encoded(tok, [text], tmp_path, block_bytes=size)
