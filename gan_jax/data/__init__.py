"""A name comes in, a target goes out: a distribution with a density, or a set of real images, with `sample(key, n)`."""

from .distributions import (
    TARGETS,
    Checkerboard,
    Curve,
    Mixture,
    Target,
    bounds,
    checkerboard,
    circle,
    gaussian,
    grid,
    line,
    mixture,
    ring,
    spiral,
    swiss_roll,
    two_moons,
)

__all__ = [
    "TARGETS",
    "Checkerboard",
    "Curve",
    "Mixture",
    "Target",
    "bounds",
    "checkerboard",
    "circle",
    "gaussian",
    "grid",
    "line",
    "mixture",
    "ring",
    "spiral",
    "swiss_roll",
    "two_moons",
]
