"""The Rust core, as Python sees it. `mypy.stubtest` holds this file against the built module."""

import builtins
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

Text: TypeAlias = str | bytes
AllowedSpecial: TypeAlias = Collection[str] | Literal["all"]
DisallowedSpecial: TypeAlias = Collection[str] | Literal["all"]
Ids: TypeAlias = Sequence[int] | NDArray[Any]
Source: TypeAlias = Iterable[str | bytes] | Path | Iterable[Path]
Progress: TypeAlias = Callable[[str, int, int], object]
Specials: TypeAlias = Mapping[str, int] | Iterable[str]

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
        text: Text,
        *,
        allowed_special: AllowedSpecial = ...,
        disallowed_special: DisallowedSpecial = "all",
    ) -> list[int]: ...
    def encode_ordinary(self, text: Text) -> list[int]: ...
    def encode_numpy(
        self,
        text: Text,
        *,
        allowed_special: AllowedSpecial = ...,
        disallowed_special: DisallowedSpecial = "all",
    ) -> NDArray[np.uint32]: ...
    def encode_batch(
        self,
        texts: Iterable[Text],
        *,
        allowed_special: AllowedSpecial = ...,
        disallowed_special: DisallowedSpecial = "all",
        threads: int | None = None,
    ) -> TokenBatch: ...
    def encode_with_offsets(
        self,
        text: Text,
        unit: str = "char",
        *,
        allowed_special: AllowedSpecial = ...,
        disallowed_special: DisallowedSpecial = "all",
    ) -> tuple[list[int], NDArray[np.int64]]: ...
    def count(
        self,
        text: Text,
        *,
        allowed_special: AllowedSpecial = ...,
        disallowed_special: DisallowedSpecial = "all",
    ) -> int: ...
    def count_batch(
        self,
        texts: Iterable[Text],
        *,
        allowed_special: AllowedSpecial = ...,
        disallowed_special: DisallowedSpecial = "all",
        threads: int | None = None,
    ) -> NDArray[np.int64]: ...
    def cut(
        self,
        text: Text,
        max_tokens: int,
        *,
        allowed_special: AllowedSpecial = ...,
        disallowed_special: DisallowedSpecial = "all",
    ) -> Text: ...
    def decode(self, ids: Ids, errors: str = "replace") -> str: ...
    def decode_bytes(self, ids: Ids) -> bytes: ...
    def decode_batch(
        self, batch: TokenBatch | Iterable[Ids], errors: str = "replace"
    ) -> list[str]: ...
    def stream(self) -> Stream: ...
    def token_bytes(self, id: int) -> bytes: ...
    def token_id(self, token: bytes) -> int: ...
    def with_special_tokens(self, special_tokens: Specials) -> Tokenizer: ...
    def pretokenize(self, text: Text) -> list[bytes]: ...
    def save(self, path: str | os.PathLike[str], format: str | None = None) -> None: ...
    def _to_bytes(self) -> bytes: ...
    @classmethod
    def _from_bytes(cls, data: bytes) -> Tokenizer: ...
    def _spec(self) -> tuple[bytes, bytes, bytes, bytes | None, str, dict[str, int], str, str]: ...
    @classmethod
    def _from_spec(
        cls,
        tokens: bytes,
        token_ids: bytes,
        token_lengths: bytes,
        merges: bytes | None,
        pattern: str,
        special_tokens: dict[str, int],
        digits: str,
        unicode_version: str,
    ) -> Tokenizer: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class TokenBatch:
    @property
    def ids(self) -> NDArray[np.uint32]: ...
    @property
    def offsets(self) -> NDArray[np.int64]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> NDArray[np.uint32]: ...
    def tolist(self) -> list[list[int]]: ...
    def pad(
        self, length: int | None = None, value: int = 0, side: str = "right"
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]: ...

@final
class Stream:
    def push(self, id: int) -> str: ...
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
    def total(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    def update(
        self, source: Source, threads: int | None = None, progress: Progress | None = None
    ) -> None: ...
    def merge(self, other: Counts) -> None: ...
    def items(self) -> list[tuple[builtins.bytes, int]]: ...
    def __len__(self) -> int: ...

def train_counts(
    counts: Counts,
    vocab_size: int,
    *,
    min_frequency: int = 1,
    max_token_bytes: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Tokenizer: ...
def parse_tiktoken(
    data: bytes, pattern: str, special_tokens: Specials | None = None
) -> Tokenizer: ...
def load_bpetok(path: str) -> Tokenizer: ...
def write_tiktoken(tok: Tokenizer) -> bytes: ...
