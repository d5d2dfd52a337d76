"""The closed forms of theory's objectives against the losses themselves, autodiff, and finite differences."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats

from gan_jax import losses, theory
from gan_jax.losses import LOSSES

pytestmark = pytest.mark.once

GRID = theory.quadrature((-9.0, 9.0), 200)
X = GRID.points[:, 0]
NAMES = [name for name in LOSSES if name != "wasserstein"]
ZERO_SUM = ["minimax", "hinge", "f_kl", "f_reverse_kl", "f_jensen_shannon", "f_pearson"]


def two_modes(x):
    return np.logaddexp(scipy.stats.norm.logpdf(x, -1.5, 0.8), scipy.stats.norm.logpdf(x, 1.2, 0.9)) - math.log(2)


def bell(x, theta):
    """log q, whose mean and log scale are theta."""
    return scipy.stats.norm.logpdf(x, theta[0], math.exp(theta[1]))


THETA = np.array([0.5, math.log(1.5)])
RATIO = two_modes(X) - bell(X, THETA)


# ---- the best output ----


@pytest.mark.parametrize("name", NAMES)
def test_best_output_is_what_minimisation_finds(name):
    closed = theory.optimal_output(name, RATIO)
    found = theory.numerical_output(LOSSES[name], two_modes(X), bell(X, THETA), GRID.weights)
    if name == "relativistic":
        mass = np.exp(two_modes(X)) + np.exp(bell(X, THETA))
        closed = closed - mass @ closed / mass.sum()
    np.testing.assert_allclose(found, closed, rtol=1e-9, atol=1e-9)
    assert theory.optimal_output(LOSSES[name], jnp.asarray(RATIO, jnp.float32)).dtype == jnp.float32


@pytest.mark.parametrize("name", NAMES)
def test_no_other_output_serves_the_discriminator_better(name, float64):
    """L_D over all pairs of grid points, at the best output and at neighbours of it."""
    part, middle = LOSSES[name].discriminator, abs(X) < 4
    p, q = (GRID.weights * np.exp(log) * middle for log in (two_modes(X), bell(X, THETA)))
    pairs = jax.jit(jax.vmap(jax.vmap(lambda a, b: part(a[None], b[None]), (None, 0)), (0, None)))
    loss = lambda v: float(p @ np.asarray(pairs(jnp.asarray(v), jnp.asarray(v))) @ q)  # noqa: E731
    best = theory.optimal_output(name, RATIO)
    for change in (0.01 * np.sin(X), -0.01 * np.sin(X), 0.01 * np.cos(3 * X)):
        assert loss(best + change) > loss(best)


def test_numerical_output_at_ties_and_edges():
    at = lambda loss, log_p, log_q: theory.numerical_output(  # noqa: E731
        loss, np.array(log_p), np.array(log_q), np.ones(len(log_p))
    )
    assert at("hinge", [0.0, -1.0], [0.0, 1.0]).tolist() == [0.0, -1.0]  # any answer in [-1, 1] serves at a tie
    assert at("wasserstein", [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]).tolist() == [-math.inf, math.inf, 0.0]
    for name in NAMES:
        found = at(name, [0.3, -math.inf, -0.4], [-0.2, -math.inf, 0.5])
        assert np.isnan(found).tolist() == [False, True, False]
        np.testing.assert_allclose(found[0] - found[2], np.diff(theory.optimal_output(name, np.array([-0.9, 0.5])))[0])


def test_numerical_output_takes_a_loss_of_ones_own():
    # squares on probabilities: L_D is not convex in the logit, but falls and then rises; D = p / (p + q)
    squares = losses.Loss(
        lambda real, fake: jnp.mean((jax.nn.sigmoid(real) - 1) ** 2) + jnp.mean(jax.nn.sigmoid(fake) ** 2),
        lambda real, fake: jnp.mean((jax.nn.sigmoid(fake) - 1) ** 2),
    )
    near = abs(X) < 5
    found = theory.numerical_output(squares, two_modes(X[near]), bell(X[near], THETA), GRID.weights[near])
    np.testing.assert_allclose(found, RATIO[near], atol=1e-6)
    # pairs with squares: (real - fake - 1)^2 has its best at a difference that solves a linear system
    paired = losses.Loss(
        lambda real, fake: jnp.mean((real - fake - 1) ** 2), lambda real, fake: jnp.mean((real - fake + 1) ** 2)
    )
    p, q, ones = np.array([0.7, 0.2, 0.1]), np.array([0.2, 0.3, 0.5]), np.ones(3)
    found = theory.numerical_output(paired, np.log(p), np.log(q), ones)
    design = np.sqrt(np.outer(p, q)).ravel()
    gaps = (np.eye(3)[:, None] - np.eye(3)[None]).reshape(9, 3)
    exact = np.linalg.lstsq(design[:, None] * gaps, design, rcond=None)[0]
    np.testing.assert_allclose(found - found[0], exact - exact[0], atol=1e-9)
    assert (p + q) @ found == pytest.approx(0, abs=1e-12)


def test_outputs_refuse_what_has_none():
    with pytest.raises(ValueError, match=r"Lipschitz.*kantorovich_potential"):
        theory.optimal_output("wasserstein", 0.0)
    with pytest.raises(KeyError, match="did you mean 'hinge'"):
        theory.optimal_output("hindge", 0.0)
    own = losses.Loss(lambda real, fake: jnp.mean(fake - real), lambda real, fake: -jnp.mean(fake), "mine")
    with pytest.raises(ValueError, match=r"'mine'.*numerical_output"):
        theory.driven_by(own)
    average = losses.Loss(
        lambda real, fake: jnp.mean(jax.nn.softplus(jnp.mean(fake) - real)), lambda real, fake: jnp.mean(fake)
    )
    with pytest.raises(ValueError, match="more than one pair"):
        theory.numerical_output(average, X, X, GRID.weights)
    flat = losses.Loss(
        lambda real, fake: jnp.mean(jnp.maximum(0.0, 1 - real + fake)), lambda real, fake: jnp.mean(fake)
    )
    with pytest.raises(ValueError, match="did not settle"):
        theory.numerical_output(flat, two_modes(X), bell(X, THETA), GRID.weights)


def test_closed_forms_far_out_are_finite_or_infinite_but_never_undefined():
    u = np.array([-1000.0, -400.0, 400.0, 1000.0])
    for name in NAMES:
        for values in (theory.optimal_output(name, u), theory.driven_by(name).per_sample(u)):
            assert not np.isnan(values).any(), name
            assert (values[1:] >= values[:-1]).all() or (values[1:] <= values[:-1]).all(), name
    for kind in theory.DIVERGENCES:
        values = theory.first_variation(kind, u)
        assert not np.isnan(values).any()
        assert (values[1:] <= values[:-1]).all(), kind


# ---- what G descends ----


def fine(theta, log_p=two_modes):
    """Gauss-Legendre panels that end where p = q, so that kinks of total variation cost nothing: points, weights."""
    difference = lambda x: log_p(x) - bell(x, theta)  # noqa: E731
    scan = np.linspace(-12, 12, 2001)
    signs = np.sign(difference(scan))
    kinks = [scipy.optimize.brentq(difference, scan[i], scan[i + 1]) for i in np.nonzero(np.diff(signs))[0]]
    ends = np.union1d(np.linspace(-12, 12, 41), kinks)
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half, middle = np.diff(ends)[:, None] / 2, (ends[1:] + ends[:-1])[:, None] / 2
    return (middle + half * nodes).ravel(), (half * weights).ravel()


def slopes(function, theta, h=2e-3):
    """Both partial derivatives by a five-point stencil: an error of order h^4."""
    steps = h * np.eye(2)
    return np.array(
        [
            (8 * (function(theta + e) - function(theta - e)) - (function(theta + 2 * e) - function(theta - 2 * e)))
            / (12 * h)
            for e in steps
        ]
    )


def frozen_slopes(per_sample, theta):
    """d/dtheta of E_q[what G pays] with D* held: E_q[score * pay], by the exact score of the bell."""
    x, weights = fine(theta)
    p, q, u = weights * np.exp(two_modes(x)), weights * np.exp(bell(x, theta)), two_modes(x) - bell(x, theta)
    pay = per_sample(u[:, None], u[None, :]) @ (p / p.sum())
    z = (x - theta[0]) / math.exp(theta[1])
    return np.array([np.sum(q * pay * z / math.exp(theta[1])), np.sum(q * pay * (z**2 - 1))])


def descends(descent, theta):
    def total(theta):
        x, weights = fine(theta)
        return descent.divergence(two_modes(x), bell(x, theta), weights)

    return slopes(total, theta)


@pytest.mark.parametrize("name", NAMES)
def test_generator_at_the_best_discriminator_descends_its_divergences(name):
    descent = theory.driven_by(name)
    pay = lambda u, real: descent.per_sample(u, real) + 0 * real  # noqa: E731
    exact = frozen_slopes(pay, THETA)
    assert abs(exact).min() > 1e-3
    np.testing.assert_allclose(descends(descent, THETA), exact, atol=1e-7)


@pytest.mark.parametrize("labels", [(0.0, 1.0, 1.0), (-1.0, 1.0, 0.0), (0.2, 0.9, 0.8)])
def test_least_squares_with_any_labels_descends_its_divergences(labels):
    descent = theory.least_squares_descent(*labels)
    exact = frozen_slopes(lambda u, real: descent.per_sample(u, real) + 0 * real, THETA)
    np.testing.assert_allclose(descends(descent, THETA), exact, atol=1e-7)
    if labels == (0.0, 1.0, 1.0):
        assert descent.terms == theory.driven_by("least_squares").terms


def test_chi2_labels_value_the_generator_at_chi2_but_do_not_descend_it():
    x, weights = fine(THETA)
    log_p, log_q = two_modes(x), bell(x, THETA)
    chi2 = theory.divergence("triangular", log_p, log_q, weights)
    assert theory.least_squares_criterion(log_p, log_q, weights) == pytest.approx(chi2 / 2, abs=1e-12)
    assert theory.least_squares_criterion(log_p, log_q, weights, 0, 2, 1) == pytest.approx(chi2 / 2, abs=1e-12)
    # q = N(m, 1) close to p = N(0, 1): the value falls towards m = 0 with slope m / 2, a step at frozen D* hardly does
    normal = scipy.stats.norm.logpdf
    pay = theory.least_squares_descent(-1, 1, 0).per_sample(normal(x) - normal(x, 0.1))
    frozen = np.sum(weights * np.exp(normal(x, 0.1)) * pay * (x - 0.1))
    value = lambda m: theory.least_squares_criterion(normal(x), normal(x, m), weights)  # noqa: E731
    assert (value(0.101) - value(0.099)) / 0.002 == pytest.approx(0.05, abs=2e-3)
    assert abs(frozen) < 2e-3


@pytest.mark.parametrize("name", NAMES)
def test_what_a_sample_pays_is_the_losses_own_generator_term(name, float64):
    descent = theory.driven_by(name)
    u, real = np.array([-3.0, -0.4, 0.2, 2.5]), np.array([0.6, -1.2, 0.3, 1.0])
    logits = (jnp.asarray(theory.optimal_output(name, values)) for values in (real, u))
    own = jax.vmap(lambda real, fake: LOSSES[name].generator(real[None], fake[None]))(*logits)
    np.testing.assert_allclose(descent.per_sample(u, real), own, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"relativistic"}))  # pairs have no first variation in u alone
def test_what_a_sample_pays_is_the_sum_of_first_variations(name):
    descent, u = theory.driven_by(name), np.linspace(-4.0, 4.0, 9)
    total = sum(term.weight * theory.first_variation(term.kind, u) for term in descent.terms)
    pays = descent.per_sample(u)
    np.testing.assert_allclose(total - total[4], pays - pays[4], atol=1e-12)
    assert (np.diff(pays) <= 0).all()  # a sample that looks more real costs less: the sum is an f-divergence


@pytest.mark.parametrize("name", ZERO_SUM)
def test_where_the_game_is_zero_sum_the_discriminators_loss_is_the_divergence(name, float64):
    part, descent = LOSSES[name].discriminator, theory.driven_by(name)

    def sum_of_both(theta):
        x, weights = fine(theta)
        log_p, log_q = two_modes(x), bell(x, theta)
        v = jnp.asarray(theory.optimal_output(name, log_p - log_q))
        mean_p, mean_q = weights * np.exp(log_p), weights * np.exp(log_q)
        on_real = jax.vmap(lambda v: part(v[None], jnp.zeros(1)))(v)  # the two terms lie apart: A(v) + B(0)
        on_fake = jax.vmap(lambda v: part(jnp.zeros(1), v[None]))(v)
        nothing = part(jnp.zeros(1), jnp.zeros(1))
        loss_d = mean_p @ np.asarray(on_real) + mean_q @ np.asarray(on_fake) - float(nothing)
        return loss_d + descent.divergence(log_p, log_q, weights)

    constant = sum_of_both(np.array([0.0, 0.4]))
    assert sum_of_both(THETA) == pytest.approx(constant, abs=1e-9)


def test_relativistic_discriminator_sees_the_divergence_of_pairs():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])
    u = np.log(p / q)
    loss_d = np.outer(p, q).ravel() @ np.logaddexp(0, u[None, :] - u[:, None]).ravel()
    pairs, swapped = np.outer(p, q), np.outer(q, p)
    middle = (pairs + swapped) / 2
    jsd = np.sum(pairs * np.log(pairs / middle)) / 2 + np.sum(swapped * np.log(swapped / middle)) / 2
    assert loss_d == pytest.approx(math.log(2) - jsd)
    reverse_kl = np.sum(q * np.log(q / p))
    found = theory.driven_by("relativistic").divergence(np.log(p), np.log(q), np.ones(3))
    assert found == pytest.approx(reverse_kl - jsd)


def test_least_squares_criterion_of_the_first_pair():
    grid = theory.quadrature((-14.0, 15.0))
    x = grid.points[:, 0]
    log_p, log_q = scipy.stats.norm.logpdf(x), scipy.stats.norm.logpdf(x, 1)
    # FACTS: chi2(p + q, 2 q) = 0.408109 for N(0, 1), N(1, 1)
    chi2 = scipy.integrate.quad(
        lambda t: (math.exp(-(t**2) / 2) - math.exp(-((t - 1) ** 2) / 2)) ** 2
        / (math.exp(-(t**2) / 2) + math.exp(-((t - 1) ** 2) / 2)) / math.sqrt(2 * math.pi), -12, 13
    )[0]  # fmt: skip
    assert chi2 == pytest.approx(0.408109, abs=5e-7)
    assert theory.least_squares_criterion(log_p, log_q, grid.weights) == pytest.approx(chi2 / 2, abs=1e-9)
    assert theory.divergence("triangular", log_p, log_q, grid.weights) == pytest.approx(chi2, abs=1e-9)


# ---- the best Gaussian ----

WIDE = theory.quadrature((-16.0, 16.0), 2000)
W = WIDE.points[:, 0]
KINDS = list(theory.DIVERGENCES)
SMOOTH = sorted(set(KINDS) - {"total_variation"})


@pytest.mark.parametrize("kind", KINDS)
def test_a_gaussian_is_its_own_best_fit(kind):
    found = theory.best_gaussian(kind, scipy.stats.norm.logpdf(W, 0.3, 1.2), WIDE)
    assert found == pytest.approx((0.3, 1.2), abs=1e-6 if kind != "total_variation" else 1e-2)


def test_best_fit_for_kl_has_the_targets_moments():
    mean = -1.5 / 2 + 1.2 / 2
    variance = (1.5**2 + 0.8**2 + 1.2**2 + 0.9**2) / 2 - mean**2
    assert theory.best_gaussian("kl", two_modes(W), WIDE) == pytest.approx((mean, math.sqrt(variance)), abs=1e-6)


@pytest.mark.parametrize("kind", sorted(set(SMOOTH) - {"neyman"}))  # least where its integral all but diverges
def test_a_fit_is_a_minimum_of_the_divergence_itself(kind):
    fine_grid = theory.quadrature((-16.0, 16.0), 3001)  # another grid than the one it was found on
    x = fine_grid.points[:, 0]

    def total(theta):
        return theory.divergence(kind, two_modes(x), bell(x, theta), fine_grid.weights)

    fits = theory.gaussian_fits(kind, two_modes(W), WIDE)
    for fit in fits:
        theta = np.array([fit.mean, math.log(fit.scale)])
        assert total(theta) == pytest.approx(fit.divergence, abs=1e-7)
        np.testing.assert_allclose(slopes(total, theta), 0, atol=1e-6)
        for change in ((0.03, 0), (-0.03, 0), (0, 0.03), (0, -0.03)):
            assert total(theta + change) > total(theta)
    # a scan of means and widths finds nothing better than the first of them
    scan = [total(np.array([m, s])) for m in np.linspace(-3, 3, 13) for s in np.log([0.4, 0.7, 1.0, 1.4, 2.0])]
    assert min(scan) >= fits[0].divergence - 1e-12


def test_which_divergences_cover_and_which_seek():
    far = np.logaddexp(scipy.stats.norm.logpdf(W, -3, 0.5), scipy.stats.norm.logpdf(W, 3, 0.5)) - math.log(2)
    assert theory.best_gaussian("kl", far, WIDE) == pytest.approx((0, math.sqrt(9.25)), abs=1e-6)
    for kind in ("reverse_kl", "neyman"):
        first, second, *_ = theory.gaussian_fits(kind, far, WIDE)
        assert (first.mean, second.mean) == pytest.approx((-3, 3), abs=1e-3)  # left first among equals
        assert (first.scale, second.scale) == pytest.approx((0.5, 0.5), abs=1e-3)
    # a bell on one of two modes wholly apart: KL(q || p) = log 2
    assert theory.gaussian_fits("reverse_kl", far, WIDE)[0].divergence == pytest.approx(math.log(2), abs=1e-5)


def test_a_fit_needs_a_grid_that_holds_it():
    with pytest.raises(ValueError, match="widen the bounds"):
        theory.best_gaussian("kl", two_modes(X[X > 0]), theory.Quadrature(GRID.points[X > 0], GRID.weights[X > 0]))
    with pytest.raises(ValueError, match=r"no Gaussian of least KL\(p"):
        theory.best_gaussian("kl", scipy.stats.norm.logpdf(X, 0, 2.5), GRID)  # 4 standard deviations reach past 9
    with pytest.raises(ValueError, match="on the line"):
        theory.best_gaussian("kl", np.zeros(4), theory.quadrature((0.0, 1.0, 0.0, 1.0), 2))
