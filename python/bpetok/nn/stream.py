"""Text in, text out, piece by piece as it is written; never half a character, never a stop string."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bpetok.nn.errors import InputError
from bpetok.nn.generate import end_ids, steps, stop_texts
from bpetok.nn.inputs import whole
from bpetok.nn.sampling import Sampler, greedy, in_vocabulary, known_ids, utf8_valid

__all__ = ["stream"]


def stream(
    model: Any,
    tok: Any,
    prompt: str,
    max_new_tokens: int = 256,
    sampler: Sampler = greedy,
    *,
    eos: int | Sequence[int] | None = None,
    stop: Sequence[str] = (),
    utf8: bool = True,
    allowed_special: Any = frozenset(),
    seed: int | np.random.Generator | None = None,
) -> Iterator[str]:
    """Yield the continuation of `prompt` in pieces that are whole characters.

    `eos` defaults to the config's end ids, less those that are ordinary text to the tokenizer; neither they nor a
    stop string are yielded.
    `utf8` rules out tokens that could not become valid UTF-8, and a character cut short by `max_new_tokens` is
    dropped; ids that `tok` has no token for are never chosen either way, unless they end the text. An empty prompt
    starts from the config's `bos` id. A model with a table of positions ends where that ends, and a prompt that is
    longer is an InputError.
    """
    stop, max_new_tokens = stop_texts(stop), whole("max_new_tokens", max_new_tokens, 0)
    ids = tok.encode(prompt, allowed_special=allowed_special)
    if not ids:
        start = (
            model.config.bos if model.config.bos is not None else next(iter(model.config.eos), None)
        )
        if start is None:
            raise InputError("an empty prompt needs a bos or eos id in the config to start from")
        ids = [start]
    ends = _ends(model, tok) if eos is None else end_ids(eos)
    choose = (utf8_valid if utf8 else in_vocabulary)(tok, sampler, ends)
    limit = getattr(model, "limit", None)
    if limit is not None and max_new_tokens:
        if len(ids) > limit:
            raise InputError(
                f"the prompt has {len(ids)} ids, and the model {limit} positions: leave out at least {len(ids) - limit}"
            )
        max_new_tokens = min(max_new_tokens, limit + 1 - len(ids))

    def written() -> Iterator[str]:
        text = tok.stream()
        for new, ended in steps(model, [ids], max_new_tokens, choose, ends, seed=seed):
            if ended[0]:
                break
            yield text.push(int(new[0]))
        if not utf8:  # what was cut short, which may end a stop string too
            yield text.finish()

    yield from _before(stop, written())


def _before(stop: Sequence[str], pieces: Iterator[str]) -> Iterator[str]:
    """A text up to the first stop string; an end that could become one is held back until it is known.

    >>> list(_before(["###"], iter(["a #", "# b", " ##", " c###"])))
    ['a ', '## b', ' ', '## c']
    """
    held, longest = "", max((len(s) for s in stop), default=0)
    for piece in pieces:
        held += piece
        found = [at for at in (held.find(s) for s in stop) if at >= 0]
        if found:
            yield held[: min(found)]
            return
        ready = len(held) - _may_grow(held, stop, longest)
        if ready:
            yield held[:ready]
            held = held[ready:]
    if held:
        yield held


def _ends(model: Any, tok: Any) -> tuple[int, ...]:
    """The config's end ids that are special to the tokenizer or unknown to it."""
    special = getattr(tok, "special_tokens", None)
    if special is None:
        return tuple(model.config.eos)
    ends = tuple(model.config.eos)
    ordinary = known_ids(tok, max((*ends, 0)) + 1)
    ordinary[[i for i in special.values() if i < len(ordinary)]] = False
    return tuple(e for e in ends if e < 0 or not ordinary[e])


def _may_grow(text: str, stop: Sequence[str], longest: int) -> int:
    """How many characters at the end could be the beginning of a stop string.

    >>> _may_grow("a #", ["###"], 3)
    1
    """
    for n in range(min(longest - 1, len(text)), 0, -1):
        if any(s.startswith(text[-n:]) for s in stop):
            return n
    return 0
