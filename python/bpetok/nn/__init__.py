"""Networks that read token ids, in NumPy alone: every architecture is one block with settings.

    ids --embed--> vectors --block, block, ...--> vectors --classifier--> logits --sampler--> the next id

>>> from bpetok import nn
>>> config = nn.Config(
...     family="llama",
...     vocab_size=300,
...     width=32,
...     layers=2,
...     heads=4,
...     kv_heads=2,
...     head_dim=8,
...     ffn_width=56,
...     gated=True,
...     positions="rope",
...     rope=nn.Rope(),
... )
>>> model = nn.random_model(config, seed=1)  # or nn.load("folder with config.json and safetensors")
>>> logits, state = model([[5, 17, 42]])
>>> logits.shape
(1, 3, 300)
>>> logits, state = model([[7]], state)  # one more id; the old state stays valid
>>> nn.generate(model, [[5, 17, 42]], max_new_tokens=3).shape
(1, 6)

In reading order, one idea a file:

- the parts: `embedding`, `positions`, `softmax`, `attention`, `norms`, `activations`, `feedforward`, `ssm`,
  `selective_scan`, `mixers`; `block` puts them together, `run` stacks blocks;
- what you call: `decoder`, `encoder`, `seq2seq` over `model`; what they remember: `state`, `plan`; a look
  inside: `trace`, `tracing`;
- architectures as tables: `config`, `families`, `shapes`; from disk: `read_config`, `read_rope`,
  `read_fields`, `safetensors`, `weights`, `load`; without one: `untrained`;
- what is handed in: `inputs`; how good: `losses`, `tasks`, `bits`; writing on: `sampling`, `generate`, `beam`, `stream`.

The walk from text to ids to logits to text is in docs/nn.md.

Shapes in docstrings: b batch, t new ids, s keys seen, m memory, d width, h heads, g key/value heads, v vocabulary,
l layers, e experts, n state size, c channels, k kernel.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from bpetok.nn.bits import bits_per_byte, text_nll
from bpetok.nn.config import Config, Rope, Ssm
from bpetok.nn.decoder import Decoder
from bpetok.nn.encoder import Encoder
from bpetok.nn.errors import ConfigError, InputError, WeightsError
from bpetok.nn.families import FAMILIES
from bpetok.nn.feedforward import balance_loss
from bpetok.nn.generate import generate, stop_strings
from bpetok.nn.load import from_weights, load, load_config, random_model
from bpetok.nn.losses import (
    classification_loss,
    cross_entropy,
    mlm_loss,
    next_token_loss,
    nll,
    nsp_loss,
    perplexity,
    sequence_loss,
    token_nll,
)
from bpetok.nn.read_config import config_from_json
from bpetok.nn.safetensors import read_safetensors, write_safetensors
from bpetok.nn.sampling import greedy, sample, utf8_valid
from bpetok.nn.seq2seq import EncoderDecoder, Memory, shift_right
from bpetok.nn.state import State
from bpetok.nn.stream import stream

__all__ = [
    "FAMILIES",
    "Config",
    "ConfigError",
    "Decoder",
    "Encoder",
    "EncoderDecoder",
    "InputError",
    "Memory",
    "Rope",
    "Ssm",
    "State",
    "WeightsError",
    "balance_loss",
    "bits_per_byte",
    "classification_loss",
    "config_from_json",
    "cross_entropy",
    "from_weights",
    "generate",
    "greedy",
    "load",
    "load_config",
    "mlm_loss",
    "next_token_loss",
    "nll",
    "nsp_loss",
    "perplexity",
    "random_model",
    "read_safetensors",
    "sample",
    "sequence_loss",
    "shift_right",
    "stop_strings",
    "stream",
    "text_nll",
    "token_nll",
    "utf8_valid",
    "write_safetensors",
]

_ON_DEMAND = frozenset(
    {
        "counters",
        "memory_picture",
        "operations",
        "pictures",
        "quant",
        "quant_files",
        "quant_model",
        "tasks",
    }
)


if TYPE_CHECKING:  # a type checker sees these as they are, and rejects other names
    from bpetok.nn import counters as counters
    from bpetok.nn import memory_picture as memory_picture
    from bpetok.nn import operations as operations
    from bpetok.nn import pictures as pictures
    from bpetok.nn import quant as quant
    from bpetok.nn import quant_files as quant_files
    from bpetok.nn import quant_model as quant_model
    from bpetok.nn import tasks as tasks
else:

    def __getattr__(name: str) -> ModuleType:
        """Bring in the side rooms when they are first named: `nn.counters`, `nn.pictures`, `nn.quant`, ..."""
        if name in _ON_DEMAND:
            return import_module(f"bpetok.nn.{name}")
        raise AttributeError(f"module 'bpetok.nn' has no attribute {name!r}")
