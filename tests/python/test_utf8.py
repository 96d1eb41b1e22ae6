"""States and masks against Python's decoder; and what they are for: random tokens that are always valid text."""

import pickle
import time

import numpy as np
import pytest

import bpetok
from bpetok.utf8 import State


@pytest.fixture(scope="module")
def tok() -> bpetok.Tokenizer:
    text = ["naïve café", "漢字かな交じり文", "😀👩‍👩‍👧 emoji", "Ελληνικά", "the cat sat"] * 20
    return bpetok.train(text, vocab_size=300, special_tokens=["<|endoftext|>"])


ENDINGS = (b"", b"\x80", b"\x80\x80", b"\x80\x80\x80", b"\xa0\x80", b"\x90\x80\x80")


def can_become_valid(data: bytes) -> bool:
    """Try every ending that could do it. (The incremental decoder takes half a surrogate, ED A0, for a start.)"""
    for ending in ENDINGS:
        try:
            (data + ending).decode("utf-8")
        except UnicodeDecodeError:
            continue
        return True
    return False


PREFIXES = [
    b"",
    b"a",
    b"\xc3",
    b"\xe6",
    b"\xe6\xbc",
    b"\xf0",
    b"\xf0\x9f",
    b"\xf0\x9f\x98",
    b"\xe0",
    b"\xed",
    b"\xf4",
    b"\xf1",
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_mask_is_what_the_decoder_would_accept(tok: bpetok.Tokenizer, prefix: bytes) -> None:
    mask = tok.utf8_mask(State(prefix))
    assert mask.shape == (tok.vocab_size,)
    assert mask.dtype == bool
    assert not mask.flags.writeable
    special = tok.special_tokens["<|endoftext|>"]
    expected = [
        can_become_valid(prefix + tok.token_bytes(i)) for i in range(tok.vocab_size) if i != special
    ]
    np.testing.assert_array_equal(np.delete(mask, special), expected)
    assert mask[special] == State(prefix).complete


def test_states_are_values() -> None:
    state = State()
    assert state == State(b"abc") != State(b"\xc3")
    assert hash(state) == hash(State(b"abc"))
    assert (
        state.advance(b"\xe6").advance(b"\xbc")
        == State(b"\xe6\xbc")
        == State(b"\xdf")
        != State(b"\xe6")
    )
    assert state.number == 0
    assert state.complete
    assert state.valid
    with pytest.raises(AttributeError):
        state.number = 3  # type: ignore[misc]
    for prefix in [*PREFIXES, b"\xff"]:
        assert (
            pickle.loads(pickle.dumps(State(prefix)))
            == State(prefix)
            == eval(repr(State(prefix)), {"bpetok": bpetok})
        )


def test_nothing_follows_what_is_invalid(tok: bpetok.Tokenizer) -> None:
    broken = State(b"a\xff")
    assert not broken.valid
    assert not broken.complete
    assert broken.advance(b"abc") == broken
    assert not tok.utf8_mask(broken).any()


def test_random_tokens_always_make_valid_text(tok: bpetok.Tokenizer) -> None:
    rng = np.random.default_rng(0)
    special = tok.special_tokens["<|endoftext|>"]
    for _ in range(100):
        state, text = State(), b""
        for _ in range(60):
            token = int(rng.choice(np.flatnonzero(tok.utf8_mask(state))))
            if token == special:
                break
            piece = tok.token_bytes(token)
            state, text = state.advance(piece), text + piece
            assert can_become_valid(text)
            assert state.complete == (text.decode("utf-8", "ignore").encode() == text)
        if state.complete:
            text.decode("utf-8")


def test_no_text_is_forbidden(tok: bpetok.Tokenizer) -> None:
    for text in ("naïve", "漢字", "👩‍👩‍👧", "\x00\U0010ffff\ud7ff\ue000", "Ω≈ç√∫˜µ"):
        state = State()
        for token in tok.encode(text):
            assert tok.utf8_mask(state)[token], (text, token)
            state = state.advance(tok.token_bytes(token))
        assert state.complete


def test_gaps_are_never_allowed() -> None:
    plain = bpetok.train(["ab"], vocab_size=256, special_tokens=[])
    tok = plain.with_special_tokens({"<|end|>": 300})
    mask = tok.utf8_mask(State())
    assert mask[300]
    assert not mask[256:300].any()
    assert len(mask) == 301


def test_a_table_of_many_tokens_is_made_in_milliseconds_and_read_in_microseconds(
    tok: bpetok.Tokenizer,
) -> None:
    start = time.process_time()
    tok.with_special_tokens({"<|end|>": 199_999}).utf8_mask(State())
    assert time.process_time() - start < 0.5  # 200,000 ids take 8 ms
    tok.utf8_mask(State())
    start = time.process_time()
    for _ in range(1000):
        tok.utf8_mask(State())
    assert time.process_time() - start < 0.1


def test_the_table_of_two_hundred_thousand_real_tokens(
    published: dict[str, bpetok.Tokenizer],
) -> None:
    times = []
    for i in range(3):
        tok = published["o200k_base"].with_special_tokens({f"<|{i}|>": 200_018 + i + 1})
        start = time.process_time()
        mask = tok.utf8_mask(State())
        times.append(time.process_time() - start)
        assert all(mask[token] for token in tok.special_tokens.values())
        assert not any(
            tok.utf8_mask(State(b"\xe3"))[token] for token in tok.special_tokens.values()
        )
        assert not mask[199_998]  # a gap
    assert min(times) < 0.05


def test_masks_cannot_be_made_writable(tok: bpetok.Tokenizer) -> None:
    mask = tok.utf8_mask(State())
    wanted = mask.copy()
    owner: np.ndarray | None = mask
    while isinstance(owner, np.ndarray):
        with pytest.raises(ValueError, match="WRITEABLE"):
            owner.flags.writeable = True
        owner = owner.base
    assert (tok.utf8_mask(State()) == wanted).all()
