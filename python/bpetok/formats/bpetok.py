"""`.bpetok`, bpetok's own file: lossless and versioned, specified in docs/format.md.

Reading and writing happen in Rust, so that 100,000 tokens load in milliseconds. Here only arguments
that contradict the file are refused.
"""

from __future__ import annotations

from bpetok._bpetok import load_bpetok
from bpetok.errors import FormatError
from bpetok.tokenizer import expand_pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpetok._bpetok import Tokenizer
    from bpetok.formats import Specials

# Not text in any encoding, and broken by a conversion of line ends, as PNG's signature is.
MAGIC = b"\x89BPETK\r\n"


def sniff(head: bytes) -> bool:
    """Every `.bpetok` file of any version begins with the same bytes."""
    return head.startswith(MAGIC)


def read(path: str, pattern: str | None, special_tokens: Specials) -> Tokenizer:
    """The tokenizer; `pattern` and `special_tokens` may only repeat what the file holds."""
    tok = load_bpetok(path)
    if pattern is not None and expand_pattern(pattern) != tok.pattern:
        raise FormatError(
            f"it was made with the pattern {tok.pattern!r}, not {pattern!r}: leave pattern out"
        )
    if special_tokens is not None and not _same_specials(tok.special_tokens, special_tokens):
        raise FormatError(
            f"it holds the special tokens {tok.special_tokens!r}, not {special_tokens!r}: leave "
            "special_tokens out, and use with_special_tokens on the result to add some"
        )
    return tok


def write(tok: Tokenizer, path: str) -> bytes:
    """The content of the file; nothing is lost."""
    return tok._to_bytes()


def _same_specials(held: dict[str, int], given: Mapping[str, int] | Iterable[str]) -> bool:
    from collections import abc

    from bpetok.texts import text_list

    if isinstance(given, abc.Mapping):
        return dict(given) == held

    return sorted(text_list(given)) == sorted(held)
