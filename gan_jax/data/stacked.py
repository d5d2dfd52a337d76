"""A data set of grey images comes in; a target whose samples are three of them as three channels goes out."""

import functools
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32, Key

from .images import Dataset, digits

CHANNELS = 3


@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class Stacked:
    """Three independent grey images as the channels of one, the standard test of mode collapse on images.

    With ten classes a channel there are 1,000 classes of triples, far more than the eye can count and few enough for
    a classifier: `metrics.classes_reached` does it. The class of a triple is its three digits read as one number,
    `100 c_0 + 10 c_1 + c_2`. Make one with `stacked` or `stacked_digits`.

    Args:
        source: the grey images that are stacked; its `labels` are the classes of a channel.
        flat: whether a sample is a vector of height x width x 3 numbers, as an MLP takes it.
    """

    source: Dataset
    flat: bool = field(default=True, metadata={"static": True})

    @property
    def name(self) -> str:
        return f"stacked {self.source.name}"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image; the channels are 3."""
        height, width, _ = self.source.image_shape
        return height, width, CHANNELS

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample: (height x width x 3,) if flat, else (height, width, 3)."""
        height, width, channels = self.image_shape
        return (height * width * channels,) if self.flat else (height, width, channels)

    def sample(self, key: Key[Array, ""], n: int) -> Float[Array, "n ..."]:
        """Draw n triples, every channel uniformly and independently, as float32 in [-1, 1], shape (n, *shape)."""
        return self.sample_with_classes(key, n)[0]

    def sample_with_classes(self, key: Key[Array, ""], n: int) -> tuple[Float[Array, "n ..."], Int32[Array, " n"]]:
        """Draw what `sample` draws with the same key, and the true class of each, from 0 to 999."""
        source = self.source
        index = jax.random.randint(key, (n, CHANNELS), 0, len(source))
        batch = jnp.moveaxis(source.images[index, :, :, 0], 1, -1).astype(jnp.float32)
        places = jnp.array([[100, 10, 1]], jnp.int32)
        # scaled last, as in `Dataset.sample`
        scaled = (2 * batch - source.peak) / source.peak
        return scaled.reshape(n, *self.shape), jnp.sum(source.labels[index] * places, axis=1)


def stacked(source: Dataset, *, flat: bool = True) -> Stacked:
    """Stack the images of a data set three deep; of `mnist()` that is the published Stacked MNIST, 28x28x3.

    Args:
        source: images of one channel, with labels from 0 to 9.
        flat: whether a sample is a vector, as an MLP takes it, or of shape (height, width, 3).

    Returns:
        A `Stacked`: a target without density, as `Dataset` is.

    Raises:
        TypeError: `source` is no `Dataset`.
        ValueError: its images have more than one channel, or a label is not from 0 to 9.

    Source: Metz et al. 2017, "Unrolled Generative Adversarial Networks", section 3.3.1.

    >>> from gan_jax.data import dataset
    >>> grey = dataset(jnp.zeros((20, 4, 5), jnp.uint8), jnp.arange(20) % 10, name="black")
    >>> stacked(grey, flat=False).shape, stacked(grey).name
    ((4, 5, 3), 'stacked black')
    """
    if not isinstance(source, Dataset):
        raise TypeError(f"expected a data set such as data.digits() or data.mnist(), got {source!r}")
    if source.image_shape[2] != 1:
        raise ValueError(
            f"each image becomes one channel, and those of {source.name} have {source.image_shape[2]}; "
            "take grey images, such as data.digits(), data.mnist() or data.fashion_mnist()"
        )
    low, high = int(source.labels.min()), int(source.labels.max())
    if low < 0 or high > 9:
        raise ValueError(f"the classes of a channel are the digits 0 to 9; the labels go from {low} to {high}")
    return Stacked(source, bool(flat))


def stacked_digits(*, flat: bool = True) -> Stacked:
    """Stack the real 8x8 digits of `digits` three deep: 1,000 classes of triples, nothing is downloaded.

    A small Stacked MNIST: the same 1,000 classes, and 192 numbers a sample instead of 2,352.

    >>> target = stacked_digits(flat=False)
    >>> target.shape, len(target.source), stacked_digits().shape
    ((8, 8, 3), 1797, (192,))
    >>> images, classes = target.sample_with_classes(jax.random.key(0), 2)
    >>> images.shape, classes.shape
    ((2, 8, 8, 3), (2,))
    """
    return stacked(digits(), flat=flat)
