"""Samples and any target come in; a distance to real samples of the target goes out."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from .. import theory
from ..data import Target
from ..errors import check_count, check_key
from .samples import Samples, Scalar, check


def _reference(target: Target, n: int, key: Key[Array, ""] | None) -> tuple[Array, Key[Array, ""]]:
    """The real samples to compare with, and a key for the rest."""
    # no user's own key leads here, so samples drawn with key(0) from the target are not compared with themselves
    key = jax.random.fold_in(jax.random.key(0), 0x5C02E) if key is None else key
    check_key(key)
    reference_key, rest = jax.random.split(key)
    return target.sample(reference_key, n), rest


@functools.partial(jax.jit, static_argnames="directions")
def _sliced(samples, target, key, directions):
    real, key = _reference(target, len(samples), key)
    normal = jax.random.normal(key, (samples.shape[1], directions))
    lines = normal / jnp.linalg.norm(normal, axis=0, keepdims=True)
    project = lambda x: jnp.sort(jnp.matmul(x, lines, precision="highest").T, axis=1)  # noqa: E731
    return jnp.sqrt(jnp.mean((project(samples) - project(real)) ** 2))


def sliced_wasserstein2(
    samples: Samples, target: Target, *, directions: int = 64, key: Key[Array, ""] | None = None
) -> Scalar:
    """Wasserstein-2 distance of the projections on random lines: `sqrt(E_u W2(u.x, u.y)^2)`, u uniform on the sphere.

    Args:
        samples: shape (n, d).
        target: n real samples are drawn from it.
        directions: how many lines.
        key: for the real samples and the lines; one fixed key when left out, so that scores can be compared.

    Returns:
        A distance in the units of x, at most `wasserstein2` with the same key.

    Source: Bonneel et al. 2015, "Sliced and Radon Wasserstein Barycenters of Measures".

    >>> from gan_jax import data
    >>> target = data.ring(8)
    >>> bool(sliced_wasserstein2(target.sample(jax.random.key(0), 500), target) < 0.2)
    True
    """
    check_count(directions, "directions")
    return _sliced(check(samples, target), target, key, directions)


def wasserstein2(samples: Samples, target: Target, *, key: Key[Array, ""] | None = None) -> float:
    """Exact Wasserstein-2 distance to as many real samples: the cheapest pairing, by `theory.wasserstein`.

    Exact for the two samples; the distance of the distributions is smaller, see `perfect`. Its time grows like n^3,
    on one CPU core, and it cannot be compiled.

    Args:
        samples: shape (n, d).
        target: n real samples are drawn from it.
        key: for the real samples; one fixed key when left out.

    Returns:
        A distance in the units of x.
    """
    samples = check(samples, target)
    return theory.wasserstein(np.asarray(samples), np.asarray(_reference(target, len(samples), key)[0]))


def _squared_distances(x: Samples, y: Samples) -> Array:
    return sum((x[:, i, None] - y[None, :, i]) ** 2 for i in range(x.shape[1]))  # type: ignore[return-value]


# each sum is compiled by itself: XLA fuses three into one loop that runs several times slower on a CPU
@jax.jit
def _similarity(x, y, bandwidth):
    return jnp.sum(jnp.exp(-0.5 * _squared_distances(x / bandwidth, y / bandwidth)))


@jax.jit
def _median_distance(x):
    return jnp.sqrt(jnp.median(_squared_distances(x, x)[jnp.triu_indices(len(x), 1)]))


_real = jax.jit(lambda target, n, key: _reference(target, n, key)[0], static_argnums=1)


def mmd(samples: Samples, target: Target, *, bandwidth: Any = None, key: Key[Array, ""] | None = None) -> Scalar:
    """Squared maximum mean discrepancy, unbiased, with the kernel `k(x, y) = exp(-|x - y|^2 / (2 b^2))`.

    `mean_{i != j} k(x_i, x_j) - 2 mean_{i, j} k(x_i, y_j) + mean_{i != j} k(y_i, y_j)`, x the samples, y real ones.

    Args:
        samples: shape (n, d), n at least 2.
        target: n real samples are drawn from it.
        bandwidth: b, in the units of x; the median distance of the first 200 real samples when left out, which
            does not depend on the generator.
        key: for the real samples; one fixed key when left out.

    Returns:
        An estimate whose mean is 0 for a perfect generator, so that it is negative about half the time.

    Source: Gretton et al. 2012, equation 3.
    """
    samples = check(samples, target)
    n = len(samples)
    if n < 2:
        raise ValueError("an unbiased MMD compares pairs of samples: it needs at least 2 samples, got 1")
    if bandwidth is not None and not isinstance(bandwidth, jax.core.Tracer) and not bandwidth > 0:
        raise ValueError(f"bandwidth must be positive, got {bandwidth!r}; leave it out for the median distance")
    real = _real(target, n, key)
    b = _median_distance(real[:200]) if bandwidth is None else bandwidth
    # a sample with itself (similarity 1, n times) is left out: that is what makes the estimate unbiased
    within = (_similarity(samples, samples, b) - n + _similarity(real, real, b) - n) / (n * (n - 1))
    return within - 2 * _similarity(samples, real, b) / n**2
