"""A trained state and its target come in; samples of it, and scores of them, go out."""

from typing import Any

import jax
import numpy as np

from .. import metrics
from ..data import Dataset, Target
from ..metrics import Scorecard
from ..train import State
from .settings import Settings

LATENTS = 0
"""Seed of the latents of a run's pictures: the same for all runs and all steps, so that pictures can be compared."""

SCORED = 0x5C02E
"""Folded with the run's seed, it gives the key of the samples that are scored."""

REFERENCE = 5000
"""Real images, at most, that samples are compared with while a run trains."""

ROWS = 8
"""Rows of a sheet of samples."""


def draw(
    state: State,
    settings: Settings,
    seed: int,
    *,
    n: int | None = None,
    averaged: bool = False,
    label: int | None = None,
) -> tuple[np.ndarray, int]:
    """Draw samples to look at; where the generator is told labels, each column of the sheet has its own.

    Returns:
        The samples, and how many stand in a row.
    """
    plane = len(settings.shape) == 1
    classes = state.gan.classes if hasattr(state.gan, "classes") else 0
    columns = classes or ROWS
    n = (1000 if plane else ROWS * columns) if n is None else n
    key = jax.random.key(seed)
    more: dict[str, Any] = {"averaged": averaged}
    if classes:
        more["labels"] = np.arange(n, dtype=np.int32) % classes if label is None else np.full(n, label, np.int32)
    return np.asarray(state.sample(key, n, **more)), columns


class Scores:
    """What a run is scored by while it trains: a few scores of few samples, always from the same latents.

    Args:
        target: the data.
        n: samples a score.
    """

    def __init__(self, target: Target, n: int):
        self.target, self.n = target, n
        self.names = metrics.suitable(target)
        if isinstance(target, Dataset):
            self.embed = metrics.features(target)
            chosen = np.random.default_rng(0).permutation(len(target))[:REFERENCE]
            self.real = self.embed((2.0 * np.asarray(target.images[chosen], np.float32) - target.peak) / target.peak)
            self.names = [f"{name} ({self.embed.name})" for name in ("Frechet distance", "precision", "recall")]

    def __call__(self, state: State) -> dict[str, float]:
        """Score a state: a change of a score is a change of the generator."""
        samples = state.sample(jax.random.key(SCORED), self.n)
        if not isinstance(self.target, Dataset):
            return {name: float(metrics.METRICS[name](samples, self.target)) for name in self.names}
        if not np.isfinite(samples).all():
            return {}
        fake = self.embed(np.asarray(samples).reshape(self.n, *self.target.image_shape))
        found = (metrics.frechet_distance(fake, self.real), *metrics.precision_recall(fake, self.real))
        return dict(zip(self.names, map(float, found), strict=True))


def scorecard(state: State, target: Target, n: int, *, seed: int = SCORED, averaged: bool = False) -> Scorecard:
    """Score n samples, each score beside what as many real samples get; of images, at most half of the data set."""
    samples = state.sample(jax.random.key(seed), n, averaged=averaged)
    return (
        metrics.image_scorecard(samples, target) if isinstance(target, Dataset) else metrics.scorecard(samples, target)
    )
