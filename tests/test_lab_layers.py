"""The lab's layers and its probe against the modules themselves, closed forms and finite differences."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.stats import norm
from standing import Standing, gaussians, linear, trained_like

from gan_jax import data, lab, losses, nets, theory, train
from gan_jax.data.distributions import _draw
from gan_jax.lab import densities, layers
from gan_jax.lab.layers import LAYERS, probe
from gan_jax.train import Gan, Hyperparams

pytestmark = pytest.mark.once

JUDGES = [{}, {"packing": 2}, {"group": 4}]


def shows(standing, name):
    assert LAYERS[name].reason(standing) is None
    return LAYERS[name].compute(standing)


def cells(standing):
    """The middle of each cell, row after row from the top, shape (64, 64, 2)."""
    left, right, bottom, top = standing.window
    middle = (np.arange(64) + 0.5) / 64
    x, y = np.meshgrid(left + middle * (right - left), top + middle * (bottom - top))
    return np.stack([x, y], axis=-1)


def logits(standing, x):
    return np.asarray(standing.game.logits(np.asarray(x, np.float32), standing.real), np.float64)


# ---- what every layer keeps ----


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_arrays_ready_for_the_wire(name):
    for array in shows(trained_like(), name).values():
        assert isinstance(array, np.ndarray)
        assert array.dtype in (np.float32, np.uint8)
        assert np.isfinite(array).all()


def programs():
    jitted = [layers._heat, layers._cell_logits, layers._sample_logits, layers._averaged, layers._pushes,
              layers._at_point, layers._all_weights, layers._kernel_density, densities.generate,
              densities._smoothed, densities._log_prob]  # fmt: skip
    return [function._cache_size() for function in jitted]


def test_moving_a_dial_or_training_on_never_compiles():
    standing = trained_like()
    other = train.init(standing.gan, standing.hyper, jax.random.key(5))
    look = lambda: [layer.compute(standing) for layer in LAYERS.values()] + [probe(standing, 0.1, 0.2)]  # noqa: E731
    look()
    before = programs()
    standing.game = other
    for dial in ({"instance_noise": 0.2}, {"label_smoothing": 0.1}, {"lr_d": 0.5}, {"penalty_weight": 3.0}):
        standing.hyper = replace(standing.hyper, **dial)
        look()
    assert programs() == before


def test_what_is_known_of_a_state_is_computed_once_and_not_kept_beyond_it():
    standing = trained_like()
    first = densities.moment(standing)
    assert densities.moment(standing) is first
    assert first.masses() is first.masses(0.0)
    standing.game = replace(standing.game, step=standing.game.step + 1)
    assert densities.moment(standing) is not first


# ---- D on the cells ----


@pytest.mark.parametrize("rules", JUDGES, ids=str)
def test_the_heat_map_is_what_d_says_of_each_cell(rules):
    standing = trained_like(**rules)
    found = shows(standing, "heat")
    for row, column in [(0, 0), (0, 63), (63, 0), (20, 41)]:
        expected = 255 / (1 + np.exp(-logits(standing, cells(standing)[row, column][None])[0]))
        assert found["surface"][row, column] == pytest.approx(expected, abs=0.51)
    assert found["surface_ends"].tolist() == [0, 1]


def test_a_critic_is_shown_about_the_middle_of_its_answers():
    standing = trained_like(losses.wasserstein)
    ends = shows(standing, "heat")["surface_ends"]
    fake = standing.game.generator(standing.latents)
    middle = (logits(standing, standing.real).mean() + logits(standing, fake).mean()) / 2
    assert ends.mean() == pytest.approx(middle, abs=1e-5)


# ---- densities ----


KINDS = {  # one target of each kind
    **{name: data.TARGETS[name] for name in ("grid", "spiral", "checkerboard")},
    "drawn": lambda: data.drawn([(-0.5, 0.1), (0.4, 0.3), (0.0, -0.6)], scale=0.04),
}


def test_every_target_is_of_a_kind_whose_noise_is_known():
    known = {type(make()) for make in KINDS.values()}
    assert {type(make()) for make in data.TARGETS.values()} <= known


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_p_under_noise_is_the_convolution(make):
    """The closed form of each target against a plain sum over its own density."""
    target, width = make(), 0.07
    left, right, bottom, top = data.bounds(target)
    grid = theory.quadrature((left, right, bottom, top), 300)
    held = np.exp(np.asarray(densities._log_prob(target, grid.points.astype(np.float32)))) * grid.weights
    points = np.asarray(_draw(target, jax.random.key(4), 4096))[:6] + 0.05
    bells = norm.pdf(points[:, None, 0], grid.points[None, :, 0], width) * norm.pdf(
        points[:, None, 1], grid.points[None, :, 1], width
    )
    found = np.exp(densities._log_prob(densities.blurred(target, width), points))
    np.testing.assert_allclose(found, bells @ held, rtol=0.02)


@jax.tree_util.register_static
class Opaque:
    """A target of one's own, without a density."""

    shape = (2,)

    def sample(self, key, n):
        return data.checkerboard().sample(key, n)


@jax.tree_util.register_static
class Own(Opaque):
    """One with a density, of no kind that the package knows."""

    def log_prob(self, x):
        return data.checkerboard().log_prob(x)


@pytest.mark.parametrize(("target", "within"), [(Own(), 0.06), (Opaque(), 0.2)], ids=["density", "samples only"])
def test_a_target_of_one_s_own_is_nearly_as_exact(target, within):
    window = np.asarray(data.bounds(data.checkerboard()), np.float32)
    exact = densities.real_masses(data.checkerboard(), window, 0.06)
    found = densities.real_masses(target, window, 0.06)
    assert found.sum() == pytest.approx(1, abs=1e-9)
    assert abs(found - exact).max() < within * exact.max()


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_nothing_is_lost_between_the_cells_and_the_outside(make):
    target = make()
    window = np.asarray(data.bounds(target), np.float32)
    real = densities.real_masses(target, window, 0.05)
    assert real.min() >= 0
    assert real.sum() == pytest.approx(1, abs=1e-9)
    assert real[-1] < 1e-3
    away = densities.fake_masses(jnp.full((8, 2), 1e3), window, 0.05)
    assert (away[-1], away[:-1].sum()) == (1, 0)


# ---- D* and D - D* ----


def best(standing, x, noise=0.0):
    """D* of N(0, 1) against N(shift, 1), both under a kernel one cell wide and noise: linear in x."""
    shift = np.asarray(standing.game.generator(jnp.zeros((1, 2))))[0]
    variance = 1 + densities.moment(standing).cell ** 2 + noise**2
    return 1 / (1 + np.exp((x @ shift - shift @ shift / 2) / variance))


@pytest.mark.parametrize("noise", [0.0, 0.8])
def test_d_star_is_the_closed_form_up_to_the_chance_of_sampling(noise):
    standing = gaussians(hyper=Hyperparams(instance_noise=noise))
    found = shows(standing, "optimal")
    gap = found["optimal"] / 255 - best(standing, cells(standing), noise)
    known = found["known"] > 200
    assert known.sum() > 300
    assert abs(gap[known]).max() < 0.2
    assert np.sqrt(np.mean(gap[known] ** 2)) < 0.05


def test_label_smoothing_draws_d_star_down():
    plain, smoothed = (shows(gaussians(hyper=Hyperparams(label_smoothing=s)), "optimal") for s in (0.0, 0.2))
    np.testing.assert_allclose(smoothed["optimal"], 0.8 * plain["optimal"], atol=1.01)


@pytest.mark.parametrize("name", [name for name in losses.LOSSES if name in layers._READINGS])
def test_d_at_its_best_differs_from_d_star_by_the_chance_of_sampling_only(name):
    """A D with the best output of its loss, which for these two Gaussians is a function of a linear one."""
    standing = gaussians(loss=losses.LOSSES[name])
    variance = 1 + densities.moment(standing).cell ** 2

    class Best(nnx.Module):
        def __call__(self, x):
            return theory.optimal_output(name, (0.5 - x[:, :1]) / variance) + 3.0 * (name == "relativistic")

    found = shows(standing.place(discriminator=Best()), "difference")
    weight = densities.moment(standing).masses().weight
    gap = abs(found["difference"].ravel() - 128.0) / 127
    assert weight @ gap < 0.04
    worse = shows(standing.place(discriminator=linear(2, 1, [0, 0], [1.0])), "difference")["difference"]
    assert weight @ abs(worse.ravel() - 128.0) / 127 > 0.1


@pytest.mark.parametrize("name", layers._READINGS)
def test_a_reading_undoes_the_best_output(name):
    u = np.linspace(-6, 6, 25)
    np.testing.assert_allclose(layers._READINGS[name](theory.optimal_output(name, u)), 1 / (1 + np.exp(-u)), rtol=1e-9)


def test_a_loss_whose_d_estimates_no_ratio_says_why():
    mine = losses.Loss(losses.hinge.discriminator, losses.minimax.generator, "mine")
    for loss, key in [(losses.hinge, "hinge"), (losses.wasserstein, "wasserstein"), (mine, "custom")]:
        standing = trained_like(loss)
        assert LAYERS["difference"].reason(standing)["key"] == f"layers.ratio.{key}"
        assert layers.describe(standing)["off"].keys() == {"difference"}
    assert probe(trained_like(losses.hinge), 0.0, 0.0)["answer"] is None


# ---- samples and the manifold ----


def test_averaged_samples_are_those_of_the_averaged_weights():
    standing = trained_like()
    standing.game = replace(standing.game, ema=jax.tree.map(lambda leaf: 0.5 * leaf, standing.game.ema))
    expected = standing.game.averaged_generator(standing.latents)
    np.testing.assert_allclose(shows(standing, "average")["average"], expected, atol=1e-6)
    assert abs(shows(standing, "fake")["fake"] - expected).max() > 0.01


@pytest.mark.parametrize(("latent", "cdf"), [("normal", norm.cdf), ("uniform", lambda z: (z + 1) / 2)])
@pytest.mark.parametrize("d", [1, 2])
def test_every_cell_of_the_lattice_holds_the_mass_it_says(latent, cdf, d):
    nodes, shape, mass = layers.lattice(latent, d)
    assert shape == ((257,) if d == 1 else (25, 25))
    held = np.diff(cdf(np.unique(nodes[:, 0].astype(np.float64))))
    np.testing.assert_allclose(held**d, mass, rtol=1e-4)


def test_the_manifold_s_density_is_that_of_the_generator():
    """G turns N(0, I) into N(shift, 4 I): the mass of a cell over its area is that density."""
    standing = gaussians(shift=(0.3, -0.2), spread=2.0)
    found = shows(standing, "manifold")
    places, mass = found["manifold"].astype(np.float64), found["manifold_mass"][0]
    for i, j in [(12, 12), (9, 14), (5, 12)]:
        step_i, step_j = places[i + 1, j] - places[i, j], places[i, j + 1] - places[i, j]
        middle = places[i : i + 2, j : j + 2].mean(axis=(0, 1))
        density = np.prod(norm.pdf(middle, (0.3, -0.2), 2.0))
        area = abs(step_i[0] * step_j[1] - step_i[1] * step_j[0])
        assert mass / area == pytest.approx(density, rel=0.02)


def test_a_manifold_is_drawn_of_one_or_two_numbers():
    one, three = (Standing(Gan(nets.mlp(d, 2), nets.mlp(2, 1))) for d in (1, 3))
    assert shows(one, "manifold")["manifold"].shape == (257, 2)
    assert LAYERS["manifold"].reason(three) == {"key": "layers.manifold.latent", "values": {"d": 3}}


# ---- pushes ----

sigmoid = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731

WEIGHTS = {  # -dL_G / d logit at a fake logit a
    "nonsaturating": lambda a, real: 1 - sigmoid(a),
    "minimax": lambda a, real: sigmoid(a),
    "least_squares": lambda a, real: 1 - a,
    "wasserstein": lambda a, real: 1.0,
    "hinge": lambda a, real: 1.0,
    "relativistic": lambda a, real: sigmoid(real - a).mean(),
    "f_kl": lambda a, real: np.exp(a - 1),
    "f_reverse_kl": lambda a, real: 1.0,
    "f_jensen_shannon": lambda a, real: sigmoid(a),
    "f_pearson": lambda a, real: 1 + a / 2,
}


def test_every_loss_has_its_closed_form_here():
    assert WEIGHTS.keys() == losses.LOSSES.keys()


@pytest.mark.parametrize(("name", "rules"), [*[("nonsaturating", rules) for rules in JUDGES], ("relativistic", {})])
def test_a_push_is_minus_n_times_the_derivative_of_g_s_loss(name, rules):
    """Finite differences of the loss itself, one sample moved at a time; for pairs over the same real companions."""
    standing = trained_like(losses.LOSSES[name], **rules)
    found = shows(standing, "gradients")["push"].astype(np.float64)
    n, generator_loss = len(found), losses.LOSSES[name].generator
    real = logits(standing, standing.real)
    turns = np.resize(real, (layers.TURNS, n))

    def loss(moved):
        fake = logits(standing, moved)
        with theory.double_precision():
            return float(jax.vmap(generator_loss, (0, None))(jnp.asarray(turns), jnp.asarray(fake)).mean())

    np.testing.assert_allclose(found[:, :2], standing.game.generator(standing.latents[:n]), atol=1e-6)
    for sample, axis in [(0, 0), (3, 1), (100, 0)]:
        step = np.zeros((n, 2))
        step[sample, axis] = 0.02
        slope = (loss(found[:, :2] + step) - loss(found[:, :2] - step)) / 0.04
        assert found[sample, 2 + axis] == pytest.approx(-n * slope, rel=0.02, abs=2e-3)


def test_saturation_is_seen():
    """Where D is sure that a sample is fake, the push of minimax is e^-10 times that of the non-saturating loss."""
    pushes = [
        shows(gaussians(loss=loss).place(discriminator=linear(2, 1, [1e-3, 0], [-10.0])), "gradients")["push"]
        for loss in (losses.nonsaturating, losses.minimax)
    ]
    ratio = pushes[1][:, 2] / pushes[0][:, 2]
    np.testing.assert_allclose(ratio, math.exp(-10), rtol=0.02)


def test_the_drawn_length_does_not_depend_on_the_state():
    for standing in (gaussians(), gaussians().place(discriminator=linear(2, 1, [9.0, 0], [-10.0]))):
        width = float(standing.window[1] - standing.window[0])
        assert shows(standing, "gradients")["push_scale"] == pytest.approx(layers.REACH * width**2)


# ---- the probe ----


@pytest.mark.parametrize("rules", JUDGES, ids=str)
def test_the_probe_pushes_by_each_loss_s_weight_times_the_slope(rules):
    standing, point = trained_like(**rules), np.array([0.4, -0.7])
    found = probe(standing, *point)
    a, real = logits(standing, point[None])[0], logits(standing, standing.real)
    assert found["logit"] == pytest.approx(a, abs=1e-5)
    moves = 0.01 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    near = logits(standing, point + moves)
    slope = np.array([near[0] - near[1], near[2] - near[3]]) / 0.02
    np.testing.assert_allclose(found["slope"], slope, rtol=0.01, atol=1e-3)
    assert [push["name"] for push in found["pushes"]] == list(losses.LOSSES)
    for push in found["pushes"]:
        assert push["weight"] == pytest.approx(float(WEIGHTS[push["name"]](a, real)), rel=1e-4)
        np.testing.assert_allclose(push["push"], push["weight"] * np.array(found["slope"]), rtol=1e-5)
        assert push["length"] == pytest.approx(np.linalg.norm(push["push"]), rel=1e-5)


def test_the_probe_knows_both_densities():
    standing = gaussians()
    standing.place(discriminator=linear(2, 1, [-1.0, 0.0], [0.5]))  # the sharp D*
    for x, y in [(0.5, 0.0), (-0.5, 1.0), (1.5, -0.5)]:
        found = probe(standing, x, y)
        assert found["p"] == pytest.approx(norm.pdf(x) * norm.pdf(y), rel=1e-4)
        width = math.hypot(1, found["width"])
        assert found["p_seen"] == pytest.approx(norm.pdf(x, 0, width) * norm.pdf(y, 0, width), rel=1e-4)
        exact = norm.pdf(x, 1, width) * norm.pdf(y, 0, width)
        assert abs(found["p_g"] - exact) < 4 * found["p_g_error"] < 0.5 * exact
        assert found["answer"] == pytest.approx(sigmoid(0.5 - x), abs=1e-5)
        assert found["optimal"] == pytest.approx(sigmoid(0.5 - x), abs=0.08)


def test_the_probe_also_pushes_by_a_loss_of_one_s_own():
    mine = losses.Loss(losses.hinge.discriminator, lambda real, fake: -3 * jnp.mean(fake), "mine")
    found = probe(trained_like(mine), 0.2, 0.1)
    assert (found["mine"], found["pushes"][-1]["label"]) == ("yours", "mine")
    assert found["pushes"][-1]["weight"] == pytest.approx(3)


@pytest.mark.parametrize("target", [Own(), Opaque(), data.line(noise=0.0)], ids=["own", "opaque", "line"])
def test_the_probe_of_any_target(target):
    found = probe(Standing(trained_like().gan, target), 0.3, 0.15)
    exact = {"Own": 1 / 4.5, "Opaque": None, "Curve": None}[type(target).__name__]
    assert found["p"] == (exact and pytest.approx(exact))
    assert found["p_seen"] > 0
    if exact:
        assert found["p_seen"] == pytest.approx(exact, rel=0.15)


@pytest.mark.parametrize(
    ("x", "y", "kind"), [("1", 0.0, TypeError), (None, 0.0, TypeError), (True, 0.0, TypeError),
                         (0.0, math.nan, ValueError), (math.inf, 0.0, ValueError), (1e6, 0.0, ValueError)]
)  # fmt: skip
def test_a_probe_of_no_place_is_refused(x, y, kind, as_users_see_it):
    with pytest.raises(kind, match="must be"):
        probe(trained_like(), x, y)


def test_the_page_asks_and_is_told(as_users_see_it):
    """What the page sends is checked; an answer carries the number of its request."""
    widget, told = lab.open(trained_like().gan), []
    widget.send = lambda content, buffers=None: told.append(content)
    for message in ({"type": "probe", "x": 0.5, "y": -0.5}, {"type": "reliability"}, {"type": "probe", "x": "1; 2"}):
        widget._handle_custom_msg({**message, "request": len(told)}, [])
    found, bins, error = told[:3]
    assert (found["type"], found["request"]) == ("probe", 0)
    assert found["pushes"] == probe(widget.session, 0.5, -0.5)["pushes"]
    assert (bins["type"], bins["request"], sum(bins["count"])) == ("reliability", 1, 8192)
    assert (error["type"], error["request"]) == ("error", 2)
    assert "x must be a number" in error["text"]
