"""A latent's size and an image's shape come in; the recipes of a DCGAN's generator and discriminator go out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from ..errors import check_count
from .dropout import check_rate
from .images import UPSAMPLINGS, Conv, Finish, checked_shape, convolution, halvings, up
from .labels import Labels
from .menus import biased
from .recipes import ImageDiscriminatorRecipe, ImageGeneratorRecipe, check_discriminator, check_generator
from .spectral import dense
from .verdicts import Answer, Verdict

KERAS = {"momentum": 0.99, "epsilon": 1e-3}
"""Batch norm as Keras has it, and so the tutorial."""


class DcganGenerator(nnx.Module):
    """A dense layer to a small image of many channels, doubled until it is as large as asked; made by its recipe."""

    def __init__(self, recipe: "DcganGeneratorRecipe", rngs: nnx.Rngs):
        self.recipe, r = recipe, recipe
        height, width, colours = r.image_shape
        times = halvings(r.image_shape)
        widths = [r.width * 2**i for i in reversed(range(times))]
        if r.tutorial:
            widths = [2 * widths[0], *widths]
        self.small = height // 2**times, width // 2**times, widths[0]
        rules: dict[str, Any] = {"activation": r.activation, "normalisation": r.normalisation}
        rules |= {"classes": r.classes_in_norm} | (KERAS if r.tutorial else {})

        numbers = self.small[0] * self.small[1] * self.small[2]
        self.dense = dense(r.rows, numbers, r.initialiser, rngs, r.normalisation)
        self.dense_finish = Finish(numbers if r.tutorial else self.small[2], rngs, **rules)
        self.layers = len(widths)
        for i, (inputs, outputs) in enumerate(zip(widths, [*widths[1:], colours], strict=True)):
            shape = (r.kernel, r.kernel, inputs, outputs)
            last = i == self.layers - 1
            bias = biased("none" if last and not r.tutorial else r.normalisation)
            if r.tutorial and i == 0:
                layer: nnx.Module = Conv(shape, 1, r.initialiser, rngs, bias=bias, transposed=True)
            else:
                layer = up(r.upsampling, shape, r.initialiser, rngs, bias=bias)
            setattr(self, f"layer_{i}", layer)
            if not last:
                setattr(self, f"finish_{i}", Finish(outputs, rngs, **rules))

    def __call__(self, z: Float[Array, "n latent_dim"], labels: Labels | None = None) -> Float[Array, "n h w c"]:
        x, told = self.recipe.joined(z, labels)
        x = self.dense(x)
        if self.recipe.tutorial:
            x = self.dense_finish(x, told).reshape(-1, *self.small)
        else:
            x = self.dense_finish(x.reshape(-1, *self.small), told)
        for i in range(self.layers):
            x = getattr(self, f"layer_{i}")(x)
            x = getattr(self, f"finish_{i}")(x, told) if i < self.layers - 1 else jnp.tanh(x)
        return x


class DcganDiscriminator(nnx.Module):
    """Convolutions of stride 2 until the image is small, then a dense layer to a logit; made by its recipe."""

    def __init__(self, recipe: "DcganDiscriminatorRecipe", rngs: nnx.Rngs):
        self.recipe, r = recipe, recipe
        height, width, _ = r.image_shape
        channels = r.planes
        self.layers = halvings(r.image_shape)
        for i in range(self.layers):
            outputs = r.width * 2**i
            shape = (r.kernel, r.kernel, channels, outputs)
            # of activations not in the layer that sees the images; of weights in every one
            normalisation = r.normalisation if i or r.normalisation == "spectral" else "none"
            setattr(self, f"layer_{i}", convolution(shape, 2, r.initialiser, rngs, normalisation))
            finish = Finish(outputs, rngs, activation=r.activation, normalisation=normalisation, dropout=r.dropout)
            setattr(self, f"finish_{i}", finish)
            channels = outputs
        self.verdict = Verdict((height >> self.layers) * (width >> self.layers) * channels, r, rngs)

    def __call__(self, x: Float[Array, "n ..."], labels: Labels | None = None) -> Answer:
        x, told = self.recipe.seen(x, labels)
        for i in range(self.layers):
            x = getattr(self, f"finish_{i}")(getattr(self, f"layer_{i}")(x), told)
        return self.verdict(x.reshape(len(x), -1), told)


@dataclass(frozen=True, repr=False)
class DcganGeneratorRecipe(ImageGeneratorRecipe):
    """What `dcgan_generator` returns: hashable, and callable with `nnx.Rngs`."""

    upsampling: str
    kernel: int
    tutorial: bool = False

    @staticmethod
    def maker() -> Callable[..., "DcganGeneratorRecipe"]:
        return dcgan_generator

    def published(self) -> "DcganGeneratorRecipe":
        return tutorial_generator()

    def __call__(self, rngs: nnx.Rngs) -> DcganGenerator:
        return DcganGenerator(self, rngs)


@dataclass(frozen=True, repr=False)
class DcganDiscriminatorRecipe(ImageDiscriminatorRecipe):
    """What `dcgan_discriminator` returns: hashable, and callable with `nnx.Rngs`."""

    kernel: int
    dropout: float
    tutorial: bool = False

    @staticmethod
    def maker() -> Callable[..., "DcganDiscriminatorRecipe"]:
        return dcgan_discriminator

    def published(self) -> "DcganDiscriminatorRecipe":
        return tutorial_discriminator()

    def __call__(self, rngs: nnx.Rngs) -> DcganDiscriminator:
        return DcganDiscriminator(self, rngs)


def dcgan_generator(
    latent_dim: int = 100,
    image_shape: tuple[int, int, int] = (28, 28, 1),
    width: int = 64,
    *,
    upsampling: str = "transposed",
    normalisation: str = "batch",
    activation: str = "relu",
    initialiser: str = "normal_0.02",
    kernel: int = 5,
    classes: int = 0,
    conditioning: str = "concatenate",
) -> DcganGeneratorRecipe:
    """Describe a DCGAN's generator: dense, then convolutions that double the side, tanh at the end.

    Args:
        latent_dim: numbers in z.
        image_shape: (height, width, channels); the sides are halved as `halvings` says: 28 to 7, 32 to 4, 8 to 2.
        width: channels of the layer before the image, doubled with each halving of the side.
        upsampling: name in `UPSAMPLINGS`.
        normalisation: "batch" as published, "none", or "layer"; before each activation, not at the output. A layer
            that batch norm follows has no bias, here and in all networks: see `biased`.
        activation: name in `IMAGE_ACTIVATIONS`.
        initialiser: name in `INITIALISERS`, for the weights.
        kernel: side of the kernels, in pixels.
        classes: labels that it is told: `module(z, labels)`; 0 for none.
        conditioning: how it is told: "concatenate" joins a row that is 1 at the label to z (Mirza and Osindero 2014);
            "batch_norm" gives each label its own scale and shift after each normalisation (see `ConditionalBatchNorm`).

    Returns:
        A recipe. Its modules map z, shape (n, latent_dim), to images in [-1, 1], shape (n, *image_shape). Batch norm
        keeps running means with momentum 0.9 and adds 1e-5 to the variance, as the authors' code does.

    Raises:
        ValueError: sides that cannot be halved, a number that is no count, or a conditional norm without batch norm.
        UnknownName: a name that is not on its menu.

    Source: Radford et al. 2016, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
    Networks", section 3.

    >>> dcgan_generator(16, (8, 8, 1), 4)(nnx.Rngs(0))(jnp.zeros((2, 16))).shape
    (2, 8, 8, 1)
    >>> dcgan_generator(16, upsampling="resize")
    nets.dcgan_generator(16, (28, 28, 1), 64, upsampling='resize')
    """
    UPSAMPLINGS[upsampling]
    check_generator(latent_dim, normalisation, activation, initialiser, classes, conditioning)
    check_count(width, "width")
    check_count(kernel, "kernel")
    return DcganGeneratorRecipe(
        checked_shape(image_shape), int(width), int(classes), int(latent_dim), normalisation, activation, initialiser,
        conditioning, upsampling, int(kernel),
    )  # fmt: skip


def dcgan_discriminator(
    image_shape: tuple[int, int, int] = (28, 28, 1),
    width: int = 64,
    *,
    normalisation: str = "none",
    activation: str = "leaky_relu",
    initialiser: str = "normal_0.02",
    kernel: int = 5,
    dropout: float | int = 0.0,
    classes: int = 0,
    conditioning: str = "concatenate",
    heads: int = 0,
    minibatch_stddev: int = 0,
) -> DcganDiscriminatorRecipe:
    """Describe a DCGAN's discriminator: convolutions of stride 2, then a dense layer to one logit.

    Args:
        image_shape: (height, width, channels), halved as in `dcgan_generator`; with `Gan(packing=p)`, p times the
            channels.
        width: channels after the first convolution, doubled with each further one.
        normalisation: "none"; "batch" (published) or "layer" after each convolution but the first; "spectral" in every
            layer.
        activation: name in `IMAGE_ACTIVATIONS`.
        initialiser: name in `INITIALISERS`, for the weights.
        kernel: side of the kernels, in pixels.
        dropout: share of the features set to 0 after each activation while it trains.
        classes: labels that it is told: `module(x, labels)`; 0 for none.
        conditioning: how it is told: "concatenate" adds a plane a class to the image, 1 for the label's; "projection"
            adds the features' product with a vector of the label's to the logit (Miyato and Koyama 2018).
        heads: further outputs beside the logit, from the same features: the module gives the pair of shapes (n, 1)
            and (n, heads).
        minibatch_stddev: samples a group that are compared before the last layer, see `minibatch_stddev`; 0 for none.

    Returns:
        A recipe. Its modules map images, shape (n, *image_shape) or flat, to logits, shape (n, 1).

    Raises:
        ValueError: sides that cannot be halved, a number that is no count, or a rate outside [0, 1).
        UnknownName: a name that is not on its menu.

    Source: Radford et al. 2016, section 3.

    >>> module = dcgan_discriminator((8, 8, 1), 4, classes=10, conditioning="projection")(nnx.Rngs(0))
    >>> module(jnp.zeros((2, 8, 8, 1)), jnp.array([3, 5])).shape
    (2, 1)
    """
    check_discriminator(normalisation, activation, initialiser, conditioning, classes, heads, minibatch_stddev)
    check_rate(dropout)
    check_count(width, "width")
    check_count(kernel, "kernel")
    return DcganDiscriminatorRecipe(
        checked_shape(image_shape), int(width), int(classes), normalisation, activation, initialiser, conditioning,
        int(heads), int(minibatch_stddev), int(kernel), float(dropout),
    )  # fmt: skip


def tutorial_generator() -> DcganGeneratorRecipe:
    """The generator of TensorFlow's DCGAN tutorial: 100 numbers to 28 x 28 x 1, 2,330,944 numbers (batch norm's running
    means and variances among them).

    Dense to 7 x 7 x 256, batch norm of each of these numbers; transposed convolutions with 5 x 5 kernels and no biases
    to 128 (stride 1), 64 and 1 channels (stride 2), with batch norm (momentum 0.99, epsilon 1e-3) and leaky ReLU (0.3)
    between them; tanh.

    Source: tensorflow.org/tutorials/generative/dcgan.

    >>> tutorial_generator().inputs
    100
    """
    usual = dcgan_generator(activation="leaky_relu_0.3", initialiser="glorot")
    return replace(usual, tutorial=True)


def tutorial_discriminator() -> DcganDiscriminatorRecipe:
    """The discriminator of TensorFlow's DCGAN tutorial: 28 x 28 x 1 to a logit, 212,865 parameters.

    Convolutions with 5 x 5 kernels, stride 2 and biases to 64 and 128 channels, each with leaky ReLU (0.3) and dropout
    (0.3); dense.

    Source: tensorflow.org/tutorials/generative/dcgan.

    >>> tutorial_discriminator().inputs
    784
    """
    usual = dcgan_discriminator(activation="leaky_relu_0.3", initialiser="glorot", dropout=0.3)
    return replace(usual, tutorial=True)
