"""`train`, and what a tokenizer says about itself."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

import bpetok
from bpetok import Counts, PatternError, SpecialTokenError, TokenIdError, TrainError

# --- train: sources ---------------------------------------------------------------------------


def test_text_bytes_generator_path_and_counts_give_the_same(
    documents: list[str], tok: bpetok.Tokenizer, tmp_path: Path
) -> None:
    paths = []
    for number, document in enumerate(documents):
        paths.append(tmp_path / f"{number}.txt")
        paths[-1].write_bytes(document.encode())
    joined = tmp_path / "joined.txt"
    joined.write_bytes("<|endoftext|>".join(documents).encode())
    counts = Counts("gpt2", ["<|endoftext|>"])
    counts.update(documents)
    sources = [
        documents,
        [text.encode() for text in documents],
        iter(documents),
        paths,
        joined,
        counts,
    ]
    for source in sources:
        assert bpetok.train(source, 340, pattern="gpt2") == tok


@pytest.mark.parametrize("source", ["text", b"text"])
def test_a_bare_text_is_refused(source: str | bytes) -> None:
    with pytest.raises(TypeError, match="list"):
        bpetok.train(source, 300)


def test_paths_and_texts_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("abc")
    for source in ([path, "abc"], ["abc", path]):
        with pytest.raises(TypeError, match="paths"):
            bpetok.train(source, 300)


def test_paths_come_in_any_collection(tmp_path: Path) -> None:
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for path in paths:
        path.write_text(f"some text of {path.name}")
    expected = bpetok.train(paths, 260)
    for source in (tuple(paths), dict.fromkeys(paths), (path for path in paths), iter(paths)):
        assert bpetok.train(source, 260) == expected
    with pytest.raises(TypeError, match="mixes paths and str"):
        bpetok.train((path if path is paths[0] else "text" for path in paths), 260)
    with pytest.raises(TypeError, match="document 1 is a path"):
        bpetok.train(("text", *paths), 260)


@pytest.mark.parametrize("source", [[1, 2], [None], 7, None])
def test_other_things_are_type_errors(source: object) -> None:
    with pytest.raises(TypeError):
        bpetok.train(source, 300)  # type: ignore[arg-type]


def test_a_missing_file_is_an_os_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt"):
        bpetok.train(tmp_path / "nowhere.txt", 300)


def test_special_text_is_a_boundary_and_never_counted() -> None:
    counts = Counts("(?s).+", ["<S>"])
    counts.update(["ab<S>ab<S>", b"<S>cd"])
    assert dict(counts.items()) == {b"ab": 2, b"cd": 1}


def test_a_lone_surrogate_names_its_index() -> None:
    with pytest.raises(bpetok.TextError, match="3"):
        bpetok.train(["abc\ud800"], 300)


# --- train: settings --------------------------------------------------------------------------


def test_vocab_size_counts_bytes_and_specials() -> None:
    tok = bpetok.train(["aaaa bbbb"] * 5, 260, special_tokens=["<a>", "<b>"])
    assert tok.vocab_size == 260
    assert len(tok.merges) == 2
    assert tok.special_tokens == {"<a>": 258, "<b>": 259}


@pytest.mark.parametrize(
    ("size", "specials"), [(255, []), (256, ["<a>"]), (0, []), (257, ["a", "b"])]
)
def test_too_small_a_vocab_size(size: int, specials: list[str]) -> None:
    with pytest.raises(TrainError, match=rf"{size}.*{256 + len(specials)}"):
        bpetok.train(["abc"], size, special_tokens=specials)
    with pytest.raises(TrainError, match=str(size)):
        bpetok.train(Counts(special_tokens=specials), size)


def test_256_ids_are_the_bytes() -> None:
    tok = bpetok.train(["abc"], 256, special_tokens=())
    assert tok.merges == []
    assert tok.encode("!~") == [0, 93]


def test_too_few_pairs_warn_with_both_sizes() -> None:
    with pytest.warns(UserWarning, match="1000.*258"):
        tok = bpetok.train(["abc"], 1000, special_tokens=())
    assert tok.vocab_size == 258


def test_nothing_to_train_on_gives_the_bytes() -> None:
    with pytest.warns(UserWarning, match="300.*257"):
        assert bpetok.train([], 300).vocab_size == 257


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_below_one_are_an_error(threads: int) -> None:
    with pytest.raises(bpetok.Error, match=str(threads)):
        bpetok.train(["abc"], 300, threads=threads)


@pytest.mark.parametrize("pattern", ["(", "[a-", r"\p{NoSuchClass}", ""])
def test_an_invalid_regex_is_a_pattern_error(pattern: str) -> None:
    with pytest.raises(PatternError):
        bpetok.train(["abc"], 300, pattern=pattern)


@pytest.mark.parametrize("specials", [["<a>", "<a>"], [""]])
def test_specials_that_clash(specials: list[str]) -> None:
    with pytest.raises(SpecialTokenError):
        bpetok.train(["abc"], 300, special_tokens=specials)


def test_specials_as_a_bare_str_are_refused() -> None:
    with pytest.raises(TypeError, match=r"\['<a>'\]"):
        bpetok.train(["abc"], 300, special_tokens="<a>")


def test_min_frequency_and_max_token_bytes() -> None:
    text = ["abcdefgh " * 9 + "xy"]
    with pytest.warns(UserWarning, match="too few pairs"):
        tok = bpetok.train(text, 400, special_tokens=(), min_frequency=2, max_token_bytes=4)
    assert (b"x", b"y") not in tok.merges
    assert max(tok.token_byte_lengths) == 4


def test_an_impossible_limit() -> None:
    with pytest.raises(TrainError, match="max_token_bytes is 0"):
        bpetok.train(["abc"], 300, max_token_bytes=0)


def test_counts_bring_their_own_pattern_and_specials() -> None:
    counts = Counts("gpt2", ["<S>"])
    counts.update(["abc abc<S>"])
    tok = bpetok.train(counts, 259)
    assert (tok.pattern, tok.special_tokens) == (bpetok.PRESETS["gpt2"], {"<S>": 258})
    assert bpetok.train(counts, 259, pattern="gpt2", special_tokens=["<S>"]) == tok
    with pytest.raises(TrainError, match="pattern"):
        bpetok.train(counts, 259, pattern="o200k")
    with pytest.raises(TrainError, match="special_tokens"):
        bpetok.train(counts, 259, special_tokens=["<T>"])


# --- what a tokenizer says about itself -----------------------------------------------------------


def test_base_bytes_are_numbered_in_gpt2s_order(tok: bpetok.Tokenizer) -> None:
    assert [tok.token_bytes(token_id) for token_id in (0, 93, 94, 187, 188, 220)] == [
        b"!", b"~", b"\xa1", b"\xff", b"\x00", b" ",
    ]  # fmt: skip


def test_token_bytes_and_token_id_are_inverse(tok: bpetok.Tokenizer) -> None:
    for token_id in range(tok.vocab_size):
        assert tok.token_id(tok.token_bytes(token_id)) == token_id


def test_unknown_ids_and_bytes_are_errors(tok: bpetok.Tokenizer) -> None:
    for unknown in (tok.vocab_size, 2**32 - 1):
        with pytest.raises(TokenIdError, match=str(unknown)):
            tok.token_bytes(unknown)
    for impossible in (-1, 2**32, 2**64):
        with pytest.raises((TokenIdError, OverflowError)):
            tok.token_bytes(impossible)
    with pytest.raises(TokenIdError, match="no such"):
        tok.token_id(b"no such token")


def test_token_byte_lengths(tok: bpetok.Tokenizer) -> None:
    lengths = tok.token_byte_lengths
    assert lengths.shape == (tok.vocab_size,)
    assert lengths.dtype.kind in "iu"
    for token_id in range(tok.vocab_size):
        assert lengths[token_id] == len(tok.token_bytes(token_id))


def test_merges_are_ordered_pairs_of_bytes(tok: bpetok.Tokenizer) -> None:
    assert len(tok.merges) == tok.vocab_size - 256 - 1
    for number, (left, right) in enumerate(tok.merges):
        assert tok.token_bytes(256 + number) == left + right


def test_pattern_is_the_regex_and_digits_the_rule(tok: bpetok.Tokenizer) -> None:
    assert tok.pattern == bpetok.PRESETS["gpt2"]
    assert tok.digits == "none"
    assert tok.unicode_version == bpetok.UNICODE_VERSION


def test_equality_hash_and_fingerprint(documents: list[str], tok: bpetok.Tokenizer) -> None:
    same = bpetok.train(documents, 340, pattern=bpetok.PRESETS["gpt2"])
    other = bpetok.train(documents, 341, pattern="gpt2")
    assert same == tok
    assert hash(same) == hash(tok)
    assert same.fingerprint == tok.fingerprint
    assert other != tok
    assert other.fingerprint != tok.fingerprint
    assert tok != "a tokenizer"
    assert len(bytes.fromhex(tok.fingerprint)) == 32


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_and_copy(tok: bpetok.Tokenizer, protocol: int) -> None:
    assert pickle.loads(pickle.dumps(tok, protocol)) == tok
    assert copy.deepcopy(tok) == tok
    assert copy.copy(tok) == tok


def test_repr_says_what_it_is(tok: bpetok.Tokenizer) -> None:
    assert "Tokenizer" in repr(tok)
    assert "340" in repr(tok)


def test_frozen(tok: bpetok.Tokenizer) -> None:
    with pytest.raises(AttributeError):
        tok.pattern = "gpt2"  # type: ignore[misc]
    tok.special_tokens["<new>"] = 1
    assert "<new>" not in tok.special_tokens


def test_with_special_tokens(tok: bpetok.Tokenizer, special: str) -> None:
    more = tok.with_special_tokens(["<a>", "<b>"])
    assert more.special_tokens == {special: 339, "<a>": 340, "<b>": 341}
    assert tok.special_tokens == {special: 339}
    assert more.encode("x<b>", allowed_special={"<b>"})[-1] == 341
    placed = tok.with_special_tokens({"<far>": 1000})
    assert placed.vocab_size == 1001
    with pytest.raises(TokenIdError, match="500"):
        placed.token_bytes(500)
    with pytest.raises(SpecialTokenError):
        tok.with_special_tokens({"<a>": 5})


def test_pretokenize_shows_the_cuts(tok: bpetok.Tokenizer) -> None:
    assert tok.pretokenize("the cat's 12\n\nhat") == [
        b"the",
        b" cat",
        b"'s",
        b" 12",
        b"\n",
        b"\n",
        b"hat",
    ]
    assert tok.pretokenize(b"a\xff\xfeb") == [b"a", b"\xff\xfe", b"b"]


def test_numpy_arrays_are_what_they_should_be(tok: bpetok.Tokenizer) -> None:
    ids = tok.encode_numpy("the cat")
    assert isinstance(ids, np.ndarray)
    assert ids.dtype == np.uint32
    assert ids.tolist() == tok.encode("the cat")
