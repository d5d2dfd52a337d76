"""Ways to hold a discriminator's slope come in; what they score over seeds, at equal budget, goes out.

    python -m gan_jax.protocols.lipschitz digits     # whole GANs on the digits, each with the same number of updates
    python -m gan_jax.protocols.lipschitz clouds     # critics alone, beside exact optimal transport

What both scored here is stored: `stored("digits")`, `stored("clouds")`.
"""

from .clouds import Holding, holdings, measure
from .comparison import EXPERIMENTS, Comparison, read, stored, write
from .digits import METHODS, UPDATES, Method, train_all

__all__ = [
    "EXPERIMENTS",
    "METHODS",
    "UPDATES",
    "Comparison",
    "Holding",
    "Method",
    "holdings",
    "measure",
    "read",
    "stored",
    "train_all",
    "write",
]
