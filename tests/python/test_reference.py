"""The readable BPE: itself against HF and tiktoken, and the Rust core against it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
from bpetok import reference
from support import VECTORS, hf_merges, python, read_jsonl

TRAINING = read_jsonl(VECTORS / "training.jsonl")
ENCODING = read_jsonl(VECTORS / "encoding.jsonl")
MERGES = [
    (bytes.fromhex(row["left_hex"]), bytes.fromhex(row["right_hex"]))
    for row in read_jsonl(VECTORS / "merges.jsonl")
]

# Few letters and short words: overlaps and ties in every example.
small_corpora = st.lists(st.text("ab ", max_size=40), max_size=6)


def pretokens(documents: list[str], pattern: str) -> list[bytes]:
    counts = bpetok.Counts(pattern)
    counts.update(documents)
    return [piece for piece, count in counts.items() for _ in range(count)]


def as_bytes(trained: reference.Trained) -> list[tuple[bytes, bytes]]:
    return [(trained.tokens[left], trained.tokens[right]) for left, right in trained.merges]


def vector_vocabulary() -> reference.Trained:
    tokens = [bytes([byte]) for byte in reference.BYTE_ORDER]
    merges = []
    for left, right in MERGES:
        merges.append((tokens.index(left), tokens.index(right)))
        tokens.append(left + right)
    return reference.Trained(tokens, merges)


def test_byte_order_is_the_order_of_gpt2s_characters() -> None:
    assert sorted(reference.BYTE_ORDER) == list(range(256))
    assert reference.BYTE_ORDER[:3] == [0x21, 0x22, 0x23]
    assert reference.BYTE_ORDER[188:191] == [0, 1, 2]
    assert reference.BYTE_ID[ord(" ")] == 220


@pytest.mark.parametrize("row", TRAINING, ids=lambda row: f"{row['name']}|{row['pattern'][:12]}")
def test_learns_the_merges_of_the_vectors(row: dict) -> None:
    trained = reference.train(
        pretokens(row["documents"], row["pattern"]),
        row["vocab_size"],
        min_frequency=row["min_frequency"],
    )
    assert [[left.hex(), right.hex()] for left, right in as_bytes(trained)] == row["merges_hex"]


def test_both_ways_of_encoding_agree_with_the_vectors() -> None:
    trained = vector_vocabulary()
    ranks = {token: token_id for token_id, token in enumerate(trained.tokens)}
    for row in ENCODING:
        pieces = [bytes.fromhex(piece) for piece in row["pretokens_hex"]]
        by_list = [token_id for piece in pieces for token_id in reference.encode(piece, trained)]
        by_rank = [
            token_id for piece in pieces for token_id in reference.encode_by_rank(piece, ranks)
        ]
        assert by_list == by_rank == row["ids"], row["name"]


@settings(max_examples=60, deadline=None)
@given(small_corpora, st.integers(256, 275), st.integers(1, 3))
def test_learns_what_hf_learns(documents: list[str], vocab_size: int, least: int) -> None:
    trained = reference.train(pretokens(documents, "gpt2"), vocab_size, min_frequency=least)
    assert as_bytes(trained) == hf_merges(documents, vocab_size, min_frequency=least)


@settings(max_examples=200, deadline=None)
@given(
    small_corpora,
    st.sampled_from(["gpt2", "cl100k", "[ab]+", "(?s).+"]),
    st.integers(256, 280),
    st.integers(1, 3),
    st.none() | st.integers(1, 6),
)
@pytest.mark.filterwarnings("ignore:the text has too few pairs")
def test_rust_learns_what_the_reference_learns(
    documents: list[str], pattern: str, vocab_size: int, least: int, longest: int | None
) -> None:
    limits = {"min_frequency": least, "max_token_bytes": longest}
    trained = reference.train(pretokens(documents, pattern), vocab_size, **limits)
    tok = bpetok.train(documents, vocab_size, pattern=pattern, special_tokens=(), **limits)
    assert tok.merges == as_bytes(trained)
    assert [tok.token_bytes(token_id) for token_id in range(tok.vocab_size)] == trained.tokens
    for document in documents:
        expected = [
            token_id
            for piece in tok.pretokenize(document)
            for token_id in reference.encode(piece, trained)
        ]
        assert tok.encode(document) == expected


def test_explains_each_merge_of_the_textbook_sentence() -> None:
    printed = python(
        "import runpy; runpy.run_module('bpetok.reference', run_name='__main__')"
    ).stdout
    lines = printed.splitlines()
    assert lines[0] == "text:      'the cat in the hat'"
    assert len(lines) == 2 + 10
    assert "tie: smaller left id" in lines[2]
    assert "highest count" in lines[4]
    assert any("same left id: smaller right id" in line for line in lines)


def test_text_that_is_none_and_a_reader_that_stops_are_no_tracebacks() -> None:
    with pytest.raises(bpetok.TextError, match=r"U\+DCFF at index 1"):
        list(reference.explain("a\udcff"))
    command = [sys.executable, "-m", "bpetok.reference"]
    done = subprocess.run([*command, b"\xff"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"bpetok.reference: error: the text has a lone surrogate")
    script = f"'{sys.executable}' -m bpetok.reference {'many words ' * 50} | head -n 1"
    assert subprocess.run(script, shell=True, capture_output=True, check=True).stderr == b""
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*command, "世"], capture_output=True, check=True, env=ascii_only)
    assert b"\\u4e16" in done.stdout


def test_choose_names_the_rule() -> None:
    assert reference.choose({(1, 2): 5, (0, 0): 4}) == ((1, 2), "highest count", [])
    assert reference.choose({(2, 0): 1, (1, 9): 1})[1] == "tie: smaller left id"
    assert reference.choose({(1, 9): 1, (1, 3): 1})[:2] == (
        (1, 3),
        "tie, same left id: smaller right id",
    )
