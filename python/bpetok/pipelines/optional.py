"""Packages that only some users need, imported at the moment of use.

The error for a missing one names the extra that brings it, since "No module named 'pyarrow'" leaves a
user of `bpetok train data.parquet` to guess.
"""

from __future__ import annotations

import importlib
from typing import Any

from bpetok.errors import Error


class MissingPackageError(Error, ImportError):
    """An optional package is needed for this call and is not installed; the message says how to get it."""


def require(module: str, extra: str, purpose: str) -> Any:
    """Imports `module`.

    Args:
        module: dotted name.
        extra: the extra of bpetok that installs it.
        purpose: what it is needed for, as the start of a sentence.

    Raises:
        MissingPackageError: if it is not installed.

    >>> require("json", "none", "Reading JSON").loads("[1]")
    [1]
    >>> require("no_such_module", "arrow", "Reading Parquet")
    Traceback (most recent call last):
    ...
    bpetok.pipelines.optional.MissingPackageError: Reading Parquet needs the package 'no_such_module': \
pip install "bpetok[arrow]"
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        # A package that is there but lacks something of its own is another problem, told in its own words.
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingPackageError(
            f'{purpose} needs the package {error.name!r}: pip install "bpetok[{extra}]"'
        ) from None
