"""A session comes in; how much of p and of p_g lies in each cell of its picture goes out, computed once a state.

Both densities are seen through one round Gaussian kernel, a cell wide. What p becomes under it is known exactly, what
p_g becomes is estimated from `SAMPLES` samples. So the one difference between a perfect generator's p_g and p is the
chance of sampling, and D* = 1/2 and KL = 0 are right up to that; with p left sharp, a kernel estimate would call the
middle of every mode real. Nothing smaller than a cell can be seen in the picture either way.
"""

import functools
import math
import weakref
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import data, theory
from ..data.distributions import _draw

SIDE = 64
"""Cells a side."""

SAMPLES = 4096
"""Samples from which p_g is estimated: always of the same latents, so that the picture moves only when G does."""

STAND_IN = 65_536
"""Samples of the target that stand in for p where the target has no `log_prob`."""

Cells = Float[np.ndarray, " cells"]


class Masses(NamedTuple):
    """How much of each distribution lies in each cell, row after row from the top, and last what lies outside.

    Attributes:
        real: of p, shape (SIDE * SIDE + 1,), summing to 1.
        fake: of p_g, likewise.
        width: standard deviation of the kernel through which both are seen, in the units of the plane.
        samples: samples from which `fake` is estimated.
    """

    real: Cells
    fake: Cells
    width: float
    samples: int

    @property
    def supported(self) -> tuple[Cells, Cells]:
        """Both with one more sample, spread evenly over all cells: no mass is 0, and each sums to 1.

        N samples cannot show that a cell has less than about 1 / N: so a KL stays finite, at most about log N plus
        the log of what one cell holds. Both sides get the same, so that equal distributions stay equal.
        """
        cells = len(self.real)
        real, fake = ((self.samples * mass + 1 / cells) / (self.samples + 1) for mass in (self.real, self.fake))
        return real, fake

    @property
    def best(self) -> Cells:
        """The best discriminator `p / (p + p_g)` in each cell, shape (SIDE * SIDE,); 1/2 where neither has mass."""
        real, fake = self.supported
        return theory.optimal_discriminator(np.log(real), np.log(fake))[:-1]  # type: ignore[return-value]

    @property
    def weight(self) -> Cells:
        """Share of the real and fake samples, half of each, in each cell, shape (SIDE * SIDE,)."""
        real, fake = self.supported
        return (real + fake)[:-1] / 2

    @property
    def known(self) -> Cells:
        """How well each cell's D* is known, from 0 to 1, shape (SIDE * SIDE,): `m / (m + 4)` for m samples in reach.

        A kernel a cell wide averages over `4 pi` cells; m samples leave a relative error of `1 / sqrt(m)`.
        """
        within_reach = 4 * math.pi * self.samples * self.weight
        return within_reach / (within_reach + 4)


class Moment:
    """What layers and measures need of one state of a session, each computed when it is first asked for."""

    def __init__(self, session: Any):
        self.session = weakref.ref(session)
        self.game, self.gan, self.target = session.game, session.gan, session.target
        self.window, self.noise = np.asarray(session.window, np.float32), noise_now(session)
        self._found: dict[float, Masses] = {}

    def is_of(self, session: Any) -> bool:
        """Whether the session still stands there."""
        same = self.game is session.game and self.gan == session.gan and self.target is session.target
        return same and np.array_equal(self.window, session.window) and self.noise == noise_now(session)

    @functools.cached_property
    def fake(self) -> Float[Array, "n 2"]:
        """`SAMPLES` samples of G."""
        return generate(self.game.generator, latents(self.gan, SAMPLES))

    @property
    def cell(self) -> float:
        """Side of a cell, in the units of the plane."""
        return float(self.window[1] - self.window[0]) / SIDE

    def masses(self, noise: float | int = 0.0) -> Masses:
        """p and p_g in the cells, both under Gaussian noise of this standard deviation on top of the kernel."""
        width = round_off(math.hypot(self.cell, noise))
        if width not in self._found:
            real, fake = real_masses(self.target, self.window, width), fake_masses(self.fake, self.window, width)
            self._found[width] = Masses(real, fake, width, SAMPLES)
        return self._found[width]


_MOMENTS: weakref.WeakKeyDictionary[Any, Moment] = weakref.WeakKeyDictionary()


def moment(session: Any) -> Moment:
    """What is known of the session's present state; the same object until the session moves on."""
    found = _MOMENTS.get(session)
    if found is None or not found.is_of(session):
        found = _MOMENTS[session] = Moment(session)
    return found


def noise_now(session: Any) -> float:
    """Standard deviation of the noise that D sees at the present step."""
    hyper = session.hyper
    return float(hyper.instance_noise * max(1 - int(session.game.step) / hyper.noise_steps, 0))


@functools.lru_cache(maxsize=16)
def latents(gan: Any, n: int) -> Float[Array, "n latent_dim"]:
    """n latents of a GAN, always the same."""
    return gan.noise(jax.random.key(0x1A7), n)


generate = jax.jit(lambda generator, z: generator(z))


# ---- masses ----


@jax.jit
def _smoothed(points, weights, window, width):
    """Density of weighted points under a round Gaussian at the middle of each cell, times the cell; rows from the top.

    A Gaussian is a product of one in x and one in y, so that 2 n SIDE exponentials and a matrix product do.
    """
    left, right, bottom, top = window
    middle = (jnp.arange(SIDE) + 0.5) / SIDE
    columns, rows = left + middle * (right - left), top + middle * (bottom - top)
    bell = lambda offset: jnp.exp(-0.5 * (offset / width) ** 2) / (width * math.sqrt(2 * math.pi))  # noqa: E731
    x, y = (bell(points[:, i, None] - centres[None]) for i, centres in enumerate((columns, rows)))
    density = jnp.matmul((weights[:, None] * y).T, x, precision="highest")
    return (density * (right - left) * (top - bottom) / SIDE**2).ravel()


def _with_outside(inside: Any) -> Cells:
    """Append what is missing to 1; a midpoint rule may be above 1 by a rounding."""
    inside = np.asarray(inside, np.float64)
    total = inside.sum()
    return np.append(inside, max(1 - total, 0.0)) / max(total, 1.0)


def fake_masses(samples: Float[Array, "n 2"], window: Float[np.ndarray, "4"], width: float | int) -> Cells:
    """Masses of samples in the cells and outside, each sample spread by a Gaussian of this width."""
    n = len(samples)
    return _with_outside(_smoothed(samples, jnp.full(n, 1 / n), window, width))


def blurred(target: Any, width: float | int) -> Any:
    """The target under Gaussian noise of this standard deviation, exactly, where it is of a kind that stays its kind.

    Returns:
        A target, or None where there is no closed form.

    >>> float(blurred(data.gaussian((0.0, 0.0), 3.0), 4.0).scales[0])
    5.0
    """
    if isinstance(target, data.Mixture):
        return replace(target, scales=jnp.hypot(target.scales, jnp.float32(width)))
    if isinstance(target, data.Curve):
        return replace(target, noise=jnp.hypot(target.noise, jnp.float32(width)))
    if isinstance(target, data.Drawn):
        return replace(target, scale=jnp.hypot(target.scale, jnp.float32(width)))
    if isinstance(target, data.Checkerboard):
        return _BlurredBoard(target, jnp.float32(width))
    return None


@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class _BlurredBoard:
    """A checkerboard under Gaussian noise: over each dark square a product of two differences of the normal's CDF."""

    board: data.Checkerboard
    width: Array

    def log_prob(self, x):
        half, squares = self.board.half_width, self.board.squares
        edges = half * jnp.linspace(-1, 1, squares + 1)
        offset = edges.reshape((1,) * x.ndim + (-1,)) - x[..., None]
        within = jnp.diff(jax.scipy.special.ndtr(offset / self.width), axis=-1)  # shape (..., 2, squares)
        dark = (jnp.arange(squares)[:, None] + jnp.arange(squares)[None]) % 2 == 0
        return jnp.log(jnp.einsum("...i,...j,ij->...", within[..., 0, :], within[..., 1, :], dark / (2 * half**2)))


_log_prob = jax.jit(lambda target, x: target.log_prob(x))


def real_masses(target: Any, window: Float[np.ndarray, "4"], width: float | int) -> Cells:
    """Masses of a target in the cells and outside, under a Gaussian of this width.

    Exact for all targets of `data`; for others with a `log_prob` by the midpoint rule on 4 x 4 points a cell, as if all
    of it lay in the window, which is laid around 4,096 samples with a margin; without one from `STAND_IN` samples.
    Kept, for it is needed again at each state.
    """
    leaves, structure = jax.tree.flatten(target)
    name = structure, tuple(np.asarray(leaf).tobytes() for leaf in leaves), tuple(window.tolist()), width
    if name not in _REAL:
        if len(_REAL) >= 32:
            _REAL.pop(next(iter(_REAL)))
        _REAL[name] = _real_masses(target, window, width)
    return _REAL[name]


_REAL: dict[Any, Cells] = {}


def round_off(width: float | int) -> float:
    """The width to three figures: noise that falls to 0 step by step then needs a new p now and then only."""
    return float(f"{width:.3g}")


def _real_masses(target, window, width):
    exact = blurred(target, width)
    if exact is not None:
        grid = theory.quadrature(window.tolist(), SIDE)
        upside = grid.points.reshape(SIDE, SIDE, 2)[::-1].reshape(-1, 2).astype(np.float32)
        return _with_outside(np.exp(np.asarray(_log_prob(exact, upside), np.float64)) * grid.weights)
    if hasattr(target, "log_prob"):
        fine = theory.quadrature(window.tolist(), 4 * SIDE)
        points = fine.points.astype(np.float32)
        held = np.exp(np.asarray(_log_prob(target, points), np.float64)) * fine.weights
        held = (held / held.sum()).astype(np.float32)  # a jump would cost the midpoint rule up to a cell along it
        return _with_outside(_smoothed(points, held, window, width))
    return fake_masses(_draw(target, jax.random.key(0x5EA1), STAND_IN), window, width)
