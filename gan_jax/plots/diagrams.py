"""A score at every pair of two dials comes in; a phase diagram, a heat map with its borders, goes out."""

from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from ..metrics import Perfect
from .parts import Numbers, Real, as_vector, name_colors, reach_of
from .style import SQUARE, Picture, panels, styled

COLORS = matplotlib.colormaps["cividis"].with_extremes(bad="white")
"""Dark blue to yellow, the same with every usual kind of colour vision (Nunez, Anderton and Renslow 2018)."""


class _Table(NamedTuple):
    """Scores with what they stand over.

    Attributes:
        values: shape (rows, columns).
        x, y: the dials' values, shape (columns,) and (rows,).
        x_label, y_label: the dials' names.
    """

    values: np.ndarray
    x: np.ndarray
    y: np.ndarray
    x_label: str
    y_label: str


@styled
def phase_diagram(
    values: Any,
    *,
    x: Numbers | None = None,
    y: Numbers | None = None,
    x_label: str | None = None,
    y_label: str | None = None,
    score: str = "score",
    diverged: Numbers | None = None,
    perfect: Real | Perfect | None = None,
    contour: Real | None = None,
    limits: tuple[Real, Real] | None = None,
    title: str = "",
) -> Picture:
    """Draw a score over two dials as a heat map: cells of one size, whatever the dials' spacing, 0 included.

    Args:
        values: scores, shape (rows, columns), a row for each of `y` and a column for each of `x`; or a labelled array
            of xarray with dims (y, x), whose names and coordinates are taken where nothing else is given. Seeds are
            averaged before: `scores.median("seed")`. A run that diverged is NaN; its cell is empty and marked.
        x, y: the dials' values, shape (columns,) and (rows,).
        x_label, y_label: the dials' names.
        score: what the colour is, with its unit.
        diverged: marks cells that have a score too, since some of their seeds diverged: shape (rows, columns), true
            (or not 0) where it did.
        perfect: what a perfect generator scores, a number or from `metrics.perfect`; named on the colour bar.
        contour: the score at which a line is drawn.
        limits: scores at the ends of the colour bar.
        title: above the panel.

    >>> picture = phase_diagram(np.array([[1.0, 8.0], [np.nan, 7.0]]), x=np.array([1e-4, 1e-3]), y=np.array([0.1, 1.0]),
    ...                         x_label="rate", y_label="R1", score="modes", perfect=8)
    >>> print(picture.alt)
    modes over rate, 1e-4 to 1e-3 from left to right in 2 values, and R1, 0.1 to 1 upwards in 2 values: lowest, 1, at
    rate 1e-4, R1 0.1; highest, 8, at rate 1e-3, R1 0.1. 1 of 4 cells diverged. A perfect generator: 8.
    """
    table = _as_table(values, x, y, x_label, y_label)
    shape = table.values.shape
    lost = ~np.isfinite(table.values)
    if diverged is not None:
        marked = np.asarray(diverged)
        if marked.shape != shape:
            raise ValueError(f"diverged must have the shape of values, {shape}, got {marked.shape}")
        lost = lost | (marked != 0)
    best = perfect.mean if isinstance(perfect, Perfect) else perfect
    low, high = _limits(limits, table.values, best)
    picture, (axes,) = panels(SQUARE[0] + 1.9, height=SQUARE[1] + 0.2)
    image = axes.imshow(np.where(np.isfinite(table.values), table.values, np.nan), origin="lower", cmap=COLORS,
                        vmin=low, vmax=high, aspect=shape[1] / shape[0], interpolation="nearest")  # fmt: skip
    key = _mark_diverged(axes, lost) + _draw_contour(axes, table.values, contour, score)
    name_colors(axes, key)
    _tick_cells(axes, table)
    _draw_bar(picture, axes, image, score, best)
    if title:
        axes.set_title(title, pad=20)
    words = [_told(table, score)]
    if lost.any():
        words.append(f"{int(lost.sum())} of {lost.size} cells diverged")
    if contour is not None:
        reached = int((table.values >= contour).sum())
        words.append(f"{reached} of {int(np.isfinite(table.values).sum())} cells with a score reach {contour:g}")
    if best is not None:
        words.append(f"A perfect generator: {perfect if isinstance(perfect, Perfect) else f'{best:.4g}'}")
    picture.alt = f"{title + ': ' if title else ''}{'. '.join(words)}."
    return picture


def _as_table(values: Any, x: Any, y: Any, x_label: str | None, y_label: str | None) -> _Table:
    """The scores with their dials, from plain arrays or from one of xarray, which is not imported for it."""
    dims = tuple(str(dim) for dim in getattr(values, "dims", ()))
    array = np.asarray(values, np.float64)
    if array.ndim != 2 or not array.size:
        over = f" over {dims}" if dims else ""
        raise ValueError(
            f"values must have shape (rows, columns), one score a cell, got shape {array.shape}{over}; "
            'reduce seeds first: scores.median("seed"), or np.nanmedian(scores, axis=-1)'
        )
    if dims:
        known = [np.asarray(values.coords[dim]) if dim in values.coords else None for dim in values.dims]
        y, x = (known[0] if y is None else y), (known[1] if x is None else x)
        y_label, x_label = y_label or dims[0], x_label or dims[1]
    y, x = (np.arange(size) if dial is None else dial for dial, size in zip((y, x), array.shape, strict=True))
    return _Table(array, as_vector(x, "x", array.shape[1]), as_vector(y, "y", array.shape[0]),
                  x_label or "column", y_label or "row")  # fmt: skip


def _limits(limits: tuple[Real, Real] | None, values: np.ndarray, best: Real | None) -> tuple[float, float]:
    if limits is not None:
        low, high = (float(limit) for limit in limits)
        if not low < high:
            raise ValueError(f"limits must be (low, high) with low < high, got {limits}")
        return low, high
    every = [*values[np.isfinite(values)], *([] if best is None else [float(best)])]
    low, high = (float(min(every)), float(max(every))) if every else (0.0, 1.0)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _mark_diverged(axes: Axes, lost: np.ndarray) -> list[tuple[str, str]]:
    rows, columns = np.nonzero(lost)
    if not len(rows):
        return []
    size = min(60.0, 2500.0 / max(lost.shape) ** 1.3)
    axes.scatter(columns, rows, s=size, marker="X", facecolors="#222222", edgecolors="white", linewidths=0.8)
    return [("✖ diverged", "#222222")]


def _draw_contour(axes: Axes, values: np.ndarray, contour: Real | None, score: str) -> list[tuple[str, str]]:
    known = values[np.isfinite(values)]
    if contour is None or min(values.shape) < 2 or not known.size or not known.min() < contour < known.max():
        return []
    lines = axes.contour(np.ma.masked_invalid(values), levels=[float(contour)], colors="white", linewidths=1.6)
    lines.set_path_effects([withStroke(linewidth=3.6, foreground="#222222")])
    return [(f"line: {score} {contour:g}", "#222222")]


def _tick_cells(axes: Axes, table: _Table) -> None:
    """Write the dials' values at some of the cells, the first and the last among them where the steps allow."""
    for axis, dial, label in ((axes.xaxis, table.x, table.x_label), (axes.yaxis, table.y, table.y_label)):
        places = np.arange(0, len(dial), max(1, -(-len(dial) // 6)))
        axis.set_ticks(list(places), labels=[_number(dial[place]) for place in places])
        axis.set_label_text(label)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=2)


def _number(value: float) -> str:
    """A short number: 0.01, 2.5, 100, else 3.2e-4."""
    if value == 0 or 0.009 < abs(value) < 9_999:
        return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def _draw_bar(picture: Picture, axes: Axes, image: Any, score: str, best: Real | None) -> None:
    """A colour bar with the score's name above it, or along it if long, and the perfect generator's among its ticks."""
    bar = picture.colorbar(image, ax=axes, fraction=0.06, pad=0.03)
    bar.outline.set_visible(False)
    if len(score) <= 12:
        bar.ax.set_title(score, fontsize=9.5, fontweight="normal", loc="left", pad=6)
    else:  # above the bar it would leave the picture
        bar.set_label(score, fontsize=9.5)
    low, high = image.get_clim()
    if best is None or not low <= best <= high:
        return
    ticks = [tick for tick in bar.get_ticks() if low <= tick <= high and abs(tick - best) > 0.06 * (high - low)]
    bar.set_ticks([*ticks, float(best)], labels=[*(f"{tick:g}" for tick in ticks), f"{best:.3g}, perfect"])
    bar.ax.axhline(float(best), color="#222222", linewidth=1.5)


def _told(table: _Table, score: str) -> str:
    reach = [
        f"{label}, {_number(dial[0])} to {_number(dial[-1])} {way} in {len(dial)} values"
        for dial, label, way in ((table.x, table.x_label, "from left to right"), (table.y, table.y_label, "upwards"))
    ]
    words = f"{score} over {reach[0]}, and {reach[1]}"
    if not np.isfinite(table.values).any():
        return f"{words}: {reach_of(table.values)}"

    def at(flat: Any) -> str:
        row, column = np.unravel_index(int(flat), table.values.shape)
        place = f"{table.x_label} {_number(table.x[column])}, {table.y_label} {_number(table.y[row])}"
        return f"{table.values[row, column]:.4g}, at {place}"

    return f"{words}: lowest, {at(np.nanargmin(table.values))}; highest, {at(np.nanargmax(table.values))}"
