"""Eigenvalues and spectral radii against closed forms, and leading eigenvalues of a GAN against the whole matrix."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import losses, theory

pytestmark = pytest.mark.once

R1 = lambda weight: {"penalty": losses.r1, "penalty_weight": weight}  # noqa: E731


def both(half_trace, square):
    root = np.sqrt(complex(square))
    return np.sort_complex(np.array([half_trace - root, half_trace + root]))


EIGENVALUES = {
    "minimax": (theory.dirac_gan("minimax"), both(0, -0.25)),
    "non-saturating": (theory.dirac_gan(), both(0, -0.25)),
    "Wasserstein": (theory.dirac_gan("wasserstein"), both(0, -1)),
    "R1 0.3": (theory.dirac_gan(**R1(0.3)), both(-0.15, 0.0225 - 0.25)),
    "R1 0.5": (theory.dirac_gan(**R1(0.5)), both(-0.25, 0.0625 - 0.25)),
    "R1 critical": (theory.dirac_gan(**R1(1.0)), both(-0.5, 0)),
    "R1 2": (theory.dirac_gan(**R1(2.0)), both(-1, 0.75)),
    "R2 2": (theory.dirac_gan(penalty=losses.r2, penalty_weight=2.0), both(-1, 0.75)),
    "noise": (theory.dirac_gan(instance_noise=0.7), both(-(0.7**2) / 4, 0.7**4 / 16 - 0.25)),
    "consensus": (theory.consensus(theory.dirac_gan(), 1.0), both(-0.25, -0.25)),
    "bilinear": (theory.bilinear, both(0, -1)),
    "quadratic": (theory.quadratic(0.3, 2.0, 0.7), both(-0.5, 0.04 - 4)),
    "common interest": (theory.quadratic(0.3, 2.0, 0.7, coupling_d=-2.0), both(-0.5, 0.04 + 4)),
}


@pytest.mark.parametrize("case", EIGENVALUES)
def test_eigenvalues_at_the_equilibrium(case):
    game, expected = EIGENVALUES[case]
    np.testing.assert_allclose(theory.eigenvalues(game, np.zeros(2)), expected, atol=1e-7)


def test_the_printed_table():
    assert theory.eigenvalues(theory.dirac_gan(instance_noise=0.7), np.zeros(2))[1] == pytest.approx(
        -0.1225 + 0.4848j, abs=5e-5
    )
    assert theory.eigenvalues(theory.consensus(theory.dirac_gan(), 1.0), np.zeros(2))[1] == pytest.approx(
        -0.25 + 0.5j, abs=1e-7
    )


def test_wgan_gp_is_not_smooth_there_and_does_not_converge():
    game = theory.dirac_gan("wasserstein", penalty=losses.wgan_gp)
    with pytest.raises(ValueError, match=r"not smooth at \[0. 0.\]"):
        theory.eigenvalues(game, np.zeros(2))
    last = theory.play(game, np.array([0.5, 0.5]), 0.01, 5000, update="simultaneous")[-1000:]
    assert float(jnp.linalg.norm(last, axis=1).max()) > 0.3
    with_r1 = theory.dirac_gan("wasserstein", penalty=losses.r1)
    last = theory.play(with_r1, np.array([0.5, 0.5]), 0.01, 5000, update="simultaneous")[-1000:]
    assert float(jnp.linalg.norm(last, axis=1).max()) < 1e-3


def largest(*coefficients):
    return np.abs(np.roots(coefficients)).max()


def momentum_radius(h, beta):
    return largest(1, -(1 + beta + 1j * h), beta)  # mu^2 - (1 + beta + h lambda) mu + beta


def alternating_momentum_radius(h, beta):  # (mu - 1)^2 (mu - beta)^2 + h^2 mu^3: Gidel et al. 2019
    return largest(*np.polyadd(np.poly([1, 1, beta, beta]), [0, h**2, 0, 0, 0]))


def unrolled_radius(h, k=5):  # G sees y + 2 k h x
    return largest(1, -(2 - 2 * k * h**2), 1 - 2 * k * h**2 + h**2)


RADIUS = {
    "simultaneous": lambda h: math.sqrt(1 + h**2),
    "alternating": lambda h: 1.0,
    "momentum": lambda h: momentum_radius(h, 0.5),
    "alternating_momentum": lambda h: alternating_momentum_radius(h, -0.5),
    "adam": lambda h: max(0.999, momentum_radius(h * 1e7, 0.9)),  # near rest a step is h m / epsilon
    "alternating_adam": lambda h: max(0.999, alternating_momentum_radius(h * 1e7, 0.9)),
    "extragradient": lambda h: math.sqrt(1 - h**2 + h**4),
    "optimistic": lambda h: math.sqrt((1 + math.sqrt(1 - 4 * h**2)) / 2),
    "consensus": lambda h: abs(1 - h + 1j * h),
    "symplectic": lambda h: abs(1 - h + 1j * h),
    "lookahead": lambda h: abs(0.5 + 0.5 * (1 + 1j * h) ** 5),
    "unrolled": unrolled_radius,
}


@pytest.mark.parametrize("update", theory.UPDATES)
def test_spectral_radius_of_the_bilinear_game(update):
    for rate in (0.05, 0.3, 0.45):
        found = theory.spectral_radius(theory.bilinear, np.zeros(2), rate, update=update)
        assert found == pytest.approx(RADIUS[update](rate), rel=1e-7)


@pytest.mark.parametrize("update", [name for name in theory.UPDATES if "adam" not in name])
def test_long_play_grows_as_the_spectral_radius_says(update, float64):
    game = theory.dirac_gan(**R1(0.5))
    predicted = theory.spectral_radius(game, np.zeros(2), 0.2, update=update)
    path = np.linalg.norm(theory.play(game, np.array([1e-3, 5e-4]), 0.2, 600, update=update), axis=1)
    growth = (path[400:600].mean() / path[200:400].mean()) ** (1 / 200)
    assert growth == pytest.approx(predicted, abs=2e-3)


@pytest.mark.parametrize("beta", [-0.5, -0.3, 0.0, 0.3])
def test_only_negative_momentum_converges_on_the_bilinear_game(beta):
    settings = {"update": "alternating_momentum", "dials": {"beta": beta}}
    found = theory.spectral_radius(theory.bilinear, np.zeros(2), 0.3, **settings)
    assert found == pytest.approx(alternating_momentum_radius(0.3, beta), abs=1e-7)
    assert (found < 1 - 1e-3) == (beta < 0)


def test_radius_of_rates_and_dials_at_once():
    rates, betas = jnp.linspace(0.05, 0.4, 4), jnp.linspace(-0.6, 0.6, 3)

    def radius(h, beta):
        return theory.spectral_radius(theory.bilinear, np.zeros(2), h, update="momentum", dials={"beta": beta})

    found = jax.jit(jax.vmap(jax.vmap(radius, (None, 0)), (0, None)))(rates, betas)
    expected = [[momentum_radius(float(h), float(beta)) for beta in betas] for h in rates]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    over_weights = jax.vmap(lambda weight: theory.spectral_radius(theory.dirac_gan(**R1(weight)), np.zeros(2), 0.1,
                                                                  update="simultaneous"))  # fmt: skip
    expected = [np.abs(1 + 0.1 * both(-gamma / 2, gamma**2 / 4 - 0.25)).max() for gamma in (0.2, 2.0)]
    np.testing.assert_allclose(over_weights(jnp.array([0.2, 2.0])), expected, rtol=1e-5)


# ---- a GAN of two networks ----


def perceptron(params, x):
    (w1, b1), (w2, b2) = params
    return jnp.tanh(x @ w1 + b1[None]) @ w2 + b2[None]


def critic(params, x):
    return perceptron(params, x)[:, 0]


def small_gan(**penalty):
    rng = np.random.default_rng(3)
    layer = lambda n, m: (rng.normal(size=(n, m)) / np.sqrt(n), 0.1 * rng.normal(size=m))  # noqa: E731
    real, latents = rng.normal(size=(32, 2)) + 1, rng.normal(size=(32, 2))
    game = theory.sampled_game(perceptron, critic, "nonsaturating", real, latents, **penalty)
    return game, ([layer(2, 4), layer(4, 2)], [layer(2, 5), layer(5, 1)])


def test_eigenvalues_of_a_small_gan_are_those_of_its_finite_differences(float64):
    game, pair = small_gan(**R1(0.5))
    flat, unravel = jax.flatten_util.ravel_pytree(pair)
    velocity = jax.jit(lambda flat: jax.flatten_util.ravel_pytree(theory.field(game, unravel(flat)))[0])
    columns = [(velocity(flat + 1e-5 * e) - velocity(flat - 1e-5 * e)) / 2e-5 for e in np.eye(flat.size)]
    matrix = theory.jacobian(game, pair)
    np.testing.assert_allclose(matrix, np.stack(columns, axis=1), atol=1e-8)
    expected = np.linalg.eigvals(np.asarray(matrix))
    np.testing.assert_allclose(theory.eigenvalues(game, pair), np.sort_complex(expected), atol=1e-7)


BY = {"real": np.real, "modulus": np.abs, "imaginary": lambda values: abs(values.imag)}


@pytest.mark.parametrize("order", BY)
def test_leading_eigenvalues_of_a_small_gan(order):
    game, pair = small_gan(**R1(0.5))
    whole = theory.eigenvalues(game, pair)
    found = theory.leading_eigenvalues(game, pair, 4, order=order)
    np.testing.assert_allclose(BY[order](found), np.sort(BY[order](whole))[::-1][:4], atol=1e-6)
    assert np.abs(found[:, None] - whole).min(axis=1).max() < 1e-6


@pytest.mark.parametrize("update", ["adam", theory.unrolled(2)], ids=["adam", "unrolled"])
def test_leading_eigenvalues_of_a_small_gans_steps(update):
    game, pair = small_gan()
    settings = {"rate": 0.1, "update": update, "dials": {"epsilon": 1.0} if update == "adam" else None}
    whole = theory.update_eigenvalues(game, pair, **settings)
    found = theory.leading_eigenvalues(game, pair, 3, **settings)
    np.testing.assert_allclose(np.abs(found), np.sort(np.abs(whole))[::-1][:3], atol=1e-6)
    assert theory.spectral_radius(game, pair, **settings) == pytest.approx(np.abs(found[0]), abs=1e-6)


def test_leading_eigenvalues_need_no_matrix():
    # 40,000 numbers: the matrix would take 12.8 GB
    curvature = np.linspace(0.5, 1.0, 20_000)
    curvature[:2] = 0.1, 0.2
    loss = lambda own, other: 0.5 * jnp.sum(jnp.asarray(curvature, own.dtype) * own**2)  # noqa: E731
    game = theory.Game(
        lambda theta, psi: loss(theta, psi) + 0.3 * jnp.sum(theta * psi),
        lambda theta, psi: loss(psi, theta) - 0.3 * jnp.sum(theta * psi),
    )
    found = theory.leading_eigenvalues(game, np.zeros((2, 20_000)), 4)
    np.testing.assert_allclose(found, [-0.1 + 0.3j, -0.1 - 0.3j, -0.2 + 0.3j, -0.2 - 0.3j], atol=1e-6)


def test_leading_eigenvalues_say_when_they_did_not_settle():
    curvature = np.diag(np.linspace(1.0, 1.001, 200))
    game, start = theory.quadratic(curvature, 0.0, curvature), np.zeros((2, 200))
    with pytest.raises(RuntimeError, match=r"of 6 eigenvalues in 1 rounds; give it more `rounds`"):
        theory.leading_eigenvalues(game, start, 6, rounds=1)
    with pytest.raises(ValueError, match="count must be at most 398, for a matrix of 400 rows, got 399"):
        theory.leading_eigenvalues(game, start, 399)
    with pytest.raises(KeyError, match="no order is named 'size'"):
        theory.leading_eigenvalues(game, start, order="size")


def test_double_precision_leaves_the_game_as_it_was():
    """A game that closes over NumPy numbers, judged in float64, plays on in float32."""
    matrix = np.array([[1.0, 2.0], [0.0, 1.0]])
    game = theory.Game(lambda x, y: x @ (matrix @ y), lambda x, y: -x @ (matrix @ y))
    play = lambda: theory.play(game, np.ones((2, 2)), 0.1, 3)  # noqa: E731
    before = play()
    singular = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose(
        np.sort(theory.eigenvalues(game, np.zeros((2, 2))).imag)[2:], np.sort(singular), atol=1e-9
    )
    theory.leading_eigenvalues(game, np.zeros((2, 2)), 2)
    assert play().dtype == before.dtype == jnp.float32
    np.testing.assert_array_equal(play(), before)
