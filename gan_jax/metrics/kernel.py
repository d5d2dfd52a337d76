"""Features of samples and of real images come in; their kernel distance (KID), which is unbiased, goes out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ..errors import check_count
from .embeddings import Features, Images, Others, Real, Vectors, blocks, embed_pair, rows_at_once


class Estimate(NamedTuple):
    """A score with its spread; `float` of it is the score.

    Attributes:
        mean: the score.
        std: its standard error, or its standard deviation over parts; the metric's docstring says which.
    """

    mean: float
    std: float

    def __float__(self) -> float:
        return self.mean

    def __repr__(self) -> str:
        return f"{self.mean:.4g} ± {self.std:.2g}"


def kernel_distance(
    samples: Images,
    target: Real,
    features: Features | Callable[[Any], Any] | None = None,
    *,
    subsets: int | None = None,
    subset_size: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Squared maximum mean discrepancy, unbiased, of features with the kernel `k(x, y) = (x.y / d + 1)^3`.

    `mean_{i != j} k(x_i, x_j) - 2 mean_{i, j} k(x_i, y_j) + mean_{i != j} k(y_i, y_j)`, d numbers a feature. Called
    KID when the features are Inception's. Computed block by block: the matrix of all pairs is never in memory.

    Args:
        samples: images in [-1, 1], shape (n, ...), flat or not.
        target: a data set, all of whose images are the reference; or an array of real images.
        features: as in `frechet_distance`.
        subsets: how many random subsets to average over, as papers do; everything at once when left out, which is
            the sharpest estimate.
        subset_size: images of each kind in a subset.
        seed: of the subsets.

    Returns:
        An `Estimate`. Its mean has expectation 0 for a perfect generator at any n, so it is negative about half the
        time. `std` is the standard error by the jackknife (for a perfect generator about 1.4 times too large), or with
        `subsets` the standard deviation over them.

    Raises:
        ValueError: fewer than 2 images of either kind (or than `subset_size`).

    Source: Binkowski et al. 2018, "Demystifying MMD GANs", section 4; Gretton et al. 2012, equation 3.

    >>> rng = np.random.default_rng(0)
    >>> distance = kernel_distance(rng.normal(size=(500, 4)), rng.normal(size=(400, 4)))  # of features as they are
    >>> abs(distance.mean) < 5 * distance.std
    True
    """
    x, y = embed_pair(samples, target, features)
    if min(len(x), len(y)) < 2:
        raise ValueError(f"pairs are compared: 2 images of each kind are needed at least, got {len(x)} and {len(y)}")
    if subsets is None:
        return _whole(x, y)
    check_count(subsets, "subsets")
    check_count(subset_size, "subset_size", least=2)
    if min(len(x), len(y)) < subset_size:
        raise ValueError(
            f"subsets of {subset_size} cannot be drawn from {len(x)} samples and {len(y)} real images; "
            "set subset_size lower, or leave subsets out to use all at once"
        )
    rng = np.random.default_rng(seed)
    draw = lambda z: z[rng.choice(len(z), subset_size, replace=False)]  # noqa: E731
    found = np.array([_whole(draw(x), draw(y)).mean for _ in range(subsets)])
    return Estimate(float(found.mean()), float(found.std(ddof=1)) if subsets > 1 else 0.0)


def _row_sums(x: Vectors, y: Others) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " m"]]:
    """Sums of k(x_i, y_j) over j, and over i."""
    rows, columns = [], np.zeros(len(y))
    for block in blocks(x, rows_at_once(len(y))):
        kernel = (block @ y.T / x.shape[1] + 1) ** 3
        rows.append(kernel.sum(axis=1))
        columns += kernel.sum(axis=0)
    return np.concatenate(rows), columns


def _within(x: Vectors) -> Float[np.ndarray, " n"]:
    """Sums of k(x_i, x_j) over all j but i."""
    return _row_sums(x, x)[0] - (np.sum(x * x, axis=1) / x.shape[1] + 1) ** 3


def _whole(x: Vectors, y: Others) -> Estimate:
    n, m = len(x), len(y)
    xx, yy, (xy, yx) = _within(x), _within(y), _row_sums(x, y)
    distance = lambda a, b, ab, n, m: a / (n * (n - 1)) + b / (m * (m - 1)) - 2 * ab / (n * m)  # noqa: E731
    mean = distance(xx.sum(), yy.sum(), xy.sum(), n, m)
    if min(n, m) < 3:
        return Estimate(float(mean), float("nan"))
    # without x_i: its row and its column leave the first sum, its row the third
    without_x = distance(xx.sum() - 2 * xx, yy.sum(), xy.sum() - xy, n - 1, m)
    without_y = distance(xx.sum(), yy.sum() - 2 * yy, xy.sum() - yx, n, m - 1)
    variance = (n - 1) * np.var(without_x) + (m - 1) * np.var(without_y)
    return Estimate(float(mean), float(np.sqrt(variance)))
