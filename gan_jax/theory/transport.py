"""Two samples, histograms or densities come in; the cheapest transport, its cost and its best critic go out."""

from typing import Any, NamedTuple

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


def _check_line(grid: Quadrature) -> None:
    if grid.points.shape[1] != 1:
        raise ValueError(f"expected a grid of the line, got one of {grid.points.shape[1]} dimensions; use wasserstein")


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
    _check_line(grid)
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


class Transport(NamedTuple):
    """The cheapest way to carry one histogram into another, and the proof that none is cheaper.

    Attributes:
        plan: how much mass goes from bin i to bin j, shape (n, m).
        potential_a: what a unit of mass is worth at each source, `phi`, shape (n,).
        potential_b: and at each destination, `psi`, shape (m,), with `phi_i + psi_j <= cost_ij` everywhere.
        value: the cost of the plan, `sum plan * cost`, which is also `a . phi + b . psi`.
    """

    plan: Float[np.ndarray, "n m"]
    potential_a: Float[np.ndarray, " n"]
    potential_b: Float[np.ndarray, " m"]
    value: float


def kantorovich(
    cost: Float[Array | np.ndarray, "n m"], a: Float[Array | np.ndarray, " n"], b: Float[Array | np.ndarray, " m"]
) -> Transport:
    """Carry histogram a into histogram b at least cost, by linear programming, primal and dual.

    Primal: the least `sum_ij plan_ij cost_ij` with `plan >= 0`, row sums a and column sums b. Dual: the most
    `a . phi + b . psi` with `phi_i + psi_j <= cost_ij`.

    Both have the same value, and `plan_ij > 0` only where `phi_i + psi_j = cost_ij`. When the cost is the distance of
    bins on one grid, `psi = -phi` and phi is 1-Lipschitz: the critic of a Wasserstein GAN.

    Args:
        cost: cost of carrying a unit of mass from bin i to bin j, shape (n, m).
        a: mass of each source, not negative, shape (n,).
        b: mass of each destination, the same in all, shape (m,).

    Returns:
        A `Transport`. The potentials' free constant makes phi 0 in the mean, each source counting by its mass.

    Raises:
        ValueError: negative or unequal masses, a number that is not finite.

    Source: Peyré and Cuturi 2019, "Computational Optimal Transport", sections 2.3 and 2.5.

    >>> x = np.arange(3.0)
    >>> found = kantorovich(abs(x[:, None] - x), np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5]))
    >>> found.value, (found.potential_a[0] - found.potential_a[2]).tolist()
    (1.0, 2.0)
    """
    from scipy.optimize import linprog
    from scipy.sparse import eye_array, kron, vstack

    c, a, b = _finite(cost, "cost"), _finite(a, "a"), _finite(b, "b")
    n, m = c.shape
    if min(a.min(), b.min()) < 0 or not np.isclose(a.sum(), b.sum(), rtol=1e-9) or a.sum() == 0:
        raise ValueError(
            f"a and b must be masses, not negative and equal in all; got sums {a.sum()} and {b.sum()}, "
            f"least {min(a.min(), b.min())}; divide each by its sum"
        )
    spare = int(np.argmax(b))  # one sum follows from all others; asking for it too could contradict them by a rounding
    needed = np.delete(np.arange(n + m), n + spare)
    sums = vstack([kron(eye_array(n), np.ones((1, m))), kron(np.ones((1, n)), eye_array(m))]).tocsr()
    found = linprog(
        c.ravel(),
        A_eq=sums[needed],
        b_eq=np.concatenate([a, b])[needed],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if found.status != 0:
        raise ValueError(f"the linear program was not solved: {found.message}")
    # as large as the cost allows, also at bins without mass, where the program leaves the potentials loose
    psi = np.min(c - found.eqlin.marginals[:n, None], axis=0)
    phi = np.min(c - psi, axis=1)
    psi = np.min(c - phi[:, None], axis=0)
    shift = a @ phi / a.sum()
    plan = np.maximum(found.x, 0).reshape(n, m)
    return Transport(plan, phi - shift, psi + shift, float(np.sum(plan * c)))


def kantorovich_potential(log_p: Values, log_q: Values, grid: Quadrature) -> Float[np.ndarray, " n"]:
    """The best 1-Lipschitz critic of two densities on the line: the f that makes `E_p f - E_q f` equal to W_1.

    By parts `E_p f - E_q f = int f'(x) (G(x) - F(x)) dx` with F, G the distribution functions of p, q; with a slope
    from -1 to 1 it is largest, `int |F - G| dx = W_1`, at `f'(x) = sign(G(x) - F(x))`.

    Args:
        log_p, log_q: log densities at the n points of the grid, shape (n,).
        grid: a `quadrature` of the line, wide enough to hold both.

    Returns:
        f at the points of the grid, float64, shape (n,), 0 in the mean under (p + q) / 2. Where F = G to rounding, as
        far out, any slope serves and 0 is taken.

    Raises:
        ValueError: the grid is not of the line.

    Source: Villani 2009, "Optimal Transport: Old and New", theorem 5.10 and remark 6.5 (Kantorovich and Rubinstein);
    Arjovsky et al. 2017, equation 2.

    >>> from gan_jax.theory import quadrature
    >>> grid = quadrature((-9.0, 10.0))
    >>> x = grid.points[:, 0]
    >>> log_p, log_q = (-((x - mean) ** 2) / 2 - 0.5 * np.log(2 * np.pi) for mean in (0, 1))
    >>> f = kantorovich_potential(log_p, log_q, grid)  # falls with slope -1 from real to fake
    >>> round(float(np.sum(grid.weights * (np.exp(log_p) - np.exp(log_q)) * f)), 6)
    1.0
    """
    _check_line(grid)
    p, q = (grid.weights * np.exp(np.asarray(log, np.float64)) for log in (log_p, log_q))
    gap = np.cumsum(q - p)[:-1]  # G - F at the edge between each point and the next
    slope = np.where(abs(gap) > 1e-12, np.sign(gap), 0.0)
    f = np.concatenate([[0.0], np.cumsum(slope * np.diff(grid.points[:, 0]))])
    return f - np.sum((p + q) * f) / np.sum(p + q)
