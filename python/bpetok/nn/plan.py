"""Where a forward pass reads and writes the keys and values of a `State`, decided once for all layers.

>>> empty = np.zeros((1, 1, 0, 2))
>>> state = State(np.zeros(1, np.int64), np.zeros(1, np.int64), (KeyValues(empty, empty),))
>>> plan = make_plan(state, counts=np.array([3]), new=3)
>>> plan.capacity, plan.query_positions.tolist()
(64, [[0, 1, 2]])
>>> kept, seen, _ = plan.extend(state.layers[0], np.ones((1, 1, 3, 2)), np.ones((1, 1, 3, 2)))
>>> kept.keys.shape, seen.shape  # room for more, and what may be looked at now
((1, 1, 64, 2), (1, 1, 3, 2))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.state import KeyValues, State, sealed, unsealed

__all__ = ["Plan", "make_plan"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Plan:
    """Where one forward pass reads and writes the buffers; the same for every attention layer."""

    lengths: NDArray[np.int64]  # real tokens before the new ids, [b]
    counts: NDArray[np.int64]  # real tokens among the new ids, [b]
    base: NDArray[np.int64]  # position of slot 0 while the pass runs, [b]
    start: NDArray[np.int64]  # slot of the first new key, [b]
    source: NDArray[np.int64] | None  # old slots that become slot 0, [b]; None: write in place
    capacity: int
    first: int  # slots before this one no new query can see
    used: int  # slots from this one on no row has filled
    even: bool  # every row has the same length and count: one slice instead of a loop
    window: int | None  # set when only this many keys are to be kept after the pass

    def extend(self, old: KeyValues, keys: Array, values: Array) -> tuple[KeyValues, Array, Array]:
        """Add new keys and values `[b, g, t, d]`; gives what to keep and what may be seen, `[b, g, s, d]` twice."""
        k, v = self._extend(old.keys, keys), self._extend(old.values, values)
        seen = k[:, :, self.first : self.used], v[:, :, self.first : self.used]
        if self.window is not None:
            k, v = self._trim(k), self._trim(v)
        return KeyValues(sealed(k), sealed(v)), *seen

    def _extend(self, old: Array, new: Array) -> Array:
        if self.source is None:
            buffer = unsealed(old)
        else:
            buffer = np.zeros((*new.shape[:2], self.capacity, new.shape[3]), new.dtype)
            self._move(old, self.source, buffer, self.start)
        counts, start = self.counts.tolist(), self.start.tolist()
        for row, at, n in zip(self._rows(), start, counts, strict=False):
            buffer[row, :, at : at + n] = new[row, :, :n]
        return buffer

    def _trim(self, full: Array) -> Array:
        """The last keys of each row at the front of a buffer with room for as many again."""
        assert self.window is not None
        kept = self.end - self.base_after
        small = np.zeros((*full.shape[:2], 2 * self.window, full.shape[3]), full.dtype)
        self._move(full, self.base_after - self.base, small, kept)
        return small

    def _move(
        self, old: Array, source: NDArray[np.int64], new: Array, count: NDArray[np.int64]
    ) -> None:
        for row, at, n in zip(self._rows(), source.tolist(), count.tolist(), strict=False):
            new[row, :, :n] = old[row, :, at : at + n]

    def _rows(self) -> list[slice]:
        return [slice(None)] if self.even else [slice(i, i + 1) for i in range(len(self.counts))]

    @property
    def end(self) -> NDArray[np.int64]:
        """Real tokens after the new ids, `[b]`."""
        return self.lengths + self.counts

    @property
    def base_after(self) -> NDArray[np.int64]:
        """Position of slot 0 in what is kept, `[b]`."""
        return (
            self.base
            if self.window is None
            else self.end - np.minimum(self.end - self.base, self.window)
        )

    @property
    def key_positions(self) -> NDArray[np.int64]:
        """Positions of the viewed slots, `[r, s]`; slots past a row's end come after its queries, so are unseen."""
        base = self.base[:1] if self.even else self.base
        return base[:, None] + np.arange(self.first, self.used)

    @property
    def query_positions(self) -> NDArray[np.int64]:
        """Positions of the new ids, padding last, `[r, t]`."""
        lengths = self.lengths[:1] if self.even else self.lengths
        return lengths[:, None] + np.arange(self.used - int(self.start.max(initial=0)))


def make_plan(state: State, counts: NDArray[np.int64], new: int) -> Plan:
    """Decide where `new` ids go, of which the first `counts [b]` are real."""
    lengths, base, window = state.lengths, state.base, state.window
    capacity = min(
        (layer.keys.shape[2] for layer in state.layers if isinstance(layer, KeyValues)), default=0
    )
    start = lengths - base
    even = bool(
        (counts == new).all() and (lengths == lengths[:1]).all() and (base == base[:1]).all()
    )
    source = None
    try:
        state.claim.pop()  # one thread wins: list.pop is atomic
    except IndexError:
        source = np.zeros_like(start)
    used, trim = int(start.max(initial=0)) + new, None
    if used > capacity:
        kept = start if window is None else np.minimum(start, window)
        source, start, base = start - kept, kept, lengths - kept
        used = int(start.max(initial=0)) + new
        if window is None:
            capacity = max(64, used + used // 2)
        else:
            capacity, trim = max(used, 2 * window), window if used > 2 * window else None
    first = 0 if window is None else max(0, int(start.min(initial=0)) + 1 - window)
    return Plan(lengths, counts, base, start, source, capacity, first, used, even, trim)
