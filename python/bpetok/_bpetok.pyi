"""The Rust core, as Python sees it. `mypy.stubtest` holds this file against the built module."""

import builtins
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, SupportsIndex, TypeAlias, final, overload

import numpy as np
from numpy.typing import NDArray

_Text: TypeAlias = str | bytes
_AllowedSpecial: TypeAlias = Collection[str] | Literal["all"]
_DisallowedSpecial: TypeAlias = Collection[str] | Literal["all"]
_Int: TypeAlias = SupportsIndex  # NumPy's integers are no `int`
_Ids: TypeAlias = Iterable[_Int] | NDArray[Any]
_Path: TypeAlias = str | builtins.bytes | os.PathLike[str]
_Source: TypeAlias = Iterable[str | builtins.bytes] | Path | Iterable[Path] | Counts
_Progress: TypeAlias = Callable[[str, int, int], object]
_Specials: TypeAlias = Mapping[str, int] | Iterable[str]

__all__ = [
    "PRESETS",
    "UNICODE_VERSION",
    "Counts",
    "State",
    "Stream",
    "TokenBatch",
    "Tokenizer",
    "__version__",
    "counts_digest",
    "load_bpetok",
    "may_be_empty",
    "parse_tiktoken",
    "quant_dequantize",
    "quant_multiply",
    "quant_quantize",
    "set_memo_bytes",
    "train_counts",
    "write_tiktoken",
]

__version__: str
UNICODE_VERSION: str
PRESETS: dict[str, str]

@final
class Tokenizer:
    @property
    def vocab_size(self) -> int: ...
    @property
    def special_tokens(self) -> dict[str, int]: ...
    @property
    def pattern(self) -> str: ...
    @property
    def digits(self) -> str: ...
    @property
    def unicode_version(self) -> str: ...
    @property
    def merges(self) -> list[tuple[bytes, bytes]]: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def token_byte_lengths(self) -> NDArray[np.uint32]: ...
    def encode(
        self,
        text: _Text,
        *,
        allowed_special: _AllowedSpecial = (),
        disallowed_special: _DisallowedSpecial = "all",
    ) -> list[int]: ...
    def encode_ordinary(self, text: _Text) -> list[int]: ...
    def encode_numpy(
        self,
        text: _Text,
        *,
        allowed_special: _AllowedSpecial = (),
        disallowed_special: _DisallowedSpecial = "all",
    ) -> NDArray[np.uint32]: ...
    def encode_batch(
        self,
        texts: Iterable[_Text],
        *,
        allowed_special: _AllowedSpecial = (),
        disallowed_special: _DisallowedSpecial = "all",
        threads: _Int | None = None,
    ) -> TokenBatch: ...
    def encode_with_offsets(
        self,
        text: _Text,
        unit: str = "char",
        *,
        allowed_special: _AllowedSpecial = (),
        disallowed_special: _DisallowedSpecial = "all",
    ) -> tuple[list[int], NDArray[np.int64]]: ...
    def _encode_files(
        self,
        inputs: Sequence[str | os.PathLike[str] | None],
        output: str | os.PathLike[str] | None,
        *,
        allowed_special: _AllowedSpecial = (),
        disallowed_special: _DisallowedSpecial = "all",
        threads: _Int | None = None,
        block_bytes: int = 524288,
        report: Callable[[int], object] | None = None,
    ) -> tuple[int, int]: ...
    def count(
        self,
        text: _Text,
        *,
        allowed_special: _AllowedSpecial = (),
        disallowed_special: _DisallowedSpecial = "all",
    ) -> int: ...
    def count_batch(
        self,
        texts: Iterable[_Text],
        *,
        allowed_special: _AllowedSpecial = (),
        disallowed_special: _DisallowedSpecial = "all",
        threads: _Int | None = None,
    ) -> NDArray[np.int64]: ...
    @overload
    def cut(
        self,
        text: str,
        max_tokens: _Int,
        *,
        allowed_special: _AllowedSpecial = (),
        disallowed_special: _DisallowedSpecial = "all",
    ) -> str: ...
    @overload
    def cut(
        self,
        text: bytes,
        max_tokens: _Int,
        *,
        allowed_special: _AllowedSpecial = (),
        disallowed_special: _DisallowedSpecial = "all",
    ) -> bytes: ...
    def decode(self, ids: _Ids, errors: str = "replace") -> str: ...
    def decode_bytes(self, ids: _Ids) -> bytes: ...
    def decode_batch(
        self, batch: TokenBatch | Iterable[_Ids], errors: str = "replace"
    ) -> list[str]: ...
    def stream(self) -> Stream: ...
    def token_bytes(self, id: _Int) -> bytes: ...
    def token_id(self, token: _Text) -> int: ...
    def with_special_tokens(self, special_tokens: _Specials) -> Tokenizer: ...
    def utf8_mask(self, state: State) -> NDArray[np.bool_]: ...
    def pretokenize(self, text: _Text) -> list[bytes]: ...
    def save(self, path: _Path, format: str | None = None) -> None: ...
    def _to_bytes(self) -> bytes: ...
    @staticmethod
    def _from_bytes(data: bytes) -> Tokenizer: ...
    def _spec(self) -> tuple[bytes, bytes, bytes, bytes | None, str, dict[str, int], str, str]: ...
    @staticmethod
    def _from_spec(
        tokens: bytes,
        token_ids: bytes,
        token_lengths: bytes,
        merges: bytes | None,
        pattern: str,
        special_tokens: dict[str, int],
        digits: str,
        unicode_version: str,
    ) -> Tokenizer: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class State:
    def __new__(cls, text: bytes = b"", /) -> State: ...
    @property
    def number(self) -> int: ...
    @property
    def complete(self) -> bool: ...
    @property
    def valid(self) -> bool: ...
    def advance(self, token_bytes: bytes, /) -> State: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class TokenBatch:
    @property
    def ids(self) -> NDArray[np.uint32]: ...
    @property
    def offsets(self) -> NDArray[np.int64]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, key: _Int, /) -> NDArray[np.uint32]: ...
    def __iter__(self) -> Iterator[NDArray[np.uint32]]: ...
    def tolist(self) -> list[list[int]]: ...
    def pad(
        self, length: _Int | None = None, value: _Int = 0, side: str = "right"
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]: ...
    def to_arrow(self) -> Any: ...
    @staticmethod
    def _from_arrays(ids: NDArray[np.uint32], offsets: NDArray[np.int64]) -> TokenBatch: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Stream:
    def push(self, id: _Int) -> str: ...
    def finish(self) -> str: ...

@final
class Counts:
    def __new__(
        cls, pattern: str = "cl100k", special_tokens: Iterable[str] = (), digits: str = "none"
    ) -> Counts: ...
    @property
    def pattern(self) -> str: ...
    @property
    def special_tokens(self) -> list[str]: ...
    @property
    def digits(self) -> str: ...
    @property
    def total(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def spilled_bytes(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    def update(
        self,
        source: _Source,
        weights: Iterable[_Int] | None = None,
        threads: _Int | None = None,
        progress: _Progress | None = None,
        max_memory: str | _Int | None = None,
    ) -> None: ...
    def prune(self, min_count: _Int) -> tuple[int, int]: ...
    def save(self, path: _Path) -> None: ...
    @staticmethod
    def load(path: _Path) -> Counts: ...
    def to_arrow(self) -> Any: ...
    @staticmethod
    def from_arrow(
        table: Any,
        *,
        pattern: str | None = None,
        special_tokens: Iterable[str] | None = None,
        digits: str | None = None,
    ) -> Counts: ...
    def merge(self, other: Counts) -> None: ...
    def items(self) -> list[tuple[builtins.bytes, int]]: ...
    def _blocks(
        self, bytes: int
    ) -> Iterator[tuple[builtins.bytes, builtins.bytes, builtins.bytes]]: ...
    @staticmethod
    def _from_buffers(
        pattern: str,
        special_tokens: list[str],
        digits: str,
        texts: builtins.bytes,
        offsets: builtins.bytes,
        counts: builtins.bytes,
    ) -> Counts: ...
    def __len__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

def train_counts(
    counts: Counts,
    vocab_size: int,
    *,
    min_frequency: int = 1,
    max_token_bytes: int | None = None,
    init: Tokenizer | None = None,
    done: bytes | None = None,
    on_merges: Callable[[list[tuple[int, int, int, int, bytes, bytes]]], object] | None = None,
    threads: _Int | None = None,
    progress: _Progress | None = None,
    max_memory: str | _Int | None = None,
    take: bool = False,
) -> Tokenizer: ...
def counts_digest(counts: Counts) -> str: ...
def set_memo_bytes(size: int) -> None: ...
def parse_tiktoken(
    data: bytes, pattern: str, special_tokens: _Specials | None = None
) -> Tokenizer: ...
def load_bpetok(path: str) -> Tokenizer: ...
def may_be_empty(pattern: str) -> bool: ...
def write_tiktoken(tokenizer: Tokenizer) -> bytes: ...
def quant_quantize(weights: NDArray[np.float32], format: str) -> NDArray[np.uint8]: ...
def quant_dequantize(blocks: NDArray[np.uint8], format: str) -> NDArray[np.float32]: ...
def quant_multiply(
    blocks: NDArray[np.uint8], x: NDArray[np.float32], format: str, threads: int
) -> NDArray[np.float32]: ...
