"""Samples and a mixture of Gaussians come in; how many of its modes they reach, how well and how evenly, goes out."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from ..data import Mixture
from .samples import Samples, Scalar, check


def nearest_modes(samples: Samples, target: Mixture) -> tuple[Int[Array, " n"], Array]:
    """Index of each sample's nearest mode, and whether it lies within 3 of the mode's standard deviations."""
    # |x - m|^2 mode by mode: the expanded form x.x - 2 x.m + m.m loses the digits that small scales need
    squared = sum((samples[:, i, None] - target.means[None, :, i]) ** 2 for i in range(target.means.shape[1]))
    nearest = jnp.argmin(squared, axis=1)
    return nearest, jnp.min(squared, axis=1) <= (3 * target.scales[nearest]) ** 2


def _counts(nearest: Int[Array, " n"], counted: Array, k: int) -> Int[Array, " k"]:
    return jnp.sum((nearest[:, None] == jnp.arange(k)[None]) & counted[:, None], axis=0)


@jax.jit
def _modes_covered(samples, target):
    nearest, high = nearest_modes(samples, target)
    return jnp.sum(_counts(nearest, high, len(target.scales)) > 0)


@jax.jit
def _high_quality_share(samples, target):
    return jnp.mean(nearest_modes(samples, target)[1])


@jax.jit
def _reverse_kl(samples, target):
    nearest, _ = nearest_modes(samples, target)
    share = _counts(nearest, jnp.ones_like(nearest, bool), len(target.scales)) / len(samples)
    total = jnp.sum(jnp.where(share > 0, share * (jnp.log(share) - jnp.log(target.weights)), 0.0))
    return jnp.where(jnp.isfinite(samples).all(), total, jnp.nan)


def modes_covered(samples: Samples, target: Mixture) -> Int[Array, ""]:
    """Count the modes that the samples reach: those nearest to at least one high-quality sample.

    A sample is of high quality when it lies within 3 standard deviations of its nearest mode.

    Args:
        samples: shape (n, d).
        target: a mixture; its means are the modes.

    Returns:
        A whole number, 0 to the number of modes.

    Raises:
        TypeError: the target has no modes.
        ValueError: samples of another shape, or NaN.

    Source: Srivastava et al. 2017 (VEEGAN), section 4.1, with 2,500 samples.

    >>> from gan_jax import data
    >>> int(modes_covered(jnp.array([[1.0, 0.0], [1.01, 0.0], [0.0, 0.5]]), data.ring(8)))
    1
    """
    return _modes_covered(check(samples, target, modes=True), target)


def high_quality_share(samples: Samples, target: Mixture) -> Scalar:
    """Share of the samples that lie within 3 standard deviations of their nearest mode; arguments as `modes_covered`.

    Returns:
        A number in [0, 1]. A perfect generator scores 1 - e^-4.5 = 0.98889 in the plane, not 1.

    Source: Srivastava et al. 2017 (VEEGAN), section 4.1.

    >>> from gan_jax import data
    >>> float(high_quality_share(jnp.array([[1.0, 0.0], [0.0, 0.5]]), data.ring(8)))
    0.5
    """
    return _high_quality_share(check(samples, target, modes=True), target)


def reverse_kl(samples: Samples, target: Mixture) -> Scalar:
    """How unevenly the samples share out among the modes: `sum_k q_k log(q_k / weights_k)`, in nats.

    q_k is the share of samples whose nearest mode is k, of high quality or not. Arguments as `modes_covered`.

    Returns:
        0 for exact shares, log K for one mode of K. A perfect generator scores about (K - 1) / 2n.

    Source: Lin et al. 2018 (PacGAN), section 4.1.

    >>> from gan_jax import data
    >>> round(float(reverse_kl(jnp.array([[1.0, 0.0]]), data.ring(8))), 4)  # log 8
    2.0794
    """
    return _reverse_kl(check(samples, target, modes=True), target)
