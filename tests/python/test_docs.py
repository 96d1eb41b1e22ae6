"""What docs/ shows runs as it stands; docs/nn.md, which is one long session, has a test of its own."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from bpetok.cli.command import parser
from support import python

ROOT = Path(__file__).parent.parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
# These need what a test has not: a cluster, torch, or files of the reader's.
ELSEWHERE = (
    "ray.data",
    "pyspark",
    "transformers.LogitsProcessor",
    "read_documents(",
    "documents, 50_000",
)


def blocks(kind: str) -> list[tuple[str, str]]:
    found = []
    for path in DOCS:
        text = path.read_text(encoding="utf-8")
        found += [
            (path.name, block)
            for block in re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        ]
    return found


RUNNABLE = [
    (name, block)
    for name, block in blocks("python")
    if ">>>" not in block and not any(word in block for word in ELSEWHERE)
]


@pytest.mark.parametrize(
    ("name", "block"), RUNNABLE, ids=[f"{name} {i}" for i, (name, _) in enumerate(RUNNABLE)]
)
def test_python_blocks(name: str, block: str, tmp_path: Path) -> None:
    if "pyarrow" in block:
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    (tmp_path / "examples").symlink_to(ROOT / "examples", target_is_directory=True)
    done = python("import bpetok\n" + block, cwd=tmp_path)
    assert done.stderr == "", name


def test_quant_says_where_its_functions_live() -> None:
    page = (ROOT / "docs/quant.md").read_text("utf-8")
    homes = ("quant", "quant_model", "quant_files")
    names = {
        name for home in homes for name in importlib.import_module(f"bpetok.nn.{home}").__all__
    }
    called = set(re.findall(r"\b(\w+)(?:`|\()", page)) & names
    lines = re.findall(r"^from bpetok\.nn\.quant\w* import (.*)", page, re.MULTILINE)
    assert {"quantize", "measure"} <= called <= set(", ".join(lines).split(", "))


COMMANDS = [
    line
    for _, block in blocks("sh")
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("bpetok ")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_spelled_right(command: str) -> None:
    parser().parse_args(shlex.split(command, comments=True)[1:])


def test_blocks_were_found() -> None:
    assert {"quant.md", "scale.md", "pipelines.md"} <= {name for name, _ in RUNNABLE}
    assert any("generate" in command for command in COMMANDS)
