"""What a user gave comes in, with a panel; checked arrays, and what every panel shares, go out: window, key, labels."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from jaxtyping import Array, Num
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea

Numbers = Num[Array | np.ndarray, "..."]
Real = float | int
Window = tuple[Real, Real, Real, Real]


def as_points(values: Numbers, name: str) -> np.ndarray:
    """The samples as an array of shape (n, 2), or an error that says what they are instead."""
    array = np.asarray(values, np.float32)
    if array.ndim != 2 or array.shape[1] != 2 or not len(array):
        raise ValueError(
            f"{name} must be points of the plane, shape (n, 2) with n at least 1, got shape {array.shape}; "
            "for one dimension use plots.densities or plots.histogram, for pictures plots.images"
        )
    return array


def as_vector(values: Numbers, name: str, length: int | None = None) -> np.ndarray:
    """The numbers as an array of shape (n,), from (n, 1) too, or an error that says what they are instead."""
    array = np.asarray(values, np.float64)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim != 1 or not array.size or (length is not None and len(array) != length):
        expected = "(n,)" if length is None else f"({length},)"
        raise ValueError(f"{name} must have shape {expected}, got shape {np.shape(values)}")
    return array


def window_around(window: Window | None, *clouds: np.ndarray | None) -> Window:
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


def set_plane(axes: Axes, window: Window, title: str = "") -> None:
    """Show this window of the plane, a unit as long upwards as sideways."""
    axes.set(xlim=window[:2], ylim=window[2:], aspect="equal")
    axes.locator_params(nbins=5)
    if title:
        axes.set_title(title, pad=20)


def name_colors(axes: Axes, words: Sequence[tuple[str, str]], *, over_next: bool = False) -> None:
    """Name the colours in their own colours, on one line above the panel; a long one may run on over the next panel."""
    texts = [TextArea(word, textprops={"color": color, "fontsize": 9.5}) for word, color in words]
    row = HPacker(children=list[Artist](texts), pad=0, sep=10)
    box = AnchoredOffsetbox("lower left", child=row, frameon=False, pad=0, borderpad=0.2,
                            bbox_to_anchor=(0, 1), bbox_transform=axes.transAxes)  # fmt: skip
    if over_next:  # then it takes no room from the panels, and the title, be it empty, keeps it some above
        box.set_in_layout(False)
        axes.set_title(axes.get_title("left") or " ", pad=20)
    axes.add_artist(box)


def write_note(axes: Axes, notes: Sequence[str]) -> None:
    """Write what there is to note in the lower right corner, one note a line."""
    text = "\n".join(filter(None, notes))
    if text:
        box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
        axes.text(0.98, 0.02, text, transform=axes.transAxes, ha="right", va="bottom", fontsize=8.5, bbox=box)


def label_ends(axes: Axes, ends: Sequence[tuple[str, float, str]]) -> None:
    """Write each curve's name at its right end, pushed apart where two would overlap."""
    across = axes.transScale + axes.transLimits  # from data to fractions of the panel, on logarithmic axes too
    left = axes.get_xlim()[0]
    tall = axes.bbox.height / cast(Figure, axes.get_figure(root=True)).dpi  # inches
    gap = 14 / (72 * tall)  # 14 points a line
    order = sorted(ends, key=lambda end: end[1])
    heights = [float(np.clip(across.transform((left, y))[1], 0.0, 1.0)) for _, y, _ in order]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    excess = max(heights[-1] - 1.0, 0.0) if heights else 0.0
    for i in range(len(heights) - 1, -1, -1):  # what was pushed over the top comes back down, neighbours with it
        heights[i] = min(heights[i], 1.0 - gap * (len(heights) - 1 - i)) if excess else heights[i]
    for (name, _, color), height in zip(order, heights, strict=True):
        axes.annotate(name, (1, height), xycoords="axes fraction", xytext=(5, 0), textcoords="offset points",
                      va="center", fontsize=9.5, color=color)  # fmt: skip


def label_column(axes: Axes, words: Sequence[tuple[str, str]]) -> None:
    """Name what the panel shows beside it, from the top down, each in its own colour; a text may have two lines."""
    down = 0.0
    for word, color in words:
        axes.annotate(word, (1, 1), xycoords="axes fraction", xytext=(8, -down), textcoords="offset points", va="top",
                      fontsize=9.5, color=color, linespacing=1.25)  # fmt: skip
        down += 16.0 * (1 + word.count("\n")) + 4.0


def width_of(labels: Sequence[str]) -> float:
    """Inches that the longest line of some labels takes, or a little more."""
    return 0.085 * max((len(line) for label in labels for line in label.split("\n")), default=0)


def reach_of(values: np.ndarray) -> str:
    """Say from where to where the finite values reach."""
    values = values[np.isfinite(values)]
    return f"{values.min():.3g} to {values.max():.3g}" if values.size else "nothing finite"


def last_finite(values: np.ndarray) -> float:
    """The last finite value, where a curve is named; 0.5 if there is none."""
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if finite.size else 0.5
