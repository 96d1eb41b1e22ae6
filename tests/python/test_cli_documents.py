"""`bpetok train` on documents: JSON lines, Parquet, packed files, globs, pipes; and what it says when they are bad."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bpetok
from support import END_OF_TEXT

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

TEXTS = [f"document {number} says naïve {number % 7} 世界{END_OF_TEXT}\n" for number in range(60)]
VOCAB_SIZE = "290"


def zstd(data: bytes) -> bytes:
    """What `zstd` writes; its last block is not the whole text."""
    if sys.version_info >= (3, 14):
        from compression.zstd import compress
    else:
        from backports.zstd import compress
    return compress(data[: len(data) // 2]) + compress(data[len(data) // 2 :])


def train(folder: Path, *arguments: str, code: int = 0, input: bytes = b"") -> str:
    command = [sys.executable, "-m", "bpetok", "train", *arguments, "--vocab-size", VOCAB_SIZE]
    done = subprocess.run(
        [*command, "-o", "tok.bpetok"], cwd=folder, input=input, capture_output=True, check=False
    )
    assert done.returncode == code, done.stderr
    return (done.stderr if code else done.stdout).decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    lines = [json.dumps({"id": number, "body": text}) for number, text in enumerate(TEXTS)]
    (folder / "a.jsonl").write_text("\n".join(lines))
    (folder / "half1.jsonl").write_text("\n".join(lines[:30]))
    (folder / "half2.jsonl.gz").write_bytes(gzip.compress("\n".join(lines[30:]).encode()))
    (folder / "a.txt").write_bytes("".join(TEXTS).encode())
    (folder / "a.txt.gz").write_bytes(gzip.compress("".join(TEXTS).encode()))
    (folder / "half2.jsonl.zst").write_bytes(zstd("\n".join(lines[30:]).encode()))
    (folder / "a.txt.zst").write_bytes(zstd("".join(TEXTS).encode()))
    (folder / "cut.txt.zst").write_bytes(zstd("".join(TEXTS).encode())[:-20])
    parquet.write_table(arrow.table({"body": TEXTS}), folder / "a.parquet")
    whole = (folder / "a.parquet").read_bytes()
    (folder / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (folder / "cut.txt.gz").write_bytes((folder / "a.txt.gz").read_bytes()[:-20])
    return folder


@pytest.fixture(scope="module")
def expected() -> bpetok.Tokenizer:
    return bpetok.train(TEXTS, int(VOCAB_SIZE))


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.jsonl", "--field", "body"],
        ["half?.jsonl", "half2.jsonl.gz", "--field", "body"],
        ["half1.json?", "half?.jsonl.zst", "--field", "body", "--max-memory", "256MiB"],
        ["a.txt.zst"],
        ["half1.jsonl", "half2.jsonl.gz", "--field", "body", "--max-memory", "256MiB"],
        ["a.parquet", "--field", "body", "--threads", "1"],
        ["a.txt.gz", "--max-memory", "128MiB", "--no-held-out"],
    ],
)
def test_every_kind_gives_the_same(
    folder: Path, expected: bpetok.Tokenizer, arguments: list[str]
) -> None:
    report = json.loads(train(folder, *arguments, "--json"))
    assert bpetok.load(folder / "tok.bpetok") == expected
    assert report["bytes"] == len("".join(TEXTS).encode())
    figure = report["held_out_bytes_per_token"]
    assert (figure is None) == ("--no-held-out" in arguments)
    if figure:
        assert 1 < figure < 8


def test_json_lines_on_stdin(folder: Path, expected: bpetok.Tokenizer) -> None:
    text = (folder / "a.jsonl").read_bytes()
    train(folder, "-", "--format", "jsonl", "--field", "body", input=text)
    assert bpetok.load(folder / "tok.bpetok") == expected


def test_every_tenth_document_is_kept_aside(folder: Path) -> None:
    report = json.loads(train(folder, "a.jsonl", "--field", "body", "--json"))
    rest = [text for number, text in enumerate(TEXTS, start=1) if number % 10]
    tok = bpetok.train(rest, int(VOCAB_SIZE))
    held = [text.replace(END_OF_TEXT, "") for text in TEXTS[9::10]]
    pieces = [piece for text in held for piece in text.split(END_OF_TEXT)]
    size, tokens = sum(len(text.encode()) for text in held), sum(map(tok.count, pieces))
    assert report["held_out_bytes_per_token"] == pytest.approx(size / tokens, rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a.jsonl"], "a.jsonl:1: no field 'text'; the fields there are 'id', 'body'"),
        (["a.jsonl", "--field", "id"], "field 'id' is a number"),
        (["a.parquet"], "no column 'text'; the columns there are 'body'"),
        (["cut.parquet", "--field", "body"], "cut.parquet is not a whole Parquet file"),
        (["a.txt", "cut.txt.gz"], "cut.txt.gz is damaged or cut short"),
        (["cut.txt.zst"], "cut.txt.zst is damaged or cut short"),
        (["a.txt", "*.none"], "*.none: no file matches this glob"),
        (["a.txt", "."], "is a folder"),
        (["a.txt", "--max-memory", "much"], "max_memory is 'much'"),
        (["a.txt", "--max-memory", "150MiB"], "at least 201,326,592 (192MiB), or --no-held-out"),
        (["a.txt", "--max-memory", "1MiB", "--no-held-out"], "at least 134217728 (128MiB)"),
    ],
)
def test_bad_input_is_one_line_and_leaves_the_output(
    folder: Path, arguments: list[str], says: str
) -> None:
    (folder / "tok.bpetok").write_bytes(b"older")
    error = train(folder, *arguments, code=2)
    assert says in error
    assert error.startswith("bpetok: error: ")
    assert len(error.splitlines()) == 1
    assert (folder / "tok.bpetok").read_bytes() == b"older"


def test_a_tokenizer_for_other_libraries(folder: Path, expected: Any) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    command = [sys.executable, "-m", "bpetok", "train", "a.txt", "-o", "tokenizer.json"]
    subprocess.run([*command, "--vocab-size", VOCAB_SIZE], cwd=folder, check=True)
    theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    for text in TEXTS:
        assert theirs.encode(text).ids == expected.encode(text, allowed_special="all")
