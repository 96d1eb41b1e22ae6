"""What is compiled into the wheels is told in them with its licence, as most licences ask."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.skipif(not (ROOT / "src").is_dir(), reason="runs beside the sources")


def crates() -> set[str]:
    """All that the crate depends on, tests and benchmarks left out."""
    needs: dict[str, set[str]] = {}
    for package in tomllib.loads((ROOT / "Cargo.lock").read_text("utf-8"))["package"]:
        # A crate may be there in two versions, and is then named with one.
        names = {dependency.split()[0] for dependency in package.get("dependencies", ())}
        needs.setdefault(package["name"], set()).update(names)
    found: set[str] = set()
    new = set(tomllib.loads((ROOT / "Cargo.toml").read_text("utf-8"))["dependencies"])
    while new:
        found |= new
        new = set().union(*(needs[name] for name in new)) - found
    return found


def test_each_crate_is_told_with_its_licence() -> None:
    notice = (ROOT / "LICENSE-THIRD-PARTY").read_text("utf-8").partition("\n====")[0]
    told = set(re.findall(r"[\w-]+", notice))
    assert len(crates()) > 30
    assert crates() - told == set()


def test_wheels_carry_all_licences() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(project["license-files"]) == {path.name for path in ROOT.glob("LICENSE*")}
