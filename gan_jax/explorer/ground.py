"""A D and a window of the plane come in; what D says of each place goes out, from 0 for fake to 1 for real."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Ground(NamedTuple):
    """What D says over a window.

    Attributes:
        level: 0 fake, 1 real, at the middle of each cell, shape (side, side), rows from the window's first y to its
            last.
        ends: what 0 and 1 stand for: themselves where D's answer is a probability, else logits, shape (2,).
    """

    level: Float[Array, "side side"]
    ends: Float[Array, "2"]


def ground(
    logits: Callable[[Array], Float[Array, " n"]],
    window: Float[Array, "4"],
    side: int,
    real: Float[Array, "n 2"],
    fake: Float[Array, "m 2"],
    probability: Any,
) -> Ground:
    """Ask D of each cell of a window, for any loss; to be used inside `jit`.

    Args:
        logits: from points, shape (n, 2), to D's logits.
        window: x of the first column's edge and of the last's, y of the first row's edge and of the last's.
        side: cells a side.
        real, fake: samples, by which the middle of an unbounded critic is found.
        probability: whether sigmoid(logit) is a probability, as under `losses.CROSS_ENTROPIES`.

    >>> window, near = jnp.array([-1.0, 1.0, -1.0, 1.0]), jnp.array([[0.5, 0.0]])
    >>> critic = lambda x: 10 + 3 * x[:, 0]
    >>> found = ground(critic, window, 2, near, -near, False)
    >>> found.level.tolist(), found.ends.tolist()
    ([[0.0, 1.0], [0.0, 1.0]], [8.5, 11.5])
    """
    first_x, last_x, first_y, last_y = window
    middle = (jnp.arange(side) + 0.5) / side
    x, y = jnp.meshgrid(first_x + middle * (last_x - first_x), first_y + middle * (last_y - first_y))
    answers = logits(jnp.stack([x.ravel(), y.ravel()], axis=1))
    # an unbounded critic has no zero of its own: its middle is half-way between its means over real and fake
    centre = jnp.where(probability, 0.0, (jnp.mean(logits(real)) + jnp.mean(logits(fake))) / 2)
    reach = jnp.maximum(jnp.max(jnp.abs(answers - centre)), 1e-6)
    level = jnp.where(probability, jax.nn.sigmoid(answers), 0.5 + 0.5 * (answers - centre) / reach)
    ends = jnp.where(probability, jnp.array([0.0, 1.0]), jnp.stack([centre - reach, centre + reach]))
    return Ground(level.reshape(side, side), ends)
