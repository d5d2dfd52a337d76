"""Fields of a recipe come in; the recipe goes out: hashable, and shown as the call that makes it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import Menu, check_count
from .images import IMAGE_ACTIVATIONS
from .labels import Labels, one_hot, with_planes
from .menus import INITIALISERS, NORMALISATIONS

G_NORMALISATIONS = Menu("normalisation of a generator", {name: name for name in ("batch", "none", "layer")})
G_CONDITIONINGS = Menu("conditioning of a generator", {name: name for name in ("concatenate", "batch_norm")})
D_CONDITIONINGS = Menu("conditioning of a discriminator", {name: name for name in ("concatenate", "projection")})


def check_generator(latent_dim, normalisation, activation, initialiser, classes, conditioning) -> None:
    """Raise unless a generator can be made of these."""
    check_count(latent_dim, "latent_dim")
    check_count(classes, "classes", least=0)
    G_NORMALISATIONS[normalisation], IMAGE_ACTIVATIONS[activation], INITIALISERS[initialiser]
    G_CONDITIONINGS[conditioning]
    if conditioning == "batch_norm" and (normalisation != "batch" or not classes):
        raise ValueError(
            "conditioning by batch norm needs normalisation='batch' and classes of at least 1, got "
            f"normalisation={normalisation!r} and classes={classes}"
        )


def check_discriminator(normalisation, activation, initialiser, conditioning, classes, heads, minibatch_stddev) -> None:
    """Raise unless a discriminator can be made of these."""
    NORMALISATIONS[normalisation], IMAGE_ACTIVATIONS[activation], INITIALISERS[initialiser]
    D_CONDITIONINGS[conditioning]
    for count, name in ((classes, "classes"), (heads, "heads"), (minibatch_stddev, "minibatch_stddev")):
        check_count(count, name, least=0)
    if minibatch_stddev == 1:
        raise ValueError("minibatch_stddev must be 0, for none, or a group of at least 2 samples to compare, got 1")


def check_pair(generator: Any, discriminator: Any, packing: int = 1) -> None:
    """Raise unless a generator's images are those that a discriminator takes.

    Args:
        generator, discriminator: recipes; what is no recipe of image networks is not looked at.
        packing: images that D judges side by side, in its channels.

    Raises:
        ValueError: the shapes differ; the message names both.
    """
    if not (isinstance(generator, ImageRecipe) and isinstance(discriminator, ImageRecipe)):
        return
    height, width, channels = generator.image_shape
    made = height, width, channels * packing
    if made != discriminator.image_shape:
        packs = f" ({packing} of them side by side: {made})" if packing > 1 else ""
        raise ValueError(
            f"the generator makes images of shape {generator.image_shape}{packs}, but the discriminator takes "
            f"{discriminator.image_shape}; give both recipes the target's image_shape"
        )


@dataclass(frozen=True, repr=False)
class ImageRecipe:
    """A recipe of an image network. `repr` is Python: the call of its maker, with what differs from the defaults.

    Attributes:
        image_shape: (height, width, channels) of the images that it makes or judges.
        width: channels of the layer nearest to the image.
        classes: labels that it is told; 0 for none.
    """

    image_shape: tuple[int, int, int]
    width: int
    classes: int

    @staticmethod
    def maker() -> Callable[..., Any]:
        """The function that makes such recipes; its parameters are fields."""
        raise NotImplementedError

    def published(self) -> Any:
        """The tutorial's recipe, for one made from it."""
        raise NotImplementedError

    @property
    def group(self) -> int:
        """Samples whose outputs depend on each other."""
        return 1

    @property
    def pixels(self) -> int:
        """Numbers an image."""
        return int(np.prod(self.image_shape))

    def as_images(self, x: Float[Array, "n ..."]) -> Float[Array, "n h w c"]:
        """Samples as images, flat or not, or an error that names both shapes."""
        if x.ndim < 2 or int(np.prod(x.shape[1:])) != self.pixels:
            raise ValueError(
                f"this network takes images of shape {self.image_shape}, or flat ones of {self.pixels} numbers; "
                f"a sample here has shape {x.shape[1:]}. Change its image_shape to fit the target's."
            )
        return x.reshape(len(x), *self.image_shape)

    def __repr__(self) -> str:
        maker, shown = self.maker(), []
        if getattr(self, "tutorial", False):
            whole = self.published()
            call = f"nets.{maker.__name__.replace('dcgan', 'tutorial')}()"
            own = {f.name: getattr(self, f.name) for f in fields(self)}
            changes = [f"{name}={value!r}" for name, value in own.items() if value != getattr(whole, name)]
            return f"dataclasses.replace({', '.join([call, *changes])})" if changes else call
        for name, parameter in inspect.signature(maker).parameters.items():
            value = getattr(self, name)
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                shown.append(repr(value))
            elif value != parameter.default:
                shown.append(f"{name}={value!r}")
        return f"nets.{maker.__name__}({', '.join(shown)})"


@dataclass(frozen=True, repr=False)
class ImageGeneratorRecipe(ImageRecipe):
    """What the recipes of image generators share.

    Attributes:
        latent_dim: numbers in z.
        normalisation, activation, initialiser: names on the menus.
        conditioning: how it is told labels.
    """

    latent_dim: int
    normalisation: str
    activation: str
    initialiser: str
    conditioning: str

    @property
    def inputs(self) -> int:
        """Numbers in z, the label not counted."""
        return self.latent_dim

    @property
    def heads(self) -> int:
        """A generator has none."""
        return 0

    @property
    def classes_in_norm(self) -> int:
        """Labels with a scale and a shift of their own after each normalisation."""
        return self.classes if self.conditioning == "batch_norm" else 0

    @property
    def rows(self) -> int:
        """Numbers that the first layer takes: z, and the label where it is joined to it."""
        return self.latent_dim + self.classes - self.classes_in_norm

    def joined(
        self, z: Float[Array, "n latent_dim"], labels: Labels | None
    ) -> tuple[Float[Array, "n rows"], Float[Array, "n classes"]]:
        """What the first layer takes, and the labels one-hot."""
        told = one_hot(labels, self.classes, len(z)).astype(z.dtype)
        return z if self.classes_in_norm else jnp.concatenate([z, told], axis=1), told


@dataclass(frozen=True, repr=False)
class ImageDiscriminatorRecipe(ImageRecipe):
    """What the recipes of image discriminators share.

    Attributes:
        normalisation, activation, initialiser: names on the menus.
        conditioning: how it is told labels.
        heads: outputs beside the logit.
        minibatch_stddev: samples of a group that are compared.
    """

    normalisation: str
    activation: str
    initialiser: str
    conditioning: str
    heads: int
    minibatch_stddev: int

    @property
    def planes(self) -> int:
        """Channels that the first layer sees: those of the image, and one a label where labels are planes."""
        return self.image_shape[2] + (self.classes if self.conditioning == "concatenate" else 0)

    def seen(
        self, x: Float[Array, "n ..."], labels: Labels | None
    ) -> tuple[Float[Array, "n h w planes"], Float[Array, "n classes"]]:
        """What the first layer sees, and the labels one-hot."""
        x = self.as_images(x)
        told = one_hot(labels, self.classes, len(x)).astype(x.dtype)
        return with_planes(x, told) if self.conditioning == "concatenate" else x, told

    @property
    def inputs(self) -> int:
        """Numbers in an image, the label not counted."""
        return self.pixels

    @property
    def group(self) -> int:
        """Samples whose outputs depend on each other."""
        return max(self.minibatch_stddev, 1)
