"""Every rule of play against a float64 NumPy loop of its own, moving dials without compiling, averages, unrolling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import losses, theory

pytestmark = pytest.mark.once

# ---- each rule once more in plain NumPy, for f = a x^2 / 2 + b x y - c y^2 / 2 ----

A, B, C = 0.3, 1.1, 0.1
MATRIX = np.array([[-A, -B], [B, -C]])  # the field is MATRIX @ (x, y)


def momentum(w, h, n, alternating, beta):
    before = w
    for _ in range(n):
        after = w + h * MATRIX @ w + beta * (w - before)
        if alternating:  # G answers where D has gone
            after[0] = w[0] + h * MATRIX[0] @ [w[0], after[1]] + beta * (w[0] - before[0])
        w, before = after, w
        yield w


def adam(w, h, n, alternating, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m, s, w = np.zeros(2), np.zeros(2), w.copy()
    for t in range(1, n + 1):
        for rows in ([1], [0]) if alternating else ([0, 1],):
            v = (MATRIX @ w)[rows]
            m[rows] = beta1 * m[rows] + (1 - beta1) * v
            s[rows] = beta2 * s[rows] + (1 - beta2) * v**2
            w[rows] += h * (m[rows] / (1 - beta1**t)) / (np.sqrt(s[rows] / (1 - beta2**t)) + epsilon)
        yield w.copy()


def linear(step):
    """A rule whose step is a matrix."""

    def walk(w, h, n, **dials):
        for _ in range(n):
            w = step(h, **dials) @ w
            yield w

    return walk


def optimistic(w, h, n):
    before = w
    for _ in range(n):
        w, before = w + 2 * h * MATRIX @ w - h * MATRIX @ before, w
        yield w


def unrolled(k):
    def walk(w, h, n):
        for _ in range(n):
            (x, y), slope = w, 0.0
            for _ in range(k):
                y, slope = y + h * (B * x - C * y), slope + h * (B - C * slope)
            w = w - h * np.array([A * x + B * y + B * x * slope, -(MATRIX @ w)[1]])
            yield w

    return walk


I = np.eye(2)
TURN = MATRIX - MATRIX.T
D_FIRST = lambda h: (I + h * np.diag([1, 0]) @ MATRIX) @ (I + h * np.diag([0, 1]) @ MATRIX)  # noqa: E731
LOOPS = {
    "simultaneous": linear(lambda h: I + h * MATRIX),
    "alternating": linear(D_FIRST),
    "momentum": lambda w, h, n, beta=0.5: momentum(w, h, n, False, beta),
    "alternating_momentum": lambda w, h, n, beta=-0.5: momentum(w, h, n, True, beta),
    "adam": lambda w, h, n, **betas: adam(w, h, n, False, **betas),
    "alternating_adam": lambda w, h, n, **betas: adam(w, h, n, True, **betas),
    "extragradient": linear(lambda h: I + h * MATRIX @ (I + h * MATRIX)),
    "optimistic": optimistic,
    "consensus": linear(lambda h, weight=1.0: I + h * (MATRIX - weight * MATRIX.T @ MATRIX)),
    "symplectic": linear(lambda h, weight=1.0: I + h * (MATRIX + weight / 2 * TURN @ MATRIX)),
    "lookahead": linear(lambda h, alpha=0.5: (1 - alpha) * I + alpha * np.linalg.matrix_power(I + h * MATRIX, 5)),
    "unrolled": unrolled(5),
}
OTHER_DIALS = {"beta": -0.3, "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3, "weight": 0.4, "alpha": 0.8}
GAME = theory.quadratic(A, B, C)
START = np.array([1.0, -0.5])


@pytest.mark.parametrize("update", theory.UPDATES)
def test_every_rule_is_its_numpy_loop(update, float64):
    known = theory.UPDATES[update].dials
    for dials in [{}, {name: OTHER_DIALS[name] for name in known}][: 2 if known else 1]:
        expected = np.stack([START, *LOOPS[update](START, 0.07, 200, **dials)])
        path = theory.play(GAME, START, 0.07, 200, update=update, dials=dials)
        np.testing.assert_allclose(path, expected, rtol=1e-9, atol=1e-11)
        radii = np.linalg.norm(expected, axis=1)
        np.testing.assert_allclose(np.linalg.norm(path, axis=1), radii, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("update", theory.UPDATES)
def test_every_rule_takes_pytrees_and_rests_at_rest(update):
    pair = ({"x": START[:1]}, (START[1:],))
    game = theory.Game(
        lambda g, d: jnp.sum(A * g["x"] ** 2 / 2 + B * g["x"] * d[0]),
        lambda g, d: jnp.sum(C * d[0] ** 2 / 2 - B * g["x"] * d[0]),
    )
    settings = {"update": update, "average": "uniform"}
    rates = (0.02, 0.07)  # one for each player
    of_pytrees, of_numbers = (theory.play(*what, rates, 20, **settings) for what in ((game, pair), (GAME, START)))
    for trees, rows in zip(of_pytrees, of_numbers, strict=True):
        np.testing.assert_allclose(trees[0]["x"][:, 0], rows[:, 0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(trees[1][0][:, 0], rows[:, 1], rtol=1e-5, atol=1e-6)
    assert not np.any(theory.play(GAME, np.zeros(2), 0.5, 3, update=update))


def counting(traces):
    def loss_d(theta, psi):
        traces.append("traced")
        return -jnp.sum(theta * psi)

    return theory.Game(lambda theta, psi: jnp.sum(theta * psi), loss_d)


@pytest.mark.parametrize("update", theory.UPDATES)
def test_moving_rate_dials_and_start_compiles_once(update):
    traces: list[str] = []
    game, known = counting(traces), theory.UPDATES[update].dials
    play = lambda start, rate, **dials: theory.play(game, start, rate, 5, update=update, dials=dials)  # noqa: E731
    first = play(START, 0.1)
    traced = len(traces)
    second = play(-2 * START, 0.2, **{name: OTHER_DIALS[name] for name in known})
    assert 0 < traced == len(traces)
    assert not np.allclose(first[1] / START, second[1] / (-2 * START))


def test_moving_a_games_own_dials_compiles_once():
    games = [theory.dirac_gan(penalty=losses.r1, penalty_weight=weight, instance_noise=0.1 * weight)
             for weight in (0.5, 2.0)]  # fmt: skip
    structures = {jax.tree.structure(game) for game in games}
    assert len(structures) == 1
    traces: list[str] = []

    def discriminator(psi, x):
        traces.append("traced")
        return psi * x[:, 0]

    ends, counts = [], []
    for real in (np.zeros((3, 1)), np.ones((3, 1))):
        game = theory.sampled_game(shift, discriminator, "hinge", real, np.zeros((3, 1)))
        ends.append(theory.play(game, START, 0.1, 5)[-1])
        counts.append(len(traces))
    assert counts[0] == counts[1] > 0
    assert not np.allclose(ends[0], ends[1])


def shift(theta, z):
    return z + theta


def test_vmap_over_rate_dials_start_and_penalty_equals_single_runs():
    rates, betas, weights = np.array([0.05, 0.1, 0.2]), np.array([-0.5, 0.0, 0.5]), np.array([0.1, 1.0, 2.0])
    starts = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, -1.0]])

    def run(start, rate, beta, weight):
        game = theory.dirac_gan(penalty=losses.r1, penalty_weight=weight)
        return theory.play(game, start, rate, 30, update="alternating_momentum", dials={"beta": beta})

    batch = jax.vmap(run)(starts, rates, betas, weights)
    single = [run(*setting) for setting in zip(starts, rates, betas, weights, strict=True)]
    np.testing.assert_allclose(batch, single, rtol=1e-5, atol=1e-6)


# ---- factories, a rule of one's own, averages ----


@pytest.mark.parametrize("k", [0, 1, 3])
def test_unrolled_gradient_is_the_finite_difference_of_the_outlook(k, float64):
    game, (theta, psi), rate = theory.dirac_gan(penalty=losses.r1, penalty_weight=0.7), (0.8, -0.6), 0.4

    def outlook(theta):
        answer = psi
        for _ in range(k):
            answer = answer + rate * float(theory.field(game, (theta, answer))[1])
        return float(game.loss_g(theta, answer))

    (before, after), _ = theory.play(game, (theta, psi), rate, 1, update=theory.unrolled(k))
    slope = (outlook(theta + 1e-5) - outlook(theta - 1e-5)) / 2e-5
    assert (before - after) / rate == pytest.approx(slope, abs=1e-8)
    plain = -float(theory.field(game, (theta, psi))[0])
    assert (abs(slope - plain) < 1e-8) == (k == 0)


def test_factories_give_the_same_rule_for_the_same_choice():
    assert theory.unrolled(3) is theory.unrolled(3)
    assert theory.lookahead(4, "adam") is theory.lookahead(4, "adam")
    assert theory.lookahead(4, "adam").dials == {"alpha": 0.5, **theory.UPDATES["adam"].dials}
    walked = theory.play(GAME, START, 0.1, 12, update="alternating")
    ahead = theory.play(GAME, START, 0.1, 3, update=theory.lookahead(4, "alternating"), dials={"alpha": 1.0})
    np.testing.assert_allclose(ahead, walked[::4], rtol=1e-5)
    with pytest.raises(ValueError, match="k must be a whole number of at least 1"):
        theory.lookahead(0)


def test_a_rule_of_ones_own():
    def step(game, pair, memory, rates, dials):
        velocity = theory.field(game, pair)
        return tuple(w + h * jnp.sign(v) for w, h, v in zip(pair, rates, velocity, strict=True)), memory

    path = theory.play(theory.bilinear, np.array([2.0, 1.0]), 0.5, 2,
                       update=theory.Rule(lambda game, pair, dials: (), step, "sign"))  # fmt: skip
    np.testing.assert_allclose(path, [[2, 1], [1.5, 1.5], [1, 2]])


def test_averages_are_the_means_of_the_path(float64):
    path, mean = theory.play(theory.bilinear, START, 0.1, 2000, average="uniform")
    np.testing.assert_allclose(mean, np.cumsum(path, axis=0) / np.arange(1, 2002)[:, None], atol=1e-12)
    # alternating steps circle for ever; their mean comes to rest as 1 / n
    assert np.linalg.norm(path[-1]) > 0.9
    assert np.linalg.norm(mean[-1]) < 0.02
    path, mean = theory.play(theory.bilinear, START, 0.1, 50, average="exponential", dials={"decay": 0.9})
    expected = [START]
    for point in path[1:]:
        expected.append(0.9 * expected[-1] + 0.1 * point)
    np.testing.assert_allclose(mean, expected, atol=1e-12)


def test_play_names_what_does_not_fit():
    play = lambda **settings: theory.play(theory.bilinear, np.zeros(2), 0.1, 3, **settings)  # noqa: E731
    with pytest.raises(ValueError, match=r"got shape \(3,\)"):
        theory.play(theory.bilinear, np.zeros(2), (0.1, 0.1, 0.1), 3)
    with pytest.raises(KeyError, match="did you mean 'optimistic'"):
        play(update="optimist")
    with pytest.raises(KeyError, match="no dial of the update 'momentum' is named 'betta'; did you mean 'beta'"):
        play(update="momentum", dials={"betta": 0.1})
    with pytest.raises(KeyError, match="the update 'alternating' has no dials, got 'decay'"):
        play(dials={"decay": 0.1})
    with pytest.raises(KeyError, match=r"no average is named 'mean'; .*Known: uniform, exponential"):
        play(average="mean")
    with pytest.raises(ValueError, match=r"dial 'beta' must be one number, got shape \(2,\); jax.vmap"):
        play(update="momentum", dials={"beta": np.zeros(2)})
