"""The table of BPE trainers: one row each. GPT-2's pattern, documents split at `<|endoftext|>`, bytes as the alphabet.

What a trainer learnt is compared as the ordered list of its merged tokens, and as pairs where the library tells them.
HF `tokenizers` is the rule that bpetok follows; trainers that break ties by another rule are measured and marked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from corpora import ENCODINGS, SEPARATOR
from hf_json import character_bytes
from peers import library

PATTERN = ENCODINGS["r50k"].plain_pattern
RULE = "tokenizers"
"""The trainer whose merges are the right ones."""

ROWS: list[tuple[str, int]] = [
    ("english", 32_768),
    ("mixed_10mb", 32_768),
    ("mixed+novels", 100_000),
]
"""(corpus, vocabulary size: 256 bytes and the merges)."""

Pair = tuple[bytes, bytes]


@dataclass(frozen=True)
class Source:
    """The same text twice: as a file with separators, and as documents in memory."""

    file: Path
    documents: Sequence[str]
    vocab_size: int
    threads: int


@dataclass(frozen=True)
class Trainer:
    """`train` is what the clock sees; `learnt` gives (merged tokens in order, pairs in order or None) afterwards."""

    name: str
    distribution: str
    train: Callable[[Source], Any]
    learnt: Callable[[Any, Source], tuple[list[bytes], list[Pair] | None]]
    reads: str = "documents"
    ties: str = "as HF"

    def version(self) -> str:
        """The installed version; raises `PackageNotFoundError`."""
        return metadata.version(self.distribution)


def _joined(pairs: Sequence[Sequence[bytes]]) -> tuple[list[bytes], list[Pair]]:
    return [left + right for left, right in pairs], [(left, right) for left, right in pairs]


def _from_ranks(ranks: dict[bytes, int]) -> tuple[list[bytes], None]:
    ordered = sorted(ranks.items(), key=lambda entry: entry[1])
    return [token for token, _ in ordered if len(token) > 1], None


def _train_bpetok_file(source: Source) -> Any:
    return library("bpetok").train(
        source.file,
        source.vocab_size + 1,
        pattern="gpt2",
        special_tokens=(SEPARATOR,),
        threads=source.threads,
    )


def _train_bpetok_documents(source: Source) -> Any:
    return library("bpetok").train(
        source.documents,
        source.vocab_size,
        pattern="gpt2",
        special_tokens=(),
        threads=source.threads,
    )


def _train_tokenizers(source: Source) -> Any:
    tokenizers = library("tokenizers")
    byte_level = library("tokenizers.pre_tokenizers").ByteLevel
    tokenizer = tokenizers.Tokenizer(library("tokenizers.models").BPE())
    tokenizer.pre_tokenizer = byte_level(add_prefix_space=False)
    trainer = library("tokenizers.trainers").BpeTrainer(
        vocab_size=source.vocab_size,
        initial_alphabet=byte_level.alphabet(),
        special_tokens=[],
        show_progress=False,
    )
    tokenizer.train_from_iterator(source.documents, trainer)
    return tokenizer


def _learnt_tokenizers(tokenizer: Any, _: Source) -> tuple[list[bytes], list[Pair]]:
    table = character_bytes()
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return _joined(
        [[bytes(table[character] for character in half) for half in merge] for merge in merges]
    )


def _train_rustbpe(source: Source) -> Any:
    tokenizer = library("rustbpe").Tokenizer()
    tokenizer.train_from_iterator(source.documents, source.vocab_size, pattern=PATTERN)
    return tokenizer


def _learnt_rustbpe(tokenizer: Any, _: Source) -> tuple[list[bytes], None]:
    return _from_ranks({bytes(token): rank for token, rank in tokenizer.get_mergeable_ranks()})


def _train_fast_bpe_rs(source: Source) -> Any:
    model = library("fast_bpe_rs").BPE(PATTERN)
    model.train(source.vocab_size, source.documents)
    return model


def _learnt_fast_bpe_rs(model: Any, source: Source) -> tuple[list[bytes], None]:
    return [bytes(model.decode([token])) for token in range(256, source.vocab_size)], None


def _learnt_ffbpe(model: Any, _: Source) -> tuple[list[bytes], None]:
    return _from_ranks({bytes(token): rank for token, rank in model.vocab.items()})


TRAINERS: dict[str, Trainer] = {
    trainer.name: trainer
    for trainer in [
        Trainer(
            "bpetok",
            "bpetok",
            _train_bpetok_file,
            lambda tokenizer, _: _joined(tokenizer.merges),
            reads="file",
        ),
        Trainer(
            "bpetok (list)",
            "bpetok",
            _train_bpetok_documents,
            lambda tokenizer, _: _joined(tokenizer.merges),
        ),
        Trainer(
            "gigatoken",
            "gigatoken",
            lambda source: library("gigatoken").train_bpe(
                str(source.file), source.vocab_size, [], separator=SEPARATOR.encode()
            ),
            lambda result, _: _joined(result[1]),
            reads="file",
        ),
        Trainer(RULE, "tokenizers", _train_tokenizers, _learnt_tokenizers),
        Trainer("rustbpe", "rustbpe", _train_rustbpe, _learnt_rustbpe, ties="raw byte order"),
        Trainer(
            "bpeasy",
            "bpeasy",
            lambda source: library("bpeasy").train_bpe(
                iter(source.documents), PATTERN, 128, source.vocab_size
            ),
            lambda vocab, _: _from_ranks(vocab),
            ties="unspecified; tokens of at most 128 bytes",
        ),
        Trainer(
            "ffbpe",
            "ffbpe",
            lambda source: library("ffbpe").train_bpe(
                source.documents, vocab_size=source.vocab_size
            ),
            _learnt_ffbpe,
            ties="its own",
        ),
        Trainer(
            "fast-bpe-rs", "fast-bpe-rs", _train_fast_bpe_rs, _learnt_fast_bpe_rs, ties="its own"
        ),
    ]
}
