"""Scores of many runs come in; a picture of how they spread goes out, beside what a perfect generator scores."""

from collections.abc import Mapping
from typing import cast

import numpy as np

from .parts import Numbers, Real, as_vector, name_colors, reach_of
from .style import DISCRIMINATOR, REAL, WIDE, Picture, panels, styled


@styled
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

    >>> scores({"GAN": np.array([6.0, 8.0, 7.0])}, perfect=np.array([8.0]), xlabel="modes").alt
    'modes, one dot a seed. GAN: median 7 of 3, from 6 to 8. A perfect generator: 8 to 8.'
    """
    if not values:
        raise ValueError("scores needs at least one setting: scores({'GAN': array_of_scores})")
    rows = {name: as_vector(row, f"the scores of {name!r}") for name, row in values.items()}
    band = None if perfect is None else as_vector(np.atleast_1d(np.asarray(perfect)), "perfect")
    picture, (axes,) = panels(WIDE[0] + 1.2, height=1.3 + 0.55 * len(rows))
    words = []
    for height, (name, row) in zip(range(len(rows))[::-1], rows.items(), strict=True):
        axes.scatter(row, height + _stacked(row), s=36, color=REAL, alpha=0.75, linewidths=0, zorder=3)
        known = row[np.isfinite(row)]
        if len(known):
            axes.plot([np.median(known)] * 2, [height - 0.33, height + 0.33], color="#222222", linewidth=1.5, zorder=2)
            words.append(f"{name}: median {np.median(known):.4g} of {len(row)}, from {reach_of(row)}")
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
    name_colors(axes, [("one dot a seed", REAL), ("| median", "#222222")]
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
