"""The command line, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bpetok
from bpetok import cli
from support import complaint, on_terminal, run, said

TEXT = "the cat in the hat sat on the mat, naïve 世界 12345\n" * 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text and a tokenizer trained on it by the command."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "text.txt").write_bytes(TEXT.encode())
    done = run("train", "text.txt", "-o", "tok.bpetok", "--vocab-size", "280", cwd=folder)
    report = done.stdout.decode()
    assert "280 ids" in report
    assert "bytes per token on a held-out tenth" in report
    assert done.stderr == b""
    return folder


# --- train ------------------------------------------------------------------------------------------


def test_train_gives_what_the_library_gives(folder: Path) -> None:
    tok = bpetok.load(folder / "tok.bpetok")
    assert tok == bpetok.train(folder / "text.txt", 280)


def test_train_options_and_json(folder: Path) -> None:
    options = ["--pattern", "gpt2", "--special-token", "<a>", "--special-token", "<b>"]
    options += ["--min-frequency", "2", "--threads", "1", "--vocab-size", "270", "--json"]
    report = json.loads(run("train", "text.txt", "-o", "b.bpetok", *options, cwd=folder).stdout)
    assert report["vocab_size"] == 270
    assert report["merges"] == 12
    assert report["bytes"] == len(TEXT.encode())
    assert report["held_out_bytes_per_token"] > 1
    tok = bpetok.load(folder / "b.bpetok")
    assert tok.special_tokens == {"<a>": 268, "<b>": 269}
    assert tok.pattern == bpetok.PRESETS["gpt2"]


def test_train_takes_every_option_of_the_library(folder: Path, tmp_path: Path) -> None:
    base = ["train", "text.txt", "--no-held-out", "--vocab-size"]
    limits = ["--digits", "right-1-3", "--min-frequency", "2", "--max-token-bytes", "3"]
    files = ["--checkpoint", str(tmp_path / "c"), "--verbose-log", str(tmp_path / "log.jsonl")]
    for _ in range(2):  # the second goes on from the checkpoint
        run(*base, "275", "-o", str(tmp_path / "a.bpetok"), *limits, *files, cwd=folder)
        tok = bpetok.load(tmp_path / "a.bpetok")
        options: dict[str, Any] = {"min_frequency": 2, "max_token_bytes": 3}
        text = folder / "text.txt"
        assert tok == bpetok.train(text, 275, digits="right-1-3", **options)
        lines = (tmp_path / "log.jsonl").read_text("ascii").splitlines()
        assert [json.loads(line)["id"] for line in lines] == list(range(256, 274))
    done = run(
        *base, "276", "-o", str(tmp_path / "b.bpetok"), *limits, *files[:2], cwd=folder, code=2
    )
    assert "made with vocab_size=275, not 276" in complaint(done)
    assert not (tmp_path / "b.bpetok").exists()
    init = ["--init", str(tmp_path / "a.bpetok")]
    run(*base, "285", "-o", str(tmp_path / "b.bpetok"), *init, cwd=folder)
    assert bpetok.load(tmp_path / "b.bpetok") == bpetok.train(text, 285, init=tok)
    run(*base, "285", "-o", str(tmp_path / "b.bpetok"), *init, "--special-token", "<T>", cwd=folder)
    assert bpetok.load(tmp_path / "b.bpetok").special_tokens == {"<|endoftext|>": 274, "<T>": 284}
    for option, value in (("--digits", "1"), ("--pattern", "gpt2")):
        done = run(*base, "290", "-o", "x.bpetok", *init, option, value, cwd=folder, code=2)
        assert str(tmp_path / "a.bpetok") in complaint(done)
        assert complaint(done).endswith(f": leave {option} out")


def test_train_from_stdin_equals_from_a_file(folder: Path) -> None:
    arguments = ["train", "-", "-o", "stdin.bpetok", "--vocab-size", "280", "--no-held-out"]
    done = run(*arguments, cwd=folder, input=TEXT.encode())
    assert "held-out" not in done.stdout.decode()
    assert (folder / "stdin.bpetok").read_bytes() == (folder / "tok.bpetok").read_bytes()


def test_train_on_a_file_and_stdin_together(folder: Path) -> None:
    arguments = ["train", "text.txt", "-", "-o", "both.bpetok", "--vocab-size", "280"]
    run(*arguments, cwd=folder, input=b"more text, more text")
    expected = bpetok.train([TEXT, "more text, more text"], 280)
    assert bpetok.load(folder / "both.bpetok") == expected


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_train_from_a_named_pipe(folder: Path) -> None:
    command = f"'{sys.executable}' -m bpetok train <(cat text.txt) -o pipe.bpetok --vocab-size 280"
    subprocess.run(["bash", "-c", command], cwd=folder, check=True, capture_output=True)
    assert bpetok.load(folder / "pipe.bpetok") == bpetok.load(folder / "tok.bpetok")


def test_train_without_specials(folder: Path) -> None:
    run(
        "train",
        "text.txt",
        "-o",
        "n.bpetok",
        "--vocab-size",
        "260",
        "--special-token",
        "",
        cwd=folder,
    )
    assert bpetok.load(folder / "n.bpetok").special_tokens == {}


def test_train_warns_on_one_line_of_too_few_pairs(folder: Path) -> None:
    done = run("train", "-", "-o", "few.bpetok", cwd=folder, input=b"abc")
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("bpetok: warning: the text has too few pairs")


# --- encode, decode ---------------------------------------------------------------------------------


def test_encode_and_decode_files(folder: Path) -> None:
    done = run("encode", "tok.bpetok", "text.txt", "-o", "ids.bin", cwd=folder)
    assert "bytes per token" in done.stdout.decode()
    tok = bpetok.load(folder / "tok.bpetok")
    ids = tok.encode_numpy(TEXT)
    assert (folder / "ids.bin").read_bytes() == ids.astype("<u4").tobytes()
    run("decode", "tok.bpetok", "ids.bin", "-o", "again.txt", cwd=folder)
    assert (folder / "again.txt").read_bytes() == TEXT.encode()


def test_encode_and_decode_through_pipes(folder: Path) -> None:
    encoded = run("encode", "tok.bpetok", "-", "-o", "-", cwd=folder, input=b"the \xff hat").stdout
    assert len(encoded) % 4 == 0
    assert run("decode", "tok.bpetok", "-", cwd=folder, input=encoded).stdout == b"the \xff hat"


def test_encode_prints_numbers_without_an_output(folder: Path) -> None:
    done = run("encode", "tok.bpetok", "-", cwd=folder, input=b"the hat")
    tok = bpetok.load(folder / "tok.bpetok")
    assert [int(number) for number in done.stdout.split()] == tok.encode("the hat")


def test_each_file_is_one_text(folder: Path) -> None:
    (folder / "a.txt").write_text("th")
    (folder / "b.txt").write_text("e")
    report = json.loads(
        run("encode", "tok.bpetok", "a.txt", "b.txt", "-o", "ab.bin", "--json", cwd=folder).stdout
    )
    tok = bpetok.load(folder / "tok.bpetok")
    assert report["tokens"] == len(tok.encode("th")) + len(tok.encode("e"))
    assert report["bytes"] == 3


def test_special_error_text_and_allow(folder: Path) -> None:
    text = b"the<|endoftext|>hat"
    tok = bpetok.load(folder / "tok.bpetok")
    refused = run("encode", "tok.bpetok", "-", cwd=folder, input=text, code=2)
    assert "<|endoftext|>" in complaint(refused)
    for rule, options in (
        ("text", {"disallowed_special": ()}),
        ("allow", {"allowed_special": "all"}),
    ):
        done = run("encode", "tok.bpetok", "-", "--special", rule, cwd=folder, input=text)
        assert [int(number) for number in done.stdout.split()] == tok.encode(text, **options)


def test_a_refused_text_leaves_the_older_output(folder: Path) -> None:
    (folder / "kept.bin").write_bytes(b"old!")
    run("encode", "tok.bpetok", "-", "-o", "kept.bin", cwd=folder, input=b"<|endoftext|>", code=2)
    assert (folder / "kept.bin").read_bytes() == b"old!"
    assert not list(folder.glob("*.tmp"))


def test_decode_refuses_half_an_id_and_unknown_ids(folder: Path) -> None:
    assert "stdin has 5 bytes" in complaint(
        run("decode", "tok.bpetok", "-", cwd=folder, input=b"12345", code=2)
    )
    far = (10**6).to_bytes(4, "little")
    assert "1000000" in complaint(run("decode", "tok.bpetok", "-", cwd=folder, input=far, code=2))


def test_decode_reads_blocks_and_counts_ids_through_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("bpetok.cli.decode.BLOCK_BYTES", 8)
    ids = [*bpetok.load("tok.bpetok").encode("the naïve 世界"), 10**6]
    data = b"".join(token_id.to_bytes(4, "little") for token_id in ids)
    Path("whole.ids").write_bytes(data[:-4])
    assert cli.main(["decode", "tok.bpetok", "whole.ids", "-o", "whole.txt"]) == 0
    assert Path("whole.txt").read_text("utf-8") == "the naïve 世界"
    Path("bad.ids").write_bytes(data)
    line = said(capsys, "decode", "tok.bpetok", "bad.ids", "-o", "whole.txt")
    start = (len(ids) - 1) // 2 * 2
    assert (
        f"bad.ids, counted from id {start}: token id 1000000 (at index {len(ids) - 1 - start})"
        in line
    )
    Path("cut.ids").write_bytes(data[:-6])
    assert f"cut.ids has {len(data) - 6} bytes" in said(capsys, "decode", "tok.bpetok", "cut.ids")
    assert Path("whole.txt").read_text("utf-8") == "the naïve 世界"


# --- count, show ------------------------------------------------------------------------------------


def test_count(folder: Path) -> None:
    tok = bpetok.load(folder / "tok.bpetok")
    table = run("count", "tok.bpetok", "text.txt", "text.txt", cwd=folder).stdout.decode()
    assert [line.split()[0] for line in table.splitlines()] == [
        "file",
        "text.txt",
        "text.txt",
        "total",
    ]
    assert f"{2 * tok.count(TEXT):,}" in table.splitlines()[-1]
    report = json.loads(
        run("count", "tok.bpetok", "-", "--json", cwd=folder, input=b"the hat").stdout
    )
    assert report == {
        "files": [{"file": "-", "tokens": tok.count("the hat"), "bytes": 7}],
        "tokens": tok.count("the hat"),
        "bytes": 7,
    }


def test_count_reads_blocks_on_threads(folder: Path) -> None:
    tok = bpetok.load(folder / "tok.bpetok")
    (folder / "large.txt").write_bytes(TEXT.encode() * 300)  # several blocks
    arguments = ["count", "tok.bpetok", "large.txt", "--threads", "3", "--json"]
    report = json.loads(run(*arguments, cwd=folder).stdout)
    assert report["tokens"] == tok.count(TEXT * 300)
    assert report["bytes"] == len(TEXT.encode()) * 300


def test_show_without_colour_is_a_piece_a_line(folder: Path) -> None:
    done = run("show", "tok.bpetok", "--text", "the\nÿ", cwd=folder)
    tok = bpetok.load(folder / "tok.bpetok")
    lines = [line.split("\t") for line in done.stdout.decode().splitlines()]
    assert [int(number) for number, _ in lines] == tok.encode("the\nÿ")
    assert [piece for _, piece in lines] == ["the", "\\n", "\\xc3", "\\xbf"]


def test_a_terminal_without_unicode_gets_escapes(folder: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = run("show", "tok.bpetok", "--text", "世界", cwd=folder, env=environment)
    assert "\\u4e16" in done.stdout.decode("ascii") or "\\xe4" in done.stdout.decode("ascii")


def test_show_json_and_limit(folder: Path) -> None:
    done = run("show", "tok.bpetok", "text.txt", "--json", "--limit", "3", cwd=folder)
    report = json.loads(done.stdout)
    assert report["count"] == bpetok.load(folder / "tok.bpetok").count(TEXT)
    assert [token["text"] for token in report["tokens"]] == ["the", " cat", " in"]
    done = run("show", "tok.bpetok", "text.txt", "--limit", "3", cwd=folder)
    assert "more pieces" in done.stderr.decode()


# --- terminals --------------------------------------------------------------------------------------


def test_show_is_coloured_on_a_terminal_unless_no_color(folder: Path) -> None:
    arguments = ["show", "tok.bpetok", "--text", "the hat"]
    assert "\x1b[30;48;5;" in on_terminal(*arguments, cwd=folder, environment={})
    assert "\x1b[" not in on_terminal(*arguments, cwd=folder, environment={"NO_COLOR": "1"})


def test_training_shows_a_bar_on_a_terminal(folder: Path) -> None:
    arguments = ["train", "text.txt", "-o", "bar.bpetok", "--vocab-size", "280"]
    shown = on_terminal(*arguments, cwd=folder, environment={})
    assert "merging" in shown
    assert shown.index("counting") < shown.index("merging")


def test_counting_tokens_and_decoding_show_a_bar_on_a_terminal(folder: Path) -> None:
    (folder / "bar.ids").write_bytes(
        bpetok.load(folder / "tok.bpetok").encode_numpy(TEXT).tobytes()
    )
    shown = on_terminal("count", "tok.bpetok", "text.txt", cwd=folder, environment={})
    assert "counting" in shown
    arguments = ["decode", "tok.bpetok", "bar.ids", "-o", "bar.txt"]
    assert "decoding" in on_terminal(*arguments, cwd=folder, environment={})
    assert (folder / "bar.txt").read_bytes() == TEXT.encode()


def test_binary_ids_are_kept_off_the_terminal(folder: Path) -> None:
    with pytest.raises(AssertionError, match="would write binary ids to the terminal"):
        on_terminal("encode", "tok.bpetok", "text.txt", "-o", "-", cwd=folder, environment={})


# --- demo -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 1 MB of the standard library."""
    folder = tmp_path_factory.mktemp("sources")
    size = 0
    for path in sorted(Path(os.__file__).parent.glob("*.py")):
        if size < 1_100_000:
            (folder / path.name).write_bytes(path.read_bytes())
            size += path.stat().st_size
    return folder


def test_demo_shows_a_table_and_a_sample(sources: Path, tmp_path: Path) -> None:
    done = run("demo", "--source", str(sources), cwd=tmp_path)
    lines = done.stdout.decode().splitlines()
    assert lines[0].split() == ["files", "MB", "seconds", "MB/s", "tokens", "bytes", "per", "token"]
    assert [line.split()[0] for line in lines[1:4]] == ["train", "encode", "decode"]
    assert "decoded bytes equal the files: yes" in lines
    assert lines[-1].startswith("[def][ ")
    assert bpetok.load(tmp_path / "demo.bpetok").vocab_size == 8192


def test_demo_json(sources: Path, tmp_path: Path) -> None:
    done = run("demo", "--source", str(sources), "--json", "-o", "d.bpetok", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert report["bytes_equal"] is True
    assert report["files"] == len(list(sources.iterdir()))
    assert report["bytes_per_token"] > 2


def test_demo_finds_pythons_own_sources() -> None:
    from bpetok.cli.demo import read_source

    documents = read_source(None)
    assert sum(map(len, documents)) > 5_000_000


def test_demo_needs_a_megabyte(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("short")
    for source in (tmp_path, tmp_path / "a.txt"):
        said = complaint(run("demo", "--source", str(source), cwd=tmp_path, code=2))
        assert "5 bytes" in said
        assert "--source" in said
    assert "nowhere" in complaint(run("demo", "--source", "nowhere", cwd=tmp_path, code=2))
