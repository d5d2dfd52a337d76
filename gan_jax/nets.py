"""Widths and names come in; a recipe goes out: given random streams, it builds a generator or a discriminator.

A recipe is any hashable callable `recipe(nnx.Rngs) -> nnx.Module`. The module maps a batch to a batch. What it holds
besides parameters (batch statistics, say) is updated only by `train`, which carries it in `State`; called by
you, a trained module is in evaluation mode, and each sample is independent of its batch mates.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import jax
from flax import nnx
from jaxtyping import Array, Float

from .errors import Menu, check_count

Recipe = Callable[[nnx.Rngs], nnx.Module]

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
    "normalisation", {"none": None, "batch": nnx.BatchNorm, "layer": nnx.LayerNorm}
)


class Layer(nnx.Module):
    """One dense layer, then normalisation, then activation: `act(norm(x W + b))`."""

    def __init__(self, inputs: int, outputs: int, activation: str, normalisation: str, initialiser: str, rngs):
        self.linear = nnx.Linear(inputs, outputs, kernel_init=INITIALISERS[initialiser], rngs=rngs)
        make = NORMALISATIONS[normalisation]
        self.norm = None if make is None else make(outputs, rngs=rngs)
        self.activation = activation

    def __call__(self, x: Float[Array, "n inputs"]) -> Float[Array, "n outputs"]:
        x = self.linear(x)
        x = x if self.norm is None else self.norm(x)
        return ACTIVATIONS[self.activation](x)


class Mlp(nnx.Module):
    """Dense layers one after the other; made by the recipe `mlp`."""

    def __init__(self, recipe: "MlpRecipe", rngs: nnx.Rngs):
        self.depth = len(recipe.widths) - 1
        for i, (inputs, outputs) in enumerate(zip(recipe.widths[:-1], recipe.widths[1:], strict=True)):
            last = i == self.depth - 1
            activation = recipe.output if last else recipe.activation
            normalisation = "none" if last else recipe.normalisation
            setattr(
                self,
                f"layer_{i}",
                Layer(inputs, outputs, activation, normalisation, recipe.initialiser, rngs),
            )

    def __call__(self, x: Float[Array, "n ..."]) -> Float[Array, "n outputs"]:
        x = x.reshape(x.shape[0], -1)
        for i in range(self.depth):
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

    @property
    def inputs(self) -> int:
        """Numbers a sample that goes in: for a generator, the dimension of its latent."""
        return self.widths[0]

    def __call__(self, rngs: nnx.Rngs) -> Mlp:
        return Mlp(self, rngs)


def mlp(
    *widths: int,
    activation: str = "relu",
    output: str = "identity",
    normalisation: str = "none",
    initialiser: str = "glorot",
) -> MlpRecipe:
    """Describe a multilayer perceptron, for a generator or a discriminator of points or flat images.

    Args:
        widths: numbers a sample of the input, of each hidden layer, and of the output: `mlp(2, 64, 64, 1)`.
        activation: name in `ACTIVATIONS`, after each hidden layer.
        output: name in `ACTIVATIONS`, after the last layer: "tanh" for images in [-1, 1]. A discriminator
            ends in "identity", because losses take logits.
        normalisation: name in `NORMALISATIONS`, between each hidden dense layer and its activation. "batch" in a
            generator ties the samples of a batch together while it trains, and only then.
        initialiser: name in `INITIALISERS`, for the weights; biases begin at 0.

    Returns:
        A recipe: call it with `nnx.Rngs` to build the module; hand it to `Gan` as it is.

    Raises:
        ValueError: fewer than two widths, or one that is not a positive whole number.
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
    return MlpRecipe(tuple(map(int, widths)), activation, output, normalisation, initialiser)
