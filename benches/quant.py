"""One token of a model of GPT-2's size, in float32 and from blocks: milliseconds, and megabytes of weights.

    OMP_NUM_THREADS=1 python benches/quant.py [seconds]

Weights are random; time does not depend on them. Formats take turns and the fastest step of each counts,
so that whatever else the machine does falls on all of them alike.
"""

import sys
import time

import numpy as np

from bpetok.nn import random_model
from bpetok.nn.quant import BLOCK_BYTES, available_threads
from bpetok.nn.quant_model import quantize_model
from bpetok.nn.read_config import config_from_json


def main(seconds: float) -> None:
    model = random_model(config_from_json({"model_type": "gpt2"}))
    models = {"float32": model} | {f: quantize_model(model, f) for f in BLOCK_BYTES}
    prompt = np.arange(64)[None]
    states = {name: m(prompt)[1] for name, m in models.items()}
    best = dict.fromkeys(models, float("inf"))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, m in models.items():
            state = states[name]
            for token in range(4):
                start = time.perf_counter()
                _, state = m([[token]], state)
                best[name] = min(best[name], time.perf_counter() - start)
    print(f"{available_threads()} thread(s)   ms/token   x float32   MB")
    for name, took in best.items():
        row = f"{took * 1e3:8.1f}   {best['float32'] / took:9.1f}   {models[name].nbytes / 1e6:.0f}"
        print(f"{name:14}{row}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0)
