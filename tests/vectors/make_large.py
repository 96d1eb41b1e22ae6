"""Writes `training_large.jsonl`: digests of the merges that HF's trainer learns from the handed corpora.

    BPETOK_TEST_DATA=folder python tests/vectors/make_large.py     # 10 minutes, 3 GB

HF needs minutes where bpetok needs a second, so it runs here once and the tests compare digests. Each row
names its files, the sha256 of their bytes, and one digest for each vocabulary size: training gives the merges of a
smaller size first.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

from make import hf_merges_cut_by
from tokenizers import pre_tokenizers

HERE = Path(__file__).parent
SEPARATOR = "<|endoftext|>"
MIXED = ["english", "code", "multilingual", "chat"]
ROWS: list[tuple[str, list[str], list[int]]] = [
    ("english", ["english"], [8_192, 32_768]),
    ("code", ["code"], [8_192, 32_768]),
    ("multilingual", ["multilingual"], [8_192, 32_768]),
    ("mixed", MIXED, [8_192, 32_768]),
    ("mixed 10 MB", ["mixed_10mb"], [8_192, 32_768, 100_000]),
]


def hf_merges(documents: list[str], vocab_size: int) -> list[str]:
    """HF's merges with GPT-2's pattern, each as a line: both sides in hex."""
    cut = pre_tokenizers.ByteLevel(add_prefix_space=False)
    merges = hf_merges_cut_by(cut, documents, vocab_size, min_frequency=0)
    return [" ".join(half.hex() for half in pair) for pair in merges]


def row_of(folder: Path, name: str, corpora: list[str], sizes: list[int]) -> dict:
    """One line of the file."""
    files = [f"corpora/{corpus}.txt" for corpus in corpora]
    texts = [(folder / file).read_bytes() for file in files]
    documents = [part for text in texts for part in text.decode("utf-8").split(SEPARATOR)]
    merges = hf_merges(documents, max(sizes))
    return {
        "name": name,
        "files": files,
        "text_sha256": hashlib.sha256(b"".join(texts)).hexdigest(),
        "made_with": f"tokenizers {version('tokenizers')}",
        "merges_sha256": {
            str(size): hashlib.sha256("\n".join(merges[: size - 256]).encode()).hexdigest()
            for size in sizes
        },
    }


def main() -> None:
    """All rows, written at the end: half a file would pass for a whole one."""
    folder = os.environ.get("BPETOK_TEST_DATA")
    if not folder:
        sys.exit("make_large.py: set BPETOK_TEST_DATA to the folder that holds corpora/")
    rows = []
    for name, corpora, sizes in ROWS:
        rows.append(json.dumps(row_of(Path(folder), name, corpora, sizes)) + "\n")
        print(f"{name}: done", flush=True)
    (HERE / "training_large.jsonl").write_text("".join(rows), encoding="ascii", newline="\n")


if __name__ == "__main__":
    main()
