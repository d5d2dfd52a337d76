"""What the two views of the minimax game show is what theory says, wherever the controls stand."""

import itertools
import math
import time

import jax
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from gan_jax import data, explorer, theory
from gan_jax.explorer import Curve, Handle
from gan_jax.explorer.minimax import MODES, REAL, STEPS, Heaps, Setting, _train, _trained, train_discriminator

pytestmark = pytest.mark.once

SETTINGS = [
    {},
    {"mean_1": 0.0},
    {"mean_1": 6.0, "width_1": 0.25},
    {"mean_1": -6.0, "width_1": 3.0},
    {"p": "two", "modes": "2", "mean_1": 2.0, "mean_2": -2.0, "width_1": 0.6, "width_2": 0.6},
    {"p": "two", "width_1": 0.25},
    {"p": "three", "modes": "3", "width_2": 0.25, "width_3": 3.0, "mean_3": -6.0},
]


def moved(live, **values):
    for name, value in values.items():
        live.set(name, value)
    return live


@pytest.fixture
def live():
    return explorer.minimax()


@pytest.fixture(scope="module")
def training():
    return explorer.best_response()


def log_density(heaps, x):
    """By SciPy, which shares no code with the view."""
    means, scales, weights = map(np.asarray, heaps)
    return logsumexp(norm.logpdf(x[:, None], means, scales), axis=1, b=weights)


def oracle(live):
    """The five numbers, on another and finer grid."""
    values = live.values
    heaps = range(1, int(values["modes"]) + 1)
    fake = [values[f"mean_{i}"] for i in heaps], [values[f"width_{i}"] for i in heaps], [1 / len(heaps) for _ in heaps]
    x, dx = np.linspace(-40.0, 40.0, 40_001), 80 / 40_000
    log_p, log_q = log_density(REAL[values["p"]][1], x), log_density(fake, x)
    p, q = np.exp(log_p), np.exp(log_q)
    log_m = np.logaddexp(log_p, log_q) - np.log(2)
    jsd = dx * np.sum(p * (log_p - log_m) + q * (log_q - log_m)) / 2
    return {
        "V(D*)": -math.log(4) + 2 * jsd,
        "JSD": jsd,
        "KL(p || p_g)": dx * np.sum(p * (log_p - log_q)),
        "KL(p_g || p)": dx * np.sum(q * (log_q - log_p)),
        "W1": dx * np.sum(abs(np.cumsum(dx * (p - q)))),
    }


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_every_number_is_theorys(live, setting):
    scene = moved(live, **setting).scene
    for name, value in oracle(live).items():
        # the kink of |F - G| makes W1's rule one of second order; the others are exact to rounding
        tolerance = {"abs": 1e-4} if name == "W1" else {"rel": 1e-6, "abs": 1e-9}
        assert scene.number(name) == pytest.approx(value, **tolerance), name


@pytest.mark.parametrize(("mean", "width"), itertools.product((-6.0, 0.0, 1.0, 4.0), (0.25, 1.0, 3.0)))
def test_two_bell_curves_have_the_closed_forms(live, mean, width):
    scene = moved(live, mean_1=mean, width_1=width).scene
    assert scene.number("KL(p || p_g)") == pytest.approx(theory.gaussian_kl(0.0, 1.0, mean, width**2), rel=1e-9)
    assert scene.number("KL(p_g || p)") == pytest.approx(theory.gaussian_kl(mean, width**2, 0.0, 1.0), rel=1e-9)
    assert scene.number("W1") == pytest.approx(theory.gaussian_w1(0.0, 1.0, mean, width), abs=2e-4)


def test_the_first_setting_is_the_pair_of_the_lesson(live):
    found = [live.scene.number(name) for name in ("V(D*)", "JSD", "KL(p || p_g)", "W1")]
    assert found == pytest.approx([-1.163451, 0.111421, 0.5, 1.0], abs=1e-6)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_picture_is_finite_and_inside_its_axes(live, setting):
    (panel,) = moved(live, **setting).scene.panels
    for mark in (mark for mark in panel.marks if isinstance(mark, Curve)):
        low, high = panel.right if mark.right else panel.y
        assert np.isfinite(mark.y).all(), mark.name
        assert low <= mark.y.min(), mark.name
        assert mark.y.max() <= high, mark.name
    best = next(mark for mark in panel.marks if isinstance(mark, Curve) and mark.name == "D*")
    p, q = (next(m.y for m in panel.marks if isinstance(m, Curve) and m.name == name) for name in ("p", "p_g"))
    both = p + q > 1e-12
    assert best.y[both] == pytest.approx((p / np.where(both, p + q, 1))[both], abs=1e-9)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_a_grip_sits_on_its_curve_and_gives_its_sliders_value(live, setting):
    (panel,) = moved(live, **setting).scene.panels
    fake = next(mark for mark in panel.marks if isinstance(mark, Curve) and mark.name == "p_g")
    grips = [mark for mark in panel.marks if isinstance(mark, Handle)]
    count = int(live.values["modes"])
    assert [grip.control for grip in grips] == [f"{n}_{i}" for i in range(1, count + 1) for n in ("mean", "width")]
    for grip in grips:
        assert (grip.x - grip.offset) * grip.scale == pytest.approx(live.values[grip.control], abs=1e-12)
        if panel.x[0] < grip.x < panel.x[1]:
            assert grip.y == pytest.approx(np.interp(grip.x, fake.x, fake.y), abs=0.02)


@pytest.mark.parametrize("modes", MODES)
def test_sliders_of_absent_modes_are_hidden(live, modes):
    hidden = moved(live, modes=modes).scene.hidden
    assert set(hidden) == {f"{n}_{i}" for i in range(int(modes) + 1, 4) for n in ("mean", "width")}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"mean_1": 0.0}, "It is not 0"),
        ({"mean_1": 6.0}, "W1 still grows"),
        ({"p": "two", "mean_1": 2.0, "width_1": 0.6}, "misses a part of p"),
        ({"width_1": 3.0}, "hardly any"),
        ({"mean_1": 1.5}, "D* is 1/2"),
    ],
)
def test_the_remark_names_what_is_to_be_seen(live, setting, said):
    assert said in moved(live, **setting).scene.remark


def test_an_answer_is_quick(live):
    moved(live, p="three", modes="3")
    spent = []
    for mean in np.linspace(-5, 5, 20):
        began = time.process_time()
        live.set("mean_1", float(mean))
        spent.append(time.process_time() - began)
    assert min(spent) < 0.015


# ---- D after k steps ----


@pytest.mark.parametrize("k", [0, 7, 60, STEPS])
def test_what_d_wins_is_its_logits_value_and_never_more_than_the_best(training, k):
    scene = moved(training, k=k).scene
    pair, trained = _trained(REAL["one"][1], Heaps((1.0,), (1.0,), (1.0,)), 7.0, 0)
    value = theory.value(trained.logits[k], pair.log_p, pair.log_q, pair.grid.weights)
    assert scene.number("V(D)") == pytest.approx(value, abs=1e-9)
    assert scene.number("V(D*)") == pytest.approx(-1.163451, abs=1e-6)
    assert scene.number("gap") == pytest.approx(scene.number("V(D*)") - scene.number("V(D)"), abs=1e-12)
    assert scene.number("gap") > 0
    x = pair.grid.points[:, 0]
    mixed = pair.grid.weights * (norm.pdf(x) + norm.pdf(x, 1)) / 2
    error = math.sqrt(np.sum(mixed * (trained.logits[k] - (0.5 - x)) ** 2))
    assert scene.number("logit error") == pytest.approx(error, rel=1e-6)


def test_d_comes_near_its_best_from_every_seed(training):
    for seed in range(5):
        start, end = (moved(training, seed=seed, k=k).scene for k in (0, STEPS))
        assert start.number("gap") > 0.1
        assert end.number("gap") < 0.01
        assert end.number("logit error") < 0.2 < start.number("logit error")
    training.reset()


def test_the_gap_is_the_mean_kl_of_the_answers(training):
    pair, trained = _trained(REAL["one"][1], Heaps((1.0,), (1.0,), (1.0,)), 7.0, 0)
    inside = abs(pair.grid.points[:, 0]) < 10
    best, answer = (1 / (1 + np.exp(-logit[inside])) for logit in (pair.u, trained.logits[5]))
    coins = best * np.log(best / answer) + (1 - best) * np.log((1 - best) / (1 - answer))
    mixed = (pair.grid.weights * (np.exp(pair.log_p) + np.exp(pair.log_q)) / 2)[inside]
    assert moved(training, k=5).scene.number("gap") == pytest.approx(2 * np.sum(mixed * coins), abs=1e-6)


def test_moving_k_trains_nothing_and_another_pair_compiles_nothing(training):
    training.reset()
    before, compiled = _trained.cache_info().misses, _train._cache_size()
    for k in range(0, STEPS, 40):
        training.set("k", k)
    assert _trained.cache_info().misses == before
    moved(training, p="three", modes="2", mean_1=2.0)
    assert _trained.cache_info().misses > before
    assert _train._cache_size() == compiled


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"k": 0}, "not learnt anything"),
        ({"k": 10}, "not the gradient of JSD"),
        ({"k": STEPS}, "right where there are samples"),
        ({"k": STEPS, "p": "two"}, "off by 1"),  # V is near its best, and the logit is not
        ({"k": STEPS, "mean_1": 6.0}, "off by 8"),
    ],
)
def test_the_remark_tells_a_good_value_from_a_good_logit(training, setting, said):
    training.reset()
    assert said in moved(training, **setting).scene.remark
    training.reset()


def test_training_depends_on_key_and_pair_only():
    x = np.array([-1.0, 0.5, 3.0])
    key = jax.random.key(3)
    first, again, other = (
        train_discriminator(data.gaussian(0.0), data.gaussian(2.0), x, k, steps=5)
        for k in (key, key, jax.random.key(4))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


# ---- a target of one's own ----


def test_a_target_of_ones_own_comes_first(as_users_see_it):
    target = data.mixture([-1.0, 2.5], [0.3, 0.8], [1.0, 3.0])
    live = explorer.minimax(target, modes=2)
    assert (live.values["p"], live.values["modes"]) == ("yours", "2")
    curve = live.scene.panels[0].marks[0]
    log_p = np.asarray(target.log_prob(np.asarray(curve.x, np.float32)[:, None]))
    assert curve.y == pytest.approx(np.exp(log_p), abs=1e-5)
    assert live.scene.panels[0].x[1] >= 2.5 + 4 * 0.8


def test_a_target_that_the_menu_has_stands_on_it_once(as_users_see_it):
    assert list(Setting.of(data.mixture([-2.0, 2.0], 0.6)).real) == ["yours", "one", "three"]
    assert list(Setting.of(data.gaussian(0.0, 1.1)).real) == ["yours", *REAL]


def test_more_heaps_than_the_menu_has_can_be_trained_on(as_users_see_it):
    live = explorer.best_response(data.mixture([-4.0, -2.0, 0.0, 2.0, 4.0], 0.3))
    assert live.scene.number("gap") > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((data.ring(8),), r"on the line, got \(2,\); make one with data.gaussian"),
        (("gaussian",), "on the line, got 'gaussian'"),
        ((data.gaussian(0.0, 0.01),), "standard deviation 0.01; the grid needs at least 0.05"),
        ((None, 4), "p_g has at most 3 modes here, got 4"),
        ((None, 0), "modes must be a whole number of at least 1, got 0"),
    ],
)
@pytest.mark.parametrize("view", [explorer.minimax, explorer.best_response])
def test_what_cannot_be_shown_is_named(as_users_see_it, view, arguments, says):
    with pytest.raises(ValueError, match=says):
        view(*arguments)
