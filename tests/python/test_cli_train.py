"""`bpetok train`: the held-out figure on any text, and what is checked before the work begins."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bpetok
from bpetok.cli import held_out
from support import said


@pytest.mark.parametrize(
    "text",
    [
        b"a line\n" * 500,
        b"words without line ends " * 200,
        "世界".encode() * 700,
        b"one line, then none\n" + b"abc" * 1000 + b" end",
        b"",
    ],
)
def test_blocks_are_the_text_and_bounded_whatever_it_holds(
    text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_out, "BLOCK_BYTES", 100)
    (tmp_path / "text").write_bytes(b"x" * 7 + text + b"rest")
    blocks = list(held_out._blocks(tmp_path / "text", 7, 7 + len(text)))
    assert b"".join(blocks) == text
    assert all(0 < len(block) <= 300 for block in blocks)
    if text.startswith(b"a line"):
        assert all(block.endswith(b"\n") for block in blocks)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-o", "no/such/folder/a.bpetok"], "no/such/folder/a.bpetok: No such file"),
        (["-o", "folder.bpetok"], "folder.bpetok: cannot write a file over a folder"),
        (
            ["-o", "a.json", "--pattern", "(?x) [a-z]+"],
            "a.json: the pattern '(?x) [a-z]+' has '(?x)'",
        ),
        (
            ["-o", "a.tiktoken", "--digits", "right-1-3"],
            'a.tiktoken: the tokenizer has digits="right',
        ),
        (["-o", "a.docx"], "suffix of 'a.docx'"),
        (["-o", "a.bpetok", "--checkpoint", "none/c"], "none/c: No such file"),
        (["-o", "a.bpetok", "--checkpoint", "junk"], "junk is not a checkpoint"),
        (
            ["-o", "a.bpetok", "--checkpoint", "other"],
            "other: the checkpoint was made with vocab_size",
        ),
        (["-o", "a.bpetok", "--verbose-log", "none/log"], "none/log: No such file"),
        (["-o", "a.bpetok", "--vocab-size", "5"], "vocab_size is 5"),
        (["-o", "a.bpetok", "--vocab-size", "99999999"], "give 67108863 or less"),
        (["-o", "a.bpetok", "--max-token-bytes", "0"], "--max-token-bytes: 0"),
        (["-o", "a.bpetok", "--threads", "0"], "0"),
        (["-o", "a.bpetok", "--pattern", "("], "pattern"),
    ],
)
def test_bad_settings_are_told_before_counting(
    options: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.bpetok").mkdir()
    (tmp_path / "text.txt").write_text("a b c d e f g")
    (tmp_path / "junk").write_text("junk")
    bpetok.train(["a b"], 258, checkpoint="other")
    before = sorted(path.name for path in tmp_path.iterdir())
    monkeypatch.setattr(held_out.HeldOut, "count", fail)  # what reads the text
    assert says in said(capsys, "train", "text.txt", *options)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def fail(*_: object) -> None:
    raise AssertionError("counted")


@pytest.mark.parametrize("output", ["none/demo.bpetok", "demo.tiktoken", "demo.docx", "."])
def test_the_demo_looks_where_it_will_save_first(
    output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bpetok.cli.demo.read_source", fail)
    assert output in said(capsys, "demo", "-o", output)


def endless() -> Iterator[str]:
    raise AssertionError("counted")
    yield ""


@pytest.mark.parametrize(
    "options",
    [
        {"vocab_size": 5},
        {"vocab_size": 1 << 28},
        {"max_token_bytes": 0},
        {"threads": 0},
        {"max_memory": "1MiB"},
        {"checkpoint": "none/checkpoint"},
        {"verbose": "none/log"},
    ],
)
def test_the_library_looks_at_settings_before_the_text(options: dict[str, Any]) -> None:
    with pytest.raises((bpetok.Error, FileNotFoundError)):
        bpetok.train(endless(), **options)


def test_a_log_that_takes_no_text_is_told_before_the_text() -> None:
    with pytest.raises(TypeError):
        bpetok.train(endless(), verbose=io.BytesIO())  # type: ignore[arg-type]
    closed = io.StringIO()
    closed.close()
    with pytest.raises(ValueError, match="closed file"):
        bpetok.train(endless(), verbose=closed)
