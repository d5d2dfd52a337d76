"""Log densities on a grid come in; their f-divergences, and what D estimates them by, go out."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..errors import Menu
from .grids import Ratios, Scalar, Values, _arrays, _exp, _expm1, _namespace, _sigmoid, _softplus, _times


class Divergence(NamedTuple):
    """An f-divergence `D_f(p || q) = int q f(p / q) dx`, with f convex and what D estimates it by.

    Attributes:
        perspective: `q f(p / q)` as a function of p, q and their log ratio u = log p - log q; exact where one is 0.
        conjugate: `f*(t) = sup_r (r t - f(r))`, for t in the range of `activation`.
        optimal: the T that reaches the supremum of `E_p T - E_q f*(T)`: `f'(e^u)` as a function of u.
        variation: what one sample of q pays, `f(r) - r f'(r) = -f*(f'(r))` at r = e^u, as a function of u.
        activation: a last layer g_f for D, increasing, from any number v to a T in the domain of f*.
        name: for labels.
    """

    perspective: Callable
    conjugate: Callable
    optimal: Callable
    variation: Callable
    activation: Callable
    name: str

    def generator(self, ratio: Any) -> Any:
        """The convex function f itself, at ratios p / q > 0."""
        xp, (ratio,) = _arrays(ratio)
        return self.perspective(ratio, xp.ones_like(ratio), xp.log(ratio))


def _itself(v):
    return v


def _omega(y):
    """The w > 0 with `w + log w = y`: Lambert's `W(e^y)` without the overflow. Halley steps on z = log w."""
    xp = _namespace(y)
    z = xp.where(y > 1, xp.log(xp.maximum(y, 1.0)), xp.minimum(y, 1.0) - _exp(xp.minimum(y, 1.0) - 1))
    for _ in range(5):
        w = xp.exp(z)
        miss = z + w - y
        z = z - 2 * miss * (1 + w) / (2 * (1 + w) ** 2 - miss * w)
    return xp.exp(z)


def _tree(t):
    """The s in (0, 1] with `s e^-s = e^(t - 1) / 2`, for t up to log 2: `-W(-e^(t - 1) / 2)`. Steps on z = log s."""
    xp = _namespace(t)
    below = xp.maximum(math.log(2) - t, 0.0)  # how far e^z - z lies above its least value 1, which it has at s = 1
    z = -xp.where(below < 1, xp.sqrt(2 * below) + below / 3, 1 + below)
    for _ in range(6):
        gap = xp.where(z < 0, xp.expm1(z), -1.0)
        miss = xp.where(z < 0, gap - z - below, 0.0)
        z = z - 2 * miss * gap / (2 * gap**2 - miss * (1 + gap))
    return xp.exp(z)


def _jensen_shannon(p, q, u):
    return 0.5 * (_times(p, math.log(2) - _softplus(-u)) + _times(q, math.log(2) - _softplus(u)))


def _jeffrey_conjugate(t):
    w = _omega(1 - t)
    return w + 1 / w + t - 2


def _triangular_conjugate(t):
    root = _namespace(t).sqrt(1 - t)
    return (1 - root) * (3 - root)


DIVERGENCES: Menu[Divergence] = Menu(
    "divergence",
    {
        "kl": Divergence(
            perspective=lambda p, q, u: _times(p, u),
            conjugate=lambda t: _exp(t - 1),
            optimal=lambda u: 1 + u,
            variation=lambda u: -_exp(u),
            activation=_itself,
            name="KL(p || q)",
        ),
        "reverse_kl": Divergence(
            perspective=lambda p, q, u: -_times(q, u),
            conjugate=lambda t: -1 - _namespace(t).log(-t),
            optimal=lambda u: -_exp(-u),
            variation=lambda u: 1 - u,
            activation=lambda v: -_exp(-v),
            name="KL(q || p)",
        ),
        "jeffrey": Divergence(
            perspective=lambda p, q, u: _times(p, u) - _times(q, u),
            conjugate=_jeffrey_conjugate,
            optimal=lambda u: u - _expm1(-u),
            variation=lambda u: -_expm1(u) - u,
            activation=_itself,
            name="Jeffrey",
        ),
        "jensen_shannon": Divergence(
            perspective=_jensen_shannon,
            conjugate=lambda t: -0.5 * _namespace(t).log(2 - _exp(2 * t)),
            optimal=lambda u: 0.5 * (math.log(2) - _softplus(-u)),
            variation=lambda u: 0.5 * (math.log(2) - _softplus(u)),
            activation=lambda v: 0.5 * (math.log(2) - _softplus(-v)),
            name="Jensen-Shannon",
        ),
        "gan": Divergence(
            perspective=lambda p, q, u: -_times(p, _softplus(-u)) - _times(q, _softplus(u)),
            conjugate=lambda t: -_namespace(t).log(-_expm1(t)),
            optimal=lambda u: -_softplus(-u),
            variation=lambda u: -_softplus(u),
            activation=lambda v: -_softplus(-v),
            name="2 JSD - log 4",
        ),
        "kl_to_mixture": Divergence(
            perspective=lambda p, q, u: _times(p, math.log(2) - _softplus(-u)),
            conjugate=_tree,
            optimal=lambda u: math.log(2) - _softplus(-u) + _sigmoid(-u),
            variation=lambda u: -_sigmoid(u),
            activation=lambda v: math.log(2) - _softplus(-v),
            name="KL(p || (p + q) / 2)",
        ),
        "pearson": Divergence(
            perspective=lambda p, q, u: _times(abs(p - q), abs(_expm1(u))),
            conjugate=lambda t: t**2 / 4 + t,
            optimal=lambda u: 2 * _expm1(u),
            variation=lambda u: -_expm1(2 * u),
            activation=_itself,
            name="Pearson chi2",
        ),
        "neyman": Divergence(
            perspective=lambda p, q, u: _times(abs(p - q), abs(_expm1(-u))),
            conjugate=lambda t: 2 - 2 * _namespace(t).sqrt(1 - t),
            optimal=lambda u: -_expm1(-2 * u),
            variation=lambda u: 2 * _expm1(-u),
            activation=lambda v: -_expm1(-v),
            name="Neyman chi2",
        ),
        "triangular": Divergence(
            perspective=lambda p, q, u: _times(abs(p - q), abs(_namespace(u).tanh(u / 2))),
            conjugate=_triangular_conjugate,
            optimal=lambda u: 1 - 4 * _sigmoid(-u) ** 2,
            variation=lambda u: (2 * _sigmoid(-u) - 1) * (3 - 2 * _sigmoid(-u)),
            activation=lambda v: -_expm1(-v),
            name="triangular",
        ),
        "squared_hellinger": Divergence(
            perspective=lambda p, q, u: (_namespace(p).sqrt(p) - _namespace(q).sqrt(q)) ** 2,
            conjugate=lambda t: t / (1 - t),
            optimal=lambda u: -_expm1(-u / 2),
            variation=lambda u: -_expm1(u / 2),
            activation=lambda v: -_expm1(-v),
            name="squared Hellinger",
        ),
        "total_variation": Divergence(
            perspective=lambda p, q, u: 0.5 * abs(p - q),
            conjugate=lambda t: _namespace(t).where(abs(t) <= 0.5, t, math.inf),
            optimal=lambda u: 0.5 * _namespace(u).sign(u),
            variation=lambda u: -0.5 * _namespace(u).sign(u),
            activation=lambda v: 0.5 * _namespace(v).tanh(v),
            name="total variation",
        ),
    },
)
"""The f-divergences by name.

Conventions: "jensen_shannon" is the usual one, at most log 2, half of the paper's; "gan" is the value of the minimax
game at D*; "total_variation" is `int |p - q| / 2`; "triangular" is `int (p - q)^2 / (p + q)` (Vincze; Le Cam), which is
Pearson's chi2 between p + q and 2 q; "kl_to_mixture" is Lin's K (1991). Beyond the range of f' the conjugates go on by
their formula, as in the paper: larger than the supremum over r >= 0, so `variational_bound` stays a bound.

Source: Nowozin et al. 2016, tables 1 and 2 and the longer tables of its supplement. Its two families with a parameter,
the weighted Jensen-Shannon and the alpha-divergences, are left out, being no single rows: alpha = -1, 0, 1/2, 1 and 2
are, up to a factor, Neyman, reverse KL, squared Hellinger, KL and Pearson, and weight 1/2 is Jensen-Shannon.
"""


def divergence(kind: str, log_p: Values, log_q: Values, weights: Values) -> Scalar:
    """Integrate an f-divergence of p from q on a grid.

    Args:
        kind: name in `DIVERGENCES`.
        log_p, log_q: log densities at the n points of a `quadrature`, in nats, shape (n,); -inf where there is none.
        weights: of the quadrature, shape (n,).

    Returns:
        A scalar, in nats for the entropic ones; infinite where the definition says so.

    >>> from gan_jax.theory import quadrature
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


def first_variation(kind: str, log_ratio: Ratios) -> Ratios:
    """What one sample at x pays in `D_f(p || q)`: `f(r) - r f'(r) = -f*(f'(r))`, with r = p / q = e^u.

    It is the derivative of the divergence when q gains a little mass at x: `dD_f / dq(x)`. A generator that descends
    D_f moves its samples to where it is smaller.

    Args:
        kind: name in `DIVERGENCES`.
        log_ratio: u = log p - log q, an array of any shape or a number.

    Returns:
        An array of the shape of `log_ratio`; falls as u grows.

    Source: Nowozin et al. 2016, section 2.2: the term `-f*(T)` of equation 4 at the best T.

    >>> first_variation("kl", np.array([0.0, np.log(2.0)])).tolist()  # -r
    [-1.0, -2.0]
    """
    _, (u,) = _arrays(log_ratio)
    return DIVERGENCES[kind].variation(u)
