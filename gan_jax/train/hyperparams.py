"""Numbers come in, one each or an array in a sweep; the dials go out: what may change while a GAN trains."""

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import named_keywords
from .rules import Gan

Dial = (
    Any  # a number, or an array of them in a sweep; JAX also builds the pytree with tracers and markers in their place
)


@named_keywords
@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class Hyperparams:
    """The dials: array leaves of a pytree, all traced. Scalars for one GAN, equal leading axes for a sweep.

    Args:
        lr_g: G's learning rate, a step of the optimiser; 0 holds the player still. Not negative.
        lr_d: D's learning rate, likewise.
        beta1: Adam's memory of the gradient (SGD: its momentum), in [0, 1).
        beta2: Adam's and RMSProp's memory of the squared gradient, in [0, 1).
        penalty_weight: multiplies `Gan.penalty`; not negative.
        instance_noise: standard deviation of Gaussian noise added to every sample that D sees; not negative.
        noise_steps: steps over which that noise falls to 0 in a straight line; positive, infinity for noise that stays.
        label_smoothing: s in the one-sided real label 1 - s, in [0, 1); for losses with labels.
        weight_clip: after each of D's updates its weights are clipped to [-c, c]; positive, infinity for none.
        ema_decay: memory of the running average of G's weights, in [0, 1].
        auxiliary_weight: multiplies `Gan.auxiliary` in both players' losses; not negative.

    Raises:
        ValueError: a value outside its range.
        TypeError: an unknown name, or a value that is no number.

    >>> Hyperparams(lr_g=-0.1)
    Traceback (most recent call last):
    ...
    ValueError: lr_g must be in [0, inf), got -0.1
    """

    lr_g: Dial = 1e-3
    lr_d: Dial = 1e-3
    beta1: Dial = 0.5
    beta2: Dial = 0.999
    penalty_weight: Dial = 1.0
    instance_noise: Dial = 0.0
    noise_steps: Dial = np.inf
    label_smoothing: Dial = 0.0
    weight_clip: Dial = np.inf
    ema_decay: Dial = 0.999
    auxiliary_weight: Dial = 1.0

    def __post_init__(self):
        for name, (low, high, closed) in RANGES.items():
            value = getattr(self, name)
            if isinstance(value, jax.core.Tracer) or not isinstance(
                value, (int, float, np.ndarray, np.generic, jax.Array)
            ):
                if isinstance(value, (str, bytes, list, tuple, dict, type(None))):
                    raise TypeError(f"{name} must be a number or an array, got {value!r}")
                continue  # a tracer, or a marker that JAX puts in a leaf's place
            array = np.asarray(value)
            inside = (array >= low) & (array <= high if closed else array < high)
            if not inside.all():  # NaN is outside every range
                span = f"[{low:g}, {high:g}{']' if closed else ')'}"
                wrong = array[~inside].ravel()[0].item()
                raise ValueError(f"{name} must be in {span}, got {wrong!r}")


RANGES: dict[str, tuple[float, float, bool]] = {
    "lr_g": (0.0, np.inf, False),
    "lr_d": (0.0, np.inf, False),
    "beta1": (0.0, 1.0, False),
    "beta2": (0.0, 1.0, False),
    "penalty_weight": (0.0, np.inf, False),
    "instance_noise": (0.0, np.inf, False),
    "noise_steps": (float(np.finfo(np.float32).tiny), np.inf, True),
    "label_smoothing": (0.0, 1.0, False),
    "weight_clip": (float(np.finfo(np.float32).tiny), np.inf, True),
    "ema_decay": (0.0, 1.0, True),
    "auxiliary_weight": (0.0, np.inf, False),
}
"""Each dial's lowest value, highest value, and whether the highest belongs to it."""


def dials(gan: Gan, hyper: Hyperparams) -> Hyperparams:
    """Make dials ready for the compiled step: float32 arrays, because a Python float and an int would each compile.

    Args:
        gan: the rules that they must fit.
        hyper: the dials, one number or an array each.

    Returns:
        The same `Hyperparams` with arrays for leaves.

    Raises:
        TypeError: `hyper` is something else.
        ValueError: label smoothing with a loss that has no labels.

    >>> from gan_jax import nets
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1))
    >>> dials(gan, Hyperparams(lr_g=1)).lr_g.dtype
    dtype('float32')
    """
    if not isinstance(hyper, Hyperparams):
        raise TypeError(f"expected Hyperparams(...), got {hyper!r}")
    traced = isinstance(hyper.label_smoothing, jax.core.Tracer)
    if not gan.loss.has_labels and not traced and np.any(np.asarray(hyper.label_smoothing) > 0):
        raise ValueError(f"the loss '{gan.loss.name}' has no labels to smooth; set label_smoothing to 0")
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), hyper)
