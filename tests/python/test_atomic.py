"""Files appear whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bpetok.atomic import check_target, open_atomic, replacing, write_atomic


def test_an_error_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail_halfway() -> None:
        with open_atomic(path) as file:
            file.write(b"new, half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail_halfway()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_replaces_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old and longer")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_permissions_are_those_of_an_ordinary_file(tmp_path: Path) -> None:
    write_atomic(tmp_path / "atomic", b"")
    (tmp_path / "ordinary").write_bytes(b"")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("atomic", "ordinary")]
    assert modes[0] == modes[1]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_atomic(tmp_path / "link", b"data")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"data"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755])
def test_the_permissions_of_an_older_file_are_kept(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    with open_atomic(path) as file:
        file.write(b"new")
        # What is written is nobody else's before it has taken the place of a private file.
        (temporary,) = tmp_path.glob("*.tmp")
        assert stat.S_IMODE(temporary.stat().st_mode) & 0o077 == 0
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    longest = tmp_path / ("n" * 250 + ".bin")
    write_atomic(longest, b"data")
    assert longest.read_bytes() == b"data"


def test_names_may_be_bytes(tmp_path: Path) -> None:
    write_atomic(os.fsencode(tmp_path / "file"), b"data")
    assert (tmp_path / "file").read_bytes() == b"data"


def write(path: Path) -> None:
    write_atomic(path, b"")


@pytest.mark.parametrize("attempt", [write, check_target])
def test_errors_come_at_once_and_name_the_path_as_given(
    tmp_path: Path, attempt: Callable[[Path], None]
) -> None:
    (tmp_path / "file").touch()
    for path, error in (
        (tmp_path / "missing" / "file", FileNotFoundError),
        (tmp_path / "file" / "file", NotADirectoryError),
        (tmp_path / ("n" * 300), OSError),
        (tmp_path, IsADirectoryError),
    ):
        with pytest.raises(error) as caught:
            attempt(path)
        assert caught.value.filename == str(path)
        assert ".tmp" not in str(caught.value)
    assert os.listdir(tmp_path) == ["file"]


def test_looking_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    check_target(tmp_path / "old")
    check_target(tmp_path / "new")
    assert os.listdir(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


def test_a_temporary_file_that_is_gone_is_an_error_of_the_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "f") as temporary:
        os.unlink(temporary)
    assert caught.value.filename == str(tmp_path / "f")


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="this system has no /dev/null")
def test_what_is_no_ordinary_file_is_not_replaced() -> None:
    write_atomic("/dev/null", b"data")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_is_an_os_error_of_the_path_as_given(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/full")
    for path in ("/dev/full", str(tmp_path / "link")):
        with pytest.raises(OSError, match="No space left") as caught:
            write_atomic(path, b"data")
        assert caught.value.filename == path


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="this system has no /dev/fd")
def test_a_pipe_that_has_no_name_of_its_own_is_written_to() -> None:
    """As in `bpetok encode tok text -o >(gzip)`, or `-o /dev/stdout | wc`: what the link names does not exist."""
    reader, writer = os.pipe()
    path = f"/dev/fd/{writer}"
    check_target(path)
    write_atomic(path, b"data")
    os.close(writer)
    with open(reader, "rb") as file:
        assert file.read() == b"data"
