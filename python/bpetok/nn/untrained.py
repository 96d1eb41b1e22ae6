"""Weights for a config without a checkpoint: untrained models, for tests and timings.

>>> c = Config("linear_ssm", vocab_size=3, width=2, layers=0, tied=True)
>>> {name: array.shape for name, array in random_weights(c).stack.top.items()}
{'embed': (3, 2), 'final_norm.w': (2,)}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpetok.nn.config import Config
from bpetok.nn.shapes import Shape, head_shapes, layer_shapes, stack_shapes
from bpetok.nn.weights import Params, Stack, Weights

__all__ = ["random_weights"]

Array = NDArray[Any]


def random_weights(
    config: Config, seed: int = 0, dtype: DTypeLike = "float32", scale: float = 0.02
) -> Weights:
    """Normal numbers of deviation `scale`; norms are 1, and state-space decays 1, 2, ... as Mamba starts them."""
    rng = np.random.default_rng(seed)

    def fill(shapes: Mapping[str, Shape]) -> Params:
        params: Params = {}
        for name, shape in shapes.items():
            size = tuple(n for n in shape if n is not None)
            if len(size) < len(shape):
                continue  # a classifier's number of labels is in no config
            array: Array
            if "norm" in name and name.endswith(".w"):
                array = np.ones(size)
            elif name == "mix.A_log":
                array = np.log(np.broadcast_to(np.arange(1.0, size[-1] + 1), size))
            elif name == "mix.A":
                array = 0.9 * np.eye(size[0])
            else:
                array = rng.standard_normal(size, np.float32) * scale
            params[name] = array.astype(dtype)
        return params

    def build(c: Config) -> Stack:
        return Stack(
            c, fill(stack_shapes(c)), tuple(fill(layer_shapes(c, i)) for i in range(c.layers))
        )

    return Weights(
        build(config), fill(head_shapes(config)), build(config.encoder) if config.encoder else None
    )
