"""The small games of theory against closed forms, and the values at equilibrium of every loss."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import losses, theory

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


# ---- games on a table ----


def test_matching_pennies_has_no_pure_saddle_point():
    found = theory.saddle(np.array([[1.0, -1.0], [-1.0, 1.0]]))
    assert found.value == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose([found.row, found.column], 0.5)
    assert (found.max_min, found.min_max) == (-1.0, 1.0)


def test_rock_paper_scissors_and_its_well():
    wins = np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
    found = theory.saddle(jnp.asarray(wins))
    assert found.value == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose([found.row, found.column], 1 / 3, atol=1e-12)
    well = np.array([[0, 1, -1, 1], [-1, 0, 1, -1], [1, -1, 0, 1], [-1, 1, -1, 0.0]])  # the well drowns two
    found = theory.saddle(well)
    np.testing.assert_allclose(found.row, [0, 1 / 3, 1 / 3, 1 / 3], atol=1e-9)  # nobody plays rock again
    np.testing.assert_allclose(found.column, [0, 1 / 3, 1 / 3, 1 / 3], atol=1e-9)


def test_a_pure_saddle_point_is_found_and_players_are_not_swapped():
    # row 1 is sure to pay at most 3, column 0 sure of at least 3; the transposed roles would give 1
    found = theory.saddle(np.array([[4.0, 1.0], [3.0, 2.0]]))
    assert found.value == found.min_max == found.max_min == 3.0
    assert found.row.tolist() == [0, 1]
    assert found.column.tolist() == [1, 0]


@pytest.mark.parametrize("seed", range(6))
def test_minimax_theorem_on_random_tables(seed):
    rng = np.random.default_rng(seed)
    payoff = rng.normal(size=rng.integers(1, 7, size=2))
    found = theory.saddle(payoff)
    for strategy in (found.row, found.column):
        assert strategy.min() >= 0
        assert strategy.sum() == pytest.approx(1)
    # no column earns more than the value against x, no row pays less against y: that is the saddle point
    assert np.max(found.row @ payoff) == pytest.approx(found.value, abs=1e-9)
    assert np.min(payoff @ found.column) == pytest.approx(found.value, abs=1e-9)
    assert found.max_min - 1e-12 <= found.value <= found.min_max + 1e-12
    pure = [max(row) for row in payoff.tolist()]
    assert found.min_max == min(pure)


def test_a_table_must_be_finite():
    with pytest.raises(ValueError, match="1 NaN or infinite"):
        theory.saddle(np.array([[1.0, np.inf]]))
