"""What CONTRIBUTING.md and ARCHITECTURE.md promise of the sources themselves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpetok import _bpetok

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("src", "python", "tests", "benches", "examples")
FILE_LINES = 400
FUNCTION_LINES = 60
# It runs only where torch and a GPU are, so that no test would see a slip in taking it apart.
LONG_FUNCTIONS = {("train_demo.py", "train")}
# A tokenizer's fingerprint is the digest of its file's body, and it keeps what cutting texts needs to know.
MUTUAL = {("files", "tokenizer"), ("tokenizer", "cut")}

pytestmark = pytest.mark.skipif(not (ROOT / "src").is_dir(), reason="runs beside the sources")


def sources(*suffixes: str) -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    return [path for path in found if path.suffix in suffixes]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """(name, lines without the docstring) of each function."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            lines = (node.end_lineno or 0) - node.lineno + 1
            if ast.get_docstring(node) is not None:
                lines -= (first.end_lineno or 0) - first.lineno + 1
            yield node.name, lines


def test_files_are_short() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in sources(".rs", ".py")
    }
    assert len(lengths) > 200
    assert {path for path, lines in lengths.items() if lines > FILE_LINES} == set()


def test_functions_are_short() -> None:
    long = {
        (path.name, name): lines
        for path in sources(".py")
        for name, lines in functions(path)
        if lines > FUNCTION_LINES and (path.name, name) not in LONG_FUNCTIONS
    }
    assert long == {}


def test_modules_of_the_core_stand_after_those_that_they_use() -> None:
    listed = re.findall(r"^pub mod (\w+);", (ROOT / "src/lib.rs").read_text("utf-8"), re.MULTILINE)
    assert len(listed) > 20
    for place, module in enumerate(listed):
        folder = ROOT / "src" / module
        paths = [
            path for path in [folder.with_suffix(".rs"), *folder.rglob("*.rs")] if path.exists()
        ]
        text = "".join(path.read_text("utf-8") for path in paths)
        # `use crate::{a, b}` would hide names from this test.
        assert "crate::{" not in text, module
        used = set(re.findall(r"\bcrate::(\w+)", text)) & set(listed)
        later = {name for name in used if listed.index(name) > place}
        assert {(module, name) for name in later} <= MUTUAL


def test_one_rust_version_is_named_everywhere() -> None:
    needed = re.search(
        r'^rust-version = "([\d.]+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE
    )
    assert needed
    for name in ("README.md", "CONTRIBUTING.md", "Makefile"):
        text = (ROOT / name).read_text("utf-8")
        named = re.findall(r"(?:Rust |toolchain )\(?(?:>= )?(\d\.\d+)", text)
        assert set(named) == {needed[1]}, name


def test_the_module_carries_no_lines_for_a_debugger() -> None:
    """Three quarters of what users download would be that."""
    # As an ELF file names its sections; the standard library knows the name too, as a part of other text.
    assert b"\0.debug_line\0" not in Path(_bpetok.__file__).read_bytes()


def test_every_file_of_the_package_is_in_the_table() -> None:
    table = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    folder = ROOT / "python/bpetok"
    names = {path.name for path in sources(".py", ".pyi") if path.parent == folder}
    names |= {f"{path.name}/" for path in folder.iterdir() if path.is_dir()}
    assert len(names) > 20
    without = {"__main__.py", "__pycache__/"}
    assert {name for name in names - without if f"`{name}`" not in table} == set()


def test_every_page_is_on_the_first_one() -> None:
    first = (ROOT / "docs/index.md").read_text("utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages <= set(re.findall(r"\]\((\w+\.md)\)", first))


def test_the_largest_id_is_the_documented_one() -> None:
    limit = re.search(
        r"MAX_TOKEN_ID: TokenId = \(1 << (\d+)\) - 2", (ROOT / "src/ids.rs").read_text()
    )
    assert limit
    assert f"Every id is at most 2^{limit[1]} - 2;" in (ROOT / "docs/format.md").read_text("utf-8")
