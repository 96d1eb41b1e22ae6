"""Writing on: one token after another, each chosen by a sampler, in batches, with memory of what was read.

>>> import numpy as np
>>> class Copycat:  # scores the last id highest
...     def __call__(self, ids, state=None, mask=None, *, last=False):
...         return np.eye(10)[np.asarray(ids)[:, -1:]], state
>>> generate(Copycat(), [[3, 4]], 2).tolist()
[[3, 4, 4, 4]]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.beam import beam_search
from bpetok.nn.errors import InputError
from bpetok.nn.sampling import Sampler, greedy

__all__ = ["generate", "steps", "stop_strings"]

Ids = NDArray[np.int64]
Stop = Callable[[Ids], bool]


def generate(
    model: Any,
    ids: Any,
    max_new_tokens: int,
    sampler: Sampler = greedy,
    eos: int | Sequence[int] | None = None,
    mask: Any = None,
    *,
    memory: Any = None,
    beams: int = 1,
    length_penalty: float = 1.0,
    stop: Stop | None = None,
    seed: int | np.random.Generator | None = None,
) -> Ids:
    """Continue each row of ids: `[b, t] -> [b, t + new]`; a row that has ended is filled up with `eos`.

    `eos` is one id or several (the first fills; without any, rows that `stop` ended are filled with 0); generation
    stops early when every row has ended. `mask [b, t]` marks the real ids of prompts padded to one length, best on
    the left. For an encoder-decoder pass its `memory`; `ids=None` then means the config's start id. `beams` above 1
    searches instead of sampling. `stop(new_ids)` ends a row (see `stop_strings`).
    """
    if ids is None and memory is not None:
        ids = np.full((len(memory), 1), model.config.decoder_start or 0)
    prompt, ends = _prompt(ids), _ends(eos)
    if max_new_tokens < 0:
        raise InputError(f"max_new_tokens={max_new_tokens}: must be at least 0")
    if beams < 1 or (beams > 1 and stop is not None):
        raise InputError(f"beams={beams}: must be at least 1, and beam search takes no stop=")
    if mask is not None and not np.atleast_2d(np.asarray(mask)).any(1).all():
        raise InputError("a row of the prompt is all padding; it needs at least one real id")
    longest = prompt.shape[1] if mask is None else int(np.atleast_2d(np.asarray(mask)).sum(1).max())
    limit = getattr(model, "limit", None)
    if limit is not None and longest + max_new_tokens - 1 > limit:
        raise InputError(
            f"{longest} ids and max_new_tokens={max_new_tokens} are more than the model's {limit} positions; "
            f"ask for at most {max(limit + 1 - longest, 0)}"
        )
    if beams > 1:
        if memory is not None:
            memory = memory.select(np.repeat(np.arange(len(prompt)), beams))
        return beam_search(
            stepper(model, memory), prompt, mask, max_new_tokens, beams, ends, length_penalty
        )
    rows = [prompt]
    for new, _ in steps(
        model, prompt, max_new_tokens, sampler, ends, mask, memory=memory, stop=stop, seed=seed
    ):
        rows.append(new[:, None])
    return np.concatenate(rows, axis=1)


def steps(
    model: Any,
    ids: Any,
    max_new_tokens: int,
    sampler: Sampler = greedy,
    eos: Sequence[int] = (),
    mask: Any = None,
    *,
    memory: Any = None,
    stop: Stop | None = None,
    seed: int | np.random.Generator | None = None,
) -> Iterator[tuple[Ids, NDArray[np.bool_]]]:
    """Yield each step's new ids `[b]` and which rows have ended, `[b]`; the loop that everything above uses."""
    rng, text, step = np.random.default_rng(seed), _prompt(ids), stepper(model, memory)
    ended, start, state = np.zeros(len(text), bool), text.shape[1], None
    new = text
    for _ in range(max_new_tokens):
        logits, state = step(new, state, mask)
        mask = None
        chosen = np.asarray(sampler(logits[:, -1], text, rng), np.int64)
        chosen = np.where(ended, eos[0] if eos else 0, chosen)
        new = chosen[:, None]
        text = np.concatenate([text, new], axis=1)
        ended = ended | np.isin(chosen, np.asarray(eos, np.int64))
        if stop is not None:
            ended = ended | np.array([bool(stop(row)) for row in text[:, start:]])
        yield chosen, ended
        if ended.all():
            return


def stepper(model: Any, memory: Any) -> Callable[[Ids, Any, Any], tuple[Any, Any]]:
    """One call for both kinds of model: `step(ids, state, mask) -> logits [b, 1, v], state`."""
    if memory is None:
        if not callable(model):
            raise InputError(
                f"{model!r} cannot write on: it is no decoder, or its memory= is missing"
            )
        return lambda ids, state, mask: model(ids, state, mask, last=True)
    return lambda ids, state, mask: model.decode(ids, memory, state, mask, last=True)


def stop_strings(tok: Any, strings: Sequence[str]) -> Stop:
    """A `stop` for `generate`: true once the new text contains one of `strings`."""
    needles = [s.encode() for s in strings]
    longest = max(map(len, needles), default=0)

    def stop(new: Ids) -> bool:
        tail = b""
        for token in new[::-1]:
            tail = tok.token_bytes(int(token)) + tail
            # Earlier text was looked at when it was new; only the last token and what it may complete matter.
            if len(tail) >= longest + len(tok.token_bytes(int(new[-1]))):
                break
        return any(needle in tail for needle in needles)

    return stop


def _prompt(ids: Any) -> Ids:
    prompt = np.atleast_2d(np.asarray(ids))
    if prompt.ndim != 2 or prompt.shape[1] == 0 or not np.issubdtype(prompt.dtype, np.integer):
        raise InputError(
            f"a prompt needs at least one integer id per row, got shape {list(prompt.shape)}"
        )
    return prompt.astype(np.int64)


def _ends(eos: int | Sequence[int] | None) -> tuple[int, ...]:
    return () if eos is None else tuple(int(e) for e in np.atleast_1d(np.asarray(eos)))
