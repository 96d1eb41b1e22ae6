"""A drawing as text: the few SVG elements that `pictures.py` needs, colours, and a PNG encoder.

A `Drawing` shows itself in a notebook and saves itself to a file. Widths of text are fixed with
`textLength`, so that a label fits its place in whatever font the viewer has.

>>> d = Drawing(40, 20, "a square")
>>> d.rect(5, 5, 10, 10, "#123456")
>>> print(d)
<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" viewBox="0 0 40 20" role="img" font-family="system-ui, 'DejaVu Sans', sans-serif"><title>a square</title>
<rect width="40" height="20" fill="#ffffff"/>
<rect x="5" y="5" width="10" height="10" fill="#123456"/>
</svg>
"""

from __future__ import annotations

import base64
import os
import struct
import unicodedata
import zlib
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.errors import InputError

__all__ = ["BLUES", "INK", "MUTED", "Drawing", "colour", "png", "shade", "width_of"]

INK, MUTED, GRID = "#1d2433", "#667085", "#e4e7ec"
SANS, MONO = "system-ui, 'DejaVu Sans', sans-serif", "ui-monospace, 'DejaVu Sans Mono', monospace"
# From light to dark, in steps that look about equal; readable in grey and with any colour vision.
BLUES = (
    (255, 255, 255),
    (206, 224, 242),
    (129, 178, 220),
    (52, 121, 184),
    (15, 68, 130),
    (6, 27, 66),
)
REDS = (
    (255, 255, 255),
    (254, 232, 200),
    (252, 187, 132),
    (239, 117, 72),
    (196, 46, 36),
    (112, 8, 20),
)


_OTHERS = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf"})


class Drawing:
    """An SVG picture that grows element by element."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height = round(width), round(height)
        size = f'width="{self.width}" height="{self.height}"'
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {self.width} {self.height}" role="img" '
            f'font-family="{SANS}"><title>{_text(title)}</title>',
            f'<rect {size} fill="#ffffff"/>',
        ]

    def add(
        self, tag: str, content: str | None = None, tip: str | None = None, **attributes: Any
    ) -> None:
        """Add an element; in an attribute's name `_` stands for `-` and `__` for `:`; `tip` shows on hover."""
        pairs = (
            (name.replace("__", ":").replace("_", "-"), value)
            for name, value in attributes.items()
            if value is not None
        )
        head = f"<{tag}" + "".join(f" {name}={quoteattr(_number(value))}" for name, value in pairs)
        inside = ("" if tip is None else f"<title>{_text(tip)}</title>") + (
            "" if content is None else _text(content)
        )
        self.parts.append(f"{head}>{inside}</{tag}>" if inside else f"{head}/>")

    def rect(
        self, x: float, y: float, w: float, h: float, fill: str, tip: str | None = None, **more: Any
    ) -> None:
        """A filled rectangle."""
        self.add("rect", tip=tip, x=x, y=y, width=w, height=h, fill=fill, **more)

    def line(
        self, x1: float, y1: float, x2: float, y2: float, stroke: str = GRID, **more: Any
    ) -> None:
        """A straight line."""
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke, **more)

    def polyline(self, points: str, stroke: str, tip: str | None = None, **more: Any) -> None:
        """Straight lines from point to point, `"x,y x,y ..."`."""
        more |= {"stroke_width": 2.5, "stroke_linejoin": "round"}
        self.add("polyline", tip=tip, points=points, fill="none", stroke=stroke, **more)

    def text(
        self,
        x: float,
        y: float,
        content: str,
        size: float = 12,
        fill: str = INK,
        anchor: str = "start",
        **more: Any,
    ) -> None:
        """A line of text; `y` is its baseline."""
        self.add(
            "text",
            content,
            x=x,
            y=y,
            font_size=size,
            fill=fill,
            text_anchor=anchor,
            xml__space="preserve",
            **more,
        )

    def label(
        self,
        x: float,
        y: float,
        content: str,
        size: float,
        fill: str = INK,
        anchor: str = "start",
        **more: Any,
    ) -> None:
        """A token in a fixed-width font, exactly as wide as `width_of` says."""
        width = width_of(content, size)
        more |= {
            "font_family": MONO,
            "textLength": width or None,
            "lengthAdjust": "spacingAndGlyphs",
        }
        self.text(x, y, content, size, fill, anchor, **more)

    def image(self, x: float, y: float, w: float, h: float, pixels: NDArray[np.uint8]) -> None:
        """Pixels `[h, w, 3]`, as a PNG inside the SVG."""
        data = base64.b64encode(png(pixels)).decode()
        self.add(
            "image",
            x=x,
            y=y,
            width=w,
            height=h,
            href=f"data:image/png;base64,{data}",
            preserveAspectRatio="none",
        )

    def __str__(self) -> str:
        return "\n".join([*self.parts, "</svg>"])

    def _repr_svg_(self) -> str:
        return str(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to an `.svg` file, which browsers show and `rsvg-convert` or Inkscape turn into others."""
        suffix = Path(path).suffix.lower()
        if suffix in _OTHERS:
            raise InputError(f"a drawing is SVG, not {suffix}: save it as .svg and convert that")
        Path(path).write_text(str(self) + "\n", "utf-8")


def width_of(text: str, size: float) -> float:
    """Width of a label: 0.6 of its size for a character, twice that for a wide one, nothing for a combining one."""
    wide = {"W": 2, "F": 2}
    cells = sum(
        0 if unicodedata.combining(c) else wide.get(unicodedata.east_asian_width(c), 1)
        for c in text
    )
    return round(0.6 * size * cells, 2)


def shade(values: Any, ramp: tuple[tuple[int, int, int], ...] = BLUES) -> NDArray[np.uint8]:
    """Colours of numbers from 0 to 1: `[...] -> [..., 3]`."""
    at = np.clip(np.nan_to_num(np.asarray(values, np.float64)), 0, 1) * (len(ramp) - 1)
    stops = np.array(ramp, np.float64)
    channels = [np.interp(at, np.arange(len(ramp)), stops[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, -1)).astype(np.uint8)


def colour(value: float, ramp: tuple[tuple[int, int, int], ...] = BLUES) -> tuple[str, str]:
    """The colour of a number from 0 to 1, and the colour of text that is readable on it."""
    rgb = shade(value, ramp)
    # Relative luminance and contrast as WCAG 2 defines them; the ink's own luminance is 0.017.
    parts = rgb / 255.0
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722))) + 0.05
    return "#" + rgb.tobytes().hex(), INK if luminance / 0.067 > 1.05 / luminance else "#ffffff"


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of pixels `[h, w, 3]` (ISO/IEC 15948: signature, then IHDR, IDAT and IEND chunks)."""
    pixels = np.ascontiguousarray(pixels, np.uint8)
    height, width, _ = pixels.shape
    # Each row starts with the number of its filter: 0, none.
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, red green blue
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
            chunk(b"IEND", b""),
        ]
    )


def _number(value: Any) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _text(content: str) -> str:
    """Escaped, without the control characters that XML forbids."""
    return escape(
        "".join(
            c
            if c >= " " and c not in "\ufffe\uffff" and not 0xD800 <= ord(c) < 0xE000
            else "\ufffd"
            for c in content
        )
    )
