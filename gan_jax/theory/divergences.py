"""Log densities on a grid come in; the optimal discriminator, the value of the game and the f-divergences go out.

What is integrated follows its input: NumPy arrays are summed in float64, JAX arrays stay JAX arrays and can be
differentiated.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import Menu, check_count

Values = Float[Array | np.ndarray, " n"]
Scalar = Float[Array | np.ndarray, ""] | float


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


def _times(weight: Any, value: Any) -> Any:
    """A product in which nothing weighs nothing: `0 * inf = 0`, as `0 log 0 = 0` in an integral."""
    return _namespace(weight).where(weight > 0, weight * value, 0.0)


def optimal_logit(log_p: Values, log_q: Values) -> Values:
    """Logit of the best discriminator against a generator with density q: `log p(x) - log q(x)`.

    Args:
        log_p: log density of the real distribution at n points, in nats, shape (n,).
        log_q: that of the generator at the same points, shape (n,).

    Returns:
        The logit, shape (n,); NaN where both densities are 0, since there D may be anything.

    Source: Goodfellow et al. 2014, proposition 1.

    >>> x = np.array([-1.0, 0.5, 2.0])
    >>> optimal_logit(-(x**2) / 2, -((x - 1) ** 2) / 2).tolist()  # N(0, 1) against N(1, 1): 0.5 - x
    [1.5, 0.0, -1.5]
    """
    _, (log_p, log_q) = _arrays(log_p, log_q)
    with np.errstate(invalid="ignore"):
        return log_p - log_q


def optimal_discriminator(log_p: Values, log_q: Values) -> Values:
    """The best discriminator as a probability, `D*(x) = p(x) / (p(x) + q(x))`; arguments as in `optimal_logit`.

    >>> optimal_discriminator(np.zeros(1), np.full(1, -0.5)).round(6).tolist()
    [0.622459]
    """
    logit = optimal_logit(log_p, log_q)
    return _namespace(logit).exp(-_softplus(-logit))


def value(logit: Values, log_p: Values, log_q: Values, weights: Values) -> Scalar:
    """What the game pays D: `V(D) = E_p log D(x) + E_q log(1 - D(x))`, in nats.

    Args:
        logit: D's logits at the n points of a `quadrature`, shape (n,).
        log_p, log_q: log densities of real and generated samples there, shape (n,).
        weights: of the quadrature, shape (n,).

    Returns:
        A scalar, at most `-log 4 + 2 JSD(p, q)`, which it reaches at `optimal_logit`.

    Source: Goodfellow et al. 2014, equation 1 and theorem 1.

    >>> grid = quadrature((-9.0, 9.0))
    >>> log_p = -grid.points[:, 0] ** 2 / 2 - 0.5 * np.log(2 * np.pi)
    >>> round(float(value(np.zeros(2000), log_p, log_p, grid.weights)), 6)  # -log 4
    -1.386294
    """
    xp, (logit, log_p, log_q, weights) = _arrays(logit, log_p, log_q, weights)
    gain = _times(xp.exp(log_p), -_softplus(-logit)) + _times(xp.exp(log_q), -_softplus(logit))
    return xp.sum(weights * gain)


class Divergence(NamedTuple):
    """An f-divergence `D_f(p || q) = int q f(p / q) dx`, with f convex and what D estimates it by.

    Attributes:
        perspective: `q f(p / q)` as a function of p, q and their log ratio u = log p - log q; exact where one is 0.
        conjugate: `f*(t) = sup_r (r t - f(r))`.
        optimal: the T that reaches the supremum of `E_p T - E_q f*(T)`: `f'(e^u)` as a function of u.
        name: for labels.
    """

    perspective: Callable
    conjugate: Callable
    optimal: Callable
    name: str

    def generator(self, ratio: Any) -> Any:
        """The convex function f itself, at ratios p / q > 0."""
        xp, (ratio,) = _arrays(ratio)
        return self.perspective(ratio, xp.ones_like(ratio), xp.log(ratio))


def _jensen_shannon(p, q, u):
    return 0.5 * (_times(p, math.log(2) - _softplus(-u)) + _times(q, math.log(2) - _softplus(u)))


DIVERGENCES: Menu[Divergence] = Menu(
    "divergence",
    {
        "kl": Divergence(
            lambda p, q, u: _times(p, u), lambda t: _namespace(t).exp(t - 1), lambda u: 1 + u, "KL(p || q)"
        ),
        "reverse_kl": Divergence(
            lambda p, q, u: -_times(q, u),
            lambda t: -1 - _namespace(t).log(-t),
            lambda u: -_namespace(u).exp(-u),
            "KL(q || p)",
        ),
        "jensen_shannon": Divergence(
            _jensen_shannon,
            lambda t: -0.5 * _namespace(t).log(2 - _namespace(t).exp(2 * t)),
            lambda u: 0.5 * (math.log(2) - _softplus(-u)),
            "Jensen-Shannon",
        ),
        "gan": Divergence(
            lambda p, q, u: -_times(p, _softplus(-u)) - _times(q, _softplus(u)),
            lambda t: -_namespace(t).log(-_namespace(t).expm1(t)),
            lambda u: -_softplus(-u),
            "2 JSD - log 4",
        ),
        "pearson": Divergence(
            lambda p, q, u: _times(abs(p - q), abs(_namespace(u).expm1(u))),
            lambda t: t**2 / 4 + t,
            lambda u: 2 * _namespace(u).expm1(u),
            "Pearson chi2",
        ),
        "neyman": Divergence(
            lambda p, q, u: _times(abs(p - q), abs(_namespace(u).expm1(-u))),
            lambda t: 2 - 2 * _namespace(t).sqrt(1 - t),
            lambda u: -_namespace(u).expm1(-2 * u),
            "Neyman chi2",
        ),
        "squared_hellinger": Divergence(
            lambda p, q, u: (_namespace(p).sqrt(p) - _namespace(q).sqrt(q)) ** 2,
            lambda t: t / (1 - t),
            lambda u: -_namespace(u).expm1(-u / 2),
            "squared Hellinger",
        ),
        "total_variation": Divergence(
            lambda p, q, u: 0.5 * abs(p - q),
            lambda t: _namespace(t).where(abs(t) <= 0.5, t, math.inf),
            lambda u: 0.5 * _namespace(u).sign(u),
            "total variation",
        ),
    },
)
"""The f-divergences by name; Nowozin et al. 2016, table 1 and appendix. "jensen_shannon" is the usual one, at most
log 2: half of the paper's; "gan" is the value of the minimax game at D*; "total_variation" is `int |p - q| / 2`."""


def divergence(kind: str, log_p: Values, log_q: Values, weights: Values) -> Scalar:
    """Integrate an f-divergence of p from q on a grid.

    Args:
        kind: name in `DIVERGENCES`.
        log_p, log_q: log densities at the n points of a `quadrature`, in nats, shape (n,); -inf where there is none.
        weights: of the quadrature, shape (n,).

    Returns:
        A scalar, in nats for the entropic ones; infinite where the definition says so.

    >>> grid = quadrature((-9.0, 10.0))
    >>> x = grid.points[:, 0]
    >>> log_p, log_q = (-((x - mean) ** 2) / 2 - 0.5 * np.log(2 * np.pi) for mean in (0, 1))
    >>> [round(float(divergence(kind, log_p, log_q, grid.weights)), 6) for kind in ("kl", "jensen_shannon")]
    [0.5, 0.111421]
    """
    xp, (log_p, log_q, weights) = _arrays(log_p, log_q, weights)
    with np.errstate(invalid="ignore", over="ignore"):  # -inf - -inf where both are 0: weighs nothing
        return xp.sum(weights * DIVERGENCES[kind].perspective(xp.exp(log_p), xp.exp(log_q), log_p - log_q))


def variational_bound(kind: str, t: Values, log_p: Values, log_q: Values, weights: Values) -> Scalar:
    """What a discriminator with output T estimates: `E_p T(x) - E_q f*(T(x))`, at most the divergence.

    Args:
        kind: name in `DIVERGENCES`.
        t: T at the n points of the grid, in the domain of f*, shape (n,).
        log_p, log_q, weights: as in `divergence`.

    Returns:
        A scalar; equal to the divergence at `T = DIVERGENCES[kind].optimal(log_p - log_q)`.

    Source: Nowozin et al. 2016, equation 4.
    """
    xp, (t, log_p, log_q, weights) = _arrays(t, log_p, log_q, weights)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        conjugate = DIVERGENCES[kind].conjugate(t)
        return xp.sum(
            weights * (xp.where(log_p > -math.inf, xp.exp(log_p) * t, 0.0) - _times(xp.exp(log_q), conjugate))
        )
