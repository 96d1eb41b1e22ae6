"""Counts as Arrow tables and Parquet files: `pretoken: binary`, `count: uint64`, sorted by pretoken.

The schema's metadata says what the counts were made with: pattern, special tokens, digit rule, Unicode
version, and a fingerprint of these. Counts of other settings are refused rather than added up: they
would train a vocabulary that belongs to no pattern. Equal counts give equal files.

`Counts.save`, `load`, `to_arrow` and `from_arrow` call the functions here.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from bpetok._bpetok import UNICODE_VERSION, Counts
from bpetok.atomic import open_atomic
from bpetok.errors import FormatError, TrainError
from bpetok.pipelines.files import open_parquet
from bpetok.pipelines.optional import require
from bpetok.texts import text_list
from bpetok.tokenizer import expand_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow

VERSION = "1"
ROW_GROUP_ROWS = 1 << 20
# Arrow's `binary` has 32-bit offsets: one chunk of a column holds no more bytes than this.
CHUNK_BYTES = 2**31 - 1
# Pretokens in memory at one time while a file is written: one or two million of them.
BLOCK_BYTES = 16 << 20


class Settings(NamedTuple):
    """What counts were made with, as kept in the metadata of their table."""

    pattern: str
    special_tokens: tuple[str, ...]
    digits: str
    unicode_version: str = UNICODE_VERSION

    def fingerprint(self) -> str:
        """sha256 over all of it; equal for counts that may be added up."""
        return hashlib.sha256(json.dumps([VERSION, *self]).encode()).hexdigest()

    def to_metadata(self) -> dict[str, str]:
        """As it stands in a file."""
        return {
            "bpetok.counts": VERSION,
            "pattern": self.pattern,
            "special_tokens": json.dumps(self.special_tokens),
            "digits": self.digits,
            "unicode_version": self.unicode_version,
            "fingerprint": self.fingerprint(),
        }


def to_arrow(counts: Counts) -> pyarrow.Table:
    """The counts as a table, sorted by pretoken.

    Raises:
        MissingPackageError: without pyarrow.

    >>> counts = Counts("gpt2")
    >>> counts.update(["a b"])
    >>> to_arrow(counts).to_pylist()
    [{'pretoken': b' b', 'count': 1}, {'pretoken': b'a', 'count': 1}]
    """
    arrow = require("pyarrow", "arrow", "An Arrow table of counts")
    return arrow.Table.from_batches(list(to_batches(counts)), schema=schema_of(counts))


def to_batches(counts: Counts, block_bytes: int = BLOCK_BYTES) -> Iterator[pyarrow.RecordBatch]:
    """The counts as record batches of about `block_bytes` of pretokens, sorted through all of them.

    Counts that are on disk (`max_memory=`) are read from there, one batch at a time.

    >>> counts = Counts("gpt2")
    >>> counts.update(["a b"])
    >>> [batch.num_rows for batch in to_batches(counts, block_bytes=1)]
    [1, 1]
    """
    arrow = require("pyarrow", "arrow", "An Arrow table of counts")
    schema = schema_of(counts)
    for block in counts._blocks(block_bytes):
        data, offsets, numbers = (arrow.py_buffer(buffer) for buffer in block)
        rows = numbers.size // 8
        pretokens = arrow.Array.from_buffers(arrow.large_binary(), rows, [None, offsets, data])
        values = arrow.Array.from_buffers(arrow.uint64(), rows, [None, numbers])
        start = 0
        for chunk in _to_binary(pretokens).chunks:
            columns = [chunk, values.slice(start, len(chunk))]
            start += len(chunk)
            yield arrow.RecordBatch.from_arrays(columns, schema=schema)


def schema_of(counts: Counts) -> pyarrow.Schema:
    """The schema of a table of counts, with their settings as metadata.

    >>> schema_of(Counts("gpt2")).names
    ['pretoken', 'count']
    """
    arrow = require("pyarrow", "arrow", "An Arrow table of counts")
    settings = Settings(counts.pattern, tuple(counts.special_tokens), counts.digits)
    fields = [("pretoken", arrow.binary()), ("count", arrow.uint64())]
    return arrow.schema(
        [arrow.field(name, kind, nullable=False) for name, kind in fields],
        metadata=settings.to_metadata(),
    )


def from_arrow(
    table: pyarrow.Table,
    *,
    pattern: str | None = None,
    special_tokens: Iterable[str] | None = None,
    digits: str | None = None,
) -> Counts:
    """Counts from a table with the columns `pretoken` and `count`; repeated pretokens are added up.

    Args:
        table: rows in any order; `count` may be of any integer type.
        pattern, special_tokens, digits: what the counts were made with, for a table that an engine
            made and that has lost its metadata; for one that has them, they must be the same.

    Raises:
        TypeError: for something else than a `pyarrow.Table`.
        FormatError: for missing or unsuitable columns, nulls, negative counts, no pattern, or
            metadata that were tampered with.
        TrainError: for counts of another Unicode version or other settings, and for a sum above 2^64 - 1.
        MissingPackageError: without pyarrow.

    >>> import pyarrow
    >>> table = pyarrow.table({"pretoken": [b"a", b"b", b"a"], "count": [1, 2, 3]})
    >>> from_arrow(table, pattern="gpt2", special_tokens=()).items()
    [(b'a', 4), (b'b', 2)]
    """
    arrow = require("pyarrow", "arrow", "Counts from an Arrow table")
    if not isinstance(table, arrow.Table):
        raise TypeError(
            f"table must be a pyarrow.Table, not {type(table).__name__}: pyarrow.table or Table.from_batches makes one"
        )
    held = _settings_of(table.schema.metadata)
    settings = _agreed(held, pattern, special_tokens, digits)
    data, offsets, numbers = _to_buffers(table)
    return Counts._from_buffers(
        settings.pattern, list(settings.special_tokens), settings.digits, data, offsets, numbers
    )


def save(counts: Counts, path: str | bytes | os.PathLike[str]) -> None:
    """Writes the counts to a Parquet file, whole or not at all.

    Raises:
        OSError: if it cannot be written; an older file is left as it was.
        MissingPackageError: without pyarrow.

    >>> import tempfile
    >>> counts = Counts("gpt2")
    >>> counts.update(["a b"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(counts, os.path.join(folder, "counts.parquet"))
    ...     load(os.path.join(folder, "counts.parquet")).items()
    [(b' b', 1), (b'a', 1)]
    """
    parquet = require("pyarrow.parquet", "arrow", "Saving counts")
    # No dictionary: each pretoken occurs once, so it would hold them all a second time.
    options = {"compression": "zstd", "use_dictionary": False, "write_page_checksum": True}
    with (
        open_atomic(path) as file,
        parquet.ParquetWriter(file, schema_of(counts), **options) as writer,
    ):
        for batch in to_batches(counts):
            writer.write_batch(batch, row_group_size=ROW_GROUP_ROWS)


def load(path: str | bytes | os.PathLike[str]) -> Counts:
    """Reads counts that `save` wrote.

    Raises:
        OSError: if it cannot be opened.
        FormatError: if it is not whole, or not a file of counts.
        TrainError: for counts of another Unicode version.
        MissingPackageError: without pyarrow.
    """
    name = os.fsdecode(path)
    with open_parquet(name) as file:
        metadata = file.schema_arrow.metadata
        table = file.read()
    try:
        if _settings_of(metadata) is None:
            raise FormatError(
                "is Parquet without the settings that counts are kept with: read it with pyarrow and pass it to "
                "Counts.from_arrow with pattern=, special_tokens= and digits="
            )
        return from_arrow(table)
    except (FormatError, TrainError) as error:
        raise type(error)(f"{name}: {error}") from None


def _settings_of(metadata: dict[bytes, bytes] | None) -> Settings | None:
    """The settings in a schema's metadata, or `None` for a table that is not bpetok's own."""
    # Other tools keep things of their own there, which need not be text.
    kept = {
        key: metadata[key.encode()].decode(errors="replace")
        for key in Settings("", (), "").to_metadata()
        if metadata and key.encode() in metadata
    }
    if "bpetok.counts" not in kept:
        return None
    if kept["bpetok.counts"] != VERSION:
        raise FormatError(
            f"counts of version {kept['bpetok.counts']}, this bpetok reads {VERSION}: update bpetok"
        )
    try:
        specials = tuple(json.loads(kept["special_tokens"]))
        settings = Settings(kept["pattern"], specials, kept["digits"], kept["unicode_version"])
        intact = settings.fingerprint() == kept["fingerprint"]
    except (KeyError, ValueError, TypeError) as error:
        raise FormatError(f"the settings of these counts are incomplete: {error!r}") from None
    if not intact:
        raise FormatError(
            "the fingerprint of these counts does not match their settings: the metadata were edited"
        )
    if settings.unicode_version != UNICODE_VERSION:
        raise TrainError(
            f"counted with Unicode {settings.unicode_version}, this bpetok uses Unicode {UNICODE_VERSION}: "
            "count again, or train with the bpetok that counted"
        )
    return settings


def _agreed(
    held: Settings | None,
    pattern: str | None,
    special_tokens: Iterable[str] | None,
    digits: str | None,
) -> Settings:
    """The settings of a table and of the caller, which may not contradict each other."""
    specials = None if special_tokens is None else tuple(text_list(special_tokens))
    if held is None:
        if pattern is None or specials is None:
            raise FormatError(
                "this table does not say how it was counted: pass pattern= and special_tokens="
            )
        return Settings(expand_pattern(pattern), specials, digits or "none")
    asked = {
        "pattern": None if pattern is None else expand_pattern(pattern),
        "special_tokens": specials,
        "digits": digits,
    }
    for name, value in asked.items():
        if value is not None and value != getattr(held, name):
            raise TrainError(
                f"counted with {name}={getattr(held, name)!r}, not {value!r}: leave it out or count again"
            )
    return held


def _to_buffers(table: pyarrow.Table) -> tuple[bytes, bytes, bytes]:
    """(bytes of all pretokens, their n + 1 int64 offsets, their n uint64 counts), little-endian."""
    import numpy
    import pyarrow as arrow

    for name in ("pretoken", "count"):
        if table.schema.names.count(name) != 1:
            raise FormatError(
                f"counts need one column {name!r}; the columns here are {table.schema.names}"
            )
        if table.column(name).null_count:
            raise FormatError(
                f"column {name!r} holds nulls, which count nothing: drop such rows first"
            )
    try:
        pretokens = table.column("pretoken").cast(arrow.large_binary())
        # A safe cast: negative counts and fractions are errors, not wrapped.
        numbers = table.column("count").cast(arrow.uint64())
    except arrow.ArrowException as error:
        raise FormatError(f"counts need pretoken: binary and count: uint64 ({error})") from None
    data: list[bytes] = []
    offsets = [numpy.zeros(1, dtype="<i8")]
    for chunk in pretokens.chunks:
        _, starts, content = chunk.buffers()
        ends = numpy.frombuffer(starts, dtype="<i8")[chunk.offset : chunk.offset + len(chunk) + 1]
        if len(chunk):
            data.append(content.slice(ends[0], ends[-1] - ends[0]).to_pybytes() if content else b"")
            offsets.append(ends[1:] - ends[0] + offsets[-1][-1])
    values = [chunk.to_numpy().astype("<u8", copy=False) for chunk in numbers.chunks]
    return (
        b"".join(data),
        numpy.concatenate(offsets).tobytes(),
        b"".join(value.tobytes() for value in values),
    )


def _to_binary(pretokens: Any, chunk_bytes: int = CHUNK_BYTES) -> Any:
    """An array of 64-bit offsets as chunks of 32-bit ones over the same bytes."""
    import numpy
    import pyarrow as arrow

    _, starts, content = pretokens.buffers()
    offsets = numpy.frombuffer(starts, dtype="<i8")[
        pretokens.offset : pretokens.offset + len(pretokens) + 1
    ]
    chunks = []
    first = 0
    while first < len(pretokens):
        end = int(numpy.searchsorted(offsets, offsets[first] + chunk_bytes, side="right")) - 1
        if end == first:
            size = int(offsets[first + 1] - offsets[first])
            raise FormatError(
                f"a pretoken of {size:,} bytes: Arrow's binary holds at most {chunk_bytes:,}"
            )
        narrow = (offsets[first : end + 1] - offsets[first]).astype("<i4")
        part = content.slice(int(offsets[first]), int(offsets[end] - offsets[first]))
        chunks.append(
            arrow.Array.from_buffers(
                arrow.binary(), end - first, [None, arrow.py_buffer(narrow.tobytes()), part]
            )
        )
        first = end
    return arrow.chunked_array(chunks, type=arrow.binary())
