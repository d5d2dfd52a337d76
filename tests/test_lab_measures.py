"""The lab's measures against closed forms, against the core's own metrics and theory, and against their floors."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.flatten_util import ravel_pytree
from standing import Standing, gaussians, linear, trained_like

from gan_jax import data, losses, metrics, nets, theory, train
from gan_jax.data.distributions import _draw
from gan_jax.lab import densities, measures, stability
from gan_jax.lab.densities import Masses
from gan_jax.lab.measures import CHARTS, MEASURES, Track, Tracks
from gan_jax.train import Gan, Hyperparams

pytestmark = pytest.mark.once

TARGETS = {**data.TARGETS, "drawn": lambda: data.drawn([(-0.5, 0.1), (0.4, 0.3), (0.0, -0.6)], scale=0.04)}
DIVERGENCES = {"kl": measures.kl, "kl_reverse": measures.kl_reverse, "js": measures.js}


# ---- a series that does not grow ----


def test_a_track_keeps_its_size_its_ends_and_its_order():
    track = Track(size=512)
    for step in range(100_000):
        track.add(step, step / 10)
        if step in (0, 511, 512, 5_000):
            assert len(track.points) <= 512
            assert track.points[-1].tolist() == [step, step / 10]
    steps = track.points[:, 0]
    assert 256 <= len(steps) <= 512
    assert (steps[0], steps[-1]) == (0, 99_999)
    assert len(set(np.diff(steps)[:-1])) == 1  # evenly spaced, but for the newest
    np.testing.assert_allclose(track.points[:, 1], steps / 10)


def test_a_track_forgets_what_comes_after_a_step_and_nothing_else():
    track = Track(size=8)
    for step in range(20):
        track.cut(step)  # as training on does
        track.add(step, float(step))
    before = track.points.tolist()
    track.cut(30)
    assert track.points.tolist() == before
    track.cut(9)
    assert track.points[-1][0] <= 9
    track.add(10, 1.0)
    track.add(11, math.nan)
    track.add(12, math.inf)
    assert track.points[-1].tolist() == [10, 1]
    assert len(track.points) <= 8


# ---- divergences ----


@pytest.mark.parametrize(
    ("shift", "spread", "within"), [((1.0, 0.0), 1.0, 0.05), ((0.7, -0.9), 1.2, 0.05), ((0.0, 0.0), 0.6, 0.2)]
)
def test_divergences_of_two_gaussians_are_the_closed_forms(shift, spread, within):
    """Within what `measures` states and three times the floor; both widths grown by the kernel's."""
    standing = gaussians(shift, spread=spread)
    width = densities.moment(standing).masses().width
    p, q = (np.eye(2) * (s**2 + width**2) for s in (1.0, spread))
    mean = np.array(shift)
    for name, exact in [("kl", theory.gaussian_kl(np.zeros(2), p, mean, q)),
                        ("kl_reverse", theory.gaussian_kl(mean, q, np.zeros(2), p))]:  # fmt: skip
        floor = MEASURES[name].floor(standing)
        assert 0 < floor < 0.04
        assert MEASURES[name].compute(standing) == pytest.approx(exact, rel=within, abs=3 * floor)


def test_js_of_two_gaussians_is_the_quadrature():
    standing = gaussians()
    width2 = 1 + densities.moment(standing).masses().width ** 2
    grid = theory.quadrature((-6.0, 7.0, -6.0, 6.0), 150)
    log_p, log_q = (
        -np.sum((grid.points - mean) ** 2, axis=1) / (2 * width2) - np.log(2 * np.pi * width2)
        for mean in (np.zeros(2), np.array([1.0, 0.0]))
    )
    exact = theory.divergence("jensen_shannon", log_p, log_q, grid.weights)
    assert MEASURES["js"].compute(standing) == pytest.approx(exact, abs=3 * MEASURES["js"].floor(standing))


@pytest.mark.parametrize("target", TARGETS)
def test_a_perfect_generator_s_divergences_are_at_their_floor(target):
    """For every target: finite, never negative, and within the spread of what the floor was taken from."""
    standing = Standing(Gan(nets.mlp(2, 2), nets.mlp(2, 1)), TARGETS[target]())
    width = densities.moment(standing).masses().width
    real = densities.real_masses(standing.target, standing.window, width)
    for key in jax.random.split(jax.random.key(77), 3):
        fake = densities.fake_masses(_draw(standing.target, key, 4096), standing.window, width)
        for name, function in DIVERGENCES.items():
            value, floor = function(Masses(real, fake, width, 4096)), measures.perfect(standing, name)
            assert 0 <= value < 0.06
            assert abs(value - floor.mean) < 6 * floor.std + 0.02 * floor.mean


def masses_of(target, points):
    """Masses of a target and of samples at these points."""
    window = np.asarray(data.bounds(target), np.float32)
    width = densities.round_off(float(window[1] - window[0]) / 64)
    real = densities.real_masses(target, window, width)
    return Masses(real, densities.fake_masses(jnp.asarray(points, jnp.float32), window, width), width, 4096)


def test_a_collapse_and_a_flight_are_large_and_finite():
    ring, angle = data.ring(8), np.linspace(0, 2 * np.pi, 4096)
    collapsed = masses_of(ring, np.tile([[1.0, 0.0]], (4096, 1)))
    flown = masses_of(ring, np.full((4096, 2), 1e6))
    spread = masses_of(ring, 0.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    for masses in (collapsed, flown, spread):
        assert 0 < measures.js(masses) <= math.log(2)
        assert all(0 < function(masses) < 2 * math.log(4096) for function in DIVERGENCES.values())
    # one mode of eight: KL(p_g || p) is about log 8, KL(p || p_g) grows with what is known of the others
    assert measures.kl_reverse(collapsed) == pytest.approx(math.log(8), abs=0.5)
    assert measures.kl(collapsed) > 5
    assert measures.js(flown) == pytest.approx(math.log(2), abs=1e-3)


def test_equal_masses_diverge_by_nothing():
    real = densities.real_masses(data.spiral(), np.asarray(data.bounds(data.spiral()), np.float32), 0.05)
    for function in DIVERGENCES.values():
        assert function(Masses(real, real, 0.05, 4096)) == 0


# ---- every measure ----


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_is_a_finite_number_with_its_floor(name):
    standing, measure = trained_like(), MEASURES[name]
    assert measure.chart in CHARTS
    assert name in CHARTS[measure.chart].measures
    assert measure.reason(standing) is None
    assert math.isfinite(measure.compute(standing))
    floor = measure.floor(standing)
    assert floor is None or math.isfinite(floor)
    assert measure.floor(standing) == floor


def test_measures_of_samples_are_the_core_s_metrics():
    standing = trained_like()
    fake = densities.moment(standing).fake
    for name, metric, n in [("modes", metrics.modes_covered, 4096), ("quality", metrics.high_quality_share, 4096),
                            ("mode_kl", metrics.reverse_kl, 4096), ("w2", metrics.wasserstein2, 512)]:  # fmt: skip
        assert MEASURES[name].compute(standing) == pytest.approx(float(metric(fake[:n], standing.target)), rel=1e-6)
    assert MEASURES["quality"].floor(standing) == pytest.approx(1 - math.exp(-4.5), abs=0.005)
    assert MEASURES["modes"].floor(standing) == 8


def test_a_target_without_modes_says_so():
    standing = Standing(trained_like().gan, data.two_moons())
    without = {name for name, measure in MEASURES.items() if measure.reason(standing)}
    assert without == {"modes", "quality", "mode_kl"}
    assert {MEASURES[name].reason(standing)["key"] for name in without} == {"measures.no_modes"}


# ---- calibration ----


def best(standing):
    """Put D* of two unit Gaussians, seen through the kernel, in D's place."""
    variance = 1 + densities.moment(standing).cell ** 2
    shift = np.asarray(standing.game.generator(jnp.zeros((1, 2))))[0]
    return standing.place(discriminator=linear(2, 1, -shift / variance, [shift @ shift / 2 / variance]))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_a_d_at_its_best_is_calibrated_and_any_other_is_not(smoothing):
    hyper = Hyperparams(label_smoothing=smoothing)
    standing = best(gaussians(hyper=hyper))
    if (
        smoothing
    ):  # D* is then 1 - s times p / (p + p_g), which no linear D is: take one that says 1/2 of equal densities
        standing = gaussians((0.0, 0.0), hyper=hyper)
        standing.place(discriminator=linear(2, 1, [0, 0], [math.log((1 - smoothing) / (1 + smoothing))]))
    floor = MEASURES["calibration"].floor(standing)
    assert MEASURES["calibration"].compute(standing) < 2 * floor
    standing.place(discriminator=linear(2, 1, [0, 0], [2.0]))
    assert MEASURES["calibration"].compute(standing) > 5 * floor


def test_reliability_counts_the_real_ones_among_the_samples():
    found = measures.reliability(best(gaussians((1.5, 0.0))))
    assert sum(found["count"]) == 2 * 4096
    assert np.all(np.diff(found["answer"]) > 0)
    np.testing.assert_allclose(found["answer"], found["share"], atol=0.06)
    assert found["error"] < 2 * found["floor"]
    sure = measures.reliability(gaussians((0.0, 0.0)).place(discriminator=linear(2, 1, [0, 0], [3.0])))
    assert sure["answer"] == [pytest.approx(1 / (1 + math.exp(-3)))]
    assert sure["share"] == [0.5]
    assert sure["error"] == pytest.approx(1 / (1 + math.exp(-3)) - 0.5, abs=1e-6)


def test_reliability_is_of_what_d_sees_and_of_no_critic():
    noisy = best(gaussians(hyper=Hyperparams(instance_noise=2.0)))  # too sure for what it sees
    assert measures.reliability(noisy)["error"] > 4 * measures.reliability(best(gaussians()))["error"]
    assert measures.reliability(trained_like(losses.wasserstein))["reason"]["key"] == "layers.ratio.wasserstein"


# ---- gradients and eigenvalues ----


@pytest.mark.parametrize("rules", [{}, {"packing": 2, "penalty": losses.r1}], ids=["plain", "packing and R1"])
def test_gradient_norms_are_those_of_the_two_losses(rules):
    """Along its own gradient each loss falls as quickly as the norm says: a finite difference of the loss itself."""
    standing = trained_like(**rules)
    standing.hyper = replace(standing.hyper, label_smoothing=0.1, penalty_weight=2.0)
    norms = stability.gradient_norms(standing)
    game, (theta, psi) = stability.game_of(standing)  # in double precision another batch would be drawn
    with theory.double_precision():
        for norm, loss, mine in zip(
            norms, (lambda t: game.loss_g(t, psi), lambda t: game.loss_d(theta, t)), (theta, psi), strict=True
        ):
            flat, back = ravel_pytree(jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), mine))
            along = jax.jit(jax.value_and_grad(lambda flat, loss=loss, back=back: loss(back(flat))))
            direction = along(flat)[1]
            direction = direction / jnp.linalg.norm(direction)
            slope = (along(flat + 1e-5 * direction)[0] - along(flat - 1e-5 * direction)[0]) / 2e-5
            assert norm == pytest.approx(float(slope), rel=1e-3)


def test_the_game_is_that_of_theory_where_nothing_is_added():
    standing = trained_like()
    game, pair = stability.game_of(standing)
    g_def, d_def = (
        nnx.split(module, nnx.Param)[0] for module in (standing.game.generator, standing.game.discriminator)
    )
    n = stability.batch_size(standing.gan)
    plain = theory.sampled_game(
        lambda theta, z: nnx.merge(g_def, theta)(z), lambda psi, x: nnx.merge(d_def, psi)(x)[:, 0],
        standing.gan.loss, stability._real(standing.target, n), densities.latents(standing.gan, n),
    )  # fmt: skip
    field = jax.jit(theory.field)
    for ours, theirs in zip(field(game, pair), field(plain, pair), strict=True):
        np.testing.assert_allclose(ravel_pytree(ours)[0], ravel_pytree(theirs)[0], rtol=1e-4, atol=1e-6)


def tiny(hyper=None):
    gan = Gan(nets.mlp(1, 3, 2, activation="tanh"), nets.mlp(2, 3, 1, activation="tanh"))
    return Standing(gan, data.gaussian((0.5, 0.3), 0.3), hyper)


@pytest.mark.parametrize("rates", [(1e-3, 4e-3)])
def test_eigenvalues_are_those_of_the_scaled_field_s_jacobian(rates):
    standing = tiny(Hyperparams(lr_g=rates[0], lr_d=rates[1]))
    found = stability.spectrum(standing)
    h = max(rates)
    game, pair = stability.game_of(standing)  # in double precision another batch would be drawn
    with theory.double_precision():
        flat, back = ravel_pytree(jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), pair))
        of_g = ravel_pytree(pair[0])[0].size
        scale = np.repeat([rates[0] / h, rates[1] / h], [of_g, flat.size - of_g])
        field = lambda v: scale * ravel_pytree(theory.field(game, back(v)))[0]  # noqa: E731
        expected = np.linalg.eigvals(np.asarray(jax.jit(jax.jacfwd(field))(flat)))
    values = np.array([complex(*value) for value in found["values"]])
    np.testing.assert_allclose(np.sort_complex(values), np.sort_complex(expected), rtol=1e-4, atol=1e-5)
    assert found["rightmost"] == pytest.approx(expected.real.max(), abs=1e-5)
    assert (found["rate"], found["size"], found["settled"]) == (h, flat.size, True)


def test_leading_eigenvalues_of_a_larger_game_are_among_all_of_them():
    standing = trained_like()
    found = stability.spectrum(standing)
    everything = theory.eigenvalues(*stability.game_of(standing))
    for real, imaginary in found["values"]:
        assert abs(everything - complex(real, imaginary)).min() < 1e-4
    assert found["rightmost"] == pytest.approx(everything.real.max(), abs=1e-5)
    largest = np.sort(abs(everything))[-stability.LARGEST :]
    moduli = np.sort([math.hypot(*value) for value in found["values"]])
    np.testing.assert_allclose(moduli[-stability.LARGEST :], largest, rtol=1e-4)


# ---- following ----


def test_tracks_measure_when_it_is_due_and_no_step_twice():
    standing = trained_like()
    tracks = Tracks(["kl", "modes", "rightmost"])
    at = lambda step: setattr(standing, "game", replace(standing.game, step=jnp.int32(step)))  # noqa: E731
    for now, step in [(0.0, 0), (1e3, 0), (2e3, 5), (2e3 + 0.1, 6), (3e3, 7), (4e3, 3)]:
        at(step)
        tracks.update(standing, now=now)
    assert tracks.tracks["modes"].points[:, 0].tolist() == [0, 5, 7]
    assert tracks.arrays()["track_kl"].shape == (3, 2)
    assert tracks.arrays()["track_rightmost"].shape == (0, 2)
    told = tracks.describe(standing)
    assert told["modes"]["floor"] == 8
    assert told["modes"]["value"] == tracks.tracks["modes"].last[1]
    tracks.follow(["modes", "w2"])
    assert tracks.tracks["modes"].points[:, 0].tolist() == [0, 5, 7]
    tracks.cut(5)
    assert tracks.tracks["modes"].points[:, 0].tolist() == [0, 5]
    tracks.clear()
    assert tracks.arrays()["track_modes"].shape == (0, 2)


def test_what_does_not_apply_is_told_and_not_measured():
    standing = Standing(trained_like(losses.hinge).gan, data.two_moons())
    tracks = Tracks(["quality", "calibration"])
    tracks.update(standing)
    assert [len(array) for array in tracks.arrays().values()] == [0, 0]
    told = tracks.describe(standing)
    assert told["quality"]["reason"]["key"] == "measures.no_modes"
    assert told["calibration"] == {"value": None, "floor": None, "reason": told["calibration"]["reason"]}


def test_training_on_moves_the_measures_without_compiling():
    standing = trained_like()
    quick = [measure for name, measure in MEASURES.items() if name not in ("rightmost", "w2")]
    look = lambda: [measure.compute(standing) for measure in quick]  # noqa: E731
    first = look()
    jitted = [densities._smoothed, densities.generate, stability._norms]
    before = [function._cache_size() for function in jitted]
    standing.game = train.init(standing.gan, standing.hyper, jax.random.key(9))
    standing.hyper = replace(standing.hyper, label_smoothing=0.1, lr_d=0.2, penalty_weight=7.0)
    assert look() != first
    assert [function._cache_size() for function in jitted] == before
