"""The package itself: its names, and that importing it is light."""

from __future__ import annotations

import pytest

import bpetok
from support import python

HEAVY = [
    "numpy",
    "argparse",
    "json",
    "re",
    "typing",
    "inspect",
    "dataclasses",
    "tempfile",
    "pathlib",
    "hashlib",
    "http.client",
    "urllib.request",
    "ssl",
    "socket",
    "asyncio",
    "subprocess",
    "multiprocessing",
    "logging",
    "unittest",
]


def test_import_brings_in_nothing_heavy() -> None:
    # Without `site`, which may import anything (editable installs do) before bpetok is asked for.
    script = (
        "import sys; sys.path[:0] = sys.argv[1].split(';'); before = set(sys.modules); import bpetok;"
        "print(*sorted(set(sys.modules) - before))"
    )
    import os
    import sys

    done = python_isolated(script, ";".join(path for path in sys.path if os.path.isdir(path)))
    new = done.split()
    assert "bpetok._bpetok" in new
    assert not [name for name in new if name in HEAVY]


def python_isolated(script: str, *arguments: str) -> str:
    import subprocess
    import sys

    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, *arguments],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip


def test_encoding_needs_no_numpy() -> None:
    """To import it takes as long as to encode some tens of megabytes, which the first call would pay."""
    script = (
        "import bpetok, sys; t = bpetok.train(['abc abc'], 258, special_tokens=());"
        "assert t.decode(t.encode('abc')) == t.decode(id for id in t.encode('abc')) == 'abc'; b = t.encode_batch(['abc', 'b'] * 5000);"
        "assert t.decode_batch(b)[:2] == ['abc', 'b'] and b.tolist()[1] == t.encode('b') and len(b) == 10000, repr(b);"
        "print('numpy' in sys.modules, len(b.ids), 'numpy' in sys.modules)"
    )
    assert python(script).stdout == "False 10000 True\n"


def test_all_names_exist_and_are_sorted() -> None:
    assert [name for name in bpetok.__all__ if not hasattr(bpetok, name)] == []
    assert set(bpetok.__all__) <= set(dir(bpetok))


def test_submodules_load_on_first_use() -> None:
    script = (
        "import bpetok, sys; print('bpetok.reference' in sys.modules);"
        "print(bpetok.reference.TEXTBOOK, 'bpetok.reference' in sys.modules)"
    )
    assert python(script).stdout == "False\nthe cat in the hat True\n"


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tokeniser'"):
        _ = bpetok.tokeniser  # type: ignore[attr-defined]


def test_versions() -> None:
    assert bpetok.__version__.count(".") == 2
    assert bpetok.UNICODE_VERSION == "16.0.0"
    assert list(bpetok.PRESETS) == ["gpt2", "cl100k", "o200k", "llama3", "qwen2"]
