"""Constraints on a critic come in; what share of the exact Wasserstein distance it finds goes out, over seeds."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from ... import theory
from ...errors import check_count
from ...train import critics
from .comparison import Comparison

POINTS, STEPS = 128, 2000


class Holding(NamedTuple):
    """A constraint at one strength.

    Attributes:
        constraint: name in `critics.CONSTRAINTS`.
        strength: None where it has none.
    """

    constraint: str
    strength: float | None

    def __str__(self) -> str:
        rule = critics.CONSTRAINTS[self.constraint]
        return rule.words if self.strength is None else f"{rule.words}, {rule.dial.split()[-1]} = {self.strength:g}"


def holdings() -> tuple[Holding, ...]:
    """The constraints and strengths that are compared."""
    return (
        *(Holding("clipping", c) for c in (0.01, 0.1, 1.0)),
        *(Holding("gradient_penalty", weight) for weight in (1.0, 10.0, 100.0)),
        Holding("one_sided", 10.0),
        Holding("spectral", None),
    )


def measure(
    holding: Holding, clouds: str, seeds: int, *, points: int = POINTS, steps: int = STEPS
) -> dict[str, np.ndarray]:
    """Train a critic from each seed, on clouds that are drawn anew from it, and compare it with the exact distance.

    Args:
        holding: constraint and strength.
        clouds: name in `critics.CLOUDS`.
        seeds: 0, 1, ... so many.
        points: in each cloud.
        steps: of training.

    Returns:
        Shape (seeds,) each: "estimate / exact", "guaranteed / exact" (the estimate over the critic's steepness, which
        is never more than 1) and "steepness".
    """
    check_count(seeds, "seeds")
    found = [_one(holding, clouds, seed, points, steps) for seed in range(seeds)]
    names = ("estimate / exact", "guaranteed / exact", "steepness")
    return {name: np.array(column) for name, column in zip(names, zip(*found, strict=True), strict=True)}


def _one(holding: Holding, clouds: str, seed: int, points: int, steps: int) -> tuple[float, float, float]:
    cloud_key, weights_key = jax.random.split(jax.random.key(seed))
    real, fake = critics.CLOUDS[clouds].draw(cloud_key, points)
    exact = theory.wasserstein(real, fake, order=1)
    begun = critics.begin(holding.constraint, weights_key)
    trained, _ = critics.settle(begun, real, fake, strength=holding.strength, steps=steps)
    told, steepness = (float(part(trained, real, fake)) for part in (critics.estimate, critics.steepness))
    return told / exact, told / steepness / exact, steepness


def compare(seeds: int, made: dict[str, str], names: Sequence[str] | None = None) -> Comparison:
    """Measure every holding on every pair of clouds."""
    rows = {
        f"{critics.CLOUDS[clouds].words}: {holding}": {
            name: values.tolist() for name, values in measure(holding, clouds, seeds).items()
        }
        for clouds in (names or critics.CLOUDS)
        for holding in holdings()
    }
    settings = {
        "clouds": f"{POINTS} points each, drawn anew for each seed",
        "critic": f"2-{'-'.join(map(str, critics.HIDDEN))}-1, relu",
        "training": f"Adam, {STEPS:,} steps on all points, rate 0.002, in the last quarter 0.0002",
        "seeds": f"{seeds}",
        "exact": "W1 of the two clouds, by assignment",
    }
    perfect = {"estimate / exact": (1.0, 0.0), "guaranteed / exact": (1.0, 0.0)}
    return Comparison("clouds", settings, perfect, rows, made)
