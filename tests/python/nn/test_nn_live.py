"""The same comparisons as `test_nn_made.py`, made afresh where torch and transformers are installed."""

from pathlib import Path

import pytest

from nn.oracles import GOLDEN
from nn.test_nn_made import check


@pytest.mark.parametrize(
    "name", sorted(path.parent.name for path in (GOLDEN / "made").glob("*/config.json"))
)
def test_live(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("transformers", reason="transformers is not installed")
    from nn import make_golden

    make_golden.make(name, tmp_path)
    check(tmp_path, "float64")
