"""What the tests of `bpetok.nn` share: where the golden vectors lie and how far from them is too far."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

GOLDEN = Path(__file__).parents[2] / "golden" / "nn"
TOLERANCE = {"float64": 1e-11, "float32": 5e-6}  # of the largest number of the reference


def vectors(name: str | Path) -> dict[str, NDArray[Any]]:
    """Read one oracle: the arrays of `oracle.npz`, keys without their `.f64`."""
    path = GOLDEN / name
    path = path if path.suffix == ".npz" else path / "oracle.npz"
    with np.load(path) as file:
        return {key.removesuffix(".f64"): file[key] for key in file}


def distance(got: Any, want: Any) -> float:
    """Largest difference over the largest number of the reference."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"shape {got.shape} is not the reference's {want.shape}"
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-300))


def close(got: Any, want: Any, dtype: str = "float64") -> None:
    """Hold `got` to a reference, within what its dtype and the reference's can express."""
    limit = max(TOLERANCE[dtype], 1e-7 if np.asarray(want).dtype == np.float32 else 0.0)
    assert distance(got, want) <= limit, f"{distance(got, want):.2e} is more than {limit:.0e}"
