"""Cuts a long text into pieces whose pretokens, together, are those of the whole text.

A file of 100 GB is one document, but it need not be in memory as one. Two kinds of place are boundaries
whatever stands around them:

- **after a special token**: the special split comes before the pattern, for every pattern;
- **before a white-space character, for the presets**: see `BEFORE_SPACE`.

A custom pattern may join any characters at all, so its texts are cut after special tokens only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bpetok.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PIECE_BYTES = 4 << 20
"""Pieces are cut as soon as this much is held: large enough to count in parallel, small beside memory."""

# Before the white space that matches below, no pretoken of a preset goes on, and the text on either side is
# split as it would be in one: in every preset a space (U+0020) stands only at the start of a pretoken or
# among other white space, and line breaks and tabs join only what is neither letter nor digit ("!\n", and
# "/\n" in o200k). So a cut may stand between any character that is not white space and a space, and between a
# letter or digit and \t, \r, \n. The byte ranges name characters that can never be reclassified: printable
# ASCII; U+00C0..U+0FFF before a space, which holds no white space; Han (U+5000..U+9FFF) and Hangul
# (U+B000..U+CFFF), all letters. The white space comes first, since `re` then skips to it at the speed of memory.
BEFORE_SPACE = re.compile(
    rb"[ \t\r\n](?:(?<=[!-~] )|(?<=[0-9A-Za-z][\t\r\n])"
    rb"|(?<=[\xc3-\xdf][\x80-\xbf] )|(?<=\xe0[\xa0-\xbf][\x80-\xbf] )"
    rb"|(?<=[\xe5-\xe9\xeb\xec][\x80-\xbf]{2}[ \t\r\n]))"
)
LONGEST_BEFORE = 4
TAIL_BYTES = 4096


class _AtSpaces:
    """Finds the last cut before white space that is not inside a special token."""

    def __init__(self, special_tokens: Sequence[bytes]) -> None:
        # Specials such as "<|end of text|>" hold places that look like a cut; most hold none.
        self.risky = [special for special in special_tokens if BEFORE_SPACE.search(special)]
        self.margin = max(map(len, self.risky), default=0)

    def find(self, held: bytearray, searched: int) -> tuple[int, int]:
        """(the last cut or 0, up to where there is none)."""
        start = max(0, searched - LONGEST_BEFORE)
        region = bytes(held[start:])
        # The last match is wanted and `re` looks forward only: in running text the tail has one.
        for first in (max(0, len(region) - TAIL_BYTES - self.margin), 0):
            cuts = [start + match.start() for match in BEFORE_SPACE.finditer(region, first)]
            for cut in reversed(cuts):
                if cut <= len(held) - self.margin and not self._inside_special(held, cut):
                    return cut, 0
        return 0, max(searched, len(held) - self.margin)

    def _inside_special(self, held: bytearray, position: int) -> bool:
        return any(
            held.find(special, max(0, position - len(special) + 1), position + len(special) - 1)
            >= 0
            for special in self.risky
        )


class _AfterSpecials:
    """Finds the end of the last whole special token, for patterns of which nothing is known."""

    def __init__(self, special_tokens: Sequence[bytes]) -> None:
        # Longest first, as the special split does, so that one that begins another does not win over it.
        ordered = sorted(special_tokens, key=len, reverse=True)
        self.pattern = re.compile(b"|".join(map(re.escape, ordered)) or b"(?!)")
        self.margin = len(ordered[0]) if ordered else 0

    def find(self, held: bytearray, searched: int) -> tuple[int, int]:
        """(the last cut or 0, up to where there is none)."""
        region = bytes(held[searched:])
        cut = 0
        for match in self.pattern.finditer(region):
            # Nearer to the end, the bytes to come could make it a longer special.
            if match.start() + self.margin > len(region):
                break
            cut = searched + match.end()
        return (cut, 0) if cut else (0, max(searched, len(held) - self.margin + 1))


def text_pieces(
    blocks: Iterable[bytes],
    special_tokens: Sequence[bytes],
    *,
    cut_at_spaces: bool,
    limit: int,
    name: str,
) -> Iterator[bytes]:
    """Pieces of a text, which joined are the text.

    Args:
        blocks: the text, in blocks of any size.
        special_tokens: texts that no cut may fall into, and after which one may always stand.
        cut_at_spaces: cut before white space; right for every preset, not for a pattern in general.
        limit: the most bytes to hold while looking for a cut.
        name: what to call the text in an error.

    Raises:
        FormatError: if `limit` bytes hold no place to cut.

    >>> blocks = [b"one two", b" three", b"<|x|>four"]
    >>> list(text_pieces(blocks, [b"<|x|>"], cut_at_spaces=True, limit=100, name="t"))
    [b'one two three<|x|>four']
    """
    cutter = _AtSpaces(special_tokens) if cut_at_spaces else _AfterSpecials(special_tokens)
    held = bytearray()
    searched = 0
    for block in blocks:
        held += block
        if len(held) < PIECE_BYTES:
            continue
        cut, searched = cutter.find(held, searched)
        if cut:
            yield bytes(held[:cut])
            del held[:cut]
        elif len(held) > limit:
            raise FormatError(_no_cut_message(name, limit, cut_at_spaces))
    if held:
        yield bytes(held)


def _no_cut_message(name: str, limit: int, cut_at_spaces: bool) -> str:
    place = (
        "white space"
        if cut_at_spaces
        else "a special token, the only place to cut for a custom pattern"
    )
    return (
        f"{name}: more than max_document_bytes={limit:,} bytes without {place}: unpack it and give its "
        "pathlib.Path to bpetok.train, or raise max_document_bytes"
    )
