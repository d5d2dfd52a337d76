"""Samples of stacked digits come in; which of the 1,000 classes they reach, and how evenly, goes out.

A classifier reads each of the three channels; the class of a sample is its three digits as one number. Every score is
of the classifier as much as of the generator, which is why a perfect generator's score belongs beside it.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..classifiers import CLASSIFIERS, Classifier
from ..data import Stacked
from .samples import Scalar, check_stacked

Triples = Float[Array | np.ndarray, "n ..."]

CLASSES = 1000

CONFIDENT = 0.5
"""The probability above which a digit counts as read with confidence."""


def classifier_of(target: Stacked, classifier: Classifier | None = None) -> Classifier:
    """Find the shipped classifier for a target, unless one is given; raise when there is none that fits."""
    height, width, _ = target.image_shape
    name = target.source.kind
    if classifier is None:
        if name not in CLASSIFIERS:
            raise ValueError(
                f"no classifier is shipped for images named {name!r} (there is one for: {', '.join(CLASSIFIERS)}); "
                "train one with classifiers.fit(data set) and pass it as classifier="
            )
        classifier = CLASSIFIERS[name]()
    if classifier.image_shape != (height, width):
        raise ValueError(
            f"the classifier named {classifier.name!r} reads images of {classifier.image_shape[0]} x "
            f"{classifier.image_shape[1]} pixels, and those of the target have {height} x {width}; "
            "pass one that fits as classifier=, made by classifiers.fit(data set)"
        )
    return classifier


def read_digits(samples: Array, classifier: Classifier) -> Float[Array, "n 3 10"]:
    """Log probabilities of the digits of each channel."""
    height, width = classifier.image_shape
    channels = jnp.moveaxis(samples.reshape(-1, height, width, 3), -1, 1)
    return classifier(channels.reshape(-1, height, width)).reshape(-1, 3, 10)


def read_classes(log_probabilities: Float[Array, "n 3 10"]) -> Int[Array, " n"]:
    """The class of each sample: its three most probable digits as one number."""
    return jnp.sum(jnp.argmax(log_probabilities, axis=2) * jnp.array([[100, 10, 1]]), axis=1)


def read_confidently(log_probabilities: Float[Array, "n channels 10"]) -> Bool[Array, " n"]:
    """Whether each channel shows a digit that the classifier is sure of."""
    return jnp.min(jnp.max(log_probabilities, axis=2), axis=1) > math.log(CONFIDENT)


def _counts(samples: Array, classifier: Classifier) -> Int[Array, " 1000"]:
    """Samples in each class; one that is not finite is in none."""
    finite = jnp.isfinite(samples.reshape(len(samples), -1)).all(axis=1)
    return jnp.zeros(CLASSES, int).at[read_classes(read_digits(samples, classifier))].add(finite.astype(int))


@jax.jit
def _classes_of(samples, classifier):
    return read_classes(read_digits(samples, classifier))


@jax.jit
def _classes_reached(samples, classifier):
    return jnp.sum(_counts(samples, classifier) > 0)


@jax.jit
def _class_kl(samples, classifier):
    share = _counts(samples, classifier) / len(samples)
    total = math.log(CLASSES) + jnp.sum(jnp.where(share > 0, share * jnp.log(share), 0.0))
    return jnp.where(jnp.isfinite(samples).all(), total, jnp.nan)


@jax.jit
def _confident_share(samples, classifier):
    return jnp.mean(read_confidently(read_digits(samples, classifier)))


def classes_of(samples: Triples, target: Stacked, *, classifier: Classifier | None = None) -> Int[Array, " n"]:
    """Read each sample's three digits: the class is `100 c_0 + 10 c_1 + c_2`, c_i the most probable digit of channel i.

    Args:
        samples: shape (n, height x width x 3) or (n, height, width, 3), in [-1, 1].
        target: stacked digits.
        classifier: what reads a channel; the one that is shipped for the target's images when left out.

    Returns:
        Whole numbers from 0 to 999, shape (n,).

    Raises:
        TypeError: the target is not of stacked digits.
        ValueError: samples of another shape, or NaN; no classifier is shipped for these images.

    >>> from gan_jax import data
    >>> target = data.stacked_digits()
    >>> samples, classes = target.sample_with_classes(jax.random.key(0), 100)
    >>> bool(jnp.mean(classes_of(samples, target) == classes) > 0.9)
    True
    """
    return _classes_of(check_stacked(samples, target), classifier_of(target, classifier))


def classes_reached(samples: Triples, target: Stacked, *, classifier: Classifier | None = None) -> Int[Array, ""]:
    """Count which of the 1,000 classes hold at least one sample ("modes" in papers); arguments as `classes_of`.

    Returns:
        A whole number, 0 to 1,000. A perfect generator reaches `sum_k 1 - (1 - p_k)^n` of them: with equal shares all
        1,000 at n = 26,000, but only 918 at n = 2,500 (916 with MNIST's shares, which are not quite equal).

    Source: Metz et al. 2017, "Unrolled Generative Adversarial Networks", section 3.3.1; n = 26,000 as in Srivastava
    et al. 2017 (VEEGAN) and Lin et al. 2018 (PacGAN).

    >>> from gan_jax import data
    >>> target = data.stacked_digits()
    >>> int(classes_reached(jnp.full((50, 192), -1.0), target))  # fifty times the same black image
    1
    """
    return _classes_reached(check_stacked(samples, target), classifier_of(target, classifier))


def class_kl(samples: Triples, target: Stacked, *, classifier: Classifier | None = None) -> Scalar:
    """How unevenly the samples share out among the 1,000 classes: `sum_k q_k log(1000 q_k)`, in nats.

    The comparison is with equal shares, as the published numbers take it, and not with those of the data: MNIST's own
    shares are not quite equal, and a perfect generator of its triples therefore scores 0.0236 at n = 26,000 and not
    the 0.0193 of equal shares. Arguments as `classes_of`.

    Returns:
        0 for equal shares, log 1000 = 6.91 for one class. A perfect generator scores about 999 / 2n above the
        divergence of the data's shares from equal ones (0.0043 for MNIST, 0.0003 for `data.stacked_digits`).

    Source: as `classes_reached`.

    >>> from gan_jax import data
    >>> target = data.stacked_digits()
    >>> round(float(class_kl(jnp.full((50, 192), -1.0), target)), 4)  # log 1000
    6.9078
    """
    return _class_kl(check_stacked(samples, target), classifier_of(target, classifier))


def confident_share(samples: Triples, target: Stacked, *, classifier: Classifier | None = None) -> Scalar:
    """Share of the samples whose three digits are all read with a probability above 1/2; arguments as `classes_of`.

    The counterpart of `high_quality_share`: a classifier gives a class to anything, so a generator of noise can reach
    classes too. The shipped classifiers have learnt to be unsure of noise and of blends.

    Returns:
        A number in [0, 1]. Real triples score about 0.99, not 1.

    >>> from gan_jax import data
    >>> target = data.stacked_digits()
    >>> float(confident_share(jax.random.normal(jax.random.key(0), (50, 192)), target))
    0.0
    """
    return _confident_share(check_stacked(samples, target), classifier_of(target, classifier))
