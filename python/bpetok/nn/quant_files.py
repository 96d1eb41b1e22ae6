"""Files of models in blocks: what `quantize_model` made, written once and read back bit by bit.

    save(quantize_model(model, "q4_0"), "folder", config)      # config: the parsed config.json
    model = bpetok.nn.load("folder")

The file is a safetensors file with this package's names (`layers.0.mix.qkv.w`, as `Model.map_weights`
gives them). A matrix in blocks is uint8 `[out, bytes of a row]`, experts `[expert, out, bytes of a row]`.
A table that encoder and decoder share is there once, as the decoder's.
`config.json` has one more field, which other libraries refuse rather than misread:

    "quantization_config": {"quant_method": "bpetok", "version": 1, "tensors": {"embed": "q8_0", ...}}
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpetok.atomic import write_atomic
from bpetok.nn.config import Config
from bpetok.nn.errors import ConfigError, InputError, WeightsError
from bpetok.nn.quant import BLOCK, BLOCK_BYTES, QuantizedMatrix, block_bytes
from bpetok.nn.quant_model import QuantizedExperts, named_weights
from bpetok.nn.read_config import config_from_json
from bpetok.nn.safetensors import write_safetensors
from bpetok.nn.shapes import Shape, head_shapes, layer_shapes, missing_of_heads, stack_shapes
from bpetok.nn.weights import Stack, Weights

__all__ = ["collect_quantized", "save"]

Array = NDArray[Any]
_SHARED = "encoder.embed"  # not in the file where it is the decoder's


def save(model: Any, folder: str | os.PathLike[str], config: Mapping[str, Any]) -> None:
    """Write `config.json` and `model.safetensors`; `config` is the parsed config.json the model was made from.

    Nothing is written unless `load` will read this very model back: a config of another one is a ConfigError, weights
    that are not those of the config are a WeightsError, and a model without blocks is an InputError.
    """
    if not isinstance(config, Mapping):
        raise ConfigError(
            f"config must be the parsed config.json, a JSON object, not a {type(config).__name__}: read it with json.loads"
        )
    folder = Path(folder)
    tensors: dict[str, Array] = {}
    formats: dict[str, str] = {}
    weights = dict(named_weights(model))
    for name, weight in weights.items():
        if name == _SHARED and weight is weights["embed"]:
            continue
        if isinstance(weight, QuantizedMatrix | QuantizedExperts):
            formats[name], tensors[name] = weight.format, weight.blocks
        else:
            tensors[name] = weight
    if not formats:
        raise InputError("no weight of this model is in blocks; call quantize_model first")
    setting = {"quant_method": "bpetok", "version": 1, "tensors": formats}
    # Before anything is written: a config that JSON cannot hold must not leave new weights beside the old one.
    text = json.dumps({**config, "quantization_config": setting}, indent=2)
    _check_readable(model, tensors, text)
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / "model.safetensors", tensors)
    write_atomic(folder / "config.json", (text + "\n").encode())


def _check_readable(model: Any, tensors: Mapping[str, Array], text: str) -> None:
    """Read what is about to be written as `load` would, and compare its config with the model's."""
    raw = json.loads(text)
    setting = raw.pop("quantization_config")
    config = config_from_json(raw)
    if config != model.config:
        raise ConfigError(
            f"config is not that of this model: it gives {_difference(config, model.config)}; "
            "pass the config.json that the model was made from"
        )
    collect_quantized(config, tensors, setting, model.dtype)


def _difference(given: Any, ours: Any, prefix: str = "") -> str:
    """The first setting in which two configs differ, with both values; settings within one are looked into."""
    for field in fields(given):
        theirs, mine = getattr(given, field.name), getattr(ours, field.name)
        if theirs != mine and is_dataclass(theirs) and type(theirs) is type(mine):
            return _difference(theirs, mine, f"{prefix}{field.name}.")
        if theirs != mine:
            return f"{prefix}{field.name}={theirs!r:.80}, and the model has {mine!r:.80}"
    raise AssertionError("equal configs do not differ")


def collect_quantized(
    config: Config,
    tensors: Mapping[str, Array],
    setting: Mapping[str, Any],
    dtype: DTypeLike = np.float32,
) -> Weights:
    """Read what `save` wrote: a file's tensors and `config.json`'s `quantization_config`, checked against `config`."""
    formats, dtype = _formats(setting), np.dtype(dtype)
    used: set[str] = set()
    made: dict[tuple[str, Shape], Any] = {}

    def read(shapes: Mapping[str, Shape], prefix: str, optional: bool) -> dict[str, Any]:
        params = {}
        for name, shape in shapes.items():
            full = prefix + name
            if full == _SHARED and full not in tensors:
                full = name
            if full in tensors:
                used.add(full)
                if (full, shape) not in made:
                    made[full, shape] = _read(full, tensors[full], shape, formats.get(full), dtype)
                params[name] = made[full, shape]
            elif not optional:
                raise WeightsError(
                    f"tensor {full} is missing; the config asks for shape {list(shape)}"
                )
        return params

    def stack(c: Config, prefix: str) -> Stack:
        top = read(stack_shapes(c), prefix, False)
        if c.positions.startswith("sinusoid"):
            top |= read({"positions": (c.max_positions, c.width)}, prefix, True)
        layers = tuple(
            read(layer_shapes(c, i), f"{prefix}layers.{i}.", False) for i in range(c.layers)
        )
        return Stack(c, top, layers)

    encoder = stack(config.encoder, "encoder.") if config.encoder else None
    weights = Weights(stack(config, ""), read(head_shapes(config), "heads.", True), encoder)
    # A decoder's classifier of labels has no bias, its multiple choice has one.
    for missing in missing_of_heads(config, weights.heads, config.cross or not config.causal):
        raise WeightsError(f"tensor heads.{missing} is missing, and the rest of its head is there")
    for name in (*tensors, *formats):
        if name not in used:
            raise WeightsError(f"tensor {name} has no place in a {config.family} of this config")
    return weights


def _formats(setting: Mapping[str, Any]) -> dict[str, str]:
    """The format of each tensor in blocks, or why this file is not one of ours."""
    method, version, formats = (setting.get(key) for key in ("quant_method", "version", "tensors"))
    if method != "bpetok":
        raise ConfigError(
            f"config field quantization_config.quant_method={method!r} is not supported: it must be 'bpetok'"
        )
    if version != 1:
        raise ConfigError(
            f"config field quantization_config.version={version!r} is newer than 1, which this version reads"
        )
    if not isinstance(formats, Mapping):
        raise ConfigError(
            "config field quantization_config.tensors must map the names of tensors to formats"
        )
    for format in formats.values():
        block_bytes(format)
    return dict(formats)


def _read(name: str, tensor: Array, shape: Shape, format: str | None, dtype: np.dtype[Any]) -> Any:
    columns = None
    if format is not None and tensor.dtype == np.uint8 and tensor.ndim in (2, 3):
        blocks, rest = divmod(tensor.shape[-1], BLOCK_BYTES[format])
        columns = None if rest else blocks * BLOCK
    got = tensor.shape if format is None else (*tensor.shape[:-1], columns)
    if len(got) != len(shape) or any(
        want not in (None, have) for want, have in zip(shape, got, strict=True)
    ):
        raise WeightsError(
            f"tensor {name} ({format or tensor.dtype}) has shape {list(tensor.shape)}; "
            f"the config asks for {list(shape)} weights"
        )
    if format is None:
        if not np.issubdtype(tensor.dtype, np.floating):
            raise WeightsError(
                f"tensor {name} is {tensor.dtype} but quantization_config.tensors gives it no format"
            )
        return tensor.astype(dtype, copy=False)
    if tensor.ndim == 3:
        return QuantizedExperts(QuantizedMatrix(expert, format, dtype=dtype) for expert in tensor)
    return QuantizedMatrix(tensor, format, dtype=dtype)
