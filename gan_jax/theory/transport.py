"""Two samples or densities come in; the Wasserstein distance between them, and the pairing that reaches it, go out."""

from typing import Any

import numpy as np
from jaxtyping import Array, Float, Int

from .grids import Quadrature, Scalar, Values, _arrays

Line = Float[Array | np.ndarray, " n"]
Cloud = Float[Array | np.ndarray, "n d"]


def _finite(x: Any, name: str) -> np.ndarray:
    values = np.asarray(x, np.float64)
    if not len(values) or not np.isfinite(values).all():
        bad = int(np.sum(~np.isfinite(values)))
        raise ValueError(f"{name} must be finite and not empty, got {bad} NaN or infinite numbers of {values.size}")
    return values


def wasserstein_line(x: Line, y: Float[Array | np.ndarray, " m"], order: float | int = 1) -> float:
    """Wasserstein distance of two samples on the line: `(int_0^1 |F^-1(u) - G^-1(u)|^order du)^(1/order)`.

    Args:
        x: shape (n,).
        y: shape (m,); n and m may differ.
        order: 1 or larger.

    Returns:
        The exact distance of the two empirical distributions, in the units of x.

    Source: Peyré and Cuturi 2019, "Computational Optimal Transport", remark 2.30.

    >>> wasserstein_line(np.array([0.0, 1.0]), np.array([5.0]))
    4.5
    """
    x, y = np.sort(_finite(x, "x")), np.sort(_finite(y, "y"))
    levels = np.union1d(np.arange(len(x) + 1) / len(x), np.arange(len(y) + 1) / len(y))
    middle, width = (levels[1:] + levels[:-1]) / 2, np.diff(levels)
    gap = x[(middle * len(x)).astype(int)] - y[(middle * len(y)).astype(int)]  # the quantile functions are steps
    return float(np.sum(width * np.abs(gap) ** order) ** (1 / order))


def wasserstein1_density(log_p: Values, log_q: Values, grid: Quadrature) -> Scalar:
    """Wasserstein-1 distance of two densities on the line: `int |F(x) - G(x)| dx`.

    F and G are the distribution functions.

    Args:
        log_p, log_q: log densities at the points of the grid, shape (n,).
        grid: a `quadrature` of the line, wide enough to hold both.

    Returns:
        The distance, in the units of x; the rule's error falls with the square of the cell.

    Raises:
        ValueError: the grid is not of the line.
    """
    if grid.points.shape[1] != 1:
        raise ValueError(f"expected a grid of the line, got one of {grid.points.shape[1]} dimensions; use wasserstein")
    xp, (log_p, log_q, weights) = _arrays(log_p, log_q, grid.weights)
    return xp.sum(weights * abs(xp.cumsum(weights * (xp.exp(log_p) - xp.exp(log_q)))))


def transport_plan(x: Cloud, y: Float[Array | np.ndarray, "m d"], order: float | int = 2) -> Int[np.ndarray, " n"]:
    """Pair two clouds of equal size so that the sum of `|x_i - y_plan[i]|^order` is least, exactly.

    Args:
        x: shape (n, d).
        y: shape (n, d).
        order: 1 or larger.

    Returns:
        For each x the index of its partner in y, shape (n,). The time grows like n^3.

    Raises:
        ValueError: the clouds differ in size, or hold NaN.

    >>> transport_plan(np.array([[0.0], [1.0]]), np.array([[1.1], [0.2]])).tolist()
    [1, 0]
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    x, y = _finite(x, "x"), _finite(y, "y")
    if x.ndim != 2 or x.shape != y.shape:
        raise ValueError(
            f"pairing needs two clouds of one shape (n, d), got {x.shape} and {y.shape}; draw equally many of each"
        )
    cost = cdist(x, y, "sqeuclidean")
    return linear_sum_assignment(cost if order == 2 else cost ** (order / 2))[1]


def wasserstein(x: Cloud, y: Float[Array | np.ndarray, "m d"], order: float | int = 2) -> float:
    """Exact Wasserstein distance of two clouds of equal size: `(mean_i |x_i - y_plan[i]|^order)^(1/order)`.

    Arguments and errors as in `transport_plan`; the result is in the units of x.

    >>> x = np.array([[0.0, 0.0], [1.0, 0.0]])
    >>> wasserstein(x, x + np.array([3.0, 4.0]), order=1)
    5.0
    """
    plan = transport_plan(x, y, order)
    distance = np.linalg.norm(np.asarray(x, np.float64) - np.asarray(y, np.float64)[plan], axis=1)
    return float(np.mean(distance**order) ** (1 / order))
