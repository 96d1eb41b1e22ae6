"""States and masks: any split of a text, with any padding, in any order, gives the logits of the whole."""

import copy
import pickle
import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest

from bpetok import nn
from nn.models import CONFIGS, tiny
from nn.oracles import distance

MODELS = {name: tiny(name) for name in CONFIGS}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", CONFIGS)
def test_any_chunks_with_any_padding(name: str, seed: int) -> None:
    """Rows of different lengths are cut and padded at random; each must read as if it were alone and whole."""
    model, rng = MODELS[name], np.random.default_rng(seed)
    texts = [rng.integers(0, 50, rng.integers(1, 15)) for _ in range(3)]
    whole = [model(text[None])[0][0] for text in texts]
    done, state = [0, 0, 0], None
    while any(at < len(text) for at, text in zip(done, texts, strict=True)):
        t = int(rng.integers(1, 7))
        ids, mask = (
            np.full((3, t), -7),
            np.zeros((3, t), bool),
        )  # what stands at padding does not matter
        for i, text in enumerate(texts):
            n = min(int(rng.integers(0, t + 1)), len(text) - done[i])
            mask[i, np.sort(rng.permutation(t)[:n])] = True
            ids[i, mask[i]] = text[done[i] : done[i] + n]
        logits, state = model(ids, state, mask)
        for i in range(3):
            n = int(mask[i].sum())
            if n:
                assert distance(logits[i][mask[i]], whole[i][done[i] : done[i] + n]) < 1e-12
            assert not logits[i][~mask[i]].any()
            done[i] += n
        assert state.lengths.tolist() == done


@pytest.mark.parametrize("name", CONFIGS)
def test_an_older_state_stays_valid(name: str) -> None:
    model, ids = MODELS[name], np.arange(1, 13)[None]
    _, old = model(ids[:, :8])
    size = old.nbytes
    first, _ = model(ids[:, 8:], old)
    _, other = model(ids[:, :4], old)  # a different continuation writes where the first one wrote
    model(ids, other)
    again, _ = model(ids[:, 8:], old)
    assert (first == again).all()
    assert old.nbytes == size


@pytest.mark.parametrize("name", ["llama", "mistral", "mamba"])
def test_holders_cannot_write(name: str) -> None:
    _, state = MODELS[name]([[1, 2, 3]])
    for layer in state.layers:
        for array in vars(layer).values():
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
    with pytest.raises(AttributeError):
        state.lengths = np.zeros(1)
    copied = pickle.loads(pickle.dumps(state))
    want = MODELS[name]([[4]], state)[0]
    for other in (copied, copy.deepcopy(state)):
        assert distance(MODELS[name]([[4]], other)[0], want) < 1e-12


def test_threads_may_continue_one_state() -> None:
    model, results = MODELS["llama"], {}
    _, state = model([[1, 2, 3, 4, 5]])
    want = {n: model([[n, 7]], model([[1, 2, 3, 4, 5]])[1])[0] for n in range(8)}

    def run(n: int) -> None:
        results[n] = model([[n, 7]], state)[0]

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(distance(results[n], want[n]) < 1e-12 for n in range(8))


def test_sizes_of_states() -> None:
    sizes: dict[str, list[int]] = {}
    for name in ("llama", "mistral", "mamba", "mamba2", "linear_ssm"):
        model, state = MODELS[name], None
        for _ in range(30):
            _, state = model([[5]], state)
            sizes.setdefault(name, []).append(state.nbytes)
    layers, kv_heads, head_dim = 2, 2, 4
    assert sizes["llama"] == [2 * layers * kv_heads * head_dim * 8 * t for t in range(1, 31)]
    assert sizes["mistral"][2:] == sizes["llama"][2:3] * 28  # a window of 3
    for name in ("mamba", "mamba2", "linear_ssm"):
        assert len(set(sizes[name])) == 1


def test_a_window_keeps_no_more_than_it_needs() -> None:
    model = MODELS["mistral"]
    _, state = model(np.ones((2, 500), np.int64))
    for _ in range(50):
        _, state = model([[1], [1]], state)
        assert all(layer.keys.shape[2] <= 2 * 3 for layer in state.layers)


@pytest.mark.parametrize("name", ["llama", "mistral", "mamba2"])
def test_selected_rows_go_on_alone(name: str) -> None:
    model, ids = MODELS[name], np.random.default_rng(0).integers(0, 50, (3, 9))
    _, state = model(ids[:, :5])
    logits, _ = model(ids[[2, 0, 2], 5:], state.select([2, 0, 2]))
    full, _ = model(ids)
    assert distance(logits, full[[2, 0, 2], 5:]) < 1e-12


@pytest.mark.parametrize("name", ["llama", "mamba"])
def test_rows_are_selected_by_number_or_by_a_mask(name: str) -> None:
    """No row left is no error, and one number for a list gave a state that nothing could read."""
    model, ids = MODELS[name], np.arange(6).reshape(3, 2)
    _, state = model(ids)
    assert model(np.zeros((0, 1), np.int64), state.select([]))[0].shape == (0, 1, 50)
    kept = state.select([False, True, True])
    assert distance(model(ids[1:], kept)[0], model(ids[1:], state.select([1, -1]))[0]) == 0
    for bad in (0, 3, [3], [-4], [0.5], [[0]], [True], "a", slice(1)):
        with pytest.raises(nn.InputError, match=r"^rows=.* in 0\.\.2"):
            state.select(bad)


def test_no_square_of_the_length_in_memory() -> None:
    model = tiny("llama", "float32", num_hidden_layers=1)
    ids = np.ones((1, 4096), np.int64)
    model(ids[:, :8])
    tracemalloc.start()
    try:
        model(ids, last=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 4096 * 4096, (
        f"{peak} bytes at once; one head's map alone would take 67 million"
    )


def test_last_scores_only_the_last_real_id() -> None:
    model = MODELS["gpt2"]
    ids, mask = np.array([[1, 2, 3, 0], [0, 4, 5, 6]]), np.array([[1, 1, 1, 0], [0, 1, 1, 1]])
    full, _ = model(ids, mask=mask)
    last, _ = model(ids, mask=mask, last=True)
    assert last.shape == (2, 1, 50)
    assert distance(last[:, 0], full[[0, 1], [2, 3]]) < 1e-12


def test_nothing_new_changes_nothing() -> None:
    model = MODELS["mamba"]
    _, state = model([[1, 2, 3]])
    logits, same = model([[9, 9]], state, mask=[[0, 0]])
    assert same is state
    assert logits.shape == (1, 2, 50)
    assert not logits.any()
    assert model(np.zeros((1, 0), np.int64), state)[0].shape == (1, 0, 50)


def refused(call: Any, *words: str) -> None:
    with pytest.raises(nn.InputError) as error:
        call()
    assert all(word in str(error.value) for word in words), error.value


def test_bad_ids_and_masks_are_named() -> None:
    model = MODELS["gpt2"]
    refused(lambda: model([[1, 50]]), "50", "0..49")
    refused(lambda: model([[-1]]), "-1", "0..49")
    refused(lambda: model([[0.5]]), "integers")
    refused(lambda: model([[[1]]]), "[batch, time]")
    refused(lambda: model([[1, 2]], mask=[[1]]), "[1, 1]", "[1, 2]")
    refused(lambda: model(np.ones((1, 65), np.int64)), "65", "64")
    refused(lambda: model([[1], [2]], model([[1]])[1]), "1 rows", "2")


def test_the_state_of_another_model_is_refused() -> None:
    def state(name: str, dtype: str = "float64", **changes: Any) -> nn.State:
        return tiny(name, dtype, **changes)([[1, 2]])[1]

    llama, window = MODELS["llama"], tiny("mistral", sliding_window=5)
    refused(lambda: llama([[3]], state("gpt2")), "layer 0", "(4, 4)", "(2, 4)", "state=None")
    refused(lambda: llama([[3]], state("mamba")), "layer 0", "another model's")
    refused(lambda: llama([[3]], state("llama", "float32")), "float32", "float64")
    refused(lambda: llama([[3]], state("mistral")), "window 3, not None")
    refused(lambda: window([[3]], state("mistral")), "window 3, not 5")
    refused(lambda: MODELS["mamba"]([[3]], state("mamba", state_size=5)), "layer 0", "5", "4")
    assert llama([[3]], state("llama"))[0].shape == (1, 1, 50)


def test_what_is_no_state_is_refused() -> None:
    for model in (MODELS["gpt2"], MODELS["mamba"]):
        for call in (model, model.hidden):
            with pytest.raises(TypeError, match=r"state is of type int: .* State .* or None"):
                call([[1, 2]], 5)
            with pytest.raises(TypeError, match=r"type list.*mask="):
                call([[1, 2]], [[1, 1]])


class Watched(np.ndarray[Any, Any]):
    """An array that objects when anything made from it is float64."""

    def __array_finalize__(self, other: Any) -> None:
        assert self.dtype != np.float64, "a float32 model computed in float64"


@pytest.mark.parametrize("name", CONFIGS)
def test_float32_stays_float32(name: str) -> None:
    model = tiny(name, "float32").map_weights(lambda _, array: array.view(Watched))
    ids, mask = np.arange(24).reshape(2, 12), np.array([[0] * 5 + [1] * 7, [1] * 12])
    logits, state = model(ids, mask=mask)
    logits, state = model(ids[:, :2], state)
    assert isinstance(logits, Watched)
    assert logits.dtype == np.float32
    assert all(
        array.dtype == np.float32 for layer in state.layers for array in vars(layer).values()
    )
    with pytest.raises(AssertionError, match="float64"):
        logits.astype(np.float64)
