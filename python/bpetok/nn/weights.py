"""From a file's tensors to the weights of `shapes.py`: renamed, joined, transposed, checked, rounded once.

Every weight the config asks for must be there with its shape, and every tensor in the file must be one that was
asked for: a tensor nobody reads is a part of the model that nobody runs.

>>> c = Config("linear_ssm", vocab_size=3, width=2, layers=0, tied=True)
>>> file = {
...     "embed.weight": np.ones((3, 2), np.float32),
...     "final_norm.weight": np.ones(2, np.float32),
... }
>>> sorted(collect(c, file, "float64").stack.top)
['embed', 'final_norm.w']
>>> collect(c, file | {"bias": np.ones(3)}, "float64")
Traceback (most recent call last):
bpetok.nn.errors.WeightsError: tensor bias [3] has no place in a linear_ssm of this config: nobody would read it
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpetok.nn.config import Config
from bpetok.nn.errors import WeightsError
from bpetok.nn.families import FAMILIES, IGNORED, Names
from bpetok.nn.shapes import (
    Shape,
    head_shapes,
    layer_shapes,
    missing_of_heads,
    part_shapes,
    stack_shapes,
)

__all__ = ["Stack", "Weights", "collect"]

Array = NDArray[Any]
Params = dict[str, Any]
_ROWS = 1024  # compared at a time


@dataclass(frozen=True, eq=False)
class Stack:
    """One stack's settings and weights: those outside the layers, and one dictionary per layer."""

    config: Config
    top: Params
    layers: tuple[Params, ...]


@dataclass(frozen=True, eq=False)
class Weights:
    """A model's weights: the stack that makes logits, the encoder under it if there is one, and the heads."""

    stack: Stack
    heads: Params
    encoder: Stack | None = None

    def map(self, f: Callable[[str, Any], Any]) -> Weights:
        """The same with `f(name, weight)` for each weight; names say where it is, as `encoder.layers.0.mix.qkv.w`."""

        def change(group: Params, prefix: str) -> Params:
            return {name: f(prefix + name, array) for name, array in group.items()}

        def stack(s: Stack, prefix: str) -> Stack:
            layers = tuple(change(p, f"{prefix}layers.{i}.") for i, p in enumerate(s.layers))
            return Stack(s.config, change(s.top, prefix), layers)

        encoder = stack(self.encoder, "encoder.") if self.encoder else None
        return Weights(stack(self.stack, ""), change(self.heads, "heads."), encoder)

    def rounded(self, dtype: DTypeLike) -> Weights:
        """The same in one dtype; those of another are rounded, once."""
        kind = np.dtype(dtype)
        made: dict[int, Any] = {}  # a table that two stacks share stays shared

        def cast(name: str, weight: Any) -> Any:
            if not hasattr(weight, "dtype"):
                raise WeightsError(
                    f"weight {name} is of type {type(weight).__name__}: it must be an array or a matrix in blocks"
                )
            if weight.dtype == kind:
                return weight
            if id(weight) not in made:
                made[id(weight)] = weight.astype(kind)
            return made[id(weight)]

        return self.map(cast)


@dataclass
class _Reader:
    """Looks tensors up by our names and remembers which were used."""

    tensors: Mapping[str, Array]
    names: Names
    dtype: Any
    used: set[str] = field(default_factory=set)
    made: dict[tuple[Any, ...], Array] = field(default_factory=dict)

    def find(self, c: Config, ours: str, template: str, shape: Shape, layer: int) -> Array | None:
        """Read one weight under the first spelling whose tensors are all there."""
        for spelling in template.split("|"):
            each = len(shape) == 3 and "{e}" in spelling
            joined = [
                spelling.replace("{i}", str(layer)).replace("{e}", str(e))
                for e in range(shape[0] or 0 if each else 1)
            ]
            found = [[self._name(part) for part in names.split("+")] for names in joined]
            if found and all(name is not None for names in found for name in names):
                shapes = part_shapes(c, ours, shape[1:] if each else shape, len(found[0]))
                turn = ours in self.names.transposed
                parts = [([n for n in names if n is not None], shapes, turn) for names in found]
                return (
                    np.stack([self._join(*of) for of in parts]) if each else self._once(*parts[0])
                )
        return None

    def _once(self, names: list[str], shapes: list[Shape], transposed: bool) -> Array:
        """The same array for the same tensors: a table may be that of two stacks."""
        key = (*names, *shapes, transposed)
        if key not in self.made:
            self.made[key] = self._join(names, shapes, transposed)
        return self.made[key]

    def _name(self, name: str) -> str | None:
        if name in self.tensors:
            return name
        bare = name.removeprefix(self.names.prefix)
        return bare if bare in self.tensors else None

    def _join(self, names: list[str], shapes: list[Shape], transposed: bool) -> Array:
        """One matrix of several, each checked by itself: two that are swapped have as many rows together."""
        parts = [
            self._part(name, shape, transposed) for name, shape in zip(names, shapes, strict=True)
        ]
        array = parts[0] if len(parts) == 1 else np.concatenate(parts)
        array = array.astype(self.dtype, copy=False)
        return array if array.flags.aligned else array.copy()

    def _part(self, name: str, shape: Shape, transposed: bool) -> Array:
        """One tensor of the file, which must hold numbers of the kind that weights are."""
        self.used.add(name)
        array = self.tensors[name]
        if array.dtype.kind != "f":
            raise WeightsError(
                f"tensor {name} is {array.dtype}; weights must be float16, bfloat16, float32 or float64: "
                "take the checkpoint that this one was quantised from"
            )
        return _shaped(array.T if transposed else array, shape, name)

    def read(
        self,
        c: Config,
        spelled: Mapping[str, str],
        shapes: Mapping[str, Shape],
        layer: int = 0,
        *,
        optional: bool = False,
    ) -> Params:
        """Read a group of weights, checking shapes; a missing one is an error unless `optional`."""
        params: Params = {}
        for ours, shape in shapes.items():
            template = spelled.get(ours, ours)
            array = self.find(c, ours, template, shape, layer)
            if array is not None:
                params[ours] = array
            elif not optional:
                name = template.split("|")[0].replace("{i}", str(layer)).replace("+", " and ")
                raise WeightsError(
                    f"tensor {name} is missing; the config asks for shape {list(shape)}"
                )
        return params


def _shaped(array: Array, shape: Shape, name: str) -> Array:
    """Check a shape, forgiving axes of length 1 that files keep (`[c, 1, k]`, `[1, v]`)."""
    if array.ndim > len(shape) and [n for n in array.shape if n != 1] == [
        n for n in shape if n != 1
    ]:
        array = array.reshape([n or 1 for n in shape])
    if array.ndim != len(shape) or any(
        want not in (None, got) for want, got in zip(shape, array.shape, strict=True)
    ):
        raise WeightsError(
            f"tensor {name} has shape {list(array.shape)}; the config asks for {list(shape)}"
        )
    return array


def collect(config: Config, tensors: Mapping[str, Array], dtype: DTypeLike) -> Weights:
    """Read the weights that `config` asks for out of a file's tensors."""
    names = FAMILIES[config.family].names
    reader = _Reader(tensors, names, np.dtype(dtype))
    spelled = dict(names.heads)
    tied_bias = spelled.pop("head.b, tied", None)
    if config.tied and tied_bias:
        spelled["head.b"] = tied_bias
    top = dict(names.stack)
    if config.tied:  # the one matrix that is both may be saved under either name
        top["embed"] += "|" + names.heads["head.w"]
    stack = _stack(reader, config, top, names.layer)
    if config.tied:
        _check_tied(reader, names.heads["head.w"], stack.top["embed"])
    encoder = (
        _stack(reader, config.encoder, names.encoder_stack, names.encoder_layer)
        if config.encoder
        else None
    )
    heads = reader.read(config, spelled, head_shapes(config), optional=True)
    _check_heads(reader, config, spelled, heads)
    weights = Weights(stack, heads, encoder)
    # Other spellings of a head hold copies of what was read.
    copies = {part for template in names.heads.values() for part in template.split("|")}
    for name in tensors:
        known = (
            name in reader.used
            or name in copies
            or any(re.search(pattern, name) for pattern in IGNORED)
        )
        if not known:
            raise WeightsError(
                f"tensor {name} {list(tensors[name].shape)} has no place in a {config.family} of this config: "
                "nobody would read it"
            )
    return weights


def _check_heads(reader: _Reader, c: Config, spelled: Mapping[str, str], heads: Params) -> None:
    """A head may be left out, and is otherwise there as a whole: one without its bias would be another head."""
    # A bias is called as its weight is, and a decoder's classifier of labels has none.
    biases = {name.removesuffix("weight") + "bias" for name in reader.used}
    biased = not biases.isdisjoint(spelled.get("classifier.b", "").split("|"))
    for missing in missing_of_heads(c, heads, biased):
        raise WeightsError(
            f"tensor {spelled.get(missing, missing).replace('|', ' or ')} is missing, and the rest of its head is there: "
            "a head must be whole, or left out altogether"
        )


def _check_tied(reader: _Reader, template: str, table: Array) -> None:
    """Beside a tied table a file may hold its copy; what differs from it is a classifier that nobody would read."""
    for name in template.split("|"):
        if name not in reader.tensors or name in reader.used:
            continue
        head = reader.tensors[name]
        if not _equal(head, table):
            raise WeightsError(
                f"tensor {name} {list(head.shape)} is no copy of the embedding table {list(table.shape)}, and the config "
                "ties the two: set tie_word_embeddings to false in config.json, or delete the tensor"
            )


def _equal(array: Array, table: Array) -> bool:
    """Whether a tensor would be read as `table`; a few rows at a time, since it may be gigabytes."""
    return array.shape == table.shape and all(
        np.array_equal(
            array[at : at + _ROWS].astype(table.dtype), table[at : at + _ROWS], equal_nan=True
        )
        for at in range(0, len(table), _ROWS)
    )


def _stack(reader: _Reader, c: Config, top: Mapping[str, str], layer: Mapping[str, str]) -> Stack:
    params = reader.read(c, top, stack_shapes(c))
    if c.positions.startswith("sinusoid"):  # not saved as a rule; where a file has them, they count
        params |= reader.read(c, top, {"positions": (c.max_positions, c.width)}, optional=True)
    layers = tuple(reader.read(c, layer, layer_shapes(c, i), i) for i in range(c.layers))
    return Stack(c, params, layers)
