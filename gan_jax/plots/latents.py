"""A generator comes in; the picture of where it puts a grid of latents goes out."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from ..train import LATENTS
from .answers import call
from .clouds import draw_samples
from .parts import Numbers, Window, as_points, name_colors, set_plane, window_around
from .style import GENERATOR, REAL, SQUARE, Picture, panels, styled

COARSE, FINE = 21, 201
"""Lines of the latent grid, and points along each of them."""


@styled
def manifold(
    generator: Callable,
    latent_dim: int,
    *,
    latent: str = "normal",
    real: Numbers | None = None,
    window: Window | None = None,
    title: str = "",
) -> Picture:
    """Draw the generator itself: where it puts a grid of latents.

    The grid has equal probability between its lines, so a 2-D latent gives cells that each hold the same share of
    the samples (small cells are crowded, stretched ones nearly empty); a 1-D latent gives a curve with a dot at every
    twentieth of the samples.

    Args:
        generator: maps latents, shape (n, latent_dim), to points, shape (n, 2): `state.generator`.
        latent_dim: 1 or 2.
        latent: name in `train.LATENTS`: "normal" or "uniform".
        real: samples to lay under it, shape (n, 2).
        window: (left, right, bottom, top); around the real samples when left out.
        title: above the panel.

    >>> manifold(lambda z: 2 * z, 2).alt
    'Image of a 21 x 21 grid of latents under the generator.'
    """
    LATENTS[latent]
    if latent_dim not in (1, 2):
        raise ValueError(f"a manifold can be drawn of a latent of 1 or 2 dimensions, got latent_dim {latent_dim}")
    real = None if real is None else as_points(real, "real")
    lines = as_points(call(generator, jnp.asarray(_latent_lines(latent_dim, latent))), "the generator's output")
    picture, (axes,) = panels(SQUARE[0], height=SQUARE[1])
    window = window_around(window, real, lines)
    under = draw_samples(axes, real, None, window, "") if real is not None else ""
    for line in lines.reshape(-1, FINE, 2):
        axes.plot(line[:, 0], line[:, 1], color=GENERATOR, linewidth=1.6 if latent_dim == 1 else 0.6, alpha=0.9)
    if latent_dim == 1:
        dots = lines[:: (FINE - 1) // (COARSE - 1)]
        axes.plot(dots[:, 0], dots[:, 1], "o", color=GENERATOR, markersize=4)
    name_colors(axes, ([("real", REAL)] if real is not None else []) + [("G's image of a latent grid", GENERATOR)])
    set_plane(axes, window, title)
    grid = f"{COARSE} x {COARSE} grid" if latent_dim == 2 else f"line of {COARSE}"
    under = f", over {under}" if under else ""
    picture.alt = f"{title + ': ' if title else ''}Image of a {grid} of latents under the generator{under}."
    return picture


def _latent_lines(latent_dim: int, latent: str) -> np.ndarray:
    """The grid's lines one after the other, `FINE` latents each: shape (lines * FINE, latent_dim)."""

    def quantiles(n):
        share = np.linspace(0, 1, n) * 0.98 + 0.01
        return np.asarray(jax.scipy.special.ndtri(share) if latent == "normal" else 2 * share - 1, np.float32)

    fine, coarse = quantiles(FINE), quantiles(COARSE)
    if latent_dim == 1:
        return fine[:, None]
    across = np.stack(np.broadcast_arrays(fine[None, :], coarse[:, None]), axis=-1)
    return np.concatenate([across, across[..., ::-1]]).reshape(-1, 2)
