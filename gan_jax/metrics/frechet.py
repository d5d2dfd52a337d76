"""Features of samples and of real images come in; the Fréchet distance of the Gaussians fitted to them goes out."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float

from .embeddings import Features, Images, Real, as_vectors, embed_pair


class Moments(NamedTuple):
    """What is kept of any number of vectors: enough for their mean and covariance. `a.merge(b)` takes both together.

    Attributes:
        n: how many vectors.
        mean: shape (d,), float64.
        scatter: sum of the products of deviations from the mean, shape (d, d), float64.
    """

    n: int
    mean: Float[np.ndarray, " d"]
    scatter: Float[np.ndarray, "d d"]

    @property
    def covariance(self) -> Float[np.ndarray, "d d"]:
        """Unbiased: the scatter over n - 1."""
        return self.scatter / (self.n - 1)

    def merge(self, other: "Moments") -> "Moments":
        """The moments of both sets of vectors, without a look at the vectors.

        Source: Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance", equation 2.1b.
        """
        n = self.n + other.n
        step = other.mean - self.mean
        between = np.outer(step, step) * (self.n * other.n / n)
        return Moments(n, self.mean + step * (other.n / n), self.scatter + other.scatter + between)


def moments(vectors: Float[Array | np.ndarray, "n d"]) -> Moments:
    """Number, mean and scatter of vectors, shape (n, d).

    >>> both = moments(np.array([[1.0], [3.0]])).merge(moments(np.array([[5.0]])))
    >>> both.n, both.mean.item(), both.covariance.item()
    (3, 3.0, 4.0)
    """
    x = as_vectors(vectors, "vectors")
    mean = x.mean(axis=0)
    return Moments(len(x), mean, (x - mean[None]).T @ (x - mean[None]))


def streamed(batches: Iterable[Any], embed: Features | Callable[[Any], Any]) -> Moments:
    """Moments of the features of any number of images, of which only one batch is in memory at a time.

    Args:
        batches: of images, such as `(state.sample(key, 1000) for key in keys)`.
        embed: `features(target)`, or any function from a batch of images to vectors.

    Returns:
        `Moments`, for `frechet_between`. To 1e-12 the same however the images are cut into batches.
    """
    return functools.reduce(Moments.merge, (moments(np.asarray(embed(batch), np.float64)) for batch in batches))


def frechet_between(first: Moments, second: Moments) -> float:
    """Fréchet (Wasserstein-2) distance, squared, of two Gaussians: `|m - n|^2 + Tr(S) + Tr(T) - 2 Tr((S T)^(1/2))`.

    The last trace is the sum of the singular values of `S^(1/2) T^(1/2)`, both roots by eigenvalues of a symmetric
    matrix, all in float64. Nothing complex appears, and a singular covariance needs no `eps`.

    Args:
        first: moments of one set of vectors.
        second: of the other.

    Returns:
        A number of at least 0, in squared units of the features. Drawn from the same Gaussian in d dimensions, n and
        m vectors score about `(1/n + 1/m)(d + d(d + 1)/4)`, not 0.

    Raises:
        ValueError: as many numbers a vector as vectors, or more; vectors of different sizes.

    Source: Dowson and Landau 1982; Heusel et al. 2017, "GANs trained by a two time-scale update rule", section 3.

    >>> a, b = (Moments(9, np.array([mean]), np.array([[8 * variance]])) for mean, variance in [(0.0, 1.0), (1.0, 4.0)])
    >>> frechet_between(a, b)  # N(0, 1) and N(1, 4)
    2.0
    """
    for each in (first, second):
        _check_count(each)
    if len(first.mean) != len(second.mean):
        raise ValueError(f"vectors of {len(first.mean)} and of {len(second.mean)} numbers cannot be compared")
    roots = _root(first.covariance) @ _root(second.covariance)
    shared = float(np.linalg.svd(roots, compute_uv=False).sum())
    spread = float(np.trace(first.covariance) + np.trace(second.covariance)) - 2 * shared
    return float(np.sum((first.mean - second.mean) ** 2)) + max(spread, 0.0)


def _check_count(each: Moments) -> None:
    dimensions = len(each.mean)
    if each.n <= dimensions:
        raise ValueError(
            f"{each.n} vectors cannot have a covariance in {dimensions} dimensions (it is singular); take at least "
            f"{dimensions + 1} samples, better {10 * dimensions}, or features of fewer dimensions, or "
            "metrics.kernel_distance, which needs no covariance"
        )


def _root(covariance: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    """The symmetric square root; rounding's negative eigenvalues are 0."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return (vectors * np.sqrt(np.maximum(values, 0.0))[None]) @ vectors.T


def frechet_distance(samples: Images, target: Real, features: Features | Callable[[Any], Any] | None = None) -> float:
    """Fréchet distance between the features of samples and of real images; see `frechet_between` for the formula.

    It is called FID when the features are Inception's, and only then.

    Args:
        samples: images in [-1, 1], shape (n, ...), flat or not.
        target: a data set, all of whose images are the reference; or an array of real images.
        features: `metrics.features(target)` when left out. Where `target` is an array and this is left out, both are
            features already, shape (n, d) and (m, d).

    Returns:
        A number of at least 0; smaller is better. It is biased: the fewer samples, the larger, by about c/n. Compare
        at equal n only, and beside real against real (`image_scorecard`).

    Raises:
        ValueError: fewer samples than dimensions, NaN, or images of another shape.

    >>> import jax
    >>> from gan_jax import data
    >>> real = data.digits()
    >>> frechet_distance(real.sample(jax.random.key(0), 1000), real) < 2
    True
    """
    x, y = embed_pair(samples, target, features)
    return frechet_between(moments(x), moments(y))
