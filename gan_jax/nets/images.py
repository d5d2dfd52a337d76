"""Shapes and names come in; the layers of image networks go out: convolutions up and down, each with what follows."""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from ..errors import Menu, check_count
from .convolutions import conv, conv_transposed
from .dropout import Dropout
from .labels import ConditionalBatchNorm
from .menus import ACTIVATIONS, INITIALISERS, biased
from .spectral import SpectralConv

Images = Float[Array, "n h w c"]
Others = Float[Array, "n h2 w2 c2"]

IMAGE_ACTIVATIONS: Menu[Callable] = Menu(
    "activation",
    {name: made for name, made in ACTIVATIONS.items() if name != "maxout"}
    | {"leaky_relu_0.3": functools.partial(jax.nn.leaky_relu, negative_slope=0.3)},
)
"""Activations of image networks. "leaky_relu" has the slope 0.2 of Radford et al., "leaky_relu_0.3" that of Keras."""


class Conv(nnx.Module):
    """`conv(x, kernel, stride) + bias`, the bias where there is one; where it is transposed, `conv_transposed`."""

    def __init__(self, shape, stride: int, initialiser: str, rngs: nnx.Rngs, *, bias: bool, transposed: bool = False):
        self.kernel = nnx.Param(INITIALISERS[initialiser](rngs.params(), shape))
        self.bias = nnx.Param(jnp.zeros(shape[-1])) if bias else None
        self.stride, self.transposed = stride, transposed

    def __call__(self, x: Images) -> Others:
        convolve = conv_transposed if self.transposed else conv
        x = convolve(x, self.kernel[...], stride=self.stride)
        return x if self.bias is None else x + self.bias[...][None, None, None, :]


def convolution(shape, stride: int, initialiser: str, rngs: nnx.Rngs, normalisation: str) -> nnx.Module:
    """Make a convolution as this normalisation wants it: "spectral" divides its weights, "batch" leaves no bias."""
    if normalisation == "spectral":
        return SpectralConv(shape, stride, INITIALISERS[initialiser], rngs)
    return Conv(shape, stride, initialiser, rngs, bias=biased(normalisation))


def shuffled(x: Images, factor: int) -> Others:
    """Lay the channels of each pixel out as a block of pixels: (n, h, w, factor^2 c) to (n, factor h, factor w, c).

    The channels of a pixel stand in the order (row of the block, column of the block, channel).

    Source: Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
    Convolutional Neural Network", section 3.

    >>> shuffled(jnp.arange(4.0).reshape(1, 1, 1, 4), 2)[0, :, :, 0].tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """
    n, h, w, channels = x.shape
    blocks = x.reshape(n, h, w, factor, factor, channels // factor**2)
    return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(n, factor * h, factor * w, channels // factor**2)


def enlarged(x: Images, factor: int) -> Others:
    """Repeat each pixel `factor` times in both directions: the nearest neighbour's resize.

    >>> enlarged(jnp.array([[[[1.0], [2.0]]]]), 2)[0, :, :, 0].tolist()
    [[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]
    """
    n, h, w, channels = x.shape
    blocks = jnp.broadcast_to(x[:, :, None, :, None, :], (n, h, factor, w, factor, channels))
    return blocks.reshape(n, factor * h, factor * w, channels)


class Upsampled(nnx.Module):
    """Twice the side, then a convolution of stride 1: each pixel repeated ("resize"), or four times as many channels
    laid out as blocks of 2 x 2 pixels ("subpixel", where the convolution comes first)."""

    def __init__(self, shape, subpixel: bool, initialiser: str, rngs: nnx.Rngs, *, bias: bool):
        h, w, inputs, outputs = shape
        self.subpixel = subpixel
        self.conv = Conv((h, w, inputs, outputs * (4 if subpixel else 1)), 1, initialiser, rngs, bias=bias)

    def __call__(self, x: Images) -> Others:
        return shuffled(self.conv(x), 2) if self.subpixel else self.conv(enlarged(x, 2))


UPSAMPLINGS: Menu[str] = Menu(
    "upsampling",
    {
        "transposed": "a transposed convolution of stride 2",
        "subpixel": "a convolution to four times the channels, laid out as blocks of 2 x 2 pixels",
        "resize": "each pixel repeated, then a convolution (Odena et al. 2016, on checkerboards)",
    },
)
"""How a generator doubles the side of an image."""


def up(kind: str, shape, initialiser: str, rngs: nnx.Rngs, *, bias: bool) -> nnx.Module:
    """Make a layer that doubles the side; shape is the kernel's, (height, width, inputs, outputs)."""
    if kind == "transposed":
        return Conv(shape, 2, initialiser, rngs, bias=bias, transposed=True)
    return Upsampled(shape, kind == "subpixel", initialiser, rngs, bias=bias)


class SampleNorm(nnx.Module):
    """Layer norm of images: each sample less its mean, over its deviation, then a scale and a shift for each channel.

    Source: Ba et al. 2016, "Layer Normalization"; for critics under a gradient penalty Gulrajani et al. 2017.
    """

    def __init__(self, features: int, rngs: nnx.Rngs):
        self.scale, self.shift = nnx.Param(jnp.ones(features)), nnx.Param(jnp.zeros(features))

    def __call__(self, x: Float[Array, "n ... features"]) -> Float[Array, "n ... features"]:
        axes, last = tuple(range(1, x.ndim)), (1,) * (x.ndim - 1) + (-1,)
        wide = x.astype(jnp.float32)
        mean, variance = jnp.mean(wide, axes, keepdims=True), jnp.var(wide, axes, keepdims=True)
        y = ((wide - mean) * jax.lax.rsqrt(variance + 1e-5)).astype(x.dtype)
        return y * self.scale[...].reshape(last) + self.shift[...].reshape(last)


class Finish(nnx.Module):
    """What follows a layer's products: normalisation, for each class its own where it is told labels; activation;
    dropout."""

    def __init__(
        self,
        features: int,
        rngs: nnx.Rngs,
        *,
        activation: str,
        normalisation: str = "none",
        classes: int = 0,
        dropout: float = 0.0,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
    ):
        self.activation, self.told = activation, bool(classes) and normalisation == "batch"
        if self.told:
            norm: nnx.Module | None = ConditionalBatchNorm(features, classes, momentum, epsilon, rngs)
        elif normalisation == "batch":
            norm = nnx.BatchNorm(features, momentum=momentum, epsilon=epsilon, rngs=rngs)
        else:
            norm = SampleNorm(features, rngs) if normalisation == "layer" else None
        self.norm = norm
        self.dropout = Dropout(dropout, rngs) if dropout else None

    def __call__(self, x: Float[Array, "n ... features"], labels: Float[Array, "n classes"]) -> Float[Array, "n ..."]:
        if self.norm is not None:
            x = self.norm(x, labels) if self.told else self.norm(x)
        x = IMAGE_ACTIVATIONS[self.activation](x)
        return x if self.dropout is None else self.dropout(x)


def halvings(image_shape: tuple[int, int, int]) -> int:
    """How often networks halve an image: while both sides are even, to 4 pixels, and of a small image to 2.

    >>> halvings((28, 28, 1)), halvings((32, 32, 3)), halvings((8, 8, 1))
    (2, 3, 2)
    """
    sides: tuple[int, ...] = image_shape[:2]
    times = 0
    while all(side % 2 == 0 for side in sides) and (min(sides) > 4 or (times < 2 and min(sides) > 2)):
        sides, times = tuple(side // 2 for side in sides), times + 1
    return times


def checked_shape(image_shape: Sequence[int]) -> tuple[int, int, int]:
    """Return (height, width, channels) as whole numbers, or say why it is no shape of images that can be halved."""
    if not isinstance(image_shape, Sequence) or len(image_shape) != 3:
        raise ValueError(f"image_shape must be (height, width, channels), such as (28, 28, 1), got {image_shape!r}")
    for side, name in zip(image_shape, ("height", "width", "channels"), strict=True):
        check_count(side, f"the {name} in image_shape")
    height, width, channels = map(int, image_shape)
    if not halvings((height, width, channels)):
        fitting = tuple(max(4, 4 * -(-side // 4)) for side in (height, width))
        raise ValueError(
            f"images of {height} x {width} cannot be halved by a convolution of stride 2: both sides must be even and "
            f"at least 4; pad them to {fitting[0]} x {fitting[1]} and give image_shape={(*fitting, channels)}"
        )
    return height, width, channels
