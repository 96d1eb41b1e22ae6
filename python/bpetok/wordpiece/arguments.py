"""Special tokens of WordPiece, found alike by training and encoding."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def special_pattern(specials: Iterable[str]) -> re.Pattern[str]:
    """Cuts a text at special tokens: every other part of `split`, from the second on, is one.

    Longest first, so that one that begins another does not win over it. Training and encoding share it: what
    is left of a text must be the same for both.

    >>> special_pattern(["<x>", "<x>y"]).split("a<x>yb")
    ['a', '<x>y', 'b']
    """
    ordered = sorted(specials, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, ordered))})" if ordered else "((?!))")
