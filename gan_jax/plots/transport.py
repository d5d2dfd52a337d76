"""Two clouds, a plan and a critic come in; pictures of transport go out, and of what a critic's numbers look like."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Array, Int
from matplotlib.collections import LineCollection

from .answers import draw_surface, logits_of
from .clouds import draw_samples
from .parts import Numbers, Real, Window, as_points, as_vector, width_of, window_around
from .style import DISCRIMINATOR, FAKE, QUIET, REAL, SQUARE, WIDE, Picture, panels, styled


@styled
def transport(
    real: Numbers,
    fake: Numbers,
    plan: Int[Array | np.ndarray, " n"] | None = None,
    *,
    critic: Callable | None = None,
    window: Window | None = None,
    title: str = "",
) -> Picture:
    """Draw two clouds and a line from each real point to its partner, over what a critic says of the plane.

    Args:
        real, fake: points, shape (n, 2) each.
        plan: for each real point the index of its partner in `fake`, as `theory.transport_plan` gives it; no lines
            when left out.
        critic: maps points (n, 2) to numbers (n,) or (n, 1); no ground when left out. Its colours go from its mean
            over fakes, vermilion, to its mean over real points, blue, and beyond.
        window: (left, right, bottom, top); around both clouds when left out.
        title: above the panel.

    Raises:
        ValueError: a plan that is not of these clouds.

    >>> transport(np.zeros((2, 2)), np.ones((2, 2)), np.array([0, 1])).alt
    '2 real samples (blue) and 2 fake samples (vermilion) in the plane, joined by 2 lines of mean length 1.414.'
    """
    real, fake = as_points(real, "real"), as_points(fake, "fake")
    picture, (axes,) = panels(SQUARE[0] + 0.4, height=SQUARE[1] + 0.4)
    window = window_around(window, np.concatenate([real, fake]))
    words = ""
    if critic is not None:
        both = [logits_of(critic, cloud).mean() for cloud in (real, fake)]
        words = f"{draw_surface(axes, critic, window, float(np.mean(both)), False).rpartition(',')[0]}; "
    lines = ""
    if plan is not None:
        plan = np.asarray(plan)
        if plan.shape != (len(real),) or (len(plan) and not 0 <= plan.min() <= plan.max() < len(fake)):
            raise ValueError(
                f"plan must name a partner in fake for each of {len(real)} real points, got shape {plan.shape}; "
                "make it with theory.transport_plan(real, fake)"
            )
        axes.add_collection(LineCollection(list(np.stack([real, fake[plan]], axis=1)), colors=QUIET, linewidths=0.7))
        length = np.linalg.norm(real - fake[plan], axis=1).mean()
        lines = f", joined by {len(plan):,} lines of mean length {length:.4g}"
    clouds = draw_samples(axes, real, fake, window, title)
    for cloud, color in ((real, REAL), (fake, FAKE)):  # large enough to be seen at the lines' ends
        axes.scatter(cloud[:, 0], cloud[:, 1], s=18, c=color, linewidths=0, zorder=3)
    picture.alt = f"{title + ': ' if title else ''}{words}{clouds}{lines}."
    return picture


@styled
def rows(
    values: Mapping[str, Numbers], *, marks: Sequence[Real] = (), xlabel: str = "", bins: int = 60, title: str = ""
) -> Picture:
    """Draw one histogram a row, all over one axis: a critic's weights, say, or its slopes, under several constraints.

    Args:
        values: name to numbers, shape (n,); each row has its own height.
        marks: places to mark with a line through all rows.
        xlabel: what the numbers are.
        bins: over the whole axis.
        title: above it.

    >>> rows({"one": np.zeros(4), "other": np.ones(4)}, xlabel="slope").alt
    'slope, one histogram a row. one: median 0, from 0 to 0; other: median 1, from 1 to 1.'
    """
    if not values:
        raise ValueError("rows needs at least one row: rows({'clipped': weights})")
    table = {name: as_vector(row, f"the numbers of {name!r}") for name, row in values.items()}
    low, high = min(row.min() for row in table.values()), max(row.max() for row in table.values())
    low, high = min(low, *marks, low), max(high, *marks, high)
    room = 0.04 * max(high - low, 1e-9)
    edges = np.linspace(low - room, high + room, bins + 1)
    picture = Picture(figsize=(WIDE[0] + width_of(list(table)), 0.8 + 0.75 * len(table)))
    grid = picture.subplots(len(table), 1, sharex=True, squeeze=False)[:, 0]
    told = []
    for axes, (name, row) in zip(grid, table.items(), strict=True):
        axes.hist(row, edges, color=DISCRIMINATOR, alpha=0.8)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
        for mark in marks:
            axes.axvline(mark, color="#222222", linewidth=1.2)
        told.append(f"{name}: median {np.median(row):.3g}, from {row.min():.3g} to {row.max():.3g}")
    grid[-1].set_xlabel(xlabel)
    if title:
        grid[0].set_title(title)
    picture.alt = f"{title + ': ' if title else ''}{xlabel}, one histogram a row. {'; '.join(told)}."
    return picture
