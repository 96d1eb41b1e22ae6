"""What must exist before a clock starts: tokenizer.json files, our own files, joined training texts, right answers.

Everything is kept under the git-ignored folder `.bench/`, made once and named by what it was made from.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import corpora
from hf_json import read_ranks, tokenizer_json
from measure import Job, vocabulary
from peers import ORACLE, PEERS, library
from runner import run_job
from trainers import RULE, TRAINERS

ORACLE_SECONDS = 900.0
CURE = "pip install -r benches/requirements.txt"


def cache_folder(root: Path) -> Path:
    """`.bench/` beside the sources, which keeps itself out of git."""
    folder = root / ".bench"
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    return folder


def prepare_job(job: Job) -> None:
    """Makes the files that a job reads, unless they are there."""
    if job.kind == "train":
        _joined_file(job)
    elif job.kind in {"passes", "short", "load", "decode"}:
        files = vocabulary(job)
        reads = PEERS[job.peer].reads
        if reads == "json" and not files.json_file.exists():
            files.json_file.write_text(
                tokenizer_json(read_ranks(files.ranks), files.plain()), encoding="utf-8"
            )
        if reads == "own":
            # Always made anew: its format may have changed since the last run.
            library("bpetok").load(files.ranks, pattern=files.encoding.preset).save(files.own_file)


def _joined_file(job: Job) -> None:
    """The text of a training row as one file with separators."""
    target = Path(job.cache) / "train" / f"{job.corpus}.txt"
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        texts = [file.read_bytes() for file in corpora.corpus_files(Path(job.data), job.corpus)]
        target.write_bytes(corpora.SEPARATOR.encode().join(texts))


class RightAnswers:
    """The digests of the oracle (tiktoken; for training HF tokenizers), computed once a text and then remembered."""

    def __init__(self, cache: Path) -> None:
        self.file = cache / "oracle.json"
        self.known: dict[str, Any] = json.loads(self.file.read_text()) if self.file.exists() else {}

    def answer(self, job: Job) -> dict[str, Any]:
        """The oracle's figures for a job of any library: {} when the oracle itself had no answer in time."""
        name = RULE if job.kind == "train" else ORACLE
        asked = replace(job, peer=name, cores=[], passes=1, threads=2 if job.kind == "train" else 1)
        row = TRAINERS[name] if job.kind == "train" else PEERS[name]
        try:
            key = self._key(asked, row.version())
        except PackageNotFoundError:
            raise SystemExit(
                f"benches: {name} says what is correct and is not installed: {CURE}"
            ) from None
        if key not in self.known:
            prepare_job(asked)
            figures = run_job(asked, ORACLE_SECONDS)
            wanted = ("sha256", "tokens", "merges_sha256", "tokens_sha256", "merged")
            self.known[key] = {name: figures[name] for name in wanted if name in figures}
            self.file.write_text(json.dumps(self.known, indent=1))
        answer: dict[str, Any] = self.known[key]
        return answer

    @staticmethod
    def _key(job: Job, version: str) -> str:
        described = {
            name: value
            for name, value in asdict(job).items()
            if name not in {"data", "cache", "budget"}
        }
        text = corpora.corpus_digest(Path(job.data), job.corpus)
        ranks = hashlib.sha256(
            (Path(job.data) / corpora.ENCODINGS[job.encoding].ranks).read_bytes()
        ).hexdigest()
        return hashlib.sha256(json.dumps([described, version, text, ranks]).encode()).hexdigest()[
            :24
        ]
