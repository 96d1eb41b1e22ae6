"""The WordPiece tokenizer: words to pieces, pieces to ids, and back to something like the text."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bpetok.atomic import write_atomic
from bpetok.errors import FormatError, SpecialTokenError, TokenIdError, VocabError
from bpetok.numbers import whole
from bpetok.texts import text_list
from bpetok.wordpiece.arguments import document_text, known_id, special_list, special_pattern
from bpetok.wordpiece.text import words_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PREFIX = "##"
CACHED_WORDS = 1 << 16

# HF's `cleanup` of decoded text, in its order: a space before these goes.
CLEANUP = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


class WordPiece:
    """A WordPiece vocabulary and the rules of its text cleaning; never changes after it is built.

    Args:
        tokens: the vocabulary; a token's place is its id.
        lowercase: capitals become small letters.
        strip_accents: remove accents; `None` does as `lowercase`.
        split_han: each Han character is a word of its own.
        unknown: the token for a word that has no pieces; must be in `tokens`.
        max_word_chars: a longer word is unknown as a whole.
        special_tokens: texts that are tokens of their own; by default those of `SPECIAL_TOKENS` that
            are in `tokens`.

    Raises:
        TypeError: for a `max_word_chars` that is no whole number, or tokens that are no list of texts.
        VocabError: for repeated or empty tokens, or no unknown token.
        SpecialTokenError: for a special token that is empty or not in `tokens`.

    >>> tok = WordPiece(["[UNK]", "un", "##aff", "##able"])
    >>> tok.encode("Unaffable!")
    [1, 2, 3, 0]
    """

    def __init__(
        self,
        tokens: Sequence[str],
        *,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        split_han: bool = True,
        unknown: str = "[UNK]",
        max_word_chars: int = 100,
        special_tokens: Collection[str] | None = None,
    ) -> None:
        self.tokens = tuple(text_list(tokens, "tokens"))
        self._ids = _ids_of(self.tokens)
        if unknown not in self._ids:
            raise VocabError(
                f"the unknown token {unknown!r} is not in the vocabulary: add it, or pass unknown="
            )
        self.lowercase = lowercase
        self.strip_accents = lowercase if strip_accents is None else strip_accents
        self.split_han = split_han
        self.unknown = unknown
        self.max_word_chars = whole("max_word_chars", max_word_chars)
        if special_tokens is None:
            special_tokens = [text for text in SPECIAL_TOKENS if text in self._ids]
        specials = special_list(special_tokens)
        if missing := [text for text in specials if text not in self._ids]:
            raise SpecialTokenError(
                f"special tokens that are not in the vocabulary: {missing}; add them to it"
            )
        self.special_tokens = {text: self._ids[text] for text in specials}
        self._special = special_pattern(specials)
        self._longest = max(map(len, self.tokens))
        self._ids_of_word = lru_cache(CACHED_WORDS)(self._match)

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, special ones included."""
        return len(self.tokens)

    def token_id(self, token: str) -> int:
        """The id of a token.

        Raises:
            TokenIdError: if there is none.
        """
        if token not in self._ids:
            raise TokenIdError(f"no token {token!r} in this vocabulary of {self.vocab_size:,}")
        return self._ids[token]

    def encode(
        self,
        text: str | bytes,
        *,
        allowed_special: Collection[str] = frozenset(),
        disallowed_special: Collection[str] = "all",
        add_special_tokens: bool = False,
    ) -> list[int]:
        """The ids of a text; equal to HF's `BertWordPieceTokenizer` with `allowed_special="all"`.

        Args:
            text: any text; bytes are UTF-8.
            allowed_special: special tokens that the text may spell, or `"all"`.
            disallowed_special: those that it must not; `"all"` means all others, `()` none: such text
                is then ordinary text.
            add_special_tokens: put `[CLS]` in front and `[SEP]` at the end.

        Raises:
            TypeError: for a text that is neither `str` nor `bytes`; for another `str` than `"all"`: wrap it in a list.
            TextError: for a lone surrogate, or bytes that are not UTF-8.
            SpecialTokenError: if the text spells a disallowed special token, or for an unknown one in the arguments.
        """
        allowed = self._named(allowed_special, "allowed_special")
        disallowed = self._named(disallowed_special, "disallowed_special")
        if disallowed_special == "all":
            disallowed -= allowed
        ids: list[int] = []
        plain: list[str] = []
        for part in self._special.split(document_text(text)):
            if part in disallowed:
                raise SpecialTokenError(
                    f"the text spells the special token {part!r}: pass it in allowed_special to get its id, or "
                    "disallowed_special=() to read it as ordinary text"
                )
            if part in allowed:
                ids += self._encode_ordinary("".join(plain))
                ids.append(self.special_tokens[part])
                plain = []
            else:
                plain.append(part)
        ids += self._encode_ordinary("".join(plain))
        if add_special_tokens:
            return [self.token_id("[CLS]"), *ids, self.token_id("[SEP]")]
        return ids

    def tokenize(self, text: str | bytes) -> list[str]:
        """The pieces of a text, special tokens read as ordinary text.

        Raises:
            TypeError: for a text that is neither `str` nor `bytes`.
            TextError: for a lone surrogate, or bytes that are not UTF-8.

        >>> WordPiece(["[UNK]", "un", "##aff", "##able"]).tokenize("unaffable")
        ['un', '##aff', '##able']
        """
        return [self.tokens[token_id] for token_id in self._encode_ordinary(document_text(text))]

    def decode(
        self, ids: Iterable[int], *, skip_special_tokens: bool = True, cleanup: bool = True
    ) -> str:
        """Words joined by spaces: not the text that was encoded, since cleaning lost some of it.

        Args:
            ids: of tokens.
            skip_special_tokens: leave them out.
            cleanup: no space before `.`, `,`, `'s` and the like, as HF does.

        Raises:
            TypeError: for an id that is no whole number.
            TokenIdError: for an id that no token has.
        """
        parts: list[str] = []
        for place, token_id in enumerate(ids):
            token = self.tokens[known_id(token_id, place, self.vocab_size)]
            if skip_special_tokens and token in self.special_tokens:
                continue
            if parts:
                token = token.removeprefix(PREFIX) if token.startswith(PREFIX) else " " + token
            for written, wanted in CLEANUP if cleanup else ():
                token = token.replace(written, wanted)
            parts.append(token)
        return "".join(parts)

    @classmethod
    def load(cls, path: str | os.PathLike[str], **options: Any) -> WordPiece:
        """Reads a `vocab.txt`: one token in each line, whose number less one is the id.

        Args:
            path: the file.
            **options: as for the class; the file holds none of them.

        Raises:
            FormatError: if it is not UTF-8 text.
            VocabError: for an empty file or line, or a repeated token.
            OSError: if it cannot be read.

        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "vocab.txt")
        >>> WordPiece(["[UNK]", "a", "##b"]).save(path)
        >>> WordPiece.load(path).tokens
        ('[UNK]', 'a', '##b')
        """
        with open(path, "rb") as file:
            data = file.read()
        try:
            # Only \n ends a line: str.splitlines would also cut at U+2028 and others, which can be tokens.
            lines = data.decode().removesuffix("\n").split("\n")
        except UnicodeDecodeError as error:
            raise FormatError(
                f"{os.fspath(path)} is not UTF-8 text at byte {error.start:,}: not a vocab.txt"
            ) from None
        try:
            return cls([line.removesuffix("\r") for line in lines], **options)
        except VocabError as error:
            raise VocabError(f"{os.fspath(path)}: {error}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a `vocab.txt`, whole or not at all; how text is cleaned is not part of the format.

        Raises:
            FormatError: for a token with a line break.
            OSError: if it cannot be written.
        """
        if broken := [token for token in self.tokens if "\n" in token or token.endswith("\r")]:
            raise FormatError(
                f"a vocab.txt cannot hold {broken[0]!r}: it has one token in each line"
            )
        write_atomic(path, "".join(token + "\n" for token in self.tokens).encode())

    def _named(self, names: Collection[str], argument: str) -> set[str]:
        """The special tokens that an argument names, all for `"all"`."""
        named = set(self.special_tokens) if names == "all" else set(text_list(names, argument))
        if unknown := named - self.special_tokens.keys():
            raise SpecialTokenError(
                f"{argument} names {sorted(unknown)}, which are no special tokens here; these are "
                f"{sorted(self.special_tokens)}"
            )
        return named

    def _encode_ordinary(self, text: str) -> list[int]:
        words = words_of(
            text,
            lowercase=self.lowercase,
            strip_accents=self.strip_accents,
            split_han=self.split_han,
        )
        return [token_id for word in words for token_id in self._ids_of_word(word)]

    def _match(self, word: str) -> tuple[int, ...]:
        """The longest piece that the word begins with, then the longest that the rest does, and so on."""
        unknown = (self._ids[self.unknown],)
        if len(word) > self.max_word_chars:
            return unknown
        found: list[int] = []
        start = 0
        while start < len(word):
            mark = PREFIX if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                if (token_id := self._ids.get(mark + word[start:end])) is not None:
                    found.append(token_id)
                    start = end
                    break
            else:
                return unknown
        return tuple(found)

    def _options(self) -> dict[str, Any]:
        names = ("lowercase", "strip_accents", "split_han", "unknown", "max_word_chars")
        return {name: getattr(self, name) for name in names} | {
            "special_tokens": tuple(self.special_tokens)
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WordPiece):
            return NotImplemented
        return self.tokens == other.tokens and self._options() == other._options()

    def __hash__(self) -> int:
        return hash(self.tokens)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.tokens, self._options())

    def __repr__(self) -> str:
        return f"WordPiece({self.vocab_size:,} tokens, lowercase={self.lowercase})"


def _rebuild(tokens: tuple[str, ...], options: dict[str, Any]) -> WordPiece:
    return WordPiece(tokens, **options)


def _ids_of(tokens: Sequence[str]) -> dict[str, int]:
    ids: dict[str, int] = {}
    for token_id, token in enumerate(tokens):
        if not token:
            raise VocabError(
                f"token {token_id} is empty: give it a text, or remove it (from a vocab.txt, its line)"
            )
        if token in ids:
            raise VocabError(
                f"token {token!r} stands at {ids[token]} and again at {token_id}: remove one"
            )
        ids[token] = token_id
    return ids
