"""What `train` is told twice, or cannot mean: settings beside those of counts or a tokenizer, special tokens, sizes."""

from __future__ import annotations

import pytest

import bpetok
from bpetok import Counts


@pytest.mark.filterwarnings("ignore:the text has too few pairs")
def test_settings_that_contradict_counts_are_refused_even_where_they_are_the_defaults() -> None:
    counts = Counts("o200k", digits="1")
    with pytest.raises(bpetok.TrainError, match="pattern 'cl100k' is not the one"):
        bpetok.train(counts, 300, pattern="cl100k")
    with pytest.raises(bpetok.TrainError, match="digits='none' is not the rule"):
        bpetok.train(counts, 300, digits="none")
    for specials in (["<|endoftext|>"], ("<|endoftext|>",)):
        with pytest.raises(bpetok.TrainError, match="are not those these counts"):
            bpetok.train(counts, 300, special_tokens=list(specials))
    assert bpetok.train(counts, 300).special_tokens == {}
    assert (
        bpetok.train(counts, 300, pattern="o200k", digits="1", special_tokens=[]).vocab_size == 256
    )


@pytest.mark.filterwarnings("ignore:the text has too few pairs")
def test_settings_that_contradict_init_are_refused_even_where_they_are_the_defaults() -> None:
    init = bpetok.train(["a b"], 258, pattern="gpt2", digits="1", special_tokens=["<a>"])
    with pytest.raises(bpetok.TrainError, match="pattern 'cl100k' is not that of init"):
        bpetok.train(["a b"], 300, pattern="cl100k", init=init)
    with pytest.raises(bpetok.TrainError, match="digits='none' is not the rule of init"):
        bpetok.train(["a b"], 300, digits="none", init=init)
    assert set(bpetok.train(["a b"], 300, init=init).special_tokens) == {"<a>"}
    more = bpetok.train(["a b"], 300, init=init, special_tokens=["<|endoftext|>"])
    assert set(more.special_tokens) == {"<a>", "<|endoftext|>"}


def test_special_tokens_of_training_have_no_ids_yet() -> None:
    with pytest.raises(TypeError, match="training chooses the ids"):
        bpetok.train(["a b"], 258, special_tokens={"<a>": 5})
    with pytest.raises(TypeError, match="special_tokens must be a collection of str, not NoneType"):
        bpetok.train(["a b"], 258, special_tokens=None)  # type: ignore[arg-type]
    with pytest.raises(bpetok.SpecialTokenError, match='"<a>" is given twice'):
        bpetok.train(["a b"], 300, special_tokens=["<a>", "<a>"])


def test_the_largest_vocabulary_is_named() -> None:
    with pytest.raises(
        bpetok.TrainError, match=r"vocab_size is 1000000000000.*give 67108863 or less"
    ):
        bpetok.train(["a b"], 10**30)


@pytest.mark.filterwarnings("ignore:the text has too few pairs")
def test_whole_numbers_of_any_kind_are_sizes() -> None:
    class Size:
        def __init__(self, size: int) -> None:
            self.size = size

        def __index__(self) -> int:
            return self.size

    assert bpetok.train(["ab ab"], Size(258)).vocab_size == 258  # type: ignore[arg-type]
    with pytest.raises(bpetok.TrainError, match="vocab_size is 5, but 256 bytes"):
        bpetok.train(["ab ab"], Size(5))  # type: ignore[arg-type]


def test_bare_buffers_are_wrapped_in_a_list() -> None:
    for bare in (bytearray(b"abc"), memoryview(b"abc")):
        with pytest.raises(TypeError, match="source is a bare"):
            bpetok.train(bare, 300)  # type: ignore[arg-type]


def test_a_vocabulary_that_stays_small_names_the_limits_that_kept_it_so() -> None:
    for options, under in [
        ({}, ""),
        ({"min_frequency": 2}, " with min_frequency=2"),
        ({"min_frequency": 9, "max_token_bytes": 2}, " with min_frequency=9 and max_token_bytes=2"),
    ]:
        with pytest.warns(UserWarning, match=f"too few pairs for vocab_size=300{under}: the vocab"):
            bpetok.train(["a b a b"], 300, **options)  # type: ignore[arg-type]
