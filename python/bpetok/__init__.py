"""Train, run and understand byte-level BPE tokenizers.

Everyday use needs four names:

>>> import bpetok
>>> tok = bpetok.train(["the cat in the hat sat on the mat"] * 3, vocab_size=270)
>>> ids = tok.encode("the hat")
>>> tok.decode(ids)
'the hat'

`train` makes a vocabulary from text or files, `load` reads one from a file, `get_encoding` brings a
published one by name, and `Tokenizer` is what all three give back. `Counts` holds what training
learns from text, so that text can be counted in pieces and added up.

Submodules load when they are first named (`bpetok.reference`, `bpetok.nn`, ...): importing the
package itself brings in neither NumPy nor anything else that takes time.
"""

from bpetok._bpetok import (
    PRESETS,
    UNICODE_VERSION,
    Counts,
    Stream,
    TokenBatch,
    Tokenizer,
    __version__,
)
from bpetok.encodings import get_encoding
from bpetok.errors import (
    DownloadError,
    Error,
    FormatError,
    PatternError,
    SpecialTokenError,
    TextError,
    TokenIdError,
    TrainError,
    VocabError,
)
from bpetok.tokenizer import load, set_memo_size, train

TYPE_CHECKING = False  # `typing` itself is not imported here: it would double the import time
if TYPE_CHECKING:
    from types import ModuleType

    from bpetok import cli as cli
    from bpetok import formats as formats
    from bpetok import nn as nn
    from bpetok import pipelines as pipelines
    from bpetok import reference as reference
    from bpetok import spec as spec
    from bpetok import utf8 as utf8
    from bpetok import wordpiece as wordpiece

__all__ = [
    "PRESETS",
    "UNICODE_VERSION",
    "Counts",
    "DownloadError",
    "Error",
    "FormatError",
    "PatternError",
    "SpecialTokenError",
    "Stream",
    "TextError",
    "TokenBatch",
    "TokenIdError",
    "Tokenizer",
    "TrainError",
    "VocabError",
    "__version__",
    "get_encoding",
    "load",
    "set_memo_size",
    "train",
]

_SUBMODULES = ("cli", "formats", "nn", "pipelines", "reference", "spec", "utf8", "wordpiece")

# A type checker knows the submodules from above, and should reject other names.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> "ModuleType":
        """Imports a submodule on first use."""
        if name in _SUBMODULES:
            # What importlib does, without the half millisecond that importing it takes.
            return __import__(f"{__name__}.{name}", fromlist=["__name__"])
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES})
