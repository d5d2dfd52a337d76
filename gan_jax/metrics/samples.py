"""Samples and a target come in; samples that can be scored go out, or an error that says why they cannot."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..data import Mixture, Stacked, Target

Samples = Float[Array | np.ndarray, "n d"]
Scalar = Float[Array, ""]


def check(samples: Any, target: Any, *, modes: bool = False) -> Array:
    """Raise unless these samples can be scored against this target; `modes` says that it must be a mixture."""
    if not isinstance(target, Target):
        raise TypeError(f"expected a target such as data.ring(8), got {target!r}")
    if modes and not isinstance(target, Mixture):
        raise TypeError(
            f"{type(target).__name__} has no modes to count; take a mixture (data.ring, data.grid, data.mixture), "
            "or a metric that needs none: metrics.sliced_wasserstein2, metrics.wasserstein2, metrics.mmd"
        )
    if np.ndim(samples) != 2 or np.shape(samples)[1:] != target.shape or not np.shape(samples)[0]:
        raise ValueError(
            f"samples must be of shape {_shown(target.shape)}, as the target's are, got {np.shape(samples)}"
        )
    return check_finite(samples)


def check_stacked(samples: Any, target: Any) -> Array:
    """Raise unless these are samples like those of stacked digits, flat or not, whatever the target's own are."""
    if not isinstance(target, Stacked):
        raise TypeError(
            f"{type(target).__name__} has no classes of triples; take data.stacked_digits() or data.stacked(...), or "
            "for a mixture of Gaussians metrics.modes_covered, metrics.reverse_kl and metrics.high_quality_share"
        )
    flat, image = (int(np.prod(target.image_shape)),), target.image_shape
    if np.shape(samples)[1:] not in (flat, image) or not np.shape(samples)[0]:
        raise ValueError(f"samples must be of shape {_shown(flat)} or {_shown(image)}, got {np.shape(samples)}")
    return check_finite(samples)


def _shown(shape: tuple[int, ...]) -> str:
    return f"(n, {', '.join(map(str, shape))})"


def check_finite(samples: Any) -> Array:
    """Raise unless every number is finite; inside `jit`, where none is known, nothing is checked."""
    samples = jnp.asarray(samples)
    if not isinstance(samples, jax.core.Tracer) and not bool(jnp.isfinite(samples).all()):
        bad = int(jnp.sum(~jnp.isfinite(samples.reshape(len(samples), -1)).all(axis=1)))
        raise ValueError(
            f"{bad} of {len(samples)} samples are NaN or infinite: the run that made them has diverged; "
            "score a state from before that (train.run keeps the last good one)"
        )
    return samples
