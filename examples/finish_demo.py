"""Turn what `train_demo.py` left into the demo pair: bits per byte, 4 bits, loss curves, model cards.

    python examples/finish_demo.py NOVELS IDS RUN [--seconds S]

It writes `examples/demo_models/` (float16) and `python/bpetok/demo_models/` (q4_0, what the wheel carries), and scores both
with `bpetok.nn` on the three novels that no training saw.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from pathlib import Path
from typing import Any

from train_demo import BATCH, CONTEXT, DECAY, DROPOUT, HELD_BACK, PEAK

import bpetok
from bpetok import nn
from bpetok.nn.counters import parameters, state_bytes
from bpetok.nn.quant_files import save
from bpetok.nn.quant_model import quantize_model
from bpetok.nn.svg import INK, MUTED, Drawing

NAMES = {"llama": "Llama", "mamba2": "Mamba-2"}
LINES = {"llama": "#3479b8", "mamba2": "#c9540f"}
ROOT = Path(__file__).resolve().parent.parent
FULL, SMALL = ROOT / "examples/demo_models", ROOT / "python/bpetok/demo_models"

CARD = """\
# A small {name} that writes like an old novel

{parameters:,} parameters, {what}, trained from nothing for bpetok's demo. It knows spelling, some grammar and the manners of
{novels} English novels, and nothing else: it is here to be run and looked at, not to be believed.

```sh
bpetok generate {kind} "It was a dark and stormy night" --max-new-tokens 100
```

```python
from bpetok import nn

model = nn.load("{place}")  # {format}, no torch needed
```

## Files
`config.json` and `model.safetensors` ({format}; {size:.1f} MB){reads}; `tokenizer.bpetok`, 4,096 tokens trained by bpetok on the same
novels, whose `<|endoftext|>` (4095) ends a novel{curve}.

## How well it predicts
Bits per byte, `bpetok.nn.bits_per_byte(model, tok, text, context={context}, stride={context})`, of novels that neither the vocabulary
nor the model has seen (less is better; an untrained model has {untrained:.2f}):

{table}

## What it remembers
Bytes that generation keeps in float32 after so many tokens:

{memory}

## Training
{novels} novels in the public domain (Brontë, Austen, Dickens, Eliot, Fielding, Richardson, Sterne, Thackeray, Trollope), {megabytes:.1f} MB,
{tokens:,} tokens; {epochs:.0f} epochs of {context}-token windows, {batch} a step; AdamW (weight decay {decay}), learning rate {peak} falling by a cosine,
dropout {dropout}, bfloat16 products over float32 weights, one H100{minutes}. The last 15 % see the weights through q4_0 rounding, so the
pair is made for 4 bits: rounding gains 0.001 to 0.003 bits per byte, and unrounded the model ends 0.01 nats a token worse than before that part.
Final loss, rounded: {loss:.4f} nats a token in training (with dropout), {held:.4f} held back. `examples/train_demo.py` does it again.

## Licence
The weights and this card are CC0 1.0: no rights reserved. The novels are in the public domain.
"""


def scores(model: Any, tok: bpetok.Tokenizer, novels: Path) -> dict[str, float]:
    """Bits per byte of each held-back novel."""
    out = {}
    for name in HELD_BACK:
        text = (novels / f"{name}.txt").read_text("utf-8")
        out[name] = nn.bits_per_byte(model, tok, text, CONTEXT, CONTEXT)
        print(f"  {model!r} {name}: {out[name]:.4f}", flush=True)
    return out


def table(rows: list[list[str]]) -> str:
    """A Markdown table; the first row is its head."""
    head, *rest = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rest]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def curve(runs: dict[str, list[list[str]]]) -> Drawing:
    """Loss by epoch: training pale, held back dark."""
    left, top, w, h = 62, 76, 560, 320
    low, high = 3.0, 5.0
    d = Drawing(left + w + 96, top + h + 58, "Loss of the demo pair")
    d.text(left, 30, "Loss of the demo pair", 16, font_weight="600")
    d.text(
        left, 50, "nats a token; dark: novels held back; pale: training, with dropout", 12, MUTED
    )
    last = max(float(row[1]) for rows in runs.values() for row in rows)

    def at(epoch: float, loss: float) -> tuple[float, float]:
        return left + w * epoch / last, top + h * (high - min(loss, high)) / (high - low)

    for step in range(5):
        loss = low + (high - low) * step / 4
        _, y = at(0, loss)
        d.line(left, y, left + w, y)
        d.text(left - 10, y + 4, f"{loss:.1f}", 11, MUTED, "end")
    for step in range(5):
        x, y = at(last * step / 4, low)
        d.text(x, y + 20, f"{last * step / 4:.0f}", 11, MUTED, "middle")
    d.text(left + w / 2, top + h + 42, "epochs", 12, MUTED, "middle")
    x, _ = at(0.85 * last, low)
    d.line(x, top, x, top + h, "#98a2b3", stroke_dasharray="4 4")
    d.text(x - 6, top + 12, "weights seen through 4 bits", 11, MUTED, "end")
    for row, (kind, rows) in enumerate(runs.items()):
        colour = LINES[kind]
        for column, style in ((2, {"stroke_opacity": 0.45}), (3, {})):
            shown = [r for r in rows if r[column] and float(r[column]) <= high]
            points = [at(float(r[1]), float(r[column])) for r in shown]
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            d.polyline(
                line, colour, f"{NAMES[kind]} {'training' if column == 2 else 'held back'}", **style
            )
        d.line(
            left + w - 300,
            top + 34 + 20 * row,
            left + w - 272,
            top + 34 + 20 * row,
            colour,
            stroke_width=3,
        )
        d.text(
            left + w - 264, top + 38 + 20 * row, f"{NAMES[kind]}  {float(rows[-1][3]):.3f}", 12, INK
        )
    return d


def main() -> None:
    """Read the command line and write both folders."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("novels", type=Path)
    top.add_argument("ids", type=Path)
    top.add_argument("run", type=Path)
    top.add_argument(
        "--seconds", type=float, nargs="*", default=[], help="how long each model trained"
    )
    arguments = top.parse_args()
    tok = bpetok.load(arguments.ids / "tokenizer.bpetok")
    facts = json.loads((arguments.ids / "facts.json").read_text("utf-8"))
    configs, found, curves = {}, {}, {}
    for kind in NAMES:
        source = arguments.run / kind
        configs[kind] = json.loads((source / "config.json").read_text("utf-8"))
        with (source / "curve.csv").open(newline="") as file:
            curves[kind] = list(csv.reader(file))[1:]
        for folder in (FULL / kind, SMALL / kind):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(arguments.ids / "tokenizer.bpetok", folder / "tokenizer.bpetok")
        for name in ("config.json", "model.safetensors", "curve.csv"):
            shutil.copyfile(source / name, FULL / kind / name)
        model = nn.load(FULL / kind)
        save(quantize_model(model, "q4_0"), SMALL / kind, configs[kind])
    curve(curves).save(FULL / "loss.svg")
    kept = arguments.run / "scores.json"  # the slow part, not done twice
    if kept.exists():
        found = json.loads(kept.read_text("utf-8"))
    else:
        for kind in NAMES:
            print(kind, flush=True)
            found[kind] = {
                "float16": scores(nn.load(FULL / kind), tok, arguments.novels),
                "q4_0": scores(nn.load(SMALL / kind), tok, arguments.novels),
            }
        kept.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    write_cards(configs, found, curves, facts, dict(zip(NAMES, arguments.seconds, strict=False)))


def write_cards(
    configs: Any, found: Any, curves: Any, facts: Any, seconds: dict[str, float]
) -> None:
    """A `README.md` beside each model."""
    lengths = (100, 300, 1000)
    rows = [["", *HELD_BACK]]
    rows += [
        [f"{NAMES[kind]}, {format}", *(f"{found[kind][format][name]:.3f}" for name in HELD_BACK)]
        for kind in NAMES
        for format in ("float16", "q4_0")
    ]
    memory = [["", *(f"{n:,} tokens" for n in lengths)]]
    for kind, name in NAMES.items():
        sizes = (state_bytes(configs[kind], n, 1, "float32") for n in lengths)
        memory.append([name, *(f"{size:,}" for size in sizes)])
    held = facts["held"]
    for kind in NAMES:
        for root, format in ((FULL, "float16"), (SMALL, "q4_0")):
            folder, full = root / kind, format == "float16"
            card = CARD.format(
                name=NAMES[kind],
                kind=kind,
                place=folder.relative_to(ROOT),
                parameters=parameters(configs[kind]),
                what="7 layers of width 192"
                if kind == "llama"
                else "11 layers of width 192, state 64",
                novels=len(facts["train"]["novels"]),
                format=format,
                size=(folder / "model.safetensors").stat().st_size / 1e6,
                reads=", which `transformers` reads as well"
                if full
                else ", in bpetok's own layout (docs/quant.md)",
                curve="; `curve.csv` and [the loss curve](../loss.svg)" if full else "",
                context=CONTEXT,
                untrained=12 * held["tokens"] / held["bytes"],  # log2(4096) bits a token
                table=table(rows),
                memory=table(memory),
                megabytes=facts["train"]["bytes"] / 1e6,
                tokens=facts["train"]["tokens"],
                epochs=float(curves[kind][-1][1]),
                batch=BATCH,
                decay=DECAY,
                peak=PEAK,
                dropout=DROPOUT,
                minutes=f", {seconds[kind] / 60:.0f} minutes (both models at once)"
                if kind in seconds
                else "",
                loss=float(curves[kind][-1][2]),
                held=float(curves[kind][-1][3]),
            )
            (folder / "README.md").write_text(card, "utf-8")


if __name__ == "__main__":
    main()
