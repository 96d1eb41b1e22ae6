"""`bpetok train`: the held-out figure on any text, and what is checked before the work begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpetok.cli import held_out


@pytest.mark.parametrize(
    "text",
    [
        b"a line\n" * 500,
        b"words without line ends " * 200,
        "世界".encode() * 700,
        b"one line, then none\n" + b"abc" * 1000 + b" end",
        b"",
    ],
)
def test_blocks_are_the_text_and_bounded_whatever_it_holds(
    text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_out, "BLOCK_BYTES", 100)
    (tmp_path / "text").write_bytes(b"x" * 7 + text + b"rest")
    blocks = list(held_out._blocks(tmp_path / "text", 7, 7 + len(text)))
    assert b"".join(blocks) == text
    assert all(0 < len(block) <= 300 for block in blocks)
    if text.startswith(b"a line"):
        assert all(block.endswith(b"\n") for block in blocks)
