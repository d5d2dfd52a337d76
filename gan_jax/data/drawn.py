"""Points that a hand drew come in; a target goes out that spreads round Gaussian noise about them."""

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from .distributions import Mixture, Numbers

PLACES = 256
"""Points that a drawn target keeps: always as many, so that another drawing is another argument of the same program.

The number is a shape, and a shape is compiled into a program: with one place a point, a drawing of another length
would compile the training step anew, for seconds. 256 points along a stroke ten times as long as the lab's window is
wide, with noise of a fiftieth of that width, lie two standard deviations apart: the density between them dips by 3 %.
"""

MOST = 10_000
"""Points that `drawn` takes; what is larger is a data set, of which 256 points would tell little."""

REACH = 1e4
"""Standard deviations from the origin within which float32 still carries a place to a thousandth of one."""


@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class Drawn:
    """What a hand drew: `p(x) = sum_i N(x; points[i], scale^2 I) / count`, over the first `count` of the points.

    Make one with `drawn`. It is computed as a mixture of Gaussians and is none to the metrics: its points are a
    stroke's ink and no modes, so nothing counts them.

    Args:
        points: shape (256, 2); those from `count` on are filling and carry no weight.
        count: how many points carry weight, from 1 to 256.
        scale: standard deviation of the noise, positive, in the units of the plane.
    """

    # arrays; some versions of JAX also build the pytree with markers in their place, under `vmap`
    points: Any
    count: Any
    scale: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return (2,)

    def sample(self, key: Key[Array, ""], n: int) -> Float[Array, "n 2"]:
        """Draw n samples, shape (n, 2)."""
        point_key, noise_key = jax.random.split(key)
        which = jax.random.randint(point_key, (n,), 0, self.count)
        return self.points[which] + self.scale * jax.random.normal(noise_key, (n, 2))

    def log_prob(self, x: Float[Array | np.ndarray, "*n 2"]) -> Float[Array, "*n"]:
        """Logarithm of the density at x, in nats; x of shape (..., 2)."""
        places = len(self.points)
        weights = (jnp.arange(places) < self.count) / self.count
        return Mixture(self.points, jnp.broadcast_to(self.scale, (places,)), weights).log_prob(x)


def drawn(points: Numbers, *, scale: float | int = 0.05) -> Drawn:
    """Make a target of points that a hand drew: equally many samples near each, with round Gaussian noise.

    Args:
        points: shape (n, 2), 1 to 10,000 points in the order in which they were drawn. Of more than 256, 256 are
            kept, evenly spaced in that order.
        scale: standard deviation of the noise, positive.

    Returns:
        A `Drawn`; every drawing is of the same shapes, whatever n, and none compiles a program anew.

    Raises:
        ValueError: points of another shape or too many, a number that is not finite, a scale that is not positive,
            or points farther from the origin than 10,000 times the scale.

    >>> target = drawn([(-1.0, 0.0), (1.0, 0.0)], scale=0.5)
    >>> target.shape, target.points.shape, int(target.count)
    ((2,), (256, 2), 2)
    >>> float(target.log_prob(np.zeros(2, np.float32)))  # log N((1, 0); 0, 0.25 I) = -2 - log(pi / 2)
    -2.451582...
    """
    places = np.asarray(points, np.float64)
    n = len(places) if places.ndim else 0
    if places.shape != (n, 2) or not 1 <= n <= MOST:
        raise ValueError(f"points must be of shape (n, 2) with n from 1 to {MOST:,}, got shape {places.shape}")
    if not np.isfinite(places).all():
        bad = int(np.sum(~np.isfinite(places).all(axis=1)))
        raise ValueError(f"points must be finite; {bad} of {n} are NaN or infinite: leave them out")
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"scale is a standard deviation and must be positive, got {scale!r}")
    farthest = float(np.abs(places).max())
    if farthest > REACH * scale:
        raise ValueError(
            f"points must lie within {REACH:,.0f} times the scale of the origin, here {REACH * scale:g}, where float32 "
            f"still tells them apart; one lies at {farthest:g}: divide the points, or take a larger scale"
        )
    kept = places if n <= PLACES else places[((np.arange(PLACES) + 0.5) * n / PLACES).astype(int)]
    filled = np.resize(kept, (PLACES, 2))  # filling repeats points, so that it lies where they do
    return Drawn(jnp.asarray(filled, jnp.float32), jnp.asarray(len(kept), jnp.int32), jnp.asarray(scale, jnp.float32))
