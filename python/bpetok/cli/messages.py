"""What the library says, for the command line: on one line, and with cures that are options, not arguments."""

from __future__ import annotations

import re

# What a message of the library says -> what the user of a command can do. tests/python/test_cli_errors.py raises
# each, so that a message that is worded anew shows there.
CURES = {
    r"pass allowed_special=\{.*\} to encode it as one token, "
    r"disallowed_special=\(\) or encode_ordinary to treat it as ordinary text": (
        "--special allow encodes it as one token, --special text as ordinary text"
    ),
    r"pass pattern= one of (.*) or a regex": r"pass --pattern and one of \1, or a regex",
    r"leave pattern out": "leave --pattern out",
    r", or pass format=$": "",
    r"raise max_memory, or call counts\.prune": "raise --max-memory, or in Python call counts.prune",
    r"raise max_memory, no pruning": "raise --max-memory, no pruning",
    r"max_document_bytes=([\d,]+) bytes without": r"\1 bytes without",
    r"unpack it and give its pathlib\.Path to bpetok\.train, .*": "unpack it, or raise --max-memory if it is given",
    r"(longer than )max_document_bytes=([\d,]+): raise it": (
        r"\1\2 bytes: split it, or raise --max-memory if it is given"
    ),
}


def for_command(message: str) -> str:
    """The message with the cures of the command line.

    >>> for_command("it was made with the pattern 'a', not 'b': leave pattern out")
    "it was made with the pattern 'a', not 'b': leave --pattern out"
    """
    for said, cure in CURES.items():
        message = re.sub(said, cure, message)
    return message


def one_line(message: str) -> str:
    """Only line ends are replaced: of spaces each may belong to a pattern, a special token or a file's name."""
    return re.sub(r"[\r\n]+", " ", message)
