"""The table of tokenizers that are measured: one row each, and a few lines that say how it loads and encodes.

A row names the fastest batch call of its library on `list[str]`; whether its ids are right is measured, never taken
from here. To add a peer, add a row to `PEERS`.

    peer = PEERS["tiktoken"]
    tokenizer = peer.load(vocabulary); result = peer.encode_many(tokenizer, documents, 1); ids = peer.flat(result)
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from corpora import Encoding


class RefusedError(Exception):
    """The library cannot do what is asked (a pattern it has no preset for, a vocabulary it does not carry)."""


@dataclass(frozen=True)
class Vocabulary:
    """What a tokenizer is loaded from. `pattern` is None for the encoding's own pattern."""

    encoding: Encoding
    ranks: Path
    json_file: Path
    own_file: Path
    pattern: str | None = None

    def possessive(self) -> str:
        """The pattern as tiktoken writes it."""
        return self.pattern or self.encoding.pattern

    def plain(self) -> str:
        """The pattern for engines without possessive quantifiers."""
        return self.pattern or self.encoding.plain_pattern

    def preset(self) -> str:
        """The preset's name, for libraries that take nothing else."""
        if self.pattern is not None:
            raise RefusedError("custom patterns are refused")
        return self.encoding.preset


@dataclass(frozen=True)
class Peer:
    """One library. `reads` says what its load time pays for: ranks, json, embedded or own (its own file)."""

    name: str
    distribution: str
    module: str
    load: Callable[[Vocabulary], Any]
    encode_many: Callable[[Any, Sequence[Any], int], Any]
    flat: Callable[[Any], Any]
    encode_one: Callable[[Any], Callable[[str], Any]]
    decode_many: Callable[[Any, Any], Any] | None = None
    decode_input: Callable[[Any], Any] = lambda result: result
    needs: tuple[str, ...] = ("numpy",)
    """Modules that the library imports when it first returns something: imported before the clock starts."""
    reads: str = "ranks"
    takes_bytes: bool = False
    parallel: bool = True
    variant: str = ""
    """The same library loaded another way: "load" rows are measured for loading only, "encode" rows for both."""
    exact: bool = True
    """False for libraries known for wrong ids on some text: shown, but they set no bar even where theirs are right."""
    note: str = ""

    def version(self) -> str:
        """The installed version; raises `PackageNotFoundError`."""
        return metadata.version(self.distribution)

    def bring(self) -> None:
        """Imports the library and what it needs."""
        for name in (self.module, *self.needs):
            library(name)


def library(name: str) -> Any:
    """Imports a module that the type checker need not know."""
    return importlib.import_module(name)


def _chained(lists: Iterable[Iterable[int]]) -> Any:
    numpy = library("numpy")
    return numpy.fromiter(itertools.chain.from_iterable(lists), dtype=numpy.uint32)


def _chained_ids(encodings: Iterable[Any]) -> Any:
    return _chained(encoding.ids for encoding in encodings)


def _first_buffer(result: tuple[Any, Any]) -> Any:
    numpy = library("numpy")
    return numpy.frombuffer(result[0], dtype=numpy.uint32)


def _rows(result: tuple[Any, Any]) -> list[list[int]]:
    """(ids, offsets) as two little-endian buffers -> one list a document."""
    numpy = library("numpy")
    ids, offsets = (
        numpy.frombuffer(result[0], numpy.uint32),
        numpy.frombuffer(result[1], numpy.uint64).tolist(),
    )
    return [ids[start:end].tolist() for start, end in itertools.pairwise(offsets)]


# bpetok -------------------------------------------------------------------------------------------------------------


def _load_bpetok(vocabulary: Vocabulary) -> Any:
    return library("bpetok").load(
        vocabulary.ranks, pattern=vocabulary.pattern or vocabulary.encoding.preset
    )


def _load_bpetok_own(vocabulary: Vocabulary) -> Any:
    if vocabulary.pattern is not None:
        raise RefusedError("the file carries its own pattern")
    return library("bpetok").load(vocabulary.own_file)


def _encode_bpetok(tokenizer: Any, texts: Sequence[Any], threads: int) -> Any:
    return tokenizer.encode_batch(texts, disallowed_special=(), threads=threads)


# tiktoken, riptoken -------------------------------------------------------------------------------------------------


def _load_tiktoken(vocabulary: Vocabulary) -> Any:
    ranks = library("tiktoken.load").load_tiktoken_bpe(str(vocabulary.ranks))
    pattern = vocabulary.possessive()
    return library("tiktoken").Encoding(
        "bench", pat_str=pattern, mergeable_ranks=ranks, special_tokens={}
    )


def _encode_tiktoken(tokenizer: Any, texts: Sequence[Any], threads: int) -> Any:
    if threads == 1:  # its thread pool of one costs some 10 %
        return [tokenizer.encode_ordinary(text) for text in texts]
    return tokenizer.encode_ordinary_batch(list(texts), num_threads=threads)


def _load_riptoken(vocabulary: Vocabulary) -> Any:
    riptoken = library("riptoken")
    return riptoken.CoreBPE(
        riptoken.load_tiktoken_bpe(vocabulary.ranks), {}, vocabulary.possessive()
    )


# gigatoken ----------------------------------------------------------------------------------------------------------


def _load_gigatoken(vocabulary: Vocabulary) -> Any:
    return library("gigatoken").Tokenizer.from_tiktoken(vocabulary.ranks, vocabulary.preset(), {})


def _flat_gigatoken(result: Any) -> Any:
    return library("numpy").asarray(library("awkward").flatten(result))


def _encode_one_gigatoken(tokenizer: Any) -> Callable[[str], Any]:
    encode = tokenizer.backend.encode
    return lambda text: encode(text).tolist()


# the peers of tokenizer.json, and those between ---------------------------------------------------------------------


def _load_tokenizers(vocabulary: Vocabulary) -> Any:
    return library("tokenizers").Tokenizer.from_file(str(vocabulary.json_file))


def _load_fastokens(vocabulary: Vocabulary) -> Any:
    return library("fastokens").Tokenizer.from_file(str(vocabulary.json_file))


def _load_fastokens_ranks(vocabulary: Vocabulary) -> Any:
    tokenizer = library("fastokens").Tokenizer
    return tokenizer.from_tiktoken(
        str(vocabulary.ranks), pattern=vocabulary.plain(), special_tokens={}
    )


def _load_tokie(vocabulary: Vocabulary) -> Any:
    return library("tokie").Tokenizer.from_json(str(vocabulary.json_file))


def _load_splintr(vocabulary: Vocabulary) -> Any:
    splintr = library("splintr")
    own = {
        "cl100k": splintr.CL100K_BASE_PATTERN,
        "o200k": splintr.O200K_BASE_PATTERN,
        "r50k": splintr.GPT2_PATTERN,
    }
    return splintr.Tokenizer(
        str(vocabulary.ranks), vocabulary.pattern or own[vocabulary.encoding.name], {}
    )


def _load_rs_bpe(vocabulary: Vocabulary) -> Any:
    vocabulary.preset()
    embedded = library("rs_bpe.bpe").openai
    loader = getattr(embedded, f"{vocabulary.encoding.name}_base", None)
    if loader is None:
        raise RefusedError("carries cl100k and o200k only")
    return loader()


def _load_kitoken(vocabulary: Vocabulary) -> Any:
    vocabulary.preset()
    return library("kitoken").Kitoken.from_tiktoken_file(str(vocabulary.ranks))


def _load_ffbpe(vocabulary: Vocabulary) -> Any:
    ranks = library("tiktoken.load").load_tiktoken_bpe(str(vocabulary.ranks))
    pattern = vocabulary.possessive()
    return library("ffbpe").Encoding(
        "bench", pat_str=pattern, mergeable_ranks=ranks, special_tokens={}
    )


def _each(method: str) -> Callable[[Any, Sequence[Any]], Any]:
    def run(tokenizer: Any, rows: Sequence[Any]) -> Any:
        call = getattr(tokenizer, method)
        return [call(row) for row in rows]

    return run


def _bound(method: str) -> Callable[[Any], Callable[[str], Any]]:
    return lambda tokenizer: getattr(tokenizer, method)


_BPETOK: dict[str, Any] = {
    "distribution": "bpetok",
    "module": "bpetok",
    "encode_many": _encode_bpetok,
    "flat": lambda result: result.ids,
    "encode_one": _bound("encode_ordinary"),
    "decode_many": lambda tokenizer, batch: tokenizer.decode_batch(batch),
    "takes_bytes": True,
}
_FASTOKENS: dict[str, Any] = {
    "distribution": "fastokens",
    "module": "fastokens",
    "encode_many": lambda tokenizer, texts, _: tokenizer.encode_batch_flat(texts),
    "flat": _first_buffer,
    "encode_one": lambda tokenizer: lambda text: tokenizer.encode(text).ids,
    "decode_many": lambda tokenizer, rows: tokenizer.decode_batch(rows),
    "decode_input": _rows,
}

_TABLE = [
    Peer("bpetok", load=_load_bpetok, **_BPETOK),
    Peer("bpetok (.bpetok)", load=_load_bpetok_own, reads="own", variant="load", **_BPETOK),
    Peer(
        "gigatoken", "gigatoken", "gigatoken", _load_gigatoken,
        encode_many=lambda tokenizer, texts, threads: tokenizer.encode_batch(texts, parallel=threads > 1),
        flat=_flat_gigatoken, encode_one=_encode_one_gigatoken,
        decode_many=_each("decode"), decode_input=lambda result: [library("numpy").asarray(row) for row in result],
        needs=("numpy", "awkward"), takes_bytes=True, note="decodes to bytes, document by document",
    ),
    Peer("fastokens", load=_load_fastokens, reads="json", **_FASTOKENS),
    Peer("fastokens (ranks)", load=_load_fastokens_ranks, variant="encode", **_FASTOKENS),
    Peer(
        "splintr", "splintr-rs", "splintr", _load_splintr,
        encode_many=lambda tokenizer, texts, _: tokenizer.encode_batch_flat(texts),
        flat=_first_buffer, encode_one=_bound("encode"),
        decode_many=lambda tokenizer, rows: tokenizer.decode_batch(rows), decode_input=_rows,
    ),
    Peer(
        "riptoken", "riptoken", "riptoken", _load_riptoken,
        encode_many=lambda tokenizer, texts, _: tokenizer.encode_ordinary_batch(texts),
        flat=_chained, encode_one=_bound("encode_ordinary"), decode_many=_each("decode"),
    ),
    Peer(
        "rs_bpe", "rs_bpe", "rs_bpe", _load_rs_bpe,
        encode_many=lambda tokenizer, texts, _: tokenizer.encode_batch(texts)[0],
        flat=_chained, encode_one=_bound("encode"), decode_many=_each("decode"),
        reads="embedded", parallel=False, note="carries its vocabularies",
    ),
    Peer(
        "tiktoken", "tiktoken", "tiktoken", _load_tiktoken, encode_many=_encode_tiktoken,
        flat=_chained, encode_one=_bound("encode_ordinary"), decode_many=_each("decode"),
        note="the oracle: what correct means",
    ),
    Peer(
        "kitoken", "kitoken", "kitoken", _load_kitoken,
        encode_many=lambda tokenizer, texts, _: tokenizer.encode_all(texts, False),
        flat=_chained, encode_one=lambda tokenizer: lambda text: tokenizer.encode(text, False),
        note="finds the pattern by the vocabulary",
    ),
    Peer(
        "tokenizers", "tokenizers", "tokenizers", _load_tokenizers,
        encode_many=lambda tokenizer, texts, _: tokenizer.encode_batch_fast(texts, add_special_tokens=False),
        flat=_chained_ids, encode_one=lambda tokenizer: lambda text: tokenizer.encode(text).ids,
        decode_many=lambda tokenizer, rows: tokenizer.decode_batch(rows),
        decode_input=lambda result: [encoding.ids for encoding in result], reads="json",
    ),
    Peer(
        "tokie", "tokie", "tokie", _load_tokie,
        encode_many=lambda tokenizer, texts, _: tokenizer.encode_batch_flat(texts, add_special_tokens=False),
        flat=lambda result: result[0],
        encode_one=lambda tokenizer: lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
        reads="json", exact=False, note="known for wrong ids on large text",
    ),
    Peer(
        "ffbpe", "ffbpe", "ffbpe", _load_ffbpe,
        encode_many=lambda tokenizer, texts, _: _each("encode_to_numpy")(tokenizer, texts),
        flat=lambda result: library("numpy").concatenate(result), encode_one=_bound("encode_ordinary"),
        parallel=False, exact=False, note="a trainer first; recovers merges from ranks, and other ids with them",
    ),
]  # fmt: skip

PEERS: dict[str, Peer] = {peer.name: peer for peer in _TABLE}
ORACLE = "tiktoken"
OURS = "bpetok"

NOT_RUN = {
    "wordchipper": "downloads its vocabularies; without a network it encodes bytes one by one",
    "sentencepiece": "another algorithm: characters with byte fallback, not byte-level BPE",
}
"""Libraries that were looked at and cannot be measured like the others, with the reason; reported by name."""
