"""Scores of many runs come in; a picture of how they spread goes out, beside what a perfect generator scores."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..metrics import Perfect
from .parts import Numbers, Real, as_vector, name_colors, reach_of, width_of
from .style import DISCRIMINATOR, REAL, WIDE, Picture, styled

Limits = tuple[Real, Real]


@styled
def scores(
    values: Mapping[str, Numbers] | Mapping[str, Mapping[str, Numbers]],
    *,
    perfect: Numbers | Perfect | Mapping[str, Numbers | Perfect] | None = None,
    xlabel: str = "score",
    limits: Limits | Mapping[str, Limits] | None = None,
    title: str = "",
) -> Picture:
    """Draw one dot a seed, one row a setting, with what a perfect generator scores as a band behind them.

    Args:
        values: name of each setting to its scores, shape (seeds,); a run without a score is NaN, and is counted.
            Or name of each metric to such a mapping: panels side by side, with common rows.
        perfect: what a perfect generator scores: a `metrics.Perfect`, drawn as its mean ± 2 standard deviations, or
            scores, shape (repeats,), drawn from the least to the largest. For several metrics a mapping of them.
        xlabel: what the score is, with its unit; with several metrics their names stand there.
        limits: of the axis; for several metrics a mapping of them.
        title: above the panel, or above the first.

    >>> scores({"GAN": np.array([6.0, 8.0, 7.0])}, perfect=np.array([8.0]), xlabel="modes").alt
    'modes, one dot a seed. GAN: median 7 of 3, from 6 to 8. A perfect generator: 8 to 8.'
    """
    if not values:
        raise ValueError("scores needs at least one setting: scores({'GAN': array_of_scores})")
    tables = cast(dict[str, Mapping[str, Any]], values if _nested(values) else {xlabel: values})
    bands = _by_metric(perfect, tables, _nested(values), "perfect")
    ranges = _by_metric(limits, tables, _nested(values), "limits")
    names = list(next(iter(tables.values())))
    for metric, table in tables.items():
        if list(table) != names or not names:
            raise ValueError(f"every metric needs the same settings in the same order, {names}; {metric!r} has "
                             f"{list(table)}")  # fmt: skip
    wide = (WIDE[0] + 0.9 if len(tables) == 1 else 2.9 * len(tables)) + width_of(names)
    picture = Picture(figsize=(wide, 1.3 + 0.55 * len(names)))
    axes = list(picture.subplots(1, len(tables), squeeze=False)[0])
    words = []
    for panel, (metric, table) in zip(axes, tables.items(), strict=True):
        rows = {name: as_vector(row, f"the scores of {name!r}") for name, row in table.items()}
        told = _draw_rows(panel, rows, alone=len(tables) == 1) + _draw_band(panel, _as_band(bands[metric]))
        words.append(f"{metric}, one dot a seed. {'. '.join(told)}")
        panel.set(ylim=(-0.6, len(rows) - 0.4), yticks=range(len(rows)), yticklabels=list(rows)[::-1], xlabel=metric)
        panel.tick_params(axis="y", length=0, labelleft=panel is axes[0])
        panel.spines["left"].set_visible(False)
        if all((row == np.round(row))[np.isfinite(row)].all() for row in rows.values()):  # counts
            panel.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        if ranges[metric] is not None:
            panel.set_xlim(ranges[metric])
    several = any(np.isfinite(np.asarray(row, float)).sum() > 3 for table in tables.values() for row in table.values())
    if title:
        axes[0].set_title(title, pad=20)
    band = next((_as_band(band) for band in bands.values() if band is not None), None)
    _name_parts(axes[0], several, band, alone=len(tables) == 1)
    picture.alt = f"{title + ': ' if title else ''}{'. '.join(words)}."
    return picture


class _Band(NamedTuple):
    """Where a perfect generator's scores lie: drawn from low to high, told in words."""

    low: float
    high: float
    words: str
    spread: str = ""


def _nested(values: Any) -> bool:
    return isinstance(next(iter(values.values())), Mapping)


def _by_metric(given: Any, tables: Mapping[str, Any], nested: bool, name: str) -> dict[str, Any]:
    """What is given for each metric, None where nothing is."""
    if not nested:
        return dict.fromkeys(tables, given)
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"with several metrics {name} must be a mapping of them, such as {{{next(iter(tables))!r}: …}}")
    unknown = [metric for metric in given or {} if metric not in tables]
    if unknown:
        raise ValueError(f"{name} is given for {unknown}, which is not among the metrics {list(tables)}")
    return {metric: (given or {}).get(metric) for metric in tables}


def _as_band(perfect: Any) -> _Band | None:
    if perfect is None:
        return None
    if isinstance(perfect, Perfect):
        low, high = perfect.mean - 2 * perfect.std, perfect.mean + 2 * perfect.std
        return _Band(low, high, repr(perfect), ", mean ± 2 std")
    scores = as_vector(np.atleast_1d(np.asarray(perfect)), "perfect")
    low, high = float(np.nanmin(scores)), float(np.nanmax(scores))
    return _Band(low, high, f"{low:.4g} to {high:.4g}")


def _draw_rows(axes: Axes, rows: Mapping[str, np.ndarray], alone: bool) -> list[str]:
    """Draw dots, median and middle half of each row; what is missing is said beside the panel if that stands alone."""
    words = []
    for height, (name, row) in zip(range(len(rows))[::-1], rows.items(), strict=True):
        axes.scatter(row, height + _stacked(row), s=36, color=REAL, alpha=0.75, linewidths=0, zorder=3)
        known = row[np.isfinite(row)]
        if len(known):
            axes.plot([np.median(known)] * 2, [height - 0.4, height + 0.4], color="#222222", linewidth=1.5, zorder=4)
            words.append(f"{name}: median {np.median(known):.4g} of {len(row)}, from {reach_of(row)}")
        else:
            words.append(f"{name}: no run of {len(row)} has a score")
        if len(known) > 3:  # quarters of fewer say nothing that the dots don't
            low, high = np.quantile(known, [0.25, 0.75], method="nearest")
            axes.hlines(height, low, high, color="#222222", alpha=0.18, linewidth=16, zorder=1)
            words[-1] += f", the middle half {low:.4g} to {high:.4g}"
        if len(known) < len(row):
            place: dict[str, Any] = {"ha": "left", "va": "center", "xytext": (4, 0)}
            place = place if alone else {"ha": "right", "va": "top", "xytext": (0, -9)}
            axes.annotate(f"{len(row) - len(known)} without a score", (1, height), xycoords=("axes fraction", "data"),
                          textcoords="offset points", fontsize=8.5, **place)  # fmt: skip
    return words


def _draw_band(axes: Axes, band: _Band | None) -> list[str]:
    if band is None:
        return []
    axes.axvspan(band.low, band.high, color=DISCRIMINATOR, alpha=0.2, linewidth=1.5)
    return [f"A perfect generator: {band.words}"]


def _name_parts(axes: Axes, several: bool, band: _Band | None, alone: bool) -> None:
    words = [("one dot a seed", REAL), ("| median", "#222222")]
    words += [("▬ middle half", "#777777")] if several else []
    words += [(f"a perfect generator{band.spread}", DISCRIMINATOR)] if band is not None else []
    name_colors(axes, words, over_next=not alone)


def _stacked(row: np.ndarray) -> np.ndarray:
    """Heights that set dots of one value beside each other: 0, +0.14, -0.14, +0.28 …, squeezed into the row."""
    heights, seen = np.zeros(len(row)), cast(dict[float, int], {})
    for i, value in enumerate(row):
        k = seen.get(float(value), 0)
        seen[float(value)] = k + 1
        heights[i] = 0.14 * ((k + 1) // 2) * (1 if k % 2 else -1)
    return heights * min(1.0, 0.33 / max(np.abs(heights).max(), 1e-9))
