"""What several test files share: vectors, peers built from the same vocabulary, running scripts and commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tiktoken
from hypothesis import strategies as st
from tokenizers import Regex, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as HfTokenizer

from bpetok import Tokenizer, cli
from bpetok.errors import Error
from bpetok.pipelines import read_documents
from bpetok.reference import BYTE_ORDER

if TYPE_CHECKING:
    from collections.abc import Iterable

VECTORS = Path(__file__).parent.parent / "vectors"
END_OF_TEXT = "<|endoftext|>"
FAMILY = "👩\u200d👩\u200d👧\u200d👦"

# For hypothesis: text in which much is joined, and any bytes.
texts = st.text(max_size=60) | st.text("aàb 1\n'世👩\u200d", max_size=60)
anything = st.binary(max_size=60) | texts.map(str.encode)

# The regexes as the peers write them; bpetok's presets must give the same ids.
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
PUBLISHED = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    "cl100k": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
    "o200k": (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}
RUSTBPE = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
)
CUSTOM = {
    "rustbpe": RUSTBPE,
    "words": r"\w+|\s+|[^\w\s]+",
    "two digits": r"\p{N}{1,2}|\p{L}+|[^\p{N}\p{L}]",
    "cl100k with two digits": PUBLISHED["cl100k"].replace("{1,3}", "{1,2}"),
    "one digit": r"\p{N}| ?[^\s\p{N}]+|\s+",
}

# Oniguruma, HF's engine, reads `{1,3}+` as a repeated repetition, and its `\w` has no joiners.
FOR_HF = {
    **{pattern: pattern for pattern in CUSTOM.values()},
    CUSTOM["words"]: r"[\w\u200c\u200d]+|\s+|[^\w\s\u200c\u200d]+",
    CUSTOM["cl100k with two digits"]: CUSTOM["cl100k with two digits"].replace("{1,2}+", "{1,2}"),
}

# GPT-2's character for each byte, in the order of bpetok's byte ids.
_PRINTABLE = 188
CHARACTER = {
    byte: chr(byte) if position < _PRINTABLE else chr(0x100 + position - _PRINTABLE)
    for position, byte in enumerate(BYTE_ORDER)
}
BYTE = {character: byte for byte, character in CHARACTER.items()}


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def as_characters(token: bytes) -> str:
    """A token as `tokenizer.json` files write it."""
    return "".join(CHARACTER[byte] for byte in token)


def ordinary_tokens(tok: Tokenizer) -> dict[bytes, int]:
    """bytes -> id of everything but the special tokens and gaps."""
    specials = set(tok.special_tokens.values())
    return {
        tok.token_bytes(token_id): token_id
        for token_id in range(tok.vocab_size)
        if token_id not in specials
    }


def tiktoken_peer(tok: Tokenizer, pattern: str) -> tiktoken.Encoding:
    """tiktoken with the vocabulary of `tok`."""
    return tiktoken.Encoding(
        "peer",
        pat_str=pattern,
        mergeable_ranks=ordinary_tokens(tok),
        special_tokens=tok.special_tokens,
    )


def hf_peer(tok: Tokenizer, pattern: str) -> HfTokenizer:
    """HF tokenizers with the vocabulary and merges of `tok`."""
    peer = HfTokenizer(
        models.BPE(
            vocab={as_characters(token): i for token, i in ordinary_tokens(tok).items()},
            merges=[(as_characters(left), as_characters(right)) for left, right in tok.merges],
        )
    )
    peer.pre_tokenizer = _pre_tokenizer(pattern.replace("{1,3}+", "{1,3}"))
    return peer


def hf_merges(
    documents: Iterable[str], vocab_size: int, pattern: str = GPT2, min_frequency: int = 1
) -> list[tuple[bytes, bytes]]:
    """The merges that HF's trainer learns, without special tokens in `vocab_size`."""
    peer = HfTokenizer(models.BPE())
    peer.pre_tokenizer = (
        pre_tokenizers.ByteLevel(add_prefix_space=False)
        if pattern == GPT2
        else _pre_tokenizer(pattern)
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[],
        show_progress=False,
    )
    peer.train_from_iterator(documents, trainer)
    pairs = json.loads(peer.to_str())["model"]["merges"]
    return [(_as_bytes(left), _as_bytes(right)) for left, right in pairs]


def _as_bytes(token: str) -> bytes:
    return bytes(BYTE[character] for character in token)


def _pre_tokenizer(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def python(script: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a script in a fresh interpreter; a failure shows its stderr."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return done


def run(*arguments: str, code: int = 0, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Runs `python -m bpetok` and checks its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "bpetok", *arguments],
        capture_output=True, check=False, timeout=300, **options,
    )  # fmt: skip
    assert done.returncode == code, (done.returncode, done.stderr.decode())
    return done


def complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    """The one line on stderr."""
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("bpetok: error: ")
    return lines[0]


def on_terminal(*arguments: str, cwd: Path, environment: dict[str, str]) -> str:
    """What the command writes to a terminal (stdout and stderr)."""
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    controller, terminal = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "bpetok", *arguments],
        stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, cwd=cwd,
        env={**clean, "TERM": "xterm", **environment},
    )  # fmt: skip
    os.close(terminal)
    chunks = []
    try:
        while chunk := os.read(controller, 65536):
            chunks.append(chunk)
    except OSError:  # how Linux says that the other side has closed
        pass
    os.close(controller)
    assert process.wait(timeout=60) == 0, b"".join(chunks)
    return b"".join(chunks).decode()


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of an error, without a process of its own."""
    try:
        code = cli.main(arguments)
    except SystemExit as stopped:  # argparse
        code = int(str(stopped.code))
    lines = capsys.readouterr().err.splitlines()
    assert (code, len(lines)) == (2, 1), lines
    return lines[0].removeprefix("bpetok: error: ")


def fails_to_read(error: type[BaseException], words: str, *arguments: Any, **options: Any) -> None:
    """`read_documents` raises an error of ours, or the system's, that says so."""
    with pytest.raises(error, match=words) as caught:
        list(read_documents(*arguments, **options))
    assert isinstance(caught.value, (Error, OSError))
