"""Densities, samples or a small game come in; theory answers: D*, divergences, distances, eigenvalues.

This room is the oracle: tests, plots and exercises compare with it.
"""

from .divergences import (
    DIVERGENCES,
    Divergence,
    Quadrature,
    divergence,
    optimal_discriminator,
    optimal_logit,
    quadrature,
    value,
    variational_bound,
)
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
from .transport import transport_plan, wasserstein, wasserstein1_density, wasserstein_line

__all__ = [
    "DIVERGENCES",
    "UPDATES",
    "Divergence",
    "Game",
    "Quadrature",
    "Rule",
    "bilinear",
    "consensus",
    "dirac_gan",
    "divergence",
    "eigenvalues",
    "equilibrium",
    "field",
    "frechet_distance",
    "gaussian_kl",
    "gaussian_mmd",
    "gaussian_w1",
    "jacobian",
    "optimal_discriminator",
    "optimal_logit",
    "play",
    "quadrature",
    "spectral_radius",
    "transport_plan",
    "value",
    "variational_bound",
    "wasserstein",
    "wasserstein1_density",
    "wasserstein_line",
]
