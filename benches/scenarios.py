"""The scenarios as data: which jobs make a cell, how often, against which right answer.

plan(settings, peers, trainers) -> list[Group], in the order they are run and reported
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import corpora
from corpora import Cell
from measure import Job
from peers import ORACLE, OURS, PEERS
from runner import Entry, Group
from trainers import ROWS, TRAINERS

ENCODE = ("first", "steady", "memory")
"""Three views of one measurement: a fresh process that encodes the same texts several times."""

SCENARIOS = (
    *ENCODE,
    "short",
    "load",
    "import",
    "decode",
    "input",
    "threads",
    "adversarial",
    "regex",
    "train",
)
OPTIONAL = ("encode_file",)

ADVERSARIAL_SECONDS = 20.0
LINEAR_PATTERN_FILES = (
    "adversarial/a_1mb.txt",
    "adversarial/spaces_1mb.txt",
    "adversarial/cjk_one_line_1mb.txt",
)


@dataclass(frozen=True)
class Settings:
    """The options of a run, resolved."""

    data: Path
    cache: Path
    only: frozenset[str]
    rounds: int
    threads: int
    quick: bool

    def job(self, kind: str, peer: str, cell: Cell = ("english", "cl100k")) -> Job:
        """A job of this run; callers add what is special with `replace`."""
        fraction = 0.2 if self.quick else 1.0
        return Job(
            kind,
            peer,
            str(self.data),
            str(self.cache),
            encoding=cell[1],
            corpus=cell[0],
            fraction=fraction,
        )


Peers = Sequence[str]


def _group(
    settings: Settings, scenario: str, cell: str, entries: list[Entry], rounds: int = 0
) -> Group:
    """A group whose right answers are the oracle's for the same job, one a part."""
    oracle = {entry.part: entry.job for entry in entries}
    return Group(
        scenario, cell, entries, rounds or settings.rounds, oracle, always=frozenset({OURS, ORACLE})
    )


def plan_encode(settings: Settings, peers: Peers) -> list[Group]:
    """First pass, steady passes and memory, over every cell."""
    passes = 3 if "steady" in settings.only else 1
    cells = corpora.HEADLINE if settings.quick else corpora.HEADLINE + corpora.UNTUNED
    groups = []
    for cell in cells:
        able = [peer for peer in peers if PEERS[peer].variant != "load"]
        entries = [
            Entry(peer, replace(settings.job("passes", peer, cell), passes=passes)) for peer in able
        ]
        groups.append(_group(settings, "encode", " ".join(cell), entries))
    return groups


def plan_small(settings: Settings, peers: Peers, kind: str) -> list[Group]:
    """Short calls and loading: once for each vocabulary."""
    groups = []
    for encoding in corpora.ENCODINGS:
        able = peers if kind == "load" else _without_variants(peers)
        entries = [Entry(peer, settings.job(kind, peer, ("english", encoding))) for peer in able]
        groups.append(_group(settings, kind, encoding, entries))
    return groups


def plan_import(settings: Settings, peers: Peers) -> list[Group]:
    """The import statement of every library."""
    entries = [
        Entry(peer, replace(settings.job("import", peer), corpus=PEERS[peer].module))
        for peer in _without_variants(peers)
    ]
    return [replace(_group(settings, "import", "import", entries), oracle={})]


def plan_decode(settings: Settings, peers: Peers) -> list[Group]:
    """Batches of ids back to text."""
    able = [peer for peer in _without_variants(peers) if PEERS[peer].decode_many is not None]
    groups = []
    for cell in (("english", "cl100k"), ("multilingual", "cl100k")):
        entries = [
            Entry(peer, replace(settings.job("decode", peer, cell), passes=3)) for peer in able
        ]
        groups.append(replace(_group(settings, "decode", " ".join(cell), entries), oracle={}))
    return groups


def plan_input(settings: Settings, peers: Peers) -> list[Group]:
    """First passes over the same documents: as str that nobody has encoded, as str of which CPython keeps the UTF-8, as bytes."""
    groups = []
    for cell in (("english", "cl100k"), ("multilingual", "cl100k")):
        entries = []
        for part, shape in (("new str", "new str"), ("str", "documents"), ("bytes", "encoded")):
            for peer in _without_variants(peers):
                if shape != "encoded" or PEERS[peer].takes_bytes:
                    job = replace(settings.job("passes", peer, cell), shape=shape)
                    entries.append(Entry(peer, job, part))
        group = _group(settings, "input", " ".join(cell), entries, max(settings.rounds - 2, 1))
        known = replace(entries[0].job, shape="documents")
        groups.append(replace(group, oracle={entry.part: known for entry in entries}))
    return groups


def thread_counts(most: int) -> list[int]:
    """1, 2, 4 … and the most itself."""
    powers = [2**step for step in range(most.bit_length())]
    return [power for power in powers if power < most] + [most]


def plan_threads(settings: Settings, peers: Peers) -> list[Group]:
    """First passes with more and more threads: many documents, and one document that has to be cut."""
    able = [peer for peer in _without_variants(peers) if PEERS[peer].parallel]
    groups = []
    for corpus, shape in (
        ("english", "documents"),
        ("multilingual", "documents"),
        ("english", "one"),
    ):
        entries = []
        for threads in thread_counts(settings.threads):
            for peer in able:
                job = replace(
                    settings.job("passes", peer, (corpus, "cl100k")), threads=threads, shape=shape
                )
                entries.append(Entry(peer, job, str(threads)))
        cell = f"{corpus} cl100k" if shape == "documents" else f"{corpus} cl100k as one document"
        group = _group(settings, "threads", cell, entries, max(settings.rounds - 2, 1))
        whole = replace(entries[0].job, threads=1)
        groups.append(replace(group, oracle={entry.part: whole for entry in entries}))
    return groups


def plan_adversarial(settings: Settings, peers: Peers) -> list[Group]:
    """Each hostile file, half and whole: its speed, and whether twice the input takes twice the time."""
    groups = []
    for corpus in corpora.adversarial_corpora(settings.data):
        binary = corpus.endswith(".bin")
        able = [peer for peer in _without_variants(peers) if PEERS[peer].takes_bytes or not binary]
        entries = []
        for part, fraction in (("half", 0.5), ("whole", 1.0)):
            for peer in able:
                job = replace(settings.job("passes", peer, (corpus, "cl100k")), fraction=fraction)
                entries.append(Entry(peer, replace(job, shape="bytes" if binary else "one"), part))
        name = corpus.removeprefix("adversarial/")
        group = _group(settings, "adversarial", name, entries)
        oracle = {} if binary else group.oracle
        groups.append(
            replace(group, oracle=oracle, timeout=ADVERSARIAL_SECONDS, always=frozenset({OURS}))
        )
    return groups


def plan_regex(settings: Settings, peers: Peers) -> list[Group]:
    """Patterns without a preset, on text and on hostile files."""
    groups = []
    for name, pattern in corpora.CUSTOM_PATTERNS.items():
        for corpus in ("english", "multilingual"):
            entries = []
            for peer in _without_variants(peers):
                job = replace(
                    settings.job("passes", peer, (corpus, "cl100k")), pattern=pattern, fraction=0.2
                )
                entries.append(Entry(peer, job))
            groups.append(
                _group(
                    settings, "regex", f"{name} · {corpus}", entries, max(settings.rounds - 2, 1)
                )
            )
    able = [peer for peer in peers if peer in (OURS, ORACLE)]
    for name, pattern in corpora.CUSTOM_PATTERNS.items():
        for corpus in LINEAR_PATTERN_FILES:
            entries = []
            for part, fraction in (("half", 0.5), ("whole", 1.0)):
                for peer in able:
                    job = replace(settings.job("passes", peer, (corpus, "cl100k")), pattern=pattern)
                    entries.append(Entry(peer, replace(job, fraction=fraction, shape="one"), part))
            group = _group(
                settings,
                "regex",
                f"{name} · {Path(corpus).name}",
                entries,
                max(settings.rounds - 2, 1),
            )
            groups.append(replace(group, timeout=ADVERSARIAL_SECONDS))
    return groups


def plan_train(settings: Settings, trainers: Peers) -> list[Group]:
    """The training rows, at the threads of the run; HF is the rule and runs once."""
    groups = []
    for corpus, vocab_size in ROWS[1:2] if settings.quick else ROWS:
        entries = []
        for trainer in trainers:
            job = replace(settings.job("train", trainer, (corpus, "r50k")), vocab_size=vocab_size)
            entries.append(Entry(trainer, replace(job, threads=settings.threads, fraction=1.0)))
        group = _group(
            settings, "train", f"{corpus} {vocab_size:,}", entries, min(settings.rounds, 3)
        )
        groups.append(replace(group, timeout=900.0, always=frozenset({OURS})))
    return groups


def _without_variants(peers: Peers) -> list[str]:
    return [peer for peer in peers if not PEERS[peer].variant]


PLANS: dict[str, Callable[[Settings, Peers], list[Group]]] = {
    "short": lambda settings, peers: plan_small(settings, peers, "short"),
    "load": lambda settings, peers: plan_small(settings, peers, "load"),
    "import": plan_import,
    "decode": plan_decode,
    "input": plan_input,
    "threads": plan_threads,
    "adversarial": plan_adversarial,
    "regex": plan_regex,
}


def plan(settings: Settings, peers: Peers, trainers: Peers) -> list[Group]:
    """Every group of the chosen scenarios."""
    groups = plan_encode(settings, peers) if settings.only & set(ENCODE) else []
    for name, make in PLANS.items():
        if name in settings.only:
            groups += make(settings, peers)
    if "train" in settings.only:
        groups += plan_train(settings, [name for name in trainers if name in TRAINERS])
    return groups
