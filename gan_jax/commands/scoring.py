"""A trained state and its target come in; samples of it, and scores of them, go out."""

import jax
import numpy as np

from .. import metrics
from ..data import Dataset, Target
from ..metrics import Scorecard
from ..train import State
from .faults import WrongCall

LATENTS = 0
"""Seed of the latents of a run's pictures: the same for all runs and all steps, so that pictures can be compared."""

SCORED = 0x5C02E
"""Folded with the run's seed, it gives the key of the samples that are scored."""

REFERENCE = 5000
"""Real images, at most, that samples are compared with while a run trains."""

FEATURES = 64
"""Numbers that `metrics.features` gives of an image; a covariance of them takes one sample more."""

ROWS = 8
"""Rows of a sheet of samples."""


def draw(
    state: State, plane: bool, seed: int, *, n: int | None = None, averaged: bool = False, label: int | None = None
) -> tuple[np.ndarray, int]:
    """Draw samples to look at.

    Where the generator is told labels, or a category of its code, each column of the sheet has its own, and each row
    has in common what else the latent holds.

    Args:
        state: of the generator.
        plane: whether samples are points, of which more are needed to see anything.
        seed: of the latents.
        n: how many; enough for a sheet when left out.
        averaged: with the running average of G's weights.
        label: one for all columns.

    Returns:
        The samples, and how many stand in a row.

    Raises:
        WrongCall: a label that there is not, or of a generator that is told none.
    """
    gan = state.gan
    categories = gan.auxiliary.categories if gan.auxiliary else 0
    kinds = gan.classes or categories
    columns = kinds or ROWS
    n = (1000 if plane else ROWS * columns) if n is None else n
    rows = -(-n // columns)
    key = jax.random.key(seed)
    if not kinds and label is not None:
        raise WrongCall(
            "--label needs a generator that is told labels, and this one is not; leave it out, or train one with "
            "--set labels=concatenate"
        )
    if not kinds:
        return np.asarray(state.sample(key, n, averaged=averaged)), columns
    if label is not None and not 0 <= label < kinds:
        raise WrongCall(f"--label must be from 0 to {kinds - 1}, got {label}")
    z = np.repeat(np.asarray(gan.noise(key, rows)), columns, axis=0)[:n]
    chosen = np.arange(n, dtype=np.int32) % columns if label is None else np.full(n, label, np.int32)
    if label is not None:
        z = np.array(gan.noise(key, n))
    if categories:
        place = z.shape[1] - gan.code
        z[:, place : place + categories] = np.eye(categories, dtype=z.dtype)[chosen]
    generator = state.averaged_generator if averaged else state.generator
    return np.asarray(_made(generator, z, chosen if gan.classes else None)), columns


_made = jax.jit(lambda generator, z, labels: generator(z) if labels is None else generator(z, labels))


class Scores:
    """What a run is scored by while it trains: a few scores of few samples, always from the same latents.

    Args:
        target: the data.
        n: samples a score; 0 for no scores.
    """

    def __init__(self, target: Target, n: int):
        check_scored(target, n)
        self.target, self.n = target, n
        self.names = metrics.suitable(target) if n else []
        if n and isinstance(target, Dataset):
            self.embed = metrics.features(target)
            chosen = np.random.default_rng(0).permutation(len(target))[:REFERENCE]
            self.real = self.embed((2.0 * np.asarray(target.images[chosen], np.float32) - target.peak) / target.peak)
            # columns of a CSV file, so plain ASCII: the scorecard shows Fréchet
            self.names = [f"{name} ({self.embed.name})" for name in ("Frechet distance", "precision", "recall")]

    def __call__(self, state: State) -> dict[str, float]:
        """Score a state: a change of a score is a change of the generator."""
        if not self.n:
            return {}
        samples = np.asarray(state.sample(jax.random.key(SCORED), self.n))  # a state on a mesh gives samples on it
        if not isinstance(self.target, Dataset):
            return {name: float(metrics.METRICS[name](samples, self.target)) for name in self.names}
        if not np.isfinite(samples).all():
            return {}
        fake = self.embed(samples.reshape(self.n, *self.target.image_shape))
        found = (metrics.frechet_distance(fake, self.real), *metrics.precision_recall(fake, self.real))
        return dict(zip(self.names, map(float, found), strict=True))


def check_scored(target: Target, n: int) -> None:
    """Raise unless a score can be taken of n samples, before anything is trained for it; 0 asks for no scores.

    Raises:
        WrongCall: too few; the message says how many are needed.
    """
    images = isinstance(target, Dataset)
    if 0 < n < (least := FEATURES + 1 if images else 2):
        why = "a Fréchet distance" if images else "a distance"
        raise WrongCall(f"{n} are too few samples for {why}; take at least {least}, better 1,000")


def scorecard(state: State, target: Target, n: int, *, seed: int = SCORED, averaged: bool = False) -> Scorecard:
    """Score n samples, each score beside what as many real samples get; of images, at most half of the data set."""
    check_scored(target, n)
    samples = state.sample(jax.random.key(seed), n, averaged=averaged)
    return (
        metrics.image_scorecard(samples, target) if isinstance(target, Dataset) else metrics.scorecard(samples, target)
    )
