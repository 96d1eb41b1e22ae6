"""What the command line says of bad input and arguments, and its help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bpetok
from bpetok import cli
from support import complaint, run

TEXT = "the cat in the hat sat on the mat, naïve 世界 12345\n" * 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text and a tokenizer trained on it."""
    folder = tmp_path_factory.mktemp("errors")
    (folder / "text.txt").write_bytes(TEXT.encode())
    bpetok.train([TEXT], 280).save(folder / "tok.bpetok")
    return folder


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["encode", "absent.bpetok", "text.txt"], "absent.bpetok"),
        (["encode", "tok.bpetok", "absent.txt"], "absent.txt: No such file"),
        (["count", "text.txt", "text.txt"], "text.txt begins with"),
        (["encode", "tok.bpetok", "-", "-"], "2 times"),
        (["encode", "tok.bpetok", "text.txt", "--json"], "-o FILE"),
        (["encode", "tok.bpetok", "text.txt", "-o", "no/such/folder"], "no/such/folder"),
        (["train", "text.txt", "-o", "x.bpetok", "--vocab-size", "100"], "at least 257"),
        (["train", "text.txt", "-o", "x.bpetok", "--pattern", "("], "pattern"),
        (["train", "text.txt", "-o", "x.docx"], "suffix"),
        (["train", "text.txt", "-o", "x.bpetok", "--threads", "0"], "0"),
        (["train", "absent.txt", "-o", "x.bpetok"], "absent.txt"),
        (["decode", "tok.bpetok", "absent.bin"], "absent.bin"),
        (["show", "cl100k_base", "--text", "a", "--pattern", "gpt2"], "leave --pattern out"),
    ],
)
def test_errors_are_one_line_and_exit_2(folder: Path, arguments: list[str], says: str) -> None:
    assert says in complaint(run(*arguments, cwd=folder, code=2, stdin=subprocess.DEVNULL))


def test_messages_keep_the_spaces_of_patterns_and_names(folder: Path) -> None:
    options = [
        "--vocab-size",
        "258",
        "--no-held-out",
        "--pattern",
        "a  b|.",
        "--special-token",
        "<  >",
    ]
    done = run("train", "text.txt", "-o", "two  spaces.tiktoken", *options, cwd=folder)
    warning = done.stderr.decode()
    assert len(warning.splitlines()) == 1
    for kept in ("two  spaces.tiktoken", "pattern='a  b|.'", "{'<  >': 257}"):
        assert kept in warning
    assert "no  such.txt: No such" in complaint(
        run("count", "tok.bpetok", "no  such.txt", cwd=folder, code=2)
    )
    # The regex engine reports in several lines.
    said = complaint(
        run("train", "text.txt", "-o", "x.bpetok", "--pattern", "a  [b-a]", cwd=folder, code=2)
    )
    assert "a  [b-a]" in said


def test_a_reader_that_stops_early_is_no_error(folder: Path) -> None:
    done = subprocess.run(
        f"'{sys.executable}' -m bpetok show tok.bpetok text.txt --limit 0 | head -n 1",
        shell=True, capture_output=True, cwd=folder, check=True,
    )  # fmt: skip
    assert done.stderr == b""


@pytest.mark.parametrize(
    "verb", [[], ["demo"], ["train"], ["encode"], ["decode"], ["count"], ["show"]]
)
def test_help(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([*verb, "--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert "usage: bpetok" in printed
    assert "bpetok train" in printed or "examples:" in printed


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"bpetok {bpetok.__version__}\n"


def test_no_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([])
    assert caught.value.code == 2
    assert "COMMAND" in capsys.readouterr().err
