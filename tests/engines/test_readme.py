"""The README's recipes for Ray and Spark run as they stand, and train what one process trains."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

import bpetok

README = pathlib.Path(__file__).parent.parent.parent / "README.md"
BLOCKS = re.findall(
    r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize("engine", ["ray", "pyspark"])
def test_recipes(
    engine: str, texts: list[str], tmp_path: pathlib.Path, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip(engine, reason=f"engine {engine}: run `make test-engines`")
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    if engine == "pyspark":
        request.getfixturevalue("java")
    (tmp_path / "corpus").mkdir()
    for number in range(2):
        part = arrow.table({"text": texts[number::2]})
        parquet.write_table(part, tmp_path / "corpus" / f"{number}.parquet")
    (recipe,) = [
        block for block in BLOCKS if re.search(rf"^(?:import|from) {engine}", block, re.MULTILINE)
    ]
    done = subprocess.run(
        [sys.executable, "-c", "import bpetok\n" + recipe],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (saved,) = tmp_path.glob("*.bpetok")
    assert bpetok.load(saved) == bpetok.train(texts, 1_000)
