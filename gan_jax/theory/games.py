"""The losses of two players with a few numbers each come in; field, eigenvalues and the path of their steps go out."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Complex, Float, PyTree

from ..errors import Menu, check_count
from ..losses import Loss, Penalty, nonsaturating

Players = Float[Array | np.ndarray, "2 *d"]
"""Both players' parameters: row 0 the generator's theta, row 1 the discriminator's psi; each a number or (d,)."""


Dial = float | int | Array | np.ndarray


class Game(NamedTuple):
    """Two players, each of whom minimises its own loss in its own parameter.

    Attributes:
        loss_g: `(theta, psi) -> scalar`, minimised over theta.
        loss_d: `(theta, psi) -> scalar`, minimised over psi.
        name: for labels.
    """

    loss_g: Callable[[Any, Any], Any]
    loss_d: Callable[[Any, Any], Any]
    name: str = "custom"


bilinear = Game(lambda x, y: jnp.sum(x * y), lambda x, y: -jnp.sum(x * y), "f(x, y) = xy")
"""x minimises `f(x, y) = x . y`, y maximises it: the simplest game whose gradients only turn."""


def dirac_gan(
    loss: Loss = nonsaturating,
    *,
    penalty: Penalty | None = None,
    penalty_weight: Dial = 1.0,
    instance_noise: Dial = 0.0,
) -> Game:
    """Make the Dirac-GAN: real data at 0, the generator at theta, a discriminator with logit `psi x`.

    Args:
        loss: the objective.
        penalty: added to D's loss; its gradient in x is psi everywhere.
        penalty_weight: multiplies it.
        instance_noise: standard deviation of Gaussian noise on every x; its mean is taken by Gauss-Hermite rule.

    Returns:
        A `Game` with numbers as parameters and its equilibrium at (0, 0).

    Source: Mescheder, Geiger and Nowozin 2018, definition 2.1 and section 3.

    >>> velocity = field(dirac_gan(), np.array([1.0, 1.0]))  # D calls 1 real: G goes on, D turns round
    >>> [round(v, 3) for v in velocity.tolist()]
    [0.269, -0.731]
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(16)
    weights = np.outer(weights, weights).ravel() / weights.sum() ** 2
    # every pair of a real and a fake noise, because relativistic losses look at both
    real_noise, fake_noise = (jnp.asarray(noise.ravel()[:, None]) for noise in np.meshgrid(nodes, nodes))

    def mean_loss(part, theta, psi):
        logits = psi * instance_noise * real_noise, psi * (theta + instance_noise * fake_noise)
        return jnp.sum(jnp.asarray(weights) * jax.vmap(part)(*logits))

    def loss_d(theta, psi):
        total = mean_loss(loss.discriminator, theta, psi)
        if penalty is None:
            return total
        real, fake = jnp.zeros((1, 1)), jnp.reshape(theta, (1, 1))
        return total + penalty_weight * penalty.function(lambda x: psi * x[:, 0], real, fake, jax.random.key(0))

    name = "Dirac-GAN, " + loss.name + (f", {penalty.name}" if penalty else "")
    return Game(functools.partial(mean_loss, loss.generator), loss_d, name)


def consensus(game: Game, weight: Dial) -> Game:
    """Add `weight * |field|^2 / 2` to both players' losses, so that both also seek rest.

    Source: Mescheder, Nowozin and Geiger 2017, "The Numerics of GANs", section 4.
    """

    def with_unrest(loss):
        return lambda theta, psi: loss(theta, psi) + 0.5 * weight * jnp.sum(field(game, jnp.stack([theta, psi])) ** 2)

    return Game(with_unrest(game.loss_g), with_unrest(game.loss_d), f"{game.name}, consensus")


def _players(params: Players) -> Array:
    return jnp.asarray(params, jnp.result_type(float))


def field(game: Game, params: Players) -> Players:
    """The direction in which both players move: `(-d loss_g / d theta, -d loss_d / d psi)`, of the shape of params.

    >>> field(bilinear, np.array([3.0, 2.0])).tolist()
    [-2.0, 3.0]
    """
    theta, psi = _players(params)
    return -jnp.stack([jax.grad(game.loss_g, 0)(theta, psi), jax.grad(game.loss_d, 1)(theta, psi)])


def jacobian(game: Game, params: Players) -> Float[Array, "m m"]:
    """Jacobian of `field` in both players' parameters together, shape (m, m) with m = 2 d."""
    flat, unravel = ravel_pytree(_players(params))
    return jax.jacfwd(lambda flat: jnp.ravel(field(game, unravel(flat))))(flat)


def eigenvalues(game: Game, params: Players) -> Complex[np.ndarray, " m"]:
    """Eigenvalues of the field's Jacobian at a resting point, which decide whether the flow comes to rest there.

    Negative real parts: it converges. Zero: it circles, and steps of finite size spiral outwards.

    Args:
        game: the two losses.
        params: the point, shape (2,) or (2, d).

    Returns:
        Complex eigenvalues, shape (2,) or (2 d,), sorted by real, then imaginary part.

    Raises:
        ValueError: the field jumps or has a kink at the point, so that there is no Jacobian (WGAN-GP at psi = 0).

    Source: Mescheder et al. 2018, section 2.

    >>> eigenvalues(dirac_gan(), np.zeros(2)).imag.round(6).tolist()
    [-0.5, 0.5]
    """
    matrix, point = np.asarray(jacobian(game, params), np.float64), _players(params)
    # automatic differentiation answers even where there is no derivative: small moves both ways must agree with it
    length = 1e-3 * (1 + float(jnp.max(jnp.abs(point))))
    moves = length * np.concatenate([np.eye(point.size), -np.eye(point.size)])
    here = field(game, point)
    found = np.stack([np.ravel(field(game, point + move.reshape(point.shape)) - here) for move in moves])
    if not np.allclose(found, moves @ matrix.T, atol=0.1 * length * (1 + np.abs(matrix).max())):
        raise ValueError(
            f"the field of '{game.name}' is not smooth at {np.asarray(params).tolist()}: no Jacobian there"
        )
    return np.sort_complex(np.linalg.eigvals(matrix))


class Rule(NamedTuple):
    """How the field becomes steps.

    Attributes:
        init: `(game, params) -> memory`, what the rule remembers before the first step; () for nothing.
        step: `(game, params, memory, rate) -> (params, memory)`, one step; pure, and differentiable.
        name: for labels.
    """

    init: Callable[[Game, Any], PyTree]
    step: Callable[[Game, Any, PyTree, Any], tuple[Any, PyTree]]
    name: str


def _nothing(game, params):
    return ()


def _simultaneous(game, params, memory, rate):
    return params + rate * field(game, params), memory


def _alternating(game, params, memory, rate):  # D first, as in `train`
    params = params.at[1].add((rate * field(game, params))[1])
    return params.at[0].add((rate * field(game, params))[0]), memory


def _extragradient(game, params, memory, rate):
    return params + rate * field(game, params + rate * field(game, params)), memory


def _optimistic(game, params, memory, rate):
    now = field(game, params)
    return params + rate * (2 * now - memory), now


UPDATES: Menu[Rule] = Menu(
    "update",
    {
        "simultaneous": Rule(_nothing, _simultaneous, "simultaneous"),
        "alternating": Rule(_nothing, _alternating, "alternating"),
        "extragradient": Rule(_nothing, _extragradient, "extragradient"),
        "optimistic": Rule(field, _optimistic, "optimistic"),
    },
)
"""Rules by name, with v the field, w both players' parameters and h the rate:
simultaneous `w + h v(w)`; alternating D, then G against the new D; extragradient `w + h v(w + h v(w))`
(Korpelevich 1976); optimistic `w + 2 h v(w) - h v(w before)` (Daskalakis et al. 2018)."""


def _rates(rate: Any, params: Array) -> Array:
    """One rate for both players, or one for each, in the shape of their parameters."""
    rate = jnp.asarray(rate, params.dtype)
    if rate.shape not in ((), (2,)):
        raise ValueError(f"rate must be a number, or two (generator's, discriminator's), got shape {rate.shape}")
    return jnp.broadcast_to(rate.reshape(rate.shape + (1,) * (params.ndim - rate.ndim)), params.shape)


@functools.partial(jax.jit, static_argnums=(0, 1, 4))
def _play(rule, game, params, rates, n):
    def body(carry, _):
        params, memory = rule.step(game, *carry, rates)
        return (params, memory), params

    return jax.lax.scan(body, (params, rule.init(game, params)), None, length=n)[1]


def play(
    game: Game,
    start: Players,
    rate: Dial | Sequence[float],
    n: int,
    *,
    update: str = "alternating",
) -> Float[Array, "steps 2 *d"]:
    """Walk n steps from a start.

    Args:
        game: the two losses.
        start: both players' parameters, shape (2,) or (2, d).
        rate: step size h, or one for each player (G's, D's).
        n: steps.
        update: name in `UPDATES`.

    Returns:
        Where both stood, the start included, shape (n + 1, 2) or (n + 1, 2, d).

    >>> path = play(bilinear, np.array([1.0, 0.0]), 0.1, 100, update="extragradient")
    >>> path.shape, bool(jnp.linalg.norm(path[-1]) < 0.7)
    ((101, 2), True)
    """
    check_count(n, "n")
    params = _players(start)
    path = _play(UPDATES[update], game, params, _rates(rate, params), n)
    return jnp.concatenate([params[None], path])


def spectral_radius(game: Game, params: Players, rate: Dial | Sequence[float], *, update: str = "alternating") -> float:
    """By what factor one step stretches a small distance from a resting point in the long run.

    The largest modulus of the eigenvalues of the step's Jacobian, the rule's memory included: below 1 the steps
    converge, above 1 they diverge. Arguments as in `play`, with the resting point for `params`.

    >>> round(spectral_radius(bilinear, np.zeros(2), 0.5, update="simultaneous"), 5)  # sqrt(1 + h^2)
    1.11803
    """
    rule, point = UPDATES[update], _players(params)
    rates = _rates(rate, point)
    flat, unravel = ravel_pytree((point, rule.init(game, point)))

    def step(flat):
        params, memory = unravel(flat)
        return ravel_pytree(rule.step(game, params, memory, rates))[0]

    return float(np.abs(np.linalg.eigvals(np.asarray(jax.jacfwd(step)(flat), np.float64))).max())


def equilibrium(loss: Loss, smoothing: Any = 0.0) -> tuple[float, float | None]:
    """Say what D's and G's losses are when fake cannot be told from real, and D answers that as well as it can.

    D's logit is then one number v everywhere, `v = argmin loss_d(v, v) + smoothing * v`; a fine grid finds it.

    Args:
        loss: the objective.
        smoothing: `Hyperparams.label_smoothing`.

    Returns:
        `(loss_d, loss_g)`; None for G's where many v serve D equally well and G's loss differs among them.

    >>> from gan_jax import losses
    >>> [round(value, 4) for value in equilibrium(losses.nonsaturating)]  # 2 log 2, log 2
    [1.3863, 0.6931]
    >>> equilibrium(losses.wasserstein)
    (0.0, None)
    """
    v, loss_d, loss_g = (np.asarray(values, np.float64) for values in _constant_answers(loss))
    total = loss_d + smoothing * v
    best = total <= total.min() + 1e-6
    at = np.argmin(total)
    return float(loss_d[at]), float(loss_g[at]) if np.ptp(loss_g[best]) < 0.02 else None


@functools.partial(jax.jit, static_argnums=0)
def _constant_answers(loss: Loss) -> tuple[Array, Array, Array]:
    """Logits on a grid, and both losses when D answers each of them to everything."""
    v = jnp.linspace(-4, 4, 1601)
    return v, jax.vmap(loss.discriminator)(v[:, None], v[:, None]), jax.vmap(loss.generator)(v[:, None], v[:, None])
