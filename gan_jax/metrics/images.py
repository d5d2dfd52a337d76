"""Samples and a data set come in; a scorecard of the scores for images, each beside real against real, goes out."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..classifiers import Classifier
from ..data import Dataset
from ..errors import Menu, check_count
from .embeddings import Features, Images, Others, Vectors, as_pictures, embed_of, real_pictures, shipped_classifier
from .frechet import frechet_distance
from .inception import inception_score
from .kernel import kernel_distance
from .neighbours import density_coverage, memorisation, precision_recall
from .scores import Perfect, Score, Scorecard

IMAGE_METRICS: Menu[Callable[..., Any]] = Menu(
    "metric for images",
    {
        "Fréchet distance": frechet_distance,
        "kernel distance": kernel_distance,
        "inception score": inception_score,
        "precision": precision_recall,
        "recall": precision_recall,
        "density": density_coverage,
        "coverage": density_coverage,
        "nearest is a training image": memorisation,
    },
)
"""Every metric for images, by the name that `image_scorecard` shows."""

SEEDS = 5
"""Divisions of the real images over which a score is averaged, unless told otherwise."""


def divide(target: Dataset, parts: int = 2, *, seed: int = 0) -> tuple[Dataset, ...]:
    """Divide a data set at random in parts of equal size that share no image (a remainder is left out).

    One part to train on, one to compare with, and one that stands for a perfect generator: with fewer parts two of
    these share images, and a score says nothing. A part's name says which of which division it is, so that a save of a
    run on one is not taken for a run on another; all are of the same `kind`.

    Args:
        target: a data set.
        parts: how many.
        seed: of the division, in NumPy, the same on every machine.

    Raises:
        ValueError: more parts than images.

    >>> from gan_jax import data
    >>> [(part.name, len(part)) for part in divide(data.digits(), 2)]
    [('digits (part 1 of 2, seed 0)', 898), ('digits (part 2 of 2, seed 0)', 898)]
    """
    check_count(parts, "parts")
    size = len(target) // parts
    if not size:
        raise ValueError(f"{len(target)} images cannot be divided in {parts} parts; take fewer parts")
    order = np.random.default_rng(seed).permutation(len(target))[: size * parts].reshape(parts, size)
    return tuple(
        target.part(index, f"{target.name} (part {i} of {parts}, seed {seed})")
        for i, index in enumerate(order, start=1)
    )


def scores_of(x: Vectors, y: Others, *, k: int = 3, k_density: int = 5) -> dict[str, float]:
    """The scores that compare features of samples, shape (n, d), with those of real images, shape (m, d)."""
    precision, recall = precision_recall(x, y, k=k)
    density, coverage = density_coverage(x, y, k=k_density)
    return {
        "Fréchet distance": frechet_distance(x, y),
        "kernel distance": kernel_distance(x, y).mean,
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
    }


def image_scorecard(
    samples: Images,
    target: Dataset,
    *,
    training: Dataset | None = None,
    features: Features | Callable[[Any], Any] | None = None,
    classifier: Classifier | None = None,
    n: int | None = None,
    seeds: int = SEEDS,
) -> Scorecard:
    """Score images by everything in `IMAGE_METRICS`, each beside what real images score at the same size.

    The data set is finite, so "a generator that draws from the target" would repeat the very images that it is
    compared with, and score as no honest generator can. Instead the real images are divided at random in two halves:
    one is the reference, and both n samples and n images of the other half are scored against it. This is done
    `seeds` times; the scores are means, the last column is mean ± standard deviation. Both columns have the same n and
    the same reference, so what is biased is biased alike.

    A generator that repeats the images it was trained on beats the last column, since half of them are the reference.
    Whoever can, holds images out: train on `training`, pass the images held out as `target`, and a last row says how
    often the nearest real image is a training image.

    Args:
        samples: images in [-1, 1], shape (size, ...), flat or not; different n of them are scored with each division.
        target: a data set.
        training: what the generator was trained on, where `target` holds none of it.
        features: `metrics.features(target)` when left out.
        classifier: for the inception score; the shipped one when left out, and no such row where there is none.
        n: how many samples are scored at once; when left out as many as there are, at most half of the data set, at
            most 5,000.
        seeds: divisions of the real images.

    Returns:
        A `Scorecard`, a list of `Score`.

    Raises:
        TypeError: the target is no data set of images.
        ValueError: too few samples or real images for the features, NaN, or images of another shape.

    >>> import jax
    >>> from gan_jax import data
    >>> real = data.digits()
    >>> card = image_scorecard(jax.random.normal(jax.random.key(0), (500, 64)), real, seeds=2)
    >>> [row.metric for row in card if row.score > row.perfect.mean]  # larger is better for all others
    ['Fréchet distance (digits features)', 'kernel distance (digits features)']
    """
    if not isinstance(target, Dataset):
        raise TypeError(f"expected a data set of images such as data.digits(), got {type(target).__name__}")
    check_count(seeds, "seeds")
    pictures, real = as_pictures(samples, target.image_shape), real_pictures(target)
    n = _size(n, len(pictures), len(real))
    embed = embed_of(target, features)
    x, y = embed(pictures), embed(real)
    classifier = shipped_classifier(target) if classifier is None else classifier
    rows: list[tuple[dict[str, float], dict[str, float]]] = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        mine, order = rng.permutation(len(x))[:n], rng.permutation(len(y))
        fresh, reference = order[: len(y) // 2][:n], order[len(y) // 2 :]
        pair = scores_of(x[mine], y[reference]), scores_of(y[fresh], y[reference])
        if classifier is not None:
            for scores, images in zip(pair, (pictures[mine], real[fresh]), strict=True):
                scores["inception score"] = inception_score(images, classifier=classifier).mean
        rows.append(pair)
    named = f" ({getattr(embed, 'name', 'features')})"
    card = [_row(name, rows, named) for name in IMAGE_METRICS if name in rows[0][0]]
    if training is not None:
        copies = memorisation(pictures, training, target, embed)
        name = f"nearest is a training image{named}"
        card.append(Score(name, copies.share, Perfect(copies.perfect, copies.std)))
    return Scorecard(card, n, beside="real against real")


def _row(name: str, rows: list[tuple[dict[str, float], dict[str, float]]], features: str) -> Score:
    scores, perfect = (np.array([row[i][name] for row in rows]) for i in (0, 1))
    std = float(perfect.std(ddof=1)) if len(rows) > 1 else 0.0
    shown = name + ("" if name == "inception score" else features)
    return Score(shown, float(scores.mean()), Perfect(float(perfect.mean()), std))


def _size(n: int | None, samples: int, real: int) -> int:
    most = min(samples, real // 2)
    if n is None:
        return min(most, 5000)
    check_count(n, "n")
    if n > most:
        raise ValueError(
            f"n = {n}, and there are {samples} samples and {real // 2} real images in a half; at most {most}"
        )
    return n
