"""Samples and a target with modes come in; the mode of each, or the share of each mode over time, goes out."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..classifiers import Classifier
from ..data import Mixture, Stacked
from .classes import CLASSES, classifier_of, read_classes, read_confidently, read_digits
from .modes import nearest_modes


def count_modes(target: Any) -> int:
    if isinstance(target, Mixture):
        return len(target.scales)
    if isinstance(target, Stacked):
        return CLASSES
    raise TypeError(
        f"{type(target).__name__} has no modes to report on; take a mixture (data.ring, data.grid, data.mixture) or "
        "stacked digits (data.stacked_digits)"
    )


def assign(samples: Array, target: Any, classifier: Classifier | None) -> tuple[Int[Array, " n"], Bool[Array, " n"]]:
    """The mode of each sample, and whether the sample is of high quality."""
    if isinstance(target, Mixture):
        return nearest_modes(samples, target)
    log_probabilities = read_digits(samples, classifier)  # type: ignore[arg-type]
    return read_classes(log_probabilities), read_confidently(log_probabilities)


@functools.partial(jax.jit, static_argnames=("k", "high_quality"))
def _shares(frames, target, classifier, k, high_quality):
    def one(samples):
        mode, good = assign(samples, target, classifier)
        share = jnp.zeros(k).at[mode].add(good if high_quality else jnp.ones(len(mode))) / len(mode)
        return jnp.where(jnp.isfinite(samples).all(), share, jnp.nan)

    return jax.lax.map(one, frames)  # one frame at a time: all at once would need the memory of all


def mode_shares(
    samples: Float[Array | np.ndarray, "..."],
    target: Mixture | Stacked,
    *,
    high_quality: bool = False,
    classifier: Classifier | None = None,
) -> Float[Array, "... k"]:
    """Share of the samples in each mode, at one moment or at many: so one sees a generator hop from mode to mode.

    Args:
        samples: shape (n, *target.shape), or (..., n, *target.shape), such as (frames, n, 2) of a run.
        target: a mixture, whose means are the modes, or stacked digits, whose classes are.
        high_quality: count only samples of high quality; the shares then sum to their share, not to 1.
        classifier: of stacked digits; the one that is shipped for them when left out.

    Returns:
        Shares of shape (..., K): of each mixture's component, or of each of the 1,000 classes. NaN for a frame that
        holds a NaN.

    Raises:
        TypeError: the target has no modes.
        ValueError: samples of another shape.

    >>> from gan_jax import data
    >>> target = data.mixture([-1.0, 1.0], 0.1)
    >>> print(mode_shares(np.array([[[-1.0], [-0.9]], [[-1.0], [0.4]]]), target))  # two moments of two samples
    [[1.  0. ]
     [0.5 0.5]]
    """
    k, shape = count_modes(target), np.shape(samples)
    own = target.image_shape if isinstance(target, Stacked) and shape[-3:] == target.image_shape else target.shape
    before = shape[: len(shape) - len(own) - 1]
    if shape[len(before) + 1 :] != own or len(shape) == len(own) or not np.prod(shape):
        raise ValueError(
            f"samples must be of shape (..., n, {', '.join(map(str, target.shape))}), the last as the target's are, "
            f"got {shape}"
        )
    frames = jnp.asarray(samples).reshape(-1, *shape[len(before) :])
    if isinstance(target, Mixture):
        return _shares(frames, target, None, k, high_quality).reshape(*before, k)
    return _shares(frames, None, classifier_of(target, classifier), k, high_quality).reshape(*before, k)
