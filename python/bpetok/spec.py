"""A tokenizer as plain data: what every file format reads into and writes from.

A `TokenizerSpec` is frozen and holds flat little-endian buffers rather than Python objects, so that a
vocabulary of 200,000 tokens passes between Python and Rust without 200,000 conversions.

Glossary: n = number of tokens (special tokens not among them), m = number of merges.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from bpetok._bpetok import UNICODE_VERSION, Tokenizer
from bpetok.errors import VocabError
from bpetok.texts import checked_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class TokenizerSpec:
    """Everything that decides which ids a text gets.

    >>> spec = TokenizerSpec.from_parts({i: bytes([i]) for i in range(256)}, [], "gpt2")
    >>> spec.build().encode("A")
    [65]
    """

    tokens: bytes
    """The bytes of all tokens, one after another."""
    token_ids: bytes
    """n ids, u32 little-endian, in the order of `tokens`."""
    token_lengths: bytes
    """n lengths in bytes, u32 little-endian."""
    merges: bytes | None
    """m ordered pairs of ids, u32 little-endian; `None` merges by rank, as tiktoken does."""
    pattern: str
    """The regex that cuts text into pretokens; the name of a preset is accepted."""
    special_tokens: dict[str, int]
    """Texts that are tokens of their own, never formed by merging."""
    digits: str = "none"
    """How runs of digits are grouped before the pattern; `"none"` leaves them to the pattern."""
    unicode_version: str = UNICODE_VERSION
    """The Unicode version whose character classes the pattern was made for."""

    @classmethod
    def of(cls, tok: Tokenizer) -> TokenizerSpec:
        """The spec of a tokenizer; `TokenizerSpec.of(tok).build() == tok`."""
        return cls(*tok._spec())

    @classmethod
    def from_parts(
        cls,
        tokens: Mapping[int, bytes],
        merges: Iterable[tuple[int, int]] | None,
        pattern: str,
        special_tokens: Mapping[str, int] | None = None,
    ) -> TokenizerSpec:
        """A spec from ordinary Python objects, for formats that hold such.

        Args:
            tokens: id -> bytes, without the special tokens.
            merges: ordered pairs of ids, or `None` to merge by rank.
            pattern: regex or name of a preset.
            special_tokens: text -> id.

        Raises:
            VocabError: for an id that is negative or does not fit 32 bits; `build` checks the rest.
        """
        pairs = None if merges is None else [token_id for pair in merges for token_id in pair]
        return cls(
            tokens=b"".join(tokens.values()),
            token_ids=_pack(tokens, "id"),
            token_lengths=_pack(map(len, tokens.values()), "length"),
            merges=None if pairs is None else _pack(pairs, "id in merges"),
            pattern=pattern,
            special_tokens=dict(special_tokens or {}),
        )

    def build(self) -> Tokenizer:
        """The tokenizer.

        Raises:
            VocabError: for a repeated token or id, a missing byte, or a merge of unknown ids.
            PatternError: for an invalid regex.
            SpecialTokenError: for specials that clash with tokens or one another.
            TextError: for a lone surrogate in the pattern.
        """
        checked_text(self.pattern, "pattern")
        return Tokenizer._from_spec(*(getattr(self, field.name) for field in fields(self)))

    def token_map(self) -> dict[int, bytes]:
        """id -> bytes of every token, in the order they are held.

        >>> from bpetok.spec import TokenizerSpec
        >>> spec = TokenizerSpec.from_parts({7: b"ab", 3: b"c"}, None, "gpt2")
        >>> spec.token_map()
        {7: b'ab', 3: b'c'}
        """
        result: dict[int, bytes] = {}
        start = 0
        for token_id, length in zip(
            _unpack(self.token_ids), _unpack(self.token_lengths), strict=True
        ):
            result[token_id] = self.tokens[start : start + length]
            start += length
        return result

    def merge_pairs(self) -> list[tuple[int, int]] | None:
        """The ordered pairs of ids, or `None` where merging goes by rank."""
        if self.merges is None:
            return None
        flat = _unpack(self.merges)
        return list(zip(flat[::2], flat[1::2], strict=True))


def _pack(numbers: Iterable[int], what: str) -> bytes:
    listed = list(numbers)
    try:
        return struct.pack(f"<{len(listed)}I", *listed)
    except struct.error:
        wrong = next(n for n in listed if not hasattr(n, "__index__") or not 0 <= n < 1 << 32)
        raise VocabError(
            f"{what} {wrong!r} is out of range: give whole numbers from 0 on that fit 32 bits"
        ) from None


def _unpack(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data)
