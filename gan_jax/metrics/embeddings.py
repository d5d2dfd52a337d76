"""Images come in; vectors go out that a score of images can compare: the features of a network that is named.

A distance between pixels says little: a digit moved by a pixel is far from itself. The features of a network trained
to read the images put alike what looks alike, and a score is of these features as much as of the generator, which is
why each score's name says which they are. Any function from images to vectors will do:

    import torch, torchvision                      # Inception's features, where its weights can be had
    net = torchvision.models.inception_v3(weights="DEFAULT", transform_input=False).eval()
    net.fc = torch.nn.Identity()                   # 2,048 activations of the last pooling

    @torch.no_grad()
    def inception(images):                         # (n, height, width, 3) in [-1, 1], as `Features` hands them over
        x = torch.tensor(images).permute(0, 3, 1, 2)
        return net(torch.nn.functional.interpolate(x, (299, 299), mode="bilinear")).numpy()

    metrics.frechet_distance(samples, data.cifar10(), metrics.Features("Inception v3", inception, (32, 32, 3)))

Published FIDs come from one particular file of Inception weights and one way to resize; this is neither, and compares
with itself only.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..classifiers import CLASSIFIERS, Classifier
from ..data import Dataset
from ..errors import check_count
from .samples import check_finite

Images = Float[Array | np.ndarray, "n ..."]
Real = Dataset | Float[Array | np.ndarray, "m ..."]
Vectors = Float[np.ndarray, "n d"]
Others = Float[np.ndarray, "m d"]

BLOCK = 1024
"""Images that go through a network at once."""

ENTRIES = 2**22
"""Entries of a table of pairs that are in memory at once, 32 MB each time it is copied."""


@dataclass(frozen=True)
class Features:
    """A function from images to vectors, with a name for titles. Call it with images; make one with `features`.

    Args:
        name: shown beside each score, such as "digits features".
        embed: takes pictures of shape (n, *image_shape) in [-1, 1], returns numbers of shape (n, d).
        image_shape: height, width and channels of the pictures.
        block: how many pictures `embed` is given at once, at most.
    """

    name: str
    embed: Callable[[Any], Any]
    image_shape: tuple[int, int, int]
    block: int = BLOCK

    def __call__(self, images: Images) -> Vectors:
        """Features of images, block by block.

        Args:
            images: in [-1, 1], shape (n, height, width, channels), (n, height, width) for one channel, or flat.

        Returns:
            Float64, shape (n, d).

        Raises:
            ValueError: images of another shape, NaN among them, or an `embed` that gives no vectors.
        """
        pictures = as_pictures(images, self.image_shape)
        parts = [_vectors(self.embed(pictures[i : i + self.block]), self.name) for i in _starts(pictures, self.block)]
        return np.concatenate(parts)


def _starts(array: np.ndarray, block: int) -> range:
    return range(0, len(array), block)


def _vectors(found: Any, name: str) -> np.ndarray:
    vectors = np.asarray(found, np.float64)
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        what = f"shape {vectors.shape}" if vectors.ndim != 2 else "NaN or infinite numbers among them"
        raise ValueError(f"{name} must give finite vectors, shape (n, d), for images of shape (n, h, w, c), got {what}")
    return vectors


def as_pictures(images: Any, image_shape: tuple[int, int, int]) -> Float[np.ndarray, "n h w c"]:
    """Give flat images, or images without an axis of channels, the shape (n, height, width, channels)."""
    height, width, channels = image_shape
    shape = np.shape(images)
    fitting = [(height, width, channels), (height * width * channels,), *([(height, width)] if channels == 1 else [])]
    if len(shape) < 2 or shape[1:] not in fitting or not shape[0]:
        shown = " or ".join(f"(n, {', '.join(map(str, one))})" for one in fitting)
        raise ValueError(f"images must be of shape {shown}, got {shape}")
    return _finite(np.asarray(images, np.float32)).reshape(-1, *image_shape)


def real_pictures(target: Dataset) -> Float[np.ndarray, "size h w c"]:
    """All images of a data set in [-1, 1], each once, in its order."""
    return (2 * np.asarray(target.images, np.float32) - target.peak) / target.peak


def features(source: Dataset | Classifier) -> Features:
    """Find the features for a data set: of the classifier that is shipped for it, else of a fixed random network.

    For a classifier of your own (`python -m gan_jax.classifiers fashion --save fashion.npz` trains one of
    Fashion-MNIST, then `classifiers.load("fashion.npz", name="fashion_mnist")`) pass that instead of the data set.

    Args:
        source: `data.digits()`, `data.mnist()` or any other data set, or a classifier.

    Returns:
        `Features`: 64 activations of the classifier's last hidden layer; `random_features` for other data sets, whose
        name says so.

    Raises:
        TypeError: neither a data set nor a classifier.

    >>> from gan_jax import data
    >>> features(data.digits()).name
    'digits features'
    >>> features(data.digits())(np.zeros((5, 8, 8), np.float32)).shape
    (5, 64)
    """
    if isinstance(source, Classifier):
        return _of_classifier(source)
    if not isinstance(source, Dataset):
        raise TypeError(f"expected a data set such as data.digits(), or a classifier, got {type(source).__name__}")
    shipped = shipped_classifier(source)
    return random_features(source.image_shape) if shipped is None else _of_classifier(shipped)


def shipped_classifier(target: Dataset) -> Classifier | None:
    """The classifier that comes with the package for these images, or None."""
    if target.kind not in CLASSIFIERS or target.image_shape[2] != 1:
        return None
    classifier = CLASSIFIERS[target.kind]()
    return classifier if classifier.image_shape == target.image_shape[:2] else None


_activations = jax.jit(lambda classifier, images: classifier.features(images))


def _of_classifier(classifier: Classifier) -> Features:
    embed = _padded(lambda pictures: _activations(classifier, pictures[..., 0]))
    return Features(f"{classifier.name} features", embed, (*classifier.image_shape, 1))


def random_features(image_shape: tuple[int, int, int], *, seed: int = 0, channels: int = 16) -> Features:
    """A convolutional network that was never trained: two layers, ReLU, means over the four quarters of the image.

    It knows nothing of what the images show, only of their texture and where it is, so it tells blur and noise from
    sharpness better than a 3 from an 8. It is the same network for everybody with the same seed. Prefer a trained
    network where there is one; Naeem et al. 2020 compare images far from ImageNet in random features too.

    Args:
        image_shape: height, width and channels of the images; the sides at least 8.
        seed: of the weights.
        channels: of the last layer; there are four times as many features.

    Returns:
        `Features` named "random features, seed 0".

    >>> random_features((28, 28, 1))(np.zeros((2, 784), np.float32)).shape
    (2, 64)
    """
    check_count(channels, "channels")
    if min(image_shape[:2]) < 8:
        raise ValueError(f"random features are of images of at least 8 x 8 pixels, got {image_shape}")
    rng = np.random.default_rng(seed)
    shapes = [(3, 3, image_shape[2], 16), (3, 3, 16, channels)]
    kernels = [rng.normal(size=shape, scale=np.sqrt(2 / np.prod(shape[:3]))).astype(np.float32) for shape in shapes]
    return Features(f"random features, seed {seed}", _padded(functools.partial(_convolve, kernels)), image_shape)


def _padded(embed: Callable, multiple: int = 256) -> Callable:
    """Give a compiled function whole multiples of images, so that another number of them is no other program."""

    def padded(pictures: np.ndarray) -> np.ndarray:
        more = -len(pictures) % multiple
        return np.asarray(embed(np.pad(pictures, [(0, more)] + [(0, 0)] * (pictures.ndim - 1))))[: len(pictures)]

    return padded


@jax.jit
def _convolve(kernels, pictures):
    x = jnp.asarray(pictures)
    for kernel in kernels:
        x = jax.lax.conv_general_dilated(
            x, jnp.asarray(kernel), (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest"
        )
        x = jax.nn.relu(x)
    across = [jnp.array_split(half, 2, axis=2) for half in jnp.array_split(x, 2, axis=1)]
    return jnp.concatenate([quarter.mean(axis=(1, 2)) for half in across for quarter in half], axis=1)


def embed_pair(samples: Images, target: Real, embed: Features | Callable | None) -> tuple[Vectors, Others]:
    """Features of samples and of real images; where there is no data set and no `embed`, arrays are vectors already."""
    if embed is None and not isinstance(target, Dataset):
        return as_vectors(samples, "samples"), as_vectors(target, "target")
    embed = embed_of(target, embed)
    real = real_pictures(target) if isinstance(target, Dataset) else target
    x, y = (_vectors(embed(each), getattr(embed, "name", "features")) for each in (samples, real))
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"features of the samples have {x.shape[1]} numbers and those of the target {y.shape[1]}")
    return x, y


def embed_of(target: Any, embed: Features | Callable | None) -> Features | Callable:
    """The features that are given, or those of the data set; a plain function gets pictures of its shape."""
    if embed is None or isinstance(embed, Features):
        return features(target) if embed is None else embed
    if isinstance(target, Dataset):
        return Features(getattr(embed, "__name__", "features"), embed, target.image_shape)
    return embed


def as_vectors(values: Any, name: str) -> Vectors:
    """Raise unless these are vectors, shape (n, d)."""
    if np.ndim(values) != 2 or not np.shape(values)[0]:
        raise ValueError(
            f"without a data set {name} must be features, shape (n, d), got {np.shape(values)}; "
            "pass features=metrics.features(data set), or a function from images to vectors"
        )
    return _finite(np.asarray(values, np.float64))


def _finite(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        check_finite(values)  # which says how many are not
    return values


def blocks(x: np.ndarray, block: int = BLOCK) -> Iterator[np.ndarray]:
    """Slices of at most `block` rows."""
    return (x[i : i + block] for i in _starts(x, block))


def rows_at_once(columns: int) -> int:
    """How many rows of a table with so many columns are worked on at once.

    >>> rows_at_once(1000), rows_at_once(60_000)
    (4194, 69)
    """
    return max(1, ENTRIES // columns)
