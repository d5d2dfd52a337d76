"""A session comes in; the game that its two players play on one fixed batch goes out: gradients and eigenvalues."""

import functools
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.flatten_util import ravel_pytree
from jax.tree_util import Partial

from .. import theory
from ..data.distributions import _draw
from ..nets import pack
from .densities import latents

BATCH = 128
"""Real samples and latents on which both losses are taken: always the same."""

LARGEST = 12
"""Eigenvalues of largest modulus that are shown."""

RIGHTMOST = 2
"""Eigenvalues of largest real part that are shown."""


class Norms(NamedTuple):
    """Lengths of both players' gradients on the fixed batch."""

    generator: float
    discriminator: float


@functools.lru_cache(maxsize=32)
def _losses(loss, penalty, packing, g_def, d_def):
    """Both players' losses as functions of their parameters; the same objects for the same rules."""

    def judge(psi, d_rest, samples):
        return nnx.merge(d_def, psi, d_rest)(pack(samples, packing)).reshape(-1)

    def loss_g(rate, batch, theta, psi):
        real, z, g_rest, d_rest = batch
        fake = nnx.merge(g_def, theta, g_rest)(z)
        return rate * loss.generator(judge(psi, d_rest, real), judge(psi, d_rest, fake))

    def loss_d(rate, weight, smoothing, key, batch, theta, psi):
        real, z, g_rest, d_rest = batch
        fake = nnx.merge(g_def, theta, g_rest)(z)
        logits = judge(psi, d_rest, real)
        total = loss.discriminator(logits, judge(psi, d_rest, fake)) + smoothing * jnp.mean(logits)
        if penalty is not None:
            critic = lambda x: nnx.merge(d_def, psi, d_rest)(x).reshape(-1)  # noqa: E731 - it sees packs
            total = total + weight * penalty.function(critic, pack(real, packing), pack(fake, packing), key)
        return rate * total

    return loss_g, loss_d


def batch_size(gan: Any) -> int:
    """`BATCH`, or the nearest multiple below it of the samples that D judges together."""
    together = gan.judged_together
    return max(BATCH // together, 1) * together


def game_of(session: Any, rates: tuple[float, float] = (1.0, 1.0)) -> tuple[theory.Game, Any]:
    """The game on the fixed batch, and where both players stand.

    As in training, with penalty and label smoothing; without instance noise, and modules in evaluation mode.

    Args:
        session: whose game it is.
        rates: factors on G's and on D's loss: two players that learn at different rates move along the field of
            losses scaled by them.

    Returns:
        A `theory.Game` and its players, the pair of both modules' parameters.
    """
    gan, hyper, state = session.gan, session.hyper, session.game
    g_def, theta, g_rest = nnx.split(state.generator, nnx.Param, ...)
    d_def, psi, d_rest = nnx.split(state.discriminator, nnx.Param, ...)
    loss_g, loss_d = _losses(gan.loss, gan.penalty, gan.packing, g_def, d_def)
    n = batch_size(gan)
    batch = (_real(session.target, n), latents(gan, n), g_rest, d_rest)
    weight, smoothing = jnp.float32(hyper.penalty_weight), jnp.float32(hyper.label_smoothing)
    g_rate, d_rate = map(jnp.float32, rates)
    game = theory.Game(
        Partial(loss_g, g_rate, batch), Partial(loss_d, d_rate, weight, smoothing, jax.random.key(0), batch), "lab"
    )
    return game, (theta, psi)


def _real(target: Any, n: int) -> Any:
    return _draw(target, jax.random.key(0xBA7C), n)


@jax.jit
def _norms(game, pair):
    length = lambda tree: jnp.linalg.norm(ravel_pytree(tree)[0])  # noqa: E731
    theta, psi = pair
    return length(jax.grad(game.loss_g)(theta, psi)), length(jax.grad(game.loss_d, argnums=1)(theta, psi))


def gradient_norms(session: Any) -> Norms:
    """Lengths of the gradients of both players' losses, each in its own parameters."""
    return Norms(*map(float, _norms(*game_of(session))))


def spectrum(session: Any) -> dict[str, Any]:
    """Find the leading eigenvalues of the game's field at the present state, on the fixed batch.

    Each player's part of the field is scaled by its learning rate over the larger of the two, so that the flow is that
    of both players at their own rates, and one step of plain gradient descent at the larger rate h multiplies the
    direction of an eigenvalue v by `1 + h v`. Adam scales each number by itself besides, which this leaves out.

    Args:
        session: the game.

    Returns:
        Plain numbers: `values`, pairs of real and imaginary part: the `LARGEST` of largest modulus and the `RIGHTMOST`
        of largest real part; `rightmost`, the largest real part found; `settled`, whether the search for it came to its
        end; `rate`, h; `size`, parameters of both players; `step`; `seconds` that it took.

    Source: Mescheder et al. 2018, section 2; `theory.leading_eigenvalues`.
    """
    began = time.perf_counter()
    rates = session.hyper.lr_g, session.hyper.lr_d
    h = max(rates)
    game, pair = game_of(session, (rates[0] / h, rates[1] / h) if h > 0 else (1.0, 1.0))
    size = ravel_pytree(pair)[0].size
    found, settled = _leading(game, pair, size)
    return {
        "values": [[float(value.real), float(value.imag)] for value in found],
        "rightmost": float(found.real.max()),
        "settled": settled,
        "rate": float(h),
        "size": int(size),
        "step": int(session.game.step),
        "seconds": time.perf_counter() - began,
    }


def _leading(game: Any, pair: Any, size: int) -> tuple[np.ndarray, bool]:
    if size <= 4 * LARGEST:
        return theory.eigenvalues(game, pair), True
    found = [theory.leading_eigenvalues(game, pair, LARGEST, order="modulus", rounds=100)]
    try:
        found.append(theory.leading_eigenvalues(game, pair, RIGHTMOST, order="real", rounds=20))
    except RuntimeError:  # they lie too close together: those of largest modulus have to do
        return found[0], False
    return _unlike(np.concatenate(found)), True


def _unlike(values: np.ndarray) -> np.ndarray:
    """The eigenvalues without those found twice."""
    kept: list[complex] = []
    for value in values:
        if all(abs(value - other) > 1e-6 * (1 + abs(value)) for other in kept):
            kept.append(value)
    return np.array(kept)
