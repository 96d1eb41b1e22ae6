"""What callers of WordPiece hand in: texts, ids, numbers and special tokens, refused in the words of the rest of bpetok."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

from bpetok.errors import SpecialTokenError, TextError, TokenIdError
from bpetok.texts import text_list

if TYPE_CHECKING:
    from collections.abc import Iterable


def document_text(document: str | bytes, number: int | None = None) -> str:
    """The characters of a text; `number` is its place among the documents, for messages.

    Raises:
        TypeError: for something else than `str` or `bytes`.
        TextError: for a lone surrogate, or bytes that are not UTF-8.

    >>> document_text(b"caf\\xc3\\xa9")
    'café'
    """
    what = "the text" if number is None else f"document {number:,}"
    if isinstance(document, str):
        try:
            document.encode()
        except UnicodeEncodeError as error:
            raise TextError(
                f"{what} has a lone surrogate at index {error.start:,}, which has no UTF-8 form; "
                "encode the str with errors='replace' first"
            ) from None
        return document
    if not isinstance(document, bytes):
        cure = "" if number is None else "; for files, pass bpetok.pipelines.read_documents(paths)"
        raise TypeError(f"{what} must be str or bytes, not {type(document).__name__}{cure}")
    try:
        return document.decode()
    except UnicodeDecodeError as error:
        raise TextError(
            f"{what} is not UTF-8 at byte {error.start:,}: WordPiece reads characters; decode it first"
        ) from None


def known_id(token_id: Any, place: int, vocab_size: int) -> int:
    """An id that some token has; `place` is its index among the ids.

    Raises:
        TypeError: if it is no whole number.
        TokenIdError: if it is outside the vocabulary.
    """
    try:
        known = operator.index(token_id)
    except TypeError:
        raise TypeError(
            f"token ids must be int, not {type(token_id).__name__} (at index {place:,})"
        ) from None
    if not 0 <= known < vocab_size:
        raise TokenIdError(
            f"token id {known} (at index {place:,}) is not in the vocabulary; ids run from 0 to {vocab_size - 1}"
        )
    return known


def special_list(special_tokens: Iterable[str]) -> list[str]:
    """Special tokens as a list of texts.

    Raises:
        TypeError: for a bare `str`, or an element that is no `str`.
        SpecialTokenError: for an empty one, which every text would spell everywhere.
    """
    specials = text_list(special_tokens)
    if "" in specials:
        raise SpecialTokenError(
            f"special token {specials.index('')} has no text; give it at least one character"
        )
    return specials


def special_pattern(specials: Iterable[str]) -> re.Pattern[str]:
    """Cuts a text at special tokens: every other part of `split`, from the second on, is one.

    Longest first, so that one that begins another does not win over it. Training and encoding share it: what
    is left of a text must be the same for both.

    >>> special_pattern(["<x>", "<x>y"]).split("a<x>yb")
    ['a', '<x>y', 'b']
    """
    ordered = sorted(specials, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, ordered))})" if ordered else "((?!))")
