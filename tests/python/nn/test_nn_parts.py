"""The parts on their own, against torch's and scipy's numbers, and the equalities the text promises."""

import math

import numpy as np
import pytest

from bpetok.nn import (
    activations,
    attention,
    embedding,
    feedforward,
    losses,
    norms,
    positions,
    sample,
    selective_scan,
    softmax,
    ssm,
)
from bpetok.nn.config import Rope
from bpetok.nn.errors import ConfigError, InputError
from bpetok.nn.mixers import causal_convolution
from nn.models import tiny
from nn.oracles import close, distance, vectors

LAYERS, SSM = vectors("parts/layers.npz"), vectors("parts/ssm.npz")


@pytest.mark.parametrize("eps", ["1e-05", "0.01"])
def test_norms(eps: str) -> None:
    x, w, b = (LAYERS[k] for k in "xwb")
    close(norms.layer_norm(x, w, b, float(eps)), LAYERS[f"layer_norm.{eps}"])
    close(norms.rms_norm(x, w, float(eps)), LAYERS[f"rms_norm.{eps}"])


def test_integers_are_numbers() -> None:
    """Attention and an MLP wrote their fractions into arrays of integers, in silence."""
    whole, weights = (
        np.arange(9).reshape(1, 1, 3, 3) % 4,
        np.array([[1, 2, 0], [0, 1, 3], [2, 0, 1]]),
    )
    now, half = np.arange(3)[None], np.full((1, 1, 1), 0.5)
    seen = attention.visible(now, now)
    forms = {
        "attend": lambda x: attention.attend(x, x, x, now, now, 1),
        "attention_map": lambda x: attention.attention_map(x, x, 1, seen),
        "mlp": lambda x: feedforward.mlp(x[0, 0], weights, None, weights, None, "gelu", False),
        "linear": lambda x: embedding.linear(x, weights, np.full(3, 0.5)),
        "softmax": softmax.softmax,
        "log_softmax": softmax.log_softmax,
        "rms_norm": lambda x: norms.rms_norm(x, weights[0], 1e-5),
        "gelu_tanh": activations.gelu_tanh,
        "rotate": lambda x: positions.rotate(x[..., :2], half, half),
        "nll": lambda x: losses.nll(x, [[[0, 1, 2]]]),
        "draw": lambda x: sample(2.0)(x[0, 0], whole[0, 0], np.random.default_rng(0)),
    }
    for name, form in forms.items():
        got, want = form(whole), form(whole.astype(np.float64))
        assert got.dtype == want.dtype, name
        assert (got == want).all(), name


@pytest.mark.parametrize("name", ["gelu_erf", "gelu_tanh", "silu", "relu", "sigmoid", "softplus"])
def test_activations(name: str) -> None:
    f = activations.gelu if name == "gelu_erf" else getattr(activations, name)
    x = LAYERS["act.x"]
    close(f(x), LAYERS[f"act.{name}"])
    moderate = np.abs(x) < 80
    got = f(x.astype(np.float32))
    assert got.dtype == np.float32
    assert np.allclose(got[moderate], LAYERS[f"act.{name}"][moderate], rtol=3e-6, atol=3e-7)


def test_erf_to_the_last_digits() -> None:
    x = np.concatenate(
        [np.linspace(-7, 7, 20001), [1e-300, 1e-8, -30.0, 30.0, np.inf, -np.inf, 0.0]]
    )
    want = np.array([math.erf(v) for v in x])
    assert np.abs(activations.erf(x) - want).max() <= 2.3e-16
    small = np.abs(want) > 0
    assert np.abs(activations.erf(x)[small] / want[small] - 1).max() < 5e-16
    tail = np.array([math.erfc(v) for v in x])
    real = tail > 1e-300
    assert np.abs(activations.erfc(x)[real] / tail[real] - 1).max() < 2e-14
    assert np.isnan(activations.erf(np.array([np.nan]))).all()
    narrow = activations.erf(x.astype(np.float32))
    assert narrow.dtype == np.float32
    assert np.abs(narrow - want).max() < 3e-7


def test_softmax_and_losses_at_extremes() -> None:
    close(softmax.softmax(LAYERS["softmax.x"]), LAYERS["softmax.y"])
    got, want = softmax.log_softmax(LAYERS["softmax.x"]), LAYERS["log_softmax.y"]
    finite = np.isfinite(want)
    assert (np.isfinite(got) == finite).all()
    assert np.allclose(got[finite], want[finite], rtol=1e-13)
    logits, labels = LAYERS["ce.logits"], LAYERS["ce.labels"]
    close(losses.nll(logits, labels), LAYERS["ce.none"])
    close(losses.cross_entropy(logits, labels), LAYERS["ce.mean"])
    close(losses.cross_entropy(logits, labels, smoothing=0.1), LAYERS["ce.smooth0.1"])
    assert softmax.softmax(np.full((1, 3), -np.inf)).tolist() == [[0.0, 0.0, 0.0]]
    assert math.isnan(losses.cross_entropy(logits, np.full(6, -100)))
    with pytest.raises(InputError, match=r"0\.\.10"):
        losses.nll(logits, np.full(6, 11))
    with pytest.raises(InputError, match="shape"):
        losses.nll(logits, np.zeros(5, np.int64))


def test_perplexity_is_the_exponential_at_extremes_too() -> None:
    with np.errstate(over="ignore"):
        for nats in (-np.inf, -1e9, 0.0, 2.5, 709.0, 710.0, 1e9, np.inf, np.float32(1e9)):
            assert losses.perplexity(nats) == pytest.approx(
                float(np.exp(np.float64(nats))), rel=1e-15
            )
    assert (losses.perplexity(10**400), losses.perplexity(-(10**400))) == (math.inf, 0.0)
    assert math.isnan(losses.perplexity(math.nan))


def test_attention_with_masks_and_shared_heads() -> None:
    q, k, v = (LAYERS[f"sdpa.{name}"] for name in "qkv")
    scale = q.shape[-1] ** -0.5
    every, all_keys = np.full((1, 5), attention.LAST), np.zeros((1, 9), np.int64)
    close(attention.attend(q, k, v, every, all_keys, scale), LAYERS["sdpa.full"])
    q, k, v = (LAYERS[f"sdpa.gqa_{name}"] for name in "qkv")
    now = np.arange(9)[None]
    close(attention.attend(q, k, v, now, now, scale), LAYERS["sdpa.gqa_causal"])
    weights = attention.attention_map(q, k, scale, attention.visible(now, now))
    close(weights @ np.repeat(v, 3, axis=1), LAYERS["sdpa.gqa_causal"])


def test_attention_with_any_mask() -> None:
    """A free mask is a case of positions only key by key, so each query is run on its own."""
    q, k, v, mask = (LAYERS[f"sdpa.{name}"] for name in ("q", "k", "v", "mask"))
    close(attention.attention_map(q, k, 8**-0.5, mask[:, 0]) @ v, LAYERS["sdpa.masked"])
    close(attention.attention_map(q, k, 8**-0.5) @ v, LAYERS["sdpa.full"])
    for i in range(q.shape[2]):
        hidden = np.where(mask[:, 0, i], 0, attention.HIDDEN)
        got = attention.attend(
            q[:, :, i : i + 1], k, v, np.full((1, 1), attention.LAST), hidden, 8**-0.5
        )
        close(got[:, :, 0], LAYERS["sdpa.masked"][:, :, i])


@pytest.mark.parametrize("window", [None, 1, 5, 130, 700])
def test_blocks_are_the_whole(window: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((2, h, 300, 8)) * 4 for h in (4, 2, 2))
    start = np.array([[0], [11]])
    q_pos = k_pos = start + np.arange(300)
    whole = attention.attention_map(q, k, 0.5, attention.visible(q_pos, k_pos, window)) @ np.repeat(
        v, 2, axis=1
    )
    for queries, keys in ((128, 512), (7, 13), (300, 50), (1, 1)):
        monkeypatch.setattr(attention, "QUERIES", queries)
        monkeypatch.setattr(attention, "KEYS", keys)
        if queries == 1:
            q, q_pos, whole = q[:, :, :9], q_pos[:, :9], whole[:, :, :9]
        assert distance(attention.attend(q, k, v, q_pos, k_pos, 0.5, window), whole) < 1e-13


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_far_below_zero_after_blocks_that_show_nothing(dtype: str) -> None:
    """A window that starts inside a block of keys hides all of the block before from some of its queries."""
    rng = np.random.default_rng(0)
    q = np.abs(rng.standard_normal((1, 1, 200, 4))).astype(dtype) * 40
    k, v = (
        -np.abs(rng.standard_normal((1, 1, 2000, 4))).astype(dtype) * 40,
        rng.standard_normal((1, 1, 2000, 4)),
    )
    q_pos, k_pos = np.arange(1800, 2000)[None], np.arange(2000)[None]
    v = v.astype(dtype)
    for window in (300, 700, 1500):
        want = attention.attention_map(q, k, 1.0, attention.visible(q_pos, k_pos, window)) @ v
        close(attention.attend(q, k, v, q_pos, k_pos, 1.0, window), want, dtype)


def test_a_query_that_sees_nothing_gets_zeros() -> None:
    x = np.ones((1, 1, 2, 4))
    nothing = np.full((1, 2), attention.HIDDEN)
    assert not attention.attend(x, x, x, np.zeros((1, 2), np.int64), nothing, 1.0).any()


def test_convolution_is_causal() -> None:
    x, w, b = LAYERS["conv.x"].swapaxes(1, 2), LAYERS["conv.w"][:, 0], LAYERS["conv.b"]
    got = causal_convolution(x, w, b, np.zeros((2, 3, 6)))
    close(got.swapaxes(1, 2), LAYERS["conv.causal"])
    rest = causal_convolution(x[:, 4:], w, b, x[:, 1:4])
    assert distance(rest, got[:, 4:]) < 1e-15


def test_an_embedding_is_a_one_hot_product() -> None:
    ids, table = LAYERS["emb.ids"], LAYERS["emb.E"]
    assert (embedding.one_hot(ids, 12) == LAYERS["emb.onehot"]).all()
    assert (embedding.embed(ids, table) == LAYERS["emb.out"]).all()
    close(embedding.one_hot(ids, 12) @ table, LAYERS["emb.out"])


def test_sinusoids_in_both_layouts() -> None:
    close(positions.sinusoids(30, 10), LAYERS["sinusoid.paper"])
    close(positions.sinusoids(30, 10, halves=True), LAYERS["sinusoid.marian"])


def test_rotation_depends_on_distance_only() -> None:
    cos, sin = positions.rope_table(Rope(theta=50.0), 8, 40)
    rng = np.random.default_rng(0)
    q, k = rng.standard_normal((2, 1, 1, 1, 8))

    def score(i: int, j: int) -> float:
        turned = [positions.rotate(x, cos[at], sin[at]) for x, at in ((q, i), (k, j))]
        return float((turned[0] * turned[1]).sum())

    assert abs(score(9, 4) - score(35, 30)) < 1e-13
    assert abs(score(9, 4) - score(9, 5)) > 1e-3


@pytest.mark.parametrize("size", ["small", "mimo"])
def test_four_forms_of_a_linear_ssm(size: str) -> None:
    A, B, C, D, u = (SSM[f"{size}.{name}"] for name in "ABCDu")
    k = ssm.kernel(A, B, C, len(u))
    close(k, SSM[f"{size}.kernel"])
    y, h = ssm.recurrence(A, B, C, u)
    close(y, SSM[f"{size}.y"])
    close(h, SSM[f"{size}.h_last"])
    scanned, last = ssm.scan(A, B, C, u)
    close(last, SSM[f"{size}.h_last"])
    for other in (ssm.convolution(k, u), ssm.fft_convolution(k, u), scanned):
        close(other, SSM[f"{size}.y"])
    for with_skip in (ssm.recurrence(A, B, C, u, D)[0], ssm.scan(A, B, C, u, D)[0]):
        close(with_skip, SSM[f"{size}.y_with_skip"])
    for with_skip in (ssm.convolution(k, u, D), ssm.fft_convolution(k, u, D)):
        close(with_skip, SSM[f"{size}.y_with_skip"])


def test_forms_agree_where_powers_underflow() -> None:
    a, b, steps = float(SSM["underflow.a"]), float(SSM["underflow.b"]), 4000
    A, B, C, u = np.array([[a]]), np.array([[b]]), np.ones((1, 1)), np.ones((steps, 1))
    k = ssm.kernel(A, B, C, steps)
    forms = [
        ssm.recurrence(A, B, C, u)[0],
        ssm.convolution(k, u),
        ssm.fft_convolution(k, u),
        ssm.scan(A, B, C, u)[0],
    ]
    forms.append(ssm.diagonal_scan(np.full((steps, 1), a), np.full((steps, 1), b)))
    for y in forms:
        close(y[-1, 0], SSM["underflow.h_last"])
        close(y[9, 0], SSM["underflow.h_10"])


def test_a_decay_that_changes() -> None:
    close(ssm.diagonal_scan(SSM["scan.a"], SSM["scan.b"]), SSM["scan.h"])


@pytest.mark.parametrize("step", ["0.01", "0.3"])
@pytest.mark.parametrize("method", ["zoh", "bilinear", "euler"])
def test_discretisations(method: str, step: str) -> None:
    A, B = ssm.discretise(SSM["cont.A"], SSM["cont.B"], float(step), method)
    close(A, SSM[f"cont.{method}.{step}.A"])
    close(B, SSM[f"cont.{method}.{step}.B"])


def test_a_float32_model_discretises_in_float64() -> None:
    """A diagonal A has its exponential number by number; the model's matrices are those, rounded once."""
    decays = -np.linspace(0.1, 60, 4, dtype=np.float32)
    gains = np.linspace(-1, 1, 64, dtype=np.float32).reshape(4, 16)
    values = {"mix.A": np.diag(decays), "mix.B": gains}
    model = tiny("linear_ssm", "float32").map_weights(
        lambda name, w: values.get(name.removeprefix("layers.0."), w)
    )
    A, B = (model.net.layers[0][f"mix.step.{name}"] for name in "AB")
    fades = np.array([math.exp(0.5 * float(a)) for a in decays])
    fills = np.array([math.expm1(0.5 * float(a)) / float(a) for a in decays])
    assert A.dtype == B.dtype == np.float32
    assert np.allclose(np.diag(A), fades, rtol=1e-7, atol=0)
    assert np.allclose(B, fills[:, None] * gains.astype(np.float64), rtol=1e-7, atol=0)


def test_zoh_of_a_singular_matrix_and_unknown_methods() -> None:
    A, B = ssm.discretise(np.zeros((2, 2)), np.ones((2, 1)), 0.5)  # an integrator
    assert np.allclose(A, np.eye(2))
    assert np.allclose(B, 0.5)
    with pytest.raises(ConfigError, match="tustin"):
        ssm.discretise(A, B, 1.0, "tustin")


def test_against_scipy() -> None:
    signal = pytest.importorskip("scipy.signal", reason="scipy is not installed")
    rng = np.random.default_rng(1)
    A, B, C, D = (
        rng.standard_normal((4, 4)) - 3 * np.eye(4),
        *(rng.standard_normal(s) for s in ((4, 2), (3, 4), (3, 2))),
    )
    u = rng.standard_normal((60, 2))
    for method in ("zoh", "bilinear", "euler"):
        discrete = signal.cont2discrete((A, B, C, D), 0.05, method)
        ours = ssm.discretise(A, B, 0.05, method)
        close(ours[0], discrete[0])
        close(ours[1], discrete[1])
    A, B = ours
    _, y, _ = signal.dlsim(
        (A, B, C @ A, C @ B + D, 1.0), u
    )  # scipy reads the state before its input arrives
    close(ssm.recurrence(A, B, C, u, D)[0], y)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_selective_scan_is_its_definition(dtype: str) -> None:
    rng = np.random.default_rng(0)
    u, dt = rng.standard_normal((2, 2, 45, 6)).astype(dtype)
    dt = np.abs(dt) * np.array(
        [1, 1, 1, 1, 1, 400], dtype
    )  # the last channel forgets everything at once
    A = -np.exp(rng.standard_normal((3, 6))).astype(dtype)
    B, C = rng.standard_normal((2, 2, 45, 3)).astype(dtype)
    h = rng.standard_normal((2, 3, 6)).astype(dtype)
    before = h.copy()
    want, got = (
        selective_scan.naive_selective_scan(u, dt, A, B, C, h),
        selective_scan.selective_scan(u, dt, A, B, C, h),
    )
    assert (h == before).all()
    for a, b in zip(got, want, strict=True):
        assert a.dtype == dtype
        close(a, b, dtype)


def test_integers_are_no_reason_to_cut_fractions_off() -> None:
    """Every form gives for integers what it gives for the same numbers in float64."""
    rng = np.random.default_rng(0)
    A, B, C, D = np.array([[0.5, 0.0], [0.25, 0.5]]), np.eye(2), np.ones((1, 2)), np.ones((1, 2))
    u = rng.integers(-3, 4, (9, 2)).astype(np.float64)
    k = ssm.kernel(A, B, C, 9)
    decay, dt, h = np.full((9, 1), 0.5), np.ones((1, 9, 2)), np.ones((1, 2, 2))
    heads = u.reshape(1, 9, 2, 1)
    calls = (
        (lambda *a: ssm.recurrence(*a)[0], (A, B, C, u, D, np.ones(2))),
        (lambda *a: ssm.scan(*a)[0], (A, B, C, u, D)),
        (ssm.fft_convolution, (k, u, D)),
        (ssm.fft_convolution, (np.rint(8 * k), u, D)),
        (ssm.diagonal_scan, (decay, u[:, :1])),
        (lambda *a: ssm.discretise(*a, 0.5)[0], (-2 * np.eye(2), B)),
        (lambda *a: ssm.discretise(*a, 0.5)[1], (-2 * np.eye(2), B)),
        (lambda *a: selective_scan.naive_selective_scan(*a)[0], (u[None], dt, -B, u[None], u[None], h)),
        (lambda *a: selective_scan.selective_scan(*a)[0], (u[None], dt, -B, u[None], u[None], h)),
        (lambda *a: selective_scan.chunked_scan(*a)[0], (heads, -dt, heads, heads, np.ones((1, 2, 1, 1)))),
    )  # fmt: skip
    for call, arrays in calls:
        whole = [a.astype(np.int64) if (a == np.rint(a)).all() else a for a in arrays]
        assert any(a.dtype == np.int64 for a in whole)
        got = call(*whole)
        assert got.dtype == np.float64
        close(got, call(*arrays))


@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
def test_chunked_scan_is_mamba_with_one_decay_a_head(length: int) -> None:
    rng = np.random.default_rng(length)
    heads, p, groups, n = 4, 3, 2, 5
    u = rng.standard_normal((2, length, heads, p))
    log_decay = -np.exp(3 * rng.standard_normal((2, length, heads)))
    B, C = rng.standard_normal((2, 2, length, groups, n))
    h = rng.standard_normal((2, heads, p, n))
    y, last = selective_scan.chunked_scan(u, log_decay, B, C, h)
    state = h
    for t in range(length):
        of_group = [np.repeat(x[:, t], heads // groups, axis=1) for x in (B, C)]
        state = (
            np.exp(log_decay[:, t])[..., None, None] * state
            + u[:, t, ..., None] * of_group[0][:, :, None]
        )
        assert distance(y[:, t], (state * of_group[1][:, :, None]).sum(-1)) < 1e-12
    assert distance(last, state) < 1e-12
