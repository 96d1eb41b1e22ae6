"""Writing on: one token after another, each chosen by a sampler, in batches, with memory of what was read.

>>> import numpy as np
>>> class Copycat:  # scores the last id highest
...     def __call__(self, ids, state=None, mask=None, *, last=False):
...         return np.eye(10)[np.asarray(ids)[:, -1:]], state
>>> generate(Copycat(), [[3, 4]], 2).tolist()
[[3, 4, 4, 4]]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpetok.nn.beam import beam_search, most_beams
from bpetok.nn.errors import InputError
from bpetok.nn.inputs import as_array, as_mask, as_rows, generator, number, utf8, whole
from bpetok.nn.sampling import NONE, Sampler, bytes_of, greedy

__all__ = ["end_ids", "generate", "steps", "stop_strings", "stop_texts"]

Ids = NDArray[np.int64]
Stop = Callable[[Ids], bool]
_MOST_PENALTY = 16  # to which power any length still is a finite number


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
    the left; samplers do not see the padding. For an encoder-decoder pass its `memory`, or a bare array of which every
    vector is real; `ids=None` then means the config's start id. `beams` above 1 searches instead of sampling; 8,192 are
    the most, and beams x vocabulary at most 2**25 (261 beams for 128,256 tokens); they compare sums of log probabilities
    over `length ** length_penalty`, which is from -16 to 16. `stop(new_ids)` ends a row (see `stop_strings`).
    """
    if memory is not None:
        memory = _as_memory(model, memory)
    if ids is None and memory is not None:
        ids = np.full((len(memory), 1), model.config.decoder_start or 0)
    prompt, ends = _prompt(ids), end_ids(eos)
    real = as_mask(mask, prompt)
    max_new_tokens, beams = whole("max_new_tokens", max_new_tokens, 0), whole("beams", beams, 1)
    length_penalty = number("length_penalty", length_penalty, -_MOST_PENALTY, _MOST_PENALTY)
    if beams > 1 and (stop is not None or sampler is not greedy):
        raise InputError(
            f"beams={beams}: beam search takes the likeliest texts, and no sampler and no stop=; leave them out or beams at 1"
        )
    _check_beams(model, beams)
    if real is not None and not real.any(1).all():
        raise InputError("a row of the prompt is all padding; it needs at least one real id")
    if not len(prompt):
        return prompt
    longest = prompt.shape[1] if real is None else int(real.sum(1).max())
    limit = getattr(model, "limit", None)
    if limit is not None and longest + max_new_tokens - 1 > limit:
        raise InputError(
            f"{longest} ids and max_new_tokens={max_new_tokens} are more than the model's {limit} positions; "
            f"ask for at most {max(limit + 1 - longest, 0)}"
        )
    if beams > 1:
        if memory is not None:
            memory = _for_beams(memory, len(prompt), beams)
        return beam_search(
            stepper(model, memory), prompt, real, max_new_tokens, beams, ends, length_penalty
        )
    rows = [prompt]
    for new, _ in steps(
        model, prompt, max_new_tokens, sampler, ends, real, memory=memory, stop=stop, seed=seed
    ):
        rows.append(new[:, None])
    return np.concatenate(rows, axis=1)


def _as_memory(model: Any, memory: Any) -> Any:
    """An encoder's output with its keys and values, which an array has not: made once, not at every step."""
    if not hasattr(model, "as_memory"):
        raise InputError(
            f"{model!r} looks at no memory: it is no encoder-decoder, leave memory= out"
        )
    return model.as_memory(memory)


def _for_beams(memory: Any, rows: int, beams: int) -> Any:
    """A memory's texts, each for all of its row's beams."""
    if len(memory) != rows:
        raise InputError(f"the memory holds {len(memory)} texts, the prompt {rows} rows")
    return memory.select(np.repeat(np.arange(rows), beams))


def _check_beams(model: Any, beams: int) -> None:
    """Refuse more beams than memory has room for, before the prompt is read once for each."""
    vocab_size = getattr(getattr(model, "config", None), "vocab_size", 1)
    if beams > (most := most_beams(vocab_size)):
        raise InputError(
            f"beams={beams:,} with a vocabulary of {vocab_size:,} tokens is too much to sort at every step: "
            f"ask for at most {most:,}"
        )


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
    rng, new, step = generator(seed), _prompt(ids), stepper(model, memory)
    mask = as_mask(mask, new)
    text, start = _without_padding(new, mask), new.shape[1]
    ended, state = np.zeros(len(text), bool), None
    for _ in range(max_new_tokens):
        logits, state = step(new, state, mask)
        mask = None
        chosen = _chosen(sampler(logits[:, -1], text, rng), len(text), logits.shape[-1])
        text = np.concatenate([text, np.where(ended, NONE, chosen)[:, None]], axis=1)
        chosen = np.where(ended, eos[0] if eos else 0, chosen)
        # An end id need be no token of the model; what an ended row reads does not matter.
        new = np.where((chosen < 0) | (chosen >= logits.shape[-1]), 0, chosen)[:, None]
        if stop is not None:  # which an ended row has no more text for
            ended = np.array(
                [done or bool(stop(row)) for done, row in zip(ended, text[:, start:], strict=True)],
                bool,
            )
        ended = ended | np.isin(chosen, np.asarray(eos, np.int64))
        yield chosen, ended
        if ended.all():
            return


def _without_padding(prompt: Ids, real: NDArray[np.bool_] | None) -> Ids:
    """What samplers see of a prompt: its real ids behind each other at the end, `NONE` before: `[b, t] -> [b, t]`.

    >>> _without_padding(np.array([[7, 8, 0]]), np.array([[True, True, False]])).tolist()
    [[-1, 7, 8]]
    """
    if real is None:
        return prompt
    order = np.argsort(real, axis=1, kind="stable")
    return np.take_along_axis(np.where(real, prompt, NONE), order, 1)


def _chosen(ids: Any, rows: int, vocab_size: int) -> Ids:
    """What a sampler gave, if it is an id for each row."""
    chosen = np.asarray(ids)
    if chosen.shape != (rows,) or (rows and not np.issubdtype(chosen.dtype, np.integer)):
        raise InputError(
            f"the sampler gave {chosen.dtype} of shape {list(chosen.shape)}; it must give integers of shape [{rows}]"
        )
    if rows and not (chosen.min() >= 0 and chosen.max() < vocab_size):
        bad = chosen[(chosen < 0) | (chosen >= vocab_size)][0]
        raise InputError(f"the sampler chose id {bad}, outside 0..{vocab_size - 1}")
    return chosen.astype(np.int64)


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
    """A `stop` for `generate`: true once the new text contains one of `strings`.

    Ids that `tok` has no token for add no text.
    """
    needles = [utf8(s) for s in stop_texts(strings)]
    longest = max(map(len, needles), default=0)

    def stop(new: Ids) -> bool:
        tail = b""
        for token in new[::-1]:
            tail = bytes_of(tok, int(token)) + tail
            # Earlier text was looked at when it was new; only the last token and what it may complete matter.
            if len(tail) >= longest + len(bytes_of(tok, int(new[-1]))):
                break
        return any(needle in tail for needle in needles)

    return stop


def stop_texts(strings: Any) -> tuple[str, ...]:
    """Texts to stop at, each with something in it."""
    if isinstance(strings, str | bytes) or not isinstance(strings, Iterable):
        raise InputError(f"stop strings {strings!r} must be a list of texts: [{strings!r}] for one")
    texts = tuple(strings)
    for text in texts:
        if not isinstance(text, str) or not text:
            raise InputError(f"stop string {text!r} must be a str with at least one character")
    return texts


def end_ids(eos: Any) -> tuple[int, ...]:
    """One id, several, or none, as a tuple."""
    if eos is None:
        return ()
    ends = np.atleast_1d(as_array(eos, "end ids"))
    if ends.ndim != 1 or (ends.size and not np.issubdtype(ends.dtype, np.integer)):
        raise InputError(f"eos={eos!r} must be an id, a list of ids, or None")
    return tuple(int(end) for end in ends)


def _prompt(ids: Any) -> Ids:
    prompt = as_rows(ids)
    if prompt.shape[1] == 0 or not np.issubdtype(prompt.dtype, np.integer):
        raise InputError(
            f"a prompt needs at least one integer id per row, got {prompt.dtype} of shape {list(prompt.shape)}"
        )
    return prompt.astype(np.int64)
