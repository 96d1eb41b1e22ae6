"""What the command line says of bad input and arguments, and its help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

import bpetok
from bpetok import cli
from bpetok.cli.messages import for_command
from bpetok.pipelines import read_documents
from support import complaint, run, said

TEXT = "the cat in the hat sat on the mat, naïve 世界 12345\n" * 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text and a tokenizer trained on it."""
    folder = tmp_path_factory.mktemp("errors")
    (folder / "text.txt").write_bytes(TEXT.encode())
    (folder / "special.txt").write_text("a<|endoftext|>")
    (folder / "link").symlink_to("text.txt")
    for name in ("a b.gz", "a.ZST", "a.tar.gz", "a.zip", "a.parquet"):
        (folder / name).write_bytes(b"packed")
    tok = bpetok.train([TEXT], 280)
    tok.save(folder / "tok.bpetok")
    with pytest.warns(UserWarning, match="ranks only"):
        tok.save(folder / "ranks.tiktoken")
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


TRAIN = ["train", "text.txt", "-o", "x.bpetok"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*TRAIN, "--min-frequency", "-1"], "argument --min-frequency: -1 is out of range: give 0"),
        ([*TRAIN, "--max-token-bytes", "-1"], "argument --max-token-bytes: -1 is out of range"),
        ([*TRAIN, "--vocab-size", "9" * 20], "argument --vocab-size: 99999999999999999999 is out"),
        ([*TRAIN, "--vocab-size", "1e3"], "argument --vocab-size: '1e3' is not a whole number"),
        ([*TRAIN, "--threads", "9" * 20], "give 1 to 4,096 (bpetok train --help)"),
        ([*TRAIN, "--special-token", "\udcff"], r"argument --special-token: '\udcff' is not UTF-8"),
        ([*TRAIN, "--pattern", "\udcff"], r"argument --pattern: '\udcff' is not UTF-8"),
        ([*TRAIN, "--pattern", ""], "argument --pattern: '' is no pattern"),
        (["encode", "tok.bpetok", "text.txt", "--threads", "0"], "argument --threads: 0 is out of"),
        (["count", "tok.bpetok", "text.txt", "--threads", "0"], "argument --threads: 0 is out of"),
        (["show", "tok.bpetok", ""], "argument FILE: '' is not the name of a file"),
        (
            ["show", "tok.bpetok", "text.txt", "--limit", "-3"],
            "argument --limit: -3 is out of range",
        ),
        (["show", "tok.bpetok", "--text", "\udcff"], r"argument --text: '\udcff' is not UTF-8"),
        (["generate", "llama", "\udcff"], r"argument PROMPT: '\udcff' is not UTF-8"),
        (
            ["encode", "tok.bpetok", "text.txt", "-o", "./text.txt"],
            "./text.txt is both input and out",
        ),
        (
            ["encode", "tok.bpetok", "text.txt", "-o", "tok.bpetok"],
            "tok.bpetok is both input and out",
        ),
        (["decode", "tok.bpetok", "link", "-o", "text.txt"], "text.txt is both input and output"),
        ([*TRAIN, "--verbose-log", "text.txt"], "text.txt is both input and output"),
        ([*TRAIN, "--checkpoint", "./x.bpetok"], "./x.bpetok is named for two outputs"),
        ([*TRAIN, "--checkpoint", "tmp", "--verbose-log", "tmp"], "tmp is named for two outputs"),
        (["train", "text.txt", "-o", "-"], "argument -o/--output: - is no stream here"),
        ([*TRAIN, "--checkpoint", "-"], "argument --checkpoint: - is no stream here: name a file"),
        ([*TRAIN, "--verbose-log", "-"], "argument --verbose-log: - is no stream here"),
        (["demo", "-o", "-"], "argument -o/--output: - is no stream here"),
        # Not "-hi", which Python 3.13 takes for the -h in it.
        (["generate", "llama", "-Hi"], "text that begins with a dash comes last, after --"),
        (["show", "tok.bpetok", "--text", "-foo"], "begins with a dash is joined to it: --text=-."),
        (["encode", "tok.bpetok", "a", "-o", "-foo"], "is joined to it: --output=-..."),
        (["encode", "tok.bpetok", "text.txt", "a b.gz"], "gzip -dc 'a b.gz' | bpetok encode tok.b"),
        (["encode", "tok.bpetok", "a.ZST", "-o", "x.ids"], "zstd -dc a.ZST | bpetok encode tok.b"),
        (["count", "tok.bpetok", "a b.gz"], "gzip -dc 'a b.gz' | bpetok count tok.bpetok -"),
        (["count", "tok.bpetok", "a.tar.gz"], "a.tar.gz is packed, and its bytes are no text: unp"),
        (["show", "tok.bpetok", "a.zip"], "a.zip is packed, and its bytes are no text: unpack it"),
        (["encode", "tok.bpetok", "a.parquet"], "a.parquet is a table, and its bytes are no text"),
        (["count", "tok.bpetok", "absent.gz"], "absent.gz: No such file"),
    ],
)
def test_arguments_that_cannot_be_meant_are_named(
    folder: Path,
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert says in said(capsys, *arguments)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["encode", "tok.bpetok", "text.txt", "special.txt"], "special.txt: the text spells"),
        (["count", "tok.bpetok", "text.txt", "special.txt"], "special.txt: the text spells"),
        (["show", "tok.bpetok", "special.txt"], "--special allow encodes it as one token"),
        (["generate", "llama", "a<|endoftext|>"], "at byte 1: leave it out of the prompt"),
        (["show", "ranks.tiktoken", "text.txt"], "pass --pattern and one of gpt2, cl100k"),
        (["show", "tok.bpetok", "text.txt", "--pattern", "gpt2"], "leave --pattern out"),
        (["train", "text.txt", "-o", "x.docx"], "tokenizer.json (.json)"),
    ],
)
def test_cures_are_those_of_the_command(
    folder: Path,
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    line = said(capsys, *arguments)
    assert says in line
    for library in ("_special", "encode_ordinary", "pattern=", "pass format"):
        assert library not in line


def test_cures_of_memory_and_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = str.maketrans("0123456789", "ghijklmnop")
    words = (f"{number:07x}".translate(letters) for number in range(600_000))
    with pytest.raises(bpetok.TrainError) as caught:
        bpetok.train(chain(words, ["twice", "twice"]), 300, max_memory="128MiB")
    assert "raise --max-memory, or in Python call counts.prune" in for_command(str(caught.value))
    (tmp_path / "a.jsonl").write_text('{"text": "long"}')
    with pytest.raises(bpetok.FormatError) as caught_line:
        list(read_documents(tmp_path / "a.jsonl", max_document_bytes=9))
    cure = "or raise --max-memory if it is given"
    assert for_command(str(caught_line.value)).endswith(f"longer than 9 bytes: split it, {cure}")
    monkeypatch.setattr("bpetok.pipelines.pieces.PIECE_BYTES", 10)
    (tmp_path / "a.txt").write_text("x" * 50)
    with pytest.raises(bpetok.FormatError) as caught_text:
        list(read_documents(tmp_path / "a.txt", max_document_bytes=20))
    said = for_command(str(caught_text.value))
    assert said.endswith(f"more than 20 bytes without white space: unpack it, {cure}")


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("show tok.bpetok --text hi >&-", "stdout is closed"),
        ("encode tok.bpetok text.txt -o - >&-", "stdout is closed"),
        ("count tok.bpetok - <&-", "-: standard input is closed"),
        ("encode tok.bpetok - -o closed.ids <&-", "-: standard input is closed"),
        ("train - -o closed.bpetok <&-", "-: standard input is closed"),
        ("decode tok.bpetok - <&-", "-: standard input is closed"),
    ],
)
def test_a_closed_stream_is_an_error_of_its_own(folder: Path, command: str, says: str) -> None:
    done = subprocess.run(
        f"'{sys.executable}' -m bpetok {command}",
        shell=True, capture_output=True, cwd=folder, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert says in complaint(done)
    assert not list(folder.glob("closed*"))


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_without_stderr_nothing_of_it_goes_to_stdout(folder: Path) -> None:
    command = f"'{sys.executable}' -m bpetok train text.txt -o few.bpetok --json 2>&-"
    done = subprocess.run(command, shell=True, capture_output=True, cwd=folder, check=True)
    assert json.loads(done.stdout)["output"] == "few.bpetok"


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
