"""How the pieces of a text look: alternating colours on a terminal, one piece a line elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# Backgrounds of the 256-colour table, pale enough for black text; six, so that neighbours differ.
BACKGROUNDS = (225, 194, 189, 223, 195, 229)
RESET = "\x1b[0m"


def visible(piece: bytes) -> str:
    r"""A piece as text in which nothing hides: line ends, tabs and broken UTF-8 are written out.

    >>> visible(b" caf\xc3\xa9\n"), visible(b"\xf0\x9f")
    (' café\\n', '\\xf0\\x9f')
    """
    text = piece.decode("utf-8", "backslashreplace")
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def coloured(pieces: Iterable[bytes]) -> str:
    """The pieces side by side on alternating backgrounds; a line break follows each line's end."""
    parts = []
    for number, piece in enumerate(pieces):
        parts.append(
            f"\x1b[30;48;5;{BACKGROUNDS[number % len(BACKGROUNDS)]}m{visible(piece)}{RESET}"
        )
        if piece.endswith(b"\n"):
            parts.append("\n")
    return "".join(parts)


def coloured_with_ids(ids: Sequence[int], pieces: Sequence[bytes]) -> Iterator[str]:
    """For each line of the text its coloured pieces, and below them their ids in the same colours."""
    start = 0
    for end in range(1, len(pieces) + 1):
        if end == len(pieces) or pieces[end - 1].endswith(b"\n"):
            numbers = " ".join(
                f"\x1b[30;48;5;{BACKGROUNDS[number % len(BACKGROUNDS)]}m{token_id}{RESET}"
                for number, token_id in enumerate(ids[start:end])
            )
            yield coloured(pieces[start:end]).rstrip("\n")
            yield numbers
            start = end


def bracketed(pieces: Iterable[bytes]) -> str:
    r"""The pieces side by side in brackets, for places without colour.

    >>> bracketed([b"the", b" cat\n"])
    '[the][ cat\\n]'
    """
    return "".join(f"[{visible(piece)}]" for piece in pieces)
