"""A picture of the memory that generation needs, Transformer against state-space model, from configs alone.

memory({"Transformer": gpt_json, "Mamba": mamba_json}, 1_000_000).save("memory.svg")
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpetok.nn.config import Config
from bpetok.nn.counters import state_bytes
from bpetok.nn.errors import InputError
from bpetok.nn.inputs import number, whole
from bpetok.nn.svg import MUTED, Drawing

__all__ = ["memory"]

LINES = ("#3479b8", "#c9540f", "#2d8a57", "#8a4bb0", "#b5912a", "#4d5b76")
MOST = 10**15  # tokens: numbers of bytes stay within 64 bits
LEFT, TOP, WIDTH, HEIGHT = 78, 74, 560, 330  # the field between the axes


def memory(
    configs: Mapping[str, Mapping[str, Any] | Config],
    tokens: int = 1_000_000,
    *,
    dtype: str = "float16",
    batch: int = 1,
    title: str = "Memory that generation keeps",
) -> Drawing:
    """How the state grows with the text, a line per config: keys and values of attention against a fixed state.

    Both axes are logarithmic: attention without a window is a straight line up, a state-space model a level one.
    """
    if not isinstance(configs, Mapping) or not configs:
        raise InputError(
            f"configs={configs!r:.80} must be an object with at least one config by its name"
        )
    tokens, batch = int(number("tokens", tokens, 100, MOST)), whole("batch", batch, 1)
    counts = np.unique(np.rint(np.geomspace(10, tokens, 241)).astype(np.int64))
    lines = {
        name: [state_bytes(c, int(n), batch, dtype) for n in counts] for name, c in configs.items()
    }
    values = [v for line in lines.values() for v in line if v > 0]
    if not values:
        raise InputError("no config keeps a state; encoders read a text whole")
    axes = _Axes(
        math.log10(tokens),
        math.floor(math.log10(min(values))),
        math.ceil(math.log10(max(values) * 1.01)),
    )
    side = 30 + max(7.0 * len(name) for name in lines)
    d = Drawing(LEFT + WIDTH + max(side, 90), TOP + HEIGHT + 62, title)
    d.text(LEFT, 30, title, 16, font_weight="600")
    d.text(LEFT, 50, f"{dtype}, {batch} text{'s' if batch > 1 else ''} at a time", 12, MUTED)
    axes.draw(d)
    _lines(d, axes, counts.tolist(), lines)
    return d


@dataclass(frozen=True)
class _Axes:
    """Powers of ten: tokens from 10 to `10 ** last` across, bytes from `10 ** low` to `10 ** high` up."""

    last: float
    low: int
    high: int

    def at(self, count: float, size: float) -> tuple[float, float]:
        """Where a number of tokens and a number of bytes meet."""
        x = LEFT + WIDTH * (math.log10(count) - 1) / (self.last - 1)
        return x, TOP + HEIGHT * (self.high - math.log10(size)) / (self.high - self.low)

    def draw(self, d: Drawing) -> None:
        """A line and its number for each power of ten."""
        for power in range(1, math.floor(self.last) + 1):
            x, _ = self.at(10**power, 10**self.low)
            d.line(x, TOP, x, TOP + HEIGHT)
            d.text(x, TOP + HEIGHT + 18, f"{10**power:,}", 11, MUTED, "middle")
        for power in range(self.low, self.high + 1):
            _, y = self.at(10, 10**power)
            d.line(LEFT, y, LEFT + WIDTH, y)
            d.text(LEFT - 8, y + 4, _size(10**power), 11, MUTED, "end")
        d.line(LEFT, TOP + HEIGHT, LEFT + WIDTH, TOP + HEIGHT, "#98a2b3")
        d.text(LEFT + WIDTH / 2, TOP + HEIGHT + 42, "tokens read", 12, MUTED, "middle")


def _lines(
    d: Drawing, axes: _Axes, counts: Sequence[int], lines: Mapping[str, Sequence[int]]
) -> None:
    """A line for each config, and its name and last size where it ends."""
    ends: list[tuple[float, str, str, int]] = []
    drawn: list[list[tuple[float, float]]] = []
    for i, (name, line) in enumerate(lines.items()):
        stroke = LINES[i % len(LINES)]
        points = [axes.at(float(n), v) for n, v in zip(counts, line, strict=True) if v > 0]
        if points:
            # Where a line lies on an earlier one it is dashed, so that both are seen.
            shared = max((_same(points, other) for other in drawn), default=0)
            for part, dash in ((points[: shared + 1], "7 7"), (points[shared:], None)):
                path = " ".join(f"{x:.1f},{y:.1f}" for x, y in part)
                if len(part) > 1:
                    d.polyline(path, stroke, tip=name, stroke_dasharray=dash)
            drawn.append(points)
            ends.append((points[-1][1], name, stroke, line[-1]))
    for y, (_, name, stroke, size) in zip(
        _apart([e[0] for e in sorted(ends)], 31), sorted(ends), strict=True
    ):
        d.text(LEFT + WIDTH + 10, y, name, 12, stroke, font_weight="600")
        d.text(LEFT + WIDTH + 10, y + 14, _size(size), 11, MUTED)


def _same(points: Sequence[Any], other: Sequence[Any]) -> int:
    """How many points two lines have in common from the start, less one."""
    return max(
        0,
        next(
            (i for i, (a, b) in enumerate(zip(points, other, strict=False)) if a != b), len(points)
        )
        - 1,
    )


def _apart(places: list[float], gap: float) -> list[float]:
    """Move sorted places downwards just enough to keep a distance.

    >>> _apart([10.0, 12.0, 50.0], 15)
    [10.0, 25.0, 50.0]
    """
    out: list[float] = []
    for place in places:
        out.append(max(place, out[-1] + gap) if out else place)
    return out


def _size(count: float) -> str:
    """A number of bytes for people.

    >>> _size(1_500_000), _size(10)
    ('1.5 MB', '10 B')
    """
    for unit, power in (("TB", 12), ("GB", 9), ("MB", 6), ("kB", 3)):
        if count >= 10**power:
            return f"{float(f'{count / 10**power:.3g}'):g} {unit}"
    return f"{count:g} B"
