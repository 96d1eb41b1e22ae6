"""Time a step of decoding from blocks against float32, in one run, both held to the same threads.

    python tests/python/nn/quant_speed.py 1          # the number of threads

An untrained model of GPT-2's size after a prompt of 64 ids; the formats take turns, the best of six rounds of eight
steps counts.
"""

from __future__ import annotations

import os
import sys
import time

STEPS, ROUNDS = 8, 6


def main(threads: str) -> None:
    """Print milliseconds for a step in each format, and how much faster than float32 that is."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = threads  # before NumPy is imported: it reads them once
    import numpy as np

    from bpetok import nn
    from bpetok.nn.quant import BLOCK_BYTES
    from bpetok.nn.quant_model import quantize_model

    model = nn.random_model(nn.config_from_json({"model_type": "gpt2"}))
    models = {"float32": model} | {f: quantize_model(model, f) for f in BLOCK_BYTES}
    ids = np.random.default_rng(0).integers(0, 50000, (1, 64))
    states = {name: m(ids)[1] for name, m in models.items()}
    best = dict.fromkeys(models, float("inf"))
    for _ in range(ROUNDS):
        for name, m in models.items():
            state, start = states[name], time.perf_counter()
            for token in range(STEPS):
                _, state = m([[token]], state)
            best[name] = min(best[name], (time.perf_counter() - start) / STEPS)
    times = (f"{n} {b * 1e3:.1f} ms, {best['float32'] / b:.1f}x" for n, b in best.items())
    print(f"{threads} thread(s): " + "; ".join(times))


if __name__ == "__main__":
    main(*sys.argv[1:2])
