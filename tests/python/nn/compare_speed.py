"""Time `bpetok.nn` against `transformers` on the processor, in one run, both held to the same threads.

    python tests/python/nn/compare_speed.py gpt2 1        # gpt2, mamba or mamba2, and the threads

Needs torch and transformers. Untrained float32 models of 124 to 130 million parameters, one text of 512 ids, then 16
single steps after it; the best of three, the two libraries taking turns.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

CONFIGS: dict[str, dict[str, Any]] = {
    "gpt2": {"model_type": "gpt2"},
    "mamba": {"model_type": "mamba", "num_hidden_layers": 24},
    "mamba2": {"model_type": "mamba2", "num_hidden_layers": 24, "hidden_size": 768, "num_heads": 24, "n_groups": 1, "vocab_size": 50280},
}  # fmt: skip
STEPS, LENGTH = 16, 512


def main(name: str, threads: str) -> None:
    """Print seconds for the prompt, milliseconds for a step, and the ratios."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = threads  # before NumPy is imported: it reads them once
    import numpy as np
    import torch
    import transformers

    from bpetok import nn

    torch.set_num_threads(int(threads))
    settings = CONFIGS[name]
    kind = {"gpt2": "GPT2LMHeadModel", "mamba": "MambaForCausalLM", "mamba2": "Mamba2ForCausalLM"}[
        name
    ]
    cls = getattr(transformers, kind)
    theirs = cls(
        cls.config_class(**{k: v for k, v in settings.items() if k != "model_type"})
    ).eval()
    ours = nn.random_model(nn.config_from_json(settings))
    ids = np.random.default_rng(0).integers(0, 50000, (1, LENGTH))
    cache = "past_key_values" if name == "gpt2" else "cache_params"

    def run(step: Any, first: Any) -> tuple[float, float]:
        start = time.perf_counter()
        chosen, state = step(first, None)
        prompt = time.perf_counter() - start
        start = time.perf_counter()
        for _ in range(STEPS):
            chosen, state = step(chosen, state)
        return prompt, (time.perf_counter() - start) / STEPS

    def our_step(ids: Any, state: Any) -> tuple[Any, Any]:
        logits, state = ours(ids, state)
        return logits[:, -1:].argmax(-1), state

    def their_step(ids: Any, state: Any) -> tuple[Any, Any]:
        with torch.no_grad():
            out = theirs(ids, use_cache=True, **({} if state is None else {cache: state}))
        return out.logits[:, -1:].argmax(-1), out[cache]

    times = [(run(our_step, ids), run(their_step, torch.tensor(ids))) for _ in range(3)]
    (a, b), (c, d) = (tuple(min(t[who][what] for t in times) for what in (0, 1)) for who in (0, 1))
    print(
        f"{name}, {threads} thread(s): prompt {a:.2f} s against {c:.2f} s, {c / a:.2f}x", end="; "
    )
    print(f"step {b * 1e3:.1f} ms against {d * 1e3:.1f} ms, {d / b:.2f}x")


if __name__ == "__main__":
    main(*sys.argv[1:3])
