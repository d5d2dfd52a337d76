"""Two players' losses come in, or what they are made of; a game goes out, with the field in which both move.

A game is played by the rules of `updates` and judged by the eigenvalues of `spectra`; `gan_games` has those of GANs.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.tree_util import Partial
from jaxtyping import Array, Float, PyTree

Pair = tuple[Any, Any]
"""`(theta, psi)`: the generator's and the discriminator's parameters, each a number, an array or any pytree of them."""

Players = Float[Array | np.ndarray, "2 *d"] | Pair
"""A `Pair`, or an array whose row 0 is theta and row 1 psi; answers come back in the same form."""

Dial = float | int | Float[Array | np.ndarray, "..."]


@dataclass(frozen=True)
class Game:
    """Two players, each of whom minimises its own loss in its own parameters.

    A game is a pytree: what is bound to a loss by `jax.tree_util.Partial` is data, so that another penalty weight or
    another batch compiles nothing anew. A plain function will do as well.

    Attributes:
        loss_g: `(theta, psi) -> scalar`, minimised over theta.
        loss_d: `(theta, psi) -> scalar`, minimised over psi.
        name: for labels.
    """

    loss_g: Callable[[Any, Any], Any]
    loss_d: Callable[[Any, Any], Any]
    name: str = "custom"

    def __post_init__(self) -> None:
        for player in ("loss_g", "loss_d"):
            loss = getattr(self, player)
            if callable(loss) and not isinstance(loss, Partial):
                object.__setattr__(self, player, Partial(loss))


jax.tree_util.register_dataclass(Game, data_fields=["loss_g", "loss_d"], meta_fields=["name"])

bilinear = Game(lambda x, y: jnp.sum(x * y), lambda x, y: -jnp.sum(x * y), "f(x, y) = xy")
"""x minimises `f(x, y) = x . y`, y maximises it: the simplest game whose gradients only turn."""


def _times(matrix, vector):
    return matrix @ vector if jnp.ndim(matrix) else matrix * vector


def _quadratic_loss(curvature, coupling, own, other):
    return 0.5 * jnp.sum(own * _times(curvature, own)) + jnp.sum(own * _times(coupling, other))


def _quadratic_loss_d(curvature, coupling, theta, psi):
    return _quadratic_loss(curvature, -jnp.transpose(coupling), psi, theta)


def quadratic(curvature_g: Dial, coupling: Dial, curvature_d: Dial, *, coupling_d: Dial | None = None) -> Game:
    """Make the quadratic game, what every smooth game is close to an equilibrium.

    `loss_g = theta' A theta / 2 + theta' B psi` and `loss_d = psi' C psi / 2 - theta' B_d psi`, so the field is linear,
    with the Jacobian `[[-A, -B], [B_d', -C]]` (A and C symmetric). Numbers a, b, c with B_d = B give the eigenvalues
    `-(a + c) / 2 +- sqrt((a - c)^2 / 4 - b^2)`: with a = c a spiral `-a +- ib`.

    Args:
        curvature_g: A, shape (d, d); a number stands for that multiple of the identity. Only its symmetric part counts.
        coupling: B, shape (d, e), or a number.
        curvature_d: C, shape (e, e), or a number.
        coupling_d: B_d where the game is not zero-sum in its coupling; B if left out, -B for a common interest.

    Returns:
        A `Game` with its equilibrium at 0; `quadratic(0, 1, 0)` is `bilinear`.

    Source: Gidel et al. 2019, "Negative Momentum for Improved Game Dynamics".

    >>> field(quadratic(2.0, 1.0, 0.0), np.array([1.0, 3.0])).tolist()
    [-5.0, 1.0]
    """
    loss_g = Partial(_quadratic_loss, curvature_g, coupling)
    loss_d = Partial(_quadratic_loss_d, curvature_d, coupling if coupling_d is None else coupling_d)
    return Game(loss_g, loss_d, "quadratic")


def _restless(loss, game, weight, theta, psi):
    squares = jax.tree.map(lambda v: jnp.sum(v**2), _field(game, (theta, psi)))
    return loss(theta, psi) + 0.5 * weight * sum(jax.tree.leaves(squares))


def consensus(game: Game, weight: Dial) -> Game:
    """Add `weight * |field|^2 / 2` to both players' losses, so that both also seek rest.

    The rule of the same name in `UPDATES` takes the same steps without a loss.

    Source: Mescheder, Nowozin and Geiger 2017, "The Numerics of GANs", section 4.
    """
    with_unrest = lambda loss: Partial(_restless, loss, game, weight)  # noqa: E731
    return Game(with_unrest(game.loss_g), with_unrest(game.loss_d), f"{game.name}, consensus")


def _pair(params: Players) -> tuple[Pair, Callable]:
    """Both players as a pair of pytrees of floats, and what gives a pair the caller's form again, stacked."""
    floats = functools.partial(jnp.asarray, dtype=jnp.result_type(float))
    if isinstance(params, tuple) and len(params) == 2:
        theta, psi = params
        return jax.tree.map(floats, (theta, psi)), lambda pair, axis=0: pair
    shape = "a tuple of " + str(len(params)) if isinstance(params, tuple) else f"shape {np.shape(params)}"
    if isinstance(params, tuple) or np.shape(params)[:1] != (2,):
        raise ValueError(f"players must be a pair (theta, psi), or an array of their two rows, got {shape}")
    rows = floats(params)
    return (rows[0], rows[1]), lambda pair, axis=0: jnp.stack(pair, axis)


def _velocity_g(game: Game, theta: PyTree, psi: PyTree) -> PyTree:
    return jax.tree.map(jnp.negative, jax.grad(game.loss_g, 0)(theta, psi))


def _velocity_d(game: Game, theta: PyTree, psi: PyTree) -> PyTree:
    return jax.tree.map(jnp.negative, jax.grad(game.loss_d, 1)(theta, psi))


def _field(game: Game, pair: Pair) -> Pair:
    return _velocity_g(game, *pair), _velocity_d(game, *pair)


def field(game: Game, params: Players) -> Players:
    """The direction in which both players move: `(-d loss_g / d theta, -d loss_d / d psi)`, in the form of params.

    >>> field(bilinear, np.array([3.0, 2.0])).tolist()
    [-2.0, 3.0]
    """
    pair, formed = _pair(params)
    return formed(_field(game, pair))


def jacobian(game: Game, params: Players) -> Float[Array, "m m"]:
    """Jacobian of `field` in all m parameters of both players, theta's first, shape (m, m)."""
    return _jacobian(game, _pair(params)[0])


@jax.jit
def _jacobian(game: Game, pair: Pair) -> Array:
    flat, unravel = ravel_pytree(pair)
    return jax.jacfwd(lambda flat: ravel_pytree(_field(game, unravel(flat)))[0])(flat)
