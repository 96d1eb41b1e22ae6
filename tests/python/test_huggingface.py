"""`tokenizer.json` as bpetok writes it: ids equal in HF `tokenizers` and `transformers`."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import random
from typing import Any

import pytest

import bpetok
from bpetok.errors import FormatError
from bpetok.formats import huggingface
from bpetok.formats.oniguruma import to_oniguruma
from bpetok.spec import TokenizerSpec

tokenizers = pytest.importorskip("tokenizers")

DATA = os.environ.get("BPETOK_TEST_DATA", "")
needs_data = pytest.mark.skipif(not DATA, reason="needs BPETOK_TEST_DATA")
END = "<|endoftext|>"

RANK_FILES: dict[str, tuple[str, dict[str, int]]] = {
    "r50k_base": ("gpt2", {END: 50256}),
    "p50k_base": ("gpt2", {END: 50256}),
    "cl100k_base": ("cl100k", {END: 100257, "<|fim_prefix|>": 100258, "<|endofprompt|>": 100276}),
    "o200k_base": ("o200k", {END: 199999, "<|endofprompt|>": 200018}),
}
CUSTOM_PATTERNS = [
    r"\w+|\s+|[^\w\s]+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    r"\p{L}{1,3}+|\d{2}|\s++$|.",
    r"[^\W\d]+|\d+?|(?s:.)",
    r"(?P<word>\pL+)|\x{31}|[^\x61]",
    r"\bfoo\b|[\p{L}&&[^a]]+|[]a]",
    r"(?m:^)a+(?m:$)|\s|b\z",
    r"\p{Script=Han}+|[\s\S]",
]
CHARACTERS = [
    *"ab1 \n\r\t'!/.sStTcCA]029",
    "é",
    "中",
    "한",
    "\u00a0",
    "\u3000",
    "\u0301",
    "ก",
    "ʰ",
    "\u2028",
    "²",
    "½",
]
CHARACTERS += [
    "ſ",
    "\u200d",
    "foo",
    "'ll",
    "'RE",
    "ß",
    "\u0085",
    "\x1c",
    "İ",
    "\u212a",
    "१",
    "Ⅷ",
    "🚀",
    "  ",
    "123",
    END,
]


def hf(tok: bpetok.Tokenizer) -> Any:
    return tokenizers.Tokenizer.from_str(huggingface.write(tok, "tokenizer.json").decode())


def same_ids(tok: bpetok.Tokenizer, reference: Any, text: str) -> None:
    theirs = reference.encode(text, add_special_tokens=False).ids
    assert tok.encode(text, allowed_special="all") == theirs, ascii(text[:200])


def nasty_texts(count: int, seed: int = 1) -> list[str]:
    choice = random.Random(seed)
    return ["".join(choice.choices(CHARACTERS, k=choice.randrange(12))) for _ in range(count)]


def trained(pattern: str, **options: Any) -> bpetok.Tokenizer:
    texts = [
        *nasty_texts(3000, seed=2),
        "the cat in the hat sat on the mat's 12345 1234 99 foo",
    ] * 2
    return bpetok.train(texts, 600, pattern=pattern, **options)


@pytest.mark.filterwarnings("ignore:the text has too few pairs")
@pytest.mark.parametrize("pattern", [*bpetok.PRESETS, *CUSTOM_PATTERNS])
def test_trained_vocabularies_on_nasty_text(pattern: str) -> None:
    tok = trained(pattern)
    reference = hf(tok)
    for text in nasty_texts(4000):
        same_ids(tok, reference, text)


@pytest.mark.parametrize("digits", ["1", "1-3", "right-1-3"])
@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "qwen2", r"\S+|\s+"])
def test_digit_rules_group_as_they_say(digits: str, pattern: str) -> None:
    spec = dataclasses.replace(TokenizerSpec.of(trained(pattern)), digits=digits)
    step = tokenizers.Tokenizer.from_str(json.dumps(huggingface.to_document(spec))).pre_tokenizer
    for length in range(1, 12):
        run = "1234567890٣²"[:length]
        first = {"1": 1, "1-3": 3, "right-1-3": length % 3 or 3}[digits]
        width = 1 if digits == "1" else 3
        groups = [run[:first]] + [
            run[start : start + width] for start in range(first, length, width)
        ]
        text = f"ab {run}x {run}"
        found = [text[start:end] for _, (start, end) in step.pre_tokenize_str(text)]
        assert [part for part in found if part[0] in run] == groups * 2
        assert "".join(found) == text


@needs_data
@pytest.mark.parametrize("name", RANK_FILES)
def test_rank_files_on_nasty_text_runs_and_corpora(name: str) -> None:
    pattern, specials = RANK_FILES[name]
    tok = bpetok.load(
        os.path.join(DATA, "vocabs", f"{name}.tiktoken"), pattern=pattern, special_tokens=specials
    )
    reference = hf(tok)
    for text in nasty_texts(3000):
        same_ids(tok, reference, text)
    for unit in ("a", " ", "=", "ab", "\n", "-", "0", "я", "の", "xyz"):
        for times in (2, 3, 5, 7, 13, 31, 64, 101, 333):
            same_ids(tok, reference, unit * times)
    for corpus in ("english", "code", "multilingual", "chat", "mixed_1mb"):
        same_ids(tok, reference, corpus_text(corpus, 300_000))


def corpus_text(name: str, size: int) -> str:
    with open(os.path.join(DATA, "corpora", f"{name}.txt"), encoding="utf-8", newline="") as file:
        return file.read(size)


@needs_data
@pytest.mark.parametrize("pattern", ["gpt2", "o200k"])
def test_trained_vocabularies_on_corpora(pattern: str, tmp_path: pathlib.Path) -> None:
    transformers = pytest.importorskip("transformers")
    path = pathlib.Path(DATA, "corpora", "mixed_1mb.txt")
    tok = bpetok.train(path, 8192, pattern=pattern, special_tokens=[END, "<|pad|>"])
    (tmp_path / "tokenizer.json").write_bytes(huggingface.write(tok, "tokenizer.json"))
    reference = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    fast = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    for corpus in ("english", "code", "multilingual", "chat", "mixed_1mb"):
        text = corpus_text(corpus, 100_000) + END + "<|pad|> end"
        same_ids(tok, reference, text)
        ids = fast.encode(text, add_special_tokens=False)
        assert ids == tok.encode(text, allowed_special="all")
        assert (
            fast.decode(ids, clean_up_tokenization_spaces=False)
            == text
            == reference.decode(ids, False)
        )


def test_every_split_is_written_in_the_order_of_ranks() -> None:
    choice = random.Random(5)
    for turn in range(60):
        tokens = {byte: bytes([byte]) for byte in range(256)}
        words = {
            bytes(choice.choices(b"ab", k=choice.randrange(2, 7)))
            for _ in range(choice.randrange(3, 25))
        }
        ordered = sorted(words, key=lambda word: (len(word), word))
        if turn % 2:
            choice.shuffle(ordered)
        tokens |= dict(enumerate(ordered, start=256))
        tok = TokenizerSpec.from_parts(tokens, None, r"[a-z]+").build()
        reference = hf(tok)
        for _ in range(40):
            same_ids(tok, reference, "".join(choice.choices("ab", k=choice.randrange(1, 25))))


def test_special_tokens_keep_their_ids_where_ids_have_gaps() -> None:
    base = TokenizerSpec.of(trained("gpt2", special_tokens=()))
    for specials in ({END: 600}, {END: 700, "<|é|>": 650}, {"<a>": 601, "<ab>": 600, "<a": 602}):
        tok = dataclasses.replace(base, special_tokens=specials).build()
        reference = hf(tok)
        for text, token_id in specials.items():
            assert reference.token_to_id(text) == token_id
            same_ids(tok, reference, f"a {text}{text} <a>b<ab><a")
    # "Ā" is HF's name for the byte 0: with a gap before its id it cannot be told from it.
    tok = dataclasses.replace(base, special_tokens={"ĀĀ": 700}).build()
    with pytest.raises(
        FormatError, match=r"there\.json: the special token 'ĀĀ'.*choose another text"
    ):
        huggingface.write(tok, "there.json")
    tok = dataclasses.replace(base, special_tokens={"é": 600}).build()
    with pytest.raises(FormatError, match=r"'é' has id 600 and is HF's name for token \d+"):
        huggingface.write(tok, "there.json")


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        (r"a\b{start}", r"'?\\b"),
        (r"\<a", r"\\<"),
        (r"[\w--\d]+", "'--' in a class"),
        (r"[[:alpha:]]+", r"'\[:' in a class"),
        (r"a(?i)b|c", "flags in the middle"),
        (r"(?x) a", r"'\(\?x\)'"),
        (r"(?U)a+", r"'\(\?U\)'"),
        (r"\X", r"\\X"),
        (r"\z{2,}|ab", "a repeated anchor"),
        (r"(?=a)?x|.", "a repeated anchor"),
        ("a)", r"a \) that closes nothing"),
        (r"(?:\A|\s)?\p{L}+|.", "a repeated anchor"),
        (r"(?:a|(?:(?<=b)|c)|b){1,2}x|.", "a repeated anchor"),
        (r"(?:(?m:^)|b)?x|.", "a repeated anchor"),
        (r"(?i:'ss|'ll)|.", "'ss' under"),
        (r"(?i)a|ss", "'ss' under"),
        (r"(?i:ß)|.", "'ss' under"),
        (r"(?i:s(?:s))|.", "'ss' under"),
        (r"(?i)(?:as)(?:s)|.", "'ss' under"),
        (r"(?i:f\x66)|.", "'ff' under"),
        (r"(?i:եւ)|.", "'եւ' under"),
        (r"(?i:[+\P{Lu}])|.", r"\\P in a class under"),
        ("(?i:[b[^a]])|.", r"'\[\^' in a class under"),
        ("(?i:[a&&A])|.", "'&&' in a class under"),
    ],
)
def test_patterns_without_an_equal_are_refused(pattern: str, what: str) -> None:
    with pytest.raises(FormatError, match=rf"has {what}.* at position \d+.*save as \.bpetok"):
        to_oniguruma(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"((?=a)|b)?x|.",
        r"(?>\A|b)?x|.",
        r"(?i:\A|b)?x|.",
        r"(?:\A\b|b)?x|.",
        r"(?:a(?:\A|c)|b)?x|.",
        r"(?:(?i)(\A)|b)?x|.",
        r"(?:(?i)\A|b)+x|.",
        r"(?:\b|_)?x|.",
    ],
)
def test_other_repeated_groups_load_in_hf(pattern: str) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizers.Regex(to_oniguruma(pattern))


@pytest.mark.parametrize("pattern", ["a*", "[a-z]*", r"\pL{0}", "a??", r"\B", "(?:a|)b*", "(?=a)"])
def test_patterns_that_may_match_nothing_are_refused(pattern: str) -> None:
    with pytest.raises(FormatError, match="may match without taking a character"):
        to_oniguruma(pattern)


@pytest.mark.parametrize("name", ["Lu", "Ll", "Lt", "L", "M", "N", "Greek"])
@pytest.mark.parametrize("form", [r"\p{%s}", r"\P{%s}", r"[^\p{%s}]", r"[+\p{%s}]"])
def test_properties_take_both_cases_under_i(name: str, form: str) -> None:
    pattern = f"(?i:{form % name}+)|(?s:.)"
    base = {number: bytes([number]) for number in range(256)}
    tok = TokenizerSpec.from_parts(base, None, pattern).build()
    step = hf(tok).pre_tokenizer
    assert step is not None
    # Of each character what it and one that is surely in, or surely out, are cut into.
    text = "".join(map(chr, [*range(0x21, 0x600), *range(0x1C80, 0x2200), *range(0xA640, 0xA6A0)]))
    ours = [pretoken.decode() for pretoken in tok.pretokenize(text)]
    theirs = [text[start:end] for _, (start, end) in step.pre_tokenize_str(text)]
    assert ours == theirs


@pytest.mark.parametrize(
    "char_class",
    [
        *(r"\p{L}", r"\p{Ll}", r"[\p{Lu}]", r"\w", r"\W", r"\S", ".", r"[\s\S]", "[^a]"),
        *("[ß]", "[a-zß]", "[a-z[ß]]", "[ŉǰ]", "[sdmt]", r"[\w\D]", r"[^\p{N}]"),
    ],
)
def test_a_class_takes_one_character_under_i(char_class: str) -> None:
    # For Oniguruma `ß` is `ss` in a class too, where one of one character does not lead to a match.
    pattern = f"(?i:{char_class})!|(?s:.)"
    base = {number: bytes([number]) for number in range(256)}
    tok = TokenizerSpec.from_parts(base, None, pattern).build()
    folding = [chr(code) for code in range(0xDF, 0xFB18) if len(chr(code).casefold()) > 1]
    text = "".join(f"{c}!{c.casefold()}!{c.casefold().upper()}!" for c in [*folding, "a", "s"])
    step = hf(tok).pre_tokenizer
    assert step is not None
    theirs = [text[start:end] for _, (start, end) in step.pre_tokenize_str(text)]
    assert [pretoken.decode() for pretoken in tok.pretokenize(text)] == theirs


def test_the_file_is_what_hf_writes_itself() -> None:
    tok = trained("cl100k")
    written = huggingface.write(tok, "tokenizer.json")
    assert written == huggingface.write(trained("cl100k"), "tokenizer.json")
    document, theirs = json.loads(written), json.loads(hf(tok).to_str())
    # HF writes a merge as a list today; everything else is as bpetok wrote it.
    theirs["model"]["merges"] = [" ".join(pair) for pair in theirs["model"]["merges"]]
    assert document == theirs


@needs_data
@pytest.mark.parametrize("corpus", ["english", "code", "multilingual", "chat"])
def test_saved_files_in_transformers_on_corpora(corpus: str, tmp_path: pathlib.Path) -> None:
    transformers = pytest.importorskip("transformers")
    text = corpus_text(corpus, 300_000)
    tok = bpetok.train([text], 4096)
    path = tmp_path / "tokenizer.json"
    tok.save(path)
    same_ids(tok, tokenizers.Tokenizer.from_file(str(path)), text)
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(path))
    ids = theirs(text, add_special_tokens=False)["input_ids"]
    assert ids == tok.encode(text, allowed_special="all")
    assert theirs.decode(ids, clean_up_tokenization_spaces=False) == text


def test_saved_files_are_not_read_back(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "tokenizer.json"
    bpetok.train(["the cat in the hat " * 9], 262).save(path)
    with pytest.raises(FormatError, match=r"is written by bpetok and not read: load the \.bpetok"):
        bpetok.load(path)
    bpetok.train(["the dog " * 9], 262).save(tmp_path / "other", format="tokenizer.json")
    assert json.loads((tmp_path / "other").read_bytes())["model"]["type"] == "BPE"
