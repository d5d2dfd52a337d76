import re

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Circle
from matplotlib.quiver import Quiver

from gan_jax import plots, theory

XY, START = theory.bilinear, np.array([1.0, 0.0])


def quiver(axes):
    return next(artist for artist in axes.collections if isinstance(artist, Quiver))


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_the_fields_arrows_point_along_the_games_field():
    (axes,) = plots.field(theory.quadratic(2.0, 1.0, 0.5), window=(-1, 1, 0, 2)).axes
    arrows = quiver(axes)
    x, y = arrows.XY.T
    velocity = np.stack([-2 * x - y, x - 0.5 * y], axis=1)  # loss_g = x^2 + xy, loss_d = y^2 / 4 - xy
    unit = velocity / np.linalg.norm(velocity, axis=1, keepdims=True)
    drawn = np.stack([arrows.U, arrows.V], axis=1)
    np.testing.assert_allclose(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), unit, atol=1e-5)
    shades = arrows.get_facecolors()[:, 3]
    assert (np.diff(shades[np.argsort(np.linalg.norm(velocity, axis=1))]) > -1e-6).all()  # the darker, the faster
    assert np.ptp(shades) > 0.4
    assert axes.get_xlim() + axes.get_ylim() == (-1, 1, 0, 2)
    assert axes.get_aspect() == 1


def test_the_field_draws_the_arrays_given():
    places = np.stack(np.meshgrid([0.0, 1.0, 2.0], [0.0, 1.0]), axis=-1)
    velocities = np.broadcast_to([0.0, -3.0], places.shape)
    picture = plots.field((places, velocities), equilibrium=None)
    arrows = quiver(picture.axes[0])
    np.testing.assert_array_equal(arrows.XY, places.reshape(-1, 2))
    assert (arrows.U == 0).all()
    assert (arrows.V < 0).all()
    assert plots.alt(picture) == "Field of the game, speed from 3 to 3 in the window."


def test_paths_are_drawn_through_their_points_with_start_end_and_equilibrium_marked():
    angles = np.linspace(0, 4 * np.pi, 81)  # two turns, from radius 1 to 1/2
    path = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.linspace(1, 0.5, 81)[:, None]
    path[:, 0] += 3
    picture = plots.field(XY, paths={"spiral": path}, equilibrium=(3, 0))
    line, start, end, rest = picture.axes[0].lines
    np.testing.assert_allclose(line.get_xydata(), path, atol=1e-6)
    np.testing.assert_allclose(start.get_xydata(), [[4, 0]])
    np.testing.assert_allclose(end.get_xydata(), [[3.5, 0]], atol=1e-6)
    np.testing.assert_allclose(rest.get_xydata(), [[3, 0]])
    assert "80 steps: from (4, 0) to (3.5, " in plots.alt(picture)
    assert "round the equilibrium 2 times, distance 1 to 0.5" in plots.alt(picture)
    assert texts(picture.axes[0]) == ["● spiral"]


def test_a_path_that_leaves_the_window_or_the_numbers_says_when():
    path = np.array([[1.0, 0], [2, 0], [9, 0], [1e30, 0], [np.nan, 0]])
    picture = plots.field(XY, paths={"wild": path}, window=(-3, 3, -3, 3))
    assert "out of the window at step 2, not finite from step 4" in plots.alt(picture)
    assert "● wild\n    out of the window at step 2" in texts(picture.axes[0])
    lines = picture.axes[0].lines  # path, start, equilibrium: no mark at an end that can't be seen
    assert len(lines) == 3
    np.testing.assert_array_equal(lines[0].get_xdata(), [1, 2, 9, np.nan])
    picture._repr_html_()


@pytest.mark.parametrize("of", plots.spectra.SIDES)
def test_the_spectrum_draws_each_eigenvalue_and_judges_the_worst(of):
    sets = {"rests": np.array([-0.5 + 0.5j, -0.5 - 0.5j]), "turns": np.array([-1j, 1j]), "flees": np.array([0.3, 1.5])}
    picture = plots.spectrum(sets, of=of)
    (axes,) = picture.axes
    for dots, values, color in zip(axes.collections, sets.values(), plots.SERIES, strict=False):
        np.testing.assert_array_equal(dots.get_offsets(), np.stack([values.real, values.imag], axis=1))
        assert to_hex(dots.get_edgecolor()[0]).upper() == color
    assert axes.get_aspect() == 1
    left, right, bottom, top = axes.get_xlim() + axes.get_ylim()
    assert (left < -0.5, right > 1.5, bottom < -1, top > 1) == (True,) * 4
    words = {
        "step": ["|μ| 0.7071, inside the unit circle", "|μ| 1.0000, on the unit circle", "|μ| 1.5000, outside"],
        "field": ["real part -0.5, left of", "real part 0, on the imaginary axis", "real part 1.5, right of"],
    }[of]
    for name, word in zip(sets, words, strict=True):
        assert re.search(rf"{name}: 2 eigenvalues, largest .*?{re.escape(word)}", plots.alt(picture))


@pytest.mark.parametrize(
    ("real", "words"),
    [(1.78e-4, "hardly grows or decays"), (-1.78e-4, "hardly grows or decays"), (2e-3, "diverges"), (0, "on the imag")],
)
def test_a_field_s_eigenvalue_next_to_the_axis_is_said_to_turn(real, words):
    assert words in plots.alt(plots.spectrum({"a": np.array([real + 1j, real - 1j])}, of="field"))
    assert "so steps diverge" in plots.alt(plots.spectrum({"a": np.array([1 + 0.01j])}))  # a slow spiral is one


def test_the_stable_side_of_the_spectrum_is_shaded():
    inside = next(patch for patch in plots.spectrum({"a": np.ones(1)}).axes[0].patches if isinstance(patch, Circle))
    assert (inside.center, inside.radius, inside.get_fill()) == ((0, 0), 1, True)
    (half,) = plots.spectrum({"a": np.ones(1)}, of="field").axes[0].patches
    assert half.get_x() < -1e6
    assert half.get_x() + half.get_width() == 0


def test_distances_are_drawn_as_given_on_a_logarithmic_axis_with_the_prediction_from_the_start():
    rows = {"a": 3 * 0.9 ** np.arange(60), "b": 2 * 1.02 ** np.arange(40)}
    picture = plots.distances(rows, predicted={"b": 1.03}, title="two runs")
    (axes,) = picture.axes
    a, b, guess = axes.lines
    np.testing.assert_array_equal(a.get_ydata(), rows["a"])
    np.testing.assert_array_equal(b.get_ydata(), rows["b"])
    np.testing.assert_allclose(guess.get_ydata(), 2 * 1.03 ** np.arange(40))
    assert guess.is_dashed()
    assert axes.get_yscale() == "log"
    assert {"a ×0.9000", "b ×1.0200"} <= set(texts(axes))
    assert "a: from 3 to 0.00599 in 59 steps, factor a step 0.9000 in the second half." in plots.alt(picture)
    assert "1.0200 in the second half, predicted 1.0300" in plots.alt(picture)


def test_the_measured_factor_is_that_of_the_second_half():
    row = np.concatenate([np.full(50, 1.0), 0.5 ** np.arange(51)])
    assert "factor a step 0.5000" in plots.alt(plots.distances({"a": row}))


def test_distances_that_end_at_zero_or_diverge_are_still_drawn():
    rows = {"rests": np.array([1.0, 0.0, 0.0, 0.0]), "flees": np.array([1.0, 1e300, np.inf, np.nan]), "is": np.zeros(3)}
    picture = plots.distances(rows, predicted={"rests": 0.1, "flees": 1e20})
    assert "rests: from 1 to 0 in 3 steps" in plots.alt(picture)
    assert "flees: from 1 to 1e+300 in 3 steps, not finite from step 2" in plots.alt(picture)
    picture._repr_html_()


def test_names_at_the_ends_of_a_logarithmic_axis_stand_beside_their_curves():
    (axes,) = plots.distances({"a": np.array([1e4, 1e-4]), "b": np.array([1e4, 1.0])}).axes
    heights = {text.get_text(): text.xy[1] for text in axes.texts}
    low, high = np.log10(axes.get_ylim())
    assert heights["b"] == pytest.approx((0 - low) / (high - low), abs=1e-6)


WRONG = {
    "field": (lambda: plots.field(np.zeros((3, 2))), "theory.Game, or a pair (places, velocities)"),
    "velocities": (lambda: plots.field((np.zeros((3, 2)), np.zeros((4, 2)))), "got (3, 2) and (4, 2)"),
    "path": (lambda: plots.field(XY, paths={"a": np.zeros((2, 5))}), "path 'a' must be points of the plane"),
    "paths": (lambda: plots.field(XY, paths={str(i): np.ones((2, 2)) for i in range(8)}), "at most 7 paths"),
    "of": (lambda: plots.spectrum({"a": np.ones(1)}, of="flow"), "no kind of eigenvalues is named 'flow'"),
    "no eigenvalues": (lambda: plots.spectrum({}), "at least one set"),
    "matrix": (lambda: plots.spectrum({"a": np.eye(2)}), "must be finite, of shape (m,), got shape (2, 2)"),
    "eigenvalues": (lambda: plots.spectrum({"a": np.array([1, np.nan])}), "shape (2,) with 1 not finite"),
    "no distances": (lambda: plots.distances({}), "at least one run"),
    "negative": (lambda: plots.distances({"a": -np.ones(3)}), "jnp.linalg.norm(path, axis=-1)"),
    "a path": (
        lambda: plots.distances({"a": np.ones((5, 2))}),
        "'a' must have shape (n,), got shape (5, 2)",
    ),
    "predicted": (lambda: plots.distances({"a": np.ones(3)}, predicted={"b": 1.0}), "no run is named 'b'"),
    "factor": (lambda: plots.distances({"a": np.ones(3)}, predicted={"a": -1.0}), "must be positive and finite"),
}


@pytest.mark.usefixtures("as_users_see_it")
@pytest.mark.parametrize("name", WRONG)
def test_what_can_not_be_drawn_is_named_with_what_was_expected(name):
    call, message = WRONG[name]
    with pytest.raises((ValueError, TypeError, KeyError), match=re.escape(message)):
        call()
