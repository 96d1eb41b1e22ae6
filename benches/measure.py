"""What a worker can measure: one function a kind, each taking a job and returning plain figures.

Runs inside a fresh process that has measured nothing else. The clock sees one library call; reading files, filling the
UTF-8 caches, turning results into ids and digests all stay outside it.

    KINDS["passes"](job) -> {"seconds": [...], "bytes": n, "sha256": "...", ...}
"""

from __future__ import annotations

import gc
import hashlib
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import corpora
from peers import PEERS, Peer, RefusedError, Vocabulary, library
from trainers import TRAINERS, Source

MIB = 1 << 20
SHORT_TEXT = "The quick brown fox jumps over the lazy dog, then rests"
"""55 ASCII characters: the short call of a server."""


@dataclass(frozen=True)
class Job:
    """One measurement. It travels as JSON to a worker, so every field is plain."""

    kind: str
    peer: str
    data: str
    cache: str
    encoding: str = "cl100k"
    corpus: str = "english"
    pattern: str | None = None
    fraction: float = 1.0
    shape: str = "documents"
    """documents, one (a single text) or bytes (a single bytes object, for text that is not UTF-8). And documents that are
    "new str", the UTF-8 of which CPython does not have yet, or "encoded", a bytes object each."""
    threads: int = 1
    cores: list[int] = field(default_factory=list)
    passes: int = 1
    budget: float = 20.0
    """Seconds of encoding after which no further pass is begun."""
    vocab_size: int = 0


def vocabulary(job: Job) -> Vocabulary:
    """Where the job's vocabulary lies, with the files that `prepare.py` made from it."""
    encoding = corpora.ENCODINGS[job.encoding]
    stem = encoding.name
    if job.pattern is not None:
        stem += "-" + hashlib.sha256(job.pattern.encode()).hexdigest()[:8]
    cache = Path(job.cache)
    ranks = Path(job.data) / encoding.ranks
    return Vocabulary(
        encoding, ranks, cache / f"{stem}.json", cache / f"{stem}.bpetok", job.pattern
    )


def texts_of(job: Job) -> tuple[list[Any], int]:
    """The input and its size in bytes, with the UTF-8 caches of the texts filled, unless they are to be new."""
    if job.shape == "bytes":
        data = corpora.corpus_files(Path(job.data), job.corpus)[0].read_bytes()
        data = data[: int(len(data) * job.fraction)]
        return [data], len(data)
    documents = corpora.corpus_documents(Path(job.data), job.corpus, job.fraction, job.shape)
    if job.shape == "new str":
        return documents, sum(len(document.encode()) for document in documents)
    if job.shape == "encoded":
        encoded = [document.encode() for document in documents]
        return encoded, sum(map(len, encoded))
    return documents, corpora.fill_utf8_caches(documents)


def memory(key: str) -> int:
    """VmRSS or VmHWM (the peak) of this process in bytes; 0 where the system does not tell."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return 0


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Without Python's cycle collector, as `timeit` does: libraries that return lists would pay for our heap."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def digest(ids: Any) -> tuple[str, int]:
    """sha256 and length of flat ids as little-endian uint32."""
    numpy = library("numpy")
    flat = numpy.ascontiguousarray(ids, dtype="<u4")
    return hashlib.sha256(flat.tobytes()).hexdigest(), len(flat)


def measure_passes(job: Job) -> dict[str, Any]:
    """Load, then `passes` calls over the same texts: the first is the first pass, the others are steady."""
    peer = PEERS[job.peer]
    peer.bring()
    texts, size = texts_of(job)
    resting = reset_peak()
    started = time.perf_counter()
    tokenizer = peer.load(vocabulary(job))
    loaded = time.perf_counter() - started
    load_peak = memory("VmHWM")
    seconds: list[float] = []
    cpu: list[float] = []
    result: Any = None
    memories = {"tokenizer_bytes": memory("VmRSS") - resting}
    for number in range(job.passes):
        result = None
        with quiet_collector():
            before = reset_peak()
            cpu_started, started = time.process_time(), time.perf_counter()
            result = peer.encode_many(tokenizer, texts, job.threads)
            seconds.append(time.perf_counter() - started)
            cpu.append(time.process_time() - cpu_started)
        if number == 0:
            pass_peak = memory("VmHWM")
            memories["peak_bytes"] = max(load_peak, pass_peak) - resting
            memories["encode_bytes"] = max(pass_peak - before, 0)
        if sum(seconds) > job.budget:
            break
    sha256, tokens = digest(peer.flat(result))
    figures = {
        "seconds": seconds,
        "cpu": cpu,
        "load": loaded,
        "bytes": size,
        "sha256": sha256,
        "tokens": tokens,
    }
    if job.shape == "bytes":
        figures["round_trip"] = round_trip(peer, tokenizer, result) == texts[0]
    return {**figures, **memories}


def round_trip(peer: Peer, tokenizer: Any, result: Any) -> bytes:
    """The ids decoded again, for input on which the oracle has no say (bytes that are not UTF-8)."""
    decode = getattr(tokenizer, "decode_bytes", None) or tokenizer.decode
    decoded = decode(library("numpy").ascontiguousarray(peer.flat(result)))
    return bytes(decoded) if not isinstance(decoded, str) else decoded.encode()


def reset_peak() -> int:
    """Makes VmHWM start again from now, where Linux allows it, and returns what it starts from."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return memory("VmHWM")


def varied_texts(job: Job) -> list[str]:
    """A thousand different texts of 55 ASCII characters, so that a call cannot live off its own last answer."""
    text = "".join(corpora.corpus_documents(Path(job.data), "chat", 0.2))
    plain = " ".join(text.encode("ascii", "ignore").decode().split())
    width = len(SHORT_TEXT)
    return [plain[start : start + width] for start in range(0, 1000 * width, width)]


def measure_short(job: Job) -> dict[str, Any]:
    """Microseconds a call from one short text to a Python list, the same text again and again and varied ones; and a text
    of one call for ten thousand varied ones."""
    peer = PEERS[job.peer]
    peer.bring()
    tokenizer = peer.load(vocabulary(job))
    encode = peer.encode_one(tokenizer)
    varied = varied_texts(job)
    ids = [token for text in [SHORT_TEXT, *varied] for token in encode(text)]
    many = varied * 10
    ids += peer.flat(peer.encode_many(tokenizer, many, 1)).tolist()
    same = timeit.Timer(lambda: encode(SHORT_TEXT))
    loops = max(same.autorange()[0] // 4, 1)
    same_us = [seconds / loops * 1e6 for seconds in same.repeat(7, loops)]

    def call_each() -> None:
        for text in varied:
            encode(text)

    varied_us = [
        seconds / len(varied) * 1e6 for seconds in timeit.repeat(call_each, number=1, repeat=15)
    ]
    batch_us = [
        seconds / len(many) * 1e6
        for seconds in timeit.repeat(
            lambda: peer.encode_many(tokenizer, many, 1), number=1, repeat=7
        )
    ]
    sha256, tokens = digest(ids)
    # The least of the repeats, as timeit advises: all else is somebody else's work on the machine.
    return {
        "same_us": min(same_us),
        "varied_us": min(varied_us),
        "batch_us": min(batch_us),
        "sha256": sha256,
        "tokens": tokens,
    }


def measure_load(job: Job) -> dict[str, Any]:
    """Seconds from the file to a tokenizer that has encoded one word; the import is outside."""
    peer = PEERS[job.peer]
    peer.bring()
    files = vocabulary(job)
    with quiet_collector():
        started = time.perf_counter()
        tokenizer = peer.load(files)
        loaded = time.perf_counter() - started
        ids = list(peer.encode_one(tokenizer)("hello"))
        ready = time.perf_counter() - started
    sha256, tokens = digest(ids)
    return {"load": loaded, "ready": ready, "sha256": sha256, "tokens": tokens}


def measure_decode(job: Job) -> dict[str, Any]:
    """The batch that the library itself encoded, back to texts (or bytes, where it gives no texts)."""
    peer = PEERS[job.peer]
    if peer.decode_many is None:
        raise RefusedError("no batch decoder")
    peer.bring()
    tokenizer = peer.load(vocabulary(job))
    texts, size = texts_of(job)
    batch = peer.decode_input(peer.encode_many(tokenizer, texts, job.threads))
    seconds: list[float] = []
    decoded: Any = None
    for _ in range(job.passes):
        decoded = None
        with quiet_collector():
            started = time.perf_counter()
            decoded = peer.decode_many(tokenizer, batch)
            seconds.append(time.perf_counter() - started)
    parts = [part.encode() if isinstance(part, str) else bytes(part) for part in decoded]
    right = parts == [text.encode() for text in texts]
    return {"seconds": seconds, "bytes": size, "right": right, "gives": type(decoded[0]).__name__}


def measure_train(job: Job) -> dict[str, Any]:
    """One training run, its peak memory (all of the process, and beyond what it held before), what it learnt."""
    trainer = TRAINERS[job.peer]
    file = Path(job.cache) / "train" / f"{job.corpus}.txt"
    documents: list[str] = []
    if trainer.reads == "documents":
        documents = corpora.corpus_documents(Path(job.data), job.corpus)
        corpora.fill_utf8_caches(documents)
    source = Source(file, documents, job.vocab_size, job.threads)
    library(trainer.distribution.replace("-", "_"))
    gc.collect()
    before = reset_peak()
    started = time.perf_counter()
    result = trainer.train(source)
    seconds = time.perf_counter() - started
    peak = memory("VmHWM")
    tokens, pairs = trainer.learnt(result, source)
    figures: dict[str, Any] = {
        "seconds": seconds,
        "peak_bytes": peak,
        "beyond_bytes": peak - before,
        "merged": len(tokens),
    }
    figures["tokens_sha256"] = hashlib.sha256(
        "\n".join(token.hex() for token in tokens).encode()
    ).hexdigest()
    if pairs is not None:
        lines = "\n".join(f"{left.hex()} {right.hex()}" for left, right in pairs)
        figures["merges_sha256"] = hashlib.sha256(lines.encode()).hexdigest()
    return figures


def measure_probe(job: Job) -> dict[str, Any]:
    """Whether the library is there and imports."""
    table: dict[str, Any] = {**TRAINERS, **PEERS}
    row = table[job.peer]
    library(getattr(row, "module", row.distribution.replace("-", "_")))
    return {"version": row.version()}


KINDS: dict[str, Callable[[Job], dict[str, Any]]] = {
    "passes": measure_passes,
    "short": measure_short,
    "load": measure_load,
    "decode": measure_decode,
    "train": measure_train,
    "probe": measure_probe,
}
