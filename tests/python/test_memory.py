"""`max_memory`: the same counts and vocabularies below a limit, and errors that say what is missing."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import pytest

import bpetok
from bpetok import Counts
from bpetok.sizes import parse_size
from support import python

arrow = pytest.importorskip("pyarrow")

MEBIBYTE = 1 << 20
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such limits")


def low_repetition(words: int, seed: int = 1) -> str:
    """Words that hardly occur twice."""
    digits = random.Random(seed).randbytes(4 * words).hex()
    letters = digits.translate(str.maketrans("0123456789", "ghijklmnop"))
    return " ".join(letters[at : at + 8] for at in range(0, len(letters), 8))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("low") / "low.txt"
    path.write_text(low_repetition(1_000_000) + " the end" * 1000)
    return path


def counted(source: Path | list[str], **options: str | int | None) -> Counts:
    counts = Counts("cl100k")
    counts.update(source, threads=2, **options)  # type: ignore[arg-type]
    return counts


def test_counts_on_disk_are_those_in_memory(text: Path, tmp_path: Path) -> None:
    free, bounded = counted(text), counted(text, max_memory="128MiB")
    assert free.spilled_bytes == 0
    assert bounded.spilled_bytes > MEBIBYTE
    assert (len(bounded), bounded.total, bounded.bytes) == (len(free), free.total, free.bytes)
    documents = text.read_text().splitlines(keepends=True)
    from_documents = counted(documents, max_memory=128 * MEBIBYTE)
    for number, counts in enumerate((free, bounded, from_documents)):
        counts.save(tmp_path / f"{number}.parquet")
    files = [(tmp_path / f"{number}.parquet").read_bytes() for number in range(3)]
    assert files[1] == files[2] == files[0]
    assert Counts.load(tmp_path / "1.parquet").total == free.total
    assert bounded.to_arrow().equals(free.to_arrow())
    assert pickle.loads(pickle.dumps(bounded)).to_arrow().equals(free.to_arrow())


def test_counts_are_added_within_the_limit(text: Path) -> None:
    free, total = counted(text), counted(["the end"])
    total.update(free, max_memory="128MiB")
    assert total.spilled_bytes > MEBIBYTE
    expected = counted(["the end"])
    expected.merge(free)
    assert expected.spilled_bytes == 0
    assert total.to_arrow().equals(expected.to_arrow())


def test_pruning_says_what_it_dropped(text: Path) -> None:
    free, bounded = counted(text), counted(text, max_memory="128MiB")
    before = (len(free), free.total)
    dropped = free.prune(3)
    assert bounded.prune(3) == dropped
    assert (len(free) + dropped[0], free.total + dropped[1]) == before
    assert bounded.items() == free.items()
    assert (b" the", 1000) in free.items()
    assert min(count for _, count in free.items()) >= 3
    assert free.prune(0) == free.prune(1) == (0, 0)
    assert bpetok.train(bounded, 262) == bpetok.train(free, 262)


def test_training_proceeds_or_says_what_it_needs(text: Path) -> None:
    with pytest.raises(bpetok.TrainError, match=r"needs about \d+ MiB.*counts\.prune\(2\)"):
        bpetok.train(text, 300, max_memory="128MiB")
    expected = bpetok.train(text, 300, special_tokens=())
    assert bpetok.train(text, 300, special_tokens=(), max_memory="2GiB") == expected
    counts = counted(text, max_memory="128MiB")
    assert counts.spilled_bytes
    assert bpetok.train(counts, 300) == expected


def test_sizes() -> None:
    assert [parse_size(size) for size in ("2GiB", "1kb", "3 MiB", 77, "0.5KiB")] == [
        2 << 30, 1000, 3 << 20, 77, 512,
    ]  # fmt: skip
    for wrong in ("", "GiB", "2 XiB", "-1", "1e9", "0", 0, -5, "9" * 30, "9" * 5000, "9999999TiB"):
        with pytest.raises(bpetok.TrainError, match="max_memory is"):
            bpetok.train(["a"], 256, special_tokens=(), max_memory=wrong)
    for wrong_type in (1.5, True, [1]):
        with pytest.raises(TypeError, match="max_memory must be"):
            Counts().update(["a"], max_memory=wrong_type)  # type: ignore[arg-type]
    with pytest.raises(bpetok.TrainError, match="at least 134217728"):
        Counts().update(["a"], max_memory="1MiB")


def test_large_counts_stay_exact_everywhere(tmp_path: Path) -> None:
    rows = {b"ab": 2**53 + 1, b"bc": 2**32 + 1, b"c": 2**61}
    table = arrow.table({"pretoken": list(rows), "count": arrow.array(rows.values(), "uint64")})
    settings = {"pattern": "cl100k", "special_tokens": ()}
    counts = Counts.from_arrow(table, **settings)
    counts.save(tmp_path / "a.parquet")
    twice = Counts.load(tmp_path / "a.parquet")
    twice.merge(Counts.from_arrow(counts.to_arrow()))
    assert dict(twice.items()) == {key: 2 * count for key, count in rows.items()}
    assert twice.total == 2 * sum(rows.values()) > 2**62
    assert twice.to_arrow().column("count").to_pylist() == [count * 2 for count in rows.values()]
    assert bpetok.train(twice, 258, special_tokens=()).merges == [(b"a", b"b"), (b"b", b"c")]
    twice.merge(Counts.from_arrow(twice.to_arrow()))
    for _ in range(2):
        counts.merge(Counts.from_arrow(counts.to_arrow()))
    with pytest.raises(bpetok.TrainError, match="18446744073709551615"):
        counts.merge(twice)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_the_limit_holds(text: Path) -> None:
    script = f"""
import bpetok, pathlib
counts = bpetok.Counts("cl100k")
counts.update(pathlib.Path({str(text)!r}), threads=2, max_memory="128MiB")
assert counts.spilled_bytes and len(counts)
print(next(row for row in open("/proc/self/status") if row.startswith("VmHWM")).split()[1])
"""
    assert int(python(script).stdout) << 10 < 128 * MEBIBYTE


DISK_FULL = """
import bpetok, resource, signal, sys
from pathlib import Path
counts = bpetok.Counts("cl100k")
counts.update(["ab"])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    counts.update(Path(sys.argv[1]), threads=2, max_memory="128MiB")
except OSError as error:
    print(type(error).__name__, error.filename)
print(dict(counts.items()))
"""


@posix
def test_a_full_disk_is_an_error_with_the_path(text: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DISK_FULL, str(text)],
        capture_output=True, text=True, check=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"OSError {tmp_path}{os.sep}bpetok-")
    assert lines[1] == "{b'ab': 1}"
    assert os.listdir(tmp_path) == []


@posix
def test_a_full_disk_leaves_the_output_of_the_command(text: Path, tmp_path: Path) -> None:
    output = tmp_path / "tok.bpetok"
    output.write_bytes(b"older")
    command = f"ulimit -f 1024; trap '' XFSZ; exec '{sys.executable}' -m bpetok train '{text}' -o '{output}' "
    command += "--max-memory 128MiB --no-held-out"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"bpetok: error: {tmp_path}{os.sep}bpetok-")
    assert output.read_bytes() == b"older"


def test_a_missing_folder_for_runs_is_told_before_counting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "absent"))
    counts = bpetok.Counts()
    with pytest.raises(FileNotFoundError, match="absent"):
        counts.update(["not counted"], max_memory="128MiB")
    assert counts.items() == []


def test_no_file_is_left_behind(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    counts = counted(text, max_memory="128MiB")
    assert counts.spilled_bytes
    del counts
    assert os.listdir(tmp_path) == []


def test_the_memo_has_the_size_that_was_set_and_changes_no_id() -> None:
    words = [f" w{i * 7919 % 100_003:x}-{i % 13}" for i in range(60_000)]
    texts = ["".join(words), "".join(reversed(words))]
    wanted = [bpetok.train(texts, 400).encode(text) for text in texts]
    try:
        for size in ("1MiB", 3 << 20, "2GiB"):
            bpetok.set_memo_size(size)
            tok = bpetok.train(texts, 400)
            assert [tok.encode(text) for text in texts * 2] == wanted * 2
            # Eight threads share it, and one of a mebibyte is written over while they read.
            assert tok.encode_batch(texts * 6, threads=8).tolist() == wanted * 6
    finally:
        bpetok.set_memo_size("37MiB")
    for size in (0, -1, "1023KiB", "3GiB", "much"):
        with pytest.raises(bpetok.Error, match=r"MiB|bytes"):
            bpetok.set_memo_size(size)
    with pytest.raises(TypeError, match="size must be"):
        bpetok.set_memo_size(2.5)  # type: ignore[arg-type]
