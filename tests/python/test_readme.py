"""What the README shows runs as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import python

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", [text for kind, text in BLOCKS if kind == "python"])
def test_python_blocks(block: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if re.search(r"^(?:import|from) (?:ray|pyspark)", block, re.MULTILINE):
        pytest.skip("an engine's recipe: `make test-engines` runs it")
    environment = dict(os.environ)
    if "get_encoding" in block:
        environment["BPETOK_DATA_DIR"] = str(request.getfixturevalue("data_dir") / "vocabs")
    done = python("import bpetok\n" + block, cwd=tmp_path, env=environment)
    assert done.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="the commands are written for a POSIX shell")
@pytest.mark.parametrize(
    "block", [text for kind, text in BLOCKS if kind == "sh" and "make" not in text]
)
def test_shell_blocks(block: str, tmp_path: Path) -> None:
    for name in ("LICENSE-APACHE", "LICENSE-MIT"):
        shutil.copy(ROOT / name, tmp_path)
    commands = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_both_kinds_of_block_were_found() -> None:
    assert {"python", "sh"} <= {kind for kind, _ in BLOCKS}


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
