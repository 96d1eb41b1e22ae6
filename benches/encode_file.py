"""File to file: `bpetok encode TOK FILE -o ids.bin` on 500 MB and more, against the same text held in memory.

The file is made by repeating the corpora (joined without separators, so that it is one ordinary text) and kept under
`.bench/`. Start-up and load are measured apart, as the same command on a file of one word, and taken off.
"""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import corpora
from measure import Job
from peers import OURS
from prepare import prepare_job
from runner import cores_for, environment, run_job
from scenarios import Settings
from summary import Row

SIZE = 500_000_000
CORPORA = ("english", "code", "multilingual")
Tell = Callable[[str], None]


def big_file(settings: Settings) -> Path:
    """At least `SIZE` bytes (a twentieth with --quick) of real text."""
    size = SIZE // 20 if settings.quick else SIZE
    target = settings.cache / f"encode-{size}.txt"
    if not target.exists():
        texts = [
            corpora.corpus_documents(settings.data, corpus, shape="one")[0].encode()
            for corpus in CORPORA
        ]
        once = b"\n".join(texts) + b"\n"
        partial = target.with_suffix(".partial")
        with partial.open("wb") as file:
            while file.tell() < size:
                file.write(once[: max(size // 4, 1)] if settings.quick else once)
        partial.rename(target)
    return target


def command_seconds(tokenizer: Path, text: Path, ids: Path, threads: int) -> float:
    """Wall time of the command line, start-up and all."""
    program = Path(sys.executable).with_name("bpetok")
    command = [
        str(program),
        "encode",
        str(tokenizer),
        str(text),
        "-o",
        str(ids),
        "--threads",
        str(threads),
    ]
    if pinned := cores_for(threads):
        command = ["taskset", "-c", ",".join(map(str, pinned)), *command]
    started = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(threads), check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(
            f"bpetok encode ended with {done.returncode}: {done.stderr.strip()[-200:]}"
        )
    return seconds


def _row(part: str, cell: str, values: list[float], correct: str, extras: Row) -> Row:
    row: Row = {"scenario": "encode_file", "cell": cell, "part": part, "peer": OURS, "unit": "MB/s"}
    row |= {
        "higher_is_better": True,
        "rounds": len(values),
        "values": values,
        "correct": correct,
        **extras,
    }
    if values:
        row |= {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return row


def _measure(settings: Settings, threads: int, text: Path, tell: Tell) -> list[Row]:
    cell = f"{text.stat().st_size / 1e6:,.0f} MB, {threads} threads"
    job = Job(
        "passes",
        OURS,
        str(settings.data),
        str(settings.cache),
        corpus=f"file:{text}",
        shape="one",
        threads=threads,
    )
    prepare_job(replace(job, kind="load", peer=f"{OURS} (.bpetok)"))
    tokenizer, ids = settings.cache / "cl100k.bpetok", settings.cache / "encode-ids.bin"
    word = settings.cache / "encode-word.txt"
    word.write_text("hello")
    rounds = min(settings.rounds, 3)
    small, whole, memory, digests = [], [], [], set()
    for number in range(rounds):
        tell(f"encode_file · {cell} · round {number + 1}")
        small.append(command_seconds(tokenizer, word, ids, threads))
        whole.append(command_seconds(tokenizer, text, ids, threads))
        digests.add(hashlib.sha256(ids.read_bytes()).hexdigest())
        figures = run_job(job, 600.0)
        if not figures["ok"]:
            raise RuntimeError(figures["error"])
        digests.add(figures["sha256"])
        memory.append(figures["bytes"] / 1e6 / figures["seconds"][0])
    ids.unlink()
    start = statistics.median(small)
    correct = "yes" if len(digests) == 1 else "no"
    megabytes = text.stat().st_size / 1e6
    rates = [megabytes / max(seconds - start, 1e-9) for seconds in whole]
    share = statistics.median(rates) / statistics.median(memory)
    extras: Row = {"start_up_seconds": start, "share_of_in_memory": share}
    return [
        _row("file to file", cell, rates, correct, extras),
        _row("in memory", cell, memory, correct, {}),
    ]


def rows(settings: Settings, tell: Tell) -> list[Row]:
    """One pair of rows for each end of the thread counts; a failure becomes a row that says so."""
    try:
        text = big_file(settings)
        counts = sorted({1, settings.threads})
        return [row for threads in counts for row in _measure(settings, threads, text, tell)]
    except (OSError, RuntimeError) as failure:
        return [_row("file to file", "encode_file", [], "", {"error": str(failure)[:300]})]
