"""Custom patterns: one text says nothing of the next, and errors say where."""

from __future__ import annotations

import dataclasses
import re

import pytest

import bpetok
from bpetok.spec import TokenizerSpec

MARK = "<|mark|>"
WILD = r"(?:a(?=a)|a(?!c))+b|\s|[^a]"


def _tokenizer(pattern: str, pair: bytes, digits: str = "none") -> bpetok.Tokenizer:
    """All bytes and one pair, so that ids tell where pretokens end."""
    tokens = {number: bytes([number]) for number in range(256)} | {256: pair}
    spec = TokenizerSpec.from_parts(tokens, None, pattern, {MARK: 300})
    return dataclasses.replace(spec, digits=digits).build()


def _ids(pattern: str, pair: str, text: str) -> list[int]:
    pieces = re.findall(pattern, text)
    return [
        256 if part == pair else ord(part)
        for piece in pieces
        for part in re.findall(f"{pair}|.", piece)
    ]


@pytest.mark.parametrize(
    ("pattern", "begin", "middle", "end"),
    [
        ("a+b|a|[^a]+", "x ", "a", "b"),
        (r"<[^>]*>|\w+|\s+|.", "ab ", "<", ">"),
        (r"\s*b|\s|\w", "a", " ", "b"),
    ],
)
def test_what_came_before_changes_nothing(pattern: str, begin: str, middle: str, end: str) -> None:
    """`re` splits these in the same way. Each text is looked through to its end, and the next must not remember that."""
    pair = middle * 2
    tok = _tokenizer(pattern, pair.encode())
    tok.encode((begin + middle) * 3000)  # enough for the table by which long texts are walked
    texts = [begin + middle * (1000 + n) + end * (n % 2) for n in range(8)]
    wanted = [_ids(pattern, pair, text) for text in texts]
    assert [tok.encode(text) for text in texts] == wanted
    assert tok.encode_batch(texts, threads=1).tolist() == wanted
    marked = [token_id for ids in wanted for token_id in [*ids, 300]]
    assert tok.encode(MARK.join([*texts, ""]), allowed_special="all") == marked
    counts = bpetok.Counts(pattern)
    counts.update(["1".join(texts)], threads=1)
    assert counts.total == len(re.findall(pattern, "1".join(texts)))


@pytest.mark.parametrize("digits", ["none", "1-3"])
def test_the_place_of_a_runaway_match_is_that_in_the_text(digits: str) -> None:
    tok = _tokenizer(WILD, b"aa", digits)
    run = "a" * 60
    for text, place in [
        (f"xyz{MARK}{run}", 3 + len(MARK)),
        (f"xyz 12 {run}", 7),
        (b"xyz\xff" + run.encode(), 4),
        (b"\xff12\xfe7" + run.encode(), 5),
    ]:
        with pytest.raises(bpetok.PatternError, match=f"at byte {place} of"):
            tok.encode(text, allowed_special="all")
        with pytest.raises(bpetok.PatternError, match=f"document 1: .* at byte {place} of"):
            tok.encode_batch(["x", text], allowed_special="all")


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("[z-a]", "invalid character class range"),
        ("(?=a)[z-a]", "invalid character class range"),
        (r"\p{Nope}", "Unicode property not found"),
        (r"\w{1,100000}", "exceeded limit of"),
        (r"(?=a)\w{1,100000}", "exceeded limit of"),
        ("(a", "position 2: Opening parenthesis"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_said_in_one_line(pattern: str, says: str) -> None:
    with pytest.raises(bpetok.PatternError, match=f"^pattern .*: .*{says}") as error:
        bpetok.Counts(pattern)
    assert "\n" not in str(error.value)
