"""Rank file -> `tokenizer.json`, for the peers that read nothing else.

Every split of a token into two tokens becomes a merge, ordered by the rank of the result and then by the ranks of the
halves; `ignore_merges` adds the rule that a pretoken which is a token is emitted at once. One split a token is not
enough: Llama-3's ranks gave 53 wrong encodings in 20,000 pieces that way, every split gave none.

    ranks = read_ranks(path); text = tokenizer_json(ranks, pattern)
"""

from __future__ import annotations

import base64
import json
from pathlib import Path


def read_ranks(path: Path) -> dict[bytes, int]:
    """The lines `base64 SP rank` of a `.tiktoken` file."""
    ranks: dict[bytes, int] = {}
    for line in path.read_bytes().splitlines():
        if line:
            token, rank = line.split()
            ranks[base64.b64decode(token)] = int(rank)
    return ranks


def byte_characters() -> list[str]:
    """GPT-2's byte-to-character map: printable bytes stand for themselves, the others for U+0100 and on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in printable)
    shifted = {byte: chr(0x100 + place) for place, byte in enumerate(others)}
    return [shifted.get(byte, chr(byte)) for byte in range(256)]


def character_bytes() -> dict[str, int]:
    """The inverse of `byte_characters`."""
    return {character: byte for byte, character in enumerate(byte_characters())}


def all_splits(ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Every (left, right) of tokens that joins to a token, by rank of the result, then of left, then of right."""
    rows: list[tuple[int, int, int, bytes, bytes]] = []
    for token, rank in ranks.items():
        for middle in range(1, len(token)):
            left, right = token[:middle], token[middle:]
            if left in ranks and right in ranks:
                rows.append((rank, ranks[left], ranks[right], left, right))
    rows.sort()
    return [(left, right) for _, _, _, left, right in rows]


def tokenizer_json(ranks: dict[bytes, int], pattern: str) -> str:
    """A byte-level BPE `tokenizer.json` without special tokens."""
    characters = byte_characters()

    def spelled(token: bytes) -> str:
        return "".join(characters[byte] for byte in token)

    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": False,
    }
    split = {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": True,
        "vocab": {
            spelled(token): rank
            for token, rank in sorted(ranks.items(), key=lambda entry: entry[1])
        },
        "merges": [[spelled(left), spelled(right)] for left, right in all_splits(ranks)],
    }
    whole: dict[str, object] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": model,
    }
    return json.dumps(whole, ensure_ascii=False)
