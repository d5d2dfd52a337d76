"""Bounds come in; a grid over which densities are integrated goes out, and the arithmetic all of theory shares.

What is integrated follows its input: NumPy arrays are summed in float64, JAX arrays stay JAX arrays and can be
differentiated.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import check_count

Values = Float[Array | np.ndarray, " n"]
Scalar = Float[Array | np.ndarray, ""] | float
Number = float | int
Ratios = Float[Array | np.ndarray, "*n"] | float | int
"""Log density ratios u = log p - log q, an array of any shape or a number."""


class Quadrature(NamedTuple):
    """A rule that turns an integral into a sum: `int h(x) dx = sum_i weights[i] h(points[i])`.

    Attributes:
        points: where to evaluate, shape (n, d), as `log_prob` of a target takes them.
        weights: length or area that each point stands for, shape (n,).
    """

    points: Float[np.ndarray, "n d"]
    weights: Float[np.ndarray, " n"]


def quadrature(bounds: Sequence[float], n: int = 2000) -> Quadrature:
    """Lay a grid for the midpoint rule over an interval or a rectangle.

    The midpoint rule is exact to rounding for smooth densities that have died out at the bounds, as soon as a cell is
    about as long as the smallest standard deviation; on a jump its error is that of one cell.

    Args:
        bounds: (left, right) for the line, (left, right, bottom, top) for the plane, as `data.bounds` returns it.
        n: cells a side.

    Returns:
        A `Quadrature` of n points of one number, or of n * n points of two.

    Raises:
        ValueError: `bounds` is not 2 or 4 numbers, or a side has no length.

    >>> grid = quadrature((-8.0, 8.0))
    >>> round(float(np.sum(grid.weights * np.exp(-grid.points[:, 0] ** 2 / 2))), 6)  # sqrt(2 pi)
    2.506628
    """
    check_count(n, "n")
    sides = np.asarray(bounds, np.float64)
    if sides.shape not in ((2,), (4,)) or not np.isfinite(sides).all() or np.any(sides[1::2] <= sides[::2]):
        raise ValueError(f"bounds must be (left, right) or (left, right, bottom, top), rising, got {bounds!r}")
    lines = [low + (high - low) * (np.arange(n) + 0.5) / n for low, high in sides.reshape(-1, 2)]
    points = np.stack(np.meshgrid(*lines), axis=-1).reshape(-1, len(lines))
    cell = np.prod((sides[1::2] - sides[::2]) / n)
    return Quadrature(points, np.full(len(points), cell))


def _arrays(*values: Any) -> tuple[Any, list]:
    """Bring all values to one kind, and say which module computes with it: JAX where one of them is JAX's."""
    if any(isinstance(value, jax.Array) for value in values):
        return jnp, [jnp.asarray(value) for value in values]
    return np, [np.asarray(value, np.float64) for value in values]


def _namespace(value: Any) -> Any:
    return jnp if isinstance(value, jax.Array) else np


def _softplus(x: Any) -> Any:
    with np.errstate(invalid="ignore"):  # NaN stays NaN, where neither density has mass
        return _namespace(x).logaddexp(0.0, x)


def _exp(x: Any) -> Any:
    with np.errstate(over="ignore"):  # infinity is the answer
        return _namespace(x).exp(x)


def _expm1(x: Any) -> Any:
    with np.errstate(over="ignore"):
        return _namespace(x).expm1(x)


def _sigmoid(x: Any) -> Any:
    return _exp(-_softplus(-x))


def _times(weight: Any, value: Any) -> Any:
    """A product in which nothing weighs nothing: `0 * inf = 0`, as `0 log 0 = 0` in an integral."""
    return _namespace(weight).where(weight > 0, weight * value, 0.0)
