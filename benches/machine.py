"""The circumstances of a run: processor, system, versions, date, command. A figure without them says nothing."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any


def processor() -> str:
    """The processor's model name."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _caches() -> dict[str, str]:
    sizes = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        with suppress(OSError):
            level, kind, size = (
                (index / name).read_text().strip() for name in ("level", "type", "size")
            )
            if kind != "Instruction":
                sizes[f"L{level}"] = size
    return sizes


def describe(versions: dict[str, str], seed: int) -> dict[str, Any]:
    """Everything a reader needs to judge the figures, or to get them again."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(["python", "benches/compare.py", *shareable(sys.argv[1:])]),
        "processor": processor(),
        "caches": _caches(),
        "cores": available,
        "memory_gib": round(memory / (1 << 30)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        # Above the number of busy cores that the run itself asks for, somebody else was at work.
        "load_average_at_start": round(os.getloadavg()[0], 2),
        "seed": seed,
        "versions": versions,
    }


def shareable(arguments: list[str]) -> list[str]:
    """The arguments with absolute paths shortened to their last part: reports are committed."""
    return [Path(argument).name if argument.startswith("/") else argument for argument in arguments]
