"""Two densities on a grid come in; their maximum mean discrepancy (MMD), and the function that shows it, go out."""

import numpy as np
from jaxtyping import Float

from .grids import Number, Quadrature, Values


def _difference(log_p: Values, log_q: Values, grid: Quadrature) -> np.ndarray:
    """Mass of p less mass of q in every cell."""
    return grid.weights * (np.exp(np.asarray(log_p, np.float64)) - np.exp(np.asarray(log_q, np.float64)))


def mmd_witness(log_p: Values, log_q: Values, grid: Quadrature, bandwidth: Number) -> Float[np.ndarray, " n"]:
    """Where p outweighs q, seen through a Gaussian kernel: `w(x) = E_p k(x, y) - E_q k(x, y)`.

    Among the functions of norm 1 in the kernel's space, `w / |w|` tells p from q best: `E_p - E_q` of it is the MMD.
    It does for MMD what the critic does for W_1 and D's logit for JSD, and needs no training.

    Args:
        log_p, log_q: log densities at the n points of the grid, shape (n,).
        grid: a `quadrature` of the line or the plane.
        bandwidth: b in `k(x, y) = exp(-|x - y|^2 / (2 b^2))`, in the units of x.

    Returns:
        The witness at the points of the grid, shape (n,), float64. The time grows like n^2.

    Raises:
        ValueError: the bandwidth is not above 0.

    Source: Gretton et al. 2012, section 2.3 (the witness function).

    >>> grid = Quadrature(np.array([[0.0], [1.0]]), np.ones(2))
    >>> mmd_witness(np.array([0.0, -np.inf]), np.array([-np.inf, 0.0]), grid, 1.0).round(6).tolist()  # 1 - e^-1/2
    [0.393469, -0.393469]
    """
    if not bandwidth > 0:
        raise ValueError(f"bandwidth must be above 0, got {bandwidth}")
    mass, squares = _difference(log_p, log_q, grid), np.sum(grid.points**2, axis=1)
    witness = np.empty(len(mass))
    for start in range(0, len(mass), 512):  # rows by the block: n * n numbers at once would fill the memory
        block = slice(start, start + 512)
        squared = squares[block, None] + squares[None, :] - 2 * grid.points[block] @ grid.points.T
        witness[block] = np.exp(-np.maximum(squared, 0) / (2 * bandwidth**2)) @ mass
    return witness


def mmd_density(log_p: Values, log_q: Values, grid: Quadrature, bandwidth: Number) -> float:
    """Squared MMD of two densities under the Gaussian kernel: `E_p w - E_q w` with w the `mmd_witness`.

    Arguments, errors and source as there; for round Gaussians `gaussian_mmd` is the closed form.

    >>> grid = Quadrature(np.array([[0.0], [1.0]]), np.ones(2))
    >>> mass = np.array([0.0, -np.inf])
    >>> round(mmd_density(mass, mass[::-1], grid, 1.0), 6)  # 2 - 2 e^-1/2
    0.786939
    """
    return float(_difference(log_p, log_q, grid) @ mmd_witness(log_p, log_q, grid, bandwidth))
