"""`inspect.signature` and `help` know every method, and say what the stub says."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

from bpetok import _bpetok

STUB = ast.parse(Path(_bpetok.__file__).with_name("_bpetok.pyi").read_text(encoding="utf-8"))


def definitions() -> dict[str, ast.FunctionDef]:
    """`Class.method` or `function` -> what the stub says; of overloads, the first."""
    found: dict[str, ast.FunctionDef] = {}
    for node in STUB.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for item in inside:
            if isinstance(item, ast.FunctionDef):
                name = f"{node.name}.{item.name}" if item is not node else item.name
                found.setdefault(name, item)
    return found


def is_property(node: ast.FunctionDef) -> bool:
    return any(isinstance(name, ast.Name) and name.id == "property" for name in node.decorator_list)


def is_python_protocol(name: str) -> bool:
    return name.rpartition(".")[2].startswith("__") and not name.endswith("__new__")


CALLABLE = {
    name: node
    for name, node in definitions().items()
    if not is_property(node) and not is_python_protocol(name)
}


def as_stubbed(node: ast.FunctionDef) -> list[tuple[str, str, Any]]:
    """(kind, name, default) of each parameter but the object itself."""
    empty = inspect.Parameter.empty
    a = node.args
    named = [
        *(("positional-only", p) for p in a.posonlyargs),
        *(("positional or keyword", p) for p in a.args),
    ]
    values = [empty] * (len(named) - len(a.defaults)) + [ast.literal_eval(d) for d in a.defaults]
    found = [(kind, p.arg, value) for (kind, p), value in zip(named, values, strict=True)]
    found += [
        ("keyword-only", p.arg, empty if value is None else ast.literal_eval(value))
        for p, value in zip(a.kwonlyargs, a.kw_defaults, strict=True)
    ]
    if a.kwarg:
        found.append(("variadic keyword", a.kwarg.arg, empty))
    return [parameter for parameter in found if parameter[1] not in ("self", "cls")]


@pytest.mark.parametrize("name", CALLABLE)
def test_signatures_are_those_of_the_stub(name: str) -> None:
    found: Any = _bpetok
    for part in name.removesuffix(".__new__").split("."):
        found = getattr(found, part)
    parameters = inspect.signature(found).parameters.values()
    shown = [(p.kind.description, p.name, p.default) for p in parameters if p.name != "self"]
    assert shown == as_stubbed(CALLABLE[name])


def test_no_public_method_is_missing() -> None:
    for kind in (_bpetok.Tokenizer, _bpetok.Counts, _bpetok.TokenBatch, _bpetok.Stream):
        public = {name for name, value in vars(kind).items() if name[0] != "_" and callable(value)}
        assert {f"{kind.__name__}.{name}" for name in public} <= CALLABLE.keys()
