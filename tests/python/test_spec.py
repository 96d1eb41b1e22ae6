"""A tokenizer as plain data."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

import bpetok
from bpetok.spec import TokenizerSpec

BYTES = {number: bytes([number]) for number in range(256)}


def test_round_trip(tok: bpetok.Tokenizer) -> None:
    spec = TokenizerSpec.of(tok)
    assert spec.build() == tok
    assert TokenizerSpec.of(spec.build()) == spec


def test_parts_of_a_trained_tokenizer(tok: bpetok.Tokenizer) -> None:
    spec = TokenizerSpec.of(tok)
    tokens = spec.token_map()
    assert tokens == {i: tok.token_bytes(i) for i in range(tok.vocab_size - 1)}
    assert [(tokens[a], tokens[b]) for a, b in spec.merge_pairs() or []] == tok.merges
    assert spec.special_tokens == tok.special_tokens


def test_rank_merging_has_no_merge_list() -> None:
    spec = TokenizerSpec.from_parts(BYTES | {256: b"ab", 257: b"abc"}, None, "gpt2")
    assert spec.merge_pairs() is None
    tok = spec.build()
    assert tok.encode("abcab") == [257, 256]
    assert tok.merges == [(b"a", b"b"), (b"ab", b"c")]


def test_frozen(tok: bpetok.Tokenizer) -> None:
    with pytest.raises(FrozenInstanceError):
        TokenizerSpec.of(tok).pattern = "gpt2"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("tokens", "merges", "says"),
    [
        ({}, None, "empty"),
        ({number: token for number, token in BYTES.items() if number != 65}, None, "41"),
        (BYTES | {256: b"ab", 257: b"ab"}, None, "257"),
        (BYTES | {256: b""}, None, "256"),
        (BYTES, [(97, 98)], "97 and 98"),
        (BYTES | {256: b"ab"}, [(97, 300)], "300"),
    ],
    ids=["empty", "missing byte", "repeated", "empty token", "merge of nothing", "unknown id"],
)
def test_impossible_vocabularies(tokens: dict, merges: list | None, says: str) -> None:
    with pytest.raises(bpetok.VocabError, match=says):
        TokenizerSpec.from_parts(tokens, merges, "gpt2").build()


@pytest.mark.parametrize("wrong", [-1, 1 << 32, 1.5, "a"])
def test_ids_that_no_buffer_holds(wrong: object) -> None:
    with pytest.raises(
        bpetok.VocabError, match=f"id {wrong!r} is out of range: give whole numbers"
    ):
        TokenizerSpec.from_parts({np.int64(7): b"b", wrong: b"a"}, None, "gpt2")  # type: ignore[dict-item]
    with pytest.raises(bpetok.VocabError, match=f"id in merges {wrong!r}"):
        TokenizerSpec.from_parts(BYTES, [(1, wrong)], "gpt2")  # type: ignore[list-item]


def test_a_pattern_that_is_no_text() -> None:
    with pytest.raises(bpetok.TextError, match=r"pattern: '\\ud800'"):
        TokenizerSpec.from_parts(BYTES, None, "\ud800").build()


def test_buffers_that_do_not_fit_together(tok: bpetok.Tokenizer) -> None:
    spec = TokenizerSpec.of(tok)
    for broken in (
        replace(spec, tokens=spec.tokens[:-1]),
        replace(spec, token_ids=spec.token_ids[:-4]),
        replace(spec, token_lengths=spec.token_lengths + b"\0"),
        replace(spec, merges=(spec.merges or b"")[:-4]),
        replace(spec, token_lengths=b"\xff" * len(spec.token_lengths)),
    ):
        with pytest.raises((bpetok.VocabError, bpetok.FormatError)):
            broken.build()


def test_a_repeated_id(tok: bpetok.Tokenizer) -> None:
    spec = TokenizerSpec.of(tok)
    with pytest.raises(bpetok.VocabError):
        replace(
            spec, token_ids=spec.token_ids[:4] + spec.token_ids[:4] + spec.token_ids[8:]
        ).build()


def test_unknown_digit_rules(tok: bpetok.Tokenizer) -> None:
    with pytest.raises(bpetok.Error, match="sometimes"):
        replace(TokenizerSpec.of(tok), digits="sometimes").build()
