"""Runs groups of jobs: each job in a fresh pinned process, the libraries of a cell interleaved.

Interleaving (A B C A B C …, in an order shuffled once a cell) spreads whatever the machine does meanwhile over all
libraries. A library that was refused, failed, ran out of time or was many times slower than the fastest in its first
round is not run again in that cell: it cannot set the bar, and the rounds it ran are shown.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from measure import Job

WORKER = Path(__file__).with_name("worker.py")
HOPELESS = 8.0
"""Times slower than the fastest of the cell: one round is enough."""

Figures = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One library's job in a group; `part` tells apart sizes or thread counts of the same cell."""

    peer: str
    job: Job
    part: str = ""


@dataclass(frozen=True)
class Group:
    """A cell of a scenario: the jobs to interleave, and the job whose digest says what is correct."""

    scenario: str
    cell: str
    entries: list[Entry]
    rounds: int
    oracle: dict[str, Job] = field(default_factory=dict)
    timeout: float = 180.0
    always: frozenset[str] = frozenset()
    """Libraries that run every round however slow they are."""


def cores_for(threads: int) -> list[int]:
    """The last cores that this process may use: the first ones also serve the system's interrupts."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    return sorted(os.sched_getaffinity(0))[-threads:]


def environment(threads: int) -> dict[str, str]:
    """Every thread pool the libraries use is sized alike."""
    number = str(threads)
    pools = dict.fromkeys(
        ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], number
    )
    # PYTHONHASHSEED keeps the layout of dicts, and with it the speed of the Python parts, the same in every process.
    return {
        **os.environ,
        **pools,
        "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false",
        "PYTHONHASHSEED": "0",
    }


def run_job(job: Job, timeout: float) -> Figures:
    """One job in a fresh process; a failure of any kind becomes figures that say so."""
    pinned = replace(job, cores=cores_for(job.threads))
    try:
        done = subprocess.run(
            [sys.executable, str(WORKER)],
            input=json.dumps(asdict(pinned)),
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment(job.threads),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"ok": False, "refused": False, "timeout": timeout, "error": f"over {timeout:.0f} s"}
    try:
        figures: Figures = json.loads(done.stdout)
    except json.JSONDecodeError:
        tail = done.stderr.strip().splitlines()[-1:] or ["no message"]
        return {
            "ok": False,
            "refused": False,
            "error": f"died with status {done.returncode}: {tail[0][:200]}",
        }
    return figures


def cost(figures: Figures) -> float | None:
    """The figure by which hopeless libraries are told: less is better."""
    seconds = figures.get("seconds")
    if isinstance(seconds, list):
        return float(seconds[0])
    value = seconds or figures.get("ready") or figures.get("same_us")
    return float(value) if value else None


def hopeless(latest: dict[int, Figures], entries: list[Entry], always: frozenset[str]) -> set[int]:
    """Entries that are not worth another round."""
    dropped = {index for index, figures in latest.items() if not figures["ok"]}
    costs = {
        index: found
        for index, figures in latest.items()
        if figures["ok"] and (found := cost(figures))
    }
    for index, own in costs.items():
        rivals = [costs[other] for other in costs if entries[other].part == entries[index].part]
        if own > HOPELESS * min(rivals) and entries[index].peer not in always:
            dropped.add(index)
    return dropped


def run_group(
    group: Group, seed: int, tell: Callable[[str], None]
) -> list[tuple[Entry, list[Figures]]]:
    """All rounds of a group; the figures of every entry in the order of its rounds."""
    order = list(range(len(group.entries)))
    random.Random(f"{seed} {group.scenario} {group.cell}").shuffle(order)
    figures: dict[int, list[Figures]] = {index: [] for index in order}
    running = set(order)
    for round_number in range(group.rounds):
        for index in order:
            if index in running:
                entry = group.entries[index]
                tell(
                    f"{group.scenario} · {group.cell} · round {round_number + 1} · {entry.peer} {entry.part}"
                )
                figures[index].append(run_job(entry.job, group.timeout))
        running -= hopeless(
            {index: figures[index][-1] for index in running}, group.entries, group.always
        )
    return [(group.entries[index], figures[index]) for index in range(len(group.entries))]
