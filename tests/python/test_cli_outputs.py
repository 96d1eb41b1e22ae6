"""What the commands say when an output takes no more, and when they are interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import bpetok
from support import complaint

TEXT = "the cat in the hat sat on the mat, 12345\n" * 2000
INTERRUPTED = """
import builtins, sys
whole = builtins.__import__
def stop(name, *rest):
    if name == "bpetok.progress":  # what a command imports
        raise KeyboardInterrupt
    return whole(name, *rest)
builtins.__import__ = stop
from bpetok.cli import main
sys.exit(main(["--version"]))
"""

full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, a tokenizer and the ids of the text."""
    folder = tmp_path_factory.mktemp("outputs")
    (folder / "text.txt").write_text(TEXT)
    tok = bpetok.train([TEXT], 270)
    tok.save(folder / "tok.bpetok")
    (folder / "text.ids").write_bytes(tok.encode_numpy(TEXT).tobytes())
    return folder


def to_full(folder: Path, *arguments: str, options: tuple[str, ...] = ()) -> str:
    """The complaint of a command whose stdout is a full disk."""
    # In the developers' mode Python tells of what it could not write when it ends.
    with open("/dev/full", "wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-X", "dev", *options, "-m", "bpetok", *arguments],
            stdout=stdout, stderr=subprocess.PIPE, cwd=folder, check=False, timeout=120,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        )  # fmt: skip
    assert done.returncode == 2
    return complaint(done)


@full
@pytest.mark.parametrize("options", [(), ("-u",)])
@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "tok.bpetok", "--text", "hi"],
        ["show", "tok.bpetok", "text.txt", "--limit", "0"],
        ["count", "tok.bpetok", "text.txt"],
        ["decode", "tok.bpetok", "text.ids"],
        ["encode", "tok.bpetok", "text.txt"],
        ["encode", "tok.bpetok", "text.txt", "-o", "-"],
        ["generate", "llama", "Hi", "-n", "1"],
        ["--help"],
    ],
)
def test_a_full_stdout_is_named(
    folder: Path, arguments: list[str], options: tuple[str, ...]
) -> None:
    said = to_full(folder, *arguments, options=options)
    assert said == "bpetok: error: stdout: No space left on device"


@full
@pytest.mark.parametrize(
    "arguments",
    [
        ["decode", "tok.bpetok", "text.ids", "-o", "/dev/full"],
        [
            "train",
            "text.txt",
            "-o",
            "a.bpetok",
            "--vocab-size",
            "270",
            "--verbose-log",
            "/dev/full",
        ],
    ],
)
def test_a_full_file_is_named(folder: Path, arguments: list[str]) -> None:
    said = to_full(folder, *arguments)
    assert said == "bpetok: error: /dev/full: No space left on device"


def test_an_interrupt_while_commands_are_imported_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, check=False, timeout=60
    )
    assert complaint(done) == "bpetok: error: interrupted"
    assert done.returncode == 130


@full
def test_a_full_stderr_costs_no_work_and_no_exit_code(folder: Path) -> None:
    too_small = ["train", "text.txt", "-o", "kept.bpetok", "--vocab-size", "20000", "--no-held-out"]
    for arguments, code in (
        (too_small, 0),  # it warns, once all is trained
        (["show", "tok.bpetok", "text.txt"], 0),  # it says that there is more
        (["show", "missing.bpetok", "text.txt"], 2),
    ):
        with open("/dev/full", "wb") as stderr:
            done = subprocess.run(
                [sys.executable, "-m", "bpetok", *arguments],
                stdout=subprocess.DEVNULL, stderr=stderr, cwd=folder, check=False, timeout=120,
            )  # fmt: skip
        assert done.returncode == code, arguments
    assert bpetok.load(folder / "kept.bpetok").merges


def test_a_reader_of_stderr_that_has_gone_costs_no_work(folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    subprocess.run(
        [sys.executable, "-m", "bpetok", "train", "text.txt", "-o", "piped.bpetok", "--no-held-out"],
        stdout=subprocess.DEVNULL, stderr=writer, cwd=folder, check=True, timeout=120,
    )  # fmt: skip
    os.close(writer)
    assert bpetok.load(folder / "piped.bpetok").merges
