"""Pictures of what a model does: attention maps, and how likely it found each token of a text.

Each function takes arrays, never a model, and gives a `Drawing`: it shows itself in a notebook,
and `.save("picture.svg")` writes it.

    ids = tok.encode(text)
    attention(model.trace(ids)["attention"][layer, 0], token_labels(tok, ids)).save("attention.svg")
    probabilities(-text_nll(model, ids), token_labels(tok, ids)[1:]).save("text.svg")
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.errors import InputError
from bpetok.nn.inputs import number
from bpetok.nn.svg import BLUES, GRID, INK, MUTED, REDS, Drawing, colour, shade, width_of

__all__ = ["attention", "probabilities", "token_labels"]

Array = NDArray[Any]
LABEL = 10.0  # size of a token's label beside a map
TEXT, MARGIN = 15.0, 24  # size of a coloured text, and the room around it
LONGEST = 12  # characters of a label; what is cut off is marked


def token_labels(tok: Any, ids: Any) -> list[str]:
    """How to show each id: its text, with spaces and newlines visible and bytes that are no text in hexadecimal."""
    return [_visible(tok.token_bytes(int(token))) for token in np.asarray(ids).reshape(-1)]


def _visible(token: bytes) -> str:
    r"""Text that can be seen, so that no two tokens look like nothing.

    >>> _visible(b" the\n"), _visible("é".encode()[:1])
    ('␣the⏎', '\\xc3')
    """
    text = token.decode("utf-8", "backslashreplace")
    shown = {" ": "␣", "\n": "⏎", "\r": "␍", "\t": "⇥"}
    return "".join(shown.get(c, c if c.isprintable() else f"\\x{ord(c):02x}") for c in text)


def attention(
    maps: Array,
    labels: Sequence[str],
    key_labels: Sequence[str] | None = None,
    *,
    title: str = "Attention",
    columns: int = 4,
) -> Drawing:
    """One map per head, `[h, t, s]` or one `[t, s]`: a row is a token that reads, a column one that is read.

    Darker means more; a weight of exactly 0 (a token that cannot be seen) is grey. `key_labels` names the columns
    where they are other tokens than the rows (cross attention).
    """
    maps = np.asarray(maps, np.float64)
    maps = maps[None] if maps.ndim == 2 else maps
    rows, keys = (
        [_short(label) for label in labels],
        [_short(label) for label in key_labels or labels],
    )
    if maps.ndim != 3 or maps.shape[1:] != (len(rows), len(keys)) or not maps.size:
        raise InputError(
            f"maps {list(maps.shape)} do not fit [heads, {len(rows)}, {len(keys)}]: one label per row and column"
        )
    if not ((maps >= 0) & (maps <= 1.001)).all():
        bad = maps[~((maps >= 0) & (maps <= 1.001))][0]
        raise InputError(
            f"a map holds {bad:.4g}: weights are from 0 to 1, as `attention_map` and `trace` give them"
        )
    heads, t, s = maps.shape
    columns = max(1, min(columns, heads))
    cell = max(3, min(26 if heads == 1 else 15, 700 // max(t, s)))
    left = 24 + max(width_of(label, LABEL) for label in rows)
    top = 66 + max(width_of(label, LABEL) for label in keys)
    w, h, gap, down = s * cell, t * cell, 22, 34
    lines = math.ceil(heads / columns)
    d = Drawing(
        max(left + columns * (w + gap) + 10, left + 330), top + lines * (h + down) + 44, title
    )
    d.text(left, 28, title, 16, font_weight="600")
    for head in range(heads):
        x, y = left + head % columns * (w + gap), top + head // columns * (h + down)
        if head % columns == 0:
            _labels(d, rows, left - 6, y, cell, turned=False)
        if head < columns:
            _labels(d, keys, x, top - 6, cell, turned=True)
        d.image(x, y, w, h, np.repeat(np.repeat(_map(maps[head]), cell, 0), cell, 1))
        d.rect(x - 0.5, y - 0.5, w + 1, h + 1, "none", stroke="#c4cad4")
        if heads > 1:
            d.text(x + w / 2, y + h + 17, f"head {head}", 11, MUTED, "middle")
    _legend(
        d,
        left,
        top + lines * (h + down) + 8,
        BLUES,
        [(0, "0"), (0.05, ".05"), (0.25, ".25"), (0.5, ".5"), (1, "1")],
        "weight",
        0.5,
    )
    return d


def _map(weights: Array) -> NDArray[np.uint8]:
    """Colours of one map; the root makes weights of a few per cent visible."""
    pixels = shade(np.sqrt(weights))
    pixels[weights == 0] = (240, 241, 243)
    return pixels


def _short(label: str) -> str:
    return label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"


def _labels(
    d: Drawing, labels: list[str], x: float, y: float, cell: float, *, turned: bool
) -> None:
    """Labels down the left side or, turned, along the top of a map; as many as fit."""
    for i in range(0, len(labels), math.ceil((LABEL + 1) / cell)):
        along = (i + 0.5) * cell + 0.35 * LABEL
        if turned:
            d.label(
                x + along, y, labels[i], LABEL, transform=f"rotate(-90 {x + along:.2f} {y:.2f})"
            )
        else:
            d.label(x, y + along, labels[i], LABEL, anchor="end")


def probabilities(
    log_probabilities: Any,
    labels: Sequence[str],
    *,
    title: str = "Surprise of each token",
    width: int = 760,
    most: float = 12.0,
) -> Drawing:
    """A text whose tokens are coloured by how unexpected they were: natural logarithms `[t]` in, bits shown.

    White is certain, dark red is `most` bits or more. A token without a number (NaN; the first, as a rule) is grey.
    """
    values = np.asarray(log_probabilities, np.float64).reshape(-1)
    if len(values) != len(labels):
        raise InputError(
            f"{len(values)} probabilities for {len(labels)} labels: give one per token"
        )
    number("most", most, 0, open_below=True)
    if (values > 1e-6).any():
        raise InputError(
            f"log-probability {values.max():.4g} is above 0; give logarithms, not probabilities or losses"
        )
    # The boxes show where a token starts; spaces need no mark unless they are all there is.
    shown = [label if label.strip("␣") == "" else label.replace("␣", " ") for label in labels]
    places, y = _flow(shown, width)
    d = Drawing(width, y + 36, title)
    d.text(MARGIN, 30, title, 16, font_weight="600")
    known = values[~np.isnan(values)]
    mean = (
        f"{-known.mean() / math.log(2):.2f} bits a token on average"
        if known.size
        else "no token has a number"
    )
    d.text(width - MARGIN, 30, mean, 12, MUTED, "end")
    _legend(
        d,
        MARGIN,
        44,
        REDS,
        [(v / most, f"{v:g}") for v in (0, most / 4, most / 2, 3 * most / 4)] + [(1, f"{most:g}+")],
        "bits",
        1,
    )
    for value, label, (x, y, w) in zip(values.tolist(), shown, places, strict=True):
        unknown = math.isnan(value)
        bits = 0.0 if unknown else -value / math.log(2)
        fill, ink = (GRID, INK) if unknown else colour(bits / most, REDS)
        tip = (
            f"{label}: no number"
            if unknown
            else f"{label}: probability {math.exp(value):.3g}, {bits:.2f} bits"
        )
        d.rect(x, y - 17, w - 1, 23, fill, tip=tip, rx=3)
        d.label(x + 1, y, label, TEXT, ink, pointer_events="none")
    return d


def _flow(labels: Sequence[str], width: int) -> tuple[list[tuple[float, float, float]], float]:
    """Where each label's box stands in lines of a width: x, baseline and its own width; and the last baseline."""
    places, x, y, row = [], float(MARGIN), 92.0, 27
    for label in labels:
        w = max(width_of(label, TEXT), 5.0) + 3
        if x + w > width - MARGIN and x > MARGIN:
            x, y = float(MARGIN), y + row
        places.append((x, y, w))
        x += w
        if label.endswith("⏎"):
            x, y = float(MARGIN), y + row
    return places, y


def _legend(
    d: Drawing,
    x: float,
    y: float,
    ramp: Any,
    ticks: list[tuple[float, str]],
    what: str,
    power: float,
) -> None:
    """A bar of colours with the values that they stand for."""
    w = 220
    d.image(x, y, w, 9, np.repeat(shade(np.linspace(0, 1, w), ramp)[None], 9, 0))
    d.rect(x - 0.5, y - 0.5, w + 1, 10, "none", stroke="#c4cad4")
    for value, name in ticks:
        d.text(x + w * value**power, y + 22, name, 10, MUTED, "middle")
    d.text(x + w + 12, y + 9, what, 11, MUTED)
