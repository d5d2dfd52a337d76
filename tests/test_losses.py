"""losses against closed forms, quadrature, and finite differences; each property for every member of its menu."""

import ast
import inspect
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from jax.test_util import check_grads

from gan_jax import losses, theory
from gan_jax.losses import LOSSES

PENALTIES = {name: penalty for name, penalty in losses.PENALTIES.items() if penalty is not None}
KEY = jax.random.key(0)


# ---- every loss ----


@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_are_finite_at_extreme_logits(name):
    extremes = np.array([-200, -90, -30, 0, 30, 90, 200], np.float32)
    real, fake = (jnp.asarray(grid.ravel()) for grid in np.meshgrid(extremes, extremes))
    for part in LOSSES[name][:2]:
        alone = jax.vmap(jax.value_and_grad(lambda real, fake: part(real[None], fake[None]), argnums=(0, 1)))  # noqa: B023
        for result in (alone(real, fake), jax.value_and_grad(part, argnums=(0, 1))(real, fake)):
            assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(result))


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_against_finite_differences(name, float64):
    real, fake = jnp.array([-1.7, 0.3, 2.6, 0.4]), jnp.array([0.6, -2.2, 0.2, 3.1])  # off the hinge's kinks
    for part in LOSSES[name][:2]:
        check_grads(jax.jit(part), (real, fake), order=1, modes=["rev"], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_a_scalar_mean_over_the_batch(name):
    real, fake = jnp.array([-1.7, 0.3, 2.6]), jnp.array([0.6, -2.2, 0.2])
    for part in LOSSES[name][:2]:
        once, twice = part(real, fake), part(jnp.tile(real, 2), jnp.tile(fake, 2))
        assert once.shape == ()
        assert float(once) == pytest.approx(float(twice), abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_each_player_pulls_its_own_way(name):
    """D wants real logits up and fake ones down, G wants fake ones up; between the labels 0 and 1 all losses agree."""
    real, fake = jnp.array([0.2, 0.7]), jnp.array([0.1, 0.4])
    real_slope, fake_slope = jax.grad(LOSSES[name].discriminator, argnums=(0, 1))(real, fake)
    assert (real_slope < 0).all()
    assert (fake_slope > 0).all()
    assert (jax.grad(LOSSES[name].generator, argnums=1)(real, fake) < 0).all()


REAL_LOGIT = 0.7


@pytest.mark.parametrize(
    ("name", "slope"),
    [
        ("minimax", lambda a: -1 / (1 + math.exp(-a))),
        ("nonsaturating", lambda a: -1 / (1 + math.exp(a))),
        ("least_squares", lambda a: a - 1),
        ("wasserstein", lambda a: -1),
        ("hinge", lambda a: -1),
        ("relativistic", lambda a: -1 / (1 + math.exp(a - REAL_LOGIT))),
        ("f_kl", lambda a: -math.exp(a - 1)),
        ("f_reverse_kl", lambda a: -1),
        ("f_jensen_shannon", lambda a: -1 / (1 + math.exp(-a))),
        ("f_pearson", lambda a: -(a / 2 + 1)),
    ],
)
@pytest.mark.parametrize("logit", [-10.0, -1.0, 0.0, 2.0])
def test_gradient_that_reaches_the_generator(name, slope, logit):
    found = jax.grad(LOSSES[name].generator, argnums=1)(jnp.array([REAL_LOGIT]), jnp.array([logit]))
    assert float(found[0]) == pytest.approx(slope(logit), rel=1e-5)


def test_saturation_to_the_digit():
    at = lambda loss: float(jax.grad(loss.generator, argnums=1)(jnp.zeros(1), jnp.full(1, -10.0))[0])  # noqa: E731
    assert at(losses.minimax) == pytest.approx(-4.54e-5, rel=1e-3)
    assert at(losses.nonsaturating) == pytest.approx(-0.999955, abs=1e-6)
    assert at(losses.nonsaturating) / at(losses.minimax) == pytest.approx(math.exp(10), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "logit", "discriminator", "generator"),
    [
        ("minimax", 0, 2 * math.log(2), -math.log(2)),
        ("nonsaturating", 0, 2 * math.log(2), math.log(2)),
        ("least_squares", 0.5, 0.25, 0.125),
        ("wasserstein", 0, 0, 0),
        ("hinge", 0, 2, 0),
        ("relativistic", 0, math.log(2), math.log(2)),
        ("f_kl", 1, 0, -1),
        ("f_reverse_kl", 0, 0, 1),
        ("f_jensen_shannon", 0, 0, 0),
        ("f_pearson", 0, 0, 0),
    ],
)
def test_values_at_equilibrium(name, logit, discriminator, generator):
    loss, logits = LOSSES[name], jnp.full(5, float(logit))
    assert float(loss.discriminator(logits, logits)) == pytest.approx(discriminator, abs=1e-6)
    assert float(loss.generator(logits, logits)) == pytest.approx(generator, abs=1e-6)


# ---- the optimal discriminator of each loss ----

RATIO = np.exp(np.array([-2.0, -0.7, 0.0, 0.4, 1.5]))  # p / q at five points
Q = np.array([0.35, 0.25, 0.1, 0.2, 0.1])
Q = Q / Q.sum()
P = RATIO * Q / (RATIO @ Q)
U = np.log(P / Q)

BEST = {
    "minimax": U,
    "nonsaturating": U,
    "least_squares": P / (P + Q),
    "hinge": np.sign(U),
    "relativistic": U,
    "f_kl": 1 + U,
    "f_reverse_kl": U,
    "f_jensen_shannon": U,
    "f_pearson": 2 * (P / Q - 1),
}
"""Closed forms; the Wasserstein critic has none without its Lipschitz bound."""


def expected(part, logits):
    """Mean of a loss over independent x ~ P, y ~ Q on the five points, whose logits are given."""
    every = jax.vmap(jax.vmap(lambda real, fake: part(real[None], fake[None]), (None, 0)), (0, None))(logits, logits)
    return jnp.sum(jnp.asarray(np.outer(P, Q)) * every)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"wasserstein"}))
def test_optimal_logits_found_numerically_are_the_closed_form(name, float64):
    objective = jax.jit(jax.value_and_grad(lambda logits: expected(LOSSES[name].discriminator, logits)))
    as_scipy = lambda logits: tuple(map(np.asarray, objective(jnp.asarray(logits))))  # noqa: E731
    if name == "hinge":  # flat or kinked: compare with a scan of each logit
        for i in range(5):
            scan = np.linspace(-2, 2, 81)
            values = [float(objective(jnp.asarray(BEST[name]).at[i].set(logit))[0]) for logit in scan]
            assert scan[np.argmin(values)] == pytest.approx(BEST[name][i], abs=1e-9) or BEST[name][i] == 0
        return
    found = scipy.optimize.minimize(as_scipy, np.zeros(5), jac=True, method="BFGS", options={"gtol": 1e-9}).x
    free = BEST[name][0] - found[0] if name == "relativistic" else 0.0  # only differences of logits count there
    np.testing.assert_allclose(found + free, BEST[name], atol=1e-5)


def test_the_wasserstein_critic_gains_without_end_unless_it_is_held():
    sign = jnp.asarray(np.sign(U), jnp.float32)
    total_variation = 0.5 * np.abs(P - Q).sum()
    for size in (1, 10):
        gain = -float(expected(losses.wasserstein.discriminator, size * sign))
        assert gain == pytest.approx(2 * size * total_variation, rel=1e-5)


# ---- losses are divergences at the optimum ----

GRID = theory.quadrature((-14.0, 15.0), 3000)
LOG_P = scipy.stats.norm.logpdf(GRID.points[:, 0])
LOG_Q = scipy.stats.norm.logpdf(GRID.points[:, 0], 1.0)


def loss_on_densities(part, logit):
    """`E_p r(logit) + E_q s(logit)` by quadrature, for a loss that is a sum `r(real) + s(fake)`."""
    zero, logit = jnp.zeros(1), jnp.asarray(logit)[:, None]
    real = jax.vmap(lambda a: part(a, zero))(logit)
    fake = jax.vmap(lambda a: part(zero, a))(logit)
    both = np.exp(LOG_P) * np.asarray(real) + np.exp(LOG_Q) * np.asarray(fake)
    return float(np.sum(GRID.weights * both) - part(zero, zero))


@pytest.mark.parametrize(
    ("name", "best", "value"),
    [
        ("minimax", lambda u: u, lambda of: -of("gan")),
        ("f_kl", lambda u: 1 + u, lambda of: -of("kl")),
        ("f_reverse_kl", lambda u: u, lambda of: -of("reverse_kl")),
        ("f_jensen_shannon", lambda u: u, lambda of: -2 * of("jensen_shannon")),
        ("f_pearson", lambda u: 2 * np.expm1(u), lambda of: -of("pearson")),
        ("hinge", np.sign, lambda of: 2 - 2 * of("total_variation")),
    ],
)
def test_what_the_discriminator_reaches_is_a_divergence(name, best, value, float64):
    of = lambda kind: float(theory.divergence(kind, LOG_P, LOG_Q, GRID.weights))  # noqa: E731
    found = loss_on_densities(LOSSES[name].discriminator, best(LOG_P - LOG_Q))
    assert found == pytest.approx(value(of), abs=1e-6)


def test_least_squares_is_pearsons_chi2(float64):
    log_half = np.logaddexp(LOG_P, LOG_Q)
    chi2 = float(theory.divergence("pearson", math.log(2) + LOG_Q, log_half, GRID.weights))
    assert chi2 == pytest.approx(0.408109, abs=5e-7)
    # labels 0 and 1 reach int pq / (p + q) / 2 = (2 - chi2) / 8
    answer = 1 / (1 + np.exp(LOG_Q - LOG_P))
    found = loss_on_densities(losses.least_squares.discriminator, answer)
    assert found == pytest.approx((2 - chi2) / 8, abs=1e-7)
    # and G's labels as in the paper, b - c = 1 and b - a = 2, on the answer stretched to [-1, 1]
    stretched = 2 * answer - 1
    both = 0.5 * np.sum(GRID.weights * (np.exp(LOG_P) + np.exp(LOG_Q)) * stretched**2)
    assert both == pytest.approx(chi2 / 2, abs=1e-9)


def test_relativistic_pairs_look_at_differences_only():
    loss = losses.relativistic
    real, fake = jnp.array([0.5, -1.0, 2.0]), jnp.array([1.5, 0.0, -0.5])
    gap = np.asarray(fake - real)
    assert float(loss.discriminator(real, fake)) == pytest.approx(np.mean(np.log1p(np.exp(gap))), rel=1e-6)
    assert float(loss.generator(real, fake)) == pytest.approx(np.mean(np.log1p(np.exp(-gap))), rel=1e-6)
    for part in loss[:2]:
        assert float(part(real + 3, fake + 3)) == pytest.approx(float(part(real, fake)), rel=1e-6)
        assert float(part(real, fake[::-1])) != pytest.approx(float(part(real, fake)), rel=1e-2)  # pairs, not means
    assert (jax.grad(loss.generator, argnums=0)(real, fake) > 0).all()  # G also pulls real logits down


@pytest.mark.parametrize("name", LOSSES)
def test_documentation_names_what_theory_derives_and_its_source(name):
    lines = ast.parse(inspect.getsource(losses)).body
    at = next(i for i, line in enumerate(lines) if isinstance(line, ast.Assign) and line.targets[0].id == name)
    text = " ".join(lines[at + 1].value.value.split())
    assert re.search(r"(19|20)\d\d", text)
    driven = "W_1(p, p_g)" if name == "wasserstein" else theory.driven_by(name).name
    assert f"G descends `{driven}`" in text
    assert name == "wasserstein" or "`a* = " in text


# ---- penalties ----


def linear(*weights):
    return lambda x: x @ jnp.array(weights)


def bowl(x):
    """`D(x) = |x|^2 / 2`, whose gradient is x itself."""
    return 0.5 * jnp.sum(x.reshape(len(x), -1) ** 2, axis=1)


def measured(name, critic, real, fake, key=KEY):
    return float(PENALTIES[name].function(critic, real, fake, key))


@pytest.mark.parametrize(
    ("name", "steep", "unit"),
    [("wgan_gp", 16, 0), ("dragan", 16, 0), ("r1", 12.5, 0.5), ("r2", 12.5, 0.5), ("r1_and_r2", 25, 1)],
)
def test_penalty_of_a_linear_critic(name, steep, unit):
    real, fake = jax.random.normal(KEY, (2, 7, 2))
    assert measured(name, linear(3.0, 4.0), real, fake) == pytest.approx(steep, rel=1e-5)  # |gradient| = 5
    assert measured(name, linear(0.6, 0.8), real, fake) == pytest.approx(unit, abs=1e-6)


def test_gradient_penalty_at_weight_10_is_160():
    real, fake = jax.random.normal(KEY, (2, 7, 2))
    assert 10 * measured("wgan_gp", linear(3.0, 4.0), real, fake) == pytest.approx(160, rel=1e-5)


@pytest.mark.parametrize(("name", "value"), [("wgan_gp", 1.0), ("r1", 1.0), ("r2", 1.0), ("r1_and_r2", 2.0)])
def test_each_sample_has_its_own_norm(name, value):
    # gradients 0 and 2: their mean has norm 1, for which a penalty of the batch's mean would give 0 (R1: 0.5)
    x = jnp.array([[0.0], [2.0]])
    assert measured(name, bowl, x, x) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(("name", "at"), [("r1", "real"), ("r2", "fake"), ("r1_and_r2", "both")])
def test_r1_and_r2_of_a_quadratic_critic(name, at):
    a = np.array([[2.0, 0.5], [0.5, -1.0]], np.float32)
    critic = lambda x: 0.5 * jnp.sum((x @ a) * x, axis=1)  # noqa: E731
    real, fake = np.asarray(jax.random.normal(KEY, (2, 9, 2)))
    half = {"real": 0.5 * np.mean(np.sum((real @ a) ** 2, axis=1)), "fake": 0.5 * np.mean(np.sum((fake @ a) ** 2, 1))}
    exact = sum(half.values()) if at == "both" else half[at]
    assert measured(name, critic, jnp.asarray(real), jnp.asarray(fake)) == pytest.approx(exact, rel=1e-5)


def test_wgan_gp_mixes_uniformly_with_a_weight_for_each_sample():
    # real at 0, fake at (2, 0), gradient x: E ((1 - u) 2 - 1)^2 = 1/3 for u uniform; 5 for u normal;
    # one weight for the whole batch would give anything in [0, 1], without its mean being taken
    n, fake = 20_000, jnp.tile(jnp.array([[2.0, 0.0]]), (20_000, 1))
    spread = math.sqrt(4 / 45)  # of v^2 for v uniform on [-1, 1]
    for seed in range(3):
        found = measured("wgan_gp", bowl, jnp.zeros((n, 2)), fake, jax.random.key(seed))
        assert found == pytest.approx(1 / 3, abs=4.5 * spread / math.sqrt(n))


def test_wgan_gp_mixes_with_one_weight_for_all_pixels():
    def roughness(x):  # half the squared deviation of pixels from their mean: its gradient is that deviation
        flat = x.reshape(len(x), -1)
        return 0.5 * jnp.sum((flat - jnp.mean(flat, axis=1, keepdims=True)) ** 2, axis=1)

    black, white = jnp.zeros((6, 4, 4, 1)), jnp.ones((6, 4, 4, 1))
    # a weight for each sample leaves an even grey, gradient 0, so (0 - 1)^2; a weight a pixel would leave noise
    assert measured("wgan_gp", roughness, black, white) == pytest.approx(1.0, abs=1e-6)


def test_dragan_looks_around_real_samples():
    # gradient x on the line; real x is 5 or 9, standard deviation 2: E (x - 1)^2 = 40 + (0.5 * 2)^2
    n = 20_000
    real = jnp.tile(jnp.array([[5.0], [9.0]]), (n // 2, 1))
    found = measured("dragan", bowl, real, jnp.full((n, 1), 1e3))
    assert found == pytest.approx(41, abs=0.5)


def test_squared_gradient_norm_of_images_against_one_by_one():
    w = jax.random.normal(KEY, (4 * 4 * 2,))
    one = lambda image: jnp.sum(jnp.tanh(image.ravel() * w))  # noqa: E731
    images = jax.random.normal(jax.random.key(1), (5, 4, 4, 2))
    oracle = [float(jnp.sum(jax.grad(one)(image) ** 2)) for image in images]
    np.testing.assert_allclose(losses.squared_gradient_norm(jax.vmap(one), images), oracle, rtol=1e-5)


def small_critic(params, x):
    hidden = jnp.tanh(x @ params["in"] + params["bias"][None])
    return hidden @ params["out"]


def critic_params():
    rng = np.random.default_rng(0)
    return {"in": rng.normal(size=(2, 5)), "bias": rng.normal(size=5), "out": rng.normal(size=5)}


@pytest.mark.parametrize("name", PENALTIES)
def test_gradient_in_the_critics_parameters_against_finite_differences(name, float64):
    real, fake = np.random.default_rng(1).normal(size=(2, 6, 2))

    def penalty(params):
        critic = lambda x: small_critic(params, x)  # noqa: E731
        return PENALTIES[name].function(critic, jnp.asarray(real), jnp.asarray(fake), KEY)

    params = jax.tree.map(jnp.asarray, critic_params())
    check_grads(jax.jit(penalty), (params,), order=1, modes=["rev"], rtol=1e-5, atol=1e-6)
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(jax.grad(penalty)(params))) > 1e-2


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_is_safe_where_the_critics_gradient_is_zero(name):
    x = jnp.ones((4, 2))
    flat = jax.tree.map(lambda leaf: jnp.zeros_like(leaf, jnp.float32), critic_params())
    penalty = lambda params: PENALTIES[name].function(lambda x: small_critic(params, x), x, -x, KEY)  # noqa: E731
    value, slope = jax.value_and_grad(penalty)(flat)
    assert float(value) == (1.0 if name in ("wgan_gp", "dragan") else 0.0)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(slope))


@pytest.mark.parametrize("name", PENALTIES)
def test_randomness_of_a_penalty_is_its_key(name):
    real, fake = jax.random.normal(KEY, (2, 7, 2))
    once, again = (measured(name, bowl, real, fake) for _ in range(2))
    other = measured(name, bowl, real, fake, jax.random.key(1))
    assert once == again
    assert (once != other) == (name in ("wgan_gp", "dragan"))


def test_safe_sqrt_away_from_zero_is_the_square_root(float64):
    x = jnp.array([1e-12, 0.3, 2.0, 1e6])
    np.testing.assert_allclose(losses.safe_sqrt(x), np.sqrt(x), rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(jax.grad(losses.safe_sqrt))(x), 0.5 / np.sqrt(x), rtol=1e-12)


def test_menus_hold_what_the_module_names():
    for name, loss in LOSSES.items():
        assert getattr(losses, name) is loss
    for name, penalty in PENALTIES.items():
        assert getattr(losses, name) is penalty
    with pytest.raises(KeyError, match="did you mean 'hinge'"):
        LOSSES["hindge"]
