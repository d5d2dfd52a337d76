"""A generator of images comes in; a live walk through its latents goes out: paths, truncation, directions, labels."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float
from scipy.special import ndtr, ndtri

from .. import latents
from ..classifiers import Classifier
from ..errors import check_count
from .scene import Bars, Choice, Control, Curve, Dots, Level, Mark, Number, Panel, Real, Scene, Slider, Surface
from .widget import Explorer
from .widget import open as open_explorer

WALK = np.linspace(0, 1, 7)
"""Places of the path that are shown as a row of images."""

FINE = np.linspace(0, 1, 81)
"""Places at which the norm is drawn."""

WHOLE = 4.0
"""The threshold at which nothing is truncated any more: one number in 16,000 lies beyond it."""


class Space(NamedTuple):
    """What does not move.

    Attributes:
        draw: latents (n, d) and labels (n,) to images, compiled.
        dim: numbers in z.
        classes: labels that G is told; 0 for none.
        image_shape: height, width and channels.
        read: classifier of the images; None for none.
        directions: names to unit vectors.
    """

    draw: Callable[[Array, Array], Array]
    dim: int
    classes: int
    image_shape: tuple[int, ...]
    read: Classifier | None
    directions: Mapping[str, np.ndarray]

    def ink(self, z: np.ndarray, label: int) -> Float[np.ndarray, "n height width"]:
        """Images of latents, all of one label: from 0 for paper to 1 for ink, colours as their mean."""
        images = np.asarray(self.draw(jnp.asarray(z, jnp.float32), jnp.full(len(z), label, jnp.int32)))
        return np.clip((images.reshape(len(z), *self.image_shape).mean(axis=3) + 1) / 2, 0, 1)


def _ends(space: Space, values: Mapping[str, Any]) -> Float[np.ndarray, "2 dim"]:
    """Both ends of the path: fixed places of the distribution, so that they move smoothly as the tails are cut."""
    places = np.random.default_rng([10, int(values["pair"])]).uniform(size=(2, space.dim))
    cut = float(values["threshold"])
    low, high = (0.0, 1.0) if cut >= WHOLE else (ndtr(-cut), ndtr(cut))
    ends = ndtri(np.clip(low + (high - low) * places, 1e-12, 1 - 1e-12))
    along = space.directions.get(str(values.get("direction", "")))
    return ends if along is None else ends + float(values["amount"]) * along[None]


def _path(ends: np.ndarray, t: Any, kind: str) -> Float[np.ndarray, "n dim"]:
    return np.asarray(latents.interpolate(ends[0], ends[1], np.atleast_1d(t), kind=kind), np.float64)


def _sheet(rows: list[np.ndarray]) -> Float[np.ndarray, "up across"]:
    """Rows of images, the first at the top, as the colours of a surface: white paper, the colour of fakes for ink."""
    scale = max(1, 32 // rows[0].shape[1])
    laid = [np.concatenate([np.pad(image, 1 if image.shape[0] < 16 else 2)[:, :] for image in row], axis=1)
            for row in rows]  # fmt: skip
    whole = np.kron(np.concatenate(laid), np.ones((scale, scale)))
    return 0.5 - 0.5 * whole[::-1]  # a surface's first row is at the bottom


def _norms(space: Space, ends: np.ndarray, t: Real, kind: str) -> Panel:
    expected = latents.expected_norm(space.dim)
    spread = float(np.sqrt(max(space.dim - expected**2, 0.0)))
    paths = {name: np.linalg.norm(_path(ends, FINE, name), axis=1) for name in latents.PATHS}
    at = np.linalg.norm(_path(ends, t, kind), axis=1)
    marks: list[Mark] = [
        Level(expected + 2 * spread, "", "quiet"),
        Level(max(expected - 2 * spread, 0.0), "19 of 20 latents lie between", "quiet"),
        *(Curve(FINE, norm, name, "fake" if name == kind else "ink", dashed=name != kind)
          for name, norm in paths.items()),
        Dots(np.array([float(t)]), at, "", "accent", 6.0),
    ]  # fmt: skip
    top = 1.1 * max(expected + 2 * spread, *(float(norm.max()) for norm in paths.values()))
    return Panel(marks, (0, 1), (0, top), "Norm of z along the path", "t")


def scene(space: Space, values: Mapping[str, Any]) -> Scene:
    """Show the sample at t, the two paths through it, and the norm of z along them.

    Args:
        space: the generator and its judge.
        values: of the controls, by name.

    Returns:
        A `Scene` with the number "norm of z", and with a classifier the number "confidence".
    """
    t, kind, label = float(values["t"]), str(values["kind"]), int(values.get("label", 0))
    ends = _ends(space, values)
    here = _path(ends, t, kind)
    rows = [_path(ends, WALK, name) for name in ("straight", "spherical")]
    ink = space.ink(np.concatenate([here, *rows]), label)
    step, sheet = WALK[1], ink[1:].reshape(2, len(WALK), *space.image_shape[:2]).swapaxes(0, 1)
    walk = Panel(
        [Surface(_sheet(list(sheet)), "images along both paths, from the top down"), Level(1 - t, "", "accent")],
        (0, 2 * step), (-step / 2, 1 + step / 2), "Straight and spherical", square=True, bare=True,
    )  # fmt: skip
    one = Panel([Surface(_sheet([ink[:1]]), "the image at t")], (0, 1), (0, 1), f"The sample at t = {t:.2f}",
                square=True, bare=True)  # fmt: skip
    norm, expected = float(np.linalg.norm(here)), latents.expected_norm(space.dim)
    numbers = [Number("norm of z", norm, f"{expected:.4g} on average for N(0, I) in {space.dim} dimensions")]
    panels = [one, walk, _norms(space, ends, t, kind)]
    words = f"{kind.capitalize()} path at t = {t:.2f}: the latent's norm is {norm:.3g}, {expected:.3g} is usual"
    if space.read is not None:
        share = np.exp(np.asarray(space.read(2 * ink[:1] - 1), np.float64))[0]
        best = int(share.argmax())
        panels.insert(1, _reading(share, best))
        numbers.append(Number("confidence", float(share[best]), f"it reads a {best}"))
        words += f"; a classifier reads a {best} with {share[best]:.0%}"
    idle = ["amount"] if values.get("direction", "") == "none" else []
    return Scene(panels, numbers, f"{words}.", hidden=idle)


def _reading(share: np.ndarray, best: int) -> Panel:
    names = [str(digit) for digit in range(len(share))]
    return Panel(
        [Bars(names, share.round(3), "quiet", best)], (0, 1.15), title="What a classifier reads", x_label="probability"
    )


def _controls(space: Space) -> list[Control]:
    controls: list[Control] = [
        Slider("t", "t, along the path", 0, 1, 0.5, notches=61, play=True),
        Choice("kind", "path", {name: name for name in latents.PATHS}, "straight"),
        Slider("threshold", f"truncation ({WHOLE:g}: none)", 0.1, WHOLE, WHOLE, notches=40),
        Slider("pair", "which two latents", 0, 99, 0, notches=100, whole=True),
    ]
    if space.classes:
        controls.append(Choice("label", "label", {str(k): str(k) for k in range(space.classes)}))
    if space.directions:
        options = {"none": "none", **{name: name for name in space.directions}}
        controls += [Choice("direction", "direction", options),
                     Slider("amount", "how far along it", -6, 6, 0.0, notches=49)]  # fmt: skip
    return controls


@jax.jit
def _call(generator: Any, z: Array, labels: Array) -> Array:
    return generator(z, labels)


@jax.jit
def _call_untold(generator: Any, z: Array) -> Array:
    return generator(z)


def latent_space(
    generator: Callable,
    latent_dim: int,
    *,
    classes: int = 0,
    image_shape: tuple[int, ...] | None = None,
    read: Classifier | None = None,
    directions: Mapping[str, Float[Array | np.ndarray, " dim"]] | None = None,
    title: str = "A walk through the latents",
) -> Explorer:
    """Open a live walk through a generator's latents: along a path, with tails cut off, along a direction, by label.

    Args:
        generator: a trained module, such as `state.generator`, or any function of JAX: latents of shape (n, d), and
            with `classes` labels (n,), to images in [-1, 1], flat or (n, height, width, channels).
        latent_dim: d, numbers in z.
        classes: labels that the generator is told; 0 when it is told none.
        image_shape: (height, width) or (height, width, channels); square and grey when flat images come without it.
        read: a classifier of these images, `classifiers.digits()`: its probabilities are shown beside the image.
        directions: names to vectors of shape (d,), such as those of `latents.direction`.
        title: above it all.

    Returns:
        The widget: end a cell with it.

    Raises:
        ValueError: counts that are none, or images whose shape can't be told.

    >>> live = latent_space(lambda z: jnp.tanh(z), 64)
    >>> live.set("t", 0.0)
    >>> round(live.scene.number("norm of z"))
    7
    """
    check_count(latent_dim, "latent_dim")
    check_count(classes, "classes", least=0)

    def draw(z: Array, labels: Array) -> Array:
        if isinstance(generator, nnx.Module):  # its weights are arguments of the compiled call, not constants of it
            return _call(generator, z, labels) if classes else _call_untold(generator, z)
        return generator(z, labels) if classes else generator(z)

    found = draw(jnp.zeros((1, latent_dim)), jnp.zeros(1, jnp.int32)).shape[1:]
    shape = _image_shape(found if image_shape is None else tuple(image_shape), found)
    unit = {name: np.asarray(vector, np.float64) for name, vector in (directions or {}).items()}
    for name, vector in unit.items():
        if vector.shape != (latent_dim,):
            raise ValueError(f"direction {name!r} must have shape ({latent_dim},), as a latent has; got {vector.shape}")
    space = Space(draw, latent_dim, classes, shape, read, unit)
    return open_explorer(lambda values: scene(space, values), _controls(space), title=title)


def _image_shape(shape: tuple[int, ...], found: tuple[int, ...]) -> tuple[int, ...]:
    side = int(np.sqrt(shape[0])) if len(shape) == 1 else 0
    shape = (side, side, 1) if side * side == shape[0] else shape
    shape = (*shape, 1) if len(shape) == 2 else shape
    if len(shape) != 3 or np.prod(shape) != np.prod(found):
        raise ValueError(f"the generator returns {found} a sample; give image_shape=(height, width, channels) to fit")
    return shape
