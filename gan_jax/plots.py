"""Arrays come in, and a `Picture` goes out: a Matplotlib figure in one style, with its description in words.

Nothing here touches pyplot: no figure stays open, no setting leaks, and a cell shows the picture that it ends with.
Colours are the same throughout: real samples blue, fake samples and the generator vermilion, the discriminator green.
"""

import base64
import functools
import html
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Num
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea

from . import theory
from .data import Mixture, Target, bounds
from .losses import Loss
from .train import LATENTS, History, State

REAL, FAKE, GENERATOR, DISCRIMINATOR, QUIET = "#0072B2", "#D55E00", "#D55E00", "#00795A", "#777777"

BELIEF = LinearSegmentedColormap.from_list("belief", ["#F2A36B", "#FFFFFF", "#6FB3DC"])
"""D's answer as a colour: vermilion for fake, white for undecided, blue for real."""

SQUARE, WIDE, THUMB = (3.6, 3.8), (4.8, 3.8), (2.0, 2.2)
"""The family of panel sizes, in inches: width and height with the title. Figures are rows of these."""

STYLE = matplotlib.rc_params_from_file(Path(__file__).with_name("style.mplstyle"), use_default_template=False)

Numbers = Num[Array | np.ndarray, "..."]
Real = float | int
Window = tuple[Real, Real, Real, Real]

NEUTRAL = {
    "minimax": 0.0,
    "non-saturating": 0.0,
    "f-GAN Jensen-Shannon": 0.0,
    "least squares": 0.5,
    "relativistic pairing": 0.0,
    "f-GAN KL": 1.0,
    "f-GAN reverse KL": 0.0,
    "f-GAN Pearson": 0.0,
}
"""By the loss's name, what D answers everywhere at equilibrium, when real and fake are one distribution. Hinge and
Wasserstein are missing because there any constant will do, and with it any loss of G."""

_PROBABILITIES = ("minimax", "non-saturating", "f-GAN Jensen-Shannon")


class Picture(Figure):
    """A figure that says in words what it shows, to a screen reader and wherever a picture can't be shown.

    Attributes:
        alt: the description; `alt(picture)` reads it, and assigning to it replaces it.
    """

    alt: str = ""

    def __repr__(self) -> str:
        return f"Picture: {self.alt}"

    def _repr_html_(self) -> str:
        png, (width, _) = io.BytesIO(), self.get_size_inches()
        with matplotlib.rc_context(STYLE):
            self.savefig(png, format="png")
        data = base64.b64encode(png.getvalue()).decode()
        size = f'width="{90 * width:.0f}" style="max-width:100%;height:auto"'
        return f'<img alt="{html.escape(self.alt)}" {size} src="data:image/png;base64,{data}">'


def alt(figure: Figure) -> str:
    """Read a figure's description in words.

    >>> alt(images(np.zeros((4, 8, 8))))
    '4 images of 8 x 8 in 1 row.'
    """
    return getattr(figure, "alt", "")


def _styled(draw: Callable[..., Picture]) -> Callable[..., Picture]:
    """Draw in the house style, and put the caller's settings back."""

    @functools.wraps(draw)
    def styled(*args, **keywords):
        with matplotlib.rc_context(STYLE):
            return draw(*args, **keywords)

    return styled


def _panels(*widths: float, height: float) -> tuple[Picture, list[Axes]]:
    picture = Picture(figsize=(sum(widths), height))
    axes = picture.subplots(1, len(widths), width_ratios=widths, squeeze=False)
    return picture, list(axes[0])


# ---- what the panels share ----


def _points(values: Numbers, name: str) -> np.ndarray:
    """The samples as an array of shape (n, 2), or an error that says what they are instead."""
    array = np.asarray(values, np.float32)
    if array.ndim != 2 or array.shape[1] != 2 or not len(array):
        raise ValueError(
            f"{name} must be points of the plane, shape (n, 2) with n at least 1, got shape {array.shape}; "
            "for one dimension use plots.densities or plots.histogram, for pictures plots.images"
        )
    return array


def _vector(values: Numbers, name: str, length: int | None = None) -> np.ndarray:
    array = np.asarray(values, np.float64)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim != 1 or not array.size or (length is not None and len(array) != length):
        expected = "(n,)" if length is None else f"({length},)"
        raise ValueError(f"{name} must have shape {expected}, got shape {np.shape(values)}")
    return array


def _window(window: Window | None, *clouds: np.ndarray | None) -> Window:
    """The window asked for, or the square one that holds the first cloud there is, with a margin."""
    if window is not None:
        left, right, bottom, top = (float(edge) for edge in window)
        if not (left < right and bottom < top):
            raise ValueError(f"window must be (left, right, bottom, top) with left < right, bottom < top, got {window}")
        return left, right, bottom, top
    points = next((cloud[np.isfinite(cloud).all(axis=1)] for cloud in clouds if cloud is not None), np.zeros((0, 2)))
    if not len(points):
        return -1.5, 1.5, -1.5, 1.5
    low, high = points.min(axis=0), points.max(axis=0)
    half = 0.625 * max(float((high - low).max()), 1e-3)
    x, y = (low + high) / 2
    return float(x - half), float(x + half), float(y - half), float(y + half)


def _plane(axes: Axes, window: Window, title: str = "") -> None:
    axes.set(xlim=window[:2], ylim=window[2:], aspect="equal")
    axes.locator_params(nbins=5)
    if title:
        axes.set_title(title, pad=20)


def _key(axes: Axes, words: Sequence[tuple[str, str]]) -> None:
    """Name the colours in their own colours, on one line above the panel."""
    texts = [TextArea(word, textprops={"color": color, "fontsize": 9.5}) for word, color in words]
    row = HPacker(children=list[Artist](texts), pad=0, sep=10)
    box = AnchoredOffsetbox("lower left", child=row, frameon=False, pad=0, borderpad=0.2,
                            bbox_to_anchor=(0, 1), bbox_transform=axes.transAxes)  # fmt: skip
    axes.add_artist(box)


def _scatter(axes: Axes, points: np.ndarray, color: str, name: str, window: Window, size: Real = 6) -> str:
    """Draw a cloud, and say how much of it can't be seen: a cloud that has left the window is news, not a blank."""
    axes.scatter(points[:, 0], points[:, 1], s=size, c=color, linewidths=0, alpha=0.55, label=name)
    left, right, bottom, top = window
    x, y = points.T
    inside = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    lost = int(len(points) - inside.sum())
    return f"{lost:,} {name} of {len(points):,} outside" if lost else ""


def _note(axes: Axes, notes: Sequence[str]) -> None:
    text = "\n".join(filter(None, notes))
    if text:
        box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
        axes.text(0.98, 0.02, text, transform=axes.transAxes, ha="right", va="bottom", fontsize=8.5, bbox=box)


def _label_ends(axes: Axes, ends: Sequence[tuple[str, float, str]]) -> None:
    """Write each curve's name at its right end, pushed apart where two would overlap."""
    low, high = axes.get_ylim()
    tall = axes.bbox.height / cast(Figure, axes.get_figure(root=True)).dpi  # inches
    gap = 14 / (72 * tall)  # 14 points a line
    order = sorted(ends, key=lambda end: end[1])
    heights = [float(np.clip((y - low) / (high - low), 0.0, 1.0)) for _, y, _ in order]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    excess = max(heights[-1] - 1.0, 0.0) if heights else 0.0
    for i in range(len(heights) - 1, -1, -1):  # what was pushed over the top comes back down, neighbours with it
        heights[i] = min(heights[i], 1.0 - gap * (len(heights) - 1 - i)) if excess else heights[i]
    for (name, _, color), height in zip(order, heights, strict=True):
        axes.annotate(name, (1, height), xycoords="axes fraction", xytext=(5, 0), textcoords="offset points",
                      va="center", fontsize=9.5, color=color)  # fmt: skip


def _has_contour(axes: Axes) -> bool:
    return any(isinstance(artist, ContourSet) for artist in axes.collections)


def _finite(values: np.ndarray) -> str:
    values = values[np.isfinite(values)]
    return f"{values.min():.3g} to {values.max():.3g}" if values.size else "nothing finite"


# ---- the plane ----


@_styled
def samples(real: Numbers, fake: Numbers, *, window: Window | None = None, title: str = "") -> Picture:
    """Draw the two clouds, real and fake, in the plane.

    Args:
        real, fake: samples, shape (n, 2) each; the two n may differ.
        window: (left, right, bottom, top); around the real samples when left out. Samples outside are counted.
        title: above the panel.

    >>> picture = samples(np.zeros((3, 2)), np.ones((5, 2)))
    >>> alt(picture)
    '3 real samples (blue) and 5 fake samples (vermilion) in the plane; 5 fake of 5 outside.'
    """
    real, fake = _points(real, "real"), _points(fake, "fake")
    picture, (axes,) = _panels(SQUARE[0], height=SQUARE[1])
    window = _window(window, real, fake)
    words = _draw_samples(axes, real, fake, window, title)
    picture.alt = f"{title + ': ' if title else ''}{words}."
    return picture


def _draw_samples(axes: Axes, real: np.ndarray | None, fake: np.ndarray | None, window: Window, title: str) -> str:
    named = [(cloud, color, name) for cloud, color, name in ((real, REAL, "real"), (fake, FAKE, "fake"))
             if cloud is not None]  # fmt: skip
    notes = [_scatter(axes, cloud, color, name, window) for cloud, color, name in named]
    _note(axes, notes)
    line = [("— undecided", "#222222")] if _has_contour(axes) else []
    _key(axes, [(name, color) for _, color, name in named] + line)
    _plane(axes, window, title)
    counts = [
        f"{len(cloud):,} {name} samples ({'blue' if name == 'real' else 'vermilion'})" for cloud, _, name in named
    ]
    return "; ".join(filter(None, [f"{' and '.join(counts)} in the plane" if counts else "", *notes]))


@_styled
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
    >>> alt(picture)
    'D(x) over the plane, from 0.011 to 0.989, undecided along a line.'
    """
    real = None if real is None else _points(real, "real")
    fake = None if fake is None else _points(fake, "fake")
    picture, (axes,) = _panels(SQUARE[0], height=SQUARE[1])
    window = _window(window, real, fake)
    words = _draw_surface(axes, discriminator, window, level, probability)
    picture.alt = f"{title + ': ' if title else ''}{words}{_overlay(axes, real, fake, window, title)}."
    return picture


def _grid(window: Window, n: int) -> np.ndarray:
    """n x n points of the window, row by row from the bottom, shape (n * n, 2)."""
    x, y = np.linspace(*window[:2], n), np.linspace(*window[2:], n)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)


@jax.jit
def _compiled(module, x):
    return module(x)


def _call(network: Callable, x: Array) -> Array:
    """Call a network; compiled when it is a module, because one program is sooner made than a dozen operations."""
    return _compiled(network, x) if isinstance(network, nnx.Module) else network(x)


def _logits(discriminator: Callable, points: np.ndarray) -> np.ndarray:
    logits = np.asarray(_call(discriminator, jnp.asarray(points)), np.float64)
    if logits.shape not in ((len(points),), (len(points), 1)):
        raise ValueError(
            f"the discriminator must map points of shape (n, {points.shape[1]}) to one logit each, (n,) or (n, 1); "
            f"for n = {len(points)} it returned shape {logits.shape}"
        )
    return logits.reshape(-1)


def _draw_surface(axes: Axes, discriminator: Callable, window: Window, level: Real, probability: bool) -> str:
    n = 101
    logits = _logits(discriminator, _grid(window, n)).reshape(n, n)
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
    words = _draw_samples(axes, real, fake, window, title)
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


@_styled
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
    fake, push = _points(fake, "fake"), _points(push, "push")
    if fake.shape != push.shape:
        raise ValueError(f"push must have one row a fake sample: shape {fake.shape}, got {push.shape}")
    real = None if real is None else _points(real, "real")
    picture, (axes,) = _panels(SQUARE[0], height=SQUARE[1])
    window = _window(window, real, fake)
    words = "" if discriminator is None else _draw_surface(axes, discriminator, window, 0.0, True) + "; "
    words += _draw_samples(axes, real, fake, window, title)
    picture.alt = f"{title + ': ' if title else ''}{words}; {_draw_arrows(axes, fake, push, length, window)}."
    return picture


def _draw_arrows(axes: Axes, fake: np.ndarray, push: np.ndarray, length: Real | None, window: Window) -> str:
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


@_styled
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

    >>> alt(manifold(lambda z: 2 * z, 2))
    'Image of a 21 x 21 grid of latents under the generator.'
    """
    LATENTS[latent]
    if latent_dim not in (1, 2):
        raise ValueError(f"a manifold can be drawn of a latent of 1 or 2 dimensions, got latent_dim {latent_dim}")
    real = None if real is None else _points(real, "real")
    lines = _points(_call(generator, jnp.asarray(_latent_lines(latent_dim, latent))), "the generator's output")
    picture, (axes,) = _panels(SQUARE[0], height=SQUARE[1])
    window = _window(window, real, lines)
    under = _draw_samples(axes, real, None, window, "") if real is not None else ""
    for line in lines.reshape(-1, FINE, 2):
        axes.plot(line[:, 0], line[:, 1], color=GENERATOR, linewidth=1.6 if latent_dim == 1 else 0.6, alpha=0.9)
    if latent_dim == 1:
        dots = lines[:: (FINE - 1) // (COARSE - 1)]
        axes.plot(dots[:, 0], dots[:, 1], "o", color=GENERATOR, markersize=4)
    _key(axes, ([("real", REAL)] if real is not None else []) + [("G's image of a latent grid", GENERATOR)])
    _plane(axes, window, title)
    grid = f"{COARSE} x {COARSE} grid" if latent_dim == 2 else f"line of {COARSE}"
    under = f", over {under}" if under else ""
    picture.alt = f"{title + ': ' if title else ''}Image of a {grid} of latents under the generator{under}."
    return picture


COARSE, FINE = 21, 201
"""Lines of the latent grid, and points along each of them."""


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


# ---- one dimension ----


@_styled
def densities(
    x: Numbers,
    p: Numbers,
    q: Numbers,
    *,
    discriminator: Numbers | None = None,
    fake: Numbers | None = None,
    title: str = "",
) -> Picture:
    """Draw the real density p, the generator's density q, and below them the best discriminator, D* = p / (p + q).

    Args:
        x: places, shape (n,), increasing.
        p, q: densities there, shape (n,), not negative.
        discriminator: what a trained D answers there, as a probability, shape (n,).
        fake: samples of q, shape (m,) or (m, 1), drawn as a histogram behind the curves.
        title: above the upper panel.

    >>> x = np.linspace(-4, 5, 10)
    >>> alt(densities(x, np.exp(-x**2 / 2), np.exp(-(x - 1)**2 / 2)))
    'Densities p (real, blue) and q (fake, vermilion) for x from -4 to 5; below, D* falls from 0.989 to 0.011.'
    """
    x = _vector(x, "x")
    p, q = _vector(p, "p", len(x)), _vector(q, "q", len(x))
    if np.nanmin(p) < 0 or np.nanmin(q) < 0:
        raise ValueError("p and q are densities and must not be negative; take jnp.exp of a log_prob")
    picture = Picture(figsize=(WIDE[0] + 1.2, 4.4))
    above, below = picture.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    top = float(np.nanmax([p, q]))
    if fake is not None:
        fake = _vector(fake, "fake")
        bars = above.hist(fake, bins=60, range=(x[0], x[-1]), density=True, color=FAKE, alpha=0.25)[0]
        top = max(top, float(bars.max()))
    above.plot(x, p, color=REAL)
    above.plot(x, q, color=FAKE)
    above.set(ylim=(0, 1.08 * top), ylabel="density", title=title, xlim=(x[0], x[-1]))
    _key(above, [("p, real", REAL), ("q, fake", FAKE)])
    if title:
        above.set_title(title, pad=20)
    with np.errstate(invalid="ignore", divide="ignore"):
        best = np.where(p + q > 0, p / (p + q), np.nan)
    below.axhline(0.5, color=QUIET, linewidth=0.8, linestyle=":")
    below.plot(x, best, color=DISCRIMINATOR)
    ends = [("D*", _last(best), DISCRIMINATOR)]
    if discriminator is not None:
        learnt = _vector(discriminator, "discriminator", len(x))
        below.plot(x, learnt, color="black", linestyle="--", linewidth=1.3)
        ends.append(("D", _last(learnt), "black"))
    below.set(ylim=(-0.03, 1.03), ylabel="D(x)", xlabel="x", yticks=[0, 0.5, 1])
    _label_ends(below, [*ends, ("1/2", 0.5, QUIET)])
    verb = "falls" if best[0] > _last(best) else "goes"
    picture.alt = (
        f"{title + ': ' if title else ''}Densities p (real, blue) and q (fake, vermilion) for x from {x[0]:g} "
        f"to {x[-1]:g}; below, D* {verb} from {best[0]:.3f} to {_last(best):.3f}."
    )
    return picture


def _last(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if finite.size else 0.5


@_styled
def histogram(real: Numbers, fake: Numbers, *, bins: int = 60, title: str = "", xlabel: str = "x") -> Picture:
    """Draw two sets of numbers as densities one over the other: 1-D samples, or D's logits on both kinds.

    Args:
        real, fake: shape (n,) or (n, 1); the two n may differ.
        bins: how many, over the common range.
        title: above the panel.
        xlabel: what the numbers are.
    """
    real, fake = _vector(real, "real"), _vector(fake, "fake")
    both = np.concatenate([real, fake])
    span = (float(np.nanmin(both)), float(np.nanmax(both)))
    picture, (axes,) = _panels(WIDE[0], height=WIDE[1])
    for values, color in ((real, REAL), (fake, FAKE)):
        axes.hist(values, bins=bins, range=span, density=True, color=color, alpha=0.5)
    axes.set(xlabel=xlabel, ylabel="density")
    _key(axes, [("real", REAL), ("fake", FAKE)])
    if title:
        axes.set_title(title, pad=20)
    picture.alt = (
        f"{title + ': ' if title else ''}Histograms over {xlabel} of {len(real):,} real values (blue, "
        f"{_finite(real)}) and {len(fake):,} fake ones (vermilion, {_finite(fake)})."
    )
    return picture


# ---- training ----


@_styled
def losses(history: History, *, loss: Loss | None = None, title: str = "") -> Picture:
    """Draw both players' losses, each step thin and its running mean bold, with the values at equilibrium.

    The dashed lines are what the losses are when real and fake can't be told apart: for the non-saturating loss 2 log 2
    for D and log 2 for G. They are a resting place, not a goal: losses near them don't prove good samples.

    Args:
        history: of one run, fields of shape (n,); `train.join` puts the chunks of `train.run` together.
        loss: the objective, for the dashed lines; none are drawn without it, or where it has no such values.
        title: above the panel.
    """
    picture, (axes,) = _panels(WIDE[0] + 1.2, height=WIDE[1])
    picture.alt = f"{title + ': ' if title else ''}{_draw_losses(axes, history, loss)}."
    if title:
        axes.set_title(title, pad=8)
    return picture


def _draw_losses(axes: Axes, history: History, loss: Loss | None) -> str:
    rows = {"D": _vector(history.loss_d, "history.loss_d"), "G": _vector(history.loss_g, "history.loss_g")}
    colors, ends, words = {"D": DISCRIMINATOR, "G": GENERATOR}, [], []
    rests = dict(zip("DG", (None, None) if loss is None else theory.equilibrium(loss), strict=True))
    for name, row in rows.items():
        steps = np.arange(1, len(row) + 1)
        mean = _running_mean(row, max(len(row) // 50, 1))
        axes.plot(steps, row, color=colors[name], linewidth=0.6, alpha=0.3)
        axes.plot(steps, mean, color=colors[name])
        ends.append((f"{name}'s loss {_last(mean):.2f}", _last(mean), colors[name]))
        words.append(f"{name}'s loss over {len(row):,} steps, ending near {_last(mean):.3g}")
    every = np.concatenate([*rows.values(), [rest for rest in rests.values() if rest is not None]])
    low, high = np.nanquantile(every[np.isfinite(every)], [0.002, 0.998]) if np.isfinite(every).any() else (0, 1)
    low, high = (min([low, *(r for r in rests.values() if r is not None)]),
                 max([high, *(r for r in rests.values() if r is not None)]))  # fmt: skip
    margin = 0.08 * max(high - low, 0.1)
    axes.set(xlim=(1, max(len(rows["D"]), 2)), ylim=(low - margin, high + margin), xlabel="step", ylabel="loss")
    for name, rest in rests.items():
        if rest is not None:
            axes.axhline(rest, color=colors[name], linestyle="--", linewidth=1)
            ends.append((f"{name} at equilibrium {rest:.2f}", rest, colors[name]))
            words.append(f"{name}'s value at equilibrium is {rest:.3g}")
    _label_ends(axes, ends)
    return "; ".join(words)


def _running_mean(row: np.ndarray, width: int) -> np.ndarray:
    """Mean of the last `width` values at each place, of fewer at the start."""
    total = np.concatenate([[0.0], np.cumsum(row)])
    end = np.arange(1, len(row) + 1)
    begin = np.maximum(end - width, 0)
    return (total[end] - total[begin]) / (end - begin)


@_styled
def images(images: Numbers, *, columns: int | None = None, title: str = "") -> Picture:
    """Draw images as one sheet.

    Args:
        images: shape (n, h, w), (n, h, w, 1), (n, h, w, 3), or (n, h * w) with h = w; uint8 from 0 to 255, or floats
            from -1 to 1 if any is negative, otherwise from 0 to 1. Values outside are clipped.
        columns: images a row; as many as make the sheet nearly square, and at most 10, when left out.
        title: above the sheet.

    >>> alt(images(np.zeros((20, 64))))
    '20 images of 8 x 8 in 4 rows.'
    """
    stack = _stack(images)
    picture, (axes,) = _panels(WIDE[0], height=WIDE[1])
    words, sheet = _draw_images(axes, stack, columns)
    height = WIDE[0] * sheet.shape[0] / sheet.shape[1] + (0.3 if title else 0.0)
    picture.set_size_inches(WIDE[0], min(height, 9.0))
    if title:
        axes.set_title(title)
    picture.alt = f"{title + ': ' if title else ''}{words}."
    return picture


def _stack(images: Any) -> np.ndarray:
    """The images with values from 0 to 1, shape (n, h, w, 1 or 3)."""
    array = np.asarray(images)
    side = round(np.sqrt(array.shape[1])) if array.ndim == 2 else 0
    if array.ndim == 2 and side * side == array.shape[1]:
        array = array.reshape(-1, side, side, 1)
    array = array[..., None] if array.ndim == 3 else array
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or not array.size:
        raise ValueError(
            f"images must have shape (n, h, w), (n, h, w, 1 or 3), or (n, h * w) with h = w; got {np.shape(images)}"
        )
    if array.dtype == np.uint8:
        return array / 255.0
    array = array.astype(np.float64)
    return np.clip((array + 1) / 2 if np.nanmin(array) < 0 else array, 0.0, 1.0)


def _draw_images(axes: Axes, stack: np.ndarray, columns: int | None) -> tuple[str, np.ndarray]:
    n, height, width, channels = stack.shape
    columns = min(n, columns or min(10, int(np.ceil(np.sqrt(n))))) if n > 5 or columns else n
    rows = -(-n // columns)
    sheet = np.ones((rows, columns, height + 1, width + 1, channels))  # a white line between neighbours
    sheet.reshape(-1, height + 1, width + 1, channels)[:n, :height, :width] = stack
    sheet = sheet.swapaxes(1, 2).reshape(rows * (height + 1), columns * (width + 1), channels)[:-1, :-1]
    axes.imshow(sheet[..., 0] if channels == 1 else sheet, vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    return f"{n} images of {height} x {width} in {rows} row{'s' if rows > 1 else ''}", sheet


@_styled
def frame(state: State, target: Target, history: History | None = None, *, n: int = 512, seed: int = 0) -> Picture:
    """Draw the usual view of one moment of training: what D thinks, what G makes, and the losses so far.

    In the plane: D's answer with real and fake samples, and G's push on some of the fake ones. In one dimension:
    histograms, and D's answer. Images: a sheet of fake ones.

    Args:
        state: where the game stands; one run (`train.pick` takes one out of a sweep).
        target: the distribution that real samples come from.
        history: adds the panel of losses; fields of shape (steps,).
        n: real samples, and fake ones; images: 64 at most.
        seed: of the random key; the same latents every time, so that two frames can be compared.

    Returns:
        The picture; its title is the step.
    """
    if not isinstance(state, State) or np.shape(state.step) != ():
        raise TypeError("frame draws one run's State; take one out of a sweep with train.pick(states, setting, seed)")
    real_key, fake_key = jax.random.split(jax.random.key(seed))
    draw = _frame_plane if target.shape == (2,) else _frame_line if target.shape == (1,) else _frame_images
    n = n if draw is not _frame_images else min(n, 64)
    real, fake = target.sample(real_key, n), state.sample(fake_key, n)
    widths = [SQUARE[0], *([WIDE[0] + 1.2] if history is not None else [])]
    picture, axes = _panels(*widths, height=SQUARE[1])
    words = draw(axes[0], state, target, np.asarray(real), np.asarray(fake))
    if history is not None:
        words += "; " + _draw_losses(axes[1], history, state.gan.loss)
    picture.alt = f"Step {int(state.step):,}: {words}."
    axes[0].set_title(f"step {int(state.step):,}", pad=20)
    return picture


def _frame_plane(axes: Axes, state: State, target: Target, real: np.ndarray, fake: np.ndarray) -> str:
    loss = state.gan.loss
    window = bounds(target)
    level = NEUTRAL.get(loss.name)
    if (
        level is None or loss.name == "relativistic pairing"
    ):  # only differences of logits mean anything: take the middle
        level = float(np.mean([_logits(state.discriminator, points).mean() for points in (real, fake)]))
    words = _draw_surface(axes, state.discriminator, window, level, loss.name in _PROBABILITIES)
    words += ", with " + _draw_samples(axes, real, fake, window, "")
    few = slice(0, 48)
    pushed = np.asarray(push(loss, state.discriminator, real[few], fake[few]))
    return f"{words}; {_draw_arrows(axes, fake[few], pushed, None, window)}"


def _frame_line(axes: Axes, state: State, target: Target, real: np.ndarray, fake: np.ndarray) -> str:
    low, high = float(real.min()), float(real.max())
    low, high = low - 0.25 * (high - low), high + 0.25 * (high - low)
    x = np.linspace(low, high, 400, dtype=np.float32)
    axes.hist(fake[:, 0], bins=50, range=(low, high), density=True, color=FAKE, alpha=0.5)
    if isinstance(target, Mixture):
        axes.plot(x, np.exp(np.asarray(target.log_prob(x[:, None]))), color=REAL)
    else:
        axes.hist(real[:, 0], bins=50, range=(low, high), density=True, color=REAL, alpha=0.5)
    axes.set(xlabel="x", ylabel="density", xlim=(low, high))
    other = axes.twinx()
    answers, answer = _logits(state.discriminator, x[:, None]), "critic"
    if state.gan.loss.name in _PROBABILITIES:
        answers, answer = np.asarray(jax.nn.sigmoid(answers)), "D(x)"
        other.set(ylim=(0, 1.03), yticks=[0, 0.5, 1])
    other.plot(x, answers, color=DISCRIMINATOR)
    other.spines["right"].set_visible(True)
    _key(axes, [("p, real", REAL), ("fake", FAKE), (f"{answer}, right axis", DISCRIMINATOR)])
    return (
        f"histogram of {len(fake):,} fake samples, the real density, and {answer} over x from {low:.3g} to {high:.3g}"
    )


def _frame_images(axes: Axes, state: State, target: Target, real: np.ndarray, fake: np.ndarray) -> str:
    return _draw_images(axes, _stack(fake), None)[0] + " by the generator"


# ---- several seeds ----


@_styled
def seeds(
    fakes: Numbers,
    real: Numbers,
    *,
    titles: Sequence[str] | None = None,
    columns: int = 5,
    window: Window | None = None,
) -> Picture:
    """Draw one small panel a seed, so that the spread between runs is seen and not only its best one.

    Args:
        fakes: samples of each run, shape (seeds, n, 2).
        real: samples to compare with, shape (m, 2), the same in every panel.
        titles: one a run; "seed 0", "seed 1" … when left out.
        columns: panels a row.
        window: (left, right, bottom, top); around the real samples when left out.

    >>> alt(seeds(np.zeros((2, 10, 2)), np.zeros((10, 2))))
    '2 panels, each with 10 fake samples (vermilion) over 10 real ones (blue): seed 0, seed 1.'
    """
    clouds = np.asarray(fakes, np.float32)
    if clouds.ndim != 3 or clouds.shape[-1] != 2 or not clouds.size:
        raise ValueError(f"fakes must have shape (seeds, n, 2), got {clouds.shape}; np.stack one cloud a seed")
    real, count = _points(real, "real"), len(clouds)
    titles = [f"seed {i}" for i in range(count)] if titles is None else list(titles)
    if len(titles) != count:
        raise ValueError(f"{count} runs need {count} titles, got {len(titles)}")
    columns = min(columns, count)
    rows = -(-count // columns)
    picture = Picture(figsize=(THUMB[0] * columns, THUMB[1] * rows + 0.2))
    panels = picture.subplots(rows, columns, squeeze=False).ravel()
    window = _window(window, real)
    for axes, cloud, title in zip(panels, clouds, titles, strict=False):
        notes = [_scatter(axes, real, REAL, "real", window, 3), _scatter(axes, cloud, FAKE, "fake", window, 3)]
        _note(axes, notes[1:])
        axes.set(xlim=window[:2], ylim=window[2:], aspect="equal", xticks=[], yticks=[])
        axes.set_xlabel(title)
        axes.spines[["top", "right"]].set_visible(True)
    _key(panels[0], [("real", REAL), ("fake", FAKE)])
    for axes in panels[count:]:
        axes.set_axis_off()
    picture.alt = (
        f"{count} panels, each with {clouds.shape[1]:,} fake samples (vermilion) over {len(real):,} "
        f"real ones (blue): {', '.join(titles)}."
    )
    return picture


@_styled
def scores(
    values: Mapping[str, Numbers],
    *,
    perfect: Numbers | None = None,
    xlabel: str = "score",
    limits: tuple[Real, Real] | None = None,
    title: str = "",
) -> Picture:
    """Draw one dot a seed, one row a setting, with what a perfect generator scores as a band behind them.

    Args:
        values: name of each setting to its scores, shape (seeds,); a run without a score is NaN, and is counted.
        perfect: scores of a perfect generator, shape (repeats,): samples of the target itself, as many as were scored.
        xlabel: what the score is, with its unit.
        limits: of the axis.
        title: above the panel.

    >>> alt(scores({"GAN": np.array([6.0, 8.0, 7.0])}, perfect=np.array([8.0]), xlabel="modes"))
    'modes, one dot a seed. GAN: median 7 of 3, from 6 to 8. A perfect generator: 8 to 8.'
    """
    if not values:
        raise ValueError("scores needs at least one setting: scores({'GAN': array_of_scores})")
    rows = {name: _vector(row, f"the scores of {name!r}") for name, row in values.items()}
    band = None if perfect is None else _vector(np.atleast_1d(np.asarray(perfect)), "perfect")
    picture, (axes,) = _panels(WIDE[0] + 1.2, height=1.3 + 0.55 * len(rows))
    words = []
    for height, (name, row) in zip(range(len(rows))[::-1], rows.items(), strict=True):
        axes.scatter(row, height + _stacked(row), s=36, color=REAL, alpha=0.75, linewidths=0, zorder=3)
        known = row[np.isfinite(row)]
        if len(known):
            axes.plot([np.median(known)] * 2, [height - 0.33, height + 0.33], color="#222222", linewidth=1.5, zorder=2)
            words.append(f"{name}: median {np.median(known):.4g} of {len(row)}, from {_finite(row)}")
        else:
            words.append(f"{name}: no run of {len(row)} has a score")
        if len(known) < len(row):
            axes.annotate(f"{len(row) - len(known)} without a score", (1, height), xycoords=("axes fraction", "data"),
                          xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5)  # fmt: skip
    if band is not None:
        low, high = float(np.nanmin(band)), float(np.nanmax(band))
        axes.axvspan(low, high, color=DISCRIMINATOR, alpha=0.2, linewidth=1.5)
        words.append(f"A perfect generator: {low:.4g} to {high:.4g}")
    axes.set(ylim=(-0.6, len(rows) - 0.4), yticks=range(len(rows)), yticklabels=list(rows)[::-1], xlabel=xlabel)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if limits is not None:
        axes.set_xlim(limits)
    _key(axes, [("one dot a seed", REAL), ("| median", "#222222")]
         + ([("a perfect generator", DISCRIMINATOR)] if band is not None else []))  # fmt: skip
    if title:
        axes.set_title(title, pad=20)
    picture.alt = f"{title + ': ' if title else ''}{xlabel}, one dot a seed. {'. '.join(words)}."
    return picture


def _stacked(row: np.ndarray) -> np.ndarray:
    """Heights that set dots of one value beside each other: 0, +0.14, -0.14, +0.28 …, squeezed into the row."""
    heights, seen = np.zeros(len(row)), cast(dict[float, int], {})
    for i, value in enumerate(row):
        k = seen.get(float(value), 0)
        seen[float(value)] = k + 1
        heights[i] = 0.14 * ((k + 1) // 2) * (1 if k % 2 else -1)
    return heights * min(1.0, 0.33 / max(np.abs(heights).max(), 1e-9))
