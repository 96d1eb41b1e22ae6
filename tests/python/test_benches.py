"""The pure parts of `benches/`: what decides who is exact, who sets the bar, and what the reports say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

BENCHES = Path(__file__).resolve().parents[2] / "benches"
sys.path.insert(0, str(BENCHES))

import chart  # noqa: E402
import corpora  # noqa: E402
import hf_json  # noqa: E402
import measure  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402
import runner  # noqa: E402
import scenarios  # noqa: E402
import summary  # noqa: E402

CELL = "english cl100k"


def passes(seconds: list[float], sha256: str = "right") -> dict[str, Any]:
    figures = {
        "seconds": seconds,
        "cpu": seconds,
        "bytes": 10_000_000,
        "sha256": sha256,
        "tokens": 5,
    }
    return {
        "ok": True,
        **figures,
        "peak_bytes": 3 << 20,
        "encode_bytes": 1 << 20,
        "tokenizer_bytes": 2 << 20,
    }


def first_rows(rounds: dict[str, list[dict[str, Any]]]) -> list[summary.Row]:
    metric = summary.METRICS["encode"][0]
    rows = [
        summary.make_row(CELL, name, "", metric, given, {"sha256": "right"})
        for name, given in rounds.items()
    ]
    summary.add_ratios(rows, inexact=["tokie"])
    return rows


def sample_rows() -> list[summary.Row]:
    failure = {"ok": False, "refused": True, "error": "custom patterns are refused"}
    return first_rows(
        {
            "bpetok": [passes([0.02]), passes([0.01]), passes([0.02])],
            "quick": [passes([0.04]), passes([0.05])],
            "slow": [passes([0.4])],
            "wrong": [passes([0.001], "wrong")],
            "tokie": [passes([0.001])],
            "shy": [failure],
        }
    )


def test_medians_and_the_bar() -> None:
    rows = {row["peer"]: row for row in sample_rows()}
    assert rows["bpetok"]["median"] == pytest.approx(500)
    assert (rows["bpetok"]["min"], rows["bpetok"]["max"]) == pytest.approx((500, 1000))
    assert [name for name, row in rows.items() if row.get("bar")] == ["quick"]
    assert rows["bpetok"]["vs_fastest_peer"] == pytest.approx(500 / 225)
    assert rows["wrong"]["correct"] == "no"
    assert "median" not in rows["shy"]


def test_headline_needs_every_cell_and_right_ids() -> None:
    found = summary.headline(sample_rows(), [CELL, "code cl100k"])
    assert found["geometric_mean"] == found["lowest"] == pytest.approx(500 / 225)
    assert found["cells_missing"] == ["code cl100k"]
    wrong = first_rows({"bpetok": [passes([0.1], "wrong")], "quick": [passes([0.2])]})
    assert summary.headline(wrong, [CELL])["geometric_mean"] is None


def test_less_is_better_turns_the_ratio() -> None:
    fast, slow = ({"median": value, "higher_is_better": False} for value in (2.0, 6.0))
    assert summary.better(fast, slow) == pytest.approx(3)


@pytest.mark.parametrize(
    ("figures", "right", "verdict"),
    [
        ({"sha256": "a"}, {"sha256": "a"}, "yes"),
        ({"sha256": "a"}, {"sha256": "b"}, "no"),
        ({"sha256": "a"}, {}, "unknown"),
        ({"right": False}, None, "no"),
        ({"sha256": "a", "round_trip": True}, None, "yes"),
        ({"seconds": 1.0}, None, ""),
        (
            {"tokens_sha256": "t", "merges_sha256": "m"},
            {"tokens_sha256": "t", "merges_sha256": "m"},
            "yes",
        ),
        ({"tokens_sha256": "t"}, {"tokens_sha256": "t", "merges_sha256": "m"}, "yes, as tokens"),
        ({"tokens_sha256": "u"}, {"tokens_sha256": "t", "merges_sha256": "m"}, "other ties"),
    ],
)
def test_correctness(figures: dict[str, Any], right: dict[str, Any] | None, verdict: str) -> None:
    assert summary.correctness(figures, right) == verdict


def test_growth_is_two_when_linear_and_four_when_quadratic() -> None:
    half = {"median": 10.0, "max": 10.0, "bytes": 1000}
    assert summary.growth(half, {"median": 10.0, "max": 10.0, "bytes": 2000}) == pytest.approx(2)
    assert summary.growth(half, {"median": 5.0, "max": 5.0, "bytes": 2000}) == pytest.approx(4)


def test_hopeless_libraries_run_once() -> None:
    job = measure.Job("passes", "x", "", "")
    entries = [runner.Entry(name, job) for name in ("bpetok", "fast", "slow", "broken")]
    latest: dict[int, dict[str, Any]] = dict(
        enumerate([passes([9.0]), passes([0.1]), passes([5.0]), {"ok": False}])
    )
    assert runner.hopeless(latest, entries, frozenset({"bpetok"})) == {2, 3}


def test_every_split_becomes_a_merge_in_order() -> None:
    words = [b"a", b"b", b"c", b"ab", b"bc", b"abc"]
    ranks = {word: rank for rank, word in enumerate(words)}
    assert hf_json.all_splits(ranks) == [(b"a", b"b"), (b"b", b"c"), (b"a", b"bc"), (b"ab", b"c")]
    written = json.loads(hf_json.tokenizer_json(ranks, r"\s+"))
    assert written["model"]["merges"][-1] == ["ab", "c"]
    assert written["model"]["ignore_merges"] is True
    assert hf_json.byte_characters()[32] == "\u0120"
    assert len(hf_json.character_bytes()) == 256


def test_documents_and_their_first_part(tmp_path: Path) -> None:
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "t.txt").write_text(
        "ab<|endoftext|>cdef<|endoftext|>", encoding="utf-8"
    )
    assert corpora.corpus_documents(tmp_path, "t") == ["ab", "cdef", ""]
    assert corpora.corpus_documents(tmp_path, "t", 0.5) == ["ab", "c"]
    assert corpora.corpus_documents(tmp_path, "t", shape="one") == ["ab\ncdef\n"]
    assert corpora.cut("aé", 0.67) == "a"
    assert corpora.fill_utf8_caches(["é", "a"]) == 3


def test_missing_data_names_the_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BPETOK_TEST_DATA", raising=False)
    with pytest.raises(SystemExit, match="set BPETOK_TEST_DATA"):
        corpora.data_root(None)
    with pytest.raises(SystemExit, match="no folder corpora"):
        corpora.data_root(str(tmp_path))


def test_plans_cover_every_scenario(tmp_path: Path) -> None:
    (tmp_path / "adversarial").mkdir()
    (tmp_path / "adversarial" / "a.txt").write_bytes(b"a" * corpora.ADVERSARIAL_BYTES)
    (tmp_path / "adversarial" / "small.txt").write_bytes(b"a")
    settings = scenarios.Settings(
        tmp_path, tmp_path, frozenset(scenarios.SCENARIOS), 3, 4, quick=False
    )
    groups = scenarios.plan(settings, list(peers.PEERS), ["bpetok", "tokenizers"])
    planned = {group.scenario for group in groups} | set(scenarios.ENCODE)
    assert planned - {"encode"} == set(scenarios.SCENARIOS)
    assert scenarios.thread_counts(4) == [1, 2, 4]
    assert scenarios.thread_counts(6) == [1, 2, 4, 6]
    assert [group.cell for group in groups if group.scenario == "adversarial"] == ["a.txt"]


def test_reports_can_be_read() -> None:
    run = {
        "command": "c",
        "date": "d",
        "seed": 1,
        "processor": "p",
        "caches": {},
        "cores": 1,
        "memory_gib": 1,
    }
    run |= {
        "system": "s",
        "load_average_at_start": 0,
        "python": "3",
        "versions": {},
        "not_measured": {"gone": "why"},
        "notes": {},
    }
    rows = sample_rows()
    text = report.markdown(
        {"run": run, "rows": rows, "summaries": [summary.headline(rows, [CELL])]}
    )
    assert "geometric mean 2.22x" in text
    assert "Not measured: gone: why" in text
    assert "refused" in text
    assert "~~10,000~~" in text
    assert "**225**" in text
    picture = ElementTree.fromstring(chart.svg(rows, [CELL], "p & q"))
    written = [element.text for element in picture.iter() if element.text]
    assert "p & q" in written
    assert "wrong" not in written


def test_figures_are_short() -> None:
    assert [report.number(value) for value in (None, 0.123, 12.34, 1234.5)] == [
        "",
        "0.12",
        "12.3",
        "1,234",
    ]
