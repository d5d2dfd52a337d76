"""theory against closed forms, SciPy, and figures worked out by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from scipy.special import rel_entr

from gan_jax import data, losses, theory


@pytest.fixture
def float64():
    switch = jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64()
    with switch:
        yield


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


# ---- small games ----

R1 = lambda weight: {"penalty": losses.r1, "penalty_weight": weight}  # noqa: E731


@pytest.mark.parametrize(
    ("game", "eigenvalue"),
    [
        (theory.dirac_gan(losses.minimax), 0.5j),
        (theory.dirac_gan(losses.nonsaturating), 0.5j),
        (theory.dirac_gan(losses.wasserstein), 1j),
        (theory.dirac_gan(**R1(0.5)), -0.25 + math.sqrt(0.25 - 0.0625) * 1j),
        (theory.dirac_gan(**R1(1.0)), -0.5),
        (theory.dirac_gan(**R1(2.0)), -1 + math.sqrt(0.75)),
        (theory.dirac_gan(instance_noise=0.7), -0.1225 + 0.48476j),
        (theory.consensus(theory.dirac_gan(), 1.0), -0.25 + 0.5j),
        (theory.bilinear, 1j),
    ],
    ids=lambda case: getattr(case, "name", None),
)
def test_eigenvalues_at_the_equilibrium(game, eigenvalue, float64):
    found = theory.eigenvalues(game, np.zeros(2))
    half_trace = complex(eigenvalue).real if complex(eigenvalue).imag else found.real.mean()
    assert found[1] == pytest.approx(eigenvalue, abs=1e-5)
    assert found.real.mean() == pytest.approx(half_trace, abs=1e-6)
    if complex(eigenvalue).imag:
        assert found[0] == pytest.approx(np.conj(eigenvalue), abs=1e-5)


@pytest.mark.parametrize("gamma", [0.3, 1.0, 1.7])
def test_both_eigenvalues_under_r1(gamma, float64):
    found = theory.eigenvalues(theory.dirac_gan(**R1(gamma)), np.zeros(2))
    root = np.sqrt(complex(gamma**2 / 4 - 0.25))
    np.testing.assert_allclose(found, [-gamma / 2 - root, -gamma / 2 + root], atol=1e-6)


def test_wgan_gp_is_not_smooth_there_and_does_not_converge():
    game = theory.dirac_gan(losses.wasserstein, penalty=losses.wgan_gp, penalty_weight=1.0)
    with pytest.raises(ValueError, match="not smooth"):
        theory.eigenvalues(game, np.zeros(2))
    last = theory.play(game, np.array([0.5, 0.5]), 0.01, 5000, update="simultaneous")[-1000:]
    assert float(jnp.linalg.norm(last, axis=1).max()) > 0.3
    with_r1 = theory.dirac_gan(losses.wasserstein, penalty=losses.r1)
    last = theory.play(with_r1, np.array([0.5, 0.5]), 0.01, 5000, update="simultaneous")[-1000:]
    assert float(jnp.linalg.norm(last, axis=1).max()) < 1e-3


@pytest.mark.parametrize("name", losses.LOSSES)
def test_dirac_field_is_the_losses_own_gradient(name):
    """Without noise the game is the loss at the logits (0, psi theta): check both players by finite differences."""
    loss, theta, psi, h = losses.LOSSES[name], 0.7, -0.4, 1e-2
    logits = lambda theta, psi: (jnp.zeros(1), jnp.full(1, psi * theta))  # noqa: E731
    slope_g = (loss.generator(*logits(theta + h, psi)) - loss.generator(*logits(theta - h, psi))) / (2 * h)
    slope_d = (loss.discriminator(*logits(theta, psi + h)) - loss.discriminator(*logits(theta, psi - h))) / (2 * h)
    found = theory.field(theory.dirac_gan(loss), np.array([theta, psi]))
    np.testing.assert_allclose(found, [-slope_g, -slope_d], atol=2e-4)


def test_field_takes_vectors_too():
    rng = np.random.default_rng(0)
    params = rng.normal(size=(2, 3)).astype(np.float32)
    np.testing.assert_allclose(theory.field(theory.bilinear, params), [-params[1], params[0]], rtol=1e-6)
    found = theory.eigenvalues(theory.bilinear, params)
    np.testing.assert_allclose(found, [-1j] * 3 + [1j] * 3, atol=1e-6)


RADIUS = {
    "simultaneous": lambda h: math.sqrt(1 + h**2),
    "alternating": lambda h: 1.0,
    "extragradient": lambda h: math.sqrt(1 - h**2 + h**4),
    "optimistic": lambda h: math.sqrt((1 + math.sqrt(1 - 4 * h**2)) / 2),
}


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.45])
@pytest.mark.parametrize("update", theory.UPDATES)
def test_spectral_radius_of_the_bilinear_game(update, rate, float64):
    found = theory.spectral_radius(theory.bilinear, np.zeros(2), rate, update=update)
    assert found == pytest.approx(RADIUS[update](rate), abs=1e-9)


@pytest.mark.parametrize("update", theory.UPDATES)
def test_long_play_grows_as_the_spectral_radius_says(update, float64):
    path = np.linalg.norm(theory.play(theory.bilinear, np.array([1.0, 0.5]), 0.3, 2000, update=update), axis=1)
    growth = (path[1500:].mean() / path[500:1000].mean()) ** (1 / 1000)
    assert growth == pytest.approx(RADIUS[update](0.3), abs=2e-3)


def test_play_is_the_steps_written_out():
    rate, (x, y) = (0.1, 0.2), (1.0, 2.0)
    expected = [(x, y)]
    for _ in range(3):  # D (y, which maximises xy) first, then G against the new y
        y = y + rate[1] * x
        x = x - rate[0] * y
        expected.append((x, y))
    np.testing.assert_allclose(theory.play(theory.bilinear, np.array([1.0, 2.0]), rate, 3), expected, rtol=1e-6)
    with pytest.raises(ValueError, match=r"got shape \(3,\)"):
        theory.play(theory.bilinear, np.zeros(2), (0.1, 0.1, 0.1), 3)
    with pytest.raises(KeyError, match="did you mean 'optimistic'"):
        theory.play(theory.bilinear, np.zeros(2), 0.1, 3, update="optimist")


CLOSED_FORMS = {
    "nonsaturating": (2 * math.log(2), math.log(2)),
    "minimax": (2 * math.log(2), -math.log(2)),
    "least_squares": (0.25, 0.125),
    "wasserstein": (0.0, None),
    "hinge": (2.0, None),
    "relativistic": (math.log(2), math.log(2)),
    "f_kl": (0.0, -1.0),
    "f_reverse_kl": (0.0, 1.0),
    "f_jensen_shannon": (0.0, 0.0),
    "f_pearson": (0.0, 0.0),
}


@pytest.mark.parametrize("name", losses.LOSSES)
def test_values_at_equilibrium_are_the_closed_forms(name):
    loss_d, loss_g = theory.equilibrium(losses.LOSSES[name])
    expected_d, expected_g = CLOSED_FORMS[name]
    assert loss_d == pytest.approx(expected_d, abs=2e-5)
    assert loss_g == (None if expected_g is None else pytest.approx(expected_g, abs=1e-3))


def test_values_at_equilibrium_follow_the_smoothing():
    # D minimises softplus(-v) + softplus(v) + s v, so sigmoid(v) = (1 - s) / 2
    d = (1 - 0.3) / 2
    loss_d, loss_g = theory.equilibrium(losses.nonsaturating, 0.3)
    assert loss_d == pytest.approx(-math.log(d) - math.log(1 - d), abs=1e-3)
    assert loss_g == pytest.approx(-math.log(d), abs=3e-3)
