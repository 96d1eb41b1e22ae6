"""Rows -> Markdown. One wide table a scenario that can be read, and every row with its spread behind a fold.

Pure: takes the report as it is written to `compare.json`, gives text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from summary import OURS, Row, better, growth, is_ours

TITLES = {
    "first": (
        "First pass",
        "fresh process, tokenizer loaded, nothing encoded yet; one call; MB/s, more is better",
    ),
    "steady": (
        "Steady",
        "later passes over the same text in the same process; MB/s, more is better",
    ),
    "memory": (
        "Memory",
        "peak resident memory of load and first pass beyond the input; MiB, less is better",
    ),
    "short": (
        "Short call",
        "55 ASCII characters to a Python list, or ten thousand such texts in one call to what the library gives; µs a text, less is better",
    ),
    "load": (
        "Load",
        "rank file (or the file named) to a tokenizer that has encoded a word; ms, less is better",
    ),
    "import": ("Import", "the import statement in a fresh process; ms, less is better"),
    "decode": ("Decode", "the batch a library encoded back to text; MB/s, more is better"),
    "input": (
        "Kinds of input",
        "first pass over the same documents as str whose UTF-8 CPython must make first (new), as str that have it, as bytes; "
        "MB/s, more is better",
    ),
    "threads": ("Threads", "first pass with more threads on as many cores; MB/s, more is better"),
    "adversarial": (
        "Hostile files",
        "whole files of about 1 MB in a fresh process; MB/s, more is better",
    ),
    "regex": (
        "Custom regexes",
        "patterns without a preset, cl100k ranks, first pass; MB/s, more is better",
    ),
    "train": ("Training", "GPT-2 pattern, documents at <|endoftext|>; seconds, less is better"),
    "encode_file": (
        "File to file",
        "`bpetok encode` against the same text in memory; MB/s, more is better",
    ),
}


def number(value: float | None) -> str:
    """Three significant digits at most, no noise behind the point."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head: Sequence[str], lines: Iterable[Sequence[str]], numeric_from: int = 1) -> str:
    """A Markdown table whose columns from `numeric_from` on are aligned to the right."""
    rule = ["---" if place < numeric_from else "---:" for place in range(len(head))]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])


def ordered_peers(rows: Sequence[Row]) -> list[str]:
    """bpetok first, then by how good the libraries are on the whole."""
    ratios: dict[str, list[float]] = {}
    for row in rows:
        ratios.setdefault(row["peer"], []).append(row.get("vs_fastest_peer", 0.0))
    return sorted(
        ratios, key=lambda peer: (not peer.startswith(OURS), -sum(ratios[peer]) / len(ratios[peer]))
    )


def cell_text(row: Row | None) -> str:
    """A figure; bold when it sets the bar, marked when ids are wrong; a word when there is none."""
    if row is None:
        return ""
    if "median" not in row:
        if row.get("refused"):
            return "refused"
        return (
            "time-out"
            if str(row.get("error", "")).startswith("over")
            else "failed"
            if "error" in row
            else ""
        )
    text = number(row["median"])
    if row["correct"] == "no":
        return f"~~{text}~~"
    return f"**{text}**" if row.get("bar") else text


def label(row: Row) -> str:
    """The cell's name, with its part."""
    return f"{row['cell']} ({row['part']})" if row["part"] else str(row["cell"])


def wide_table(rows: Sequence[Row], known: str = "") -> str:
    """Cells down, libraries across, bpetok's ratio to the fastest exact peer (and to a `known` one) at the end."""
    peers = ordered_peers(rows)
    cells = list(dict.fromkeys(label(row) for row in rows))
    found = {(label(row), row["peer"]): row for row in rows}
    lines = []
    for cell in cells:
        ours, other = found.get((cell, OURS), {}), found.get((cell, known), {})
        line = [
            cell,
            *(cell_text(found.get((cell, peer))) for peer in peers),
            ratio_text(ours.get("vs_fastest_peer")),
        ]
        if known:
            line.append(
                ratio_text(better(ours, other) if "median" in ours and "median" in other else None)
            )
        lines.append(line)
    head = ["", *peers, "bpetok / fastest exact peer", *([f"bpetok / {known}"] if known else [])]
    return table(head, lines)


def ratio_text(ratio: float | None) -> str:
    """1.23x, or nothing."""
    return "" if ratio is None else f"{ratio:.2f}x"


def beside_tiktoken(rows: Sequence[Row]) -> str:
    """The wide table of scenarios whose promise is against tiktoken."""
    return wide_table(rows, "tiktoken")


def long_table(rows: Sequence[Row]) -> str:
    """Every row: median, spread, rounds, ratio, correct."""
    lines = []
    for row in rows:
        spread = f"{number(row['min'])} … {number(row['max'])}" if "median" in row else ""
        ratio = ratio_text(row.get("vs_fastest_peer"))
        remark = remark_of(row)
        median = number(row.get("median"))
        lines.append(
            [
                label(row),
                row["peer"],
                median,
                spread,
                str(row["rounds"]),
                ratio,
                row["correct"],
                remark,
            ]
        )
    head = [
        "cell",
        "library",
        "median",
        "least … most",
        "rounds",
        "to fastest exact peer",
        "correct",
        "remark",
    ]
    return table(head, lines, numeric_from=2)


def remark_of(row: Row) -> str:
    """What else is worth a word: why there is no figure, what an import pulled in, the rate by processor time."""
    if "error" in row:
        return str(row["error"]).replace("|", "/").replace("\n", " ")
    if row.get("heavy"):
        return f"imports {', '.join(row['heavy'])}"
    if row.get("gives") == "bytes":
        return "gives bytes"
    return (
        f"{number(row['per_cpu_second'])} a processor second"
        if "per_cpu_second" in row
        else row.get("remark", "")
    )


def growth_table(rows: Sequence[Row]) -> str:
    """For cells measured half and whole: by what the time grows when the input doubles."""
    found = {(row["cell"], row["peer"], row["part"]): row for row in rows}
    cells = list(dict.fromkeys(row["cell"] for row in rows if row["part"] == "whole"))
    peers = [
        peer
        for peer in ordered_peers(rows)
        if any((cell, peer, "whole") in found for cell in cells)
    ]
    lines = []
    for cell in cells:
        line = [cell]
        for peer in peers:
            parts = [found.get((cell, peer, part)) for part in ("half", "whole")]
            grown = growth(parts[0], parts[1]) if parts[0] and parts[1] else None
            line.append(f"x{grown:.1f}" if grown else cell_text(parts[1]))
        lines.append(line)
    return table(["time when the input doubles (x2 is linear)", *peers], lines)


def speedup_table(rows: Sequence[Row]) -> str:
    """For cells measured with several thread counts: each library against itself on one thread."""
    single = {
        (row["cell"], row["peer"]): row["median"]
        for row in rows
        if row["part"] == "1" and "median" in row
    }
    peers = ordered_peers(rows)
    found = {
        (row["cell"], row["part"], row["peer"]): row
        for row in rows
        if row["part"] != "1" and "median" in row
    }
    lines = []
    for cell, part in dict.fromkeys(
        (row["cell"], row["part"]) for row in rows if row["part"] != "1"
    ):
        line = [f"{cell}, {part} threads over 1"]
        for peer in peers:
            row = found.get((cell, part, peer))
            line.append(
                f"{row['median'] / single[cell, peer]:.2f}x"
                if row and (cell, peer) in single
                else ""
            )
        lines.append(line)
    return table(["", *peers], lines)


def train_table(rows: Sequence[Row]) -> str:
    """Seconds, peak memory, merges: with the rule for ties, which decides whether merges can be equal at all."""
    lines = []
    for row in rows:
        peak, beyond = row.get("peak_mib"), row.get("beyond_mib")
        ratio = f"{row['vs_fastest_peer']:.2f}x" if "vs_fastest_peer" in row else cell_text(row)
        spread = f"{number(row['min'])} … {number(row['max'])}" if "median" in row else ""
        memory = [number(peak), number(beyond)]
        lines.append(
            [
                label(row),
                row["peer"],
                number(row.get("median")),
                spread,
                ratio,
                *memory,
                row["correct"],
            ]
        )
    head = [
        "row",
        "library",
        "seconds",
        "least … most",
        "to fastest peer",
        "peak MiB",
        "beyond input MiB",
        "merges as HF",
    ]
    return table(head, lines, numeric_from=2)


def memory_table(rows: Sequence[Row]) -> str:
    """Peak of load and first pass beyond the input, with and without the output (4 bytes a token), and its parts.

    The parts do not add up where encoding reuses what loading gave back to the allocator but not to the system.
    """
    lines = []
    for row in rows:
        if "median" in row:
            figures = [
                row["median"],
                row["beyond_output_mib"],
                row["tokenizer_mib"],
                row["encode_mib"],
            ]
            lines.append([label(row), row["peer"], *map(number, figures), row["correct"]])
    head = [
        "cell",
        "library",
        "beyond input",
        "less ids as uint32",
        "after load",
        "added by encoding",
        "correct",
    ]
    return table(head, lines, numeric_from=2)


def file_table(rows: Sequence[Row]) -> str:
    """The command line against memory; failures say so."""
    lines = []
    for row in rows:
        share = number(row.get("share_of_in_memory"))
        apart = number(row.get("start_up_seconds"))
        spread = f"{number(row['min'])} … {number(row['max'])}" if "median" in row else ""
        remark = str(row.get("error", ""))
        lines.append(
            [label(row), number(row.get("median")), spread, share, apart, row["correct"], remark]
        )
    head = [
        "",
        "MB/s",
        "least … most",
        "share of the rate in memory",
        "start-up and load, s",
        "correct",
        "remark",
    ]
    return table(head, lines)


SECTIONS: dict[str, list[Callable[[Sequence[Row]], str]]] = {
    "memory": [wide_table, memory_table],
    "threads": [wide_table, speedup_table, long_table],
    "adversarial": [wide_table, growth_table, long_table],
    "regex": [beside_tiktoken, growth_table, long_table],
    "decode": [beside_tiktoken, long_table],
    "train": [train_table],
    "encode_file": [file_table],
}


def section(scenario: str, rows: Sequence[Row]) -> str:
    """A heading, tables to read, and the long table behind a fold."""
    title, meaning = TITLES[scenario]
    parts = [f"## {title}", f"{meaning[0].upper()}{meaning[1:]}."]
    for make in SECTIONS.get(scenario, [wide_table, long_table]):
        text = make(rows)
        if make in (long_table, memory_table):
            text = f"<details><summary>every row: spread, rounds, correct</summary>\n\n{text}\n\n</details>"
        parts.append(text)
    return "\n\n".join(parts)


def circumstances(run: dict[str, Any]) -> str:
    """Machine, versions, command."""
    caches = ", ".join(f"{level} {size}" for level, size in run["caches"].items())
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    lines = [
        f"- Command: `{run['command']}`, {run['date']}; rounds interleaved, order shuffled with seed {run['seed']}",
        f"- Machine: {run['processor']}, {run['cores']} cores, {run['memory_gib']} GiB ({caches}), {run['system']}; "
        f"load average at start {run['load_average_at_start']}",
        f"- Versions: Python {run['python']}; {versions}",
    ]
    lines += [f"- {name}: {note}" for name, note in run["notes"].items()]
    lines += [f"- Not measured: {name}: {reason}" for name, reason in run["not_measured"].items()]
    return "\n".join(lines)


def summary_line(summary: Row) -> str:
    """The promise in one sentence."""
    mean, lowest = summary["geometric_mean"], summary["lowest"]
    if mean is None:
        return "bpetok was not measured in this run: the tables show the bar that its peers set."
    missing = (
        f" (without {', '.join(summary['cells_missing'])})" if summary["cells_missing"] else ""
    )
    return (
        f"**{TITLES[summary['scenario']][0]}: geometric mean {mean:.2f}x the fastest exact peer of each cell, "
        f"lowest cell {lowest:.2f}x**{missing}."
    )


def markdown(report: dict[str, Any]) -> str:
    """The whole report."""
    rows: list[Row] = report["rows"]
    parts = ["# bpetok beside its peers", circumstances(report["run"])]
    parts += [summary_line(summary) for summary in report["summaries"]]
    parts.append(
        "Medians of interleaved runs, every measurement in a fresh process on the same cores. **Bold** is the fastest "
        "exact peer of a cell; ~~struck out~~ are wrong ids (sha256 of the flat uint32 ids against tiktoken's)."
    )
    if any(is_ours(row) and row["scenario"] == "first" for row in rows):
        parts.append("![First pass, MB/s](compare.svg)")
    for scenario in TITLES:
        chosen = [row for row in rows if row["scenario"] == scenario]
        if chosen:
            parts.append(section(scenario, chosen))
    return "\n\n".join(parts) + "\n"
