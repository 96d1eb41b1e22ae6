"""Train the demo pair on novels: a Llama and a Mamba-2 of 3.5 million parameters each, in minutes on one GPU.

    python examples/train_demo.py ids NOVELS IDS                      # here: bpetok
    python examples/train_demo.py train llama IDS RUN                 # where torch and a GPU are
    python examples/train_demo.py train mamba2 IDS RUN
    python examples/finish_demo.py NOVELS IDS RUN                     # here: bits per byte, 4 bits, model cards

`ids` trains the vocabulary and writes the ids of the novels, so that the machine with the GPU needs torch and safetensors
alone. The last part of a training run sees its weights through 4 bits, which costs the float16 model 0.01
nats a token and makes rounding free for the 4-bit one.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

HELD_BACK = ("Austen_Emma", "Dickens_Hard", "Eliot_Mill")
END = "<|endoftext|>"
CONTEXT = 1024
BATCH = 32  # texts of CONTEXT ids in one step
PEAK, FLOOR, WARM_UP = 2e-3, 2e-5, 200  # learning rate, and the steps that it takes to rise
DECAY, DROPOUT = 0.1, 0.1
ROUNDED = 0.85  # the share of the training after which weights are seen through 4 bits


def write_ids(novels: Path, out: Path) -> None:
    """Train the vocabulary on all novels but three and write everybody's ids, each novel ended by `END`."""
    import bpetok

    paths = sorted(novels.glob("*.txt"))
    held = [path for path in paths if path.stem in HELD_BACK]
    kept = [path for path in paths if path.stem not in HELD_BACK]
    if len(held) != len(HELD_BACK) or not kept:
        raise SystemExit(f"{novels}: needs novels (*.txt), among them {', '.join(HELD_BACK)}")
    out.mkdir(parents=True, exist_ok=True)
    tok = bpetok.train(kept, 4096, pattern="cl100k", special_tokens=(END,))
    tok.save(out / "tokenizer.bpetok")
    facts = {}
    for name, group in (("train", kept), ("held", held)):
        texts = [path.read_text("utf-8") for path in group]
        ids = [np.append(tok.encode_numpy(text), tok.special_tokens[END]) for text in texts]
        np.concatenate(ids).astype("<u2").tofile(out / f"{name}.bin")
        facts[name] = {
            "novels": [path.stem for path in group],
            "tokens": sum(map(len, ids)),
            "bytes": sum(path.stat().st_size for path in group),
        }
    (out / "facts.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    print(json.dumps(facts))


def train(
    kind: str, ids: Path, out: Path, epochs: float, seconds: float, device: str, seed: int = 1
) -> None:
    """Train one model; both end whichever comes first, and the learning rate falls towards that end."""
    import torch
    from torch.nn import functional as F
    from torch_models import CONFIGS, Linear, Model

    torch.manual_seed(seed)
    torch.set_float32_matmul_precision("high")
    rng = np.random.default_rng(seed)
    facts = json.loads((ids / "facts.json").read_text("utf-8"))
    data, held = (
        torch.from_numpy(np.fromfile(ids / f"{name}.bin", "<u2").astype(np.int64)).to(device)
        for name in ("train", "held")
    )
    config, model = CONFIGS[kind], Model(CONFIGS[kind], DROPOUT).to(device)
    decayed = [p for p in model.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if p.ndim != 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}],
        lr=PEAK,
        betas=(0.9, 0.95),
        fused=device == "cuda",
    )
    count = sum(p.numel() for p in model.parameters())
    steps = math.ceil(epochs * len(data) / (BATCH * CONTEXT))
    print(f"{kind}: {count:,} parameters, {len(data):,} ids, at most {steps:,} steps", flush=True)

    def windows(network: Any, batch: Any) -> Any:
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            scores = network(batch[:, :-1])
        return F.cross_entropy(scores.flatten(0, 1).float(), batch[:, 1:].flatten())

    def score() -> float:
        """Nats for each held-back id, in windows side by side."""
        model.eval()
        batches = held.unfold(0, CONTEXT + 1, CONTEXT).split(BATCH)
        with torch.no_grad():
            total = sum(windows(model, batch).item() * len(batch) for batch in batches)
        model.train()
        return total / sum(map(len, batches))

    def order() -> Any:
        """The windows of one epoch, from another first id each time, shuffled."""
        first = int(rng.integers(CONTEXT))
        starts = np.arange(first, len(data) - CONTEXT - 1, CONTEXT)
        return torch.from_numpy(rng.permutation(starts)).to(device)

    def compiled() -> Any:
        torch._dynamo.reset()
        return torch.compile(model, dynamic=False) if device == "cuda" else model

    out.mkdir(parents=True, exist_ok=True)
    run, rows, queue, span = compiled(), [], order(), torch.arange(CONTEXT + 1, device=device)
    # Compiling takes half a minute twice; the clock that ends the training stands still meanwhile.
    step, progress, losses, started, idle, compiling = 0, 0.0, [], time.monotonic(), 0.0, 3
    while progress < 1:
        before = time.monotonic()
        if progress >= ROUNDED and not Linear.rounded:
            print(f"  before 4 bits: held back {score():.4f}", flush=True)
            Linear.rounded, run, compiling = True, compiled(), 3
        if len(queue) < BATCH:
            queue = torch.cat([queue, order()])
        batch, queue = data[queue[:BATCH, None] + span], queue[BATCH:]
        rate = FLOOR + (PEAK - FLOOR) * 0.5 * (1 + math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / WARM_UP)
        loss = windows(run, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.detach())
        step += 1
        if compiling:
            loss.item()
            idle, compiling = idle + time.monotonic() - before, compiling - 1
        elapsed = time.monotonic() - started
        progress = max(step / steps, (elapsed - idle) / seconds)
        if step % 100 == 0 or progress >= 1:
            rows.append(
                [
                    step,
                    round(step * BATCH * CONTEXT / len(data), 4),
                    torch.stack(losses).mean().item(),
                    "",
                ]
            )
            losses = []
        if step % 400 == 0 or progress >= 1:
            rows[-1][3] = nats = score()
            bits = nats * facts["held"]["tokens"] / facts["held"]["bytes"] / math.log(2)
            print(
                f"  {step:6,} {rows[-1][1]:6.2f} epochs  train {rows[-1][2]:.4f}  held back {nats:.4f} "
                f"({bits:.4f} bits per byte)  {elapsed:.0f} s",
                flush=True,
            )
            save(model, config, rows, out)
    Linear.rounded = False
    print(
        f"{kind}: {step:,} steps in {elapsed:.0f} s; held back in full precision {score():.4f}",
        flush=True,
    )


def save(model: Any, config: dict[str, Any], rows: list[list[Any]], out: Path) -> None:
    """Write `config.json`, `model.safetensors` in float16, and `curve.csv`."""
    import torch
    from safetensors.torch import save_file

    tensors = {
        name: p.detach().to("cpu", torch.float16).contiguous()
        for name, p in model.state_dict().items()
    }
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    with (out / "curve.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [["step", "epoch", "train", "held_back"], *rows]
        )


def main() -> None:
    """Read the command line."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    ids = verbs.add_parser("ids", help="train the vocabulary, encode the novels")
    ids.add_argument("novels", type=Path)
    ids.add_argument("ids", type=Path)
    one = verbs.add_parser("train", help="train one model")
    one.add_argument("kind", choices=["llama", "mamba2"])
    one.add_argument("ids", type=Path)
    one.add_argument("out", type=Path)
    one.add_argument("--epochs", type=float, default=20)
    one.add_argument("--seconds", type=float, default=300)
    one.add_argument("--device", default="cuda")
    arguments = top.parse_args()
    if arguments.verb == "ids":
        write_ids(arguments.novels, arguments.ids)
    else:
        out = arguments.out / arguments.kind
        train(
            arguments.kind,
            arguments.ids,
            out,
            arguments.epochs,
            arguments.seconds,
            arguments.device,
        )


if __name__ == "__main__":
    main()
