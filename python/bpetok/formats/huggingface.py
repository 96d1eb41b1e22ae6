r"""`tokenizer.json`, the file of HF `tokenizers` and `transformers`.

Written as: one `Split` for the digit rule if there is one, one `Split` by the pattern, `ByteLevel` without a
regex of its own; a `BPE` model; the special tokens as `added_tokens`. Ids are equal to bpetok's with
`allowed_special="all"`, since HF always takes special tokens out of the text first.

Two things have to be put differently there:

- **Merging by rank.** HF merges by a list. For a vocabulary that merges by rank the list is every split
  of every token into two tokens, ordered by the token's rank and then by the halves' ranks, together with
  `ignore_merges`, which takes a pretoken that is a token as it stands. One split per token is not enough:
  53 of 20,000 words of Llama-3 came out wrong with it, none with all splits.
- **The pattern**, which Oniguruma reads in a dialect of its own: see `oniguruma`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bpetok.errors import FormatError
from bpetok.formats.oniguruma import to_oniguruma
from bpetok.spec import TokenizerSpec
from bpetok.tokenizer import expand_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpetok._bpetok import Tokenizer
    from bpetok.formats import Specials

VERSION = "1.0"

# Each rule as the regex of its groups. A run of n digits counted from the right: its first n mod 3 digits,
# then threes; only the start of a run looks ahead, so that a long one stays linear.
DIGIT_GROUPS = {
    "1": r"\p{N}",
    "1-3": r"\p{N}{1,3}",
    "right-1-3": r"(?<!\p{N})\p{N}{1,2}(?=(?:\p{N}{3})++(?!\p{N}))|\p{N}{1,3}",
}


def byte_characters() -> list[str]:
    """GPT-2's character for each byte: itself where it prints, and else one from U+0100 on.

    >>> "".join(byte_characters()[byte] for byte in " A\\n".encode())
    'ĠAĊ'
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def sniff(head: bytes) -> bool:
    """A JSON object that soon names its `version`, as every `tokenizer.json` does.

    >>> sniff(b'{"version":"1.0","truncation":null'), sniff(b'{"a": 1}')
    (True, False)
    """
    return head.lstrip().startswith(b"{") and b'"version"' in head[:100]


def read(path: str, pattern: str | None, special_tokens: Specials) -> Tokenizer:
    """Refuses: a `tokenizer.json` is an export, from which not every tokenizer can be had back.

    Raises:
        FormatError: always; says what to load instead.
    """
    raise FormatError(
        "a tokenizer.json is written by bpetok and not read: load the .bpetok or .tiktoken file that it was made from"
    )


def write(tok: Tokenizer, path: str) -> bytes:
    """The content of `tokenizer.json`; the path is only for messages.

    Raises:
        FormatError: for a pattern that Oniguruma cannot be given, or a special token that HF would
            mistake for an ordinary one.

    >>> import bpetok, json
    >>> tok = bpetok.train(["low lower lowest " * 4], vocab_size=260, special_tokens=())
    >>> json.loads(write(tok, "tokenizer.json"))["model"]["merges"][:2]
    ['l o', 'lo w']
    """
    try:
        document = to_document(TokenizerSpec.of(tok))
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def to_document(spec: TokenizerSpec) -> dict[str, Any]:
    """The file as a Python object, in the order in which HF writes it."""
    tokens = spec.token_map()
    characters = byte_characters()
    # latin-1 gives one character for each byte, which `translate` then maps at C speed.
    alphabet = dict(enumerate(characters))
    names = {
        token_id: token.decode("latin-1").translate(alphabet) for token_id, token in tokens.items()
    }
    pairs = spec.merge_pairs()
    if pairs is None:
        pairs = splits_by_rank(tokens)
    vocab = {name: token_id for token_id, name in sorted(names.items())}
    return {
        "version": VERSION,
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(spec.special_tokens),
        "normalizer": None,
        "pre_tokenizer": _pre_tokenizer(spec),
        "post_processor": None,
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": False,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": vocab | _specials_in_vocab(spec.special_tokens, vocab),
            # No byte-level name holds a space, so the older form of a merge is safe, and older readers know it.
            "merges": [f"{names[left]} {names[right]}" for left, right in pairs],
        },
    }


def splits_by_rank(tokens: Mapping[int, bytes]) -> list[tuple[int, int]]:
    """Every way to put a token together from two tokens, in the order in which merging by rank takes them.

    >>> splits_by_rank({0: b"a", 1: b"b", 2: b"ab", 3: b"bb", 4: b"abb"})
    [(0, 1), (1, 1), (0, 3), (2, 1)]
    """
    ids = {token: token_id for token_id, token in tokens.items()}
    found = []
    for token_id, token in tokens.items():
        for cut in range(1, len(token)):
            left = ids.get(token[:cut])
            if left is not None and (right := ids.get(token[cut:])) is not None:
                found.append((token_id, left, right))
    found.sort()
    return [(left, right) for _, left, right in found]


def _pre_tokenizer(spec: TokenizerSpec) -> dict[str, Any]:
    pattern = to_oniguruma(expand_pattern(spec.pattern))
    steps = []
    if spec.digits != "none":
        steps.append(_split(DIGIT_GROUPS[spec.digits]))
        # The groups reach the second step as texts of their own; without this it might cut them again.
        pattern = rf"\p{{N}}+|{pattern}"
    steps.append(_split(pattern))
    steps.append(
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    )
    return {"type": "Sequence", "pretokenizers": steps}


def _split(regex: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}


def _added_tokens(specials: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "id": token_id,
            "content": text,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for text, token_id in sorted(specials.items(), key=lambda item: item[1])
    ]


def _specials_in_vocab(specials: Mapping[str, int], vocab: Mapping[str, int]) -> dict[str, int]:
    """The special tokens that have to stand in the model's vocabulary too.

    HF gives an added token the next free id, whatever the file says, unless the vocabulary has its text.
    So where ids have gaps (cl100k_base) or specials lie inside (p50k_base) they go into both, as in GPT-2's
    own file. A text that is also the byte-level name of other text would then be made from that.
    """
    for text, token_id in specials.items():
        if vocab.get(text, token_id) != token_id:
            raise FormatError(
                f"the special token {text!r} has id {token_id} and is HF's name for token {vocab[text]} too, so HF "
                "cannot tell them apart: choose another text for it"
            )
    ordered = sorted(specials.values())
    if ordered == list(range(len(vocab), len(vocab) + len(ordered))):
        return {}
    for text in specials:
        if (named := _text_named(text)) not in (None, text):
            raise FormatError(
                f"the special token {text!r} is HF's name for the text {named!r} too, and its id {specials[text]} is "
                "not the next free one, so HF cannot tell them apart: choose another text for it"
            )
    return dict(specials)


def _text_named(name: str) -> str | None:
    """The text that a byte-level name stands for; `None` where there is none.

    >>> _text_named("Ġa"), _text_named("é")
    (' a', None)
    """
    bytes_of = {character: byte for byte, character in enumerate(byte_characters())}
    if not all(character in bytes_of for character in name):
        return None
    try:
        return bytes(bytes_of[character] for character in name).decode()
    except UnicodeDecodeError:
        return None  # such bytes never reach HF, which takes text only
