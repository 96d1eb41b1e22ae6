"""Byte-pair encoding, as plainly as Python can say it. Run it: `python -m bpetok.reference`.

Text is bytes, and each of the 256 bytes is a token. Training looks for the two neighbouring tokens
that stand together most often, glues them into a new token, and repeats. What it learns is the list
of glueings, the *merges*, in order. Encoding a text replays that list on it.

Two rules make the result the same for everyone:

- Merging never crosses the border between *pretokens* (words, mostly), which a regex cuts out first.
- Of pairs with equal counts, the one with the smaller left id wins, then the smaller right id. Bytes
  are numbered in the order of GPT-2's byte-to-character table, not 0 to 255.

Everything is recounted from scratch at every step. The Rust core updates only what a merge touched,
shares no code with this file, and must agree with it: the tests compare the two.

Glossary: token = a piece of bytes with an id; pair = two neighbouring ids; rank = position in the
vocabulary, where a lower one was learnt earlier.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from bpetok.errors import TextError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Pair: TypeAlias = tuple[int, int]

TEXTBOOK = "the cat in the hat"

# The bytes that print as themselves come first, then the other 68: GPT-2 shows those as the
# characters from U+0100 on, and HF's trainer sorts its alphabet by character.
PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
BYTE_ORDER = PRINTABLE + [byte for byte in range(256) if byte not in PRINTABLE]
BYTE_ID = {byte: token_id for token_id, byte in enumerate(BYTE_ORDER)}


class Step(NamedTuple):
    """One merge and the reason for it."""

    pair: Pair
    token_id: int
    frequency: int
    rule: str
    tied: list[Pair]
    """The pairs that were as frequent and lost."""


class Trained(NamedTuple):
    """A vocabulary: `tokens[id]` is the bytes of a token, `merges` the pairs in order."""

    tokens: list[bytes]
    merges: list[Pair]


def train(
    pretokens: Iterable[bytes],
    vocab_size: int,
    *,
    min_frequency: int = 1,
    max_token_bytes: int | None = None,
) -> Trained:
    """Learns merges until there are `vocab_size` tokens or no pair is left.

    >>> tokens, merges = train([b"hug", b"hug", b"pug", b"hugs"], 258)
    >>> tokens[256:]
    [b'ug', b'hug']
    >>> merges == [(BYTE_ID[ord("u")], BYTE_ID[ord("g")]), (BYTE_ID[ord("h")], 256)]
    True
    """
    tokens = [bytes([byte]) for byte in BYTE_ORDER]
    steps = train_steps(
        pretokens,
        tokens,
        vocab_size,
        min_frequency=min_frequency,
        max_token_bytes=max_token_bytes,
    )
    return Trained(tokens, [step.pair for step in steps])


def train_steps(
    pretokens: Iterable[bytes],
    tokens: list[bytes],
    vocab_size: int,
    *,
    min_frequency: int = 1,
    max_token_bytes: int | None = None,
) -> Iterator[Step]:
    """The training loop, one merge at a time; new tokens are added to `tokens`."""
    # The same word always splits the same way, so each different word is kept once with its count.
    words = Counter(pretokens)
    parts = {word: [BYTE_ID[byte] for byte in word] for word in words}
    while len(tokens) < vocab_size:
        counts: Counter[Pair] = Counter()
        for word, ids in parts.items():
            for left, right in pairwise(ids):
                if max_token_bytes is None or len(tokens[left] + tokens[right]) <= max_token_bytes:
                    counts[left, right] += words[word]
        if not counts or max(counts.values()) < min_frequency:
            return
        pair, rule, tied = choose(counts)
        joined = tokens[pair[0]] + tokens[pair[1]]
        # Another pair may have made the same bytes before: then the merge takes no new id.
        if joined not in tokens:
            tokens.append(joined)
        token_id = tokens.index(joined)
        parts = {word: apply_merge(ids, pair, token_id) for word, ids in parts.items()}
        yield Step(pair, token_id, counts[pair], rule, tied)


def choose(counts: Mapping[Pair, int]) -> tuple[Pair, str, list[Pair]]:
    """The pair to merge, the rule that decided, and the pairs that tied with it.

    >>> choose({(5, 9): 2, (7, 1): 3})
    ((7, 1), 'highest count', [])
    >>> choose({(5, 9): 3, (5, 2): 3, (4, 4): 1})
    ((5, 2), 'tie, same left id: smaller right id', [(5, 9)])
    """
    highest = max(counts.values())
    first, *tied = sorted(pair for pair, count in counts.items() if count == highest)
    if not tied:
        return first, "highest count", tied
    if tied[0][0] != first[0]:
        return first, "tie: smaller left id", tied
    return first, "tie, same left id: smaller right id", tied


def apply_merge(ids: Sequence[int], pair: Pair, token_id: int) -> list[int]:
    """`ids` with every occurrence of `pair` replaced, left to right.

    >>> apply_merge([1, 1, 1, 2], (1, 1), 9)
    [9, 1, 2]
    """
    result: list[int] = []
    position = 0
    while position < len(ids):
        if tuple(ids[position : position + 2]) == pair:
            result.append(token_id)
            position += 2
        else:
            result.append(ids[position])
            position += 1
    return result


def encode(pretoken: bytes, trained: Trained) -> list[int]:
    """Encodes one pretoken by its *merge list*: the earliest merge that applies, again and again.

    >>> trained = train([b"hug", b"hug", b"pug", b"hugs"], 258)
    >>> [trained.tokens[i] for i in encode(b"hugpug", trained)]
    [b'hug', b'p', b'ug']
    """
    position_of = {pair: position for position, pair in enumerate(trained.merges)}
    ids = [BYTE_ID[byte] for byte in pretoken]
    while applicable := [pair for pair in pairwise(ids) if pair in position_of]:
        pair = min(applicable, key=position_of.__getitem__)
        ids = apply_merge(
            ids, pair, trained.tokens.index(trained.tokens[pair[0]] + trained.tokens[pair[1]])
        )
    return ids


def encode_by_rank(pretoken: bytes, ranks: Mapping[bytes, int]) -> list[int]:
    """Encodes one pretoken by *rank*, as tiktoken does: the pair that makes the lowest-ranked token.

    A pretoken that is itself a token is emitted at once. For a vocabulary trained as above and kept
    whole this gives the same ids as `encode`; for edited vocabularies it may not.

    >>> encode_by_rank(b"abc", {b"a": 0, b"b": 1, b"c": 2, b"bc": 3, b"ab": 4})
    [0, 3]
    """
    if pretoken in ranks:
        return [ranks[pretoken]]
    pieces = [bytes([byte]) for byte in pretoken]
    while True:
        joined = [ranks.get(left + right) for left, right in pairwise(pieces)]
        known = [rank for rank in joined if rank is not None]
        if not known:
            return [ranks[piece] for piece in pieces]
        position = joined.index(min(known))
        pieces[position : position + 2] = [pieces[position] + pieces[position + 1]]


def explain(text: str) -> Iterator[str]:
    """Lines that tell how training on `text` goes, a line for each merge.

    >>> for line in list(explain("the cat in the hat"))[2:5]:
    ...     print(line)
      1. 'a' + 't' -> 'at' (id 256), 2 times; tie: smaller left id (beat 'h'+'e', 't'+'h')
      2. 'h' + 'e' -> 'he' (id 257), 2 times; tie: smaller left id (beat 't'+'h')
      3. 't' + 'he' -> 'the' (id 258), 2 times; highest count
    """
    if broken := re.search("[\ud800-\udfff]", text):
        raise TextError(
            f"the text has a lone surrogate U+{ord(broken[0]):04X} at index {broken.start()}, which has no bytes in "
            "UTF-8: remove it"
        )
    # Runs of letters with the space before them, digits, other signs: GPT-2's idea in brief.
    pretokens = re.findall(r" ?[^\W\d_]+| ?\d+| ?[^\s\w]+|_+|\s+", text)
    yield f"text:      {text!r}"
    yield f"pretokens: {' | '.join(pretokens)}"
    tokens = [bytes([byte]) for byte in BYTE_ORDER]
    unlimited = 256 + len(text.encode())
    steps = train_steps([piece.encode() for piece in pretokens], tokens, unlimited)
    for number, step in enumerate(steps, 1):
        left, right = (_show(tokens[token_id]) for token_id in step.pair)
        beaten = ", ".join(
            "+".join(_show(tokens[token_id]) for token_id in pair) for pair in step.tied
        )
        yield (
            f"{number:3}. {left} + {right} -> {_show(tokens[step.token_id])} (id {step.token_id}), "
            f"{step.frequency} time{'s' if step.frequency > 1 else ''}; {step.rule}"
            f"{f' (beat {beaten})' if beaten else ''}"
        )


def _show(token: bytes) -> str:
    return repr(token.decode("utf-8", "backslashreplace"))


def main(arguments: Sequence[str]) -> int:
    """Explains the text on the command line, or the textbook sentence; the exit code is 2 for what is no text."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a character gets its escape.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        for line in explain(" ".join(arguments) or TEXTBOOK):
            print(line, flush=True)
    except (
        BrokenPipeError
    ):  # the reader (`head`, say) has seen enough, and the rest has no place to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (TextError, OSError) as error:
        print("bpetok.reference: error:", error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
