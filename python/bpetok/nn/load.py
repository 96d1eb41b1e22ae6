"""A folder with `config.json` and safetensors in, a model out; no torch anywhere.

model = bpetok.nn.load("path/to/folder", dtype="float32")
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from bpetok.nn.config import Config
from bpetok.nn.decoder import Decoder
from bpetok.nn.encoder import Encoder
from bpetok.nn.errors import ConfigError
from bpetok.nn.families import FAMILIES
from bpetok.nn.read_config import config_from_json
from bpetok.nn.safetensors import is_plain, read_folder
from bpetok.nn.seq2seq import EncoderDecoder
from bpetok.nn.untrained import random_weights
from bpetok.nn.weights import Weights, collect

__all__ = ["from_weights", "load", "load_config", "random_model"]

_KINDS: dict[str, Any] = {"decoder": Decoder, "encoder": Encoder, "seq2seq": EncoderDecoder}

# Modules of sentence-transformers behind the network: what `embed` does with its output, and what does nothing.
_MODULES = ("Pooling", "Normalize", "Dropout")


def _dtype(dtype: DTypeLike) -> np.dtype[Any]:
    kind = np.dtype(dtype)
    if kind not in (np.dtype("float32"), np.dtype("float64")):
        raise ConfigError(f"dtype={dtype!r}: models run in float32 or float64")
    return kind


def _home(folder: str | os.PathLike[str]) -> Path:
    """Where a folder keeps its network: sentence-transformers' older folders name a subfolder in `modules.json`."""
    folder = Path(folder)
    modules = folder / "modules.json"
    if not modules.is_file():
        return folder
    inner = _network_of(modules)
    return folder if (folder / "config.json").exists() else folder / inner


def _network_of(modules: Path) -> str:
    """The subfolder of the first module; one with weights of its own would be left out, and so is refused."""
    try:
        listed = json.loads(modules.read_text("utf-8"))
        kinds = [str(module["type"]) for module in listed]
        inner = listed[0]["path"]
        if inner != "" and not is_plain(inner):
            raise ValueError(f"path {inner!r:.80} is no plain folder name")
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise ConfigError(
            f"{modules}: no list of modules, each with a type, of which the first has a folder ({error})"
        ) from error
    for kind in kinds[1:]:
        if kind.rpartition(".")[2] not in _MODULES:
            raise ConfigError(
                f"{modules}: module {kind:.80} is not one of {', '.join(_MODULES)}: vectors without it would be others; "
                "to load the network alone, copy its config.json and weights to a folder of their own"
            )
    return str(inner)


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """What a `config.json` says wrong is told with its path: a program may load many."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _config_path(folder: str | os.PathLike[str]) -> Path:
    path = Path(folder)
    return path / "config.json" if path.is_dir() else path


def _read_config(folder: str | os.PathLike[str]) -> tuple[Config, dict[str, Any] | None]:
    """What `config.json` says of the model, and of our own quantised weights."""
    path = _config_path(folder)
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON ({error})") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: a config must be a JSON object")
    blocks = raw.get("quantization_config")
    if isinstance(blocks, dict) and blocks.get("quant_method") == "bpetok":
        del raw["quantization_config"]
    else:
        blocks = None
    with _errors_name(path):
        return config_from_json(raw), blocks


def load_config(folder: str | os.PathLike[str]) -> Config:
    """Read `config.json` alone, from its folder or by its own path (for counting without weights)."""
    return _read_config(_home(folder))[0]


def load(folder: str | os.PathLike[str], dtype: DTypeLike = "float32") -> Any:
    """Load a checkpoint: a `Decoder`, `Encoder` or `EncoderDecoder`, by the config's family.

    Weights stay in the memory-mapped file where its dtype is the one asked for; float16 and bfloat16 are widened;
    what `quant_files.save` wrote stays in its blocks. A folder of sentence-transformers is read too; how it pools
    is in its `1_Pooling/config.json`, and for you to tell `embed`. One with a Dense layer, or any other module that
    would be left out, is a ConfigError.
    """
    folder = _home(folder)
    kind, (config, blocks) = _dtype(dtype), _read_config(folder)
    tensors = read_folder(folder)
    if blocks is None:
        return from_weights(collect(config, tensors, kind), kind)
    from bpetok.nn.quant_files import collect_quantized  # brings in the Rust module

    with _errors_name(_config_path(folder)):
        weights = collect_quantized(config, tensors, blocks, kind)
    return from_weights(weights, kind)


def from_weights(weights: Weights, dtype: DTypeLike = "float32") -> Any:
    """Make a model of weights in hand; those of another dtype are rounded, once."""
    kind = _dtype(dtype)
    return _KINDS[FAMILIES[weights.stack.config.family].kind](weights.rounded(kind), kind)


def random_model(
    config: Config, seed: int = 0, dtype: DTypeLike = "float32", scale: float = 0.02
) -> Any:
    """Make an untrained model, for tests and timings.

    >>> from bpetok.nn.config import Config
    >>> c = Config(
    ...     family="llama",
    ...     vocab_size=9,
    ...     width=4,
    ...     layers=1,
    ...     heads=2,
    ...     kv_heads=1,
    ...     head_dim=2,
    ...     ffn_width=6,
    ...     gated=True,
    ... )
    >>> random_model(c)([[1, 2, 3]])[0].shape
    (1, 3, 9)
    """
    return from_weights(random_weights(config, seed, _dtype(dtype), scale), dtype)
