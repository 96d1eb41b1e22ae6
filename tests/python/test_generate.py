"""`bpetok generate`: a model writes on, run as a user runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bpetok
from bpetok.cli.generate import FOLDER, PACKAGED

GOLDEN = Path(__file__).parent.parent / "golden/nn"


def run(*arguments: str, code: int = 0, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Runs `python -m bpetok` and checks its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "bpetok", *arguments],
        capture_output=True, check=False, timeout=300, env={**os.environ, "PYTHONUTF8": "1"},
        **options,
    )  # fmt: skip
    assert done.returncode == code, (done.returncode, done.stderr.decode())
    return done


def complaint(*arguments: str) -> str:
    """The one line on stderr."""
    done = run(*arguments, code=2)
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    return line.removeprefix("bpetok: error: ")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One id for each byte, as many as the model below has."""
    path = tmp_path_factory.mktemp("generate") / "bytes.bpetok"
    bpetok.train(["a"], 256, special_tokens=()).save(path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path) -> Path:
    """A tiny untrained model of 256 ids with a tokenizer beside it."""
    from bpetok import nn

    folder = tmp_path_factory.mktemp("generate") / "model"
    raw = {
        "model_type": "llama", "vocab_size": 256, "hidden_size": 32, "intermediate_size": 64,
        "num_hidden_layers": 1, "num_attention_heads": 2, "tie_word_embeddings": True,
        "bos_token_id": 0, "eos_token_id": None,
    }  # fmt: skip
    from bpetok.nn.quant_files import save
    from bpetok.nn.quant_model import quantize_model

    save(quantize_model(nn.random_model(nn.config_from_json(raw), 1), "q8_0"), folder, raw)
    shutil.copyfile(tokenizer, folder / "tokenizer.bpetok")
    return folder


def test_help_shows_examples() -> None:
    text = run("generate", "--help").stdout.decode()
    assert "bpetok generate llama" in text
    assert "--top-p" in text


def test_writes_on_and_repeats_with_a_seed(model: Path) -> None:
    ask = ("generate", str(model), "hello", "-n", "20", "--seed", "3")
    first = run(*ask).stdout
    assert first.startswith(b"hello")
    assert first.decode()  # valid UTF-8 although the model is untrained
    assert run(*ask).stdout == first
    assert run(*ask, "--temperature", "0").stdout != first


def test_prompt_from_stdin_and_no_new_tokens(model: Path) -> None:
    assert (
        run("generate", str(model), "-", "-n", "0", input=b"hi there").stdout.strip() == b"hi there"
    )


def test_another_tokenizer(model: Path, tokenizer: Path) -> None:
    ask = ("generate", str(model), "hello", "-n", "5", "--seed", "3")
    assert run(*ask, "--tokenizer", str(tokenizer)).stdout == run(*ask).stdout


def test_errors_say_what_is_missing(model: Path, tokenizer: Path, tmp_path: Path) -> None:
    assert "no folder with a model" in complaint("generate", "no-such-folder", "hello")
    assert "has no config.json" in complaint("generate", str(tmp_path), "hello")
    shutil.copyfile(model / "config.json", tmp_path / "config.json")
    assert "has no tokenizer.bpetok" in complaint("generate", str(tmp_path), "hello")
    large = tmp_path / "large.bpetok"
    bpetok.train(["the cat sat on the mat"] * 9, 262).save(large)
    said = complaint("generate", str(model), "hello", "--tokenizer", str(large))
    assert "262 ids" in said
    assert "256" in said
    assert "temperature" in complaint("generate", str(model), "hello", "--temperature", "-1")
    assert "--seed -1" in complaint("generate", str(model), "hello", "--seed", "-1")


def test_the_pattern_is_that_of_the_folder(model: Path) -> None:
    said = complaint("generate", str(model), "hello", "--pattern", "gpt2")
    assert said.startswith(str(model / "tokenizer.bpetok"))
    assert said.endswith("not 'gpt2': leave --pattern out")
    run("generate", str(model), "hello", "-n", "1", "--pattern", "cl100k")


def test_ids_that_only_the_model_has_are_not_written(tokenizer: Path) -> None:
    ask = ("generate", "llama", "hi", "-n", "60", "--temperature", "5", "--seed", "3")
    for more in ((), ("--no-utf8",)):
        said = run(*ask, *more, "--tokenizer", str(tokenizer)).stdout.decode()
        assert said.startswith("hi")
        assert len(said) > 20


def test_encoders_do_not_write(tokenizer: Path) -> None:
    folder = GOLDEN / "bert_tiny"
    said = complaint("generate", str(folder), "hello", "--tokenizer", str(tokenizer))
    assert "bert does not write on" in said


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_pair(name: str) -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 6e6
    ask = ("generate", name, "My dear Sir,", "-n", "40", "--seed", "1")
    text = run(*ask).stdout.decode()
    assert text.startswith("My dear Sir,")
    # It has learnt words: nearly all of what it writes are letters and spaces.
    assert sum(c.isalpha() or c.isspace() for c in text) > 0.8 * len(text)
    before, _, _ = text[len("My dear Sir,") :].strip().partition(" ")
    assert len(run(*ask, "--stop", before).stdout) < len(text)


def test_demo_generate_writes_from_both() -> None:
    text = run("demo", "--generate").stdout.decode()
    assert all(f"== {name}: " in text for name in PACKAGED)
    assert len(text) > 400


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--json"], "--json"),
        (["-o", "demo.bpetok"], "-o"),
        (["--threads", "2", "--source", "."], "--source, --threads"),
    ],
)
def test_demo_generate_takes_no_option_of_training(options: list[str], named: str) -> None:
    said = complaint("demo", "--generate", *options)
    assert said == f"--generate only writes text: leave {named} out"
