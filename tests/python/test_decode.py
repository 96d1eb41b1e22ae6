"""The methods that decode, at once or as a stream."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import example, given, settings

import bpetok
from bpetok import TokenIdError
from support import FAMILY, anything


def test_decode_replaces_or_refuses_broken_text(tok: bpetok.Tokenizer) -> None:
    ids = tok.encode_ordinary(b"a\xff")
    assert tok.decode(ids) == "a\ufffd"
    assert tok.decode(ids, errors="ignore") == "a"
    with pytest.raises(UnicodeDecodeError):
        tok.decode(ids, errors="strict")


@pytest.mark.parametrize("errors", ["replace", "ignore", "backslashreplace", "surrogateescape"])
def test_decode_handles_errors_as_bytes_do(tok: bpetok.Tokenizer, errors: str) -> None:
    for data in (b"", "né 中 😀".encode(), b"a\xff\xc3", b"\xf0\x9f\x98", b"\xed\xa0\x80 b"):
        ids = tok.encode_ordinary(data)
        assert tok.decode(ids, errors=errors) == data.decode("utf-8", errors)
        assert tok.decode_batch([ids], errors=errors) == [data.decode("utf-8", errors)]


def test_an_error_handler_that_there_is_not_is_named(tok: bpetok.Tokenizer) -> None:
    ids = tok.encode_ordinary(b"a\xff")
    for call in (
        lambda errors: tok.decode(ids, errors),
        lambda errors: tok.decode_batch([ids], errors),
    ):
        with pytest.raises(LookupError, match="nope"):
            call("nope")
        with pytest.raises(bpetok.Error, match=r're\\0place.*give "replace"'):
            call("re\0place")


@pytest.mark.parametrize("bad", [340, 2**32 - 1])
def test_unknown_ids_name_the_id(tok: bpetok.Tokenizer, bad: int) -> None:
    for call in (tok.decode, tok.decode_bytes):
        with pytest.raises(TokenIdError, match=str(bad)):
            call([1, bad])
        with pytest.raises(TokenIdError, match=str(bad)):
            call(np.array([1, bad], dtype=np.uint32))
    with pytest.raises(TokenIdError, match=str(bad)):
        tok.stream().push(bad)


@pytest.mark.parametrize("bad", [-1, 2**40, 2**70])
def test_impossible_ids(tok: bpetok.Tokenizer, bad: int) -> None:
    with pytest.raises((TokenIdError, OverflowError)):
        tok.decode([bad])


@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.int32, np.uint16])
def test_decode_takes_lists_and_arrays(tok: bpetok.Tokenizer, dtype: type) -> None:
    ids = tok.encode("the cat in the hat")
    assert tok.decode(np.array(ids, dtype=dtype)) == "the cat in the hat"
    assert tok.decode(tuple(ids)) == "the cat in the hat"
    assert tok.decode(np.array(ids, dtype=dtype)[::1]) == "the cat in the hat"
    assert tok.decode([]) == ""


def test_decode_takes_buffers(tok: bpetok.Tokenizer) -> None:
    text = "the cat in the hat"
    ids = tok.encode_numpy(text)
    shown = memoryview(ids)
    for same in (shown, array("I", ids.tobytes()), array("q", ids.tolist()), ids.astype(">u4")):
        assert tok.decode(same) == text
    assert tok.decode(np.repeat(ids, 2)[::2]) == text
    assert tok.decode(ids[::-1]) == tok.decode(ids.tolist()[::-1])
    assert tok.decode(ids[:0]) == ""
    assert tok.decode_batch(ids[None, :]) == [text]
    for rows in (ids[None, :], memoryview(ids[None, :])):
        with pytest.raises(TypeError, match="2 dimensions; give one row of them"):
            tok.decode(rows)
    with pytest.raises(TypeError, match="ids must be a collection"):
        tok.decode(ids[0])
    with pytest.raises(TokenIdError, match=r"4294967295 \(at index 1\)"):
        tok.decode(array("I", [1, 2**32 - 1]))


# --- stream ----------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(anything)
@example(FAMILY.encode())
@example(b"a\xe2\x82")
@example(b"\xf0\x9f\x91\xe2\x82\xac")
def test_streamed_pieces_join_to_decode(tok: bpetok.Tokenizer, data: bytes) -> None:
    ids = tok.encode_ordinary(data)
    stream = tok.stream()
    pieces = [stream.push(token_id) for token_id in ids]
    assert "".join([*pieces, stream.finish()]) == tok.decode(ids)


def test_never_half_a_character(tok: bpetok.Tokenizer) -> None:
    bytes_only = bpetok.train(["abc"], 256, special_tokens=())
    stream = bytes_only.stream()
    pieces = [stream.push(token_id) for token_id in bytes_only.encode("é👩x")]
    assert pieces == ["", "é", "", "", "", "👩", "x"]
    assert stream.finish() == ""


def test_finish_gives_what_is_left(tok: bpetok.Tokenizer) -> None:
    bytes_only = bpetok.train(["abc"], 256, special_tokens=())
    stream = bytes_only.stream()
    assert [stream.push(token_id) for token_id in bytes_only.encode(b"a\xe2\x82")] == ["a", "", ""]
    assert stream.finish() == "\ufffd"


def test_special_tokens_stream_as_their_text(tok: bpetok.Tokenizer, special: str) -> None:
    assert tok.stream().push(tok.special_tokens[special]) == special


class Odd(int):
    """An int whose text is none."""

    def __index__(self) -> int:
        return self

    def __str__(self) -> str:
        return "x" + "é" * 41


def test_ints_that_are_no_ids_are_told_whatever_their_size(tok: bpetok.Tokenizer) -> None:
    for value in (10**400, -(10**400), 10**5000, Odd(10**30)):
        with pytest.raises(TokenIdError, match="is not in the vocabulary"):
            tok.decode([value])
        with pytest.raises(TokenIdError, match="is not in the vocabulary"):
            tok.token_bytes(value)


def test_what_is_no_row_of_ids(tok: bpetok.Tokenizer) -> None:
    rows = ([[1, 2]], [(1,)], np.array([[1, 2]]), tok.encode_batch(["the", "cat"]))
    for ids in rows:
        with pytest.raises(TypeError, match=r"must be int, not .*decode_batch takes rows"):
            tok.decode(ids)  # type: ignore[arg-type]
    for text in ("12", b"12", bytearray(b"12")):
        with pytest.raises(TypeError, match=r"ids is (str|bytes|bytearray), not ids"):
            tok.decode(text)  # type: ignore[arg-type]
    for nothing in (None, 5, 1.5):
        with pytest.raises(TypeError, match="ids must be a collection, not"):
            tok.decode(nothing)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="batch must be a collection, not"):
            tok.decode_batch(nothing)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="texts must be a collection, not"):
            tok.encode_batch(nothing)  # type: ignore[arg-type]
