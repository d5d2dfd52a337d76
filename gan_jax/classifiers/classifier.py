"""A file of weights comes in; a `Classifier` goes out: a pure function from images to log probabilities of digits."""

import functools
import hashlib
import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import Menu


@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class Classifier:
    """A small multilayer perceptron that reads digits. A pytree: pass it to `jit` and `vmap` as an argument.

    What lies outside [-1, 1] is clipped, as `data.to_images` does for display, so that it judges what a reader sees.
    It learnt from noisy and blended digits and from things that are none, for which it learnt to be unsure: values
    between the real grey levels are nothing new to it, and its confidence says something about quality.

    Args:
        weights: a matrix of shape (inputs, outputs) for each layer.
        biases: a vector of shape (outputs,) for each layer.
        image_shape: height and width of the images.
        pool: the side of the squares of pixels whose means are the network's inputs; 1 takes each pixel by itself.
        name: for messages.
    """

    weights: tuple[Float[Array, "... _ _"], ...] = field(repr=False)
    biases: tuple[Float[Array, "... _"], ...] = field(repr=False)
    image_shape: tuple[int, int] = field(metadata={"static": True})
    pool: int = field(default=1, metadata={"static": True})
    name: str = field(default="digits", metadata={"static": True})

    def __call__(self, images: Float[Array | np.ndarray, "n height width"]) -> Float[Array, "n 10"]:
        """Logarithm of the probability of each digit.

        Args:
            images: shape (n, height, width), in [-1, 1] with 1 for ink, as `data.digits` and `data.mnist` draw them.

        Returns:
            Log probabilities in nats, shape (n, 10).

        Raises:
            ValueError: images of another shape.
        """
        # on an accelerator the default precision could give another class than on a CPU
        last = jnp.matmul(self.features(images), self.weights[-1], precision="highest") + self.biases[-1][None]
        return jax.nn.log_softmax(last)

    def features(self, images: Float[Array | np.ndarray, "n height width"]) -> Float[Array, "n features"]:
        """The activations of the last hidden layer (after its ReLU): what a score of images compares.

        Args:
            images: shape (n, height, width), in [-1, 1], as for a call.

        Returns:
            Numbers of at least 0, shape (n, width of the last hidden layer); 64 for those that are shipped.

        Raises:
            ValueError: images of another shape.
        """
        if np.shape(images)[1:] != self.image_shape:
            raise ValueError(
                f"this classifier ({self.name}) reads images of shape (n, {self.image_shape[0]}, "
                f"{self.image_shape[1]}), got {np.shape(images)}; reshape flat samples, and give one channel at a time"
            )
        height, width = (side // self.pool for side in self.image_shape)
        squares = jnp.clip(jnp.asarray(images), -1.0, 1.0).reshape(-1, height, self.pool, width, self.pool)
        x = jnp.mean(squares, axis=(2, 4)).reshape(-1, height * width)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = jax.nn.relu(jnp.matmul(x, weight, precision="highest") + bias[None])
        return x


class Shipped(NamedTuple):
    """A file of weights in this folder.

    Attributes:
        file: its name.
        sha256: of its bytes, in hexadecimal.
    """

    file: str
    sha256: str


SHIPPED: Menu[Shipped] = Menu(
    "shipped classifier",
    {
        "digits": Shipped("digits.npz", "0a3ae195eb4be1c81c5fa553e69c3903b95fdb8341c41571da56d39031150825"),
        "mnist": Shipped("mnist.npz", "889ee055c616a079c62b29910ee8c750e6d582cb56a51a2dfca3ff8f729d11b4"),
    },
)
"""The files of weights that come with the package, by the name of the data set that they read."""


def save(classifier: Classifier, path: str | Path) -> str:
    """Write a classifier's weights as an .npz of half-precision arrays, and return the SHA-256 of the file."""
    arrays: dict[str, Any] = {}
    for i, (weight, bias) in enumerate(zip(classifier.weights, classifier.biases, strict=True)):
        arrays |= {f"weight_{i}": np.asarray(weight, np.float16), f"bias_{i}": np.asarray(bias, np.float16)}
    shape = np.array([*classifier.image_shape, classifier.pool], np.int32)
    np.savez(path, image_shape_and_pool=shape, **arrays)
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def load(path: str | Path, *, sha256: str | None = None, name: str = "digits") -> Classifier:
    """Read a classifier that `save` has written, after its checksum.

    Args:
        path: of the .npz file.
        sha256: what the SHA-256 of its bytes must be, in hexadecimal; not looked at when left out.
        name: for messages.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its SHA-256 is another, it is damaged, or it holds no classifier.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"the classifier's weights are not at {path}; install gan_jax anew") from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise ValueError(
            f"{path} is not the file of weights that was published: its SHA-256 is {found}, {sha256} was expected; "
            "install gan_jax anew, so that scores stay comparable"
        )
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            *image_shape, pool = (int(v) for v in arrays["image_shape_and_pool"])
            depth = sum(key.startswith("weight_") for key in arrays.files)
            layers = [
                tuple(jnp.asarray(arrays[f"{what}_{i}"], jnp.float32) for i in range(depth))
                for what in ("weight", "bias")
            ]
        _check_layers(layers[0], layers[1], image_shape, pool)
    except Exception as error:  # a damaged archive makes zipfile, zlib and NumPy raise a dozen kinds
        raise ValueError(f"{path} holds no classifier ({error}); write one with gan_jax.classifiers") from error
    return Classifier(layers[0], layers[1], (image_shape[0], image_shape[1]), pool, name)


def _check_layers(weights: tuple[Array, ...], biases: tuple[Array, ...], image_shape: list[int], pool: int) -> None:
    """Raise unless the layers fit each other, from the images to the ten digits."""
    height, width = image_shape
    widths = [height // pool * (width // pool), *map(len, biases)]
    if widths[-1] != 10 or [weight.shape for weight in weights] != list(itertools.pairwise(widths)):
        raise ValueError(f"weights of shapes {[weight.shape for weight in weights]} for images of {height} x {width}")


@functools.cache
def _shipped(name: str) -> Classifier:
    file, sha256 = SHIPPED[name]
    with jax.ensure_compile_time_eval():  # the first call may be inside a jit: what is kept must not be a tracer
        return load(Path(__file__).parent / file, sha256=sha256, name=name)


def digits() -> Classifier:
    """Load the shipped classifier of scikit-learn's 8x8 digits.

    >>> read = digits()
    >>> read(np.full((5, 8, 8), -1.0, np.float32)).shape
    (5, 10)
    """
    return _shipped("digits")


def mnist() -> Classifier:
    """Load the shipped classifier of MNIST's 28x28 digits.

    Published numbers of modes on Stacked MNIST come from larger networks trained on all 60,000 images; this one, of
    4,000, misreads more, which the score of a perfect generator beside each score shows.
    """
    return _shipped("mnist")


CLASSIFIERS: Menu[Callable[[], Classifier]] = Menu("classifier", {"digits": digits, "mnist": mnist})
"""The shipped classifiers, by the `name` of the data set that they read."""
