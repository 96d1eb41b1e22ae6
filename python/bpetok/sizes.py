"""Amounts of memory as people write them: `"2GiB"`, `"256MiB"`, or a number of bytes."""

from __future__ import annotations

import operator
import re

from bpetok.errors import Error, TrainError

UNITS = {
    "": 1,
    "b": 1,
    **{f"{letter}ib": 1 << (10 * power) for power, letter in enumerate("kmgt", start=1)},
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)},
}
LARGEST = 2**63 - 1


def parse_size(
    value: str | int,
    name: str = "max_memory",
    error: type[Error] = TrainError,
    limits: tuple[int, int] = (1, LARGEST),
) -> int:
    """The number of bytes; `name` is what messages call it, and `limits` are the least and the most.

    Raises:
        TypeError: for something else than a `str` or an `int`.
        TrainError: (or `error`) for a text that is no amount, an unknown unit, or an amount out of range.

    >>> parse_size("2GiB"), parse_size("1.5 MB"), parse_size(4096)
    (2147483648, 1500000, 4096)
    """
    if hasattr(value, "__index__") and not isinstance(value, bool):
        value = operator.index(value)  # NumPy's integers are no `int`
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(
            f'{name} must be a str such as "2GiB" or a number of bytes, not {type(value).__name__}'
        )
    match = re.fullmatch(
        r"\s*(-?[0-9]{1,20}(?:\.[0-9]{1,20})?)\s*([A-Za-z]*)\s*", str(value), re.ASCII
    )
    if match is None or match[2].lower() not in UNITS:
        raise error(
            f"{name} is {value!r}: give a number of bytes, or one with a unit such as 512MiB, 2GiB or 4GB"
        )
    whole = "." not in match[1]
    bytes_of = UNITS[match[2].lower()]
    size = int(match[1]) * bytes_of if whole else int(float(match[1]) * bytes_of)
    if not limits[0] <= size <= limits[1]:
        raise error(f"{name} is {value!r}: give {_shown(limits)}")
    return size


def _shown(limits: tuple[int, int]) -> str:
    """
    >>> _shown((1 << 20, 2 << 30)), _shown((1, 1000))
    ('1 to 2,048 MiB', '1 to 1,000 bytes')
    """
    scale, unit = (1, "bytes") if any(size % (1 << 20) for size in limits) else (1 << 20, "MiB")
    return f"{limits[0] // scale:,} to {limits[1] // scale:,} {unit}"
