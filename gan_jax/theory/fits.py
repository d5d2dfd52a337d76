"""A target density on a grid comes in; the single Gaussian that a perfect game would settle on goes out."""

import itertools
import math
from typing import NamedTuple

import numpy as np

from .divergences import DIVERGENCES
from .grids import Quadrature, Values


class Fit(NamedTuple):
    """A Gaussian q on the line that no small change of mean or width improves.

    Attributes:
        mean, scale: its mean and standard deviation, in the units of x.
        divergence: `D_f(p || q)` there.
    """

    mean: float
    scale: float
    divergence: float


def _log_bell(x: np.ndarray, mean: float, scale: float) -> np.ndarray:
    return -0.5 * ((x - mean) / scale) ** 2 - math.log(scale * math.sqrt(2 * math.pi))


def _starts(x: np.ndarray, p: np.ndarray) -> list[tuple[float, float]]:
    """The whole target's mean and spread, each mode's with the mass between its valleys, and each two neighbours'."""
    valleys = 1 + np.nonzero((p[1:-1] < p[:-2]) & (p[1:-1] <= p[2:]))[0]
    cuts = [0, *valleys, len(x)]
    pieces = [(0, len(x)), *itertools.pairwise(cuts), *zip(cuts, cuts[2:], strict=False)]

    def moments(low, high):
        mass = p[low:high] / np.sum(p[low:high])
        mean = mass @ x[low:high]
        return mean, math.sqrt(mass @ (x[low:high] - mean) ** 2)

    return [moments(low, high) for low, high in pieces if np.sum(p[low:high]) > 1e-3 * np.sum(p)]


def gaussian_fits(kind: str, log_p: Values, grid: Quadrature) -> list[Fit]:
    """Every locally best Gaussian found from several starts: minima of `D_f(p || q)` over q's mean and width.

    Each start is the moments of the whole target, of one of its modes, or of two neighbouring ones; from there BFGS
    goes down, with the exact gradient `int (dq / dtheta) (f(r) - r f'(r)) dx` in the mean and the logarithm of scale.
    A divergence that is infinite for Gaussians with wider tails than p's ("neyman": more than twice the variance) may
    be least just short of that; such a fit depends on how far the grid reaches.

    Args:
        kind: name in `DIVERGENCES`, with p the target and q the Gaussian.
        log_p: log density of the target at the n points of the grid, shape (n,).
        grid: a `quadrature` of the line that holds the target, and each Gaussian to 4 standard deviations; to 6, for
            six digits.

    Returns:
        The fits, best first, and from left to right among equals.

    Raises:
        ValueError: the grid is not of the line, p has less than 0.999 or more than 1.001 of its mass on it, or
            the best fit does not lie on it.

    >>> from gan_jax.theory import quadrature
    >>> grid = quadrature((-10.0, 10.0), 400)
    >>> x = grid.points[:, 0]
    >>> two_modes = np.logaddexp(-((x - 2) ** 2) * 8, -((x + 2) ** 2) * 8) + 0.5 * np.log(2 / np.pi)
    >>> [(round(fit.mean), round(fit.scale, 2)) for fit in gaussian_fits("reverse_kl", two_modes, grid)]
    [(-2, 0.25), (2, 0.25), (0, 1.63)]
    """
    if grid.points.shape[1] != 1:
        raise ValueError(f"a Gaussian is fitted on the line; this grid has {grid.points.shape[1]} dimensions")
    from scipy.optimize import minimize

    x, log_p = grid.points[:, 0], np.asarray(log_p, np.float64)
    p = np.exp(log_p)
    if abs(grid.weights @ p - 1) > 1e-3:
        raise ValueError(f"log_p has mass {grid.weights @ p:.4g} on this grid, where 1 is expected: widen the bounds")
    row, left, right = DIVERGENCES[kind], x[0], x[-1]

    def fits_on_grid(mean, scale):
        return left < mean - 4 * scale and mean + 4 * scale < right and scale > grid.weights[0]

    def objective(theta):
        mean, scale = theta[0], math.exp(min(theta[1], 50.0))
        if not fits_on_grid(mean, scale):
            return math.inf, np.zeros(2)  # such a q would hide mass beyond the grid, or between two points
        log_q = _log_bell(x, mean, scale)
        q, u, z = np.exp(log_q), log_p - log_q, (x - mean) / scale
        with np.errstate(over="ignore", invalid="ignore"):
            pays = np.where(q > 0, grid.weights * q * row.variation(u), 0.0)
            total = np.sum(grid.weights * row.perspective(p, q, u))
            gradient = np.array([np.sum(pays * z) / scale, np.sum(pays * (z**2 - 1))])
        if abs(total) + np.sum(abs(gradient)) < 1e100:
            return total, gradient
        return math.inf, np.zeros(2)

    fits: list[Fit] = []
    beyond = math.inf  # the least that the edge of the grid has stopped short of its minimum
    for mean, scale in _starts(x, p):
        start = [mean + 0.01 * scale, math.log(scale)]  # off an axis of symmetry, on which a saddle would hold it
        with np.errstate(invalid="ignore"):  # inf - inf in a line search that meets the edge
            found = minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-9})
        if np.max(abs(found.jac)) > 1e-6:  # kinks, as of total variation, stop BFGS early
            options = {"xatol": 1e-7, "fatol": 1e-13}
            found = minimize(lambda theta: objective(theta)[0], found.x, method="Nelder-Mead", options=options)
        if not math.isfinite(found.fun):
            continue
        fit = Fit(float(found.x[0]), math.exp(found.x[1]), float(found.fun))
        known = any(abs(fit.mean - old.mean) + abs(fit.scale - old.scale) < 0.02 * fit.scale for old in fits)
        if not fits_on_grid(fit.mean, 1.01 * fit.scale):
            beyond = min(beyond, fit.divergence)
        elif not known:
            fits.append(fit)
    if beyond < min((fit.divergence for fit in fits), default=math.inf) or not fits:
        raise ValueError(f"no Gaussian of least {row.name} lies on this grid: widen its bounds")
    return sorted(fits, key=lambda fit: (round(fit.divergence, 9), fit.mean))


def best_gaussian(kind: str, log_p: Values, grid: Quadrature) -> tuple[float, float]:
    """The Gaussian q that minimises `D_f(p || q)`: what one bell of a generator becomes in a game played perfectly.

    For "kl" it has the target's own mean and standard deviation (mass-covering). "reverse_kl" and "neyman" punish q
    for mass where p has none; once the modes lie far apart they take one and leave the others (mode-seeking), and then
    every mode is a local optimum: this is the best of them, the leftmost among equals. `gaussian_fits` lists them all.

    Args and errors as in `gaussian_fits`.

    Returns:
        (mean, scale), in the units of x; to about 1e-6, but for "total_variation", whose kinks the grid feels, only to
        about a hundredth of the scale on 2,000 points.

    Source: Bishop 2006, sections 10.1.2 and 10.7 (which way covers, and why moments); Nowozin et al. 2016, table 3.

    >>> from gan_jax.theory import quadrature
    >>> grid = quadrature((-14.0, 14.0), 400)
    >>> x = grid.points[:, 0]
    >>> log_p = np.logaddexp(-((x - 2) ** 2) / 2, -((x + 2) ** 2) / 2) - 0.5 * np.log(8 * np.pi)
    >>> [round(number, 5) for number in best_gaussian("kl", log_p, grid)]  # variance 1 + 2^2
    [0.0, 2.23607]
    """
    best = gaussian_fits(kind, log_p, grid)[0]
    return best.mean, best.scale
