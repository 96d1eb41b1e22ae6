"""`Counts`: what training learns from text, made in pieces and added up."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bpetok
from bpetok import Counts
from support import python

documents_of_bytes = st.lists(
    st.binary(max_size=20) | st.text("ab 1\n", max_size=20).map(str.encode)
)


@settings(max_examples=100, deadline=None)
@given(documents_of_bytes)
def test_counts_are_those_of_the_pretokens(tok: bpetok.Tokenizer, documents: list[bytes]) -> None:
    expected = Counter(piece for document in documents for piece in tok.pretokenize(document))
    counts = Counts("gpt2")
    counts.update(documents)
    assert dict(counts.items()) == expected
    assert len(counts) == len(expected)
    assert counts.total == expected.total()
    assert counts.bytes == sum(map(len, documents))


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_threads_files_and_order_do_not_matter(tmp_path: Path, threads: int) -> None:
    texts = [f"document {number} says naïve {number % 7} 世界\n" * 50 for number in range(40)]
    paths = [tmp_path / f"{number}.txt" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
    expected = Counts("cl100k")
    expected.update(texts, threads=1)
    for source in (texts, texts[::-1], paths):
        counts = Counts("cl100k")
        counts.update(source, threads=threads)
        assert sorted(counts.items()) == sorted(expected.items())


def test_merging_equals_counting_together(documents: list[str]) -> None:
    whole, left, right = Counts("gpt2"), Counts("gpt2"), Counts("gpt2")
    whole.update(documents)
    left.update(documents[:2])
    right.update(documents[2:])
    left.merge(right)
    assert sorted(left.items()) == sorted(whole.items())
    assert (left.total, left.bytes) == (whole.total, whole.bytes)
    assert bpetok.train(left, 300) == bpetok.train(whole, 300)


def test_counts_add_up_past_32_bits() -> None:
    one, other = Counts("gpt2"), Counts("gpt2")
    one.update(["ab"])
    other.update(["ab"])
    expected = [1, 1]
    for _ in range(30):  # two steps of Fibonacci's rabbits
        one.merge(other)
        other.merge(one)
        expected = [sum(expected), sum(expected) + expected[1]]
    assert dict(one.items()) == {b"ab": expected[0]}
    assert other.total == expected[1] > 2**40


def test_counts_made_differently_do_not_add_up() -> None:
    for other in (Counts("o200k"), Counts("gpt2", ["<S>"])):
        with pytest.raises(bpetok.TrainError):
            Counts("gpt2").merge(other)


def test_settings_are_kept_and_checked() -> None:
    counts = Counts("gpt2", ["<S>", "<T>"])
    assert counts.pattern == bpetok.PRESETS["gpt2"]
    assert list(counts.special_tokens) == ["<S>", "<T>"]
    with pytest.raises(bpetok.PatternError):
        Counts("(")
    with pytest.raises(bpetok.SpecialTokenError):
        Counts(special_tokens=["<S>", "<S>"])


def test_counts_can_be_used_after_a_source_that_failed(tmp_path: Path) -> None:
    counts = Counts("gpt2")
    counts.update(["ab"])
    with pytest.raises(FileNotFoundError, match="missing"):
        counts.update([tmp_path / "missing.txt"])
    with pytest.raises(bpetok.TextError):
        counts.update(["ef", "\ud800"])
    counts.update(["ab"])
    assert dict(counts.items()) == {b"ab": 2}


def test_a_callback_may_look_at_the_counts_or_is_told_that_it_may_not() -> None:
    script = """
import bpetok, threading
counts = bpetok.Counts("gpt2")
def look(*_):
    try:
        len(counts), counts.bytes
    except bpetok.Error:
        pass
counts.update(["some text"] * 1000, progress=look)
stop = threading.Event()
def watch():
    while not stop.is_set():
        look()
watcher = threading.Thread(target=watch)
watcher.start()
counts.update((f"text {n} " * 100 for n in range(20_000)), threads=2, progress=lambda *_: None)
stop.set()
watcher.join()
print("done")
"""
    assert python(script).stdout == "done\n"


@pytest.mark.parametrize("threads", [1, 2])
def test_a_callback_that_raises_leaves_the_counts(tmp_path: Path, threads: int) -> None:
    text = "the cat in the hat " * 150_000
    (tmp_path / "text").write_text(text)

    def at_the_end(_: str, done: int, __: int) -> None:
        if done == len(text):
            raise RuntimeError("enough")

    for source in (tmp_path / "text", [text]):
        counts = bpetok.Counts("gpt2")
        counts.update(["ab"])
        with pytest.raises(RuntimeError, match="enough"):
            counts.update(source, threads=threads, progress=at_the_end)
        assert (dict(counts.items()), counts.bytes) == ({b"ab": 1}, 2)


def same(left: Counts, right: Counts) -> bool:
    settings = [(c.pattern, c.special_tokens, c.digits) for c in (left, right)]
    return settings[0] == settings[1] and left.items() == right.items()


def test_counts_pickle(documents: list[str]) -> None:
    counts = Counts("gpt2", ["<S>"], "right-1-3")
    assert same(pickle.loads(pickle.dumps(counts)), counts)
    counts.update([*documents, b"\xff 1234567"])
    once = pickle.loads(pickle.dumps(counts))
    assert same(once, counts)
    assert bpetok.train(once, 300) == bpetok.train(counts, 300)
    once.update(documents)
    assert same(copy.deepcopy(once), once)


def test_workers_count_and_one_process_merges(tmp_path: Path) -> None:
    script = tmp_path / "count.py"
    script.write_text(
        """
import multiprocessing
from bpetok import Counts

def count(text):
    counts = Counts("gpt2", ["<S>"])
    counts.update([text])
    return counts

if __name__ == "__main__":
    texts = [f"the cat {number} <S> naïve" for number in range(8)]
    total, expected = Counts("gpt2", ["<S>"]), Counts("gpt2", ["<S>"])
    expected.update(texts)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for part in pool.map(count, texts):
            total.merge(part)
    print(total.items() == expected.items())
""",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
