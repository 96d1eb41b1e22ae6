"""BERT's text cleaning: from a text to its words.

In this order, as BERT's BasicTokenizer and HF's `BertNormalizer` and `BertPreTokenizer` do it: control characters
go; each Han character becomes a word; accents go; capitals become small; white space separates words; each
punctuation character is a word.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import NamedTuple

from bpetok.wordpiece.tables import (
    HAN,
    MARKS,
    NEW_CAPITALS,
    NOT_DECOMPOSED,
    PUNCTUATION,
    REMOVED,
)


class Patterns(NamedTuple):
    """The tables as regexes, compiled on first use."""

    removed: re.Pattern[str]
    han: re.Pattern[str]
    marks: re.Pattern[str]
    not_decomposed: re.Pattern[str]
    words: re.Pattern[str]
    new_capitals: dict[int, int]


@cache
def patterns() -> Patterns:
    """See `Patterns`."""
    punctuation = _class(PUNCTUATION)
    return Patterns(
        removed=re.compile(f"[{_class(REMOVED)}]+"),
        han=re.compile(f"([{_class(HAN)}])"),
        marks=re.compile(f"[{_class(MARKS)}]+"),
        not_decomposed=re.compile(f"([{_class(NOT_DECOMPOSED)}]+)"),
        words=re.compile(rf"[{punctuation}]|[^{punctuation}\s]+"),
        new_capitals={
            first + i: small + i for first, small, pairs in NEW_CAPITALS for i in range(pairs)
        },
    )


def _class(ranges: str) -> str:
    """The inside of a regex class."""
    parts = []
    for entry in ranges.split():
        first, _, last = entry.partition("-")
        parts.append(f"\\U{int(first, 16):08X}-\\U{int(last or first, 16):08X}")
    return "".join(parts)


def words_of(text: str, *, lowercase: bool, strip_accents: bool, split_han: bool) -> list[str]:
    """The words of a text.

    >>> words_of("Führer, 我们!", lowercase=True, strip_accents=True, split_han=True)
    ['fuhrer', ',', '我', '们', '!']
    """
    known = patterns()
    text = known.removed.sub("", text)
    if text.isascii():
        # Nothing below but the case touches ASCII.
        return known.words.findall(text.lower() if lowercase else text)
    if split_han:
        text = known.han.sub(r" \1 ", text)
    if strip_accents:
        text = known.marks.sub("", _decompose(text))
    if lowercase:
        # HF lowers each character by itself, so that a sigma at the end of a word is no special case.
        text = text.replace("\u03a3", "\u03c3").lower().translate(known.new_capitals)
    return known.words.findall(text)


def _decompose(text: str) -> str:
    """NFD, less what only newer versions of Unicode decompose."""
    parts = patterns().not_decomposed.split(text)
    # With one group, every other part is what the group matched.
    return "".join(
        part if i % 2 else unicodedata.normalize("NFD", part) for i, part in enumerate(parts)
    )
