"""A name comes in; what a layer is made of goes out: its activation, its first weights, its normalisation."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from ..errors import Menu

Recipe = Callable[[nnx.Rngs], nnx.Module]

PIECES = 5
"""Linear pieces of a maxout unit, as in Goodfellow et al. 2013 and in the protocols of mixtures of Gaussians."""


def _maxout(x: Float[Array, "n wide"]) -> Float[Array, "n outputs"]:
    # not `jnp.max`: its derivative divides by a count of places that equal the largest, which rounding can make 0
    return functools.reduce(jnp.maximum, jnp.split(x, PIECES, axis=-1))


ACTIVATIONS: Menu[Callable] = Menu(
    "activation",
    {
        "relu": jax.nn.relu,
        "leaky_relu": functools.partial(jax.nn.leaky_relu, negative_slope=0.2),
        "tanh": jax.nn.tanh,
        "gelu": jax.nn.gelu,
        "silu": jax.nn.silu,
        "sigmoid": jax.nn.sigmoid,
        "identity": lambda x: x,
        "maxout": _maxout,  # its layer has PIECES times as many products
    },
)

# made once: a module's structure holds them, and two structures are equal only if these are the same objects
INITIALISERS: Menu[Callable] = Menu(
    "initialiser",
    {
        "glorot": nnx.initializers.glorot_uniform(),
        "he": nnx.initializers.he_normal(),
        "lecun": nnx.initializers.lecun_normal(),
        "orthogonal": nnx.initializers.orthogonal(),
        "normal_0.02": nnx.initializers.normal(0.02),
    },
)

NORMALISATIONS: Menu[Callable | None] = Menu(
    "normalisation", {"none": None, "batch": nnx.BatchNorm, "layer": nnx.LayerNorm, "spectral": None}
)
"""What stands between a hidden layer's products and its activation. "spectral" divides the weights instead, in every
layer, the last one too: see `SpectralLinear`."""


def biased(normalisation: str) -> bool:
    """Whether a layer that this normalisation follows has a bias.

    Batch norm takes away each feature's mean over the batch, and with it all that a bias adds: the bias would change
    no output, and its gradient would be rounding noise, of which Adam makes whole steps. Layer norm takes away one mean
    of all features, so it leaves the differences of their biases.

    >>> biased("batch"), biased("layer")
    (False, True)
    """
    return normalisation != "batch"
