"""Digit rules from Python: training, files, counts, and ids equal to HF's."""

from __future__ import annotations

import pickle
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
from bpetok import Counts
from bpetok.formats import huggingface

tokenizers = pytest.importorskip("tokenizers")

RULES = ["1", "1-3", "right-1-3"]
PATTERNS = ["gpt2", "cl100k", "o200k", "qwen2", r"\S+|\s+"]
CHARACTERS = [*"0123456789", "12", "1999", "٣", "²", "½", "Ⅷ", *" a\nB'.,", "  ", "中", "é", "x1"]


def texts(count: int, seed: int) -> list[str]:
    choice = random.Random(seed)
    return ["".join(choice.choices(CHARACTERS, k=choice.randrange(14))) for _ in range(count)]


def trained(pattern: str, digits: str) -> bpetok.Tokenizer:
    return bpetok.train(texts(2000, 1), 330, pattern=pattern, digits=digits)


def slow_groups(run: str, digits: str) -> list[str]:
    """The groups of one run of numbers, one digit at a time."""
    groups: list[str] = []
    for place, digit in enumerate(run):
        left = len(run) - place
        begins = {"1": True, "1-3": place % 3 == 0, "right-1-3": left % 3 == 0 or place == 0}[
            digits
        ]
        if begins:
            groups.append("")
        groups[-1] += digit
    return groups


@pytest.mark.filterwarnings("ignore:the text has too few pairs")
@settings(max_examples=200, deadline=None)
@given(st.text("0123456789 a.", max_size=30), st.sampled_from(RULES))
def test_groups(text: str, digits: str) -> None:
    ruled = bpetok.train([], 257, pattern="gpt2", digits=digits, special_tokens=["<S>"])
    plain = bpetok.train([], 257, pattern="gpt2", special_tokens=["<S>"])
    expected: list[bytes] = []
    for piece in re.split("([0-9]+)", text):
        if piece.isdecimal():
            expected += [group.encode() for group in slow_groups(piece, digits)]
        else:
            expected += plain.pretokenize(piece)
    assert ruled.pretokenize(text) == expected


@pytest.mark.parametrize("digits", RULES)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_ids_are_those_of_hf(pattern: str, digits: str) -> None:
    tok = trained(pattern, digits)
    document = huggingface.write(tok, "tokenizer.json").decode()
    reference = tokenizers.Tokenizer.from_str(document)
    for text in [*texts(3000, 2), "123 456789 " * 300, "7" * 5000]:
        theirs = reference.encode(text, add_special_tokens=False).ids
        assert tok.encode(text) == theirs, ascii(text[:200])


@pytest.mark.parametrize("digits", RULES)
def test_the_rule_travels(tmp_path: Path, digits: str) -> None:
    tok = trained("cl100k", digits)
    assert tok.digits == digits
    tok.save(tmp_path / "tok.bpetok")
    for copy in (bpetok.load(tmp_path / "tok.bpetok"), pickle.loads(pickle.dumps(tok))):
        assert (copy, copy.digits) == (tok, digits)
        assert copy.encode("on 1234567") == tok.encode("on 1234567")
    assert tok.with_special_tokens(["<T>"]).digits == digits
    assert bpetok.train(texts(2000, 1), 330).fingerprint != tok.fingerprint
    with pytest.raises(bpetok.FormatError, match=rf"tok\.tiktoken: .*{digits}.*save as \.bpetok"):
        tok.save(tmp_path / "tok.tiktoken")
    assert not (tmp_path / "tok.tiktoken").exists()


def test_counts_keep_the_rule() -> None:
    counts = Counts("gpt2", ["<|endoftext|>"], "right-1-3")
    counts.update(["in 12345"])
    assert dict(counts.items()) == {b"in": 1, b" ": 1, b"12": 1, b"345": 1}
    assert counts.digits == "right-1-3"
    with pytest.raises(bpetok.TrainError, match=r"right-1-3.*none|none.*right-1-3"):
        counts.merge(Counts("gpt2", ["<|endoftext|>"]))
    with pytest.raises(bpetok.TrainError, match=r"digits='1'.*'right-1-3'"):
        bpetok.train(counts, 300, digits="1")
    with pytest.raises(bpetok.Error, match=r'digits is "2"; give one of "none", "1"'):
        Counts(digits="2")


def test_training_from_counts_equals_training_from_text() -> None:
    counts = Counts("cl100k", ["<|endoftext|>"], "1-3")
    counts.update(texts(2000, 1))
    assert bpetok.train(counts, 330) == trained("cl100k", "1-3")
