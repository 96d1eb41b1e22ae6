"""Writes the shared test cases from other people's libraries: `make golden`, then read the diff.

Nothing here comes from bpetok, so a case that fails is a difference from a peer and not from our own
past. `training.jsonl` holds documents and the merges that HF's trainer learns from them.
`encoding.jsonl` holds texts, the pretokens that the `regex` module cuts and the ids that tiktoken
gives to them with the vocabulary of `merges.jsonl`. Bytes are in hex, since not all of them are text.
"""

from __future__ import annotations

import json
from pathlib import Path

import regex
import tiktoken
import tiktoken_ext.openai_public as published
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

HERE = Path(__file__).parent

published.load_tiktoken_bpe = lambda *_, **__: {}  # only the patterns are wanted, not the ranks
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Oniguruma, HF's engine, reads `{1,3}+` as a repeated repetition, and its `\w` has no joiners.
FOR_HF = [
    ("{1,3}+", "{1,3}"),
    (r"[^\w\s]", r"[^\w\s\u200c\u200d]"),
    (r"\w+|", r"[\w\u200c\u200d]+|"),
]

# name as bpetok takes it -> the regex that the peers run
PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "cl100k": published.cl100k_base()["pat_str"],
    "o200k": published.o200k_base()["pat_str"],
    "llama3": LLAMA3,
    "qwen2": LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}"),
    # The pattern that rustbpe takes by default; not the same as cl100k.
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+": None,
    r"\w+|\s+|[^\w\s]+": None,
    r"\p{N}{1,2}|\p{L}+|[^\p{N}\p{L}]": None,
    # These leave text uncovered: the stretches between matches are pretokens too.
    r"[a-z]+": None,
    r"\p{N}{1,2}": None,
    r"(?<=a)b+": None,
}

CORPUS = [
    "the cat in the hat sat on the mat, and the rat that the cat saw sat there too.\n",
    "She'll say it's HERE; they've said it wasn't. I'm 42, you're 1234567!\n\n\n  Indented   text\t\n",
    "naïve café, Größe, ΑΒΓ αβγ, привет мир, 你好世界你好, こんにちは世界, 안녕하세요, 👩‍👩‍👧‍👦 🇩🇪 ❤️\r\n",
    "def f(x):\n    return x ** 2  # comment\n\n\nclass A:\n    pass\n",
    "aaaa aaaaaaa aaaaaaaaaaa abababab",
]
TEXTS = {
    "empty": "",
    "textbook": "the cat in the hat",
    "contractions": "she'll SHE'LL it's it'S they've I'M we'd don't 'tis '' it'ſ",
    "numbers": "1 12 123 1234 12345 1,234.50 ٣٤٥ Ⅷ ½ 2²",
    "spaces": "a  b   c \n d\n\ne \n\n f\t\tg   ",
    "only spaces": "          ",
    "newlines": "\r\n\r\n\n\r x\r\n\ty\n \n",
    "unusual spaces": "a\u00a0b\u2003c\u3000d\u0085e\u2028f\u200bg\x1fh",
    "cases": "iPhone McDonald HTTPServer XMLHttpRequest ǅ ÀÉÎ",
    "marks": "e\u0301a\u0300 नमस्ते สวัสดี",
    "scripts": "你好世界 こんにちは 안녕하세요 привет αβγ שלום مرحبا",
    "emoji": "👩‍👩‍👧‍👦👍🏽🇩🇪❤️",
    "punctuation": "!!! ... (a)[b]{c} --> x != y; /* z */ // http://x.y/?q=1&r=2\n/\r\n",
    "code": "    if x == 1:\n        return {'a': [1, 2]}\n",
    "overlaps": "aaaaaaaaaaaaaaa aaaa aaa aa a ababa",
    "control": "\x00\x01\x7f a\x00b",
    "special text": "a<|endoftext|>b",
}
BROKEN = {
    "lone continuation": b"ab\x80cd",
    "cut character": "né".encode()[:-1],
    "invalid run": b"the \xff\xfe\xfd cat",
    "overlong": b"a\xc0\xafb",
    "surrogate": b"x\xed\xa0\x80y",
    "beyond unicode": b"\xf4\x90\x80\x80 hat",
    "between valid": "é".encode() + b"\xe2\x82" + "é".encode(),
    "every byte": bytes(range(256)),
}


def byte_characters() -> dict[str, int]:
    """GPT-2's table: the character that stands for each byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(0x100 + number): byte for number, byte in enumerate(others)}


def hf_merges(pattern: str, documents: list[str], vocab_size: int, min_frequency: int) -> list:
    """The merges that HF's trainer learns, as pairs of bytes."""
    for ours, theirs in FOR_HF:
        pattern = pattern.replace(ours, theirs)
    cut = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return hf_merges_cut_by(cut, documents, vocab_size, min_frequency)


def hf_merges_cut_by(
    cut: pre_tokenizers.PreTokenizer, documents: list[str], vocab_size: int, min_frequency: int
) -> list:
    """The same with a pretokenizer of HF's own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = cut
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[],
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    table = byte_characters()
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(bytes(table[c] for c in half) for half in pair) for pair in merges]


def vocabulary(merges: list[tuple[bytes, bytes]]) -> dict[bytes, int]:
    """bytes -> id: the 256 bytes in GPT-2's order, then what each merge makes."""
    ranks = {bytes([byte]): token_id for token_id, byte in enumerate(byte_characters().values())}
    for left, right in merges:
        ranks.setdefault(left + right, len(ranks))
    return ranks


def pretokens(pattern: str, data: bytes) -> list[bytes]:
    """Matches and what lies between them; each valid UTF-8 stretch is a text, each invalid run one."""
    found = []
    for stretch in regex.findall(
        r"[\udc80-\udcff]+|[^\udc80-\udcff]+", data.decode("utf-8", "surrogateescape")
    ):
        if "\udc80" <= stretch[0] <= "\udcff":
            found.append(stretch.encode("utf-8", "surrogateescape"))
            continue
        end = 0
        for match in regex.finditer(pattern, stretch):
            found += [stretch[end : match.start()].encode(), match.group().encode()]
            end = match.end()
        found.append(stretch[end:].encode())
    return [piece for piece in found if piece]


def training_rows() -> list[dict]:
    rows = []
    cases = [("corpus", CORPUS, 340, 1), ("corpus, twice or more", CORPUS, 400, 2)]
    cases += [("textbook", ["the cat in the hat"], 300, 1), ("overlaps", [CORPUS[4]], 280, 1)]
    cases += [("nothing", [""], 300, 1), ("ties", ["ab cd ef gh", "hg fe dc ba"], 300, 1)]
    for pattern, peer in PATTERNS.items():
        if "?<=" in pattern or (peer is None and pattern in (r"[a-z]+", r"\p{N}{1,2}")):
            continue  # how HF treats text between matches is its own affair
        for name, documents, vocab_size, min_frequency in cases:
            merges = hf_merges(peer or pattern, documents, vocab_size, min_frequency)
            rows.append(
                {
                    "name": name,
                    "pattern": pattern,
                    "documents": documents,
                    "vocab_size": vocab_size,
                    "min_frequency": min_frequency,
                    "merges_hex": [[left.hex(), right.hex()] for left, right in merges],
                }
            )
    return rows


def encoding_rows(ranks: dict[bytes, int]) -> list[dict]:
    rows = []
    inputs = {name: text.encode() for name, text in TEXTS.items()} | BROKEN
    for pattern, peer in PATTERNS.items():
        encoding = tiktoken.Encoding(
            "peer", pat_str=peer or pattern, mergeable_ranks=ranks, special_tokens={}
        )
        for name, data in inputs.items():
            pieces = pretokens(peer or pattern, data)
            row = {"name": name, "pattern": pattern, "bytes_hex": data.hex()}
            if name in TEXTS:
                row["text"] = TEXTS[name]
            row["pretokens_hex"] = [piece.hex() for piece in pieces]
            row["ids"] = [i for piece in pieces for i in encoding._encode_single_piece(piece)]
            rows.append(row)
    return rows


def write(name: str, rows: list[dict]) -> None:
    lines = [json.dumps(row, ensure_ascii=True) + "\n" for row in rows]
    (HERE / name).write_text("".join(lines), encoding="ascii", newline="\n")
    print(f"{name}: {len(rows)} cases")


def main() -> None:
    merges = hf_merges(PATTERNS["gpt2"], CORPUS, 400, 1)
    write(
        "merges.jsonl",
        [{"left_hex": left.hex(), "right_hex": right.hex()} for left, right in merges],
    )
    write("training.jsonl", training_rows())
    write("encoding.jsonl", encoding_rows(vocabulary(merges)))


if __name__ == "__main__":
    main()
