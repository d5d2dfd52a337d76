"""A loss, a penalty and what they act on come in; the game of that GAN goes out, and its losses at equilibrium."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float, Key, PyTree

from ..losses import LOSSES, Loss, Penalty, nonsaturating
from .games import Dial, Game


@functools.lru_cache
def _noise_pairs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of a real and a fake noise, (256, 1) each (relativistic losses look at both), and weights (256,)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(16)
    real, fake = (noise.ravel()[:, None] for noise in np.meshgrid(nodes, nodes))
    return real, fake, np.outer(weights, weights).ravel() / weights.sum() ** 2


@functools.lru_cache
def _dirac_losses(loss: Loss, penalty: Penalty | None) -> tuple[Callable, Callable]:
    def mean_loss(part, noise, theta, psi):
        real_noise, fake_noise, weights = (jnp.asarray(array, jnp.result_type(float)) for array in _noise_pairs())
        return jnp.sum(weights * jax.vmap(part)(psi * noise * real_noise, psi * (theta + noise * fake_noise)))

    def loss_g(noise, theta, psi):
        return mean_loss(loss.generator, noise, theta, psi)

    def loss_d(noise, weight, theta, psi):
        total = mean_loss(loss.discriminator, noise, theta, psi)
        if penalty is None:
            return total
        real, fake = jnp.zeros((1, 1)), jnp.reshape(theta, (1, 1))
        return total + weight * penalty.function(lambda x: psi * x[:, 0], real, fake, jax.random.key(0))

    return loss_g, loss_d


def dirac_gan(
    loss: Loss | str = nonsaturating,
    *,
    penalty: Penalty | None = None,
    penalty_weight: Dial = 1.0,
    instance_noise: Dial = 0.0,
) -> Game:
    """Make the Dirac-GAN: real data at 0, the generator at theta, a discriminator with logit `psi x`.

    Args:
        loss: the objective, or its name in `losses.LOSSES`.
        penalty: added to D's loss; its gradient in x is psi everywhere.
        penalty_weight: multiplies it.
        instance_noise: standard deviation of Gaussian noise on every x; its mean is taken by Gauss-Hermite rule.

    Returns:
        A `Game` with numbers as parameters and its equilibrium at (0, 0). Weight and noise are data of the game.

    Source: Mescheder, Geiger and Nowozin 2018, definition 2.1 and section 3.

    >>> from gan_jax.theory import field
    >>> velocity = field(dirac_gan(), np.array([1.0, 1.0]))  # D calls 1 real: G goes on, D turns round
    >>> [round(v, 3) for v in velocity.tolist()]
    [0.269, -0.731]
    """
    loss = LOSSES[loss] if isinstance(loss, str) else loss
    loss_g, loss_d = _dirac_losses(loss, penalty)
    name = "Dirac-GAN, " + loss.name + (f", {penalty.name}" if penalty else "")
    return Game(Partial(loss_g, instance_noise), Partial(loss_d, instance_noise, penalty_weight), name)


@functools.lru_cache
def _sampled_losses(generator: Callable, discriminator: Callable, loss: Loss, penalty: Penalty | None):
    def loss_g(real, latents, theta, psi):
        return loss.generator(discriminator(psi, real), discriminator(psi, generator(theta, latents)))

    def loss_d(real, latents, weight, key, theta, psi):
        real, fake = jnp.asarray(real), generator(theta, latents)
        total = loss.discriminator(discriminator(psi, real), discriminator(psi, fake))
        if penalty is None:
            return total
        return total + weight * penalty.function(lambda x: discriminator(psi, x), real, fake, key)

    return loss_g, loss_d


def sampled_game(
    generator: Callable[[PyTree, Any], Any],
    discriminator: Callable[[PyTree, Any], Any],
    loss: Loss | str,
    real: Float[Array | np.ndarray, "n ..."],
    latents: Float[Array | np.ndarray, "n ..."],
    *,
    penalty: Penalty | None = None,
    penalty_weight: Dial = 1.0,
    key: Key[Array, ""] | None = None,
) -> Game:
    """Make the game of a real GAN on one fixed batch, so that its losses are functions of the parameters alone.

    `loss_g = L_G(D(x), D(G(z)))`, `loss_d = L_D(D(x), D(G(z))) + weight * penalty`.

    Args:
        generator: `(theta, latents) -> samples`, pure; a network's by `nnx.split` before and `nnx.merge` within.
        discriminator: `(psi, samples) -> logits`, shape (n,), pure.
        loss: the objective, or its name in `losses.LOSSES`.
        real: n real samples.
        latents: n inputs of the generator.
        penalty: added to D's loss.
        penalty_weight: multiplies it.
        key: for penalties that draw points; `jax.random.key(0)` if left out.

    Returns:
        A `Game` whose players are the pair `(theta, psi)` of pytrees. Batch, weight and key are data of the game.

    >>> from gan_jax.theory import field
    >>> line = lambda w, x: x @ w
    >>> game = sampled_game(lambda t, z: z + t[None], line, "wasserstein", np.zeros((2, 1)), np.ones((2, 1)))
    >>> [v.tolist() for v in field(game, (np.array([2.0]), np.array([0.5])))]  # G climbs D, D turns against 3
    [[0.5], [-3.0]]
    """
    loss = LOSSES[loss] if isinstance(loss, str) else loss
    loss_g, loss_d = _sampled_losses(generator, discriminator, loss, penalty)
    key = jax.random.key(0) if key is None else key
    name = f"GAN, {loss.name}" + (f", {penalty.name}" if penalty else "")
    return Game(Partial(loss_g, real, latents), Partial(loss_d, real, latents, penalty_weight, key), name)


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
