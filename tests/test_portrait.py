"""The phase portrait: what it shows is what theory, closed forms and loops of plain NumPy give."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import explorer, losses, theory
from gan_jax.errors import UnknownName
from gan_jax.explorer import dynamics, still
from gan_jax.explorer.portrait import KINDS
from gan_jax.explorer.scene import Arrows, Curve, Dots, Handle, arrays, check_scene
from gan_jax.theory import games, paths, spectra

pytestmark = pytest.mark.once


def path(scene):
    """The path as it is drawn, shape (steps + 1, 2)."""
    curve = next(mark for mark in scene.panels[0].marks if isinstance(mark, Curve) and mark.colour == "fake")
    return np.stack([curve.x, curve.y], axis=1)


def mean(scene):
    curve = next(mark for mark in scene.panels[0].marks if isinstance(mark, Curve) and mark.colour == "real")
    return np.stack([curve.x, curve.y], axis=1)


def shown_eigenvalues(scene):
    dots = [mark for mark in scene.panels[1].marks if isinstance(mark, Dots)]
    return np.sort_complex(np.concatenate([dot.x + 1j * dot.y for dot in dots]))


# ---- numbers ----

RADII = {
    "simultaneous": lambda h: math.sqrt(1 + h**2),
    "alternating": lambda h: 1.0,
    "extragradient": lambda h: math.sqrt(1 - h**2 + h**4),
    "optimistic": lambda h: math.sqrt((1 + math.sqrt(1 - 4 * h**2)) / 2),
}


def test_the_spectral_radius_of_f_xy_is_the_closed_form():
    live = explorer.portrait(updates=list(RADII))
    for update, h in itertools.product(RADII, (0.05, 0.3)):
        live._move({"update": update, "rate": h})
        assert live.scene.number("spectral radius") == pytest.approx(RADII[update](h), abs=1e-7)
        # on a game as straight as this one every path does at once what eigenvalues say in the long run
        assert live.scene.number("measured") == pytest.approx(RADII[update](h), abs=2e-5)


@pytest.mark.parametrize(
    ("values", "pair"),
    [
        ({}, (0.5j, -0.5j)),
        ({"loss": "minimax"}, (0.5j, -0.5j)),
        ({"loss": "wasserstein"}, (1j, -1j)),
        ({"penalty": "r1", "penalty_weight": 0.5}, (-0.25 + math.sqrt(3) / 4 * 1j, -0.25 - math.sqrt(3) / 4 * 1j)),
        ({"penalty": "r1", "penalty_weight": 2.0}, (-1 - math.sqrt(0.75), -1 + math.sqrt(0.75))),
        ({"noise": 0.7}, (-0.1225 + 0.484762j, -0.1225 - 0.484762j)),
        # D ten times as fast: ten times its row of [[0, 1/2], [-1/2, -1]], so x^2 + 10 x + 5/2 = 0
        ({"penalty": "r1", "penalty_weight": 1.0, "ratio": 10.0}, (-5 - math.sqrt(22.5), -5 + math.sqrt(22.5))),
    ],
)
def test_the_flow_of_the_dirac_gan_has_the_published_eigenvalues_and_a_step_one_plus_h_of_them(values, pair):
    scene = explorer.portrait("dirac", rate=0.2, **values).scene
    assert scene.number("flow") == pytest.approx(max(np.real(pair)), abs=1e-6)
    assert scene.number("spectral radius") == pytest.approx(max(abs(1 + 0.2 * np.array(pair))), abs=1e-6)
    np.testing.assert_allclose(shown_eigenvalues(scene), np.sort_complex(1 + 0.2 * np.array(pair)), atol=1e-5)


def test_the_dials_are_those_of_theory():
    live = explorer.portrait("quadratic", update="momentum", rate=0.2, ratio=3.0, beta=-0.4, curvature_g=0.5,
                             coupling=1.5, curvature_d=0.25)  # fmt: skip
    game = theory.quadratic(0.5, 1.5, 0.25)
    for update, dials in [("momentum", {"beta": -0.4}), ("consensus", {"weight": -0.5}), ("lookahead", {"alpha": 0.8})]:
        live._move({"update": update, "weight": -0.5, "alpha": 0.8})
        expected = theory.spectral_radius(game, np.zeros(2), [0.2, 0.6], update=update, dials=dials)
        assert live.scene.number("spectral radius") == pytest.approx(expected, rel=1e-6)
    live._move({"update": "unrolled", "ahead": "2"})
    expected = theory.spectral_radius(game, np.zeros(2), [0.2, 0.6], update=theory.unrolled(2))
    assert live.scene.number("spectral radius") == pytest.approx(expected, rel=1e-6)


# ---- the path ----


def velocity(w):
    return np.array([-w[1], w[0]])


def numpy_path(update, h, n):
    """f(x, y) = xy by a loop of plain NumPy, from (1, 1); x with rate h, y with rate 2h."""
    w, rates = np.array([1.0, 1.0]), np.array([h, 2 * h])
    before, memory, found = velocity(w), np.zeros(2), [w]
    for _ in range(n):
        if update == "simultaneous":
            w = w + rates * velocity(w)
        elif update == "alternating":
            y = w[1] + rates[1] * w[0]
            w = np.array([w[0] - rates[0] * y, y])
        elif update == "momentum":
            memory = 0.5 * memory + velocity(w)
            w = w + rates * memory
        elif update == "extragradient":
            w = w + rates * velocity(w + rates * velocity(w))
        else:
            now = velocity(w)
            w, before = w + rates * (2 * now - before), now
        found.append(w)
    return np.array(found)


@pytest.mark.parametrize("update", ["simultaneous", "alternating", "momentum", "extragradient", "optimistic"])
def test_the_path_is_that_of_a_plain_loop(update):
    scene = explorer.portrait(update=update, rate=0.1, ratio=2.0, steps=150, average="uniform").scene
    expected = numpy_path(update, 0.1, 150)
    np.testing.assert_allclose(path(scene), expected, rtol=1e-9)
    averages = np.cumsum(expected, axis=0) / np.arange(1, 152)[:, None]
    np.testing.assert_allclose(mean(scene), averages, rtol=1e-9, atol=1e-9)
    assert scene.number("distance") == pytest.approx(np.hypot(*expected[-1]))
    assert scene.number("distance of the average") == pytest.approx(np.hypot(*averages[-1]), rel=1e-6)
    np.testing.assert_allclose(scene.panels[2].marks[0].y, np.log10(np.hypot(*expected.T)), atol=1e-9)


def test_the_arrows_point_where_both_players_go():
    scene = explorer.portrait("dirac", penalty="r1", noise=0.3).scene
    arrows = next(mark for mark in scene.panels[0].marks if isinstance(mark, Arrows))
    middle = np.stack([arrows.x + arrows.dx / 2, arrows.y + arrows.dy / 2], axis=1)
    game = theory.dirac_gan(penalty=losses.r1, instance_noise=0.3)
    for at, dx, dy in zip(middle[::7], arrows.dx[::7], arrows.dy[::7], strict=True):
        v = np.asarray(theory.field(game, at))
        assert np.hypot(*v) * np.hypot(dx, dy) == pytest.approx(v @ [dx, dy], abs=1e-5)  # parallel


def test_the_steps_shown_are_the_first_of_the_same_path():
    live = explorer.portrait(rate=0.05, steps=200)
    whole = path(live.scene)
    for steps in (0, 1, 37, 300):
        live.set("steps", steps)
        assert len(path(live.scene)) == steps + 1
        np.testing.assert_allclose(path(live.scene)[:200], whole[: steps + 1][:200], rtol=1e-12)
    assert len(path(explorer.portrait(steps=1500).scene)) == 1501


# ---- the rate that is measured ----


@pytest.mark.parametrize("update", ["simultaneous", "alternating", "momentum", "extragradient", "consensus"])
def test_on_oval_spirals_the_measured_rate_is_the_predicted_one(update):
    """Linear games whose orbits are long ellipses, so that a line laid through the distance would be off."""
    live = explorer.portrait("quadratic", update=update, rate=0.1, steps=400, beta=0.3, weight=0.1)
    seen = []
    for a, b, ratio in [(0.1, 1.0, 1.0), (0.4, 0.8, 5.0), (0.0, 0.6, 0.2), (-0.1, 0.9, 2.5)]:
        live._move({"curvature_g": a, "coupling": b, "ratio": ratio})
        predicted, measured = (math.log(live.scene.number(name)) for name in ("spectral radius", "measured"))
        assert measured == pytest.approx(predicted, rel=0.02, abs=1e-4)
        seen.append(live.scene.remark)
    assert all("agree" in remark for remark in seen)


def test_without_a_trend_or_steps_nothing_is_measured():
    taken = dynamics.Walk(np.array([[1.0, 0.0], [0.9, 0.0]]), None, False)
    assert math.isnan(dynamics.measure(taken).factor)
    line = np.stack([0.5 ** np.arange(100.0), np.zeros(100)], axis=1)  # below 1e-12 after 40 steps: left out
    rate = dynamics.measure(dynamics.Walk(line, None, False))
    assert (rate.factor, rate.last) == (pytest.approx(0.5), 39)


# ---- words ----


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "It spirals out. Prediction and measurement agree."),
        ({"update": "alternating"}, "It cycles"),
        ({"update": "consensus"}, "It comes to rest at the equilibrium, in a spiral"),
        ({"update": "extragradient"}, "It spirals in"),
        ({"rate": 0.2}, "It leaves the picture after 58 steps"),
        ({"rate": 4.0}, "It blows up: after"),
        ({"start": (0.0, 0.0)}, "The start is the equilibrium"),
        ({"steps": 1}, "So few steps show no trend yet."),
        ({"rate": 0.02, "update": "alternating"}, "less than once so far"),
        ({"game": "quadratic", "coupling": 0.0, "curvature_g": 1.0, "curvature_d": 1.0, "rate": 1.95},
         "It comes to rest at the equilibrium"),
        ({"game": "quadratic", "coupling": 0.0, "curvature_g": 1.0, "curvature_d": 1.0, "rate": 2.01, "steps": 60},
         "It jumps from side to side, ever farther out"),
        ({"game": "quadratic", "coupling": 0.0, "curvature_g": -0.1, "curvature_d": 1.0}, "It moves away"),
        ({"game": "dirac", "rate": 0.3, "start": (2.0, 1.0), "steps": 2000}, "It cycles"),  # a ring beside a spiral out
        ({"game": "dirac", "rate": 0.3, "start": (2.0, 1.0), "steps": 2000}, "the rest of the field holds it"),
        ({"game": "dirac", "rate": 0.05}, "Close to the equilibrium it would go out"),
        ({"game": "dirac", "penalty": "r1"}, "Start closer to the equilibrium, or take more steps"),
        ({"game": "dirac", "loss": "wasserstein", "penalty": "wgan_gp"}, "The field is not smooth at the equilibrium"),
        ({"game": "dirac", "loss": "wasserstein", "penalty": "wgan_gp"}, "away from the equilibrium, at (2, 0)"),
        ({"game": "dirac", "loss": "least_squares", "rate": 0.3}, "It comes to rest away from the equilibrium"),
        ({"update": "adam"}, "Adam's eigenvalues hold only where gradients are far below ε = 1e−8"),
    ],
)  # fmt: skip
def test_words_say_what_happens(settings, said):
    scene = explorer.portrait(**settings).scene
    assert said in scene.remark
    assert scene.remark in scene.words


def test_no_prediction_where_there_is_no_jacobian():
    scene = explorer.portrait("dirac", penalty="wgan_gp").scene
    assert math.isnan(scene.number("spectral radius"))
    note = next(number.note for number in scene.numbers if number.name == "spectral radius")
    assert note == "no prediction: the field is not smooth at 0"
    assert not len(shown_eigenvalues(scene))
    assert "flow" not in [number.name for number in scene.numbers]


@pytest.mark.parametrize(
    ("flow", "said"),
    [((-0.5 + 0.1j, -0.5 - 0.1j), "the flow spirals in"), ((1.0, -2.0), "the flow runs out"),
     ((0.0, 0.0), "undecided to first order"), ((1j, -1j), "the flow circles")],
)  # fmt: skip
def test_the_flow_in_words(flow, said):
    assert dynamics.flow_in_words(np.array(flow, complex)) == said


# ---- every game with every method ----


def check(live, **values):
    live._move(values)
    scene = live.scene
    check_scene(scene, list(live._controls.values()))
    assert scene.remark.startswith(("It ", "The start", "So few"))
    for panel in scene.panels:
        for mark in panel.marks:
            assert all(np.isfinite(array).all() for name, array in arrays(mark).items() if name != "y")
    if math.isnan(scene.number("spectral radius")):
        assert "not smooth" in scene.remark
    assert np.abs(path(scene)).max() < dynamics.LOST
    assert math.isfinite(scene.number("distance"))


@pytest.mark.once
@pytest.mark.parametrize("game", KINDS)
def test_every_game_is_played_by_every_method(game):
    live = explorer.portrait(game)
    averages = itertools.cycle(["none", *theory.AVERAGES])
    for update in theory.UPDATES:
        average = next(averages)
        for rate in (0.1, 10.0):
            check(live, update=update, rate=rate, average=average)


@pytest.mark.once
def test_every_loss_of_the_dirac_gan_is_played_with_a_penalty_and_noise():
    live = explorer.portrait("dirac", updates=["simultaneous"])
    penalties = itertools.cycle(["none", "r1", "wgan_gp"])
    for loss in losses.LOSSES:
        penalty = next(penalties)
        for rate, noise, start in ((0.1, 0.0, 1.0), (10.0, 2.0, -3.0)):
            check(live, loss=loss, penalty=penalty, rate=rate, noise=noise, theta=start)


def test_a_game_that_is_not_a_number_somewhere_ends_its_path_there():
    game = theory.Game(lambda x, y: x * y, lambda x, y: -jnp.sqrt(1.05 - x) * y, "a root")
    scene = explorer.portrait(game, start=(1.0, -1.0)).scene
    assert "It blows up" in scene.remark
    assert np.isfinite(path(scene)).all()


def test_a_rest_that_holds_only_close_by_is_said_to():
    hill = theory.Game(lambda x, y: x**2 / 2 - x**4 / 4, lambda x, y: y**2 / 2, "a hill")
    live = explorer.portrait(hill, start=(0.5, 0.5), steps=100)
    assert live.scene.remark.startswith("It comes to rest at the equilibrium")
    live.set("theta", 1.05)
    assert live.scene.remark.startswith("It blows up")
    assert "would come to rest, eigenvalues say; from this start it does not" in live.scene.remark


# ---- the controls ----


def hidden(live):
    return set(live.scene.hidden)


def test_only_controls_that_have_an_effect_are_shown():
    live = explorer.portrait()
    assert {"loss", "penalty", "noise", "curvature_g", "beta", "epsilon", "weight", "alpha", "ahead"} <= hidden(live)
    live.set("update", "adam")
    assert not {"beta1", "beta2", "epsilon"} & hidden(live)
    live.set("average", "exponential")
    assert "decay" not in hidden(live)
    live.set("game", "dirac")
    assert "penalty_weight" in hidden(live)
    live.set("penalty", "r1")
    assert not {"penalty_weight", "loss", "noise"} & hidden(live)
    live._move({"game": "quadratic", "update": "lookahead"})
    assert not {"curvature_d", "alpha", "ahead"} & hidden(live)
    assert "noise" in hidden(live)


def test_a_lesson_limits_the_menus_and_the_controls():
    live = explorer.portrait("dirac", loss="wasserstein", losses=["minimax"], penalties=["none"], games=["dirac"],
                             updates=["simultaneous", "alternating"], controls=["update", "rate", "theta", "psi"],
                             noise=0.5)  # fmt: skip
    menus = {control["name"]: [name for name, _ in control["options"]]
             for control in live.setup["controls"] if control["kind"] == "choice"}  # fmt: skip
    assert menus["update"] == ["simultaneous", "alternating"]
    assert menus["loss"] == ["wasserstein", "minimax"]  # the first choice is always among them
    assert set(live.values) - hidden(live) == {"update", "rate", "theta", "psi"}
    assert live.scene.number("flow") == pytest.approx(-0.0, abs=1e-6)  # Wasserstein: noise with mean 0 does nothing
    live.set("noise", 0.0)  # a hidden control still counts
    start = next(mark for mark in live.scene.panels[0].marks if isinstance(mark, Handle))
    assert (start.control, start.vertical) == ("theta", "psi")


def test_a_game_and_a_rule_of_ones_own():
    game = theory.Game(lambda x, y: 2 * x * y, lambda x, y: -2 * x * y, "twice")
    rule = theory.Rule(theory.UPDATES["extragradient"].init, theory.UPDATES["extragradient"].step, "mine")
    live = explorer.portrait(game, update=rule, rate=0.1)
    assert live.scene.number("spectral radius") == pytest.approx(RADII["extragradient"](0.2), abs=1e-7)
    assert live.scene.words.startswith("twice, mine at rate 0.1000, from (1, 1).")
    live.set("update", "simultaneous")
    assert live.scene.number("spectral radius") == pytest.approx(RADII["simultaneous"](0.2), abs=1e-7)
    assert "game" in hidden(live)


def test_a_rules_dials_begin_where_the_rule_has_them():
    assert explorer.portrait(update="alternating_momentum").values["beta"] == -0.5
    assert explorer.portrait(update="momentum").values["beta"] == 0.5


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"game": "diracc"}, UnknownName, "did you mean 'dirac'"),
        ({"update": "extra"}, UnknownName, "no update is named 'extra'"),
        ({"loss": "hing"}, UnknownName, "did you mean 'hinge'"),
        ({"average": "median"}, UnknownName, "no average is named 'median'"),
        ({"betta": 0.1}, UnknownName, "did you mean 'beta'"),
        ({"controls": ["rat"]}, UnknownName, "did you mean 'rat(e|io)'"),
        ({"rate": 0.0}, ValueError, "rate must be from 0.001 to 10, got 0"),
        ({"start": (5.0, 0.0)}, ValueError, "theta must be from -3 to 3"),
        ({"steps": 20_000}, ValueError, "at most 10,000 here"),
        ({"steps": 0}, ValueError, "steps"),
    ],
)
def test_wrong_settings_are_refused_with_a_remedy(settings, error, message, as_users_see_it):
    with pytest.raises(error, match=message):
        explorer.portrait(**settings)


def test_moving_a_dial_compiles_nothing():
    jax.clear_caches()  # else another test may have compiled what the last line expects
    live = explorer.portrait("dirac", update="consensus", penalty="r1", average="exponential")
    programs = (paths._play, spectra._step_matrix, games._jacobian, spectra._changes, dynamics._velocities())
    compiled = lambda: [program._cache_size() for program in programs]  # noqa: E731
    before = compiled()
    for name in ("rate", "ratio", "weight", "penalty_weight", "noise", "theta", "psi", "decay"):
        live.set(name, 0.7)
    live._move({"steps": 50, "window": "near"})
    assert compiled() == before
    live.set("loss", "hinge")
    assert all(now > then for now, then in zip(compiled(), before, strict=True))


def test_the_magnified_picture_lies_about_one_and_holds_the_eigenvalues():
    live = explorer.portrait(window="near", rate=0.1)
    panel = live.scene.panels[1]
    (left, right), (low, high) = panel.x, panel.y
    assert (left + right) / 2 == pytest.approx(1)
    assert right - left == pytest.approx(high - low)
    assert right - left < 0.5
    for value in shown_eigenvalues(live.scene):
        assert left < value.real < right
        assert low < value.imag < high
    assert [each.square for each in live.scene.panels] == [True, True, False]


def test_it_has_a_still_picture():
    live = explorer.portrait("dirac", penalty="wgan_gp", average="uniform")
    drawn = still(live.scene, list(live._controls.values()), live.values)
    assert drawn.alt.startswith("Dirac-GAN, non-saturating, WGAN-GP, simultaneous at rate 0.1000, from (1, 1).")
