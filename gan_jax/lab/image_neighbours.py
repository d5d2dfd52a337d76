"""Real images come in; the nearest of them to any picture go out, and how near real images are to each other.

A generator that has learnt its data set by heart makes samples that lie far nearer to a real image than real images lie
to each other. So each distance here stands beside that of real images that were left out of the set: the same search,
from each of `HELD` of them to all the others.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from .. import data

NEAREST = 5
"""Real images shown beside a sample."""

HELD = 128
"""Real images that are left out, each in its turn, to see how near the others are."""

CHUNK = 4096
"""Real images compared at once: they are bytes until then, so that 60,000 of them need no gigabyte of floats."""

Images = Float[np.ndarray, "n height width channels"]


class Near(NamedTuple):
    """The real images nearest to a picture, in one space.

    Attributes:
        space: "pixels", or the name of the network whose features are compared.
        places: where they are in the data set, the nearest first, shape (k,).
        distance: Euclidean, of values from -1 to 1 or of features, shape (k,).
        held: how far each of `HELD` real images is from its nearest other one, in ascending order.
    """

    space: str
    places: Int[np.ndarray, " k"]
    distance: Float[np.ndarray, " k"]
    held: Float[np.ndarray, " held"]

    @property
    def share(self) -> float:
        """The share of real images, left out, that are as near to the set as the picture is, or nearer.

        >>> Near("pixels", np.array([7]), np.array([2.0]), np.array([1.0, 2.0, 3.0, 4.0])).share
        0.5
        """
        return float(np.mean(self.held <= self.distance[0]))


class Neighbours:
    """All images of a data set, ready to be searched.

    Args:
        target: the data set.
        features: maps images, shape (n, height, width, channels), to vectors, shape (n, d); None for pixels only.
        name: what the space of the features is called.

    >>> digits = Neighbours(data.digits())
    >>> near = digits.nearest(digits.images(np.array([3]))[0])[0]
    >>> near.space, int(near.places[0]), float(near.distance[0])
    ('pixels', 3, 0.0)
    """

    def __init__(self, target: data.Dataset, features: Callable[[Images], Any] | None = None, name: str = "features"):
        self._bytes, self.peak = np.asarray(target.images), target.peak
        self._spaces: dict[str, Callable[[Images], np.ndarray]] = {"pixels": lambda x: x.reshape(len(x), -1)}
        self._held: dict[str, np.ndarray] = {}
        self._known: dict[str, np.ndarray] = {}
        if features is not None:
            self._spaces[name] = lambda x: np.asarray(features(x), np.float32)
            rows = [self._spaces[name](self.images(part)) for part in self._parts()]
            self._known[name] = np.concatenate(rows)

    def __len__(self) -> int:
        return len(self._bytes)

    @property
    def spaces(self) -> list[str]:
        """The names of the spaces in which images are compared."""
        return list(self._spaces)

    def images(self, index: Int[np.ndarray, " k"] | slice) -> Images:
        """Real images as the networks see them, in [-1, 1], shape (k, height, width, channels)."""
        return (2 * self._bytes[index].astype(np.float32) - self.peak) / self.peak

    def nearest(self, image: Float[np.ndarray, "height width channels"], k: int = NEAREST) -> list[Near]:
        """Find the real images that are nearest to a picture, in each space.

        Args:
            image: in [-1, 1].
            k: how many, fewer where there are fewer.
        """
        found = []
        for space in self._spaces:
            index, distance = self._search(space, image[None], min(k, len(self)), np.array([-1]))
            found.append(Near(space, index[0], distance[0], self.held(space)))
        return found

    def held(self, space: str) -> Float[np.ndarray, " held"]:
        """How far real images are from their nearest other one, each left out in its turn; ascending.

        >>> held = Neighbours(data.digits()).held("pixels")
        >>> len(held), bool((held > 0).all())
        (128, True)
        """
        if space not in self._held:
            chosen = np.random.default_rng(0).permutation(len(self))[:HELD]
            if len(self) == 1:
                return np.zeros(0)
            self._held[space] = np.sort(self._search(space, self.images(chosen), 1, chosen)[1][:, 0])
        return self._held[space]

    def _parts(self) -> list[slice]:
        return [slice(at, min(at + CHUNK, len(self))) for at in range(0, len(self), CHUNK)]

    def _vectors(self, space: str, index: Any) -> np.ndarray:
        return self._known[space][index] if space in self._known else self._spaces[space](self.images(index))

    def _search(self, space: str, images: Images, k: int, but: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest real images of each picture, except the one that `but` names, and their distances."""
        x = self._spaces[space](images)
        count = min(k + 4, len(self))  # some more: the squares below round, and the exact distances order them anew
        best, places = np.full((len(x), 0), np.inf, np.float32), np.zeros((len(x), 0), np.int64)
        for part in self._parts():
            real, index = self._vectors(space, part), np.arange(part.start, part.stop)
            squares = (x**2).sum(1)[:, None] + (real**2).sum(1)[None, :] - 2 * x @ real.T
            squares[but[:, None] == index[None, :]] = np.inf
            best, places = np.hstack([best, squares]), np.hstack([places, np.broadcast_to(index, squares.shape)])
            if best.shape[1] > count:
                kept = np.argpartition(best, count - 1, axis=1)[:, :count]
                best, places = np.take_along_axis(best, kept, 1), np.take_along_axis(places, kept, 1)
        rows = self._vectors(space, places.ravel()).reshape(*places.shape, -1).astype(np.float64)
        exact = np.sqrt(((rows - x[:, None, :]) ** 2).sum(-1))
        exact[places == but[:, None]] = np.inf
        order = np.argsort(exact, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(places, order, 1), np.take_along_axis(exact, order, 1)
