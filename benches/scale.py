"""What training on large corpora takes: the figures of `docs/scale.md`, each by the command that stands there.

python benches/scale.py counting FILE...          MB/s with one thread and with two
python benches/scale.py growth FILE...            different pretokens and bytes of state against bytes of text
python benches/scale.py training [N...]           seconds and peak memory against pretokens and vocabulary
python benches/scale.py memory [--mb N]           generated text under 256 MiB, the peak taken from outside
"""

from __future__ import annotations

import argparse
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bpetok

MEGABYTE = 1_000_000
PATTERN = "cl100k"


def counting(names: list[str]) -> None:
    """MB/s of `Counts.update` on files that the system has in memory; the best of three."""
    print(f"{'file':<24}{'MB':>8}{'1 thread':>12}{'2 threads':>12}  MB/s")
    for name in names:
        path = Path(name)
        path.read_bytes()
        size = path.stat().st_size / MEGABYTE
        rates = []
        for threads in (1, 2):
            seconds = []
            for _ in range(3):
                counts = bpetok.Counts(PATTERN)
                started = time.perf_counter()
                counts.update(path, threads=threads)
                seconds.append(time.perf_counter() - started)
            rates.append(size / min(seconds))
        print(f"{path.name:<24}{size:>8.1f}{rates[0]:>12.0f}{rates[1]:>12.0f}")


def growth(names: list[str]) -> None:
    """Different pretokens U after n bytes; the last doublings give the exponent of U ~ n^b."""
    print(
        f"{'file':<20}{'MB':>8}{'pretokens':>12}{'count 1':>9}{'bytes each':>12}{'state MB':>10}{'exponent':>10}"
    )
    for name in names:
        data = Path(name).read_bytes()
        before = 0
        for size in [len(data) >> shift for shift in (5, 4, 3, 2, 1, 0)]:
            counts = bpetok.Counts(PATTERN)
            counts.update([data[:size]])
            items = counts.items()
            once = sum(count == 1 for _, count in items) / len(items)
            each = sum(len(text) for text, _ in items) / len(items)
            exponent = f"{math.log2(len(items) / before):.3f}" if before else ""
            before = len(items)
            print(
                f"{Path(name).name:<20}{size / MEGABYTE:>8.2f}{len(items):>12,}{once:>9.0%}{each:>12.1f}"
                f"{counts.memory_bytes / MEGABYTE:>10.1f}{exponent:>10}"
            )


def words(count: int) -> str:
    """So many different words of 8 letters, of which the pairs are as uneven as in text."""
    choice = random.Random(1)
    letters = "etaoinshrdlcumwfgypbvkjxqz"
    weights = [1 / (rank + 1) for rank in range(len(letters))]
    found: set[str] = set()
    while len(found) < count:
        run = "".join(choice.choices(letters, weights, k=80_000))
        found.update(run[at : at + 8] for at in range(0, len(run), 8))
    return " ".join(sorted(found)[:count])


TRAIN = """
import bpetok, sys, time
counts = bpetok.Counts("cl100k")
counts.update([sys.stdin.read()], threads=1)
started = time.perf_counter()
bpetok.train(counts, int(sys.argv[1]), threads=1)
print(len(counts), time.perf_counter() - started)
"""


def training(sizes: list[int]) -> None:
    """Each in a process of its own, whose peak the system reports when it ends."""
    print(f"{'pretokens':>12}{'vocabulary':>12}{'seconds':>10}{'peak MB':>10}")
    for size in sizes:
        text = words(size).encode()
        for vocab_size in (1_000, 32_768, 100_000):
            output, peak = peak_of([sys.executable, "-c", TRAIN, str(vocab_size)], iter([text]))
            pretokens, seconds = output.split()
            print(
                f"{int(pretokens):>12,}{vocab_size:>12,}{float(seconds):>10.2f}{peak / MEGABYTE:>10.0f}"
            )


def peak_of(command: list[str], blocks: Iterator[bytes]) -> tuple[str, int]:
    """Standard output of a command that is given blocks, and its largest memory in bytes."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    for block in blocks:
        process.stdin.write(block)
    process.stdin.close()
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command[2][:40]!r} failed")
    return output, usage.ru_maxrss * 1024


COUNT = """
import bpetok, sys, time
from bpetok.pipelines import read_documents
counts = bpetok.Counts("cl100k")
started = time.perf_counter()
counts.update(read_documents("-"), threads=2, max_memory=sys.argv[1])
print(f"{counts.bytes / 1e6:,.0f} MB counted in {time.perf_counter() - started:.1f} s, "
      f"{counts.spilled_bytes / 1e6:,.0f} MB on disk, {len(counts):,} different pretokens of {counts.total:,}")
try:
    bpetok.train(counts, 32_000, max_memory=sys.argv[1])
except bpetok.TrainError as error:
    print(error)
"""


def low_repetition(megabytes: int) -> Iterator[bytes]:
    """Words of 8 random letters: nearly every one is new."""
    choice = random.Random(1)
    letters = bytes.maketrans(b"0123456789", b"ghijklmnop")
    for _ in range(megabytes):
        digits = choice.randbytes(444_444).hex().encode().translate(letters)
        yield b" ".join(digits[at : at + 8] for at in range(0, len(digits), 8)) + b" "


def memory(megabytes: int) -> None:
    """Nothing is written to disk but the runs: the text comes through a pipe."""
    output, peak = peak_of([sys.executable, "-c", COUNT, "256MiB"], low_repetition(megabytes))
    print(output + f"peak {peak / 2**20:.0f} MiB of 256")


def main() -> None:
    """One of the four."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("counting", "growth"):
        verbs.add_parser(verb).add_argument("files", nargs="+")
    verbs.add_parser("training").add_argument(
        "sizes", type=int, nargs="*", default=[250_000, 1_000_000, 4_000_000]
    )
    verbs.add_parser("memory").add_argument("--mb", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.verb == "memory":
        memory(arguments.mb)
    elif arguments.verb == "training":
        training(arguments.sizes)
    else:
        {"counting": counting, "growth": growth}[arguments.verb](arguments.files)


if __name__ == "__main__":
    main()
