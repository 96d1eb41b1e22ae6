"""Whole models in 4, 5 or 8 bits: which weights become blocks, what that costs, and files of them.

    small = quantize_model(model, "q4_0")                      # runs like `model`
    save(small, "folder", config)                              # config: the parsed config.json
    model = bpetok.nn.load("folder")                           # the same blocks again

Blocks are made of the large matrices that the forward pass only multiplies by or looks rows up in.
Norms, biases, position tables, convolutions, decays, routers and Mamba's step-size projections stay as
they are: together they are under 1 % of the weights and errors in them spread (llama.cpp's choice too).

The file is a safetensors file with this package's names (`layers.0.mix.qkv.w`, as `Model.map_weights`
gives them). A matrix in blocks is uint8 `[out, bytes of a row]`, experts `[expert, out, bytes of a row]`.
`config.json` has one more field, which other libraries refuse rather than misread:

    "quantization_config": {"quant_method": "bpetok", "version": 1, "tensors": {"embed": "q8_0", ...}}

>>> is_matrix("layers.0.mix.qkv.w", (96, 32)), is_matrix("layers.0.mix.conv.w", (64, 4))
(True, False)
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpetok.nn.config import Config
from bpetok.nn.errors import ConfigError, InputError, WeightsError
from bpetok.nn.quant import BLOCK, BLOCK_BYTES, QuantizedMatrix, block_bytes, measure, quantize
from bpetok.nn.safetensors import write_safetensors
from bpetok.nn.shapes import Shape, head_shapes, layer_shapes, stack_shapes
from bpetok.nn.weights import Stack, Weights

__all__ = ["QuantizedExperts", "Row", "collect_quantized", "compare", "is_matrix", "quantize_model", "save"]

Array = NDArray[Any]
_MATRICES = {
    *("embed", "head.w", "mix.qkv.w", "mix.out.w", "mix.in.w", "cross.q.w", "cross.kv.w", "cross.out.w"),
    *("ffn.up.w", "ffn.down.w", "ffn.experts.up.w", "ffn.experts.down.w", "pool.w", "mlm.w"),
}


class QuantizedExperts:
    """The matrices of a mixture, `[expert, out, in]`: `experts[i]` is the i-th expert's `QuantizedMatrix`."""

    def __init__(self, matrices: Iterable[QuantizedMatrix]) -> None:
        self.matrices = tuple(matrices)
        self.format, self.dtype = self.matrices[0].format, self.matrices[0].dtype
        self.shape = (len(self.matrices), *self.matrices[0].shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all blocks."""
        return sum(matrix.nbytes for matrix in self.matrices)

    @property
    def blocks(self) -> Array:
        """uint8 `[expert, out, bytes of a row]`."""
        return np.stack([matrix.blocks for matrix in self.matrices])

    def __getitem__(self, expert: int) -> QuantizedMatrix:
        return self.matrices[expert]


def is_matrix(name: str, shape: tuple[int | None, ...]) -> bool:
    """Whether a weight becomes blocks: one of the large matrices, with rows of whole blocks."""
    suffixes = (".".join(name.split(".")[-n:]) for n in (1, 2, 3, 4))
    return not _MATRICES.isdisjoint(suffixes) and (shape[-1] or 1) % BLOCK == 0


def quantize_model(
    model: Any, format: str = "q4_0", *, overrides: Mapping[str, str] | None = None, threads: int | None = None
) -> Any:
    """A model with the same interface whose large matrices are blocks.

    `overrides` gives some weights another format by the end of their name: `{"embed": "q8_0"}` or, in full,
    `{"layers.0.ffn.up.w": "q8_0"}`.
    """
    for each in (format, *(overrides or {}).values()):
        block_bytes(each)
    made: dict[int, Any] = {}  # a table that two stacks share stays shared

    def change(name: str, weight: Any) -> Any:
        if not isinstance(weight, np.ndarray) or not is_matrix(name, weight.shape):
            return weight
        if id(weight) not in made:
            wanted = next((f for end, f in (overrides or {}).items() if f".{name}".endswith(f".{end}")), format)
            made[id(weight)] = _quantize(weight, wanted, threads)
        return made[id(weight)]

    return model.map_weights(change)


def _quantize(weight: Array, format: str, threads: int | None) -> QuantizedMatrix | QuantizedExperts:
    if weight.ndim == 3:
        return QuantizedExperts(quantize(expert, format, threads=threads) for expert in weight)
    return quantize(weight, format, threads=threads)


@dataclass(frozen=True)
class Row:
    """One line of `compare`."""

    format: str
    nbytes: int
    relative_error: float  # of the weights in blocks, all together
    score: float
    change: float  # against the model as it was


def compare(model: Any, score: Callable[[Any], float], formats: Iterable[str] = tuple(BLOCK_BYTES)) -> list[Row]:
    """Bytes, error and a score of the model as it is and in each format.

    The score is usually `lambda m: bpetok.nn.bits_per_byte(m, tok, text)`.
    """
    before = score(model)
    rows = [Row(str(model.dtype), model.nbytes, 0.0, before, 0.0)]
    for format in formats:
        small = quantize_model(model, format)
        after = score(small)
        rows.append(Row(format, small.nbytes, _error(model, small), after, after - before))
    return rows


def _error(model: Any, small: Any) -> float:
    weights, squares, differences = dict(named_weights(model)), 0.0, 0.0
    for name, q in named_weights(small):
        pairs = [(weights[name], q)] if isinstance(q, QuantizedMatrix) else []
        if isinstance(q, QuantizedExperts):
            pairs = list(zip(weights[name], q.matrices, strict=True))
        for weight, matrix in pairs:
            error = measure(weight, matrix)
            differences += error.rms**2 * weight.size
            squares += float(np.square(weight, dtype=np.float64).sum())
    return (differences / squares) ** 0.5 if squares else 0.0


def named_weights(model: Any) -> list[tuple[str, Any]]:
    """Every weight of a model with its full name, in the order of `Model.map_weights`."""
    found: list[tuple[str, Any]] = []

    def note(name: str, weight: Any) -> Any:
        found.append((name, weight))
        return weight

    model.map_weights(note)
    return found


def save(model: Any, folder: str | os.PathLike[str], config: Mapping[str, Any]) -> None:
    """Write `config.json` and `model.safetensors`; `config` is the parsed config.json the model was made from."""
    folder = Path(folder)
    tensors: dict[str, Array] = {}
    formats: dict[str, str] = {}
    for name, weight in named_weights(model):
        if isinstance(weight, QuantizedMatrix | QuantizedExperts):
            formats[name], tensors[name] = weight.format, weight.blocks
        else:
            tensors[name] = weight
    if not formats:
        raise InputError("no weight of this model is in blocks; call quantize_model first")
    setting = {"quant_method": "bpetok", "version": 1, "tensors": formats}
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / "model.safetensors", tensors)
    text = json.dumps({**config, "quantization_config": setting}, indent=2)
    (folder / "config.json").write_text(text + "\n", "utf-8")


def collect_quantized(
    config: Config, tensors: Mapping[str, Array], setting: Mapping[str, Any], dtype: DTypeLike = np.float32
) -> Weights:
    """Read what `save` wrote: a file's tensors and `config.json`'s `quantization_config`, checked against `config`."""
    formats, dtype = _formats(setting), np.dtype(dtype)
    used: set[str] = set()

    def read(shapes: Mapping[str, Shape], prefix: str, optional: bool) -> dict[str, Any]:
        params = {}
        for name, shape in shapes.items():
            full = prefix + name
            if full in tensors:
                used.add(full)
                params[name] = _read(full, tensors[full], shape, formats.get(full), dtype)
            elif not optional:
                raise WeightsError(f"tensor {full} is missing; the config asks for shape {list(shape)}")
        return params

    def stack(c: Config, prefix: str) -> Stack:
        top = read(stack_shapes(c), prefix, False)
        if c.positions.startswith("sinusoid"):
            top |= read({"positions": (c.max_positions, c.width)}, prefix, True)
        layers = tuple(read(layer_shapes(c, i), f"{prefix}layers.{i}.", False) for i in range(c.layers))
        return Stack(c, top, layers)

    encoder = stack(config.encoder, "encoder.") if config.encoder else None
    weights = Weights(stack(config, ""), read(head_shapes(config), "heads.", True), encoder)
    for name in (*tensors, *formats):
        if name not in used:
            raise WeightsError(f"tensor {name} has no place in a {config.family} of this config")
    return weights


def _formats(setting: Mapping[str, Any]) -> dict[str, str]:
    """The format of each tensor in blocks, or why this file is not one of ours."""
    method, version, formats = (setting.get(key) for key in ("quant_method", "version", "tensors"))
    if method != "bpetok":
        raise ConfigError(f"config field quantization_config.quant_method={method!r} is not supported: it must be 'bpetok'")
    if version != 1:
        raise ConfigError(f"config field quantization_config.version={version!r} is newer than 1, which this version reads")
    if not isinstance(formats, Mapping):
        raise ConfigError("config field quantization_config.tensors must map the names of tensors to formats")
    for format in formats.values():
        block_bytes(format)
    return dict(formats)


def _read(name: str, tensor: Array, shape: Shape, format: str | None, dtype: np.dtype[Any]) -> Any:
    columns = None
    if format is not None and tensor.dtype == np.uint8 and tensor.ndim in (2, 3):
        blocks, rest = divmod(tensor.shape[-1], BLOCK_BYTES[format])
        columns = None if rest else blocks * BLOCK
    got = tensor.shape if format is None else (*tensor.shape[:-1], columns)
    if len(got) != len(shape) or any(want not in (None, have) for want, have in zip(shape, got, strict=True)):
        raise WeightsError(
            f"tensor {name} ({format or tensor.dtype}) has shape {list(tensor.shape)}; "
            f"the config asks for {list(shape)} weights"
        )
    if format is None:
        if not np.issubdtype(tensor.dtype, np.floating):
            raise WeightsError(f"tensor {name} is {tensor.dtype} but quantization_config.tensors gives it no format")
        return tensor.astype(dtype, copy=False)
    if tensor.ndim == 3:
        return QuantizedExperts(QuantizedMatrix(expert, format, dtype=dtype) for expert in tensor)
    return QuantizedMatrix(tensor, format, dtype=dtype)
