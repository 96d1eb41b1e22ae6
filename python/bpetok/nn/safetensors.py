"""Reading and writing `.safetensors` files, without the library and without copying.

The file is an 8-byte little-endian length, a JSON header of that length, and the numbers. Tensors are views of
the memory-mapped file; float16 and bfloat16 are widened when asked for. Every length in the header is checked
against the file before anything is read. Format: https://huggingface.co/docs/safetensors, "Format".

>>> import numpy as np, tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "x.safetensors"
>>> write_safetensors(path, {"a": np.array([[1.0, 2.0]], np.float32)})
>>> read_safetensors(path)["a"].tolist()
[[1.0, 2.0]]
"""

from __future__ import annotations

import json
import math
import mmap
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpetok.atomic import open_atomic
from bpetok.nn.errors import WeightsError

__all__ = ["Tensors", "is_plain", "read_folder", "read_safetensors", "widen", "write_safetensors"]

Array = NDArray[Any]
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "BOOL": "?",
}  # fmt: skip
_LONGEST_HEADER = 100_000_000  # the reference library's own limit
_MOST_AXES = 32  # of an array in NumPy 1


class Tensors(Mapping[str, Array]):
    """The tensors of one file or of several shards by name; bfloat16 comes as float32, the rest as stored."""

    def __init__(self, places: dict[str, tuple[Any, str, tuple[int, ...], int]]) -> None:
        """Keep where each tensor lies: (buffer, dtype, shape, offset)."""
        self._places = places

    def __getitem__(self, name: str) -> Array:
        """A read-only view, except for bfloat16, which NumPy lacks."""
        buffer, dtype, shape, offset = self._places[name]
        view = np.frombuffer(buffer, _DTYPES[dtype], math.prod(shape), offset).reshape(shape)
        return widen(view) if dtype == "BF16" else view

    def __iter__(self) -> Iterator[str]:
        """Names, in file order."""
        return iter(self._places)

    def __len__(self) -> int:
        """Number of tensors."""
        return len(self._places)


def widen(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """bfloat16 is the upper half of a float32: `[...] -> [...]`, exact."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def read_safetensors(path: str | os.PathLike[str]) -> Tensors:
    """Open one file."""
    path = Path(path)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < 8:
            raise WeightsError(f"{path}: {size} bytes are too few for a safetensors file")
        buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    length = int.from_bytes(buffer[:8], "little")
    if length > min(size - 8, _LONGEST_HEADER):
        raise WeightsError(f"{path}: the header claims {length} bytes, the file has {size}")
    header = _header(buffer[8 : 8 + length], path)
    places = {}
    for name, entry in header.items():
        dtype, shape, start, end = _entry(entry, f"{path}: tensor {name}")
        needed = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
        if end - start != needed or 8 + length + end > size:
            raise WeightsError(
                f"{path}: tensor {name} needs {needed} bytes; bytes {start}..{end} of {size} do not fit"
            )
        places[name] = (buffer, dtype, shape, 8 + length + start)
    _check_apart(header, path)
    return Tensors(places)


def _header(text: bytes, path: Path) -> dict[str, Any]:
    """The entries of a header by tensor name."""
    try:
        header = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise WeightsError(
            f"{path}: the header is not that of a safetensors file ({error})"
        ) from error
    if not isinstance(header, dict):
        raise WeightsError(
            f"{path}: the header is not that of a safetensors file (a {type(header).__name__}, no object)"
        )
    header.pop("__metadata__", None)
    return header


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose names are all different; `json` would keep the last of two and say nothing."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, count in Counter(k for k, _ in pairs).items() if count > 1)
        raise ValueError(f"{twice!r} stands in it twice")
    return found


def _entry(entry: Any, what: str) -> tuple[str, tuple[int, ...], int, int]:
    """One tensor's dtype, shape, and first and last byte, each known to be one."""
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        raise WeightsError(
            f"{what} is {entry!r:.80} in the header; it needs dtype, shape and data_offsets"
        )
    dtype, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise WeightsError(f"{what} has dtype {dtype!r:.80}; known: {', '.join(_DTYPES)}")
    if not (_sizes(shape) and _sizes(place) and len(place) == 2):
        raise WeightsError(
            f"{what} has a shape or place that is no size: {shape!r:.80}, {place!r:.80}"
        )
    if len(shape) > _MOST_AXES:
        raise WeightsError(f"{what} has {len(shape)} axes; at most {_MOST_AXES} can be read")
    # NumPy multiplies all lengths but the zeros, so that an empty tensor can be too large as well.
    if math.prod(n or 1 for n in shape) * np.dtype(_DTYPES[dtype]).itemsize > sys.maxsize:
        raise WeightsError(f"{what} has shape {shape}, more than {sys.maxsize} bytes")
    return dtype, tuple(shape), place[0], place[1]


def _sizes(value: Any) -> bool:
    """Whether it is a list of whole numbers from 0; JSON's true and false are none."""
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _check_apart(header: Mapping[str, Any], path: Path) -> None:
    """Refuse tensors that share bytes, as the reference library does; empty ones have none to share."""
    places = sorted((*e["data_offsets"], name) for name, e in header.items())
    filled = [place for place in places if place[0] < place[1]]
    for (_, end, first), (start, _, second) in pairwise(filled):
        if start < end:
            raise WeightsError(
                f"{path}: tensors {first} and {second} overlap: one ends at byte {end}, the other begins at {start}"
            )


def is_plain(name: Any) -> bool:
    """Whether a file name that a file gives is that of a neighbour: no path, no folder, none that `open` refuses."""
    return (
        isinstance(name, str) and name not in ("", "..") and Path(name).name == name
    ) and "\0" not in name


def read_folder(folder: str | os.PathLike[str]) -> Tensors:
    """Open `model.safetensors`, or else every shard that `model.safetensors.index.json` lists.

    What a shard holds beyond the list comes too: whoever asks for tensors by name must see those that nobody asks for.
    """
    folder = Path(folder)
    index, whole = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if whole.exists() or not index.exists():
        return read_safetensors(whole)
    owner = _owners(index)
    places = {}
    for shard in sorted(set(owner.values())):
        tensors = read_safetensors(folder / shard)
        for name in (n for n, s in owner.items() if s == shard):
            if name not in tensors:
                raise WeightsError(f"{index}: tensor {name} is not in {shard}")
        for name, place in tensors._places.items():
            if name in places or owner.get(name, shard) != shard:
                raise WeightsError(
                    f"{index}: tensor {name} is in {shard} and in another shard as well: only one of them can be meant"
                )
            places[name] = place
    return Tensors(places)


def _owners(index: Path) -> dict[str, str]:
    """Which shard holds which tensor, as an index says."""
    try:
        owner = json.loads(index.read_text("utf-8"), object_pairs_hook=_once)["weight_map"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(f"{index}: no weight_map in it ({error})") from error
    if not isinstance(owner, dict):
        raise WeightsError(f"{index}: weight_map must be an object, tensor names to file names")
    for name, shard in owner.items():
        if not is_plain(shard):
            raise WeightsError(
                f"{index}: shard {shard!r:.80} of tensor {name} must be a plain file name in the same folder"
            )
    return owner


def write_safetensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Array], dtype: DTypeLike | None = None
) -> None:
    """Write arrays (float32 as float16 with `dtype="float16"`, for instance), atomically.

    A dtype that would turn a number into infinity, or cut off fractions, is a WeightsError.
    """
    names = {np.dtype(v).str.lstrip("<|="): k for k, v in _DTYPES.items() if k != "BF16"}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    blocks, at = [], 0
    for name, array in tensors.items():
        if name in header:  # which readers take for no tensor
            raise WeightsError(
                f"no tensor can be called {name}: the format keeps that name; choose another"
            )
        array = np.asarray(array, order="C")
        if dtype is not None:
            array = _narrowed(name, array, np.dtype(dtype))
        code = array.dtype.newbyteorder("<").str.lstrip("<|=")
        if code not in names:
            raise WeightsError(
                f"tensor {name} has dtype {array.dtype}, which safetensors cannot hold"
            )
        header[name] = {
            "dtype": names[code],
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        blocks.append(array.astype(array.dtype.newbyteorder("<"), copy=False))
        at += array.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open_atomic(path) as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for block in blocks:
            file.write(block.tobytes())


def _narrowed(name: str, array: Array, kind: np.dtype[Any]) -> Array:
    """An array in another dtype, whose range must hold it."""
    if not np.can_cast(array.dtype, kind, "same_kind"):
        raise WeightsError(
            f"tensor {name} is {array.dtype}, and {kind} cannot hold its numbers; write it in a float dtype, or as it is"
        )
    with np.errstate(over="ignore"):
        narrow = array.astype(kind)
    lost = np.isinf(narrow) & np.isfinite(array) if kind.kind == "f" else narrow != array
    if lost.any():
        most = np.finfo(kind).max if kind.kind == "f" else np.iinfo(kind).max
        raise WeightsError(
            f"tensor {name} holds {array[lost][0]}, and {kind} ends at {most}; write it in a wider dtype, or as it is"
        )
    return narrow
