"""Shares of the samples that each mode gets come in; a picture of them goes out, at one moment or as they change."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from .parts import Numbers, as_vector, name_colors
from .style import FAKE, REAL, WIDE, Picture, styled

CROWD = LinearSegmentedColormap.from_list("crowd", ["#FFFFFF", "#F2A36B", "#D55E00", "#5A2400"])
"""A mode's share of the samples as a colour: white for none, dark vermilion for nearly all."""


@styled
def modes(
    shares: Numbers | Mapping[str, Numbers],
    *,
    expected: Numbers | None = None,
    steps: Numbers | None = None,
    title: str = "",
) -> Picture:
    """Draw how the samples share out among the modes: bars at one moment, an image of time and modes over a run.

    Args:
        shares: of the samples, each from 0 to 1: shape (K,) at one moment; shape (times, K) with `steps`. Or name to
            such an array: one panel each, on one scale. They add up to less than 1 where some samples belong to none.
        expected: each mode's share of the target, shape (K,); even shares, 1 / K, when left out.
        steps: at which the shares were taken, shape (times,), increasing. The image shows a generator that hops: one
            dark cell a column, now here, now there.
        title: above the picture.

    >>> modes(np.array([0.5, 0.5, 0.0, 0.0])).alt
    'Shares of the samples, even share 0.25. 2 of 4 modes above 0, the largest share 0.5, all together 1.'
    >>> print(modes(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), steps=np.array([0, 10, 20])).alt)
    Shares of the samples, even share 0.5, over steps 0 to 20. The fullest mode holds 1 of the samples on average, and
    0.5 of them change modes from one record to the next.
    """
    given = shares if isinstance(shares, Mapping) else {"": shares}
    if not given:
        raise ValueError("modes needs at least one run: modes({'GAN': shares})")
    times = None if steps is None else as_vector(steps, "steps")
    if times is not None and not (np.diff(times) > 0).all():
        raise ValueError("steps must increase: one moment after the other")
    tables = {name: _as_shares(table, name, times) for name, table in given.items()}
    counts = [table.shape[-1] for table in tables.values()]
    k = counts[0]
    if set(counts) != {k}:
        raise ValueError(f"every run needs shares of the same modes, got {counts}")
    target = np.full(k, 1 / k) if expected is None else as_vector(expected, "expected", k)
    picture = _bars(tables, target) if times is None else _over_time(tables, target, times)
    even = f"even share {1 / k:.3g}" if expected is None else f"expected {target.min():.3g} to {target.max():.3g}"
    when = "" if times is None else f", over steps {times[0]:,.0f} to {times[-1]:,.0f}"
    told = [f"{name + ': ' if name else ''}{_told(table)}" for name, table in tables.items()]
    if title:
        picture.suptitle(title, fontsize=11, fontweight="bold", x=0.01, ha="left")
    picture.alt = f"{title + ': ' if title else ''}Shares of the samples, {even}{when}. {'. '.join(told)}."
    return picture


def _as_shares(values: Any, name: str, times: np.ndarray | None) -> np.ndarray:
    array = np.asarray(values, np.float64)
    wanted = "(K,)" if times is None else f"({len(times)}, K)"
    if array.ndim != (1 if times is None else 2) or not array.size or (times is not None and len(array) != len(times)):
        more = "; give the steps of a run over time" if times is None and array.ndim == 2 else ""
        raise ValueError(
            f"the shares{f' of {name!r}' if name else ''} must have shape {wanted}, got {array.shape}{more}"
        )
    whole = array.sum(axis=-1)
    if np.nanmin(array, initial=0.0) < 0 or np.nanmax(whole, initial=0.0) > 1 + 1e-3:
        raise ValueError(
            f"shares lie from 0 to 1 and add up to at most 1, got {np.nanmin(array):.3g} to {np.nanmax(array):.3g} "
            f"with sums up to {np.nanmax(whole):.3g}; divide counts by the number of samples"
        )
    return array


def _bars(tables: Mapping[str, np.ndarray], target: np.ndarray) -> Picture:
    columns = min(4, len(tables))
    rows = -(-len(tables) // columns)
    wide = WIDE[0] if len(tables) == 1 else 2.7
    picture = Picture(figsize=(wide * columns, 2.9 * rows))
    grid = picture.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    places = np.arange(len(target))
    for axes, (name, table) in zip(grid.ravel(), tables.items(), strict=False):
        axes.set_title(name, pad=20, fontsize=10)
        axes.bar(places, table, width=0.8, color=FAKE, alpha=0.75)
        axes.hlines(target, places - 0.5, places + 0.5, color=REAL, linewidth=1.6)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    for axes in grid.ravel()[len(tables) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("share of samples")
    for axes in grid[-1]:
        axes.set_xlabel("mode")
    name_colors(grid[0, 0], [("fake", FAKE), ("▬ the target's share", REAL)], over_next=len(tables) > 1)
    return picture


def _over_time(tables: Mapping[str, np.ndarray], target: np.ndarray, times: np.ndarray) -> Picture:
    picture = Picture(figsize=(WIDE[0] + 1.4, 0.9 + 1.7 * len(tables)))
    grid = picture.subplots(len(tables), 1, squeeze=False, sharex=True)[:, 0]
    most = max(float(np.nanmax(table, initial=0.0)) for table in tables.values()) or 1.0
    halves = np.diff(times) / 2 if len(times) > 1 else np.array([0.5])
    edges = np.concatenate([[times[0] - halves[0]], (times[1:] + times[:-1]) / 2, [times[-1] + halves[-1]]])
    for axes, (name, table) in zip(grid, tables.items(), strict=True):
        image = axes.pcolormesh(edges, np.arange(len(target) + 1) - 0.5, table.T, cmap=CROWD, vmin=0, vmax=most)
        axes.set(ylabel="mode")
        axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
        axes.set_title(name, fontsize=10)
        axes.spines[["top", "right"]].set_visible(True)
    grid[-1].set_xlabel("step")
    bar = picture.colorbar(image, ax=list(grid), fraction=0.05, pad=0.02)
    even = float(target.mean())
    ticks = [tick for tick in bar.get_ticks() if 0 <= tick <= most and abs(tick - even) > 0.08 * most]
    bar.set_ticks([*ticks, even], labels=[*(f"{tick:g}" for tick in ticks), f"{even:.3g}, even"])
    bar.ax.set_title("share of\nsamples", fontsize=9.5, fontweight="normal", loc="left", pad=6)
    bar.ax.axhline(even, color=REAL, linewidth=1.6)
    return picture


def _told(table: np.ndarray) -> str:
    if table.ndim == 1:
        above = f"{int((table > 0).sum())} of {len(table)} modes above 0"
        return f"{above}, the largest share {np.nanmax(table, initial=0.0):.3g}, all together {np.nansum(table):.3g}"
    known = table[np.isfinite(table).all(axis=1)]
    if not len(known):
        return "No record is finite"
    words = f"The fullest mode holds {known.max(axis=1).mean():.3g} of the samples on average"
    if len(known) < 2:
        return words
    moved = np.abs(np.diff(known, axis=0)).sum(axis=1).mean() / 2  # total variation from one record to the next
    return f"{words}, and {moved:.3g} of them change modes from one record to the next"
