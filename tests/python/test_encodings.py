"""Published vocabularies by name: found, fetched from a local server, checked, refused."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

import pytest

import bpetok
from bpetok import DownloadError, encodings
from test_formats import rank_file


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address that serves it."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()
        thread.join()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, no data folder, and no way out."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.delenv("BPETOK_DATA_DIR", raising=False)
    monkeypatch.setenv("BPETOK_BASE_URL", "http://127.0.0.1:9")
    for proxy in (
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(proxy, raising=False)
    return folder


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> bytes:
    """Takes r50k_base's place: the content of a small rank file whose hash is expected."""
    data = rank_file(tmp_path / "tiny", {b"ab": 256}).read_bytes()
    entry = (hashlib.sha256(data).hexdigest(), "gpt2", {"<|endoftext|>": 257})
    monkeypatch.setitem(encodings.ENCODINGS, "r50k_base", entry)
    return data


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(bpetok.Error, match=r"'gpt5'.*cl100k_base"):
        bpetok.get_encoding("gpt5")


def test_downloads_once_checks_and_keeps(
    tiny: bytes, home: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    (folder / "r50k_base.tiktoken").write_bytes(tiny)
    monkeypatch.setenv("BPETOK_BASE_URL", address)
    tok = bpetok.get_encoding("r50k_base")
    assert tok.encode("ab<|endoftext|>", allowed_special="all") == [256, 257]
    assert (home / ".cache/bpetok/r50k_base.tiktoken").read_bytes() == tiny
    (folder / "r50k_base.tiktoken").unlink()
    assert bpetok.get_encoding("r50k_base") == tok


def test_data_dir_comes_first_and_needs_no_network(
    tiny: bytes, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/r50k_base.tiktoken").write_bytes(tiny)
    monkeypatch.setenv("BPETOK_DATA_DIR", str(tmp_path / "data"))
    assert bpetok.get_encoding("r50k_base").vocab_size == 258
    assert not (home / ".cache").exists()


def test_wrong_content_is_refused_and_not_kept(
    tiny: bytes, home: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    (folder / "r50k_base.tiktoken").write_bytes(tiny + b"\n")
    monkeypatch.setenv("BPETOK_BASE_URL", address)
    expected = hashlib.sha256(tiny).hexdigest()
    with pytest.raises(DownloadError, match=rf"sha256.*{expected}.*\.cache.*BPETOK_DATA_DIR"):
        bpetok.get_encoding("r50k_base")
    assert not (home / ".cache").exists()


def test_wrong_local_file_is_refused_by_its_path(
    tiny: bytes, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r50k_base.tiktoken").write_bytes(tiny[:-10])
    monkeypatch.setenv("BPETOK_DATA_DIR", str(tmp_path))
    with pytest.raises(DownloadError, match=r"r50k_base\.tiktoken has sha256"):
        bpetok.get_encoding("r50k_base")


def test_offline_says_where_to_put_the_file(home: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        bpetok.get_encoding("cl100k_base")
    message = str(caught.value)
    for word in ("cl100k_base.tiktoken", str(home / ".cache/bpetok"), "BPETOK_DATA_DIR", "2239"):
        assert word in message


def test_a_missing_file_on_the_server(
    home: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BPETOK_BASE_URL", server[1])
    with pytest.raises(DownloadError, match="404"):
        bpetok.get_encoding("o200k_base")


def test_a_home_that_cannot_be_written_costs_a_warning_only(
    tiny: bytes, home: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    (folder / "r50k_base.tiktoken").write_bytes(tiny)
    (home / ".cache").write_text("a file where a folder should be")
    monkeypatch.setenv("BPETOK_BASE_URL", address)
    with pytest.warns(UserWarning, match="could not be kept"):
        assert bpetok.get_encoding("r50k_base").vocab_size == 258


def test_a_user_without_a_home_gets_no_folder_called_so(
    tiny: bytes, home: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    (folder / "r50k_base.tiktoken").write_bytes(tiny)
    monkeypatch.chdir(home)
    # What the system says where HOME is not set and the user is not in its list, as in many containers.
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(DownloadError, match=r"put .* \(sha256 \w+\) into a folder that"):
        bpetok.get_encoding("cl100k_base")
    monkeypatch.setenv("BPETOK_BASE_URL", address)
    with pytest.warns(UserWarning, match=r"could not be kept at ~ \(there is no home folder\)"):
        assert bpetok.get_encoding("r50k_base").vocab_size == 258
    assert not list(home.iterdir())


def test_the_home_of_another_user_is_passed_over(
    tiny: bytes, home: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, mode: str) -> IO[bytes]:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    folder, address = server
    (folder / "r50k_base.tiktoken").write_bytes(tiny)
    monkeypatch.setenv("BPETOK_BASE_URL", address)
    monkeypatch.setattr(encodings, "open", refuse, raising=False)
    assert bpetok.get_encoding("r50k_base").vocab_size == 258
    monkeypatch.setenv("BPETOK_DATA_DIR", str(home))  # named on purpose: not passed over
    with pytest.raises(PermissionError, match="r50k_base"):
        bpetok.get_encoding("r50k_base")


def test_hashes_are_those_that_tiktoken_publishes() -> None:
    import inspect

    from tiktoken_ext import openai_public

    source = inspect.getsource(openai_public)
    for sha256, _, specials in encodings.ENCODINGS.values():
        assert sha256 in source
        assert all(str(number) in source for number in specials.values())


@pytest.mark.parametrize(
    ("name", "size"),
    [("r50k_base", 50257), ("p50k_base", 50281), ("cl100k_base", 100277), ("o200k_base", 200019)],
)
def test_published_sizes(published: dict[str, bpetok.Tokenizer], name: str, size: int) -> None:
    tok = published[name]
    assert tok.vocab_size == size
    assert tok.special_tokens == encodings.ENCODINGS[name][2]
    assert tok.decode(tok.encode("<|endoftext|>", allowed_special="all")) == "<|endoftext|>"
