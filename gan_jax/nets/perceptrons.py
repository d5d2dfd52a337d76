"""Widths and names come in; the recipe of a multilayer perceptron goes out."""

from dataclasses import dataclass

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from ..errors import check_count
from .groups import minibatch_stddev as with_stddev
from .labels import Labels, one_hot
from .menus import ACTIVATIONS, INITIALISERS, NORMALISATIONS, PIECES
from .recipes import D_CONDITIONINGS
from .spectral import dense
from .verdicts import Projection


class Layer(nnx.Module):
    """One dense layer, then normalisation, then activation: `act(norm(x W + b))`; before batch norm there is no b."""

    def __init__(self, inputs: int, outputs: int, activation: str, normalisation: str, initialiser: str, rngs):
        wide = outputs * PIECES if activation == "maxout" else outputs
        self.linear = dense(inputs, wide, initialiser, rngs, normalisation)
        make = NORMALISATIONS[normalisation]
        self.norm = None if make is None else make(wide, rngs=rngs)
        self.activation = activation

    def __call__(self, x: Float[Array, "n inputs"]) -> Float[Array, "n outputs"]:
        x = self.linear(x)
        x = x if self.norm is None else self.norm(x)
        return ACTIVATIONS[self.activation](x)


class Mlp(nnx.Module):
    """Dense layers one after the other; made by the recipe `mlp`."""

    def __init__(self, recipe: "MlpRecipe", rngs: nnx.Rngs):
        self.depth = len(recipe.widths) - 1
        self.group = recipe.minibatch_stddev
        self.compares = max(self.depth - 2, 0)  # the layer that is told how much the samples of a group differ
        self.projects = recipe.conditioning == "projection"
        for i, (inputs, outputs) in enumerate(zip(recipe.widths[:-1], recipe.widths[1:], strict=True)):
            last = i == self.depth - 1
            activation = recipe.output if last else recipe.activation
            normalisation = recipe.normalisation if not last or recipe.normalisation == "spectral" else "none"
            joined = recipe.classes if i == 0 and not self.projects else 0
            told = int(bool(self.group) and i == self.compares) + joined
            setattr(
                self,
                f"layer_{i}",
                Layer(inputs + told, outputs, activation, normalisation, recipe.initialiser, rngs),
            )
        self.classes, hidden, initialiser = recipe.classes, recipe.widths[-2] + told, recipe.initialiser
        self.heads = Layer(hidden, recipe.heads, "identity", normalisation, initialiser, rngs) if recipe.heads else None
        self.by_label = Projection(self.classes, hidden, initialiser, normalisation, rngs) if self.projects else None

    def __call__(
        self, x: Float[Array, "n ..."], labels: Labels | None = None
    ) -> Float[Array, "n outputs"] | tuple[Float[Array, "n outputs"], Float[Array, "n heads"]]:
        x = x.reshape(x.shape[0], -1)
        if self.classes or labels is not None:
            told = one_hot(labels, self.classes, len(x)).astype(x.dtype)
            x = x if self.projects else jnp.concatenate([x, told], axis=1)
        for i in range(self.depth):
            x = with_stddev(x, self.group) if self.group and i == self.compares else x
            hidden, x = x, getattr(self, f"layer_{i}")(x)
        x = x if self.by_label is None else x + self.by_label(hidden, told)
        return x if self.heads is None else (x, self.heads(hidden))


@dataclass(frozen=True)
class MlpRecipe:
    """What `mlp` returns: hashable, so that it can be part of a `Gan`, and callable, so that it builds an `Mlp`."""

    widths: tuple[int, ...]
    activation: str
    output: str
    normalisation: str
    initialiser: str
    minibatch_stddev: int = 0
    classes: int = 0
    heads: int = 0
    conditioning: str = "concatenate"

    @property
    def inputs(self) -> int:
        """Numbers a sample that goes in, the label not counted: for a generator, the dimension of its latent."""
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
    classes: int = 0,
    heads: int = 0,
    conditioning: str = "concatenate",
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
        classes: labels that the network is told: `module(x, labels)` takes whole numbers from 0 to classes - 1, shape
            (n,), and each joins its input as a row that is 1 at the label (Mirza and Osindero 2014, "Conditional
            Generative Adversarial Nets"); the first width stays without them. 0 for a network that is told none.
        heads: further outputs of a discriminator, from its last hidden layer: `module(x)` is then the pair of the
            logits, shape (n, 1), and of these, shape (n, heads). For an auxiliary classifier or InfoGAN's code.
        conditioning: how it is told labels: "concatenate", as above, or, of a discriminator, "projection": its logit
            gains the product of the last hidden layer with a vector of the label's (Miyato and Koyama 2018, "cGANs with
            Projection Discriminator", equation 3).

    Returns:
        A recipe: call it with `nnx.Rngs` to build the module; hand it to `Gan` as it is.

    Raises:
        ValueError: fewer than two widths, one that is not a positive whole number, a group of 1, or a projection
            without classes or of several outputs.
        UnknownName: a name that is not on its menu.

    >>> module = mlp(2, 64, 64, 1)(nnx.Rngs(0))
    >>> module(jnp.zeros((5, 2))).shape
    (5, 1)
    >>> told = mlp(2, 64, 64, 1, classes=8)(nnx.Rngs(0))
    >>> told(jnp.zeros((5, 2)), jnp.arange(5)).shape
    (5, 1)
    """
    if len(widths) < 2:
        raise ValueError(f"an MLP needs at least an input and an output width, got {widths}; try mlp(2, 64, 64, 2)")
    for width in widths:
        check_count(width, "each width")
    for name in (activation, output):
        ACTIVATIONS[name]
    NORMALISATIONS[normalisation], INITIALISERS[initialiser]
    for count, name in ((minibatch_stddev, "minibatch_stddev"), (classes, "classes"), (heads, "heads")):
        check_count(count, name, least=0)
    if minibatch_stddev == 1:
        raise ValueError("minibatch_stddev must be 0, for none, or a group of at least 2 samples to compare, got 1")
    D_CONDITIONINGS[conditioning]
    if conditioning == "projection" and (not classes or widths[-1] != 1):
        raise ValueError(
            "conditioning='projection' adds to a logit what a label says: it needs classes of at least 1 and one "
            f"output, got classes={classes} and {widths[-1]} outputs"
        )
    return MlpRecipe(
        tuple(map(int, widths)), activation, output, normalisation, initialiser, int(minibatch_stddev), int(classes),
        int(heads), conditioning,
    )  # fmt: skip
