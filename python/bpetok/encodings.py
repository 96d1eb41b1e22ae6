"""Published vocabularies by name: where they lie, their sha256, pattern and special tokens.

Names, hashes and special tokens are those that the tiktoken library publishes
(`tiktoken_ext/openai_public.py`, version 0.14). The rank files are not part of bpetok: they are found
on this machine or fetched once.
"""

from __future__ import annotations

import errno
import os

from bpetok._bpetok import parse_tiktoken
from bpetok.errors import DownloadError, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpetok._bpetok import Tokenizer

DATA_DIR_VARIABLE = "BPETOK_DATA_DIR"
BASE_URL_VARIABLE = "BPETOK_BASE_URL"
BASE_URL = "https://openaipublic.blob.core.windows.net/encodings"
TIMEOUT_SECONDS = 30
MAX_DOWNLOAD_BYTES = 64 << 20
"""The largest published file has 4 MB; a server that sends more is not sending that."""

# name -> (sha256 of the rank file, preset, special tokens)
ENCODINGS: dict[str, tuple[str, str, dict[str, int]]] = {
    "r50k_base": (
        "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
        "gpt2",
        {"<|endoftext|>": 50256},
    ),
    # 50256 lies inside this vocabulary: its merges go on above it, up to 50280.
    "p50k_base": (
        "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
        "gpt2",
        {"<|endoftext|>": 50256},
    ),
    "cl100k_base": (
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        "cl100k",
        {
            "<|endoftext|>": 100257,
            "<|fim_prefix|>": 100258,
            "<|fim_middle|>": 100259,
            "<|fim_suffix|>": 100260,
            "<|endofprompt|>": 100276,
        },
    ),
    "o200k_base": (
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        "o200k",
        {"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
    ),
}


def get_encoding(name: str) -> Tokenizer:
    """The published tokenizer of that name: r50k_base, p50k_base, cl100k_base or o200k_base.

    Looks for `<name>.tiktoken` in the folder `$BPETOK_DATA_DIR`, then in `~/.cache/bpetok`, and
    otherwise downloads it into the latter, from `$BPETOK_BASE_URL/<name>.tiktoken` if that is set (a
    mirror). The sha256 is checked each time (about 3 ms).

    Raises:
        Error: for a name that is not published; the message lists those that are.
        DownloadError: if the file cannot be fetched, or is not the published one; the message says
            where to put it by hand.

    >>> try:
    ...     get_encoding("cl100k")
    ... except Error as error:
    ...     print(error)
    no encoding is called 'cl100k': choose one of r50k_base, p50k_base, cl100k_base, o200k_base
    """
    if not isinstance(name, str) or name not in ENCODINGS:
        raise Error(f"no encoding is called {name!r}: choose one of {', '.join(ENCODINGS)}")
    sha256, pattern, special_tokens = ENCODINGS[name]
    return parse_tiktoken(_rank_file(name, sha256), pattern, special_tokens)


def _rank_file(name: str, sha256: str) -> bytes:
    """The checked content of the rank file, from this machine if it has it."""
    file_name = f"{name}.tiktoken"
    cached = _cached(file_name)
    data_dir = os.environ.get(DATA_DIR_VARIABLE)
    absent: tuple[type[OSError], ...] = (FileNotFoundError, NotADirectoryError)
    places = [(os.path.join(data_dir, file_name), absent)] if data_dir else []
    if cached is not None:
        # In a container HOME may be that of another user: what nobody may read there is fetched.
        places.append((cached, (*absent, PermissionError)))
    for path, passed_over in places:
        try:
            with open(path, "rb") as file:
                data = file.read()
        except passed_over:
            continue
        _check(data, sha256, path, f"remove {path} or replace it by the published file")
        return data
    url = f"{(os.environ.get(BASE_URL_VARIABLE) or BASE_URL).rstrip('/')}/{file_name}"
    at = "" if cached is None else f"at {cached}, or "
    by_hand = f"put {file_name} (sha256 {sha256}) {at}into a folder that ${DATA_DIR_VARIABLE} names"
    data = _download(url, by_hand)
    _check(data, sha256, url, f"nothing was saved; {by_hand}")
    _keep(cached, data)
    return data


def _cached(file_name: str) -> str | None:
    """Where a fetched file is kept; `None` for a user without a home, for whom `~` would be a folder of that name."""
    home = os.path.expanduser("~")
    return None if home == "~" else os.path.join(home, ".cache", "bpetok", file_name)


def _download(url: str, by_hand: str) -> bytes:
    import http.client
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            data: bytes = response.read(MAX_DOWNLOAD_BYTES + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadError(f"cannot download {url} ({error}): {by_hand}") from error
    if len(data) > MAX_DOWNLOAD_BYTES:
        raise DownloadError(f"{url} sends more than {MAX_DOWNLOAD_BYTES} bytes: {by_hand}")
    return data


def _check(data: bytes, expected: str, origin: str, cure: str) -> None:
    import hashlib

    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise DownloadError(
            f"{origin} has sha256 {found}, but the published file has {expected}: {cure}"
        )


def _keep(path: str | None, data: bytes) -> None:
    """Caches the file. A home that is none or cannot be written to costs a warning, not the tokenizer."""
    from bpetok.atomic import write_atomic

    try:
        if path is None:
            raise FileNotFoundError(errno.ENOENT, "there is no home folder")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_atomic(path, data)
    except OSError as error:
        import warnings

        warnings.warn(
            f"the downloaded file could not be kept at {path or '~'} ({error.strerror}): it will be "
            f"fetched again; set ${DATA_DIR_VARIABLE} to a folder that has it",
            stacklevel=4,
        )
