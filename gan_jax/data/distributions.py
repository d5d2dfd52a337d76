"""A name or a few numbers come in; a target goes out: exact `sample` and, where a density exists, `log_prob`.

Every target is a pytree whose numbers are leaves, so that it travels through `jit` as an argument and moving
one of its numbers does not compile again.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, Key

from ..errors import Menu, check_count

Numbers = float | Sequence | np.ndarray | Array


@runtime_checkable
class Target(Protocol):
    """What the generator is to imitate: anything with a `sample` and the shape of one sample.

    Attributes:
        shape: the shape of one sample, `(2,)` in the plane.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    def sample(self, key: Key[Array, ""], n: int) -> Float[Array, "n ..."]: ...


@runtime_checkable
class Labelled(Target, Protocol):
    """A target whose samples have classes, for a GAN that is told them.

    Attributes:
        classes: how many there are.
    """

    @property
    def classes(self) -> int: ...

    def sample_labelled(self, key: Key[Array, ""], n: int) -> tuple[Float[Array, "n ..."], Int32[Array, " n"]]: ...


@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class Mixture:
    """A mixture of round Gaussians: `p(x) = sum_k weights[k] N(x; means[k], scales[k]^2 I)`.

    Make one with `gaussian`, `mixture`, `ring` or `grid`. Its modes are its `means`, which is what
    `metrics.modes_covered` and its neighbours count.

    Args:
        means: centres, shape (k, d).
        scales: standard deviations, shape (k,), positive.
        weights: probabilities, shape (k,), summing to 1.
    """

    means: Float[Array, "*batch k d"]
    scales: Float[Array, "*batch k"]
    weights: Float[Array, "*batch k"]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.means.shape[-1],)

    @property
    def classes(self) -> int:
        """How many modes there are: the class of a sample is the mode that it was drawn from."""
        return self.means.shape[-2]

    def sample(self, key: Key[Array, ""], n: int) -> Float[Array, "n d"]:
        """Draw n samples, shape (n, d)."""
        return self.sample_labelled(key, n)[0]

    def sample_labelled(self, key: Key[Array, ""], n: int) -> tuple[Float[Array, "n d"], Int32[Array, " n"]]:
        """Draw what `sample` draws with the same key, and the mode that each was drawn from, shape (n,)."""
        mode_key, noise_key = jax.random.split(key)
        # one uniform a sample and a look-up: `jax.random.categorical` would draw k of them
        heights = jnp.cumsum(self.weights)
        u = jax.random.uniform(mode_key, (n,)) * heights[-1]
        mode = jnp.sum(u[:, None] >= heights[None, :-1], axis=1)
        noise = jax.random.normal(noise_key, (n, self.means.shape[-1]))
        return self.means[mode] + self.scales[mode, None] * noise, mode.astype(jnp.int32)

    def log_prob(self, x: Float[Array | np.ndarray, "*n d"]) -> Float[Array, "*n"]:
        """Logarithm of the density at x, in nats; x of shape (..., d)."""
        d = self.means.shape[-1]
        z = (x.reshape(-1, 1, d) - self.means[None]) / self.scales[None, :, None]
        log_height = jnp.log(self.weights) - d * (jnp.log(self.scales) + 0.5 * jnp.log(2 * jnp.pi))
        return jax.nn.logsumexp(-0.5 * jnp.sum(z**2, axis=-1) + log_height[None], axis=-1).reshape(x.shape[:-1])


@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class Curve:
    """A curve in the plane blurred by round Gaussian noise: `x = path(t) + noise * e`, `t ~ U(0, 1)`, `e ~ N(0, I)`.

    The density `p(x) = int_0^1 N(x; path(t), noise^2 I) dt` is a smooth integral over one variable; `log_prob`
    takes it by the midpoint rule on 2,048 points, exact to float32 as long as the curve advances by less than one
    `noise` from point to point. Without noise the curve has no density in the plane, and `log_prob` says so.

    Args:
        noise: standard deviation of the blur, scalar, in the units of the plane.
        path: maps times, shape (n,), to points, shape (n, 2).
    """

    noise: Float[Array, "*batch"]
    path: Callable = field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        return (2,)

    def sample(self, key: Key[Array, ""], n: int) -> Float[Array, "n 2"]:
        """Draw n samples, shape (n, 2)."""
        time_key, noise_key = jax.random.split(key)
        points = self.path(jax.random.uniform(time_key, (n,)))
        return points + self.noise * jax.random.normal(noise_key, (n, 2))

    def log_prob(self, x: Float[Array | np.ndarray, "*n 2"]) -> Float[Array, "*n"]:
        """Logarithm of the density at x, in nats; x of shape (..., 2)."""
        if not isinstance(self.noise, jax.core.Tracer) and float(self.noise) == 0:
            raise ValueError(
                "a curve with noise 0 has no density in the plane: all its mass lies on a line; "
                "make it with noise > 0, or use its samples"
            )
        n = 2048
        centres = self.path((jnp.arange(n) + 0.5) / n)

        def at(point: Float[Array, "2"]) -> Float[Array, ""]:  # one point at a time keeps memory at n numbers
            squared = jnp.sum((point[None] - centres) ** 2, axis=-1) / self.noise**2
            return jax.nn.logsumexp(-0.5 * squared) - jnp.log(n * 2 * jnp.pi * self.noise**2)

        return jax.lax.map(at, x.reshape(-1, 2), batch_size=256).reshape(x.shape[:-1])


@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class Checkerboard:
    """The uniform distribution on every other square of a board of `squares` x `squares`, centred at the origin.

    Args:
        half_width: half the side of the board, scalar.
        squares: squares a side, even.
    """

    half_width: Float[Array, "*batch"]
    squares: int = field(default=4, metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        return (2,)

    def sample(self, key: Key[Array, ""], n: int) -> Float[Array, "n 2"]:
        """Draw n samples, shape (n, 2)."""
        square_key, place_key = jax.random.split(key)
        row, half = jnp.divmod(jax.random.randint(square_key, (n,), 0, self.squares**2 // 2), self.squares // 2)
        column = 2 * half + row % 2
        corner = jnp.stack([column, row], axis=-1)
        side = 2 * self.half_width / self.squares
        return (corner + jax.random.uniform(place_key, (n, 2))) * side - self.half_width

    def log_prob(self, x: Float[Array | np.ndarray, "*n 2"]) -> Float[Array, "*n"]:
        """Logarithm of the density at x, in nats: a constant on the dark squares, -inf elsewhere."""
        place = jnp.floor((x + self.half_width) * self.squares / (2 * self.half_width))
        inside = jnp.all((place >= 0) & (place < self.squares), axis=-1)
        dark = inside & (jnp.sum(place, axis=-1) % 2 == 0)
        return jnp.where(dark, -jnp.log(2 * self.half_width**2), -jnp.inf)


def mixture(means: Numbers, scales: Numbers = 1.0, weights: Numbers | None = None) -> Mixture:
    """Make a mixture of round Gaussians.

    Args:
        means: centres, shape (k, d), or (k,) for one dimension.
        scales: standard deviations, a number or shape (k,), positive.
        weights: shape (k,), not negative; scaled to sum to 1. Equal when left out.

    Returns:
        A `Mixture` with samples of shape (n, d).

    Raises:
        ValueError: a scale is not positive, a weight is negative, or the shapes do not fit.

    >>> two = mixture([-2.0, 2.0], scales=0.5)
    >>> two.shape, two.means.shape
    ((1,), (2, 1))
    """
    centres = np.asarray(means, np.float32)
    centres = centres[:, None] if centres.ndim == 1 else centres
    if centres.ndim != 2 or not centres.size or not np.isfinite(centres).all():
        raise ValueError(f"means must be finite, of shape (k, d) or (k,), got shape {np.shape(means)}")
    k = len(centres)
    weights = np.ones(k) if weights is None else np.asarray(weights, np.float64)
    if np.shape(scales) not in ((), (k,)) or weights.shape != (k,):
        raise ValueError(
            f"{k} means need one scale or {k}, and {k} weights; "
            f"got scales of shape {np.shape(scales)} and weights of shape {weights.shape}"
        )
    if not (np.isfinite(scales).all() and np.all(np.asarray(scales) > 0)):
        raise ValueError(f"scales are standard deviations and must be positive, got {scales!r}")
    if not np.isfinite(weights).all() or np.any(weights < 0) or weights.sum() == 0:
        raise ValueError(f"weights must not be negative and not all 0, got {weights.tolist()}")
    return Mixture(
        jnp.asarray(centres),
        jnp.broadcast_to(jnp.asarray(scales, jnp.float32), (k,)),
        jnp.asarray(weights / weights.sum(), jnp.float32),
    )


def gaussian(mean: Numbers = 0.0, scale: float | int = 1.0) -> Mixture:
    """Make one round Gaussian; `mean` is a number (1-D) or of shape (d,), `scale` its standard deviation.

    >>> float(gaussian(0.0, 1.0).log_prob(np.zeros((1,), np.float32)))  # -log sqrt(2 pi)
    -0.918938...
    """
    return mixture(np.atleast_1d(np.asarray(mean, np.float32))[None, :], scale)


def ring(modes: int = 8, *, radius: float | int = 1.0, scale: float | int = 0.02) -> Mixture:
    """Make a ring of Gaussians, the usual first test of mode collapse.

    Args:
        modes: how many, equally spaced (the angle 2 pi is not drawn twice).
        radius: of the ring.
        scale: standard deviation of each.

    Source: Metz et al. 2017, "Unrolled Generative Adversarial Networks", section 3.3 (radius 2, scale 0.02).

    >>> ring(8).means.shape
    (8, 2)
    """
    check_count(modes, "modes")
    angle = 2 * np.pi * np.arange(modes) / modes
    return mixture(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1), scale)


def grid(side: int = 5, *, spacing: float | int = 2.0, scale: float | int = 0.05) -> Mixture:
    """Make side x side Gaussians on a square grid centred at the origin.

    Source: the grid of 25 with spacing 2 and scale 0.05 is that of Lin et al. 2018, "PacGAN", section 4.1.

    >>> grid().means.min().item(), grid().means.max().item()
    (-4.0, 4.0)
    """
    check_count(side, "side")
    line = spacing * (np.arange(side) - (side - 1) / 2)
    return mixture(np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2), scale)


def clusters(*, scale: float | int = 0.08) -> Mixture:
    """Make three clusters far apart and unlike: the small one holds a fifth of the samples, the widest a half.

    Where a ring asks whether a generator finds all of its modes, this asks whether it also gives each its share and
    its width, with nothing in between.

    Args:
        scale: standard deviation of the smallest; the others' are 1.5 and 2.5 times as large.

    >>> clusters().weights.tolist(), clusters().scales.tolist()
    ([0.2..., 0.3..., 0.5], [0.07..., 0.1..., 0.2...])
    """
    widths = scale * np.array([1.0, 1.5, 2.5])
    return mixture([(-0.9, 0.5), (-0.2, -0.8), (0.8, 0.4)], widths, [0.2, 0.3, 0.5])


def _curve(path: Callable, noise: float | int) -> Curve:
    if not (np.isfinite(noise) and noise >= 0):
        raise ValueError(f"noise is a standard deviation and must not be negative, got {noise!r}")
    return Curve(jnp.asarray(noise, jnp.float32), path)


def _polar(radius: Float[Array, " n"], angle: Float[Array, " n"]) -> Float[Array, "n 2"]:
    return radius[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)


def _line(t: Float[Array, " n"]) -> Float[Array, "n 2"]:
    return jnp.stack([2 * t - 1, 0.5 * (2 * t - 1)], axis=-1)


def _circle(t: Float[Array, " n"]) -> Float[Array, "n 2"]:
    return _polar(jnp.ones_like(t), 2 * jnp.pi * t)


def _spiral(t: Float[Array, " n"]) -> Float[Array, "n 2"]:
    arm, t = jnp.divmod(2 * t, 1.0)  # the first half of the times runs along one arm, the second along the other
    r = jnp.sqrt(t)  # nearly equal density along the arm
    return _polar(1.2 * r, 3 * jnp.pi * r + jnp.pi * arm)


def _swiss_roll(t: Float[Array, " n"]) -> Float[Array, "n 2"]:
    angle = 1.5 * jnp.pi * (1 + 2 * t)
    return _polar(angle / 10, angle)


def _two_moons(t: Float[Array, " n"]) -> Float[Array, "n 2"]:
    moon, t = jnp.divmod(2 * t, 1.0)
    sign = 1 - 2 * moon
    return jnp.stack([sign * jnp.cos(jnp.pi * t) + moon - 0.5, sign * jnp.sin(jnp.pi * t) + 0.5 * moon - 0.25], -1)


def line(*, noise: float | int = 0.05) -> Curve:
    """Make a straight piece of a line from (-1, -0.5) to (1, 0.5), blurred by `noise`."""
    return _curve(_line, noise)


def circle(*, noise: float | int = 0.05) -> Curve:
    """Make a circle of radius 1, blurred by `noise`."""
    return _curve(_circle, noise)


def spiral(*, noise: float | int = 0.03) -> Curve:
    """Make a spiral of two arms of one and a half turns and radius 1.2, blurred by `noise`."""
    return _curve(_spiral, noise)


def swiss_roll(*, noise: float | int = 0.05) -> Curve:
    """Make the Swiss roll seen from its end (one arm, radius 0.47 to 1.41), blurred by `noise`."""
    return _curve(_swiss_roll, noise)


def two_moons(*, noise: float | int = 0.05) -> Curve:
    """Make two interleaved half circles of radius 1, blurred by `noise`."""
    return _curve(_two_moons, noise)


def checkerboard(squares: int = 4, *, half_width: float | int = 1.5) -> Checkerboard:
    """Make the uniform distribution on every other square of a board.

    Raises:
        ValueError: `squares` is odd, so that light and dark squares would not be equally many, or `half_width` is
            not positive.
    """
    check_count(squares, "squares", least=2)
    if squares % 2:
        raise ValueError(f"squares must be even, so that half of them are filled, got {squares}")
    if not (np.isfinite(half_width) and half_width > 0):
        raise ValueError(f"half_width is half the side of the board and must be positive, got {half_width!r}")
    return Checkerboard(jnp.asarray(half_width, jnp.float32), squares)


TARGETS: Menu[Callable[..., Target]] = Menu(
    "target",
    {
        "ring": ring,
        "grid": functools.partial(grid, 5, spacing=0.6, scale=0.03),
        "gaussian": functools.partial(gaussian, (0.5, 0.3), 0.3),
        "two gaussians": functools.partial(mixture, [(-0.8, 0.0), (0.8, 0.0)], 0.15),
        "clusters": clusters,
        "line": line,
        "circle": circle,
        "spiral": spiral,
        "swiss roll": swiss_roll,
        "two moons": two_moons,
        "checkerboard": checkerboard,
    },
)
"""2-D targets of about unit size, by name, as the lab's menu shows them."""


# one program: sample's dozen operations, each compiled on its own, would take a second the first time
_draw = jax.jit(lambda target, key, n: target.sample(key, n), static_argnums=2)


def bounds(target: Target, *, margin: float | int = 0.25, n: int = 4096) -> tuple[float, float, float, float]:
    """Say which window of the plane shows a 2-D target: `(left, right, bottom, top)`, square, with a margin.

    >>> left, right, bottom, top = bounds(ring(8))
    >>> left < -1 and right > 1 and abs((right - left) - (top - bottom)) < 1e-5
    True
    """
    if target.shape != (2,):
        raise ValueError(
            f"only a 2-D target lies in a window of the plane; a sample of this one has shape {target.shape}"
        )
    points = np.asarray(_draw(target, jax.random.key(0), n))
    low, high = points.min(axis=0), points.max(axis=0)
    centre, half = (low + high) / 2, (1 + margin) * float((high - low).max()) / 2
    return tuple(float(v) for v in (centre[0] - half, centre[0] + half, centre[1] - half, centre[1] + half))  # type: ignore[return-value]
