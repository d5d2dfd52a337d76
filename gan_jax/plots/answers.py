"""A discriminator comes in, with samples; what it answers over the plane, and where it pushes G's samples, goes out."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float
from matplotlib.axes import Axes

from ..losses import Loss
from .clouds import draw_samples
from .parts import Numbers, Real, Window, as_points, window_around
from .style import BELIEF, SQUARE, Picture, panels, styled


@styled
def surface(
    discriminator: Callable,
    real: Numbers | None = None,
    fake: Numbers | None = None,
    *,
    window: Window | None = None,
    level: Real = 0.0,
    probability: bool = True,
    title: str = "",
) -> Picture:
    """Draw what D answers at every point of the plane, with the line on which it is undecided.

    Args:
        discriminator: maps points, shape (n, 2), to logits, shape (n, 1) or (n,): `state.discriminator`.
        real, fake: samples to lay over it, shape (n, 2).
        window: (left, right, bottom, top); around the samples when left out.
        level: the logit at which D is undecided; the contour is drawn there.
        probability: colour by D(x) = sigmoid(logit) from 0 to 1. False, for a critic: by the logit itself.
        title: above the panel.

    >>> picture = surface(lambda x: 3 * x[:, 0])
    >>> picture.alt
    'D(x) over the plane, from 0.011 to 0.989, undecided along a line.'
    """
    real = None if real is None else as_points(real, "real")
    fake = None if fake is None else as_points(fake, "fake")
    picture, (axes,) = panels(SQUARE[0], height=SQUARE[1])
    window = window_around(window, real, fake)
    words = draw_surface(axes, discriminator, window, level, probability)
    picture.alt = f"{title + ': ' if title else ''}{words}{_overlay(axes, real, fake, window, title)}."
    return picture


def _grid(window: Window, n: int) -> np.ndarray:
    """n x n points of the window, row by row from the bottom, shape (n * n, 2)."""
    x, y = np.linspace(*window[:2], n), np.linspace(*window[2:], n)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)


@jax.jit
def _compiled(module, x):
    return module(x)


def call(network: Callable, x: Array) -> Array:
    """Call a network; compiled when it is a module, because one program is sooner made than a dozen operations."""
    return _compiled(network, x) if isinstance(network, nnx.Module) else network(x)


def logits_of(discriminator: Callable, points: np.ndarray) -> np.ndarray:
    """D's logits at the points, shape (n,), or an error that says what it returned instead."""
    logits = np.asarray(call(discriminator, jnp.asarray(points)), np.float64)
    if logits.shape not in ((len(points),), (len(points), 1)):
        raise ValueError(
            f"the discriminator must map points of shape (n, {points.shape[1]}) to one logit each, (n,) or (n, 1); "
            f"for n = {len(points)} it returned shape {logits.shape}"
        )
    return logits.reshape(-1)


def draw_surface(axes: Axes, discriminator: Callable, window: Window, level: Real, probability: bool) -> str:
    """Colour the window by what D answers, and say it in words."""
    n = 101
    logits = logits_of(discriminator, _grid(window, n)).reshape(n, n)
    values = np.asarray(jax.nn.sigmoid(logits - level)) if probability else logits
    reach = 0.5 if probability else float(np.nanmax(np.abs(values - level), initial=1e-9))
    centre = 0.5 if probability else level
    axes.imshow(values, extent=window, origin="lower", cmap=BELIEF, vmin=centre - reach, vmax=centre + reach,
                interpolation="bilinear", aspect="equal")  # fmt: skip
    answer = "D(x)" if probability else "the critic's answer"
    crossed = np.nanmin(values) < centre < np.nanmax(values)
    if crossed:
        x, y = np.linspace(*window[:2], n), np.linspace(*window[2:], n)
        axes.contour(x, y, values, levels=[centre], colors="#222222", linewidths=1.2, linestyles="solid")
    where = "undecided along a line" if crossed else "nowhere undecided"
    return f"{answer} over the plane, from {values.min():.3g} to {values.max():.3g}, {where}"


def _overlay(axes: Axes, real: np.ndarray | None, fake: np.ndarray | None, window: Window, title: str) -> str:
    words = draw_samples(axes, real, fake, window, title)
    return f", with {words}" if words else ""


def push(loss: Loss, discriminator: Callable, real: Numbers, fake: Numbers) -> Float[Array, "n ..."]:
    """Say how G's loss would have each fake sample move: minus its gradient, `-n dL_G/dx_i`, shape like `fake`.

    A loss is a mean over n samples; the factor n makes the push that of one sample, whatever the batch. This is the
    signal that goes on through the chain rule to G's weights: where it is 0, G learns nothing from that sample.

    Args:
        loss: the objective, whose `generator` half is differentiated.
        discriminator: maps samples to logits.
        real, fake: samples, shape (n, ...), of one shape; relativistic losses pair them.

    >>> from gan_jax import losses
    >>> towards_right = lambda x: 2 * x[:, 0]
    >>> push(losses.wasserstein, towards_right, np.zeros((3, 2)), np.ones((3, 2)))[0].tolist()
    [2.0, 0.0]
    """
    real, fake = jnp.asarray(real, jnp.float32), jnp.asarray(fake, jnp.float32)
    if real.shape != fake.shape:
        raise ValueError(f"real and fake must have one shape, got {real.shape} and {fake.shape}")
    return (_push_compiled if isinstance(discriminator, nnx.Module) else _push)(loss, discriminator, real, fake)


def _push(loss, discriminator, real, fake):
    real_logits = discriminator(real).reshape(-1)
    return jax.grad(lambda x: -len(x) * loss.generator(real_logits, discriminator(x).reshape(-1)))(fake)


_push_compiled = jax.jit(_push, static_argnums=0)


@styled
def arrows(
    fake: Numbers,
    push: Numbers,
    *,
    real: Numbers | None = None,
    discriminator: Callable | None = None,
    length: Real | None = None,
    window: Window | None = None,
    title: str = "",
) -> Picture:
    """Draw the push on each fake sample: minus the gradient of G's loss with respect to that sample.

    Args:
        fake: samples, shape (n, 2).
        push: from `plots.push`, shape (n, 2).
        real: samples to lay under it, shape (n, 2).
        discriminator: draws D's answer under it, as `surface` does.
        length: units of the plane that a push of 1 is drawn as. Give two figures the same to compare them: a
            saturated loss then shows as arrows that have vanished. When left out, the longest arrow takes an eighth
            of the window. The size of the largest push is written in the panel either way.
        window: (left, right, bottom, top); around the real samples, or the fake ones, when left out.
        title: above the panel.
    """
    fake, push = as_points(fake, "fake"), as_points(push, "push")
    if fake.shape != push.shape:
        raise ValueError(f"push must have one row a fake sample: shape {fake.shape}, got {push.shape}")
    real = None if real is None else as_points(real, "real")
    picture, (axes,) = panels(SQUARE[0], height=SQUARE[1])
    window = window_around(window, real, fake)
    words = "" if discriminator is None else draw_surface(axes, discriminator, window, 0.0, True) + "; "
    words += draw_samples(axes, real, fake, window, title)
    picture.alt = f"{title + ': ' if title else ''}{words}; {draw_arrows(axes, fake, push, length, window)}."
    return picture


def draw_arrows(axes: Axes, fake: np.ndarray, push: np.ndarray, length: Real | None, window: Window) -> str:
    """Draw the push on each fake sample, and say in words how large it is."""
    longest = float(np.nanmax(np.linalg.norm(push, axis=1), initial=0.0))
    if length is None:
        length = (window[1] - window[0]) / 8 / longest if longest > 0 else 1.0
    moved = length * push
    axes.quiver(fake[:, 0], fake[:, 1], moved[:, 0], moved[:, 1], angles="xy", scale_units="xy", scale=1,
                color="#222222", width=0.004, headwidth=4, headlength=5, minlength=0)  # fmt: skip
    words = f"largest push {longest:.2g}"
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
    axes.text(0.98, 0.98, words, transform=axes.transAxes, ha="right", va="top", fontsize=8.5, bbox=box)
    return f"an arrow on each fake sample shows where G's loss pushes it, {words}"
