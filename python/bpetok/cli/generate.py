"""`bpetok generate`: a model writes on, in the terminal, as it goes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpetok.cli import common
from bpetok.cli.arguments import file_name, pattern, text
from bpetok.errors import Error, SpecialTokenError
from bpetok.pipelines.files import STDIN
from bpetok.tokenizer import load

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from bpetok._bpetok import Tokenizer

# Two small models that come with the package, in 4 bits; docs/nn.md tells how they were made.
PACKAGED = ("llama", "mamba2")
FOLDER = Path(__file__).resolve().parent.parent / "demo_models"
TOKENIZER = "tokenizer.bpetok"
PROMPT = "It is a truth universally acknowledged, that"

EPILOG = """\
A folder needs config.json, safetensors, and tokenizer.bpetok unless --tokenizer names another.
"llama" and "mamba2" are two small models of old English novels that come with bpetok.

examples:
  bpetok generate llama "It was a dark and stormy night"
  bpetok generate mamba2 "My dear Sir," --temperature 0.7 --top-p 0.9 --seed 7
  bpetok generate path/to/gpt2 "The meaning of" --tokenizer r50k_base --temperature 0
"""


def add_parser(verbs: Any) -> None:
    """Adds this command."""
    parser = common.add_verb(verbs, "generate", "let a language model write on", run, EPILOG)
    parser.add_argument(
        "model",
        type=file_name,
        metavar="MODEL",
        help=f"a folder with a model, or one of {', '.join(PACKAGED)}",
    )
    parser.add_argument(
        "prompt", type=text, metavar="PROMPT", help="the text to continue; - reads stdin"
    )
    parser.add_argument(
        "--tokenizer", type=file_name, metavar="TOK",
        help=f"a tokenizer file or published name (default: the folder's {TOKENIZER})",
    )  # fmt: skip
    parser.add_argument(
        "--pattern", type=pattern, help="for a .tiktoken file: the preset or regex of it"
    )
    parser.add_argument(
        "-n", "--max-new-tokens", type=int, default=200, metavar="N",
        help="write at most so many tokens (default: 200)",
    )  # fmt: skip
    parser.add_argument(
        "--temperature", type=float, default=0.8, metavar="T",
        help="how adventurous; 0 always takes the likeliest token (default: 0.8)",
    )  # fmt: skip
    parser.add_argument("--top-k", type=int, metavar="K", help="choose among the K likeliest")
    parser.add_argument(
        "--top-p", type=float, metavar="P", help="choose among the likeliest that make up P of 1"
    )
    parser.add_argument(
        "--min-p", type=float, metavar="P", help="leave out what is under P times the likeliest"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="the same seed, the same text")
    parser.add_argument(
        "--stop", type=text, action="append", default=[], metavar="TEXT",
        help="end before this text; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--no-utf8", dest="utf8", action="store_false",
        help="allow tokens that break UTF-8; what is broken shows as U+FFFD",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Writes the prompt and what the model makes of it."""
    from bpetok import nn  # NumPy and the networks only where they are used

    sampler = nn.sample(arguments.temperature, arguments.top_k, arguments.top_p, arguments.min_p)
    if arguments.max_new_tokens < 0:
        raise Error(f"--max-new-tokens {arguments.max_new_tokens} must be at least 0")
    if "" in arguments.stop:
        raise Error("--stop '' would end before the first token: give some text")
    if arguments.seed is not None and arguments.seed < 0:
        raise Error(f"--seed {arguments.seed} must be at least 0")
    model, tok = open_model(arguments.model, arguments)
    prompt = arguments.prompt
    if prompt == STDIN:
        prompt = common.read_bytes(STDIN).decode("utf-8", "replace")
    pieces = nn.stream(
        model, tok, prompt, arguments.max_new_tokens, sampler,
        stop=arguments.stop, utf8=arguments.utf8, seed=arguments.seed,
    )  # fmt: skip
    try:
        write(pieces, prompt)
    except SpecialTokenError as error:
        raise Error(f"{str(error).partition('; pass ')[0]}: leave it out of the prompt") from None
    return 0


def demonstrate() -> int:
    """Both packaged models continue one prompt; `bpetok demo --generate`."""
    from bpetok import nn

    sampler = nn.sample(0.8, top_p=0.95)
    for name in PACKAGED:
        model, tok = open_model(name)
        print(f"== {name}: {model.nbytes / 1e6:.1f} MB of weights, in 4 bits ==")
        write(nn.stream(model, tok, PROMPT, 120, sampler, seed=1), PROMPT)
    return 0


def write(pieces: Iterator[str], prompt: str) -> None:
    """Prints the prompt and its continuation, each piece as soon as it is there."""
    dim, plain = ("\x1b[2m", "\x1b[0m") if common.use_colour(sys.stdout) else ("", "")
    # Ask for the first piece before printing: a prompt that cannot be encoded leaves stdout empty.
    piece = next(pieces, "")
    print(f"{dim}{prompt}{plain}{piece}", end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print(flush=True)


def open_model(name: str, arguments: argparse.Namespace | None = None) -> tuple[Any, Tokenizer]:
    """The model and its tokenizer, once they are known to fit each other.

    Raises:
        Error: if either is missing, cannot write, or they have different vocabularies.
    """
    from bpetok import nn

    folder = Path(name)
    if name in PACKAGED and not folder.exists():
        folder = FOLDER / name
    if not (folder / "config.json").is_file():
        what = "has no config.json" if folder.is_dir() else "is no folder with a model"
        raise Error(f"{folder} {what}; packaged models are {', '.join(PACKAGED)}")
    tok = _tokenizer(folder, arguments)
    model = nn.load(folder)
    if not callable(model):
        raise Error(f"{folder}: a {model.config.family} does not write on; give a decoder")
    size = model.config.vocab_size
    if tok.vocab_size > size:
        raise Error(
            f"the tokenizer has {tok.vocab_size:,} ids and the model {folder} has {size:,}: "
            "it belongs to another model"
        )
    return model, tok


def _tokenizer(folder: Path, arguments: argparse.Namespace | None) -> Tokenizer:
    """The one that was asked for, or the folder's own."""
    if arguments is not None and arguments.tokenizer is not None:
        return common.tokenizer(arguments)
    pattern = None if arguments is None else arguments.pattern
    own = folder / TOKENIZER
    if not own.is_file():
        raise Error(f"{folder} has no {TOKENIZER}: name a tokenizer with --tokenizer")
    return load(own, pattern=pattern)
