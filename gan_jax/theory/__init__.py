"""Densities, samples, a loss or a small game come in; theory answers: D*, divergences, distances, eigenvalues.

This room is the oracle: tests, plots and exercises compare with it.
"""

from .discriminators import optimal_discriminator, optimal_logit, value
from .divergences import DIVERGENCES, Divergence, divergence, first_variation, variational_bound
from .fits import Fit, best_gaussian, gaussian_fits
from .games import (
    UPDATES,
    Game,
    Rule,
    bilinear,
    consensus,
    dirac_gan,
    eigenvalues,
    equilibrium,
    field,
    jacobian,
    play,
    spectral_radius,
)
from .gaussians import frechet_distance, gaussian_kl, gaussian_mmd, gaussian_w1
from .grids import Quadrature, quadrature
from .kernels import mmd_density, mmd_witness
from .matrix_games import Saddle, saddle
from .numerical import double_precision, numerical_output
from .objectives import (
    Descent,
    Term,
    driven_by,
    least_squares_criterion,
    least_squares_descent,
    optimal_output,
)
from .transport import (
    Transport,
    kantorovich,
    kantorovich_potential,
    transport_plan,
    wasserstein,
    wasserstein1_density,
    wasserstein_line,
)

__all__ = [
    "DIVERGENCES",
    "UPDATES",
    "Descent",
    "Divergence",
    "Fit",
    "Game",
    "Quadrature",
    "Rule",
    "Saddle",
    "Term",
    "Transport",
    "best_gaussian",
    "bilinear",
    "consensus",
    "dirac_gan",
    "divergence",
    "double_precision",
    "driven_by",
    "eigenvalues",
    "equilibrium",
    "field",
    "first_variation",
    "frechet_distance",
    "gaussian_fits",
    "gaussian_kl",
    "gaussian_mmd",
    "gaussian_w1",
    "jacobian",
    "kantorovich",
    "kantorovich_potential",
    "least_squares_criterion",
    "least_squares_descent",
    "mmd_density",
    "mmd_witness",
    "numerical_output",
    "optimal_discriminator",
    "optimal_logit",
    "optimal_output",
    "play",
    "quadrature",
    "saddle",
    "spectral_radius",
    "transport_plan",
    "value",
    "variational_bound",
    "wasserstein",
    "wasserstein1_density",
    "wasserstein_line",
]
