"""The loss explorer's numbers and pictures against closed forms, SciPy's ODE solver, autodiff and `theory`."""

import itertools
import math
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from scipy.special import expit

from gan_jax import theory
from gan_jax.errors import UnknownName
from gan_jax.explorer import Curve, Dots, Motion, objectives
from gan_jax.explorer.objectives import CONTROLS, FLOOR, FRAMES, OUTPUTS, TIME, pulls, race, scene, undecided
from gan_jax.explorer.scene import check_scene
from gan_jax.losses import LOSSES

pytestmark = pytest.mark.once

ENDS = itertools.product((-10.0, -2.0, 0.0, 1.0, 10.0), (0.5, 2.0, 6.0))
MEAN_REAL = lambda x: scipy.integrate.quad(  # noqa: E731
    lambda r: scipy.stats.norm.pdf(r) * expit(x**2 - x * r), -9, 9, points=[x], epsabs=1e-12
)[0]


def ratio(x):
    """Log density ratio in the middle of fakes N(x, 1), against N(0, 1)."""
    return -(x**2) / 2


SPEED = {
    "nonsaturating": lambda x: x * expit(-ratio(x)),
    "minimax": lambda x: x * expit(ratio(x)),
    "least_squares": lambda x: x * expit(ratio(x)) * expit(-ratio(x)) ** 2,
    "wasserstein": lambda x: float(x > 0),
    "hinge": lambda x: 0.0,
    "relativistic": lambda x: x * MEAN_REAL(x),
    "f_kl": lambda x: x * math.exp(ratio(x)),
    "f_reverse_kl": lambda x: x,
    "f_jensen_shannon": lambda x: x * expit(ratio(x)),
    "f_pearson": lambda x: 2 * x * math.exp(2 * ratio(x)),
}
"""Speed of the sample in the middle of fakes N(x, 1), worked out by hand; the relativistic mean by quadrature."""


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("output", [-10.0, -3.3, 0.0, 0.7, 2.0, 10.0])
def test_the_numbers_are_the_losses_and_their_derivative(name, output, float64):
    view, loss = scene(name, output, 4), LOSSES[name]
    real, fake = jnp.array([2 * undecided(name) - output]), jnp.array([output])
    slope = float(jax.grad(lambda fake: loss.generator(real, fake))(fake)[0])
    assert view.number("L_D") == pytest.approx(float(loss.discriminator(real, fake)), rel=1e-9, abs=1e-12)
    assert view.number("L_G") == pytest.approx(float(loss.generator(real, fake)), rel=1e-9, abs=1e-12)
    assert view.number("gradient") == pytest.approx(slope, rel=1e-9, abs=1e-15)
    assert view.number("against minimax") == pytest.approx(slope / -expit(output), rel=1e-9)
    _, gradient, _ = view.panels
    point = next(mark for mark in gradient.marks if isinstance(mark, Dots))
    assert float(point.y[0]) == pytest.approx(max(math.log10(abs(slope)), FLOOR), abs=1e-9)


def test_a_sure_discriminator_starves_only_the_minimax_generator():
    assert scene("minimax", -10, 4).number("gradient") == pytest.approx(-4.54e-5, rel=1e-3)
    assert scene("nonsaturating", -10, 4).number("gradient") == pytest.approx(-0.999955, abs=1e-6)
    for output in (-10.0, -1.0, 0.0, 3.0):
        found = scene("nonsaturating", output, 4).number("against minimax")
        assert found == pytest.approx(math.exp(-output), rel=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_undecided_is_where_both_losses_rest(name):
    view, (loss_d, loss_g) = scene(name, undecided(name), 4), theory.equilibrium(LOSSES[name])
    assert view.number("L_D") == pytest.approx(loss_d, abs=1e-5)
    if loss_g is not None:
        assert view.number("L_G") == pytest.approx(loss_g, abs=1e-5)


@pytest.mark.parametrize("x", [0.5, 1.0, 2.5, 4.0, 6.0])
def test_the_speed_of_the_sample_is_the_one_worked_out_by_hand(x):
    for name, found in pulls(x).items():
        assert -found.velocity == pytest.approx(SPEED[name](x), rel=1e-6), name


@pytest.mark.parametrize("distance", [0.5, 2.0, 4.0, 6.0])
def test_the_race_against_scipys_solver(distance):
    times = np.linspace(0, TIME, FRAMES)
    paths = race(distance)
    assert paths.shape == (FRAMES, len(LOSSES))
    assert np.isfinite(paths).all()
    assert (paths >= 0).all()
    assert (np.diff(paths, axis=0) <= 1e-6).all()
    for name, path in zip(LOSSES, paths.T, strict=True):
        if name == "wasserstein":  # the right-hand side jumps at 0
            exact = np.maximum(distance - times, 0)
        else:
            solved = scipy.integrate.solve_ivp(lambda _, x: [-SPEED[name](x[0])], (0, TIME), [distance],  # noqa: B023
                                               t_eval=times, rtol=1e-5, atol=1e-7, method="RK45")  # fmt: skip
            exact = solved.y[0]
        np.testing.assert_allclose(path, exact, atol=2e-4, err_msg=name)


@pytest.mark.parametrize(("name", "kind"), [("f_kl", "kl"), ("f_pearson", "pearson")])
def test_the_mean_pull_that_the_remark_names_is_the_slope_of_the_divergence(name, kind):
    grid = theory.quadrature((-20.0, 20.0), 8000)
    log_p = scipy.stats.norm.logpdf(grid.points[:, 0])
    at = lambda mean: float(  # noqa: E731
        theory.divergence(kind, log_p, scipy.stats.norm.logpdf(grid.points[:, 0], mean), grid.weights)
    )
    slope = (at(3.001) - at(2.999)) / 0.002
    remark = scene(name, -4, 3).remark
    named = float(remark.split("the pull is ")[1].split(", but")[0].replace(",", ""))
    assert named == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("name", LOSSES)
def test_every_place_of_the_controls_has_a_scene(name):
    for output, distance in ENDS:
        view = scene(name, output, distance)
        check_scene(view, CONTROLS)
        assert all(np.isfinite(number.value) for number in view.numbers)
        assert view.remark
        assert LOSSES[name].name in view.words
        for panel in view.panels[:2]:
            for dot in (mark for mark in panel.marks if isinstance(mark, Dots)):
                assert panel.y[0] <= float(dot.y[0]) <= panel.y[1]
        [motion] = [mark for mark in view.panels[2].marks if isinstance(mark, Motion)]
        assert motion.names[motion.chosen] == LOSSES[name].name
        assert motion.x[-1, motion.chosen] == pytest.approx(view.number("left to go"))
        assert motion.x.min() >= view.panels[2].x[0]
        assert motion.x.max() <= view.panels[2].x[1]


@pytest.mark.parametrize("name", LOSSES)
def test_the_curve_is_dashed_where_a_fake_is_pushed_down(name):
    chosen = [mark for mark in scene(name, 0, 4).panels[1].marks if isinstance(mark, Curve) and mark.colour == "accent"]
    dashed = np.concatenate([OUTPUTS[~np.isnan(curve.y)] for curve in chosen if curve.dashed] or [np.zeros(0)])
    expected = {"least_squares": OUTPUTS > 1.001, "f_pearson": OUTPUTS < -2.001}.get(name, OUTPUTS > 99)
    np.testing.assert_array_equal(dashed, OUTPUTS[expected])


def test_it_opens_where_it_is_told_and_answers_quickly():
    live = objectives("hinge", output=-1.5, distance=2)
    assert live.values == {"loss": "hinge", "output": -1.5, "distance": 2.0}
    for name in LOSSES:
        live.set("loss", name)
    seconds = []
    for output in np.linspace(-10, 10, 15):
        began = time.perf_counter()
        live.set("output", float(output))
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.02


def test_a_wrong_start_is_named(as_users_see_it):
    with pytest.raises(UnknownName, match="did you mean 'hinge'"):
        objectives("hindge")
    with pytest.raises(ValueError, match=r"distance must be from 0\.5 to 6, got 9"):
        objectives(distance=9)
