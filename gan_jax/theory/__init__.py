"""Densities, samples, a loss or a small game come in; theory answers: D*, divergences, distances, eigenvalues.

This room is the oracle: tests, plots and exercises compare with it.
"""

from .discriminators import optimal_discriminator, optimal_logit, value
from .divergences import DIVERGENCES, Divergence, divergence, first_variation, variational_bound
from .fits import Fit, best_gaussian, gaussian_fits
from .games import Game, bilinear, consensus, field, jacobian, quadratic
from .gan_games import dirac_gan, equilibrium, sampled_game
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
from .paths import AVERAGES, Averaged, play
from .spectra import eigenvalues, leading_eigenvalues, spectral_radius, update_eigenvalues
from .transport import (
    Transport,
    kantorovich,
    kantorovich_potential,
    transport_plan,
    wasserstein,
    wasserstein1_density,
    wasserstein_line,
)
from .updates import UPDATES, Rule, lookahead, unrolled

__all__ = [
    "AVERAGES",
    "DIVERGENCES",
    "UPDATES",
    "Averaged",
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
    "leading_eigenvalues",
    "least_squares_criterion",
    "least_squares_descent",
    "lookahead",
    "mmd_density",
    "mmd_witness",
    "numerical_output",
    "optimal_discriminator",
    "optimal_logit",
    "optimal_output",
    "play",
    "quadratic",
    "quadrature",
    "saddle",
    "sampled_game",
    "spectral_radius",
    "transport_plan",
    "unrolled",
    "update_eigenvalues",
    "value",
    "variational_bound",
    "wasserstein",
    "wasserstein1_density",
    "wasserstein_line",
]
