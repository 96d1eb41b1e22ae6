"""Trains a WordPiece vocabulary: pairs of pieces are joined, the most frequent first.

The papers choose the pair that raises the likelihood of the corpus most, in code that was never published;
what is trained as WordPiece today (HF's `WordPieceTrainer`) joins the most frequent pair, as BPE does, over
characters marked with `##`. So does this. HF numbers the marked characters in the order of a hash table,
which differs from run to run, and breaks ties by these numbers; here they are sorted, so that the same
corpus always gives the same vocabulary. Where no two counts are equal, HF's is the same.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from bpetok.errors import TrainError
from bpetok.numbers import whole
from bpetok.texts import text_list
from bpetok.wordpiece.arguments import document_text, special_list, special_pattern
from bpetok.wordpiece.model import PREFIX, SPECIAL_TOKENS, WordPiece
from bpetok.wordpiece.text import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def train(
    source: Iterable[str | bytes],
    vocab_size: int = 30_000,
    *,
    min_frequency: int = 2,
    limit_alphabet: int | None = 1000,
    special_tokens: Iterable[str] = SPECIAL_TOKENS,
    lowercase: bool = True,
    strip_accents: bool | None = None,
    split_han: bool = True,
) -> WordPiece:
    """Trains a vocabulary and returns its tokenizer; the defaults are those of HF's `BertWordPieceTokenizer`.

    Ids: special tokens in their order, characters sorted, marked characters sorted, then joined pieces.

    Args:
        source: documents; for files, `bpetok.pipelines.read_documents`.
        vocab_size: how many tokens to make, special ones included. The characters are always taken in, so a
            smaller number gives these alone.
        min_frequency: a pair that occurs less often is not joined.
        limit_alphabet: keep this many characters, the most frequent; words lose the others. `None` keeps all.
        special_tokens: must hold `[UNK]`; text that spells one separates words and is not counted. Where two begin
            at the same place the longer one counts, as in `encode`.
        lowercase: as for `WordPiece`, and so the next two.
        strip_accents: `None` does what `lowercase` says.
        split_han: whether each Han character is a word of its own.

    Raises:
        TypeError: for a bare `str` or `bytes` as `source` or `special_tokens`: wrap it in a list; for a document
            that is neither, such as a `Path`; for a number that is no whole one.
        TrainError: if `special_tokens` lacks `[UNK]`, for a `vocab_size` below its number, or a `limit_alphabet`
            below 0.
        SpecialTokenError: for an empty special token.
        TextError: for a lone surrogate, or bytes that are not UTF-8.

    >>> train(["aa ab aa ab aa"], vocab_size=10).tokens[5:]
    ('a', 'b', '##a', '##b', 'aa')
    """
    if isinstance(source, (str, bytes)):
        raise TypeError(f"source is a bare {type(source).__name__}: wrap it in a list")
    vocab_size = whole("vocab_size", vocab_size)
    min_frequency = whole("min_frequency", min_frequency)
    if limit_alphabet is not None and whole("limit_alphabet", limit_alphabet) < 0:
        raise TrainError(
            f"limit_alphabet is {limit_alphabet}, below 0: give a number of characters, or None for all"
        )
    specials = special_list(special_tokens)
    if "[UNK]" not in specials:
        raise TrainError(
            f"special_tokens {specials} lack '[UNK]', which stands for unknown words: add it"
        )
    if vocab_size < len(specials):
        raise TrainError(
            f"vocab_size is {vocab_size}, below the {len(specials)} special tokens: pass a larger one"
        )
    accents = lowercase if strip_accents is None else strip_accents
    boundary = special_pattern(specials)
    counts: Counter[str] = Counter()
    for number, document in enumerate(source):
        # Every other part is a special token itself.
        for part in boundary.split(document_text(document, number))[::2]:
            counts.update(
                words_of(part, lowercase=lowercase, strip_accents=accents, split_han=split_han)
            )
    tokens = train_counts(counts, vocab_size, specials, min_frequency, limit_alphabet)
    return WordPiece(
        tokens,
        lowercase=lowercase,
        strip_accents=strip_accents,
        split_han=split_han,
        special_tokens=specials,
    )


def train_counts(
    counts: Mapping[str, int],
    vocab_size: int,
    special_tokens: Iterable[str] = SPECIAL_TOKENS,
    min_frequency: int = 2,
    limit_alphabet: int | None = 1000,
) -> list[str]:
    """The tokens for counted words; see `train`.

    >>> train_counts({"aa": 3, "ab": 2}, 6, ["[UNK]"])
    ['[UNK]', 'a', 'b', '##a', '##b', 'aa']
    """
    tokens = text_list(special_tokens)
    ids = {token: token_id for token_id, token in enumerate(tokens)}
    alphabet = _alphabet(counts, limit_alphabet)
    # Characters that stand inside words are tokens of their own, apart from those that begin one.
    # HF marks by the place in the word as written: a first character that is dropped still counts as one.
    inner = sorted({char for word in counts for char in word[1:] if char in alphabet})
    for token in [*sorted(alphabet), *(PREFIX + char for char in inner)]:
        if token not in ids:
            ids[token] = len(tokens)
            tokens.append(token)
    words = [
        [
            ids[PREFIX + char if place else char]
            for place, char in enumerate(word)
            if char in alphabet
        ]
        for word in counts
    ]
    pairs = _Pairs(words, list(counts.values()))
    while len(tokens) < vocab_size:
        best = pairs.most_frequent(max(1, min_frequency))
        if best is None:
            break
        left, right = best
        token = tokens[left] + tokens[right].removeprefix(PREFIX)
        # The same piece can come from two pairs, as abc from ab+##c and a+##bc: one token, and no new id.
        if token not in ids:
            ids[token] = len(tokens)
            tokens.append(token)
        pairs.join(best, ids[token])
    return tokens


def _alphabet(counts: Mapping[str, int], limit: int | None) -> set[str]:
    characters: Counter[str] = Counter()
    for word, count in counts.items():
        for char in word:
            characters[char] += count
    ordered = sorted(characters, key=lambda char: (-characters[char], char))
    return set(ordered[:limit])


class _Pairs:
    """Words as lists of ids, and how often each pair of neighbours occurs in them.

    Joining a pair touches only the words that hold it. The heap is lazy: an entry whose count is no longer
    true is put back with the true one when it comes up.
    """

    def __init__(self, words: list[list[int]], counts: list[int]) -> None:
        self.words = words
        self.counts = counts
        self.frequency: Counter[tuple[int, int]] = Counter()
        self.places: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
        for index, word in enumerate(words):
            for pair in pairwise(word):
                self.frequency[pair] += counts[index]
                self.places[pair].add(index)
        self.heap = [(-count, pair) for pair, count in self.frequency.items()]
        heapq.heapify(self.heap)

    def most_frequent(self, minimum: int) -> tuple[int, int] | None:
        """The pair with the highest count, of equal ones that with the smaller ids; `None` below `minimum`."""
        while self.heap:
            negative, pair = heapq.heappop(self.heap)
            count = self.frequency[pair]
            if count == -negative:
                return pair if count >= minimum else None
            if count > 0:
                heapq.heappush(self.heap, (-count, pair))
        return None

    def join(self, pair: tuple[int, int], token: int) -> None:
        """Replaces the pair by the token in every word, from left to right."""
        changed: set[tuple[int, int]] = set()
        for index in self.places.pop(pair):
            before = self.words[index]
            after = _joined(before, pair, token)
            if len(after) == len(before):
                continue  # an earlier join took the pair out of this word
            for old in pairwise(before):
                self.frequency[old] -= self.counts[index]
            for new in pairwise(after):
                self.frequency[new] += self.counts[index]
                self.places[new].add(index)
                if token in new:  # no other pair can have become more frequent
                    changed.add(new)
            self.words[index] = after
        self.frequency.pop(pair, None)
        for new in changed:
            heapq.heappush(self.heap, (-self.frequency[new], new))


def _joined(word: list[int], pair: tuple[int, int], token: int) -> list[int]:
    result: list[int] = []
    place = 0
    while place < len(word):
        if place + 1 < len(word) and (word[place], word[place + 1]) == pair:
            result.append(token)
            place += 2
        else:
            result.append(word[place])
            place += 1
    return result
