"""The values of arguments: each kind refuses what cannot be meant, in a message that names the option.

Here too an error is one line and says where help is; argparse itself would print the usage, 15 lines for `train`.
"""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, NoReturn

from bpetok.cli.messages import one_line
from bpetok.errors import TextError
from bpetok.texts import checked_text

if TYPE_CHECKING:
    from collections.abc import Callable

# The largest number that the core can be handed; what it takes of each kind is its own affair.
LARGEST = 2**63 - 1
# Each is a thread of the system: far above any machine, and still below what the system refuses to start.
MOST_THREADS = 4096
# What argparse says where a value may be one that begins with a dash -> how such a value is given.
DASHES = {
    "ignored explicit argument|required: .*PROMPT": "; text that begins with a dash comes last, after --",
    r"(--[\w-]+): expected one argument": r"; one that begins with a dash is joined to it: \1=-...",
}


class Parser(argparse.ArgumentParser):
    """A parser whose errors look like every other error of the command."""

    def error(self, message: str) -> NoReturn:
        """Prints one line and exits with code 2."""
        for said, cure in DASHES.items():
            if found := re.search(said, message):
                message += found.expand(cure)
        self.exit(2, f"bpetok: error: {one_line(message)} ({self.prog} --help)\n")


def whole(least: int = 0, most: int = LARGEST) -> Callable[[str], int]:
    """A whole number in a range.

    >>> whole(1)("12")
    12
    >>> whole(1, 4096)("0")
    Traceback (most recent call last):
    ...
    argparse.ArgumentTypeError: 0 is out of range: give 1 to 4,096
    """

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not least <= number <= most:
            has_no_end = most == LARGEST and number < least
            limits = f"{least:,} or more" if has_no_end else f"{least:,} to {most:,}"
            raise argparse.ArgumentTypeError(f"{number} is out of range: give {limits}")
        return number

    return parse


def text(value: str) -> str:
    """Text; the system hands over bytes, and those that are not UTF-8 come as lone surrogates."""
    try:
        return checked_text(value, "the argument")
    except TextError:
        raise argparse.ArgumentTypeError(f"{value!r} is not UTF-8 text: give it as such") from None


def pattern(value: str) -> str:
    """A preset's name or a regex."""
    if not value:
        raise argparse.ArgumentTypeError(
            "'' is no pattern: give the name of a preset or a regex, or leave it out"
        )
    return text(value)


def own_file(value: str) -> str:
    """The name of a file where no stream can be meant; `-` is one elsewhere, and would make a file called so.

    >>> own_file("-")
    Traceback (most recent call last):
    ...
    argparse.ArgumentTypeError: - is no stream here: name a file, or ./- for one that is called so
    """
    if value == "-":
        raise argparse.ArgumentTypeError(
            "- is no stream here: name a file, or ./- for one that is called so"
        )
    return file_name(value)


def file_name(value: str) -> str:
    """The name of a file, in any bytes; an empty one would be read as the folder that we are in."""
    if not value:
        raise argparse.ArgumentTypeError("'' is not the name of a file")
    return value
