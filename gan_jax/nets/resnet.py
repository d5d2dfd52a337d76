"""A latent's size and an image's shape come in; the recipes of a small residual generator and discriminator go out."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from ..errors import check_count
from .images import IMAGE_ACTIVATIONS, Conv, Finish, Images, Others, checked_shape, convolution, enlarged, halvings
from .labels import Labels
from .recipes import ImageDiscriminatorRecipe, ImageGeneratorRecipe, check_discriminator, check_generator
from .spectral import dense
from .verdicts import Answer, Verdict


def halved(x: Images) -> Others:
    """Take the mean of each block of 2 x 2 pixels.

    >>> halved(jnp.arange(4.0).reshape(1, 2, 2, 1))[0, 0, 0].tolist()
    [1.5]
    """
    n, h, w, c = x.shape
    return jnp.mean(x.reshape(n, h // 2, 2, w // 2, 2, c), axis=(2, 4))


class ResidualUp(nnx.Module):
    """`x -> up(x) + conv(act(norm(conv(up(act(norm(x)))))))`, where `up` repeats each pixel; the way around has a 1 x 1
    convolution. Under batch norm no convolution has a bias: the way around carries what it would add to the norm of
    each later block, and to the last one, which takes it away."""

    def __init__(self, recipe: "ResnetGeneratorRecipe", rngs: nnx.Rngs):
        self.before, self.between = (recipe.finish(rngs) for _ in range(2))
        self.first, self.second, self.around = (
            convolution((side, side, recipe.width, recipe.width), 1, recipe.initialiser, rngs, recipe.normalisation)
            for side in (3, 3, 1)
        )

    def __call__(self, x: Images, told: Float[Array, "n classes"]) -> Others:
        y = self.first(enlarged(self.before(x, told), 2))
        # a 1 x 1 convolution before the repetition gives what it gives after it, for a quarter of the work
        return self.second(self.between(y, told)) + enlarged(self.around(x), 2)


class ResidualDown(nnx.Module):
    """`x -> down(around(x)) + down(conv(act(conv(act(x)))))`, where `down` takes means over 2 x 2 pixels, or nothing;
    the first block sees the image itself, so its first activation is left out."""

    def __init__(self, inputs: int, recipe: "ResnetDiscriminatorRecipe", rngs: nnx.Rngs, *, first: bool, down: bool):
        width, name, usual = recipe.width, recipe.initialiser, recipe.normalisation
        summed = usual if usual == "spectral" else "none"  # what is summed reaches the verdict without a norm
        self.down = down
        self.first = convolution((3, 3, inputs, width), 1, name, rngs, usual)
        self.second = convolution((3, 3, width, width), 1, name, rngs, summed)
        self.around = convolution((1, 1, inputs, width), 1, name, rngs, summed) if first or down else None
        self.before = Finish(inputs, rngs, activation="identity" if first else recipe.activation,
                             normalisation="none" if first else usual)  # fmt: skip
        self.between = Finish(width, rngs, activation=recipe.activation, normalisation=usual)

    def __call__(self, x: Images, told: Float[Array, "n classes"]) -> Others:
        y = self.second(self.between(self.first(self.before(x, told)), told))
        around = x if self.around is None else self.around(halved(x) if self.down else x)
        return around + (halved(y) if self.down else y)


class ResnetGenerator(nnx.Module):
    """A dense layer to a small image, residual blocks that double it, a convolution to colours; made by its recipe."""

    def __init__(self, recipe: "ResnetGeneratorRecipe", rngs: nnx.Rngs):
        self.recipe, r = recipe, recipe
        height, width, colours = r.image_shape
        self.blocks = halvings(r.image_shape)
        self.small = height >> self.blocks, width >> self.blocks, r.width
        # batch norm leaves of its biases what differs from pixel to pixel
        self.dense = dense(r.rows, self.small[0] * self.small[1] * r.width, r.initialiser, rngs)
        for i in range(self.blocks):
            setattr(self, f"block_{i}", ResidualUp(r, rngs))
        self.finish = r.finish(rngs)
        self.colours = Conv((3, 3, r.width, colours), 1, r.initialiser, rngs, bias=True)

    def __call__(self, z: Float[Array, "n latent_dim"], labels: Labels | None = None) -> Float[Array, "n h w c"]:
        x, told = self.recipe.joined(z, labels)
        x = self.dense(x).reshape(-1, *self.small)
        for i in range(self.blocks):
            x = getattr(self, f"block_{i}")(x, told)
        return jnp.tanh(self.colours(self.finish(x, told)))


class ResnetDiscriminator(nnx.Module):
    """Two residual blocks that halve the image, two that do not, a sum over the pixels; made by its recipe."""

    def __init__(self, recipe: "ResnetDiscriminatorRecipe", rngs: nnx.Rngs):
        self.recipe, r = recipe, recipe
        channels, downs = r.planes, min(2, halvings(r.image_shape))
        self.blocks = downs + 2
        for i in range(self.blocks):
            block = ResidualDown(channels, r, rngs, first=i == 0, down=i < downs)
            setattr(self, f"block_{i}", block)
            channels = r.width
        self.verdict = Verdict(r.width, r, rngs)

    def __call__(self, x: Float[Array, "n ..."], labels: Labels | None = None) -> Answer:
        x, told = self.recipe.seen(x, labels)
        for i in range(self.blocks):
            x = getattr(self, f"block_{i}")(x, told)
        return self.verdict(jnp.sum(IMAGE_ACTIVATIONS[self.recipe.activation](x), axis=(1, 2)), told)


@dataclass(frozen=True, repr=False)
class ResnetGeneratorRecipe(ImageGeneratorRecipe):
    """What `resnet_generator` returns: hashable, and callable with `nnx.Rngs`."""

    @staticmethod
    def maker() -> Callable[..., "ResnetGeneratorRecipe"]:
        return resnet_generator

    def finish(self, rngs: nnx.Rngs) -> Finish:
        """Make what precedes each of its convolutions."""
        return Finish(self.width, rngs, activation=self.activation, normalisation=self.normalisation,
                      classes=self.classes_in_norm)  # fmt: skip

    def __call__(self, rngs: nnx.Rngs) -> ResnetGenerator:
        return ResnetGenerator(self, rngs)


@dataclass(frozen=True, repr=False)
class ResnetDiscriminatorRecipe(ImageDiscriminatorRecipe):
    """What `resnet_discriminator` returns: hashable, and callable with `nnx.Rngs`."""

    @staticmethod
    def maker() -> Callable[..., "ResnetDiscriminatorRecipe"]:
        return resnet_discriminator

    def __call__(self, rngs: nnx.Rngs) -> ResnetDiscriminator:
        return ResnetDiscriminator(self, rngs)


def resnet_generator(
    latent_dim: int = 128,
    image_shape: tuple[int, int, int] = (32, 32, 3),
    width: int = 128,
    *,
    normalisation: str = "batch",
    activation: str = "relu",
    initialiser: str = "glorot",
    classes: int = 0,
    conditioning: str = "concatenate",
) -> ResnetGeneratorRecipe:
    """Describe a small residual generator: dense, a residual block for each doubling of the side, tanh at the end.

    Args:
        latent_dim: numbers in z.
        image_shape: (height, width, channels), halved as in `dcgan_generator`.
        width: channels of every block: 128 in WGAN-GP's network for 32 x 32 x 3, 256 in that of spectral norm.
        normalisation: "batch", "none" or "layer", before each activation.
        activation: name in `IMAGE_ACTIVATIONS`.
        initialiser: name in `INITIALISERS`.
        classes, conditioning: as in `dcgan_generator`.

    Returns:
        A recipe. Its modules map z, shape (n, latent_dim), to images in [-1, 1], shape (n, *image_shape).

    Raises:
        ValueError, UnknownName: as `dcgan_generator` does.

    Source: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", appendix F; Miyato et al. 2018, "Spectral
    Normalization for Generative Adversarial Networks", table 4. Here the pixels of a small image are 2 x 2.

    >>> resnet_generator(16, (8, 8, 1), 4)(nnx.Rngs(0))(jnp.zeros((2, 16))).shape
    (2, 8, 8, 1)
    """
    check_generator(latent_dim, normalisation, activation, initialiser, classes, conditioning)
    check_count(width, "width")
    return ResnetGeneratorRecipe(
        checked_shape(image_shape), int(width), int(classes), int(latent_dim), normalisation, activation, initialiser,
        conditioning,
    )  # fmt: skip


def resnet_discriminator(
    image_shape: tuple[int, int, int] = (32, 32, 3),
    width: int = 128,
    *,
    normalisation: str = "none",
    activation: str = "relu",
    initialiser: str = "glorot",
    classes: int = 0,
    conditioning: str = "concatenate",
    heads: int = 0,
    minibatch_stddev: int = 0,
) -> ResnetDiscriminatorRecipe:
    """Describe a small residual discriminator: two blocks that halve the image, two that do not, a sum over pixels.

    Args:
        image_shape: (height, width, channels).
        width: channels of every block: 128 in both papers.
        normalisation: "none", "spectral" in every layer, "layer", or "batch", in the blocks but the first layer.
        activation: name in `IMAGE_ACTIVATIONS`.
        initialiser: name in `INITIALISERS`.
        classes, conditioning, heads, minibatch_stddev: as in `dcgan_discriminator`.

    Returns:
        A recipe. Its modules map images, shape (n, *image_shape) or flat, to logits, shape (n, 1).

    Raises:
        ValueError, UnknownName: as `dcgan_discriminator` does.

    Source: as of `resnet_generator`; the sum over pixels is spectral norm's.

    >>> resnet_discriminator((8, 8, 1), 4, normalisation="spectral")(nnx.Rngs(0))(jnp.zeros((2, 64))).shape
    (2, 1)
    """
    check_discriminator(normalisation, activation, initialiser, conditioning, classes, heads, minibatch_stddev)
    check_count(width, "width")
    return ResnetDiscriminatorRecipe(
        checked_shape(image_shape), int(width), int(classes), normalisation, activation, initialiser, conditioning,
        int(heads), int(minibatch_stddev),
    )  # fmt: skip
