"""`TokenBatch`: sizes that no memory holds and arrays that are no batch are refused, and nothing aborts."""

from __future__ import annotations

import gc
import pickle
from typing import Any

import numpy as np
import pytest

import bpetok
from bpetok import Error, TokenBatch


@pytest.fixture(scope="module")
def batch(tok: bpetok.Tokenizer) -> TokenBatch:
    return tok.encode_batch(["the cat", "", "in"])


@pytest.mark.parametrize("length", [10**13, 2**59, 2**64 // 24 + 10])
def test_more_than_memory_is_a_memory_error(batch: TokenBatch, length: int) -> None:
    with pytest.raises(MemoryError, match=f"3 rows of {length} take {12 * length} bytes"):
        batch.pad(length)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"length": -1}, "length is -1; give 0 or more, or None for that of the longest document"),
        ({"length": 2**62}, "length is 4611686018427387904; give 2305843009213693951 or less"),
        ({"length": 2**64 // 3 + 10}, "length is 6148914691236517215"),
        ({"length": 2**70}, "length is 1180591620717411303424"),
        ({"value": -1}, "value is -1; give 0 or more"),
        ({"value": 2**32}, "value is 4294967296; give 4294967295 or less"),
    ],
)
def test_numbers_out_of_range_are_named(
    batch: TokenBatch, arguments: dict[str, int], says: str
) -> None:
    with pytest.raises(Error, match=says):
        batch.pad(**arguments)


@pytest.mark.parametrize("arguments", [{"length": "8"}, {"length": 8.0}, {"value": b""}])
def test_other_things_are_type_errors(batch: TokenBatch, arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="must be int, not"):
        batch.pad(**arguments)


def test_rows_are_filled_up(batch: TokenBatch) -> None:
    right, real = batch.pad(np.int64(9), value=7)
    left, real_left = batch.pad(9, 7, "left")
    for row, ids in enumerate(batch.tolist()):
        filling = [7] * (9 - len(ids))
        assert (right[row].tolist(), left[row].tolist()) == (ids + filling, filling + ids)
        assert real[row].tolist() == real_left[row].tolist()[::-1]
        assert real[row].sum() == len(ids)
    assert (right.dtype, real.dtype) == (np.uint32, np.bool_)
    assert TokenBatch._from_arrays(right[0, :0], np.zeros(1, np.int64)).pad(2**61 - 1)[0].size == 0


@pytest.mark.parametrize(
    ("offsets", "says"),
    [
        ([], "there are none"),
        ([1, 3], "the first is 1"),
        ([-1, 3], "the first is -1"),
        ([0, 2], "the last offset is 2, and there are 3 ids"),
        ([0, 4], "the last offset is 4"),
        ([0, -3], "the last offset is -3"),
        ([0, 2, 1, 3], "document 1 has the offsets 2 and 1"),
        ([0, 9, 3], "document 0 has the offsets 0 and 9"),
        ([0, -2, 3], "document 0 has the offsets 0 and -2"),
    ],
)
def test_arrays_that_are_no_batch(offsets: list[int], says: str) -> None:
    with pytest.raises(Error, match=says):
        TokenBatch._from_arrays(np.arange(3, dtype=np.uint32), np.array(offsets, dtype=np.int64))


def test_nobody_writes_to_a_batch(tok: bpetok.Tokenizer) -> None:
    ids, offsets = np.arange(3, dtype=np.uint32), np.array([0, 1, 3])
    batch = TokenBatch._from_arrays(ids, offsets)
    ids[:], offsets[1] = 99, 99
    assert batch.tolist() == [[0], [1, 2]]
    for array in (batch.ids, batch.offsets, batch[1], tok.encode_batch(["the cat"]).ids):
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True


def test_arrays_outlive_their_batch(tok: bpetok.Tokenizer) -> None:
    texts = ["the cat in the hat"] * 1000
    wanted = tok.encode("the cat in the hat") * 1000
    batch = tok.encode_batch(texts)
    ids, offsets, last = batch.ids, batch.offsets, batch[-1]
    assert batch.ids is ids
    del batch
    gc.collect()
    tok.encode_batch(["other words"] * 5000)
    assert ids.tolist() == wanted
    assert offsets.tolist() == list(range(0, len(wanted) + 1, len(last)))


def test_pickles(batch: TokenBatch) -> None:
    for copy in (batch, pickle.loads(pickle.dumps(batch))):
        assert copy.tolist() == [ids.tolist() for ids in copy] == batch.tolist()


@pytest.mark.parametrize("length", [10**13, 2**62])
def test_lengths_are_hints(tok: bpetok.Tokenizer, length: int) -> None:
    for decode in (tok.decode, tok.decode_bytes):
        with pytest.raises(bpetok.TokenIdError, match=f"{tok.vocab_size}"):
            decode(range(length))


@pytest.mark.parametrize("index", [10**30, -(10**30), 2**63, 3, -4])
def test_documents_that_are_not_there(tok: bpetok.Tokenizer, index: int) -> None:
    with pytest.raises(IndexError, match=f"document {index} of a batch of 3"):
        tok.encode_batch(["a", "b", "c"])[index]


def test_the_number_of_a_document_is_an_int(tok: bpetok.Tokenizer) -> None:
    batch = tok.encode_batch(["a", "b"])
    assert batch[np.int64(1)].tolist() == tok.encode("b")
    with pytest.raises(TypeError, match="number of a document must be int, not float"):
        batch[1.0]  # type: ignore[index]
