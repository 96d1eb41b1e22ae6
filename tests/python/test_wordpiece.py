"""`bpetok.wordpiece` against HF `tokenizers`, against its vectors, and against a slow trainer."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import pickle
import random
from collections import Counter
from typing import Any

import pytest

from bpetok import wordpiece
from bpetok.errors import (
    FormatError,
    SpecialTokenError,
    TextError,
    TokenIdError,
    TrainError,
    VocabError,
)
from bpetok.wordpiece.text import words_of
from bpetok.wordpiece.training import train_counts

DATA = os.environ.get("BPETOK_TEST_DATA", "")
GROUP = 256
needs_data = pytest.mark.skipif(not DATA, reason="needs BPETOK_TEST_DATA")
VOCAB = "bert/bert-base-uncased-vocab.txt"

NASTY = [
    "",
    " \t\n ",
    "Führer İstanbul ΣΑΣ ΟΔΟΣ Straße ŉ ǅ",
    "a\u0301 e\u0323\u0301 \u1e69 \u212b \ufb03 ½ ①",
    "我想在apple工作1314151天～ 한국어 日本語 カタカナ",
    "zero\u200bwidth soft\u00adhyphen nul\x00 \ufffd tab\tvt\x0bff\x0cnel\x85nbsp\u00a0",
    "[CLS] a [SEP] [MASK]b[UNK]",
    "[cls] [ MASK ]",
    "naïve co-operate U.S.A. it's don't $5 `x^2`",
    "x" * 100 + " " + "x" * 101,
    "é" * 51,
    "🚀 (normal) 😶\u200d🌫️ ✅",
    "\u1c89 \ua7cb \U00010d50 \U00011938 \U00016ea0",
]


def hf_bert(**options: Any) -> Any:
    tokenizers = pytest.importorskip("tokenizers")
    return tokenizers.BertWordPieceTokenizer(os.path.join(DATA, "vocabs", VOCAB), **options)


@needs_data
def test_ids_equal_the_vectors() -> None:
    tok = wordpiece.WordPiece.load(os.path.join(DATA, "vocabs", VOCAB))
    with open(os.path.join(DATA, "vectors", "vectors.jsonl"), encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["vocab"] == VOCAB]
    assert len(rows) >= 40
    for row in rows:
        assert (
            tok.encode(row["text"], add_special_tokens=row["add_special_tokens"]) == row["ids"]
        ), row["text"]


@needs_data
@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [True, False, None])
@pytest.mark.parametrize("split_han", [True, False])
def test_ids_equal_hf_on_nasty_text(
    lowercase: bool, strip_accents: bool | None, split_han: bool
) -> None:
    reference = hf_bert(
        lowercase=lowercase, strip_accents=strip_accents, handle_chinese_chars=split_han
    )
    tok = wordpiece.WordPiece.load(
        os.path.join(DATA, "vocabs", VOCAB),
        lowercase=lowercase,
        strip_accents=strip_accents,
        split_han=split_han,
    )
    for text in NASTY:
        for both in (True, False):
            mine = tok.encode(text, allowed_special="all", add_special_tokens=both)
            assert mine == reference.encode(text, add_special_tokens=both).ids, text
        assert tok.decode(mine) == reference.decode(mine)


@needs_data
@pytest.mark.parametrize("name", ["english.txt", "multilingual.txt", "code.txt", "chat.txt"])
def test_ids_equal_hf_on_corpora(name: str) -> None:
    reference = hf_bert()
    tok = wordpiece.WordPiece.load(os.path.join(DATA, "vocabs", VOCAB))
    with open(os.path.join(DATA, "corpora", name), encoding="utf-8", newline="") as file:
        text = file.read(500_000)
    ids = tok.encode(text, allowed_special="all")
    assert ids == reference.encode(text, add_special_tokens=False).ids
    assert tok.decode(ids) == reference.decode(ids)


def test_cleaning_equals_hf_for_every_character() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    normalizer = tokenizers.normalizers.BertNormalizer()
    splitter = tokenizers.pre_tokenizers.BertPreTokenizer()
    points = [point for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF]
    for start in range(0, len(points), GROUP):
        # "x" keeps a character from joining its neighbours; "·" is punctuation and cuts the rest.
        text = "·".join(f"x{chr(point)}y" for point in points[start : start + GROUP])
        theirs = [word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))]
        assert words_of(text, lowercase=True, strip_accents=True, split_han=True) == theirs


def test_cleaning_equals_hf_for_random_text() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    splitter = tokenizers.pre_tokenizers.BertPreTokenizer()
    choice = random.Random(1)
    characters = "aBé\u0301\u0323İΣς 我!\u00ad\t\u3000'ß한\u0344\u1e9b\U0001d165\u0591"
    for _ in range(3000):
        text = "".join(choice.choices(characters, k=choice.randrange(12)))
        for lower, accents, han in itertools.product([True, False], repeat=3):
            normalizer = tokenizers.normalizers.BertNormalizer(
                clean_text=True, handle_chinese_chars=han, strip_accents=accents, lowercase=lower
            )
            theirs = [word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))]
            assert (
                words_of(text, lowercase=lower, strip_accents=accents, split_han=han) == theirs
            ), ascii(text)


def slow_train(
    counts: dict[str, int], size: int, specials: list[str], least: int, until_tie: bool = False
) -> list[str]:
    """The same vocabulary the obvious way: all pairs counted anew for each join, pieces kept as text."""
    letters = sorted({char for word in counts for char in word})
    inner = sorted({"##" + char for word in counts for char in word[1:]})
    vocab = specials + [x for x in letters if x not in specials] + inner
    split = {word: [word[0]] + ["##" + char for char in word[1:]] for word in counts}
    while len(vocab) < size:
        seen: dict[tuple[str, str], int] = {}
        for word, pieces in split.items():
            for i in range(len(pieces) - 1):
                key = (pieces[i], pieces[i + 1])
                seen[key] = seen.get(key, 0) + counts[word]
        if not seen or max(seen.values()) < least:
            break
        most = max(seen.values())
        best = [key for key in seen if seen[key] == most]
        left, right = min(best, key=lambda key: (vocab.index(key[0]), vocab.index(key[1])))
        new = left + right[2:]
        if len(best) > 1 and until_tie:
            break
        if new not in vocab:
            vocab.append(new)
        for pieces in split.values():
            i = 0
            while i < len(pieces) - 1:
                if pieces[i] == left and pieces[i + 1] == right:
                    pieces[i : i + 2] = [new]
                i += 1
    return vocab


def test_training_equals_the_slow_trainer() -> None:
    choice = random.Random(2)
    for _ in range(400):
        letters = "ab" if choice.random() < 0.5 else "abcdé"
        words = {
            "".join(choice.choices(letters, k=choice.randrange(1, 9)))
            for _ in range(choice.randrange(1, 12))
        }
        counts = {word: choice.randrange(1, 6) for word in words}
        size, least = choice.randrange(2, 40), choice.randrange(1, 4)
        assert train_counts(counts, size, ["[UNK]"], least) == slow_train(
            counts, size, ["[UNK]"], least
        )


def test_training_does_not_depend_on_the_order_of_documents() -> None:
    documents = ["low lower lowest", "newer newest widest", "the cat in the hat"] * 2
    assert wordpiece.train(documents, 60) == wordpiece.train(documents[::-1], 60)


def hf_train(texts: list[str], size: int, least: int) -> list[str]:
    tokenizers = pytest.importorskip("tokenizers")
    tok = tokenizers.BertWordPieceTokenizer()
    tok.train_from_iterator(texts, vocab_size=size, min_frequency=least, show_progress=False)
    vocab: dict[str, int] = tok.get_vocab()
    return sorted(vocab, key=lambda token: vocab[token])


def test_training_equals_hf_until_the_first_tie() -> None:
    choice = random.Random(3)
    compared = 0
    for _ in range(20):
        words = sorted(
            {"".join(choice.choices("abcd", k=choice.randrange(1, 6))) for _ in range(40)}
        )
        counts = {word: choice.randrange(1, 3000) for word in words}
        until_tie = slow_train(counts, 60, list(wordpiece.SPECIAL_TOKENS), 1, until_tie=True)
        theirs = hf_train([" ".join([word] * count) for word, count in counts.items()], 60, 1)
        mine = train_counts(counts, 60, min_frequency=1)
        characters = 5 + sum(len(token.removeprefix("##")) == 1 for token in mine)
        assert sorted(mine[:characters]) == sorted(theirs[:characters])
        assert mine[: len(until_tie)] == until_tie
        assert theirs[characters : len(until_tie)] == until_tie[characters:]
        compared += len(until_tie) - characters
    assert compared > 200


@needs_data
def test_training_equals_hf_up_to_ties_on_real_text() -> None:
    with open(os.path.join(DATA, "corpora", "tinyshakespeare.txt"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    mine, theirs = wordpiece.train(lines, 4000), hf_train(lines, 4000, 2)
    # Ties change the order; only the few pieces of the last tie can be others (none were, in November 2026).
    assert len(theirs) == mine.vocab_size
    assert len(set(theirs) ^ set(mine.tokens)) <= 40


def test_special_tokens_raise_unless_allowed() -> None:
    tok = wordpiece.WordPiece(["[UNK]", "[MASK]", "a", "[", "]", "mask"])
    with pytest.raises(SpecialTokenError, match=r"\[MASK\].*allowed_special"):
        tok.encode("a [MASK]")
    assert tok.encode("a [MASK]", allowed_special={"[MASK]"}) == [2, 1]
    assert tok.encode("a [MASK]", disallowed_special=()) == [2, 3, 5, 4]
    assert tok.encode("[UNK]", allowed_special="all") == [0]
    with pytest.raises(SpecialTokenError, match="no special tokens here"):
        tok.encode("a", allowed_special={"[X]"})


def test_training_cuts_the_longest_special_token_as_encoding_does() -> None:
    specials = ["[UNK]", "<x>", "<x>y"]
    tok = wordpiece.train(["<x>y <x>y <x>y zz zz"], 60, special_tokens=specials)
    assert tok == wordpiece.train(["zz zz"], 60, special_tokens=specials)
    assert tok.encode("<x>y<x>zz", allowed_special="all") == [2, 1, tok.token_id("zz")]


def test_texts_may_be_bytes_of_utf_8() -> None:
    tok = wordpiece.train(["café café".encode()], 30, strip_accents=False)
    assert tok == wordpiece.train(["café café"], 30, strip_accents=False)
    assert tok.encode("café [SEP]".encode(), allowed_special="all") == [tok.token_id("café"), 3]
    assert tok.tokenize("café".encode()) == ["café"]


def test_arguments_of_another_type_are_named() -> None:
    tok = wordpiece.WordPiece(["[UNK]", "a"])
    for call, words in (
        (lambda: wordpiece.train([pathlib.Path("x")], 60), r"document 0 .*(PosixPath|WindowsPath).*read_documents"),
        (lambda: wordpiece.train(["a"], "60"), "vocab_size must be int, not str"),
        (lambda: wordpiece.train(["a"], 60, min_frequency=1.5), "min_frequency must be int, not float"),
        (lambda: wordpiece.train(["a"], 60, limit_alphabet="9"), "limit_alphabet must be int, not str"),
        (lambda: wordpiece.WordPiece(["[UNK]"], max_word_chars="5"), "max_word_chars must be int"),
        (lambda: tok.encode(5), "text must be str or bytes, not int"),
        (lambda: tok.tokenize(None), "text must be str or bytes, not NoneType"),
        (lambda: tok.decode([1, 1.5]), r"token ids must be int, not float \(at index 1\)"),
        (lambda: tok.decode(["a"]), "not str"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=words):
            call()


def test_texts_that_are_not_unicode_are_named() -> None:
    tok = wordpiece.WordPiece(["[UNK]", "a"])
    for call, words in (
        (lambda: tok.encode("a\ud800"), "the text has a lone surrogate at index 1"),
        (lambda: tok.tokenize("a\ud800"), "index 1"),
        (lambda: tok.encode(b"aa\xff"), "not UTF-8 at byte 2"),
        (lambda: wordpiece.train(["a", "\ud800"]), "document 1 has a lone surrogate at index 0"),
    ):
        with pytest.raises(TextError, match=words):
            call()


def test_special_tokens_have_a_text() -> None:
    for call in (
        lambda: wordpiece.train(["a"], special_tokens=["[UNK]", ""]),
        lambda: wordpiece.WordPiece(["[UNK]"], special_tokens=["[UNK]", ""]),
    ):
        with pytest.raises(SpecialTokenError, match="special token 1 has no text"):
            call()


def test_bad_input_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(VocabError, match="unknown token"):
        wordpiece.WordPiece(["a"])
    with pytest.raises(VocabError, match="'a' stands at 1 and again at 2"):
        wordpiece.WordPiece(["[UNK]", "a", "a"])
    with pytest.raises(VocabError, match="empty"):
        wordpiece.WordPiece(["[UNK]", ""])
    with pytest.raises(SpecialTokenError, match=r"\[X\]"):
        wordpiece.WordPiece(["[UNK]"], special_tokens=["[X]"])
    tok = wordpiece.WordPiece(["[UNK]", "a"])
    with pytest.raises(TokenIdError, match=r"id 2 \(at index 1\).*from 0 to 1"):
        tok.decode([1, 2])
    with pytest.raises(TokenIdError, match="'b'"):
        tok.token_id("b")
    with pytest.raises(TypeError, match="bare str"):
        wordpiece.train("text")
    with pytest.raises(TrainError, match=r"lack '\[UNK\]'"):
        wordpiece.train(["a"], special_tokens=[])
    with pytest.raises(TrainError, match="below the 5"):
        wordpiece.train(["a"], 4)
    with pytest.raises(TrainError, match="limit_alphabet is -1"):
        wordpiece.train(["a"], limit_alphabet=-1)
    with pytest.raises(TextError, match="document 1 is not UTF-8"):
        wordpiece.train([b"a", b"\xff"])
    (tmp_path / "bad.txt").write_bytes(b"[UNK]\n\xff\n")
    with pytest.raises(FormatError, match=r"bad.txt is not UTF-8 text at byte 6"):
        wordpiece.WordPiece.load(tmp_path / "bad.txt")
    (tmp_path / "empty.txt").write_bytes(b"")
    with pytest.raises(VocabError, match=r"empty\.txt"):
        wordpiece.WordPiece.load(tmp_path / "empty.txt")
    with pytest.raises(FileNotFoundError):
        wordpiece.WordPiece.load(tmp_path / "none.txt")
    with pytest.raises(FormatError, match="line"):
        wordpiece.WordPiece(["[UNK]", "a\nb"]).save(tmp_path / "x.txt")
    assert not (tmp_path / "x.txt").exists()


def test_save_load_pickle_and_equality(tmp_path: pathlib.Path) -> None:
    tok = wordpiece.train(["a\u2028b ab ab"], 20, lowercase=False)
    tok.save(tmp_path / "vocab.txt")
    again = wordpiece.WordPiece.load(tmp_path / "vocab.txt", lowercase=False)
    assert again == tok
    assert hash(again) == hash(tok)
    assert pickle.loads(pickle.dumps(tok)) == tok
    assert wordpiece.WordPiece.load(tmp_path / "vocab.txt") != tok
    assert "lowercase=False" in repr(tok)


def test_rare_characters_leave_the_alphabet() -> None:
    counts = Counter({"aé": 1, "ab": 5})
    assert train_counts(counts, 10, ["[UNK]"], limit_alphabet=2) == ["[UNK]", "a", "b", "##b", "ab"]
