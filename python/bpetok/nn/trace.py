"""Writing down what happens inside: a recorder that names arrays, and does nothing unless asked.

>>> import numpy as np
>>> book = {}
>>> Recorder(book).at("block.0")("out", np.ones(2))
>>> list(book)
['block.0.out']
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

__all__ = ["SILENT", "Recorder"]


class Recorder:
    """Call it with a name and an array; names nest through `at`. False in a condition when nothing is kept."""

    __slots__ = ("_book", "_prefix")

    def __init__(self, book: dict[str, NDArray[Any]] | None = None, prefix: str = "") -> None:
        """Record into `book`, or nowhere when it is None."""
        self._book, self._prefix = book, prefix

    def __bool__(self) -> bool:
        """Whether anything is being recorded; maps that are only made for a trace ask this first."""
        return self._book is not None

    def __call__(self, name: str, array: NDArray[Any]) -> None:
        """Keep a copy of `array` under `name`; a copy, because the forward pass goes on in place."""
        if self._book is not None:
            self._book[self._prefix + name] = array.copy()

    def at(self, name: str) -> Recorder:
        """A recorder whose names start with `name` and a dot."""
        return self if self._book is None else Recorder(self._book, f"{self._prefix}{name}.")


SILENT = Recorder()
