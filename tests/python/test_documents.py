"""`bpetok.pipelines.documents`: every kind of file, every way in which one can be bad, bounded memory."""

from __future__ import annotations

import gzip
import io
import json
import pathlib
import random
import subprocess
import sys
import tracemalloc
from typing import Any

import pytest

from bpetok import PRESETS, Counts
from bpetok.errors import Error, FormatError, TextError
from bpetok.pipelines import pieces, read_documents
from bpetok.pipelines.optional import MissingPackageError
from support import fails_to_read

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    zstd = pytest.importorskip("backports.zstd")

TEXTS = ["one", "", "zwei\r\n", "三\n", "<|endoftext|>"]


def jsonl(field: str = "text") -> bytes:
    return "".join(
        json.dumps({"id": i, field: text}) + "\n" for i, text in enumerate(TEXTS)
    ).encode()


def packed(data: bytes, suffix: str) -> bytes:
    if suffix == ".gz":
        return gzip.compress(data)
    checked = {zstd.CompressionParameter.checksum_flag: 1}
    return bytes(zstd.compress(data, options=checked)) if suffix == ".zst" else data


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_text_and_json_lines(tmp_path: pathlib.Path, suffix: str) -> None:
    text = "\r\n".join(TEXTS).encode() + b"\xff"
    (tmp_path / f"a.txt{suffix}").write_bytes(packed(text, suffix))
    (tmp_path / f"b.jsonl{suffix}").write_bytes(
        packed(b"\xef\xbb\xbf" + jsonl() + b"\n  \n", suffix)
    )
    assert list(read_documents(tmp_path / f"a.txt{suffix}")) == [text]
    assert list(read_documents(str(tmp_path / f"b.jsonl{suffix}"))) == [
        text.encode() for text in TEXTS
    ]
    # Archives may be made of several, one after another.
    double = packed(b"one ", suffix) + packed(b"two", suffix)
    (tmp_path / f"c.txt{suffix}").write_bytes(double)
    assert list(read_documents(tmp_path / f"c.txt{suffix}")) == [b"one two"]


def test_globs_are_sorted_and_names_come_first(tmp_path: pathlib.Path) -> None:
    for name in ("b.txt", "a.txt", "sub/c.txt", "[x].txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert list(read_documents(tmp_path / "*.txt")) == [b"[x].txt", b"a.txt", b"b.txt"]
    assert list(read_documents(tmp_path / "[x].txt")) == [b"[x].txt"]
    assert list(read_documents(f"{tmp_path}/**/*.txt"))[-1] == b"sub/c.txt"
    assert list(read_documents([tmp_path / "b.txt", f"{tmp_path}/[a].txt"])) == [b"b.txt", b"a.txt"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def stdin(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    stdin(b"some\r\ntext")
    assert list(read_documents("-")) == [b"some\r\ntext"]
    stdin(jsonl())
    assert len(list(read_documents("-", format="jsonl"))) == len(TEXTS)
    with pytest.raises(FormatError, match="only from a plain file"):
        list(read_documents("-", format="parquet"))


def test_missing_files_are_found_before_anything_is_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        read_documents([tmp_path / "a.txt", tmp_path / "none.txt"])
    with pytest.raises(FileNotFoundError, match=r"no file matches this glob.*\*\.jsonl"):
        read_documents(tmp_path / "*.jsonl")
    with pytest.raises(IsADirectoryError, match=r"\*\.txt"):
        read_documents(tmp_path)
    (tmp_path / "a.tar.gz").write_bytes(b"x")
    with pytest.raises(FormatError, match=r"a\.tar\.gz is an archive"):
        read_documents(tmp_path / "a.tar.gz")
    with pytest.raises(FormatError, match=r"'csv'.*jsonl"):
        read_documents(tmp_path / "a.txt", format="csv")


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_broken_archives(tmp_path: pathlib.Path, suffix: str) -> None:
    data = random.Random(1).randbytes(300_000)
    whole = packed(data, suffix)
    path = tmp_path / f"a.txt{suffix}"
    for broken in (
        b"",
        whole[:-1],
        whole[: len(whole) // 2],
        b"plain text",
        whole[:1000] + b"?" + whole[1001:],
    ):
        path.write_bytes(broken)
        fails_to_read(FormatError, rf"a\.txt\{suffix}", path)


def test_broken_json_lines(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.jsonl"
    cases = [
        (b'{"text": "a"}\n{"text": "b"\n', FormatError, r"a\.jsonl:2: not a line of JSON"),
        (b'{"text": "a"}\n\n"b"\n', FormatError, r"a\.jsonl:3: holds a string.*object with 'text'"),
        (
            b'{"id": 1, "body": "a"}\n',
            FormatError,
            r"a\.jsonl:1: no field 'text'.*there are 'id', 'body'",
        ),
        (b'{"text": null}\n', FormatError, r"a\.jsonl:1: field 'text' is null"),
        (b'{"text": 12}\n', FormatError, "is a number"),
        (b'{"text": ["a"]}\n', FormatError, "is a list"),
        (b'{"text": "\xff"}\n', FormatError, "not a line of JSON"),
        (b"[" * 200_000 + b"\n", FormatError, "not a line of JSON"),
        (b'{"text": "ab\\ud800"}\n', TextError, r"a\.jsonl:1: .*U\+D800 at index 2"),
    ]
    for data, error, words in cases:
        path.write_bytes(data)
        fails_to_read(error, words, path)
    path.write_bytes(b'{"text": "' + b"a" * 100 + b'"}')
    fails_to_read(FormatError, "max_document_bytes=50", path, max_document_bytes=50)


@pytest.mark.parametrize(
    ("limit", "error", "words"),
    [
        (-1, Error, "max_document_bytes is -1: give 1 or more"),
        (0, Error, "max_document_bytes is 0: give 1 or more"),
        (2**63, Error, "max_document_bytes is 9223372036854775808: .* less than"),
        (None, TypeError, "max_document_bytes must be int, not NoneType"),
        ("1GiB", TypeError, "max_document_bytes must be int, not str"),
    ],
)
def test_a_limit_that_is_none_is_refused_at_the_call(
    tmp_path: pathlib.Path, limit: Any, error: type[Exception], words: str
) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a"}\n')
    with pytest.raises(error, match=words):
        read_documents(tmp_path / "a.jsonl", max_document_bytes=limit)


def test_a_json_line_before_a_bad_one_is_handed_out(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a"}\n{')
    documents = read_documents(tmp_path / "a.jsonl")
    assert next(documents) == b"a"
    with pytest.raises(FormatError):
        next(documents)


def test_a_missing_package_is_named_with_its_cure(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    fails_to_read(
        MissingPackageError,
        r'Reading Parquet needs.*pip install "bpetok\[arrow\]"',
        tmp_path / "a.parquet",
    )
    if sys.version_info < (3, 14):
        monkeypatch.setitem(sys.modules, "backports.zstd", None)
        (tmp_path / "a.txt.zst").write_bytes(b"x")
        fails_to_read(
            MissingPackageError, r"pip install \"bpetok\[zstd\]\"", tmp_path / "a.txt.zst"
        )


def test_nothing_heavy_is_imported() -> None:
    script = "import sys, bpetok.pipelines; print([m for m in ('pyarrow', 'numpy', 'ray', 'pyspark') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_memory_is_bounded_by_a_piece(tmp_path: pathlib.Path) -> None:
    line = b"some words on a line that is repeated\n"
    with gzip.open(tmp_path / "a.txt.gz", "wb", compresslevel=1) as file:
        for _ in range(100):
            file.write(line * 10_000)
    tracemalloc.start()
    total = sum(map(len, read_documents(tmp_path / "a.txt.gz")))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 1_000_000 * len(line)
    assert peak < 40e6


def test_text_without_a_place_to_cut_has_a_limit(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a" * (6 << 20))
    assert list(map(len, read_documents(path))) == [6 << 20]
    fails_to_read(
        FormatError,
        r"a\.txt: more than max_document_bytes=5,000,000",
        path,
        max_document_bytes=5_000_000,
    )


def test_a_pattern_of_ones_own_is_cut_after_special_tokens_only(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"two words " * 600_000)
    assert len(list(read_documents(path, pattern="o200k", max_document_bytes=5_000_000))) == 2
    assert len(list(read_documents(path, pattern=PRESETS["gpt2"]))) == 2
    own = r"\w+ \w+|."
    assert len(list(read_documents(path, pattern=own))) == 1
    fails_to_read(
        FormatError,
        "without a special token, the only place to cut",
        path,
        pattern=own,
        max_document_bytes=5_000_000,
    )
    path.write_bytes((b"two words " * 300_000 + b"<s>") * 3)
    found = list(read_documents(path, pattern=own, special_tokens=["<s>"]))
    assert [len(piece) for piece in found] == [3_000_003] * 3


def pretokens(text: str, pattern: Any, specials: list[str]) -> list[str]:
    regex = pytest.importorskip("regex")
    separator = "|".join(regex.escape(special) for special in specials) or "(?!)"
    found: list[str] = []
    for number, part in enumerate(regex.split(f"({separator})", text)):
        found += [part] if number % 2 else pattern.findall(part)
    return found


@pytest.mark.parametrize("name", PRESETS)
def test_pieces_have_the_pretokens_of_the_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    regex = pytest.importorskip("regex")
    monkeypatch.setattr(pieces, "PIECE_BYTES", 1)
    # In the regex module $ also matches before a final line break.
    pattern = regex.compile(PRESETS[name].replace("$", r"\Z"))
    characters = [
        *"ab1 \n\r\t'!/sS0Z",
        "é",
        "中",
        "한",
        "\u00a0",
        "\u3000",
        "\u0301",
        "ก",
        " ",
        "ʰ",
        "\u2028",
        "<|x y|>",
    ]
    choice = random.Random(name)
    cuts = 0
    for turn in range(4000):
        text = "".join(choice.choices(characters, k=choice.randrange(14)))
        specials = ["<|x y|>"] if turn % 2 else []
        found = list(in_pieces(text.encode(), choice, specials, cut_at_spaces=True))
        assert b"".join(found) == text.encode()
        joined = [
            pretoken for piece in found for pretoken in pretokens(piece.decode(), pattern, specials)
        ]
        assert joined == pretokens(text, pattern, specials), found
        cuts += max(0, len(found) - 1)
    assert cuts > 1000


@pytest.mark.parametrize("name", PRESETS)
def test_the_core_counts_pieces_as_it_counts_the_text(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 500)
    choice = random.Random(name)
    words = [
        "the",
        "cat's",
        "naïve",
        "我们",
        "한국",
        " ",
        "  ",
        "\n",
        "\r\n",
        "!",
        "12345",
        "/",
        "\t",
        "λόγος",
    ]
    data = "".join(choice.choices(words, k=40_000)).encode() + b"\xff \xfe\n"
    blocks = [data[start : start + 300] for start in range(0, len(data), 300)]
    found = list(pieces.text_pieces(blocks, [], cut_at_spaces=True, limit=10**6, name="text"))
    assert len(found) > 200
    counts, expected = Counts(name), Counts(name)
    counts.update(found)
    expected.update([data])
    assert counts.items() == expected.items()


def in_pieces(
    data: bytes, choice: random.Random, specials: list[str], *, cut_at_spaces: bool
) -> Any:
    ends = sorted(choice.randrange(len(data) + 1) for _ in range(3))
    blocks = [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]
    encoded = [special.encode() for special in specials]
    return pieces.text_pieces(
        blocks, encoded, cut_at_spaces=cut_at_spaces, limit=10**6, name="text"
    )


def test_other_patterns_are_cut_after_whole_specials_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 1)
    choice = random.Random(4)
    specials = ["ab", "abc", "<s>", "bd"]
    # Leftmost, then longest, is what the special split of the core does.
    regex = pytest.importorskip("regex")
    split = regex.compile("|".join(sorted(specials, key=len, reverse=True)))
    cuts = 0
    for _ in range(4000):
        text = "".join(
            choice.choices(["a", "b", "c", "d", "<s>", "<", " "], k=choice.randrange(14))
        )
        found = list(in_pieces(text.encode(), choice, specials, cut_at_spaces=False))
        assert b"".join(found).decode() == text
        ends = {match.end() for match in split.finditer(text)}
        place = 0
        for piece in found[:-1]:
            place += len(piece)
            assert place in ends, (text, found)
            cuts += 1
    assert cuts > 1000
