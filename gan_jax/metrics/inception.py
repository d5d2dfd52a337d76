"""Samples and a classifier come in; the inception score, which looks at no real image, goes out."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from ..classifiers import Classifier
from ..data import Dataset
from ..errors import check_count
from .embeddings import Images, as_pictures, blocks, shipped_classifier
from .kernel import Estimate

Reader = Classifier | Callable[[Any], Any]

_read = jax.jit(lambda classifier, images: classifier(images))


def inception_score(
    samples: Images, target: Dataset | None = None, *, splits: int = 1, classifier: Reader | None = None
) -> Estimate:
    """How sure a classifier is of each sample, and how various its answers are: `exp(mean_x KL(p(y|x) | p(y)))`.

    `p(y|x)` are the classifier's probabilities for a sample, `p(y)` their mean over the samples (of the same split).

    Args:
        samples: images in [-1, 1], shape (n, ...), flat or not.
        target: the data set that they resemble, which chooses the classifier that is shipped for it. Its images play
            no part in the score.
        splits: into how many parts the samples are cut, in the order in which they come; each is scored by itself.
        classifier: another one, or any function from images to log probabilities, shape (n, K).

    Returns:
        An `Estimate`: mean and standard deviation over the splits. The score lies between 1 and K, the number of
        classes; larger is taken for better. One perfect image of each class scores K, and so does a generator that
        draws ten images over and over. Sorted samples cut in as many splits as classes score 1: shuffle them.

    Raises:
        ValueError: fewer samples than splits, NaN, or no classifier is shipped for the data set.

    Source: Salimans et al. 2016, "Improved techniques for training GANs", section 4; its blind spots: Barratt and
    Sharma 2018, "A note on the inception score".

    >>> sure = lambda labels: np.log(np.eye(10)[labels[:, 0].astype(int)] + 1e-300)  # a classifier that cannot err
    >>> round(inception_score(np.arange(50.0)[:, None] % 10, classifier=sure).mean, 6)
    10.0
    """
    check_count(splits, "splits")
    log_probabilities = _log_probabilities(samples, target, classifier)
    n = len(log_probabilities)
    if n < splits:
        raise ValueError(f"{n} samples cannot be cut into {splits} splits; take more samples or fewer splits")
    scores = np.array([_score(part) for part in np.array_split(log_probabilities, splits)])
    return Estimate(float(scores.mean()), float(scores.std(ddof=1)) if splits > 1 else 0.0)


def _score(log_p: Float[np.ndarray, "n k"]) -> float:
    p = np.exp(log_p)
    mean = p.mean(axis=0, keepdims=True)
    # 0 log 0 is 0
    terms = np.where(p > 0, p * (np.where(p > 0, log_p, 0.0) - np.log(np.where(mean > 0, mean, 1.0))), 0.0)
    return float(np.exp(terms.sum(axis=1).mean()))


def reader_of(target: Dataset | None, classifier: Reader | None) -> Reader:
    """The classifier that is given, else the shipped one; raise when there is none."""
    if classifier is not None:
        return classifier
    shipped = None if target is None else shipped_classifier(target)
    if shipped is None:
        of = "without a data set" if target is None else f"no classifier is shipped for {target.name!r}:"
        raise ValueError(f"{of} pass classifier=, made by classifiers.fit(data set), or any function to log p(y|x)")
    return shipped


def _log_probabilities(
    samples: Images | Array, target: Dataset | None, classifier: Reader | None
) -> Float[np.ndarray, "n k"]:
    reader = reader_of(target, classifier)
    if isinstance(reader, Classifier):
        pictures = as_pictures(samples, (*reader.image_shape, 1))[..., 0]
        parts = [np.asarray(_read(reader, block)) for block in blocks(pictures)]
    else:
        shaped = np.asarray(samples) if target is None else as_pictures(samples, target.image_shape)
        parts = [np.asarray(reader(block)) for block in blocks(shaped)]
    return np.concatenate(parts).astype(np.float64)
