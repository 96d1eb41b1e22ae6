"""The progress bar, and the callbacks that long work makes."""

from __future__ import annotations

import errno
import io
import os
import sys

import pytest

import bpetok
from bpetok.progress import ProgressBar, progress_line


def test_a_line_says_what_how_far_how_fast_and_how_long() -> None:
    line = progress_line("count", 2_500_000, 10_000_000, 0.5)
    assert line == "counting  ######------------------  2.5/10.0 MB  5.0 MB/s  2 s left"


def test_unknown_totals_and_no_time_yet() -> None:
    assert progress_line("count", 0, 0, 0.0) == "counting  0.0 MB"
    assert progress_line("merge", 0, 10, 0.0).endswith("0/10 merges")
    assert progress_line("something new", 3, 0, 0.0) == "something new  3"


def test_the_bar_wipes_itself_off() -> None:
    stream = io.StringIO()
    with ProgressBar(stream) as bar:
        bar("merge", 10, 10)
        bar("count", 1, 1)
    last = stream.getvalue().split("\r")[-2]
    assert last.strip() == ""
    assert len(last) >= len("merging")


def test_a_narrow_terminal_gets_what_it_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def fileno(self) -> int:
            return 2

    for columns in (20, 1, 0):  # 0 is said where nobody knows
        size = os.terminal_size((columns, 24))
        monkeypatch.setattr(os, "get_terminal_size", lambda _, size=size: size)
        with ProgressBar(stream := Terminal()) as bar:
            bar("merge", 5000, 10000)
            bar("merge", 10000, 10000)
        widths = [len(line) for line in stream.getvalue().split("\r")]
        assert max(widths) == columns - 1 if columns else max(widths) > 40


def test_a_stream_needs_no_more_than_to_be_written_to(capsys: pytest.CaptureFixture[str]) -> None:
    class Wrapper:
        """What some libraries put in stderr's place."""

        write, flush = sys.stdout.write, sys.stdout.flush

    with ProgressBar(Wrapper()) as bar:  # type: ignore[arg-type]
        bar("merge", 10, 10)
    assert "10/10 merges" in capsys.readouterr().out


def test_redraws_at_most_every_tenth_of_a_second() -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream)
    for done in range(1000):
        bar("merge", done, 100_000)
    assert stream.getvalue().count("\r") < 10


def test_an_unknown_total_is_never_reached() -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream)
    for _ in range(1000):
        bar("count", 0, 0)
    assert stream.getvalue().count("\r") < 10


def test_no_bar_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    bpetok.train(["some text"] * 10, 258, special_tokens=(), progress=True)
    assert capsys.readouterr() == ("", "")


def test_no_bar_without_a_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert bpetok.train(["ab ab"], 257, special_tokens=(), progress=True).merges == [(b"a", b"b")]


def test_callbacks_tell_phase_done_and_total(documents: list[str]) -> None:
    calls: list[tuple[str, int, int]] = []
    bpetok.train(documents, 300, progress=lambda *call: calls.append(call))
    phases = [phase for phase, _, _ in calls]
    assert set(phases) == {"count", "merge"}
    assert phases == sorted(phases)
    merges = [(done, total) for phase, done, total in calls if phase == "merge"]
    assert merges[-1] == (43, 43)
    assert merges == sorted(merges)


def test_an_exception_in_the_callback_stops_the_work(documents: list[str]) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        raise LookupError(phase)

    with pytest.raises(LookupError, match="count"):
        bpetok.train(documents * 1000, 300, progress=stop)


def test_a_terminal_that_has_gone_does_not_end_the_work() -> None:
    class Gone(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.EIO, "Input/output error")

    with ProgressBar(Gone()) as bar:
        bar("merge", 10, 10)
