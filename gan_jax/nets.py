"""Widths and names come in; a recipe goes out: given random streams, it builds a generator or a discriminator.

A recipe is any hashable callable `recipe(nnx.Rngs) -> nnx.Module`. The module maps a batch to a batch. What it holds
besides parameters (batch statistics, say) is updated only by `train`, which carries it in `State`; called by
you, a trained module is in evaluation mode, and each sample is independent of its batch mates.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .errors import Menu, check_count

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


def _unit(x: Float[Array, " n"]) -> Float[Array, " n"]:
    return x / jnp.maximum(jnp.linalg.norm(x), 1e-12)


class SpectralLinear(nnx.Module):
    """A dense layer with its weights divided by their largest singular value: `x W / s(W) + b`, 1-Lipschitz for b = 0.

    Each call while it trains takes one step of power iteration, `u <- W' W u / |W' W u|`, from where the last one
    ended, and `s(W) = |W u|`. u is carried in `State`; the gradient takes it as a constant.

    Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", algorithm 1.
    """

    def __init__(self, inputs: int, outputs: int, kernel_init: Callable, rngs: nnx.Rngs):
        self.kernel = nnx.Param(kernel_init(rngs.params(), (inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs))
        self.direction = nnx.BatchStat(_unit(jax.random.normal(rngs.params(), (outputs,))))
        self.deterministic = False  # what `train` and `eval` of a module switch

    def __call__(self, x: Float[Array, "n inputs"]) -> Float[Array, "n outputs"]:
        weights = self.kernel[...]
        fixed = jax.lax.stop_gradient(weights)
        if not self.deterministic:
            self.direction[...] = _unit(fixed.T @ _unit(fixed @ self.direction[...]))
        u = jax.lax.stop_gradient(self.direction[...])
        largest = _unit(fixed @ u) @ weights @ u
        return x @ (weights / jnp.maximum(largest, 1e-12)) + self.bias[...][None, :]


class Layer(nnx.Module):
    """One dense layer, then normalisation, then activation: `act(norm(x W + b))`."""

    def __init__(self, inputs: int, outputs: int, activation: str, normalisation: str, initialiser: str, rngs):
        wide = outputs * PIECES if activation == "maxout" else outputs
        dense = SpectralLinear if normalisation == "spectral" else nnx.Linear
        self.linear = dense(inputs, wide, kernel_init=INITIALISERS[initialiser], rngs=rngs)
        make = NORMALISATIONS[normalisation]
        self.norm = None if make is None else make(wide, rngs=rngs)
        self.activation = activation

    def __call__(self, x: Float[Array, "n inputs"]) -> Float[Array, "n outputs"]:
        x = self.linear(x)
        x = x if self.norm is None else self.norm(x)
        return ACTIVATIONS[self.activation](x)


def minibatch_stddev(x: Float[Array, "n features"], group: int) -> Float[Array, "n features_and_1"]:
    """Append one feature that says how much the samples of a group differ: the mean of their standard deviations.

    Args:
        x: features, shape (n, f); groups are `group` rows after each other.
        group: samples a group.

    Returns:
        Shape (n, f + 1); the new feature is one number for all of a group, `mean_j sqrt(var_i(x_ij) + 1e-8)`.

    Raises:
        ValueError: n is no multiple of `group`, or `group` is no count.

    Source: Karras et al. 2018, "Progressive Growing of GANs", section 3.

    >>> minibatch_stddev(jnp.array([[0.0], [2.0], [5.0], [5.0]]), 2)[:, 1].round(2).tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    check_count(group, "group")
    if len(x) % group:
        raise ValueError(
            f"a minibatch standard deviation over groups of {group} needs a multiple of {group} samples, got {len(x)}; "
            "change the batch size, or ask a trained state for its logits with state.logits(x, companions)"
        )
    groups = x.reshape(-1, group, x.shape[1])
    spread = jnp.mean(jnp.sqrt(jnp.var(groups, axis=1) + 1e-8), axis=1)  # the gradient of a root at 0 is infinite
    return jnp.concatenate([x, jnp.repeat(spread, group)[:, None]], axis=1)


def pack(x: Float[Array, "n ..."], packing: int) -> Float[Array, "packs ..."]:
    """Lay `packing` samples after each other side by side, in their last axis, for a D that judges them together.

    Args:
        x: samples, shape (n, ..., c).
        packing: samples a pack; n is a multiple of it.

    Returns:
        Shape (n / packing, ..., packing * c).

    Raises:
        ValueError: n is no multiple of `packing`, or `packing` is no count.

    Source: Lin et al. 2018, "PacGAN", section 2.

    >>> pack(jnp.arange(8.0).reshape(4, 2), 2).tolist()
    [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]
    """
    check_count(packing, "packing")
    if packing == 1:
        return x
    if len(x) % packing:
        raise ValueError(f"packs of {packing} need a multiple of {packing} samples, got {len(x)}")
    shape = x.shape[1:]
    packs = jnp.moveaxis(x.reshape(-1, packing, *shape), 1, -2)
    return packs.reshape(-1, *shape[:-1], packing * shape[-1])


class Mlp(nnx.Module):
    """Dense layers one after the other; made by the recipe `mlp`."""

    def __init__(self, recipe: "MlpRecipe", rngs: nnx.Rngs):
        self.depth = len(recipe.widths) - 1
        self.group = recipe.minibatch_stddev
        self.compares = max(self.depth - 2, 0)  # the layer that is told how much the samples of a group differ
        for i, (inputs, outputs) in enumerate(zip(recipe.widths[:-1], recipe.widths[1:], strict=True)):
            last = i == self.depth - 1
            activation = recipe.output if last else recipe.activation
            normalisation = recipe.normalisation if not last or recipe.normalisation == "spectral" else "none"
            told = int(bool(self.group) and i == self.compares)
            setattr(
                self,
                f"layer_{i}",
                Layer(inputs + told, outputs, activation, normalisation, recipe.initialiser, rngs),
            )

    def __call__(self, x: Float[Array, "n ..."]) -> Float[Array, "n outputs"]:
        x = x.reshape(x.shape[0], -1)
        for i in range(self.depth):
            x = minibatch_stddev(x, self.group) if self.group and i == self.compares else x
            x = getattr(self, f"layer_{i}")(x)
        return x


@dataclass(frozen=True)
class MlpRecipe:
    """What `mlp` returns: hashable, so that it can be part of a `Gan`, and callable, so that it builds an `Mlp`."""

    widths: tuple[int, ...]
    activation: str
    output: str
    normalisation: str
    initialiser: str
    minibatch_stddev: int = 0

    @property
    def inputs(self) -> int:
        """Numbers a sample that goes in: for a generator, the dimension of its latent."""
        return self.widths[0]

    @property
    def group(self) -> int:
        """Samples whose outputs depend on each other."""
        return max(self.minibatch_stddev, 1)

    def __call__(self, rngs: nnx.Rngs) -> Mlp:
        return Mlp(self, rngs)


def mlp(
    *widths: int,
    activation: str = "relu",
    output: str = "identity",
    normalisation: str = "none",
    initialiser: str = "glorot",
    minibatch_stddev: int = 0,
) -> MlpRecipe:
    """Describe a multilayer perceptron, for a generator or a discriminator of points or flat images.

    Args:
        widths: numbers a sample of the input, of each hidden layer, and of the output: `mlp(2, 64, 64, 1)`.
        activation: name in `ACTIVATIONS`, after each hidden layer.
        output: name in `ACTIVATIONS`, after the last layer: "tanh" for images in [-1, 1]. A discriminator
            ends in "identity", because losses take logits.
        normalisation: name in `NORMALISATIONS`, between each hidden dense layer and its activation. "batch" in a
            generator ties the samples of a batch together while it trains, and only then; "spectral" holds a
            discriminator's layers 1-Lipschitz.
        initialiser: name in `INITIALISERS`, for the weights; biases begin at 0.
        minibatch_stddev: samples a group in which a discriminator may compare: before the last hidden layer one
            feature is added, see `minibatch_stddev`. 0 for none; 1 has nothing to compare.

    Returns:
        A recipe: call it with `nnx.Rngs` to build the module; hand it to `Gan` as it is.

    Raises:
        ValueError: fewer than two widths, one that is not a positive whole number, or a group of 1.
        UnknownName: a name that is not on its menu.

    >>> module = mlp(2, 64, 64, 1)(nnx.Rngs(0))
    >>> module(jax.numpy.zeros((5, 2))).shape
    (5, 1)
    """
    if len(widths) < 2:
        raise ValueError(f"an MLP needs at least an input and an output width, got {widths}; try mlp(2, 64, 64, 2)")
    for width in widths:
        check_count(width, "each width")
    for name in (activation, output):
        ACTIVATIONS[name]
    NORMALISATIONS[normalisation], INITIALISERS[initialiser]
    check_count(minibatch_stddev, "minibatch_stddev", least=0)
    if minibatch_stddev == 1:
        raise ValueError("minibatch_stddev must be 0, for none, or a group of at least 2 samples to compare, got 1")
    return MlpRecipe(tuple(map(int, widths)), activation, output, normalisation, initialiser, int(minibatch_stddev))
