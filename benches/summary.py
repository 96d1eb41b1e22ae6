"""Figures -> rows: medians, spreads, what is correct, and the ratio to the fastest exact peer of each cell.

Pure: no file, no clock, no library. A row is a plain dict, because the JSON report is a list of them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, Any]
Row = dict[str, Any]
OURS = "bpetok"
MIB = 1 << 20


@dataclass(frozen=True)
class Metric:
    """One view of a job's figures. `value` gives None where the figures hold none (a second pass that was not run)."""

    scenario: str
    unit: str
    value: Callable[[Figures], float | None]
    higher_is_better: bool = False
    part: str = ""


def _rate(seconds: Callable[[list[float]], float | None]) -> Callable[[Figures], float | None]:
    def value(figures: Figures) -> float | None:
        found = seconds(figures["seconds"])
        return figures["bytes"] / 1e6 / found if found else None

    return value


_FIRST = _rate(lambda seconds: seconds[0])
_STEADY = _rate(lambda seconds: statistics.median(seconds[1:]) if len(seconds) > 1 else None)

METRICS: dict[str, list[Metric]] = {
    "encode": [
        Metric("first", "MB/s", _FIRST, higher_is_better=True),
        Metric("steady", "MB/s", _STEADY, higher_is_better=True),
        Metric("memory", "MiB", lambda figures: figures["peak_bytes"] / MIB),
    ],
    "short": [
        Metric("short", "µs", lambda figures: figures["same_us"], part="same text"),
        Metric("short", "µs", lambda figures: figures["varied_us"], part="varied texts"),
        Metric("short", "µs", lambda figures: figures["batch_us"], part="a text of a batch"),
    ],
    "load": [Metric("load", "ms", lambda figures: figures["ready"] * 1e3)],
    "import": [Metric("import", "ms", lambda figures: figures["seconds"] * 1e3)],
    "decode": [Metric("decode", "MB/s", _rate(statistics.median), higher_is_better=True)],
    "input": [Metric("input", "MB/s", _FIRST, higher_is_better=True)],
    "threads": [Metric("threads", "MB/s", _FIRST, higher_is_better=True)],
    "adversarial": [Metric("adversarial", "MB/s", _FIRST, higher_is_better=True)],
    "regex": [Metric("regex", "MB/s", _FIRST, higher_is_better=True)],
    "train": [Metric("train", "s", lambda figures: figures["seconds"])],
}


def correctness(figures: Figures, right: Figures | None) -> str:
    """yes, no, unknown (no answer of the oracle) or "" (nothing can be wrong); in training also tokens and ties."""
    if "tokens_sha256" in figures:
        if not right:
            return "unknown"
        if figures.get("merges_sha256") == right["merges_sha256"]:
            return "yes"
        return (
            "yes, as tokens" if figures["tokens_sha256"] == right["tokens_sha256"] else "other ties"
        )
    if "right" in figures or "round_trip" in figures:
        return "yes" if figures.get("right", figures.get("round_trip")) else "no"
    if "sha256" not in figures:
        return ""
    if not right or "sha256" not in right:
        return "unknown"
    return "yes" if figures["sha256"] == right["sha256"] else "no"


def _extras(figures: Figures) -> Row:
    """Further figures that a report shows beside the main one."""
    extras: Row = {
        name: figures[name]
        for name in ("bytes", "tokens", "merged", "heavy", "gives")
        if name in figures
    }
    for name in ("peak_bytes", "beyond_bytes", "encode_bytes", "tokenizer_bytes"):
        if name in figures:
            extras[name.replace("_bytes", "_mib")] = round(figures[name] / MIB, 1)
    if "peak_bytes" in figures and "tokens" in figures:
        extras["beyond_output_mib"] = round(
            (figures["peak_bytes"] - 4 * figures["tokens"]) / MIB, 1
        )
    return extras


def make_row(
    cell: str,
    peer: str,
    part: str,
    metric: Metric,
    rounds: Sequence[Figures],
    right: Figures | None,
) -> Row:
    """One line of the report: a library in a cell under one metric."""
    good = [figures for figures in rounds if figures["ok"]]
    found = [metric.value(figures) for figures in good]
    values = [value for value in found if value is not None]
    verdicts = {correctness(figures, right) for figures in good}
    row: Row = {
        "scenario": metric.scenario,
        "cell": cell,
        "part": part or metric.part,
        "peer": peer,
    }
    row |= {
        "unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
        "rounds": len(values),
        "values": values,
    }
    if values:
        row |= {"median": statistics.median(values), "min": min(values), "max": max(values)}
        row |= _extras(good[0])
        if (
            metric.scenario == "first"
        ):  # beside the wall clock: a busy neighbour disturbs processor time less
            row["per_cpu_second"] = statistics.median(f["bytes"] / 1e6 / f["cpu"][0] for f in good)
    row["correct"] = "no" if "no" in verdicts else next(iter(verdicts), "")
    failures = [figures for figures in rounds if not figures["ok"]]
    if failures:
        row["error"] = failures[-1]["error"]
        row["refused"] = bool(failures[-1].get("refused"))
    return row


def better(row: Row, other: Row) -> float:
    """How many times better a row is than another of its cell: 2.0 is twice as fast, or half the memory."""
    ratio: float = row["median"] / other["median"] if other["median"] else math.inf
    if row["higher_is_better"]:
        return ratio
    return 1 / ratio if ratio else math.inf


def add_ratios(rows: Iterable[Row], inexact: Iterable[str] = ()) -> None:
    """Marks the fastest exact peer of every cell and gives every row its ratio to it.

    A library whose ids were wrong on one of the texts sets no bar in any cell; wrong elsewhere (a hostile file, a
    dialect of regexes) costs it that cell only. In training, rows of other tie rules still set the bar, whatever
    ids their library gives to text.
    """
    rows = list(rows)
    wrong = {
        row["peer"] for row in rows if row["scenario"] == "first" and row["correct"] == "no"
    } | set(inexact)
    cells: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        cells.setdefault((row["scenario"], row["cell"], row["part"]), []).append(row)
    for members in cells.values():
        peers = [
            row
            for row in members
            if "median" in row
            and row["correct"] not in ("no", "unknown")
            and (row["peer"] not in wrong or row["scenario"] == "train")
            and not is_ours(row)
        ]
        if not peers:
            continue
        bar = max(peers, key=lambda row: better(row, peers[0]))
        bar["bar"] = True
        for row in members:
            if "median" in row:
                row["vs_fastest_peer"] = better(row, bar)


def is_ours(row: Row) -> bool:
    """bpetok and its variants."""
    return str(row["peer"]).startswith(OURS)


def geometric_mean(values: Sequence[float]) -> float | None:
    """None of nothing."""
    return math.exp(statistics.fmean(math.log(value) for value in values)) if values else None


def headline(rows: Iterable[Row], cells: Sequence[str], scenario: str = "first") -> Row:
    """The promise of the first pass: bpetok against the fastest exact peer of each headline cell."""
    wanted = set(cells)
    ours = [
        row
        for row in rows
        if row["scenario"] == scenario and row["peer"] == OURS and row["cell"] in wanted
    ]
    ratios = {
        row["cell"]: row["vs_fastest_peer"]
        for row in ours
        if "vs_fastest_peer" in row and row["correct"] == "yes"
    }
    return {
        "scenario": scenario,
        "ratios": ratios,
        "geometric_mean": geometric_mean(list(ratios.values())),
        "lowest": min(ratios.values(), default=None),
        "cells_missing": sorted(wanted - set(ratios)),
    }


def growth(half: Row, whole: Row) -> float | None:
    """Time of the whole input over the time of its half, scaled to a doubling: 2 is linear, 4 quadratic.

    From the best rounds: these are calls of some 20 ms, and whatever disturbs them only ever adds.
    """
    if "max" not in half or "max" not in whole or half["bytes"] == 0:
        return None
    seconds = [row["bytes"] / row["max"] for row in (half, whole)]
    sizes: float = whole["bytes"] / half["bytes"]
    ratio: float = seconds[1] / seconds[0]
    return ratio * 2 / sizes
