"""What is measured on: the handed corpora, the vocabularies, and the cells that pair them.

Everything here is data or a pure reading of files; nothing is timed. The corpora are never committed: they are found
through `--data` or `BPETOK_TEST_DATA`.

    corpus_documents(root, "english")  -> list[str], split at <|endoftext|>
    CELLS["first"]                     -> the (corpus, encoding) pairs of the first-pass table
"""

from __future__ import annotations

import ctypes
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

SEPARATOR = "<|endoftext|>"
CURE = "set BPETOK_TEST_DATA (or pass --data) to the folder that holds corpora/, vocabs/ and adversarial/"

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_UPPER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"
_LOWER = r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_O200K = "|".join(
    [
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+{_CONTRACTIONS}?",
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*{_CONTRACTIONS}?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)


@dataclass(frozen=True)
class Encoding:
    """A vocabulary and its pattern, as tiktoken writes it and as engines without possessive quantifiers can."""

    name: str
    ranks: str
    pattern: str
    plain_pattern: str
    preset: str
    """The name that libraries with presets (bpetok, gigatoken) give to the pattern."""


ENCODINGS = {
    "cl100k": Encoding(
        "cl100k",
        "vocabs/cl100k_base.tiktoken",
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
        rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+",
        "cl100k",
    ),
    "o200k": Encoding("o200k", "vocabs/o200k_base.tiktoken", _O200K, _O200K, "o200k"),
    "r50k": Encoding(
        "r50k",
        "vocabs/r50k_base.tiktoken",
        r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
        r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        "gpt2",
    ),
}

# Patterns that no library has a preset for. All are free of possessive quantifiers, so every engine reads them alike.
CUSTOM_PATTERNS = {
    "qwen2": rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    "words": r" ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s+",
    "han apart": r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Latin}\p{M}]+|\p{N}{1,2}|\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "lines": r"[^\n]{1,40}\n?|\n+",
}

Cell = tuple[str, str]
HEADLINE: list[Cell] = [
    ("english", "cl100k"),
    ("code", "cl100k"),
    ("multilingual", "cl100k"),
    ("english", "o200k"),
    ("code", "o200k"),
    ("multilingual", "o200k"),
    ("english", "r50k"),
    ("mixed_10mb", "cl100k"),
]
"""The eight cells whose geometric mean is the promise of the first pass."""

UNTUNED: list[Cell] = [
    ("chat", "cl100k"),
    ("novels", "cl100k"),
    ("chat", "o200k"),
    ("novels", "o200k"),
]
"""Text that nobody looked at while tuning."""

MIXED = ["english", "code", "multilingual", "chat"]
"""What `mixed` joins: 90 MB; `mixed_10mb` is a shuffled part of it."""

ADVERSARIAL_BYTES = 900_000
"""Adversarial files from this size on are held to a speed and to linearity."""


def data_root(given: str | None) -> Path:
    """The folder of corpora, from the option or the environment; an error that names the cure otherwise."""
    chosen = given or os.environ.get("BPETOK_TEST_DATA")
    if not chosen:
        raise SystemExit(f"benches: no test data: {CURE}")
    root = Path(chosen).expanduser().resolve()
    if not (root / "corpora").is_dir():
        raise SystemExit(f"benches: {root} has no folder corpora/: {CURE}")
    return root


def corpus_files(root: Path, corpus: str) -> list[Path]:
    """The files of a corpus: `novels` a folder, `adversarial/…` and `file:…` paths, others `corpora/NAME.txt`."""
    if corpus == "novels":
        return sorted((root / "novels").glob("*.txt"))
    if corpus == "mixed":
        return [file for part in MIXED for file in corpus_files(root, part)]
    if corpus == "mixed+novels":
        return [*corpus_files(root, "mixed"), *corpus_files(root, "novels")]
    if corpus.startswith("adversarial/"):
        return [root / corpus]
    if corpus.startswith("file:"):
        return [Path(corpus.removeprefix("file:"))]
    return [root / "corpora" / f"{corpus}.txt"]


def adversarial_corpora(root: Path) -> list[str]:
    """The adversarial files that are large enough to time, as corpus names."""
    files = sorted((root / "adversarial").iterdir())
    return [
        f"adversarial/{file.name}" for file in files if file.stat().st_size >= ADVERSARIAL_BYTES
    ]


def corpus_digest(root: Path, corpus: str) -> str:
    """What the cached answers of the oracle depend on."""
    digest = hashlib.sha256()
    for file in corpus_files(root, corpus):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def corpus_documents(
    root: Path, corpus: str, fraction: float = 1.0, shape: str = "documents"
) -> list[str]:
    """The texts of a corpus, cut to its first `fraction`; `shape` "one" joins them into a single text."""
    texts = [file.read_bytes().decode("utf-8") for file in corpus_files(root, corpus)]
    if shape == "one":
        return [cut("\n".join(texts).replace(SEPARATOR, "\n"), fraction)]
    documents = [document for text in texts for document in text.split(SEPARATOR)]
    if fraction >= 1.0:
        return documents
    return _first_characters(documents, int(sum(map(len, documents)) * fraction))


def cut(text: str, fraction: float) -> str:
    """The first `fraction` of the UTF-8 bytes of a text, ended at a character."""
    if fraction >= 1.0:
        return text
    data = text.encode("utf-8")
    return data[: int(len(data) * fraction)].decode("utf-8", "ignore")


def _first_characters(documents: list[str], limit: int) -> list[str]:
    kept: list[str] = []
    for document in documents:
        if limit <= 0:
            break
        kept.append(document[:limit])
        limit -= len(document)
    return kept


def fill_utf8_caches(documents: list[str]) -> int:
    """Makes CPython keep the UTF-8 copy of each str, which counts as input, and returns the number of bytes."""
    as_utf8 = ctypes.pythonapi.PyUnicode_AsUTF8AndSize
    as_utf8.argtypes = [ctypes.py_object, ctypes.POINTER(ctypes.c_ssize_t)]
    as_utf8.restype = ctypes.c_void_p
    size = ctypes.c_ssize_t()
    total = 0
    for document in documents:
        as_utf8(document, ctypes.byref(size))
        total += size.value
    return total
