"""What rounding the demo pair's weights to 8, 5 and 4 bits costs on the novels that no training saw.

    OPENBLAS_NUM_THREADS=1 python examples/measure_quant.py NOVELS [--characters 200000]

Prints the figures of docs/quant.md: bytes of the model, relative error of the weights, bits per byte over the first
`--characters` of each novel together, and the change against float32.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from train_demo import HELD_BACK

import bpetok
from bpetok import nn
from bpetok.nn.quant_model import compare

MODELS = Path(__file__).resolve().parent / "demo_models"


def main() -> None:
    """Print one table row per model and format."""
    parser = argparse.ArgumentParser(description="bits per byte of the demo pair in every format")
    parser.add_argument("novels", type=Path)
    parser.add_argument("--characters", type=int, default=200_000)
    arguments = parser.parse_args()
    files = [arguments.novels / f"{name}.txt" for name in HELD_BACK]
    texts = [file.read_text("utf-8")[: arguments.characters] for file in files]
    sizes = [len(text.encode()) for text in texts]
    print("| model | format | MB | error | bits per byte | change |")
    for name in ("llama", "mamba2"):
        model, tok = nn.load(MODELS / name), bpetok.load(MODELS / name / "tokenizer.bpetok")

        def score(m: Any, tok: Any = tok) -> float:
            each = (nn.bits_per_byte(m, tok, text, context=1024, stride=1024) for text in texts)
            return sum(b * size for b, size in zip(each, sizes, strict=True)) / sum(sizes)

        for row in compare(model, score):
            error, change = f"{100 * row.relative_error:.1f} %", f"{row.change:+.4f}"
            print(
                f"| {name} | {row.format} | {row.nbytes / 1e6:.1f} | {error} | {row.score:.4f} | {change} |"
            )


if __name__ == "__main__":
    main()
