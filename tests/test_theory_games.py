"""The games of theory against fields written out, the values at equilibrium of every loss, games on a table."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import losses, theory

pytestmark = pytest.mark.once

# ---- small games ----


@pytest.mark.parametrize("name", losses.LOSSES)
def test_dirac_field_is_the_losses_own_gradient(name):
    """Without noise the game is the loss at the logits (0, psi theta): check both players by finite differences."""
    loss, theta, psi, h = losses.LOSSES[name], 0.7, -0.4, 1e-2
    logits = lambda theta, psi: (jnp.zeros(1), jnp.full(1, psi * theta))  # noqa: E731
    slope_g = (loss.generator(*logits(theta + h, psi)) - loss.generator(*logits(theta - h, psi))) / (2 * h)
    slope_d = (loss.discriminator(*logits(theta, psi + h)) - loss.discriminator(*logits(theta, psi - h))) / (2 * h)
    found = theory.field(theory.dirac_gan(loss), np.array([theta, psi]))
    np.testing.assert_allclose(found, [-slope_g, -slope_d], atol=2e-4)


PULLS = {  # minus the derivative in psi of the penalty of the logit psi x
    "r1": lambda psi: -psi,
    "r2": lambda psi: -psi,
    "r1_and_r2": lambda psi: -2 * psi,
    "wgan_gp": lambda psi: -2 * (abs(psi) - 1) * np.sign(psi),
    "dragan": lambda psi: -2 * (abs(psi) - 1) * np.sign(psi),
}


@pytest.mark.parametrize("name", [name for name in losses.PENALTIES if name != "none"])
def test_penalties_pull_at_the_discriminator_of_the_dirac_gan(name, float64):
    plain, penalised = (theory.dirac_gan("hinge", **extra) for extra in ({}, {"penalty": losses.PENALTIES[name],
                                                                          "penalty_weight": 0.3}))  # fmt: skip
    point = np.array([0.7, -0.4])
    found = theory.field(penalised, point) - theory.field(plain, point)
    np.testing.assert_allclose(found, [0, 0.3 * PULLS[name](-0.4)], atol=1e-9)


def test_field_takes_vectors_lists_and_pairs_too():
    rng = np.random.default_rng(0)
    params = rng.normal(size=(2, 3)).astype(np.float32)
    np.testing.assert_allclose(theory.field(theory.bilinear, params), [-params[1], params[0]], rtol=1e-6)
    velocity = theory.field(theory.bilinear, (params[0], params[1]))
    assert isinstance(velocity, tuple)
    np.testing.assert_allclose(velocity, [-params[1], params[0]], rtol=1e-6)
    game = theory.Game(lambda g, d: jnp.sum(g["a"] * d), lambda g, d: jnp.sum(d**2), "of pytrees")
    velocity = theory.field(game, ({"a": params[0]}, params[1]))
    np.testing.assert_allclose(velocity[0]["a"], -params[1], rtol=1e-6)
    np.testing.assert_allclose(velocity[1], -2 * params[1], rtol=1e-6)


@pytest.mark.parametrize("players", [np.zeros(3), (1.0, 2.0, 3.0), np.float64(1.0)])
def test_players_are_two(players, as_users_see_it):
    with pytest.raises(ValueError, match="players must be a pair"):
        theory.field(theory.bilinear, players)


@pytest.mark.parametrize("coupling_d", [None, "own"])
def test_jacobian_of_the_quadratic_game_is_its_matrices(coupling_d, float64):
    rng = np.random.default_rng(1)
    a, b, c, b_d = (rng.normal(size=shape) for shape in ((3, 3), (3, 2), (2, 2), (3, 2)))
    b_d = b if coupling_d is None else b_d
    game = theory.quadratic(a + a.T, b, c + c.T, coupling_d=None if coupling_d is None else b_d)
    expected = np.block([[-a - a.T, -b], [b_d.T, -c - c.T]])
    np.testing.assert_allclose(theory.jacobian(game, (np.ones(3), np.ones(2))), expected, atol=1e-12)


def line_gan(penalty=None, weight=1.0, real=((1.0,), (3.0,)), name="wasserstein"):
    """Real samples, a generator that shifts its latents, a discriminator with slope psi: all by hand."""
    return theory.sampled_game(
        lambda theta, z: z + theta, lambda psi, x: psi * x[:, 0], name, np.array(real), np.array([[0.5], [-0.5]]),
        penalty=penalty, penalty_weight=weight,
    )  # fmt: skip


def test_sampled_game_by_hand(float64):
    theta, psi = 0.5, 0.25  # Wasserstein: loss_g = -psi theta, loss_d = psi theta - psi mean(real) + 0.3 psi^2 / 2
    velocity = theory.field(line_gan(losses.r1, 0.3), (theta, psi))
    np.testing.assert_allclose(velocity, [psi, 2.0 - theta - 0.3 * psi], atol=1e-12)


def test_dirac_gan_is_the_sampled_game_of_one_sample(float64):
    point = (0.6, -0.8)
    for name in losses.LOSSES:
        sampled = theory.sampled_game(lambda theta, z: z + theta, lambda psi, x: psi * x[:, 0], name,
                                      np.zeros((1, 1)), np.zeros((1, 1)), penalty=losses.r2)  # fmt: skip
        found = theory.field(theory.dirac_gan(name, penalty=losses.r2), point)
        np.testing.assert_allclose(found, theory.field(sampled, point), atol=1e-12)


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
