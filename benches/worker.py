"""One measurement in a process of its own: reads a job as JSON from standard input, writes figures as JSON.

The parent sets the environment (number of threads) before Python starts; this file pins the process to the job's cores
before any library is imported, and keeps a library's own printing out of the answer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from typing import Any

HEAVY = {
    "awkward",
    "huggingface_hub",
    "numpy",
    "pandas",
    "pyarrow",
    "regex",
    "requests",
    "tokenizers",
    "torch",
}


def measure_import(module: str) -> dict[str, Any]:
    """Seconds of the import statement, and what it pulled in. Here, because `measure` itself imports half of the
    standard library, which would then cost the library nothing."""
    before = set(sys.modules)
    started = time.perf_counter()
    import_module(module)
    seconds = time.perf_counter() - started
    new = set(sys.modules) - before
    heavy = sorted({name.split(".")[0] for name in new} & HEAVY)
    return {"ok": True, "seconds": seconds, "modules": len(new), "heavy": heavy}


def figures_of(described: dict[str, Any]) -> dict[str, Any]:
    """The figures of one job, or why there are none."""
    if described["kind"] == "import":
        return measure_import(described["corpus"])

    from measure import KINDS, Job  # after pinning: thread pools are sized when libraries load
    from peers import RefusedError

    job = Job(**described)
    try:
        return {"ok": True, **KINDS[job.kind](job)}
    except RefusedError as reason:
        return {"ok": False, "refused": True, "error": str(reason)}


def main() -> None:
    """Reads the job, measures, answers on the original standard output."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    described = json.load(sys.stdin)
    if described["cores"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, described["cores"])
    try:
        figures = figures_of(described)
    except BaseException as failure:  # a Rust panic reaches Python as a BaseException
        figures = {
            "ok": False,
            "refused": False,
            "error": f"{type(failure).__name__}: {failure}"[:300],
        }
    json.dump(figures, answer)
    answer.flush()
    os._exit(0)  # tearing down thread pools and tables of 100,000 entries is nobody's figure


if __name__ == "__main__":
    main()
