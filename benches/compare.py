"""bpetok beside its peers: interleaved runs in fresh processes, equal ids demanded, medians and spreads reported.

What `make bench` does, step by step:

    python3 -m venv .venv-bench
    .venv-bench/bin/python -m pip install -r benches/requirements.txt
    maturin build --release --out dist
    .venv-bench/bin/python -m pip install --force-reinstall --no-deps dist/bpetok-*.whl
    .venv-bench/bin/python benches/compare.py                    # all scenarios; an hour on two cores

    .venv-bench/bin/python benches/compare.py --quick            # a fifth of the text, one round
    .venv-bench/bin/python benches/compare.py --only first,short --peers bpetok,gigatoken --rounds 9
    .venv-bench/bin/python benches/compare.py --only encode_file # a file of 500 MB, made under .bench/

The texts are found through `--data` or `BPETOK_TEST_DATA`. Writes compare.json, compare.md and compare.svg into
`benches/results/` (or `--out`). The modules: `corpora` (texts, patterns), `peers` and `trainers` (the libraries as
tables), `scenarios` (what is run), `worker` and `measure` (one measurement in its own process), `runner`
(interleaving), `prepare` (files and right answers made beforehand), `summary`, `report` and `chart` (figures out).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import corpora
import encode_file
from chart import svg
from machine import describe
from peers import NOT_RUN, OURS, PEERS
from prepare import RightAnswers, cache_folder, prepare_job
from report import markdown
from runner import Group, run_group, run_job
from scenarios import OPTIONAL, SCENARIOS, Settings, plan
from summary import METRICS, Row, add_ratios, headline, make_row
from trainers import TRAINERS

ROOT = Path(__file__).resolve().parent.parent


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="compare.py", description="Measure bpetok beside its peers."
    )
    names = ", ".join([*SCENARIOS, *OPTIONAL])
    parser.add_argument("--only", default="", help=f"scenarios, separated by commas: {names}")
    parser.add_argument(
        "--peers",
        default="",
        help="libraries, separated by commas (default: all that are installed)",
    )
    parser.add_argument("--rounds", type=int, help="rounds a cell (default: 5; 1 with --quick)")
    parser.add_argument("--threads", type=int, help="most threads (default: all cores)")
    parser.add_argument("--quick", action="store_true", help="a fifth of every text, one round")
    parser.add_argument("--data", help="folder of the texts (default: $BPETOK_TEST_DATA)")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "benches" / "results", help="folder of the reports"
    )
    parser.add_argument(
        "--seed", type=int, default=int(time.time()) % 10_000, help="seed of the order of libraries"
    )
    return parser.parse_args(given)


def chosen(given: str, known: Sequence[str], what: str, default: Sequence[str]) -> list[str]:
    """Names from a comma-separated option; an unknown one is an error that lists the known ones."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise SystemExit(f"benches: no {what} {name!r}; there are: {', '.join(known)}")
    return names or list(default)


def settings_of(options: argparse.Namespace) -> Settings:
    """The options resolved against the machine."""
    if options.rounds is not None and options.rounds < 1:
        raise SystemExit(f"benches: --rounds is {options.rounds}, it must be at least 1")
    available = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    threads = options.threads or available
    if not 1 <= threads <= available:
        raise SystemExit(f"benches: --threads is {threads}, this process may use 1 to {available}")
    only = chosen(options.only, [*SCENARIOS, *OPTIONAL], "scenario", SCENARIOS)
    rounds = options.rounds or (1 if options.quick else 5)
    data = corpora.data_root(options.data)
    return Settings(data, cache_folder(ROOT), frozenset(only), rounds, threads, options.quick)


def tell(message: str) -> None:
    """Progress: one line that overwrites itself on a terminal."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"{message:<110}"[:160], end=end, file=sys.stderr, flush=True)


def usable(
    names: Sequence[str], settings: Settings
) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """The libraries that import, with their versions, and those that do not, with the reason: none is lost silently."""
    table: dict[str, Any] = {**PEERS, **TRAINERS}
    working: list[str] = []
    versions: dict[str, str] = {}
    missing = dict(NOT_RUN)
    for name in names:
        tell(f"probing {name}")
        try:
            version = table[name].version()
        except PackageNotFoundError:
            missing[name] = "not installed"
            continue
        figures = run_job(settings.job("probe", name), timeout=120.0)
        if figures["ok"]:
            working.append(name)
            versions[table[name].distribution] = version
        else:
            missing[name] = figures["error"]
    return working, versions, missing


def measure_group(group: Group, answers: RightAnswers, seed: int) -> list[Row]:
    """Prepares, runs and sums up one cell."""
    for entry in group.entries:
        tell(f"preparing {group.scenario} · {group.cell} · {entry.peer}")
        prepare_job(entry.job)
    right = {part: answers.answer(job) for part, job in group.oracle.items()}
    outcomes = run_group(group, seed, tell)
    rows = []
    for metric in METRICS[group.scenario]:
        for entry, rounds in outcomes:
            row = make_row(
                group.cell, entry.peer, entry.part, metric, rounds, right.get(entry.part)
            )
            rows.append(row)
    return rows


def wanted(rows: list[Row], settings: Settings) -> list[Row]:
    """Without the views of a measurement that nobody asked for, grouped by scenario."""
    order = [*SCENARIOS, *OPTIONAL]
    kept = [row for row in rows if row["scenario"] in settings.only]
    return sorted(kept, key=lambda row: order.index(row["scenario"]))


def write(report: dict[str, Any], folder: Path) -> None:
    """The three files, the JSON first: it holds all that the others are made from."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "compare.json").write_text(
        json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (folder / "compare.md").write_text(markdown(report), encoding="utf-8")
    run = report["run"]
    note = f"{run['processor']}, Python {run['python']}, {run['date'][:10]} · benches/compare.py"
    cells = [" ".join(cell) for cell in corpora.HEADLINE]
    if any(row["scenario"] == "first" for row in report["rows"]):
        (folder / "compare.svg").write_text(svg(report["rows"], cells, note), encoding="utf-8")


def main() -> None:
    """Runs the chosen scenarios and writes the reports, after every cell, so that an interrupted run leaves them."""
    options = arguments()
    settings = settings_of(options)
    names = chosen(
        options.peers, list(dict.fromkeys([*PEERS, *TRAINERS])), "library", [*PEERS, *TRAINERS]
    )
    working, versions, missing = usable(list(dict.fromkeys(names)), settings)
    run = describe(versions, options.seed) | {"rounds": settings.rounds, "quick": settings.quick}
    run["not_measured"] = missing
    run["notes"] = {
        name: PEERS[name].note for name in working if name in PEERS and PEERS[name].note
    }
    rows: list[Row] = []
    answers = RightAnswers(settings.cache)
    inexact = [name for name, peer in PEERS.items() if not peer.exact]
    cells = [" ".join(cell) for cell in corpora.HEADLINE]

    def save() -> None:
        kept = wanted(rows, settings)
        add_ratios(kept, inexact)
        summaries = [
            headline(kept, cells, name) for name in ("first", "steady") if name in settings.only
        ]
        write({"run": run, "summaries": summaries, "rows": kept}, options.out)

    for group in plan(settings, [name for name in working if name in PEERS], working):
        rows += measure_group(group, answers, options.seed)
        save()
    if "encode_file" in settings.only and OURS in working:
        rows += encode_file.rows(settings, tell)
        save()
    print(f"\n{(options.out / 'compare.md').read_text(encoding='utf-8')}")


if __name__ == "__main__":
    main()
