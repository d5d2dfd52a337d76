"""Samples in the plane come in; a picture of the clouds goes out: of one run, or of one run a seed."""

import textwrap
from collections.abc import Mapping, Sequence

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet

from ..data import Target, bounds
from ..errors import Menu
from .parts import Numbers, Real, Window, as_points, name_colors, set_plane, window_around, write_note
from .style import FAKE, REAL, SQUARE, THUMB, Picture, panels, styled


@styled
def samples(real: Numbers, fake: Numbers, *, window: Window | None = None, title: str = "") -> Picture:
    """Draw the two clouds, real and fake, in the plane.

    Args:
        real, fake: samples, shape (n, 2) each; the two n may differ.
        window: (left, right, bottom, top); around the real samples when left out. Samples outside are counted.
        title: above the panel.

    >>> picture = samples(np.zeros((3, 2)), np.ones((5, 2)))
    >>> picture.alt
    '3 real samples (blue) and 5 fake samples (vermilion) in the plane; 5 fake of 5 outside.'
    """
    real, fake = as_points(real, "real"), as_points(fake, "fake")
    picture, (axes,) = panels(SQUARE[0], height=SQUARE[1])
    window = window_around(window, real, fake)
    words = draw_samples(axes, real, fake, window, title)
    picture.alt = f"{title + ': ' if title else ''}{words}."
    return picture


def draw_samples(axes: Axes, real: np.ndarray | None, fake: np.ndarray | None, window: Window, title: str) -> str:
    """Draw the clouds there are, named and coloured, and say in words how many samples they have."""
    named = [(cloud, color, name) for cloud, color, name in ((real, REAL, "real"), (fake, FAKE, "fake"))
             if cloud is not None]  # fmt: skip
    notes = [draw_cloud(axes, cloud, color, name, window) for cloud, color, name in named]
    write_note(axes, notes)
    line = [("— undecided", "#222222")] if _has_contour(axes) else []
    name_colors(axes, [(name, color) for _, color, name in named] + line)
    set_plane(axes, window, title)
    counts = [
        f"{len(cloud):,} {name} samples ({'blue' if name == 'real' else 'vermilion'})" for cloud, _, name in named
    ]
    return "; ".join(filter(None, [f"{' and '.join(counts)} in the plane" if counts else "", *notes]))


def _has_contour(axes: Axes) -> bool:
    return any(isinstance(artist, ContourSet) for artist in axes.collections)


def draw_cloud(axes: Axes, points: np.ndarray, color: str, name: str, window: Window, size: Real = 6) -> str:
    """Draw a cloud, and say how much of it can't be seen: a cloud that has left the window is news, not a blank."""
    axes.scatter(points[:, 0], points[:, 1], s=size, c=color, linewidths=0, alpha=0.55, label=name)
    left, right, bottom, top = window
    x, y = points.T
    inside = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    lost = int(len(points) - inside.sum())
    return f"{lost:,} {name} of {len(points):,} outside" if lost else ""


@styled
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

    >>> seeds(np.zeros((2, 10, 2)), np.zeros((10, 2))).alt
    '2 panels, each with 10 fake samples (vermilion) over 10 real ones (blue): seed 0, seed 1.'
    """
    clouds = np.asarray(fakes, np.float32)
    if clouds.ndim != 3 or clouds.shape[-1] != 2 or not clouds.size:
        raise ValueError(f"fakes must have shape (seeds, n, 2), got {clouds.shape}; np.stack one cloud a seed")
    real, count = as_points(real, "real"), len(clouds)
    titles = [f"seed {i}" for i in range(count)] if titles is None else list(titles)
    if len(titles) != count:
        raise ValueError(f"{count} runs need {count} titles, got {len(titles)}")
    columns = min(columns, count)
    rows = -(-count // columns)
    picture = Picture(figsize=(THUMB[0] * columns, THUMB[1] * rows + 0.2))
    grid = picture.subplots(rows, columns, squeeze=False).ravel()
    window = window_around(window, real)
    for axes, cloud, title in zip(grid, clouds, titles, strict=False):
        _draw_run(axes, real, cloud, window, 3)
        axes.set_xlabel(title)
    name_colors(grid[0], [("real", REAL), ("fake", FAKE)])
    for axes in grid[count:]:
        axes.set_axis_off()
    picture.alt = (
        f"{count} panels, each with {clouds.shape[1]:,} fake samples (vermilion) over {len(real):,} "
        f"real ones (blue): {', '.join(titles)}."
    )
    return picture


def _draw_run(axes: Axes, real: np.ndarray, cloud: np.ndarray, window: Window, size: Real) -> str:
    """Draw one run's samples over the real ones in a window without numbers, and say how many lie outside it."""
    draw_cloud(axes, real, REAL, "real", window, size)
    note = draw_cloud(axes, cloud, FAKE, "fake", window, size)
    write_note(axes, [note])
    axes.set(xlim=window[:2], ylim=window[2:], aspect="equal", xticks=[], yticks=[])
    axes.spines[["top", "right"]].set_visible(True)
    return note


@styled
def side_by_side(
    clouds: Mapping[str, Numbers],
    target: Target | Numbers,
    *,
    captions: Mapping[str, str] | None = None,
    window: Window | None = None,
    n: int = 512,
    title: str = "",
) -> Picture:
    """Draw the samples of up to four GANs in equal windows, each over the same real points, with a line below.

    Args:
        clouds: name of each GAN to its samples, shape (n, 2); the n may differ.
        target: real points, shape (m, 2), or a target of the plane, of which n are drawn, the same every time.
        captions: name to what is said below its window: its one difference, or its score.
        window: (left, right, bottom, top); around the target when left out.
        n: real points of a target.
        title: above the row.

    >>> print(side_by_side({"GAN": np.zeros((9, 2))}, np.eye(2), captions={"GAN": "1 of 8 modes"}).alt)
    1 panel, each over 2 real points (blue) in one window. GAN, 9 fake samples (vermilion): 1 of 8 modes.
    """
    if not 1 <= len(clouds) <= 4:
        raise ValueError(f"one to four GANs stand side by side, got {len(clouds)}; plots.seeds draws more")
    for name in captions or {}:
        Menu("GAN", clouds)[name]
    fakes = {name: as_points(cloud, f"the samples of {name!r}") for name, cloud in clouds.items()}
    if isinstance(target, Target):
        window = bounds(target) if window is None else window
        target = np.asarray(target.sample(jax.random.key(0), n))
    real = as_points(target, "target")
    window = window_around(window, real)
    picture, row = panels(*[2.9] * len(fakes), height=3.5 + (0.3 if captions else 0) + (0.3 if title else 0))
    words = []
    for axes, (name, cloud) in zip(row, fakes.items(), strict=True):
        notes = [_draw_run(axes, real, cloud, window, 5), (captions or {}).get(name, "")]
        axes.set_title(name, pad=20)
        axes.set_xlabel(textwrap.fill(notes[1], 38))
        said = "; ".join(filter(None, notes))
        words.append(f"{name}, {len(cloud):,} fake samples (vermilion){': ' if said else ''}{said}")
    name_colors(row[0], [("real", REAL), ("fake", FAKE)])
    if title:
        picture.suptitle(title, fontsize=11, fontweight="bold", x=0.01, ha="left")
    count = f"{len(fakes)} panel{'s' if len(fakes) > 1 else ''}"
    picture.alt = (
        f"{title + ': ' if title else ''}{count}, each over {len(real):,} real points (blue) in one window. "
        f"{'. '.join(words)}."
    )
    return picture
