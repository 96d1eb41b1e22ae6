"""Documents in: text files, JSON lines and Parquet, compressed or not, one at a time.

| suffix | a document is |
|---|---|
| `.txt` and any other | the file; a long one comes in pieces that give the same pretokens (see `pieces`) |
| `.jsonl`, `.ndjson` | the text under `field` in each line |
| `.parquet` | each value of the column `field` |

`.gz` and `.zst` may follow the first two. Memory stays bounded by one document, or one row group of
Parquet. pyarrow and the Zstandard package are imported only when a file needs them.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from bpetok._bpetok import PRESETS
from bpetok.errors import Error, FormatError, TextError
from bpetok.numbers import whole
from bpetok.pipelines.files import STDIN, expand, open_parquet, open_plain, split_compression
from bpetok.pipelines.pieces import text_pieces
from bpetok.texts import text_list
from bpetok.tokenizer import expand_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bpetok.pipelines.files import FileName

BLOCK_BYTES = 1 << 20
# Rows of a Parquet file that are Python objects at one time; a row group is decoded in such steps.
PARQUET_ROWS = 256
PARQUET_BYTES = 4 << 20
"""Most rows of Parquet that are held at once, and bytes, as far as the file tells beforehand."""
MAX_DOCUMENT_BYTES = 1 << 30
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_documents(
    files: FileName | Iterable[FileName],
    *,
    field: str = "text",
    format: str | None = None,
    pattern: str = "cl100k",
    special_tokens: Iterable[str] = ("<|endoftext|>",),
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
) -> Iterator[bytes]:
    """The documents of files, lazily, as UTF-8 bytes.

    Args:
        files: names or globs, or one of them; `-` is standard input.
        field: the field of JSON lines, or column of Parquet, that holds the text.
        format: `"text"`, `"jsonl"` or `"parquet"` for every file; by default each suffix decides, and
            standard input is text.
        pattern, special_tokens: what the documents will be counted with, with the defaults of
            `bpetok.train`. They decide where a long text may be cut: for a preset before white space; for a
            pattern of your own after special tokens only.
        max_document_bytes: the most memory that one line of JSON, one value of Parquet, or a text
            without a place to cut may take; 1 or more.

    Raises:
        TypeError: for a `max_document_bytes` that is no `int`.
        Error: for one below 1.
        OSError: for a file that is missing or cannot be opened; names it. Missing files are found at
            the call, before anything is read.
        FormatError: for a damaged or truncated file, a line that is not a JSON object, a field or
            column that is missing or holds something else than text, an unknown `format`.
        TextError: for a lone surrogate in a JSON string, a special token or the pattern.
        MissingPackageError: if reading the file needs a package that is not installed.

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.jsonl").write_text('{"text": "one"}\\n{"text": "two"}\\n')
    >>> list(read_documents(folder / "*.jsonl"))
    [b'one', b'two']
    """
    limit = _limit(max_document_bytes)
    specials = [special.encode() for special in text_list(special_tokens)]
    cut_at_spaces = expand_pattern(pattern) in PRESETS.values()
    readers: dict[str, Callable[[str], Iterator[bytes]]] = {
        "text": partial(_texts, special_tokens=specials, cut_at_spaces=cut_at_spaces, limit=limit),
        "jsonl": partial(_json_lines, field=field, limit=limit),
        "parquet": partial(_parquet_values, field=field, limit=limit),
    }
    if format is not None and format not in readers:
        raise FormatError(
            f"no document format is called {format!r}: choose one of {', '.join(readers)}"
        )
    # Every name is resolved here, so that a typing error in the last one costs no hour of reading.
    plan = [(name, readers[format or format_of(name)]) for name in expand(files)]
    return (document for name, reader in plan for document in reader(name))


def format_of(name: str) -> str:
    """What the suffix of a file says it is.

    >>> [format_of(name) for name in ("a.TXT", "b.jsonl.zst", "c.parquet", "d.py", "-")]
    ['text', 'jsonl', 'parquet', 'text', 'text']
    """
    inner, _ = split_compression(name.lower())
    suffix = os.path.splitext(inner)[1]
    return {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}.get(suffix, "text")


def _limit(value: Any) -> int:
    """A limit that `readline` takes; it reads nothing at 0, and a line of any length below."""
    limit = whole("max_document_bytes", value)
    if not 1 <= limit < sys.maxsize:
        raise Error(f"max_document_bytes is {limit}: give 1 or more, and less than {sys.maxsize:,}")
    return limit


def _texts(
    name: str, special_tokens: Sequence[bytes], cut_at_spaces: bool, limit: int
) -> Iterator[bytes]:
    with open_plain(name) as file:
        blocks = iter(partial(file.read, BLOCK_BYTES), b"")
        yield from text_pieces(
            blocks, special_tokens, cut_at_spaces=cut_at_spaces, limit=limit, name=name
        )


def _json_lines(name: str, field: str, limit: int) -> Iterator[bytes]:
    with open_plain(name) as file:
        # A limit on readline too: a file without line ends would otherwise fill the memory first.
        for number, line in enumerate(iter(partial(file.readline, limit + 1), b""), start=1):
            place = f"{name}:{number}"
            if len(line) > limit:
                raise FormatError(
                    f"{place}: the line is longer than max_document_bytes={limit:,}: raise it"
                )
            if number == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)
            if not line.isspace():
                yield _json_text(line, field, place)


def _json_text(line: bytes, field: str, place: str) -> bytes:
    try:
        # RecursionError: a line of a hundred thousand "[" is bad input too, not a fault of the program.
        row = json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{place}: not a line of JSON: {error}") from None
    if not isinstance(row, dict):
        raise FormatError(
            f"{place}: holds {_json_kind(row)}, where each line must be an object with {field!r}"
        )
    if field not in row:
        raise FormatError(f"{place}: no field {field!r}; the fields there are {_listed(row)}")
    text = row[field]
    if not isinstance(text, str):
        raise FormatError(f"{place}: field {field!r} is {_json_kind(text)}, where text is needed")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise TextError(
            f"{place}: field {field!r} has a lone surrogate U+{ord(text[error.start]):04X} at index {error.start}, "
            "which no UTF-8 text can hold: remove it, or the half of the escape pair that is left"
        ) from None


def _json_kind(value: object) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "a boolean",
        type(None): "null",
    }
    return names.get(type(value), "a number")


def _parquet_values(name: str, field: str, limit: int) -> Iterator[bytes]:
    if name == STDIN or split_compression(name)[1]:
        raise FormatError(
            f"{name}: Parquet is read from its end, so only from a plain file: save it as one first"
        )
    row = 0
    with open_parquet(name) as file:
        _check_column(file.schema_arrow, field, name)
        for batch in file.iter_batches(batch_size=_rows_at_once(file.metadata), columns=[field]):
            documents = documents_of(batch, field, name, row)
            for number, document in enumerate(documents, start=row):
                if len(document) > limit:
                    raise FormatError(
                        f"{name}: the text of row {number:,} is longer than max_document_bytes={limit:,}: raise it"
                    )
                yield document
            row += batch.num_rows


def _rows_at_once(metadata: Any) -> int:
    """As many as make up some MiB where they are longest."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    longest = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return max(1, min(PARQUET_ROWS, PARQUET_BYTES // max(longest, 1)))


def documents_of(batch: Any, field: str, name: str, first_row: int = 0) -> list[bytes]:
    """The documents in one column of an Arrow record batch.

    Args:
        batch: a `pyarrow.RecordBatch` or `Table`.
        field: the column.
        name: what to call the batch in an error.
        first_row: the number of its first row there.

    Raises:
        FormatError: for a missing column, one that is not text or binary, or a null in it.

    >>> import pyarrow
    >>> documents_of(pyarrow.record_batch({"text": ["one", "two"]}), "text", "batch")
    [b'one', b'two']
    """
    import pyarrow as arrow

    _check_column(batch.schema, field, name)
    column = batch.column(batch.schema.names.index(field))
    if column.null_count:
        nulls: list[bool] = column.is_null().to_pylist()
        row = first_row + nulls.index(True)
        raise FormatError(f"{name}: column {field!r} is null in row {row:,}: drop such rows first")
    # As bytes: Arrow's text is UTF-8 already, and decoding it only for the core to encode it again is waste.
    documents: list[bytes] = column.cast(arrow.large_binary()).to_pylist()
    return documents


def _check_column(schema: Any, field: str, name: str) -> None:
    if schema.names.count(field) != 1:
        found = "more than one column is called" if field in schema.names else "no column"
        raise FormatError(
            f"{name}: {found} {field!r}; the columns there are {_listed(schema.names)}"
        )
    import pyarrow.types as types

    kind = schema.field(field).type
    value = kind.value_type if types.is_dictionary(kind) else kind
    readable = (
        types.is_string(value),
        types.is_large_string(value),
        types.is_string_view(value),
        types.is_binary(value),
        types.is_large_binary(value),
        types.is_binary_view(value),
    )
    if not any(readable):
        raise FormatError(f"{name}: column {field!r} is {kind}, where string or binary is needed")


def _listed(names: Iterable[str]) -> str:
    """Names for an error, the first twenty of them."""
    every = list(names)
    shown = ", ".join(repr(name) for name in every[:20])
    return (shown or "none") + (f" and {len(every) - 20} more" if len(every) > 20 else "")
