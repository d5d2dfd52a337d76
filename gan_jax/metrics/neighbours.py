"""Features of samples and of real images come in; what their nearest neighbours say goes out.

Every distance is computed in float64, block by block, so that the table of all pairs is never in memory.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int

from ..data import Dataset
from ..errors import check_count
from .embeddings import (
    Features,
    Images,
    Others,
    Real,
    Vectors,
    as_vectors,
    embed_of,
    embed_pair,
    real_pictures,
    rows_at_once,
)

Unseen = Dataset | Float[Array | np.ndarray, "h ..."]
Embed = Features | Callable[[Any], Any] | None

TIE = 1 - 1e-9
"""Squares of distances within one part in 1e9 of a radius count as equal to it: rounding does not decide."""


class PrecisionRecall(NamedTuple):
    """Quality and variety, each as a share.

    Attributes:
        precision: share of the samples that lie near real images.
        recall: share of the real images that lie near samples.
    """

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """Quality and variety, less moved by outliers than precision and recall.

    Attributes:
        density: how many neighbourhoods of real images hold a sample, over k, on average; may exceed 1.
        coverage: share of the real images whose neighbourhood holds a sample.
    """

    density: float
    coverage: float


class Nearest(NamedTuple):
    """Neighbours of each sample, the nearest first.

    Attributes:
        indices: which images, shape (n, k).
        distances: how far, in the units of the features, shape (n, k).
    """

    indices: Int[np.ndarray, "n k"]
    distances: Float[np.ndarray, "n k"]


def _squared(x: Vectors, y: Others) -> Iterator[tuple[slice, Float[np.ndarray, "block m"]]]:
    """Squared distances from some rows of x to all of y, and which rows."""
    centre = y.mean(axis=0, keepdims=True)  # near the origin the expanded square loses fewer digits
    x, y = x - centre, y - centre
    norms = np.sum(y * y, axis=1)[None]
    step = rows_at_once(len(y))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        size = np.sum(x[rows] ** 2, axis=1)[:, None] + norms
        distances = size - 2 * (x[rows] @ y.T)
        yield rows, np.where(distances < 1e-12 * size, 0.0, distances)  # what is left of equal vectors is rounding


def _radii(x: Vectors, k: int) -> Float[np.ndarray, " n"]:
    """Squared distance from each vector to its k-th nearest other one, a hair smaller."""
    found = []
    for rows, distances in _squared(x, x):
        own = np.arange(len(x))[rows]
        distances[np.arange(len(own)), own] = np.inf
        found.append(np.partition(distances, k - 1, axis=1)[:, k - 1].copy())  # a view would keep the table
    return TIE * np.concatenate(found)


def _check_k(k: int, **sets: np.ndarray) -> None:
    check_count(k, "k")
    for name, x in sets.items():
        if len(x) <= k:
            raise ValueError(f"the {k}-th nearest of others needs more than {k} {name}, got {len(x)}; take more")


def precision_recall(samples: Images, target: Real, features: Embed = None, *, k: int = 3) -> PrecisionRecall:
    """Share of samples inside the real images' manifold, and share of real images inside the samples' manifold.

    The manifold of a set is the union of balls around its members, each reaching to the k-th nearest other member.

    Args:
        samples: images in [-1, 1], shape (n, ...), flat or not.
        target: a data set, all of whose images are the reference; or an array of real images.
        features: as in `frechet_distance`.
        k: which neighbour a ball reaches to. A member exactly on the rim is outside, as in the code of Naeem et al.

    Returns:
        `PrecisionRecall`, each in [0, 1]. Real against real does not score 1 but less, by n and the features. One
        outlier among the real images has a large ball and takes in whatever is around: see `density_coverage`.

    Raises:
        ValueError: k or fewer images of either kind, NaN, or images of another shape.

    Source: Kynkaanniemi et al. 2019, "Improved precision and recall metric for assessing generative models".

    >>> line = np.arange(10.0)[:, None]
    >>> precision_recall(np.array([[0.5], [1.5], [2.5], [50.0]]), line, k=1)
    PrecisionRecall(precision=0.75, recall=1.0)
    """
    x, y = embed_pair(samples, target, features)
    _check_k(k, samples=x, real_images=y)
    return PrecisionRecall(_inside(x, y, _radii(y, k)), _inside(y, x, _radii(x, k)))


def _inside(x: Vectors, y: Others, radii: Float[np.ndarray, " m"]) -> float:
    """Share of x in any ball around y."""
    return float(np.mean(np.concatenate([(d < radii[None]).any(axis=1) for _, d in _squared(x, y)])))


def density_coverage(samples: Images, target: Real, features: Embed = None, *, k: int = 5) -> DensityCoverage:
    """How densely the samples lie among the real images, and how many real images have a sample near them.

    `density = 1/(k n) sum_j sum_i [x_j in B_i]`, `coverage = 1/m sum_i [some x_j in B_i]`, B_i the ball around the
    real image i that reaches to its k-th nearest other one. Only real images have balls.

    Args:
        samples: images in [-1, 1], shape (n, ...), flat or not.
        target: a data set, all of whose images are the reference; or an array of real images.
        features: as in `frechet_distance`.
        k: which neighbour a ball reaches to.

    Returns:
        `DensityCoverage`. Real against real scores about 1 and, with n = m, `1 - (n - 1)...(n - k) / ((2n - 1)...
        (2n - k))`, which is close to `1 - 2^-k` (0.97 for k = 5).

    Raises:
        ValueError: k or fewer real images, NaN, or images of another shape.

    Source: Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models", section 3.

    >>> line = np.arange(10.0)[:, None]
    >>> density_coverage(np.array([[0.5], [50.0]]), line, k=1)
    DensityCoverage(density=1.0, coverage=0.2)
    """
    x, y = embed_pair(samples, target, features)
    _check_k(k, real_images=y)
    radii = _radii(y, k)
    hits, reached = 0, np.zeros(len(y), bool)
    for _, distances in _squared(x, y):
        inside = distances < radii[None]
        hits += int(inside.sum())
        reached |= inside.any(axis=0)
    return DensityCoverage(hits / (k * len(x)), float(reached.mean()))


def nearest(samples: Images, target: Real, features: Embed = None, *, k: int = 1) -> Nearest:
    """Find the k real images whose features are nearest to each sample's.

    Args:
        samples: images in [-1, 1], shape (n, ...), flat or not.
        target: a data set or an array of real images.
        features: as in `frechet_distance`.
        k: how many.

    Returns:
        `Nearest`; `target.images[indices]` are the images.

    Raises:
        ValueError: there are fewer than k real images.

    >>> nearest(np.array([[0.9]]), np.array([[0.0], [1.0], [5.0]]), k=2).indices
    array([[1, 0]])
    """
    x, y = embed_pair(samples, target, features)
    check_count(k, "k")
    if len(y) < k:
        raise ValueError(f"{k} neighbours were asked for, and there are {len(y)} real images; set k lower")
    found = [_smallest(distances, k) for _, distances in _squared(x, y)]
    index, squared = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Nearest(index, np.sqrt(squared))


def _smallest(distances: Float[np.ndarray, "n m"], k: int) -> tuple[np.ndarray, np.ndarray]:
    index = np.argpartition(distances, k - 1, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(distances, index, axis=1), axis=1, kind="stable")
    index = np.take_along_axis(index, order, axis=1)
    return index, np.take_along_axis(distances, index, axis=1)


class Memorisation(NamedTuple):
    """Whether samples lie nearer to the training images than to real images held out.

    Attributes:
        share: of the samples whose nearest real image is a training image.
        perfect: the share of a generator that knows the training images no better than those held out: their part of
            all real images.
        std: the standard deviation of `share` over all ways to choose which of the real images were for training.
    """

    share: float
    perfect: float
    std: float

    @property
    def z(self) -> float:
        """How many standard deviations the share lies above a perfect generator's; above 3 is evidence of copying."""
        return (self.share - self.perfect) / self.std if self.std else 0.0


def memorisation(samples: Images, training: Real, held_out: Unseen, features: Embed = None) -> Memorisation:
    """Test whether a generator copies: of how many samples is the nearest real image one that it was trained on?

    For fresh images of the same kind the two groups of real images are exchangeable, so the share is m / (m + h), with
    m training and h held-out images, whatever the quality of the samples: a permutation test whose variance is known
    exactly. A generator that only repeats training images scores 1. The generator must never have seen `held_out`.

    Args:
        samples: images in [-1, 1], shape (n, ...), flat or not.
        training: what the generator was trained on; a data set or an array.
        held_out: real images that it never saw.
        features: as in `frechet_distance`; those of `training` when left out.

    Returns:
        `Memorisation`, with `.z`.

    Raises:
        ValueError: NaN, or images of another shape.

    Source: the idea is the two-sample test by nearest neighbours (Schilling 1986); for generators see Meehan et al.
    2020, "A non-parametric test to detect data-copying in generative models", whose statistic is another.

    >>> real = np.arange(20.0)[:, None]
    >>> memorisation(real[:10], real[:10], real[10:]).share  # copies
    1.0
    """
    embed = None if features is None and not isinstance(training, Dataset) else embed_of(training, features)
    x, seen, unseen = (_embedded(each, embed) for each in (samples, training, held_out))
    real = np.concatenate([seen, unseen])
    counts = np.bincount(nearest(x, real).indices[:, 0], minlength=len(real))
    part = len(seen) / len(real)
    # of a sum over a simple random sample of the real images, drawn without replacement
    variance = (np.sum((counts / len(x)) ** 2) - 1 / len(real)) * part * (1 - part) * len(real) / (len(real) - 1)
    return Memorisation(float(counts[: len(seen)].sum() / len(x)), part, float(np.sqrt(max(variance, 0.0))))


def _embedded(images: Any, embed: Embed) -> Vectors:
    pictures = real_pictures(images) if isinstance(images, Dataset) else images
    return as_vectors(pictures if embed is None else embed(pictures), "images")
