"""A data set of digits comes in; a trained `Classifier`, and its accuracy on the images held out, go out."""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from ..data import Dataset, dataset
from ..errors import check_count
from .classifier import Classifier

EVERY = 5
"""One image in so many of each class is held out."""


def split(source: Dataset) -> tuple[Dataset, Dataset]:
    """Divide a data set into training and held-out images: of each class, in its order, every fifth is held out.

    No random number takes part, so the split is the same everywhere and for good.

    Raises:
        ValueError: no class has as many as five images, so that none would be held out.

    >>> from gan_jax.data import dataset
    >>> rest, held_out = split(dataset(np.zeros((20, 8, 8), np.uint8), np.arange(20) % 2))
    >>> len(rest), len(held_out)
    (16, 4)
    """
    labels = np.asarray(source.labels)
    rank = np.zeros(len(labels), int)
    for digit in np.unique(labels):
        rank[labels == digit] = np.arange(np.sum(labels == digit))
    held_out = rank % EVERY == EVERY - 1
    if not held_out.any():
        raise ValueError(f"no class of {source.name} has {EVERY} images, so none would be held out; take more images")
    part = lambda chosen: dataset(  # noqa: E731
        np.asarray(source.images)[chosen], labels[chosen], name=source.name, peak=source.peak, flat=source.flat
    )
    return part(~held_out), part(held_out)


def _pictures(source: Dataset) -> Float[Array, "size height width"]:
    return (2 * source.images[..., 0].astype(jnp.float32) - source.peak) / source.peak


def _shift(images: Array, key: Key[Array, ""], farthest: int) -> Array:
    """Move each image by up to `farthest` pixels up, down, left and right; half of the images stay."""
    place_key, stay_key = jax.random.split(key)
    n, height, width = images.shape
    places = jax.random.randint(place_key, (n, 2), 0, 2 * farthest + 1)
    places = jnp.where(jax.random.bernoulli(stay_key, 0.5, (n, 1)), farthest, places)
    padded = jnp.pad(images, ((0, 0), (farthest, farthest), (farthest, farthest)), constant_values=-1.0)
    cut = lambda image, place: jax.lax.dynamic_slice(image, place, (height, width))  # noqa: E731
    return jax.vmap(cut)(padded, places)


def _noisy(images: Array, key: Key[Array, ""]) -> Array:
    """Add noise of up to 0.3 (of a range of 2), another amount for each image."""
    amount_key, noise_key = jax.random.split(key)
    amount = 0.3 * jax.random.uniform(amount_key, (len(images), 1, 1))
    return images + amount * jax.random.normal(noise_key, images.shape)


def _no_digits(images: Array, key: Key[Array, ""]) -> Array:
    """Make images that are no digits: half of them digits with shuffled pixels, half noise around a grey."""
    shuffle_key, mean_key, amount_key, noise_key = jax.random.split(key, 4)
    n, *shape = images.shape
    shuffled = jax.random.permutation(shuffle_key, images.reshape(n, -1), axis=1).reshape(n, *shape)
    grey = jax.random.uniform(mean_key, (n, 1, 1), minval=-1.0, maxval=0.5)
    amount = jax.random.uniform(amount_key, (n, 1, 1), minval=0.1)
    noise = grey + amount * jax.random.normal(noise_key, images.shape)
    return jnp.where((jnp.arange(n) % 2 == 0)[:, None, None], shuffled, noise)


def _batch(images: Array, labels: Array, key: Key[Array, ""], n: int, farthest: int) -> tuple[Array, Array]:
    """Images and their probabilities of classes: n digits, n / 4 blends of two digits, n / 4 that are no digits."""
    index_key, shift_key, noise_key, nothing_key = jax.random.split(key, 4)
    index = jax.random.randint(index_key, (n + n // 4,), 0, len(images))
    digits = _shift(images[index], shift_key, farthest)
    truth = jax.nn.one_hot(labels[index], 10)
    blends, their_truth = (digits[: n // 4] + digits[n:]) / 2, (truth[: n // 4] + truth[n:]) / 2
    nothing = _no_digits(digits[: n // 4], nothing_key)
    return (
        jnp.concatenate([_noisy(jnp.concatenate([digits[:n], blends]), noise_key), nothing]),
        jnp.concatenate([truth[:n], their_truth, jnp.full((n // 4, 10), 0.1)]),
    )


@functools.partial(jax.jit, static_argnames=("steps", "batch_size", "farthest"))
def _train(classifier, images, labels, key, *, steps, batch_size, farthest):
    rule = optax.adamw(optax.cosine_decay_schedule(2e-3, steps), weight_decay=1e-2)

    def loss(classifier, key):
        batch, truth = _batch(images, labels, key, batch_size, farthest)
        return -jnp.mean(jnp.sum(truth * classifier(batch), axis=1))

    def step(carry, i):
        classifier, memory = carry
        change, memory = rule.update(jax.grad(loss)(classifier, jax.random.fold_in(key, i)), memory, classifier)
        return (optax.apply_updates(classifier, change), memory), None

    (classifier, _), _ = jax.lax.scan(step, (classifier, rule.init(classifier)), jnp.arange(steps))
    return classifier


def fit(
    source: Dataset,
    *,
    hidden: tuple[int, ...] = (64, 64),
    pool: int = 1,
    steps: int = 4000,
    batch_size: int = 128,
    seed: int = 0,
) -> Classifier:
    """Train a classifier of digits by cross-entropy, AdamW and a learning rate that falls to 0 as a cosine.

    Besides the digits, shifted by a pixel for every 8 of their width and made noisy, it sees blends of two (with the
    answer half and half) and images that are no digits (with the answer "any, a tenth each").

    Args:
        source: the training images, of one channel, with labels from 0 to 9.
        hidden: widths of the hidden layers.
        pool: the side of the squares of pixels whose means are the network's inputs.
        steps: of training.
        batch_size: digits a step; half as many blends and other images come on top.
        seed: of the weights and of the batches. The same seed on the same machine gives the same weights.

    Returns:
        A `Classifier`.

    Raises:
        TypeError: `source` is no data set.
        ValueError: a count that is none, images of several channels or whose sides `pool` does not divide, or a label
            that is no digit.
    """
    if not isinstance(source, Dataset):
        raise TypeError(f"expected a data set such as data.digits(), got {type(source).__name__}")
    for wide in hidden:
        check_count(wide, "each hidden width")
    check_count(pool, "pool")
    check_count(steps, "steps")
    check_count(batch_size, "batch_size", least=4)
    height, width, channels = source.image_shape
    if channels != 1 or height % pool or width % pool:
        raise ValueError(
            f"a classifier reads one channel whose sides are multiples of pool = {pool}, got {source.image_shape}"
        )
    low, high = int(source.labels.min()), int(source.labels.max())
    if low < 0 or high > 9:
        raise ValueError(f"a classifier reads the digits 0 to 9; the labels go from {low} to {high}")
    first_key, batch_key = jax.random.split(jax.random.key(seed))
    widths = (height // pool * (width // pool), *hidden, 10)
    he = jax.nn.initializers.he_normal()
    keys = jax.random.split(first_key, len(widths) - 1)
    shapes = list(itertools.pairwise(widths))
    untrained = Classifier(
        tuple(he(key, shape) for key, shape in zip(keys, shapes, strict=True)),
        tuple(jnp.zeros(outputs) for _, outputs in shapes),
        (height, width),
        pool,
        source.name,
    )
    settings: dict[str, Any] = {"steps": steps, "batch_size": batch_size, "farthest": max(1, round(width / 8))}
    return _train(untrained, _pictures(source), source.labels, batch_key, **settings)


def accuracy(classifier: Classifier, source: Dataset) -> float:
    """Share of a data set's images whose most probable class is their label."""
    answers = np.argmax(np.asarray(classifier(_pictures(source))), axis=1)
    return float(np.mean(answers == np.asarray(source.labels)))
