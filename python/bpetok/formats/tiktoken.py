"""`.tiktoken`, a rank file: lines of `base64 SPACE rank`, as the tiktoken library reads them.

It holds ranks only: no pattern and no special tokens. Reading one without a pattern is an error rather
than a guess, and writing one warns about what is left behind.
"""

from __future__ import annotations

from bpetok._bpetok import PRESETS, parse_tiktoken, write_tiktoken
from bpetok.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpetok._bpetok import Tokenizer
    from bpetok.formats import Specials


def sniff(head: bytes) -> bool:
    """Whether the first line is `base64 SPACE number`, or nearly.

    Loose on purpose: a file that is nearly a rank file should be refused by the reader, which names the line, and not as a
    file of unknown format. By hand, since importing `re` would take as long as loading a small vocabulary.
    """
    words = head.lstrip().partition(b"\n")[0].split()
    if len(words) != 2:
        return False
    digits = words[0].rstrip(b"=")
    is_base64 = digits != b"" and (digits.translate(None, b"+/") or b"0").isalnum()
    return is_base64 and words[1].removeprefix(b"-").isdigit()


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
    import warnings

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
