"""theory against closed forms, SciPy, and figures worked out by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from scipy.special import rel_entr

from gan_jax import data, theory

pytestmark = pytest.mark.once

GRID = theory.quadrature((-14.0, 22.0), 6000)
X = GRID.points[:, 0]


def log_normal(mean, scale=1.0):
    return scipy.stats.norm.logpdf(X, mean, scale)


# ---- D* and the value ----


def test_optimal_discriminator_of_two_gaussians():
    log_p, log_q = log_normal(0), log_normal(1)
    np.testing.assert_allclose(theory.optimal_logit(log_p, log_q), 0.5 - X, atol=1e-9)
    at_zero = theory.optimal_discriminator(np.array([-0.0]), np.array([-0.5]))
    assert at_zero[0] == pytest.approx(0.622459, abs=5e-7)
    best = theory.optimal_logit(log_p, log_q)
    assert theory.value(best, log_p, log_q, GRID.weights) == pytest.approx(-1.163451, abs=5e-7)
    jsd = theory.divergence("jensen_shannon", log_p, log_q, GRID.weights)
    assert theory.value(best, log_p, log_q, GRID.weights) == pytest.approx(-math.log(4) + 2 * jsd, abs=1e-12)


@pytest.mark.parametrize("change", [lambda x: x + 0.01, lambda x: 1.01 * x, lambda x: x + 0.01 * np.sin(x)])
def test_no_other_discriminator_is_worth_more(change):
    log_p, log_q = log_normal(0), log_normal(1, 1.5)
    best = theory.optimal_logit(log_p, log_q)
    value = lambda logit: theory.value(logit, log_p, log_q, GRID.weights)  # noqa: E731
    assert value(change(best)) < value(best)


def test_value_at_equilibrium_is_minus_log_4():
    log_p = log_normal(0)
    assert theory.value(np.zeros_like(X), log_p, log_p, GRID.weights) == pytest.approx(-1.386294361, abs=1e-9)


def test_where_neither_has_mass_the_discriminator_is_undefined():
    log_p = np.array([0.0, -np.inf, -np.inf])
    log_q = np.array([-np.inf, 0.0, -np.inf])
    np.testing.assert_array_equal(theory.optimal_logit(log_p, log_q), [np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(theory.optimal_discriminator(log_p, log_q), [1, 0, np.nan])


# ---- divergences ----


@pytest.mark.parametrize(("mu", "jsd", "kl", "w1"), [(1, 0.111421, 0.5, 1), (4, 0.632720, 8, 4), (8, 0.693054, 32, 8)])
def test_divergences_of_shifted_gaussians(mu, jsd, kl, w1):
    log_p, log_q = log_normal(0), log_normal(mu)
    of = lambda kind: theory.divergence(kind, log_p, log_q, GRID.weights)  # noqa: E731
    assert of("jensen_shannon") == pytest.approx(jsd, abs=5e-7)
    assert of("kl") == pytest.approx(kl, abs=1e-6)
    assert of("reverse_kl") == pytest.approx(kl, abs=1e-6)
    assert of("total_variation") == pytest.approx(2 * scipy.stats.norm.cdf(mu / 2) - 1, abs=1e-6)
    assert of("squared_hellinger") == pytest.approx(2 - 2 * math.exp(-(mu**2) / 8), abs=1e-6)
    assert of("jeffrey") == pytest.approx(mu**2, abs=1e-6)
    assert theory.wasserstein1_density(log_p, log_q, GRID) == pytest.approx(w1, abs=1e-6)
    assert theory.gaussian_w1(0, 1, mu, 1) == w1
    assert theory.gaussian_kl(0, 1, mu, 1) == pytest.approx(kl)


def test_chi2_and_gaussians_of_other_widths():
    log_p, log_q = log_normal(0), log_normal(1)
    assert theory.divergence("pearson", log_p, log_q, GRID.weights) == pytest.approx(math.e - 1, abs=1e-6)
    assert theory.divergence("neyman", log_p, log_q, GRID.weights) == pytest.approx(math.e - 1, abs=1e-6)
    wide = log_normal(0.5, 2.0)
    assert theory.divergence("kl", log_p, wide, GRID.weights) == pytest.approx(
        theory.gaussian_kl(0, 1, 0.5, 4), abs=1e-6
    )
    assert theory.wasserstein1_density(log_p, wide, GRID) == pytest.approx(theory.gaussian_w1(0, 1, 0.5, 2), abs=1e-5)


def test_divergences_of_discrete_distributions_against_scipy():
    p, q = np.array([0.1, 0.2, 0.7]), np.array([0.5, 0.25, 0.25])
    of = lambda kind: theory.divergence(kind, np.log(p), np.log(q), np.ones(3))  # noqa: E731
    middle = (p + q) / 2
    assert of("kl") == pytest.approx(rel_entr(p, q).sum())
    assert of("reverse_kl") == pytest.approx(rel_entr(q, p).sum())
    assert of("jensen_shannon") == pytest.approx((rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2)
    assert of("gan") == pytest.approx(2 * of("jensen_shannon") - math.log(4))
    assert of("pearson") == pytest.approx(np.sum((p - q) ** 2 / q))
    assert of("neyman") == pytest.approx(np.sum((p - q) ** 2 / p))
    assert of("jeffrey") == pytest.approx(np.sum((p - q) * np.log(p / q)))
    assert of("kl_to_mixture") == pytest.approx(rel_entr(p, middle).sum())
    assert of("triangular") == pytest.approx(np.sum((p - q) ** 2 / (p + q)))
    assert of("triangular") == pytest.approx(np.sum((p + q - 2 * q) ** 2 / (p + q)))  # chi2 of p + q from 2 q


@pytest.mark.parametrize(
    ("kind", "apart"),
    [
        ("kl", math.inf),
        ("reverse_kl", math.inf),
        ("jensen_shannon", math.log(2)),
        ("gan", 0.0),
        ("pearson", math.inf),
        ("neyman", math.inf),
        ("squared_hellinger", 2.0),
        ("total_variation", 1.0),
        ("jeffrey", math.inf),
        ("kl_to_mixture", math.log(2)),
        ("triangular", 2.0),
    ],
)
def test_divergences_of_disjoint_distributions(kind, apart):
    with np.errstate(divide="ignore"):
        log_p, log_q = np.log([0.5, 0.5, 0, 0, 0]), np.log([0, 0, 0.5, 0.5, 0])
    assert theory.divergence(kind, log_p, log_q, np.ones(5)) == pytest.approx(apart, abs=1e-12)


KINDS = list(theory.DIVERGENCES)


@pytest.mark.parametrize("kind", KINDS)
def test_generator_is_convex_with_its_conjugate_and_optimal_output(kind):
    row = theory.DIVERGENCES[kind]
    ratios = np.exp(np.linspace(-12, 12, 40001))
    f = row.generator(ratios)
    slopes = np.diff(f) / np.diff(ratios)
    assert np.all(np.diff(slopes) > -1e-6 * (1 + abs(slopes[1:])))  # convex
    if kind != "gan":
        assert abs(row.generator(1.0)) < 1e-12
    for u in (-1.5, -0.4, 0.3, 0.9):
        t = row.optimal(np.float64(u))
        if kind != "total_variation":
            step = 1e-5  # f'(r) by central differences
            slope = (row.generator(math.exp(u) + step) - row.generator(math.exp(u) - step)) / (2 * step)
            assert t == pytest.approx(slope, rel=1e-5)
        # the supremum over a fine grid of ratios, whose ends are far from the maximum
        assert row.conjugate(t) == pytest.approx(np.max(ratios * t - f), abs=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_variational_bound_is_tight_at_the_optimum_only(kind):
    log_p, log_q = log_normal(0), log_normal(0.6)
    best = theory.DIVERGENCES[kind].optimal(log_p - log_q)
    exact = theory.divergence(kind, log_p, log_q, GRID.weights)
    bound = lambda t: theory.variational_bound(kind, t, log_p, log_q, GRID.weights)  # noqa: E731
    assert bound(best) == pytest.approx(exact, abs=1e-8)
    middle = abs(X) < 5  # where the domain of f* is not left
    assert bound(np.where(middle, 0.95 * best, best)) < exact - 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_output_activation_is_increasing_and_stays_in_the_domain(kind):
    row = theory.DIVERGENCES[kind]
    t = row.activation(np.linspace(-30, 30, 1201))
    assert (np.diff(t) >= 0).all()
    assert t[-1] > t[0]
    conjugate = row.conjugate(t)
    assert np.isfinite(conjugate).all()
    ratios = np.exp(np.linspace(-8, 8, 33))  # Fenchel and Young: r t <= f(r) + f*(t)
    total = row.generator(ratios)[:, None] + conjugate[None, :]
    assert (total - np.outer(ratios, t) > -1e-9 * (1 + abs(total))).all()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"total_variation"}))
def test_every_optimal_output_can_be_reached_through_the_activation(kind):
    row = theory.DIVERGENCES[kind]
    reached, wanted = row.activation(np.array([-400.0, 400.0])), row.optimal(np.array([-4.0, 4.0]))
    assert reached[0] < wanted[0] < wanted[1]
    assert wanted[1] < reached[1] or kind in ("reverse_kl", "jensen_shannon", "gan")  # rounds to the bound itself


@pytest.mark.parametrize("kind", KINDS)
def test_fenchel_and_young_are_equal_at_the_optimal_output(kind):
    row, u = theory.DIVERGENCES[kind], np.linspace(-4, 4, 17)
    t, r = row.optimal(u), np.exp(u)
    conjugate = row.conjugate(t)
    np.testing.assert_allclose(row.generator(r) + conjugate, r * t, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(theory.first_variation(kind, u), -conjugate, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_slope_of_the_conjugate_at_the_optimal_output_is_the_ratio(kind, float64):
    row, u = theory.DIVERGENCES[kind], jnp.linspace(-4.0, 4.0, 17)
    if kind == "total_variation":
        u = jnp.zeros(1)  # f* has a slope inside its domain only, where it is 1
        np.testing.assert_allclose(jax.vmap(jax.grad(row.conjugate))(u), 1.0)
        return
    np.testing.assert_allclose(jax.vmap(jax.grad(row.conjugate))(row.optimal(u)), jnp.exp(u), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_no_discriminator_estimates_more_than_the_divergence(kind):
    log_p, log_q = log_normal(0), log_normal(0.6, 1.3)
    exact = theory.divergence(kind, log_p, log_q, GRID.weights)
    rng = np.random.default_rng(0)
    for a, b, c in rng.normal(size=(20, 3)):
        t = theory.DIVERGENCES[kind].activation(a + b * np.tanh(X - c))
        assert theory.variational_bound(kind, t, log_p, log_q, GRID.weights) < exact


@pytest.mark.parametrize("kind", KINDS)
def test_divergence_from_itself_is_zero(kind):
    log_p = log_normal(0.3, 1.2)
    zero = -math.log(4) if kind == "gan" else 0.0
    assert theory.divergence(kind, log_p, log_p, GRID.weights) == pytest.approx(zero, abs=1e-12)
    assert theory.divergence(kind, log_p, log_normal(0), GRID.weights) > zero + 1e-3


@pytest.mark.parametrize("y", [-30.0, -2.0, 0.0, 1.0, 1.5, 9.0, 700.0, 1e6])
def test_lamberts_w_against_scipy(y):
    from scipy.special import lambertw, wrightomega

    from gan_jax.theory.divergences import _omega, _tree

    assert _omega(np.float64(y)) == pytest.approx(wrightomega(y), rel=1e-13)
    t = math.log(2) - abs(y)
    if 0 < abs(y) < 700:
        assert _tree(np.float64(t)) == pytest.approx(-lambertw(-math.exp(t - 1) / 2).real, rel=1e-12)
    near = math.log(2) - 1e-10  # s e^-s is flat at s = 1: s = 1 - sqrt(2 (log 2 - t)) there
    assert _tree(np.float64(near)) == pytest.approx(1 - math.sqrt(2e-10), abs=1e-10)


MIXTURES = {
    "one": ([1.0], [0.0], [1.0]),
    "two": ([0.4, 0.6], [-2.0, 1.5], [0.6, 0.9]),
    "three": ([0.2, 0.5, 0.3], [-3.0, 0.0, 2.5], [0.5, 0.4, 1.1]),
}


@pytest.mark.parametrize(("first", "second"), [("two", "one"), ("three", "one"), ("three", "two")])
def test_mixtures_against_adaptive_quadrature(first, second):
    from scipy.integrate import cumulative_simpson, quad

    def density(name):
        weights, means, scales = MIXTURES[name]
        return lambda x: sum(w * scipy.stats.norm.pdf(x, m, s) for w, m, s in zip(weights, means, scales, strict=True))

    p, q = density(first), density(second)
    grid = theory.quadrature((-14.0, 14.0), 20_000)
    log_p, log_q = np.log(p(grid.points[:, 0])), np.log(q(grid.points[:, 0]))
    of = lambda kind: theory.divergence(kind, log_p, log_q, grid.weights)  # noqa: E731
    middle = lambda x: (p(x) + q(x)) / 2  # noqa: E731
    integrands = {
        "kl": lambda x: rel_entr(p(x), q(x)),
        "reverse_kl": lambda x: rel_entr(q(x), p(x)),
        "jensen_shannon": lambda x: (rel_entr(p(x), middle(x)) + rel_entr(q(x), middle(x))) / 2,
        "total_variation": lambda x: abs(p(x) - q(x)) / 2,
    }
    for kind, integrand in integrands.items():
        exact = sum(quad(integrand, low, low + 2, epsabs=1e-10, limit=200)[0] for low in range(-14, 14, 2))
        assert of(kind) == pytest.approx(exact, abs=1e-6), kind
    x = np.linspace(-14, 14, 40001)
    gap = cumulative_simpson(p(x) - q(x), x=x, initial=0)
    assert theory.wasserstein1_density(log_p, log_q, grid) == pytest.approx(np.trapezoid(abs(gap), x), abs=1e-6)


def test_divergences_can_be_differentiated():
    def kl(mu):
        return theory.divergence("kl", jnp.asarray(log_normal(0)), -0.5 * (X - mu) ** 2 - 0.918938533, GRID.weights)

    assert float(jax.grad(kl)(2.0)) == pytest.approx(2.0, abs=1e-3)  # d/dmu mu^2 / 2


def test_quadrature_of_a_target_in_the_plane():
    target = data.grid(3, spacing=1.0, scale=0.2)
    grid = theory.quadrature(data.bounds(target, margin=0.5), 200)
    log_p = np.asarray(target.log_prob(grid.points), np.float64)
    assert np.sum(grid.weights * np.exp(log_p)) == pytest.approx(1, abs=1e-5)
    round_gaussian = data.gaussian((0.0, 0.0), 0.2)
    log_q = np.asarray(round_gaussian.log_prob(grid.points), np.float64)
    # one ninth of the mass lies at the middle mode, which q covers alone
    assert theory.divergence("total_variation", log_p, log_q, grid.weights) == pytest.approx(8 / 9, abs=2e-2)


def test_quadrature_refuses_bounds_that_do_not_rise():
    with pytest.raises(ValueError, match="rising"):
        theory.quadrature((1.0, -1.0))
    with pytest.raises(ValueError, match="left, right, bottom, top"):
        theory.quadrature((0.0, 1.0, 2.0))


def test_an_unknown_divergence_names_the_known():
    with pytest.raises(KeyError, match="did you mean 'pearson'"):
        theory.divergence("pearsson", X, X, GRID.weights)


# ---- Gaussians ----


def test_frechet_distance():
    assert theory.frechet_distance(0, 1, 1, 4) == pytest.approx(2)
    rng = np.random.default_rng(0)
    a, b = (m @ m.T for m in rng.normal(size=(2, 5, 5)))
    mean = rng.normal(size=5)
    import scipy.linalg

    oracle = mean @ mean + np.trace(a) + np.trace(b) - 2 * np.trace(scipy.linalg.sqrtm(a @ b)).real
    assert theory.frechet_distance(np.zeros(5), a, mean, b) == pytest.approx(oracle, rel=1e-8)
    assert theory.frechet_distance(mean, a, mean, a) == pytest.approx(0, abs=1e-9)
    singular = np.diag([1.0, 0.0])
    assert theory.frechet_distance(np.zeros(2), singular, np.zeros(2), np.eye(2)) == pytest.approx(1)


def test_gaussian_kl_in_three_dimensions_against_samples():
    rng = np.random.default_rng(1)
    a, b = (m @ m.T + np.eye(3) for m in rng.normal(size=(2, 3, 3)))
    mean = np.array([0.5, -1.0, 0.2])
    p, q = scipy.stats.multivariate_normal(np.zeros(3), a), scipy.stats.multivariate_normal(mean, b)
    x = p.rvs(400_000, random_state=2)
    draws = p.logpdf(x) - q.logpdf(x)
    assert abs(theory.gaussian_kl(np.zeros(3), a, mean, b) - draws.mean()) < 4 * draws.std() / math.sqrt(len(x))


def test_gaussian_w1_against_quantiles():
    u = (np.arange(1_000_000) + 0.5) / 1_000_000
    z = scipy.stats.norm.ppf(u)
    assert theory.gaussian_w1(0, 1, 0.7, 2.5) == pytest.approx(np.mean(abs(0.7 + 1.5 * z)), abs=1e-4)


def test_gaussian_mmd_against_quadrature():
    k = np.exp(-((X[::4, None] - X[None, ::4]) ** 2) / (2 * 0.8**2))
    difference = (np.exp(log_normal(0)) - np.exp(log_normal(1.5, 2.0)))[::4] * 4 * GRID.weights[0]
    assert theory.gaussian_mmd(0, 1, 1.5, 2, 0.8) == pytest.approx(difference @ k @ difference, abs=1e-6)


def test_gaussians_refuse_what_is_none():
    with pytest.raises(ValueError, match="covariance of shape"):
        theory.frechet_distance(np.zeros(2), np.eye(3), np.zeros(2), np.eye(2))
    with pytest.raises(ValueError, match="positive definite"):
        theory.gaussian_kl(np.zeros(2), np.eye(2), np.zeros(2), np.diag([1.0, 0.0]))
    with pytest.raises(ValueError, match="symmetric"):
        theory.frechet_distance(np.zeros(2), np.array([[1.0, 0.5], [0.0, 1.0]]), np.zeros(2), np.eye(2))
    with pytest.raises(ValueError, match="2 and 3 dimensions"):
        theory.frechet_distance(np.zeros(2), np.eye(2), np.zeros(3), np.eye(3))


# ---- optimal transport ----


@pytest.mark.parametrize(("n", "m"), [(7, 7), (5, 8), (1, 3), (30, 49)])
def test_wasserstein_on_the_line_against_scipy(n, m):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=n), rng.normal(1, 2, size=m)
    assert theory.wasserstein_line(x, y) == pytest.approx(scipy.stats.wasserstein_distance(x, y))


@pytest.mark.parametrize("order", [1, 2])
def test_assignment_is_the_quantile_coupling_on_the_line(order):
    x, y = np.random.default_rng(0).normal(size=(2, 40))
    exact = theory.wasserstein(x[:, None], y[:, None], order)
    assert exact == pytest.approx(theory.wasserstein_line(x, y, order))


def test_assignment_against_every_permutation():
    import itertools

    x, y = np.random.default_rng(3).normal(size=(2, 6, 2))
    for order in (1, 2):
        best = min(np.mean(np.linalg.norm(x - y[list(p)], axis=1) ** order) for p in itertools.permutations(range(6)))
        assert theory.wasserstein(x, y, order) == pytest.approx(best ** (1 / order))
        assert sorted(theory.transport_plan(x, y, order)) == list(range(6))


@pytest.mark.parametrize("order", [1, 2])
def test_a_shift_costs_its_length(order):
    x = np.asarray(data.ring(8).sample(jax.random.key(0), 200), np.float64)
    assert theory.wasserstein(x, x[::-1] + np.array([3.0, 4.0]), order) == pytest.approx(5)


def test_transport_refuses_unequal_or_broken_clouds():
    with pytest.raises(ValueError, match=r"\(3, 2\) and \(4, 2\)"):
        theory.wasserstein(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="2 NaN or infinite numbers of 6"):
        theory.wasserstein(np.array([[0, np.nan], [0, np.inf], [0, 0]]), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="grid of the line"):
        theory.wasserstein1_density(np.zeros(4), np.zeros(4), theory.quadrature((0.0, 1.0, 0.0, 1.0), 2))


def histograms(n, m, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.random(n) ** 3, rng.random(m)
    return a / a.sum(), b / b.sum()


@pytest.mark.parametrize(("n", "m"), [(10, 10), (7, 12), (1, 5), (30, 30)])
def test_kantorovich_is_optimal_by_its_own_proof(n, m):
    """Feasible both ways, and primal equal to dual: that is the proof of optimality, whatever found it."""
    (a, b), cost = histograms(n, m), np.random.default_rng(1).random((n, m))
    found = theory.kantorovich(cost, a, b)
    np.testing.assert_allclose(found.plan.sum(axis=1), a, atol=1e-9)
    np.testing.assert_allclose(found.plan.sum(axis=0), b, atol=1e-9)
    slack = cost - found.potential_a[:, None] - found.potential_b
    assert slack.min() > -1e-12
    assert a @ found.potential_a + b @ found.potential_b == pytest.approx(found.value, abs=1e-9)
    assert np.max(found.plan * slack) < 1e-9  # complementary slackness
    assert a @ found.potential_a == pytest.approx(0, abs=1e-12)


def test_kantorovich_of_bins_on_the_line():
    x, (a, b) = np.linspace(-2, 3, 25), histograms(25, 25, seed=4)
    a[5:9], b[:3] = 0.0, 0.0  # empty bins, where the program alone leaves the potential loose
    a, b = a / a.sum(), b / b.sum()
    found = theory.kantorovich(abs(x[:, None] - x), a, b)
    assert found.value == pytest.approx(scipy.stats.wasserstein_distance(x, x, a, b), abs=1e-9)
    assert found.value == pytest.approx(np.sum(abs(np.cumsum(a - b))[:-1] * np.diff(x)), abs=1e-9)
    lipschitz = abs(found.potential_a[:, None] - found.potential_a) - abs(x[:, None] - x)
    assert lipschitz.max() < 1e-12
    np.testing.assert_allclose(found.potential_b, -found.potential_a, atol=1e-12)
    assert (a - b) @ found.potential_a == pytest.approx(found.value, abs=1e-9)


def test_kantorovich_of_equal_points_is_the_assignment():
    x, y = np.random.default_rng(2).normal(size=(2, 12, 2))
    cost = np.linalg.norm(x[:, None] - y[None], axis=-1)
    found = theory.kantorovich(cost, np.full(12, 1 / 12), np.full(12, 1 / 12))
    assert found.value == pytest.approx(theory.wasserstein(x, y, order=1), abs=1e-9)


def test_kantorovich_refuses_what_cannot_be_carried():
    with pytest.raises(ValueError, match="divide each by its sum"):
        theory.kantorovich(np.ones((2, 2)), np.array([1.0, 1.0]), np.array([1.0, 0.5]))
    with pytest.raises(ValueError, match=r"least -0\.5"):
        theory.kantorovich(np.ones((2, 2)), np.array([1.5, -0.5]), np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match="cost must be finite"):
        theory.kantorovich(np.array([[np.nan]]), np.ones(1), np.ones(1))


@pytest.mark.parametrize(("mean", "scale"), [(1.0, 1.0), (0.5, 2.0), (-3.0, 0.4)])
def test_best_critic_on_the_line(mean, scale):
    log_p, log_q = log_normal(0), log_normal(mean, scale)
    f = theory.kantorovich_potential(log_p, log_q, GRID)
    slope = np.diff(f) / np.diff(X)
    assert abs(slope).max() < 1 + 1e-9
    p, q = GRID.weights * np.exp(log_p), GRID.weights * np.exp(log_q)
    assert (p - q) @ f == pytest.approx(theory.wasserstein1_density(log_p, log_q, GRID), abs=1e-9)
    assert (p - q) @ f == pytest.approx(theory.gaussian_w1(0, 1, mean, scale), abs=1e-5 if scale != 1 else 1e-6)
    assert (p + q) @ f == pytest.approx(0, abs=1e-9)
    rng = np.random.default_rng(0)
    for a, b in rng.normal(size=(5, 2)):
        assert (p - q) @ np.sin(a + X) < (p - q) @ f  # another 1-Lipschitz critic
        assert (p - q) @ -abs(X - b) < (p - q) @ f + 1e-12


def test_best_critic_is_the_linear_programs_potential():
    grid = theory.quadrature((-5.0, 6.0), 40)
    x = grid.points[:, 0]
    a, b = (scipy.stats.norm.pdf(x, mean, scale) for mean, scale in ((0, 1), (0.6, 1.4)))
    a, b = a / a.sum(), b / b.sum()
    found = theory.kantorovich(abs(x[:, None] - x), a, b)
    f = theory.kantorovich_potential(np.log(a / grid.weights), np.log(b / grid.weights), grid)
    assert (a - b) @ f == pytest.approx(found.value, abs=1e-9)
    middle = abs(x) < 3.5  # farther out there is next to no mass, and the potential is loose
    np.testing.assert_allclose(np.diff(f[middle]), np.diff(found.potential_a[middle]), atol=1e-9)


# ---- kernels ----


@pytest.mark.parametrize(("mean", "scale", "bandwidth"), [(1.0, 1.0, 1.0), (1.5, 2.0, 0.8), (0.0, 0.5, 3.0)])
def test_mmd_of_densities_is_the_closed_form(mean, scale, bandwidth):
    grid = theory.quadrature((-13.0, 15.0), 1500)
    x = grid.points[:, 0]
    log_p, log_q = scipy.stats.norm.logpdf(x), scipy.stats.norm.logpdf(x, mean, scale)
    found = theory.mmd_density(log_p, log_q, grid, bandwidth)
    assert found == pytest.approx(theory.gaussian_mmd(0, 1, mean, scale, bandwidth), abs=1e-9)
    # smoothing a Gaussian by the kernel widens it: w = c (N(0, s^2 + b^2) - N(m, t^2 + b^2)), c = b sqrt(2 pi)
    wide = lambda mean, scale: scipy.stats.norm.pdf(x, mean, math.hypot(scale, bandwidth))  # noqa: E731
    exact = bandwidth * math.sqrt(2 * math.pi) * (wide(0, 1) - wide(mean, scale))
    np.testing.assert_allclose(theory.mmd_witness(log_p, log_q, grid, bandwidth), exact, atol=1e-9)


def test_mmd_in_the_plane_and_of_nonsense():
    grid = theory.quadrature((-5.0, 6.0, -5.0, 5.0), 50)
    log_p, log_q = (
        scipy.stats.multivariate_normal(mean, scale**2 * np.eye(2)).logpdf(grid.points)
        for mean, scale in (((0, 0), 1.0), ((1, 0.5), 0.8))
    )
    exact = theory.gaussian_mmd((0.0, 0.0), 1.0, (1.0, 0.5), 0.8, 0.7)
    assert theory.mmd_density(log_p, log_q, grid, 0.7) == pytest.approx(exact, abs=1e-6)
    with pytest.raises(ValueError, match="above 0, got 0"):
        theory.mmd_witness(log_p, log_q, grid, 0)
