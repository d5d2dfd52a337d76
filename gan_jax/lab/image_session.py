"""A GAN and a set of real images come in; a run that a hand can steer goes out: images, walks, nearest real images.

`ImageSession` is a `Session` that shows images in the place of the plane, and knows no widget either.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from .. import data, latents, metrics, nets
from ..errors import check_count
from ..metrics.embeddings import shipped_classifier
from ..train import Gan, Hyperparams
from .code import IMAGES
from .dials import SAMPLES
from .frames import Frame
from .image_neighbours import NEAREST, Near, Neighbours
from .session import Session
from .timeline import same_target

COLUMNS = 8
"""Images side by side, of 8 rows; of a GAN that is told classes, or has a category in its code, each row is one."""

MOST_ROWS = 16
"""Classes shown at most."""

STOPS = 25
"""Images on a walk, and on each way of the explorer."""

REACH = 3.0
"""How far the explorer goes each way, in standard deviations of a latent's numbers."""

PATHS = ("straight", "spherical")
"""The two ways of a walk, as `latents.interpolate` calls them."""

MEMORY = 256e6
"""Bytes that the states of a run may take, for the way back: a state of a GAN of images is large."""

PAIRS = 1000
"""Random pairs of directions that the explorer offers."""


@functools.partial(jax.jit, static_argnums=3)
def _draw(generator: Any, z: Array, labels: Array | None, shape: tuple[int, int, int]) -> Array:
    drawn = generator(z) if labels is None else generator(z, labels)
    return jnp.clip(drawn.reshape(len(z), *shape).astype(jnp.float32), -1.0, 1.0)


def _categories(gan: Gan) -> int:
    """Values of the category in a latent's code, as InfoGAN has it; 0 for none."""
    return gan.auxiliary.categories if gan.auxiliary else 0


def as_bytes(images: Float[np.ndarray, "*batch height width channels"]) -> UInt8[np.ndarray, "..."]:
    """Images from [-1, 1] as the page paints them.

    >>> as_bytes(np.array([-1.0, 0.0, 1.0, 3.0]).reshape(1, 1, 4, 1)).ravel().tolist()
    [0, 128, 255, 255]
    """
    return np.round(255 * np.clip(images / 2 + 0.5, 0, 1)).astype(np.uint8)


class ImageSession(Session):
    """A GAN of images in training, with everything a laboratory of images needs and no widget.

    Args:
        gan: the rules, of networks of any kind; two MLPs when left out.
        target: the real images; `data.digits()` when left out.
        hyper: the dials, one number each. With no gan and no hyper, Adam as DCGAN sets it.
        seed: from which all weights and noise follow.
        memory: bytes that the states on its timeline may take; where they do not fit, fewer are kept.

    Attributes:
        game, gan, hyper, target, target_name, seed, players, latents, fault: as of `Session`. `latents` are those of
            the images shown, in rows of `columns`; with classes, each column has one latent for all of them;
            with a category in the code, as InfoGAN has, each row has one.
        labels: classes of the images shown, or None.
        columns: images side by side.

    Raises:
        TypeError: the target is no data set.
        ValueError: a network does not fit it.

    >>> session = ImageSession(Gan(nets.mlp(4, 16, 64), nets.mlp(64, 16, 1), batch_size=16))
    >>> session.advance(3)
    3
    >>> session.images().shape, session.walk(0, 5).shape
    ((64, 8, 8, 1), (2, 25, 8, 8, 1))
    >>> [near.space for near in session.nearest(0)]
    ['pixels', 'digits features']
    """

    budget = 0.05

    def __init__(
        self,
        gan: Gan | None = None,
        target: data.Dataset | None = None,
        hyper: Hyperparams | None = None,
        seed: int = 0,
        memory: float | int = MEMORY,
    ):
        self.memory = memory
        target = data.digits() if target is None else target
        if not isinstance(target, data.Dataset):
            raise TypeError(f"expected a data set of images such as data.digits(), got {target!r}")
        if gan is None:
            size = int(np.prod(target.image_shape))
            gan = Gan(
                nets.mlp(64, 256, 256, size, output="tanh"),
                nets.mlp(size, 256, 256, 1, activation="leaky_relu"),
                batch_size=64,
            )
            hyper = hyper or Hyperparams(lr_g=2e-4, lr_d=2e-4, beta1=0.5)
        self._found: Neighbours | None = None
        super().__init__(gan, target, hyper, seed)
        self._menus["target"] = {self.target_name: lambda: target}

    # ---- what differs from a session in the plane ----

    def _name_target(self, target: Any) -> tuple[str, Any]:
        known = target.name if target.name in IMAGES else f"{target.name}_5000"
        if known in IMAGES and len(target) < 10_000:
            theirs = IMAGES[known](flat=target.flat)
            if same_target(theirs, target):
                return known, target
        return "yours", target

    def _show_target(self, name: str, target: Any) -> None:
        self.target_name, self.target = name, target
        self.window = np.zeros(4, np.float32)
        chosen = np.asarray(target.labels)
        order = np.random.default_rng(1).permutation(len(target))
        if self.labels is not None:  # as many of each class as are shown of G's
            order = np.concatenate([order[chosen[order] == label][: self.columns] for label in range(self.rows)])
        self.shown = order[: self.rows * self.columns]
        pixels = np.asarray(target.images)[self.shown].astype(np.float32)
        self.real = (2 * pixels - target.peak) / target.peak

    def _fixed_latents(self, gan: Gan, key: Any) -> jax.Array:
        key = jax.random.fold_in(key, 1)
        if not (gan.classes or _categories(gan)):
            return gan.noise(key, self.rows * self.columns)
        z = jnp.tile(gan.noise(key, self.columns), (self.rows, 1))
        if _categories(gan):  # the code is at the end of z, the category first
            first, rows = z.shape[1] - gan.code, jnp.eye(_categories(gan))[: self.rows]
            z = z.at[:, first : first + _categories(gan)].set(jnp.repeat(rows, self.columns, axis=0))
        return z

    @property
    def rows(self) -> int:
        """Rows of images shown."""
        return min(self.classes or _categories(self.gan), MOST_ROWS) or COLUMNS

    @property
    def columns(self) -> int:
        """Images side by side."""
        return COLUMNS

    @property
    def classes(self) -> int:
        """Labels that the networks are told; 0 for none."""
        return self.gan.classes

    @property
    def labels(self) -> np.ndarray | None:
        """Classes of the images shown; None where the networks are told none."""
        return np.repeat(np.arange(self.rows, dtype=np.int32), self.columns) if self.classes else None

    # ---- images ----

    @property
    def generator(self) -> Any:
        """The generator whose images are shown: as trained, or with the running average of its weights."""
        return self.game.averaged_generator if SAMPLES[self.samples] else self.game.generator

    def draw(self, z: Any, labels: Any = None) -> Float[np.ndarray, "n height width channels"]:
        """Images of some latents, in [-1, 1].

        Args:
            z: shape (n, latent_dim).
            labels: a class each, shape (n,), where the networks are told classes.

        Returns:
            Shape (n, height, width, channels).
        """
        with self.lock:
            generator, batch = self.generator, self.rows * self.columns
            z, found = np.asarray(z, np.float32), []
            # always as many at once as the picture shows, so that nothing compiles anew
            for at in range(0, len(z), batch):
                part = z[at : at + batch]
                short = ((0, batch - len(part)), (0, 0))
                told = None if labels is None else jnp.asarray(np.resize(labels[at : at + batch], batch), jnp.int32)
                drawn = _draw(generator, jnp.asarray(np.pad(part, short)), told, self.target.image_shape)
                found.append(np.asarray(drawn)[: len(part)])
            return np.concatenate(found)

    def images(self) -> Float[np.ndarray, "n height width channels"]:
        """The images shown: of the same latents as long as the seed stays."""
        with self.lock:
            return self.draw(self.latents, self.labels)

    def walk(self, start: int, end: int) -> Float[np.ndarray, "2 stops height width channels"]:
        """Walk from one image shown to another, straight and on the sphere, in `STOPS` images each.

        A GAN that is told classes is told the first one's all the way.

        Raises:
            ValueError: no such image.
        """
        with self.lock:
            one, other = np.asarray(self.latents)[[self._place(start, "start"), self._place(end, "end")]]
            t = np.linspace(0.0, 1.0, STOPS, dtype=np.float32)
            ways = [latents.interpolate(one, other, t, kind=kind) for kind in PATHS]
            return self._along(np.concatenate(ways), start)

    def directions(self, pair: int | None = 0) -> Float[np.ndarray, "2 dim"]:
        """Two directions in the latent space at right angles, of length 1.

        Args:
            pair: which random pair; None for the last two numbers of z, where InfoGAN has its continuous code.
        """
        dim = self.gan.latent_dim or 0
        if pair is None:
            return np.eye(2, dim, dim - 2, dtype=np.float32)
        check_count(pair, "pair", least=0)
        random = np.random.default_rng([7, int(pair)]).normal(size=(dim, 2))
        axes = np.linalg.qr(random)[0].T.astype(np.float32)
        return np.vstack([axes, np.zeros((2 - len(axes), dim), np.float32)])

    def explore(
        self, sample: int, s: float | int = 0.0, t: float | int = 0.0, pair: int | None = 0
    ) -> Float[np.ndarray, "2 stops height width channels"]:
        """Leave an image shown along two directions: `z + s u + t v`.

        Args:
            sample: which image.
            s, t: how far, from -`REACH` to `REACH`, in standard deviations of a latent's numbers.
            pair: of `directions`.

        Returns:
            The images along u through the place with this t, and along v through the place with this s.

        Raises:
            ValueError: no such image, or too far.
        """
        for name, value in (("s", s), ("t", t)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= REACH:
                raise ValueError(f"{name} must be a number from {-REACH} to {REACH}, got {value!r}")
        with self.lock:
            base = np.asarray(self.latents)[self._place(sample, "sample")]
            uniform = self.gan.latent == "uniform"
            u, v = self.directions(pair) * (3**-0.5 if uniform else 1.0)
            steps = np.linspace(-REACH, REACH, STOPS, dtype=np.float32)[:, None]
            z = np.concatenate([base + steps * u + t * v, base + s * u + steps * v])
            return self._along(np.clip(z, -1, 1) if uniform else z, sample)

    def _along(self, z: np.ndarray, sample: int) -> Float[np.ndarray, "2 stops height width channels"]:
        labels = None if self.labels is None else np.full(len(z), self.labels[sample])
        return self.draw(z, labels).reshape(2, STOPS, *self.target.image_shape)

    def _place(self, sample: Any, name: str) -> int:
        count = self.rows * self.columns
        if isinstance(sample, bool) or not isinstance(sample, int | np.integer) or not 0 <= sample < count:
            raise ValueError(f"{name} must be a whole number from 0 to {count - 1}, got {sample!r}")
        return int(sample)

    # ---- real images near to them ----

    @property
    def neighbours(self) -> Neighbours:
        """The real images, ready to be searched: in pixels, and in the shipped classifier's features where one fits."""
        with self.lock:
            if self._found is None:
                features = metrics.features(self.target) if shipped_classifier(self.target) else None
                self._found = Neighbours(self.target, features, getattr(features, "name", "features"))
            return self._found

    def nearest(self, sample: int, k: int = NEAREST) -> list[Near]:
        """The real images nearest to an image shown, in each space, with how near real images are to each other.

        Raises:
            ValueError: no such image.
        """
        with self.lock:
            at = self._place(sample, "sample")
            return self.neighbours.nearest(self.images()[at], k)

    # ---- what the page sees ----

    def frame(self, *_: Any) -> Frame:
        """Take a picture: the header of every run, and "images", bytes, shape (n, height, width, channels).

        The header's "timeline" says too how many seconds a step takes, for the page to tell a near step from a far one.
        """
        with self.lock:
            arrays = {"images": as_bytes(self.images()), "curve": self._curve.points.astype(np.float32)}
            past = self.timeline.describe() | {"pace": self._pace.get(self._program)}
            return Frame(self._header() | {"timeline": past}, arrays)

    def scene(self) -> dict[str, Any]:
        """What changes seldom: the real images, the menus, and how the images lie."""
        real = as_bytes(self.real)
        return {
            "name": self.target.name,
            "size": len(self.target),
            "real": real.tobytes(),
            "shape": list(real.shape),
            "columns": self.columns,
            "classes": list(range(self.rows)) if self.classes or _categories(self.gan) else [],
            "coded": _categories(self.gan) > 0,
            "stops": STOPS,
            "reach": REACH,
            "pairs": PAIRS,
            "dim": self.gan.latent_dim,
            "menus": self.menus,
        }
