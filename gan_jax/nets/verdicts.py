"""Features of an image and its label come in; a discriminator's answer goes out: the logit, and further outputs."""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .groups import minibatch_stddev
from .menus import INITIALISERS
from .spectral import Spectral, dense

Rows = Float[Array, "n features"]
Answer = Float[Array, "n 1"] | tuple[Float[Array, "n 1"], Float[Array, "n heads"]]


class Verdict(nnx.Module):
    """The last layer of a discriminator: a dense layer to the logit, the label's projection, and heads beside it."""

    def __init__(self, features: int, recipe: Any, rngs: nnx.Rngs):
        divided = "spectral" if recipe.normalisation == "spectral" else "none"
        projected = recipe.classes and recipe.conditioning == "projection"
        self.group = recipe.minibatch_stddev
        self.by_label = Projection(recipe.classes, features, recipe.initialiser, divided, rngs) if projected else None
        features += bool(self.group)
        self.dense = dense(features, 1, recipe.initialiser, rngs, divided)
        self.heads = dense(features, recipe.heads, recipe.initialiser, rngs, divided) if recipe.heads else None

    def __call__(self, features: Rows, told: Float[Array, "n classes"]) -> Answer:
        toward = 0 if self.by_label is None else self.by_label(features, told)
        seen = minibatch_stddev(features, self.group) if self.group else features
        logits = self.dense(seen) + toward
        return logits if self.heads is None else (logits, self.heads(seen))


class Projection(nnx.Module):
    """How far a sample's features point in the direction of its label: `sum_j features_j V[label, j]`.

    Source: Miyato and Koyama 2018, "cGANs with Projection Discriminator", equation 3.
    """

    def __init__(self, classes: int, features: int, initialiser: str, normalisation: str, rngs: nnx.Rngs):
        init, divided = INITIALISERS[initialiser], normalisation == "spectral"
        self.table = Spectral((classes, features), init, rngs) if divided else None
        self.kernel = None if divided else nnx.Param(init(rngs.params(), (classes, features)))

    def __call__(self, features: Rows, told: Float[Array, "n classes"]) -> Float[Array, "n 1"]:
        directions = self.kernel[...] if self.table is None else self.table.weights()  # type: ignore[index]
        return jnp.sum(features * (told @ directions), axis=1, keepdims=True)
