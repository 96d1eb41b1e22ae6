"""`.tiktoken`, a rank file: lines of `base64 SPACE rank`, as the tiktoken library reads them.

It holds ranks only: no pattern and no special tokens. Reading one without a pattern is an error rather
than a guess, and writing one warns about what is left behind.
"""

from __future__ import annotations

import re
import warnings

from bpetok._bpetok import PRESETS, parse_tiktoken, write_tiktoken
from bpetok.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpetok._bpetok import Tokenizer
    from bpetok.formats import Specials

# Loose on purpose: a file that is nearly a rank file should be refused by the reader, which names the
# line, and not as a file of unknown format.
FIRST_LINE = re.compile(rb"\s*[A-Za-z0-9+/]+=*[ \t]+-?[0-9]+[ \t]*(\r?\n|$)")


def sniff(head: bytes) -> bool:
    """Whether the first line is `base64 SPACE number`."""
    return FIRST_LINE.match(head) is not None


def read(path: str, pattern: str | None, special_tokens: Specials) -> Tokenizer:
    """The tokenizer, merging by rank; `pattern` is required."""
    if pattern is None:
        raise FormatError(
            f"a rank file holds no pattern: pass pattern= one of "
            f"{', '.join(PRESETS)} or a regex, the one the vocabulary was made with"
        )
    with open(path, "rb") as file:
        data = file.read()
    return parse_tiktoken(data, pattern, special_tokens)


def write(tok: Tokenizer, path: str) -> bytes:
    """The content of the file: ranks. Warns that pattern and special tokens are not in it."""
    try:
        data = write_tiktoken(tok)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
    specials = f" and special_tokens={tok.special_tokens!r}" if tok.special_tokens else ""
    warnings.warn(
        f"{path} holds ranks only: keep pattern={tok.pattern!r}{specials} and pass them to "
        "bpetok.load, or save as .bpetok, which holds everything",
        stacklevel=4,
    )
    return data
