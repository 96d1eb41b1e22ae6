"""Rows -> SVG: the first pass, one small panel a cell, bpetok on top of its exact peers.

Hand-written SVG without scripts or fonts to load. Two palettes, so that the picture fits a light and a
dark page. Each panel has its own scale, because the question within a panel is the ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from summary import OURS, Row

COLUMNS = 2
WIDTH = 880
MARGIN = 28
GUTTER = 44
LABEL = 104
VALUE = 96
BAR = 15
STEP = 21
TITLE = 34
GAP = 26
HEAD = 92
FOOT = 40
SHOWN = 6
"""Libraries a panel: ours, the fastest exact peers, and tiktoken, which everybody knows."""

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1f2328",
    "faint": "#59636e",
    "line": "#d1d9e0",
    "ours": "#d9480f",
    "peer": "#8c99a6",
}
DARK = {
    "paper": "#0d1117",
    "ink": "#e6edf3",
    "faint": "#9198a1",
    "line": "#3d444d",
    "ours": "#ff8a4c",
    "peer": "#6e7a87",
}

FONT = 'text { font-family: ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 12.5px; }'
SHAPES = """
.head { font-size: 19px; font-weight: 600; } .title { font-size: 14px; font-weight: 600; } .note { font-size: 12px; }
.name { text-anchor: end; } .value { font-variant-numeric: tabular-nums; } .strong { font-weight: 700; }"""


def colours(palette: dict[str, str]) -> str:
    """Rules for one palette. Plain rules, no CSS variables: several converters of SVG do not know those."""
    return (
        f".paper {{ fill: {palette['paper']}; }} .head, .title, .name, .value {{ fill: {palette['ink']}; }} "
        f".note {{ fill: {palette['faint']}; }} .line {{ stroke: {palette['line']}; }} "
        f".ours {{ fill: {palette['ours']}; }} .peer {{ fill: {palette['peer']}; }}"
    )


def style() -> str:
    """Light unless the page is dark."""
    return f"{FONT}{SHAPES}\n{colours(LIGHT)}\n@media (prefers-color-scheme: dark) {{ {colours(DARK)} }}\n"


def panel_rows(rows: Sequence[Row], cell: str) -> list[Row]:
    """The libraries of one panel: exact ones only, fastest first, ours on top, tiktoken kept.

    Other ways to load the same library (a name in brackets) stay in the tables.
    """
    found = [
        row for row in rows if row["cell"] == cell and "median" in row and row["correct"] == "yes"
    ]
    found = [row for row in found if "(" not in row["peer"]]
    ours = [row for row in found if row["peer"] == OURS]
    peers = sorted((row for row in found if row["peer"] != OURS), key=lambda row: -row["median"])
    kept = peers[: SHOWN - len(ours)]
    known = [row for row in peers if row["peer"] == "tiktoken" and row not in kept]
    return ours + (kept[: len(kept) - len(known)] + known)


def text(x: float, y: float, css: str, content: str) -> str:
    """One line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{css}">{escape(content)}</text>'


def bar(row: Row, x: float, y: float, longest: float, most: float) -> list[str]:
    """A name, a bar, a figure; for ours also the ratio to the fastest peer."""
    ours = row["peer"] == OURS
    length = max(longest * row["median"] / most, 1.5)
    figure = f"{row['median']:.0f}"
    if ours and "vs_fastest_peer" in row:
        figure += f"  ({row['vs_fastest_peer']:.1f}x)"
    strong = " strong" if ours else ""
    middle = y + BAR - 3.5
    return [
        text(x + LABEL - 10, middle, "name" + strong, str(row["peer"])),
        f'<rect x="{x + LABEL:.1f}" y="{y:.1f}" width="{length:.1f}" height="{BAR}" rx="2.5" '
        f'class="{"ours" if ours else "peer"}"/>',
        text(x + LABEL + length + 7, middle, "value" + strong, figure),
    ]


def panel(rows: Sequence[Row], cell: str, x: float, y: float, width: float) -> list[str]:
    """One cell: a title over its bars."""
    shown = panel_rows(rows, cell)
    if not shown:
        return []
    most = max(row["median"] for row in shown)
    corpus, _, encoding = cell.rpartition(" ")
    parts = [
        text(x + LABEL, y + 14, "title", f"{corpus.replace('_', ' ')} · {encoding}"),
        f'<line x1="{x + LABEL:.1f}" y1="{y + 22}" x2="{x + width:.1f}" y2="{y + 22}" class="line"/>',
    ]
    for place, row in enumerate(shown):
        parts += bar(row, x, y + TITLE + place * STEP, width - LABEL - VALUE, most)
    return parts


def svg(rows: Sequence[Row], cells: Sequence[str], circumstances: str) -> str:
    """The whole picture for the first-pass rows of the given cells."""
    first = [row for row in rows if row["scenario"] == "first"]
    cells = [cell for cell in cells if panel_rows(first, cell)]
    high = TITLE + max((len(panel_rows(first, cell)) for cell in cells), default=0) * STEP + GAP
    width = (WIDTH - 2 * MARGIN - GUTTER) / COLUMNS
    height = HEAD + -(-len(cells) // COLUMNS) * high + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-label="First-pass encoding speed of bpetok and its exact peers">',
        f"<style>{style()}</style>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" class="paper"/>',
        text(MARGIN, 42, "head", "Encoding a corpus the first time through"),
        text(
            MARGIN,
            64,
            "note",
            "MB/s on one core, median; fresh process, nothing encoded before; equal ids only; "
            "(2.0x): bpetok to the fastest other",
        ),
    ]
    for place, cell in enumerate(cells):
        x = MARGIN + (place % COLUMNS) * (width + GUTTER)
        parts += panel(first, cell, x, HEAD + (place // COLUMNS) * high, width)
    parts += [text(MARGIN, height - 18, "note", circumstances), "</svg>"]
    return "\n".join(parts) + "\n"
