"""The Rust classes document themselves: every public member has an example, and the example runs."""

from __future__ import annotations

import builtins
import doctest
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import bpetok
from bpetok import errors

CLASSES = (bpetok.Tokenizer, bpetok.Counts, bpetok.TokenBatch, bpetok.Stream)
MEMBERS = {
    f"{kind.__name__}.{name}": getattr(kind, name)
    for kind in CLASSES
    for name in vars(kind)
    if name[0] != "_"
}
# These have no argument that could be wrong in value.
RAISE_NOTHING = {
    "Counts.items",
    "Stream.finish",
    "TokenBatch.tolist",
    "Tokenizer.stream",
    "Tokenizer.utf8_mask",
}
# It stands in the example of `save`.
WITHOUT_EXAMPLE = {"Counts.load"}


@pytest.mark.parametrize("name", [*MEMBERS, *(kind.__name__ for kind in CLASSES)])
def test_examples_run(name: str, example_names: dict[str, Any]) -> None:
    found = MEMBERS[name] if name in MEMBERS else getattr(bpetok, name)
    text = inspect.getdoc(found) or ""
    example = doctest.DocTestParser().get_doctest(text, dict(example_names), name, None, None)
    assert bool(example.examples) != (name in WITHOUT_EXAMPLE)
    if "pyarrow" in text:
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    said: list[str] = []
    doctest.DocTestRunner().run(example, out=said.append)
    assert said == []


@pytest.mark.parametrize(
    "function",
    [bpetok.train, bpetok.load, bpetok.set_memo_size, bpetok.wordpiece.train],
    ids=lambda function: f"{function.__module__}.{function.__name__}",
)
def test_arguments_are_told_by_name(function: Callable[..., Any]) -> None:
    """One a line: the site of the documentation sets each beside its type."""
    section = (inspect.getdoc(function) or "").partition("Args:\n")[2].partition("\n\n")[0]
    told = re.findall(r"^    (\w.*?):", section, re.MULTILINE)
    assert told
    assert set(told) == set(inspect.signature(function).parameters)


@pytest.mark.parametrize("name", [name for name, found in MEMBERS.items() if callable(found)])
def test_methods_say_what_they_raise(name: str) -> None:
    text = inspect.getdoc(MEMBERS[name]) or ""
    assert ("Raises" in text) != (name in RAISE_NOTHING)
    raised = [line.split(":")[0].strip() for line in text.splitlines() if "Error: for" in line]
    for error in raised:
        assert hasattr(errors, error) or issubclass(getattr(builtins, error), Exception), error
