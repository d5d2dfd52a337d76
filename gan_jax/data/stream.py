"""More images than a device holds come in, in memory or in a file; pieces of them go out, one ahead of its use."""

from dataclasses import dataclass, field
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, Integer, Key, UInt8

from ..errors import check_count, check_key
from .images import Dataset, Held, dataset


@dataclass(frozen=True, eq=False)
class Stream(Held):
    """Images that stay with the host; the device holds a piece of them, and the next one, which is put there ahead.

    Which images are in a piece is a pure function of (key, the piece's number): each pass over the data shuffles anew
    and cuts the order into pieces, so that every image is in exactly one piece of a pass (but for a rest too small for
    one). Make one with `stream`.

    `train.run` and `train.steps` train on it: they take the run's own key, and step s draws from piece s // `every`. So
    a run that stops and goes on does so bit for bit, in the middle of a piece, too. A piece is a `Dataset`, and a batch
    is drawn from it as from any other, with replacement.

    Args:
        images: bytes, shape (size, height, width, channels), an array or a memory-mapped file.
        labels: classes, shape (size,).
        size: images in a piece.
        block: images that stay together when the order is shuffled, neighbours in the file.
        steps: steps that a piece serves; None for as many as it holds batches.
        name, peak, flat, classes: as of a `Dataset`.
    """

    images: UInt8[np.ndarray, "size height width channels"] = field(repr=False)
    labels: Int32[np.ndarray, " size"] = field(repr=False)
    size: int
    block: int
    steps: int | None
    name: str
    peak: int
    flat: bool
    classes: int = 1
    _kept: dict[tuple, Dataset] = field(default_factory=dict, repr=False)  # the last two pieces: a cache, no state

    @property
    def pieces(self) -> int:
        """Pieces in one pass over the data."""
        return len(self) // self.block // (self.size // self.block)

    def every(self, batch_size: int) -> int:
        """Steps that one piece serves."""
        return self.steps or max(1, self.size // batch_size)

    def rows(self, key: Key[Array, ""], number: int) -> Integer[np.ndarray, " size"]:
        """Say which images are in a piece: their indices, shape (size,)."""
        pass_over, place = divmod(int(number), self.pieces)
        order = _generator(key, pass_over).permutation(len(self) // self.block)
        blocks_each = self.size // self.block
        blocks = order[place * blocks_each : (place + 1) * blocks_each]
        return (blocks[:, None] * self.block + np.arange(self.block)).reshape(-1)

    def piece(self, key: Key[Array, ""], number: int, put=jnp.asarray) -> Dataset:
        """Bring a piece to the device, unless it is there.

        Args:
            key: random key; `train` gives the run's own.
            number: of the piece, from 0.
            put: copies a NumPy array to where it is to be.

        Returns:
            A `Dataset` of `size` images.
        """
        check_key(key)
        check_count(number, "number", least=0)
        name = (jax.random.key_data(key).tobytes(), int(number))
        if name not in self._kept:
            rows = self.rows(key, number)
            # read in the order of the file, then put in the piece's own
            order = np.argsort(rows)
            images = np.empty((len(rows), *self.images.shape[1:]), np.uint8)
            images[order] = self.images[rows[order]]
            about = self.name, self.peak, self.flat, self.classes
            self._kept[name] = Dataset(put(images), put(self.labels[rows]), *about)
            for old in list(self._kept)[:-2]:
                del self._kept[old]
        return self._kept[name]

    def sample(self, key: Key[Array, ""], n: int) -> Float[Array, "n ..."]:
        """Draw n images uniformly from all, with replacement, as float32 in [-1, 1]: for pictures and scores.

        Raises:
            TypeError: inside `jit`, where images of the host cannot be reached.
        """
        return self.sample_labelled(key, n)[0]

    def sample_labelled(self, key: Key[Array, ""], n: int) -> tuple[Float[Array, "n ..."], Int32[Array, " n"]]:
        """Draw what `sample` draws with the same key, and the class of each, shape (n,)."""
        if isinstance(key, jax.core.Tracer):
            raise TypeError(
                f"{self.name} is streamed from the host and cannot be drawn from inside a compiled program; "
                "train on it with train.run or train.steps, or take a piece of it: stream.piece(key, 0)"
            )
        rows = _generator(key, -1).integers(0, len(self), n)
        batch = self.images[rows].astype(np.float32)
        return jnp.asarray(((2 * batch - self.peak) / self.peak).reshape(n, *self.shape)), jnp.asarray(
            self.labels[rows]
        )


def stream(
    images: np.ndarray | str | Path,
    labels: np.ndarray | None = None,
    *,
    piece: int = 8192,
    block: int = 1,
    steps: int | None = None,
    name: str = "images",
    peak: int = 255,
    flat: bool = True,
) -> Stream:
    """Make a target of images that do not fit on the device.

    The device holds two pieces: 2 x `piece` x height x width x channels bytes. A file's images are read where they are
    needed, and nothing else of it; rows far apart are slow to read from a disk, which a `block` of a few hundred cures
    (of a file in random order; where it is sorted, keep `block` far below `piece`).

    Args:
        images: bytes (uint8), shape (size, height, width) or (size, height, width, channels); or the path of a .npy
            file that holds such an array.
        labels: whole numbers, shape (size,); all 0 when left out.
        piece: images on the device at a time.
        block: neighbours that stay together when the order is shuffled; `piece` is a multiple of it.
        steps: steps of training that a piece serves; as many as it holds batches when left out.
        name: for messages and titles.
        peak: the byte that stands for white.
        flat: whether a sample is a vector, as an MLP takes it.

    Returns:
        A `Stream`, for `train.run` and `train.steps`.

    Raises:
        ValueError: the images are not bytes, labels are not as many, or `piece` does not fit.

    >>> pixels = np.zeros((1000, 4, 5), np.uint8)
    >>> target = stream(pixels, piece=100)
    >>> len(target), target.pieces, target.shape, len(target.piece(jax.random.key(0), 3))
    (1000, 10, (20,), 100)
    """
    if isinstance(images, (str, Path)):
        pixels = np.load(images, mmap_mode="r", allow_pickle=False)
    else:
        pixels = np.asarray(images)
    for value, what in ((piece, "piece"), (block, "block"), *(((steps, "steps"),) if steps is not None else ())):
        check_count(value, what)
    few = slice(0, 1)  # the checks that need no look at every pixel
    labels = np.zeros(len(pixels), np.int32) if labels is None else np.asarray(labels)
    if labels.shape != (len(pixels),) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"{len(pixels)} images need as many whole numbers as labels, got {labels.dtype} of shape {labels.shape}"
        )
    dataset(pixels[few], labels[few], peak=peak)
    if labels.min() < 0:
        raise ValueError(f"labels must be 0, 1, 2 ..., got {labels.min()}; number the classes from 0")
    if piece % block or piece > len(pixels) // block * block:
        raise ValueError(
            f"a piece must be a multiple of block, {block}, and at most the {len(pixels)} images there are; got {piece}"
        )
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    steps = None if steps is None else int(steps)
    about = name, int(peak), bool(flat), int(labels.max()) + 1
    return Stream(pixels, labels.astype(np.int32), int(piece), int(block), steps, *about)


def _generator(key: Key[Array, ""], number: int) -> np.random.Generator:
    return np.random.default_rng([*np.asarray(jax.random.key_data(key)).ravel().tolist(), number + 1])
