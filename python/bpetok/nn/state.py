"""What a model remembers of the ids it has read: immutable to its holder, cheap to extend.

A `State` is never changed: running on gives a new one and the old one stays valid, so a prompt can be read
once and continued in many ways. Keys and values still are not copied at every step. They sit in buffers with
room to spare, and each state has one *claim*: the first step taken from it may write into the spare room,
beyond everything any state can see. A second step from the same state finds the claim gone and copies.

A window keeps only the last `window` keys, in a buffer of twice that; when it is full they move to the front of
a new one, one copy every `window` tokens. State-space layers keep a few convolution inputs and one matrix per channel.

>>> import numpy as np
>>> s = State(lengths=np.zeros(1, np.int64), base=np.zeros(1, np.int64), layers=())
>>> s.nbytes
0
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.errors import InputError
from bpetok.nn.inputs import as_array

__all__ = ["KeyValues", "Recurrent", "State", "row_numbers", "sealed", "unsealed"]

Array = NDArray[Any]


def sealed(array: Array) -> Array:
    """A view through which nothing can be written."""
    view = array.view()
    view.setflags(write=False)
    return view


def unsealed(view: Array) -> Array:
    """The buffer under a sealed view; a copy where it was lost (to pickling, say)."""
    under = view.base
    if isinstance(under, np.ndarray) and under.shape == view.shape and under.flags.writeable:
        return under
    return view.copy()


@dataclass(frozen=True, eq=False)
class KeyValues:
    """Buffers of keys and values, `[b, g, capacity, d]` each; slot s of row i holds position `base[i] + s`."""

    keys: Array
    values: Array


@dataclass(frozen=True, eq=False)
class Recurrent:
    """A state-space layer's memory: the last convolution inputs `[b, k - 1, c]` and the SSM state `[b, ...]`."""

    conv: Array
    ssm: Array


@dataclass(frozen=True, eq=False)
class State:
    """What was read so far; pass it back with the next ids. `lengths [b]` counts the real tokens of each row."""

    lengths: NDArray[np.int64]
    base: NDArray[np.int64]  # position of the first slot of each row's buffers
    layers: tuple[KeyValues | Recurrent, ...]
    window: int | None = None
    claim: list[bool] = field(default_factory=lambda: [True], repr=False)

    @property
    def nbytes(self) -> int:
        """Bytes of what is remembered; spare room in the buffers is not counted."""
        live = int(self.lengths.max(initial=0))
        live = live if self.window is None else min(live, self.window)
        total = 0
        for layer in self.layers:
            if isinstance(layer, Recurrent):
                total += layer.conv.nbytes + layer.ssm.nbytes
            else:
                for part in (layer.keys, layer.values):
                    b, g, _, d = part.shape
                    total += b * g * live * d * part.itemsize
        return total

    @property
    def kind(self) -> tuple[Any, ...]:
        """What must be equal for one model to go on where another stopped: window, shapes and dtypes of a row."""
        parts = (
            (layer.keys, layer.keys.shape[1::2])
            if isinstance(layer, KeyValues)
            else (layer.ssm, layer.conv.shape[1:] + layer.ssm.shape[1:])
            for layer in self.layers
        )
        return (self.window, *((array.dtype, shape) for array, shape in parts))

    def select(self, rows: Any) -> State:
        """The state of some rows, in any order and number (beam search reorders with it)."""
        rows = row_numbers(rows, len(self.lengths))
        layers: list[KeyValues | Recurrent] = []
        for layer in self.layers:
            if isinstance(layer, Recurrent):
                layers.append(Recurrent(sealed(layer.conv[rows]), sealed(layer.ssm[rows])))
            else:
                layers.append(KeyValues(sealed(layer.keys[rows]), sealed(layer.values[rows])))
        return State(self.lengths[rows], self.base[rows], tuple(layers), self.window)


def row_numbers(rows: Any, there: int) -> Array:
    """Which rows, as an index array: it copies, and two states must never share spare room."""
    chosen = as_array(rows, "rows")
    if not chosen.size:  # an empty list, which is none of floats
        chosen = chosen.astype(np.int64)
    fits = chosen.ndim == 1 and (
        chosen.shape == (there,)
        if chosen.dtype == bool
        else chosen.dtype.kind in "iu" and ((chosen >= -there) & (chosen < there)).all()
    )
    if not fits:
        raise InputError(
            f"rows={rows!r:.80} must be a list of row numbers in 0..{there - 1}, or true and false for each of {there} rows"
        )
    return chosen
