"""Files: what is saved loads again, and what is damaged is refused by name."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

import bpetok
from bpetok import FormatError
from bpetok.formats import bpetok as own
from bpetok.spec import TokenizerSpec
from support import VECTORS, read_jsonl

HOSTILE = VECTORS / "hostile"


# --- .bpetok ------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [*bpetok.PRESETS, r"\w+|\s+|[^\w\s]+"])
def test_own_file_is_lossless(documents: list[str], tmp_path: Path, pattern: str) -> None:
    tok = bpetok.train(documents, 320, pattern=pattern, special_tokens=["<a>", "<ü>"])
    tok.save(tmp_path / "tok.bpetok")
    again = bpetok.load(tmp_path / "tok.bpetok")
    assert again == tok
    assert again.fingerprint == tok.fingerprint
    assert again.merges == tok.merges
    assert again.special_tokens == tok.special_tokens
    assert again.pattern == tok.pattern
    assert again.encode("\n".join(documents)) == tok.encode("\n".join(documents))


class ByTheBook:
    """Reads a `.bpetok` file with nothing but docs/format.md at hand."""

    def __init__(self, data: bytes) -> None:
        assert data[:8] == b"\x89BPETK\r\n"
        assert data[-32:] == hashlib.sha256(data[:-32]).digest()
        self.data, self.at = data[:-32], 8
        assert self.number() == 1
        self.pattern, self.digits, self.unicode_version = self.text(), self.text(), self.text()
        # In Python a pair is evaluated left to right: the id stands before the text.
        specials = [(self.number(), self.text()) for _ in range(self.number())]
        self.special_tokens = {text: token_id for token_id, text in specials}
        count = self.number()
        ids = [self.number() for _ in range(count)]
        lengths = [self.number() for _ in range(count)]
        self.tokens = {i: self.take(length) for i, length in zip(ids, lengths, strict=True)}
        kind = self.number()
        pairs = range(self.number()) if kind == 1 else range(0)
        self.merges = [(self.number(), self.number()) for _ in pairs] if kind == 1 else None
        assert self.at == len(self.data)

    def take(self, length: int) -> bytes:
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def text(self) -> str:
        return self.take(self.number()).decode("utf-8")


@pytest.mark.parametrize("by_rank", [False, True])
def test_the_file_is_as_specified(tok: bpetok.Tokenizer, by_rank: bool) -> None:
    spec = TokenizerSpec.of(tok)
    if by_rank:
        spec = replace(spec, merges=None)
    data = spec.build()._to_bytes()
    book = ByTheBook(data)
    assert book.pattern == spec.pattern
    assert (book.digits, book.unicode_version) == (spec.digits, spec.unicode_version)
    assert book.special_tokens == spec.special_tokens
    assert book.tokens == spec.token_map()
    assert book.merges == spec.merge_pairs()
    body = data[12:-32]
    assert hashlib.sha256(body).hexdigest() == spec.build().fingerprint


def test_a_newer_version_says_that_a_newer_bpetok_is_needed(
    tok: bpetok.Tokenizer, tmp_path: Path
) -> None:
    data = tok._to_bytes()[:-32]
    newer = data[:8] + (2).to_bytes(4, "little") + data[12:]
    (tmp_path / "newer.bpetok").write_bytes(newer + hashlib.sha256(newer).digest())
    with pytest.raises(FormatError, match=r"newer\.bpetok.*version 2.*newer bpetok"):
        bpetok.load(tmp_path / "newer.bpetok")


def test_lengths_that_promise_too_much(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    data = bytearray(tok._to_bytes()[:-32])
    for position in range(12, len(data) - 3, 997):
        broken = bytes(data[:position]) + b"\xff\xff\xff\x7f" + bytes(data[position + 4 :])
        (tmp_path / "broken.bpetok").write_bytes(broken + hashlib.sha256(broken).digest())
        try:
            bpetok.load(tmp_path / "broken.bpetok")
        except bpetok.Error:
            continue
        # Overwritten bytes of a token make another token, which is no error.


def test_saving_twice_gives_the_same_bytes(documents: list[str], tmp_path: Path) -> None:
    for name in ("a.bpetok", "b.bpetok"):
        bpetok.train(documents, 320).save(tmp_path / name)
    assert (tmp_path / "a.bpetok").read_bytes() == (tmp_path / "b.bpetok").read_bytes()


def test_every_truncation_is_refused(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    data = tok._to_bytes()
    path = tmp_path / "cut.bpetok"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(FormatError):
            bpetok.load(path)
    path.write_bytes(data + b"x")
    with pytest.raises(FormatError):
        bpetok.load(path)


def test_every_flipped_byte_is_refused(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    data = bytearray(tok._to_bytes())
    choose = random.Random(1)
    path = tmp_path / "flipped.bpetok"
    for position in [*range(200), *choose.sample(range(len(data)), 300)]:
        data[position] ^= 1 << choose.randrange(8)
        path.write_bytes(data)
        with pytest.raises(FormatError):
            bpetok.load(path)
        data = bytearray(tok._to_bytes())


def test_a_conflicting_pattern_is_refused(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tok.bpetok"
    tok.save(path)
    assert bpetok.load(path, pattern="gpt2") == tok
    assert bpetok.load(path, pattern=tok.pattern) == tok
    with pytest.raises(FormatError, match="leave pattern out"):
        bpetok.load(path, pattern="cl100k")


def test_conflicting_specials_are_refused(
    tok: bpetok.Tokenizer, special: str, tmp_path: Path
) -> None:
    path = tmp_path / "tok.bpetok"
    tok.save(path)
    assert bpetok.load(path, special_tokens={special: 339}) == tok
    assert bpetok.load(path, special_tokens=[special]) == tok
    for conflict in ({special: 340}, ["<other>"], [], {}):
        with pytest.raises(FormatError, match="with_special_tokens"):
            bpetok.load(path, special_tokens=conflict)


def test_another_unicode_version_warns_with_both(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    older = replace(TokenizerSpec.of(tok), unicode_version="15.0.0").build()
    path = tmp_path / "old.bpetok"
    older.save(path)
    with pytest.warns(UserWarning, match=rf"15\.0\.0.*{re.escape(bpetok.UNICODE_VERSION)}"):
        again = bpetok.load(path)
    assert again.unicode_version == "15.0.0"
    assert again == older
    assert again != tok


# --- .tiktoken ----------------------------------------------------------------------------------


def test_rank_files_go_both_ways(
    tok: bpetok.Tokenizer, documents: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "tok.tiktoken"
    with pytest.warns(UserWarning, match="ranks only"):
        tok.save(path)
    again = bpetok.load(path, pattern="gpt2", special_tokens=tok.special_tokens)
    text = "\n".join(documents)
    assert again.encode(text) == tok.encode(text)
    assert again.special_tokens == tok.special_tokens
    assert sorted(again.merges) == sorted(tok.merges)
    with pytest.warns(UserWarning, match="ranks only"):
        again.save(tmp_path / "again.tiktoken")
    assert path.read_bytes() == (tmp_path / "again.tiktoken").read_bytes()


def test_rank_file_without_a_pattern_names_the_cure() -> None:
    with pytest.raises(FormatError, match="pattern="):
        bpetok.load(HOSTILE / "missing_byte.tiktoken")


def rank_file(path: Path, extra: dict[bytes, int], newline: str = "\n") -> Path:
    ranks = {bytes([byte]): byte for byte in range(256)} | extra
    lines = [f"{base64.b64encode(token).decode()} {rank}{newline}" for token, rank in ranks.items()]
    path.write_bytes("".join(lines).encode())
    return path


def test_gaps_and_any_order_of_byte_ids_are_legal(tmp_path: Path) -> None:
    tok = bpetok.load(rank_file(tmp_path / "t.tiktoken", {b"ab": 300}), pattern="gpt2")
    assert tok.vocab_size == 301
    assert tok.encode("ab!") == [300, 33]
    with pytest.raises(bpetok.TokenIdError, match="299"):
        tok.decode([299])


def test_specials_as_a_list_go_above_the_highest_id(tmp_path: Path) -> None:
    path = rank_file(tmp_path / "t.tiktoken", {b"ab": 300})
    tok = bpetok.load(path, pattern="gpt2", special_tokens=["<a>", "<b>"])
    assert tok.special_tokens == {"<a>": 301, "<b>": 302}
    inside = bpetok.load(path, pattern="gpt2", special_tokens={"<a>": 280})
    assert (inside.special_tokens, inside.vocab_size) == ({"<a>": 280}, 301)
    with pytest.raises(bpetok.SpecialTokenError, match="300"):
        bpetok.load(path, pattern="gpt2", special_tokens={"<a>": 300})


def test_windows_line_ends(tmp_path: Path) -> None:
    path = rank_file(tmp_path / "t.tiktoken", {b"ab": 256}, newline="\r\n")
    assert bpetok.load(path, pattern="gpt2").encode("ab") == [256]


# --- the table ----------------------------------------------------------------------------------


@pytest.mark.parametrize("row", read_jsonl(HOSTILE / "index.jsonl"), ids=lambda row: row["file"])
def test_hostile_files_are_refused_by_name(row: dict) -> None:
    kind = getattr(bpetok, row["error"])
    with pytest.raises(kind) as caught:
        bpetok.load(HOSTILE / row["file"], pattern="gpt2")
    message = str(caught.value)
    assert row["file"] in message
    assert [word for word in row["says"] if word not in message] == []


def test_content_decides_and_not_the_name(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tok.tiktoken"
    tok.save(path, format="bpetok")
    assert path.read_bytes().startswith(own.MAGIC)
    assert bpetok.load(path) == tok


def test_unknown_suffixes_and_formats(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="suffix"):
        tok.save(tmp_path / "tok.txt")
    with pytest.raises(FormatError, match="'yaml'"):
        tok.save(tmp_path / "tok.bpetok", format="yaml")
    assert os.listdir(tmp_path) == []


def test_paths_as_str_and_path(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    tok.save(str(tmp_path / "a.bpetok"))
    assert bpetok.load(str(tmp_path / "a.bpetok")) == bpetok.load(tmp_path / "a.bpetok")


def test_paths_as_bytes(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "tok.bpetok")
    tok.save(path)  # type: ignore[arg-type]
    assert bpetok.load(path) == tok
    (tmp_path / "empty").touch()
    with pytest.raises(FormatError, match=r"^[^b].*empty is empty"):
        bpetok.load(os.fsencode(tmp_path / "empty"))
    with pytest.raises(TypeError, match="PathLike object, not int"):
        bpetok.load(3)  # type: ignore[arg-type]


def test_a_pattern_that_is_no_text_is_refused(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="ranks only"):
        tok.save(tmp_path / "tok.tiktoken")
    with pytest.raises(bpetok.TextError, match=r"pattern: .* lone surrogate"):
        bpetok.load(tmp_path / "tok.tiktoken", "\ud800")


def test_system_failures_stay_os_errors(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        bpetok.load(tmp_path / "absent.bpetok")
    with pytest.raises(OSError, match=re.escape(tmp_path.name)):
        bpetok.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="absent"):
        tok.save(tmp_path / "absent" / "tok.bpetok")


def test_a_failed_save_leaves_the_old_file(tok: bpetok.Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tok.bpetok"
    tok.save(path)
    before = path.read_bytes()

    def fail(tok: bpetok.Tokenizer, path: str) -> bytes:
        raise FormatError("cannot hold this")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own, "write", fail)
        with pytest.raises(FormatError, match="cannot hold this"):
            tok.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["tok.bpetok"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX")
@pytest.mark.filterwarnings("ignore:.* holds ranks only")
@pytest.mark.parametrize("suffix", [".bpetok", ".tiktoken"])
def test_tokenizers_come_out_of_pipes(tmp_path: Path, suffix: str) -> None:
    import threading

    tok = bpetok.train(["low lower lowest"] * 4, 262)
    (whole := tmp_path / f"whole{suffix}").touch()
    tok.save(whole)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(whole.read_bytes(),))
    writer.start()
    pattern = tok.pattern if suffix == ".tiktoken" else None
    assert bpetok.load(pipe, pattern).encode("low lower") == tok.encode("low lower")
    writer.join()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX")
@pytest.mark.parametrize(
    ("content", "says"), [(b"", "is empty"), (b"junk" * 9, "begins with b'junk")]
)
def test_what_comes_out_of_a_pipe_and_is_no_tokenizer(
    tmp_path: Path, content: bytes, says: str
) -> None:
    import threading

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    with pytest.raises(FormatError, match=rf"pipe {says}"):
        bpetok.load(pipe)
    writer.join()


def test_special_tokens_to_compare_are_a_collection(tmp_path: Path) -> None:
    path = tmp_path / "tok.bpetok"
    bpetok.train(["low lower lowest"] * 4, 262).save(path)
    with pytest.raises(TypeError, match="special_tokens is a bare str: wrap it in a list"):
        bpetok.load(path, special_tokens="<|endoftext|>")
    with pytest.raises(TypeError, match="special_tokens must be a collection of str, not int"):
        bpetok.load(path, special_tokens=5)  # type: ignore[arg-type]
