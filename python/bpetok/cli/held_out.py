"""How well a vocabulary fits text that it was not trained on: the figure that `bpetok train` prints.

Of a plain text file the last tenth is kept aside, of documents every tenth one. Documents are read once:
those kept aside are counted by themselves, and counts are all that the figure needs of them. Special
tokens are no text and not in it.
"""

from __future__ import annotations

import warnings
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bpetok._bpetok import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from bpetok._bpetok import Tokenizer
    from bpetok.tokenizer import Callback

SHARE = 10
BLOCK_BYTES = 4 << 20


class HeldOut:
    """Counts of documents, every tenth of them apart."""

    def __init__(self, settings: tuple[str, list[str], str], options: dict[str, Any]) -> None:
        self.new: Callable[[], Counts] = partial(Counts, *settings)
        self.options = options
        self.rest, self.tenth = self.new(), self.new()
        # As long as documents are too few for every tenth: the last tenth of each, and what comes before it.
        self.heads, self.tails = self.new(), self.new()
        self.are_few = True

    def count(self, documents: Iterable[bytes], report: Callback | None) -> None:
        """Counts the documents in one pass."""
        self.rest.update(self._all_but_tenth(documents), progress=report, **self.options)

    def add_to(self, counts: Counts) -> None:
        """Adds all documents to counts."""
        counts.merge(self.rest)
        counts.merge(self.tenth)

    def _all_but_tenth(self, documents: Iterable[bytes]) -> Iterator[bytes]:
        held: list[bytes] = []
        size = 0
        for number, document in enumerate(documents, start=1):
            if number < SHARE:
                cut = _cut(len(document))
                self.heads.update([document[:cut]], **self.options)
                self.tails.update([document[cut:]], **self.options)
            elif self.are_few:
                self.heads, self.tails, self.are_few = self.new(), self.new(), False
            if number % SHARE:
                yield document
                continue
            held.append(document)
            size += len(document)
            if size >= BLOCK_BYTES:
                self.tenth.update(held, **self.options)
                held, size = [], 0
        self.tenth.update(held, **self.options)

    def figure(self, paths: list[Path], train: Callable[[Counts], Tokenizer]) -> float | None:
        """Bytes per token on what is kept aside, with a vocabulary trained on the rest; `None` for no text."""
        kept = self.new()
        sizes = {path: path.stat().st_size for path in paths}
        for path, size in sizes.items():
            kept.update(_blocks(path, 0, _cut(size)), **self.options)
        kept.merge(self.heads if self.are_few else self.rest)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a smaller vocabulary has been warned of once already
            tok = train(kept)
        held = self.tails if self.are_few else self.tenth
        for path, size in sizes.items():
            held.update(_blocks(path, _cut(size), size), **self.options)
        byte_count, token_count = _sizes_of_counts(tok, held)
        return round(byte_count / token_count, 4) if token_count else None


def _sizes_of_counts(tok: Tokenizer, counts: Counts) -> tuple[int, int]:
    """(bytes, tokens) of the text that was counted."""
    import numpy

    byte_count = token_count = 0
    for data, offsets, numbers in counts._blocks(BLOCK_BYTES):
        ends = numpy.frombuffer(offsets, dtype="<i8").tolist()
        pretokens = [data[start:end] for start, end in pairwise(ends)]
        tokens = tok.count_batch(pretokens, disallowed_special=()).tolist()
        for pretoken, tokens_each, count in zip(
            pretokens, tokens, numpy.frombuffer(numbers, dtype="<u8").tolist(), strict=True
        ):
            byte_count += len(pretoken) * count
            token_count += tokens_each * count
    return byte_count, token_count


def _cut(size: int) -> int:
    return size - size // SHARE


def _blocks(path: Path, start: int, end: int) -> Iterator[bytes]:
    """Part of a file in blocks, so that memory stays bounded; cuts follow a line's end, where there is one.

    Text of one line is cut before a space, and without spaces wherever a block ends: what is carried over stays
    below two blocks, and no byte is copied more than three times. A cut may split a pretoken in two, one in
    some 4 MB: enough for a figure, and the reason why the vocabulary that is kept is not trained on blocks.
    """
    rest = b""
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (block := file.read(min(BLOCK_BYTES, end - start))):
            start += len(block)
            held = rest + block
            cut = held.rfind(b"\n") + 1 or max(0, held.rfind(b" ")) or len(held)
            yield held[:cut]
            rest = held[cut:]
    if rest:
        yield rest
