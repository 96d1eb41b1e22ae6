"""The methods that encode: special tokens, bytes, offsets, cuts, batches."""

from __future__ import annotations

import gc
import pickle

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import bpetok
from bpetok import SpecialTokenError, TextError
from support import END_OF_TEXT, FAMILY, VECTORS, anything, read_jsonl, texts


def vector_tokenizers() -> dict[str, bpetok.Tokenizer]:
    """The vocabulary of the vectors under each of their patterns."""
    from bpetok.reference import BYTE_ORDER
    from bpetok.spec import TokenizerSpec

    tokens = [bytes([byte]) for byte in BYTE_ORDER]
    merges = []
    for row in read_jsonl(VECTORS / "merges.jsonl"):
        left, right = bytes.fromhex(row["left_hex"]), bytes.fromhex(row["right_hex"])
        merges.append((tokens.index(left), tokens.index(right)))
        tokens.append(left + right)
    numbered = dict(enumerate(tokens))
    patterns = dict.fromkeys(row["pattern"] for row in read_jsonl(VECTORS / "encoding.jsonl"))
    return {
        pattern: TokenizerSpec.from_parts(numbered, merges, pattern).build() for pattern in patterns
    }


def test_vectors_pretokens_and_ids() -> None:
    tokenizers = vector_tokenizers()
    for row in read_jsonl(VECTORS / "encoding.jsonl"):
        tok = tokenizers[row["pattern"]]
        inputs = [bytes.fromhex(row["bytes_hex"]), *([row["text"]] if "text" in row else [])]
        for text in inputs:
            where = (row["name"], row["pattern"], type(text))
            assert [piece.hex() for piece in tok.pretokenize(text)] == row["pretokens_hex"], where
            assert tok.encode_ordinary(text) == row["ids"], where
        assert tok.decode_bytes(row["ids"]) == inputs[0]


# --- special tokens ----------------------------------------------------------------------------


def test_special_text_is_refused_by_default(tok: bpetok.Tokenizer, special: str) -> None:
    for call in (tok.encode, tok.encode_numpy, tok.count, tok.encode_with_offsets):
        with pytest.raises(SpecialTokenError, match=r"<\|endoftext\|>"):
            call(f"a{special}b")
        with pytest.raises(SpecialTokenError):
            call(f"a{special}b".encode())
    with pytest.raises(SpecialTokenError):
        tok.encode_batch(["fine", f"a{special}b"])
    with pytest.raises(SpecialTokenError):
        tok.count_batch([f"a{special}b"])


def test_special_text_allowed_disallowed_or_ordinary(tok: bpetok.Tokenizer, special: str) -> None:
    text = f"the{special}cat"
    number = tok.special_tokens[special]
    as_special = [*tok.encode("the"), number, *tok.encode("cat")]
    assert tok.encode(text, allowed_special="all") == as_special
    assert tok.encode(text, allowed_special={special}) == as_special
    assert tok.encode(text.encode(), allowed_special=[special]) == as_special
    as_text = tok.encode_ordinary(text)
    assert number not in as_text
    assert tok.encode(text, disallowed_special=()) == as_text
    assert tok.decode(as_text) == tok.decode(as_special) == text
    with pytest.raises(SpecialTokenError):
        tok.encode(text, disallowed_special={special})


def test_disallowed_all_means_all_but_the_allowed(tok: bpetok.Tokenizer, special: str) -> None:
    more = tok.with_special_tokens(["<a>"])
    assert more.encode("<a>", allowed_special={"<a>"}) == [340]
    with pytest.raises(SpecialTokenError, match="endoftext"):
        more.encode(f"<a>{special}", allowed_special={"<a>"})


def test_unknown_names_among_the_allowed(tok: bpetok.Tokenizer) -> None:
    with pytest.raises(SpecialTokenError, match="<nope>"):
        tok.encode("text", allowed_special={"<nope>"})


def test_the_longer_special_wins_at_one_place(tok: bpetok.Tokenizer) -> None:
    more = tok.with_special_tokens(["<a>", "<a><b>"])
    assert more.encode("<a><b><a>", allowed_special="all") == [341, 340]


# --- lossless ----------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(anything)
@example(b"\xe2\x82")
@example(b"\xed\xa0\x80")
@example(b"<|endoftext|>")
def test_bytes_come_back(tok: bpetok.Tokenizer, data: bytes) -> None:
    assert tok.decode_bytes(tok.encode_ordinary(data)) == data


@pytest.mark.parametrize("pattern", [*bpetok.PRESETS, r"[a-z]+", r"\w+|\s+", r"(?<=a)b"])
def test_bytes_come_back_under_every_pattern(pattern: str) -> None:
    tok = bpetok.train(["the cat in the hat 世界世界"] * 3, 265, pattern=pattern, special_tokens=())

    @settings(max_examples=100, deadline=None)
    @given(anything)
    def check(data: bytes) -> None:
        pieces = tok.pretokenize(data)
        assert b"".join(pieces) == data
        assert b"" not in pieces
        assert tok.decode_bytes(tok.encode_ordinary(data)) == data

    check()


@settings(max_examples=200, deadline=None)
@given(texts)
def test_str_and_its_bytes_give_the_same_ids(tok: bpetok.Tokenizer, text: str) -> None:
    ids = tok.encode_ordinary(text)
    assert ids == tok.encode_ordinary(text.encode())
    assert tok.decode(ids) == text
    assert ids == tok.encode_numpy(text, disallowed_special=()).tolist()
    assert tok.count(text, disallowed_special=()) == len(ids)


def test_lone_surrogates_name_their_index(tok: bpetok.Tokenizer) -> None:
    for call in (tok.encode, tok.encode_ordinary, tok.encode_numpy, tok.count):
        with pytest.raises(TextError, match="2"):
            call("ab\udc80cd")
    with pytest.raises(TextError):
        tok.encode_batch(["ok", "\ud800"])


@pytest.mark.parametrize("text", [None, 1, ["a"], 1.5])
def test_other_types_are_type_errors(tok: bpetok.Tokenizer, text: object) -> None:
    with pytest.raises(TypeError):
        tok.encode(text)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        tok.encode_batch([text])  # type: ignore[list-item]


def test_a_bare_text_is_no_batch(tok: bpetok.Tokenizer) -> None:
    for text in ("abc", b"abc"):
        with pytest.raises(TypeError, match="list"):
            tok.encode_batch(text)


# --- offsets and cuts -----------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(anything)
def test_byte_offsets_are_exact(tok: bpetok.Tokenizer, data: bytes) -> None:
    ids, offsets = tok.encode_with_offsets(data, unit="byte", disallowed_special=())
    assert list(ids) == tok.encode_ordinary(data)
    assert offsets.dtype == np.int64
    assert offsets.shape == (len(ids), 2)
    for token_id, (start, stop) in zip(ids, offsets.tolist(), strict=True):
        assert data[start:stop] == tok.token_bytes(token_id)
    assert offsets[:, 0].tolist() == [0, *offsets[:-1, 1].tolist()][: len(ids)]


@settings(max_examples=200, deadline=None)
@given(texts)
def test_offsets_in_characters_and_utf16_units_cover_the_bytes(
    tok: bpetok.Tokenizer, text: str
) -> None:
    _, in_bytes = tok.encode_with_offsets(text, unit="byte", disallowed_special=())
    _, in_chars = tok.encode_with_offsets(text, disallowed_special=())
    _, in_utf16 = tok.encode_with_offsets(text, unit="utf16", disallowed_special=())
    char_of_byte = [place for place, char in enumerate(text) for _ in char.encode()]
    utf16_ends = [0]
    for char in text:
        utf16_ends.append(utf16_ends[-1] + len(char.encode("utf-16-le")) // 2)
    for (start, stop), chars, units in zip(
        in_bytes.tolist(), in_chars.tolist(), in_utf16.tolist(), strict=True
    ):
        first, last = char_of_byte[start], char_of_byte[stop - 1]
        assert chars == [first, last + 1]
        assert units == [utf16_ends[first], utf16_ends[last + 1]]


def test_a_token_inside_a_character_spans_it() -> None:
    tok = bpetok.train(["abc"], 256, special_tokens=())
    ids, offsets = tok.encode_with_offsets("é!")
    assert len(ids) == 3
    assert offsets.tolist() == [[0, 1], [0, 1], [1, 2]]


def test_unknown_units(tok: bpetok.Tokenizer) -> None:
    with pytest.raises(bpetok.Error, match="utf32"):
        tok.encode_with_offsets("abc", unit="utf32")


@settings(max_examples=300, deadline=None)
@given(texts, st.integers(0, 20))
@example(FAMILY, 3)
@example("é" * 5, 1)
def test_cut_is_the_longest_prefix_that_fits(tok: bpetok.Tokenizer, text: str, most: int) -> None:
    if END_OF_TEXT in text:
        return
    kept = tok.cut(text, most)
    assert text.startswith(kept)
    assert tok.count(kept) <= most
    # No longer prefix that ends where a token and a character of encode(text) end would do.
    data = text.encode()
    _, offsets = tok.encode_with_offsets(text, unit="byte")
    boundaries = {len(text[:place].encode()) for place in range(len(text) + 1)}
    for end in offsets[:, 1].tolist():
        if end in boundaries and end > len(kept.encode()):
            assert tok.count(data[:end]) > most
    if tok.count(text) <= most:
        assert kept == text


# --- batches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [None, 1, 2, 8])
def test_batches_equal_single_calls(
    tok: bpetok.Tokenizer, documents: list[str], threads: int | None
) -> None:
    texts = [*documents, "", "世界", *documents * 20]
    batch = tok.encode_batch(texts, threads=threads)
    assert len(batch) == len(texts)
    assert batch.ids.dtype == np.uint32
    assert batch.offsets.dtype == np.int64
    assert batch.offsets.shape == (len(texts) + 1,)
    assert batch.offsets[0] == 0
    assert batch.offsets[-1] == len(batch.ids)
    assert batch.tolist() == [tok.encode(text) for text in texts]
    assert [batch[i].tolist() for i in range(len(batch))] == batch.tolist()
    assert batch[-1].tolist() == tok.encode(texts[-1])
    assert list(tok.count_batch(texts)) == [tok.count(text) for text in texts]
    assert list(tok.decode_batch(batch)) == texts


def test_batches_of_bytes_generators_and_nothing(tok: bpetok.Tokenizer) -> None:
    assert tok.encode_batch([b"the", b"\xff"]).tolist() == [tok.encode("the"), tok.encode(b"\xff")]
    assert tok.encode_batch(text for text in ("a", "b")).tolist() == [
        tok.encode("a"),
        tok.encode("b"),
    ]
    empty = tok.encode_batch([])
    assert (len(empty), empty.tolist(), empty.offsets.tolist()) == (0, [], [0])


def test_batch_views_are_read_only_and_outlive_the_batch(tok: bpetok.Tokenizer) -> None:
    batch = tok.encode_batch(["the cat", "in the hat"])
    ids, row = batch.ids, batch[1]
    with pytest.raises(ValueError, match="read-only"):
        row[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        ids[0] = 1
    del batch
    assert row.tolist() == tok.encode("in the hat")


def test_to_arrow_is_a_list_of_ids_for_each_text(tok: bpetok.Tokenizer) -> None:
    arrow = pytest.importorskip("pyarrow")
    batch = tok.encode_batch(["the cat", "", "in the hat"])
    array = batch.to_arrow()
    assert array.type == arrow.large_list(arrow.uint32())
    assert array.to_pylist() == batch.tolist()
    array.validate(full=True)
    del batch
    assert array[2].as_py() == tok.encode("in the hat")


def test_batches_survive_pickling(tok: bpetok.Tokenizer) -> None:
    batch = tok.encode_batch(["the cat", "", "in the hat"])
    again = pickle.loads(pickle.dumps(batch))
    assert again.tolist() == batch.tolist()
    assert again.offsets.tolist() == batch.offsets.tolist()


def test_batch_indexes_out_of_range(tok: bpetok.Tokenizer) -> None:
    batch = tok.encode_batch(["a", "b"])
    for index in (2, -3):
        with pytest.raises(IndexError):
            _ = batch[index]


def test_pad(tok: bpetok.Tokenizer) -> None:
    batch = tok.encode_batch(["the cat in", "the", ""])
    lists = batch.tolist()
    longest = max(map(len, lists))
    ids, mask = batch.pad()
    assert ids.shape == mask.shape == (3, longest)
    assert (ids.dtype, mask.dtype) == (np.uint32, np.bool_)
    for row, kept, wanted in zip(ids, mask, lists, strict=True):
        assert row[kept].tolist() == wanted
        assert not kept[len(wanted) :].any()
    left, left_mask = batch.pad(length=longest + 2, value=7, side="left")
    assert left.shape == (3, longest + 2)
    assert (left[~left_mask] == 7).all()
    assert left[0][left_mask[0]].tolist() == lists[0]
    with pytest.raises(bpetok.Error, match="middle"):
        batch.pad(side="middle")
    with pytest.raises(bpetok.Error, match=str(longest)):
        batch.pad(length=1)


@pytest.mark.parametrize("threads", [0, -3])
def test_threads_below_one(tok: bpetok.Tokenizer, threads: int) -> None:
    with pytest.raises(bpetok.Error, match=str(threads)):
        tok.encode_batch(["a"], threads=threads)


# --- patterns that backtrack --------------------------------------------------------------------------


def test_a_pattern_that_runs_wild_is_stopped_and_told_where() -> None:
    from bpetok.spec import TokenizerSpec

    wild = r"(?:a(?=a)|a(?!c))+b|\s"
    tok = TokenizerSpec.from_parts({i: bytes([i]) for i in range(256)}, [], wild).build()
    assert tok.pretokenize("aab aab") == [b"aab", b" ", b"aab"]
    text = "aab " + "a" * 60
    for call in (tok.encode, tok.pretokenize, tok.count, lambda text: tok.encode_batch([text])):
        with pytest.raises(bpetok.PatternError, match=r"steps or .* at byte 4"):
            call(text)
    with pytest.raises(bpetok.PatternError, match=r"document 2: .* steps or .* at byte 4"):
        tok.encode_batch(["aab", "", text, text])
    with pytest.raises(bpetok.PatternError, match="steps"):
        bpetok.train([text], 300, pattern=wild)


def test_numbers_are_given_out_again_rightly() -> None:
    """Lists share Python's numbers of recent ids (`src/py/ints.rs`): here four ids take turns in one place."""
    from bpetok.spec import TokenizerSpec

    numbered = {number: bytes([number]) for number in range(256)}
    numbered |= {97 + 8192: b"ab", 97 + 16384: b"abab", 97 + 24576: b"abb"}
    tokenizer = TokenizerSpec.from_parts(numbered, None, "gpt2").build()
    for text in ["ab a abab abb", "a", "abb ab", "abab a ab"] * 2:
        ids = tokenizer.encode_ordinary(text)
        assert ids == tokenizer.encode_batch([text]).ids.tolist()
        assert {type(number) for number in ids} == {int}


def test_a_collector_may_encode_while_a_list_is_made(tok: bpetok.Tokenizer) -> None:
    """Making a list may run Python's collector, and that any code: also our own, with the same tokenizer."""
    inner: list[list[int]] = []
    threshold = gc.get_threshold()

    def encode(phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            inner.append(tok.encode("one two"))

    wanted = tok.encode("one two three")
    gc.callbacks.append(encode)
    try:
        gc.set_threshold(1)
        assert all(tok.encode("one two three") == wanted for _ in range(50))
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(encode)
    assert inner
    assert all(ids == tok.encode("one two") for ids in inner)
