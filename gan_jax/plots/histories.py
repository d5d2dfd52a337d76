"""What a run or a game recorded step by step comes in; a picture of it against the steps goes out."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from .. import theory
from ..errors import Menu
from ..losses import Loss
from ..train import History
from .parts import Numbers, Real, as_vector, label_ends, last_finite, name_colors, width_of
from .style import DISCRIMINATOR, GENERATOR, SERIES, WIDE, Picture, panels, styled


@styled
def losses(history: History, *, loss: Loss | None = None, title: str = "") -> Picture:
    """Draw both players' losses, each step thin and its running mean bold, with the values at equilibrium.

    The dashed lines are what the losses are when real and fake can't be told apart: for the non-saturating loss 2 log 2
    for D and log 2 for G. They are a resting place, not a goal: losses near them don't prove good samples.

    Args:
        history: of one run, fields of shape (n,); `train.join` puts the chunks of `train.run` together.
        loss: the objective, for the dashed lines; none are drawn without it, or where it has no such values.
        title: above the panel.
    """
    picture, (axes,) = panels(WIDE[0] + 1.2, height=WIDE[1])
    picture.alt = f"{title + ': ' if title else ''}{draw_losses(axes, history, loss)}."
    if title:
        axes.set_title(title, pad=8)
    return picture


def draw_losses(axes: Axes, history: History, loss: Loss | None) -> str:
    """Draw both losses into a panel, and say in words where they end."""
    rows = {"D": as_vector(history.loss_d, "history.loss_d"), "G": as_vector(history.loss_g, "history.loss_g")}
    colors, ends, words = {"D": DISCRIMINATOR, "G": GENERATOR}, [], []
    rests = dict(zip("DG", (None, None) if loss is None else theory.equilibrium(loss), strict=True))
    for name, row in rows.items():
        steps = np.arange(1, len(row) + 1)
        mean = _running_mean(row, max(len(row) // 50, 1))
        axes.plot(steps, row, color=colors[name], linewidth=0.6, alpha=0.3)
        axes.plot(steps, mean, color=colors[name])
        ends.append((f"{name}'s loss {last_finite(mean):.2f}", last_finite(mean), colors[name]))
        words.append(f"{name}'s loss over {len(row):,} steps, ending near {last_finite(mean):.3g}")
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
    label_ends(axes, ends)
    return "; ".join(words)


def _running_mean(row: np.ndarray, width: int) -> np.ndarray:
    """Mean of the last `width` values at each place, of fewer at the start."""
    total = np.concatenate([[0.0], np.cumsum(row)])
    end = np.arange(1, len(row) + 1)
    begin = np.maximum(end - width, 0)
    return (total[end] - total[begin]) / (end - begin)


@styled
def distances(
    distances: Mapping[str, Numbers],
    *,
    predicted: Mapping[str, Real] | None = None,
    label: str = "distance from equilibrium",
    title: str = "",
) -> Picture:
    """Draw how far from rest each run is after every step, on a logarithmic scale, with predicted slopes dashed.

    A distance that shrinks or grows by one factor a step is a straight line here. The factor measured, beside each
    name, is that of the line that fits the second half of the run best.

    Args:
        distances: name to the distance after each step, shape (n + 1,), the start first; not negative.
        predicted: name to the factor of one step, as `theory.spectral_radius` gives it; its line begins where the run
            does.
        label: what the distance is, with its unit.
        title: above the panel.

    >>> print(distances({"extragradient": 0.9 ** np.arange(101)}, predicted={"extragradient": 0.9}).alt)
    Distance from equilibrium over the steps, logarithmic. extragradient: from 1 to 2.66e-05 in 100 steps, factor a step
    0.9000 in the second half, predicted 0.9000.
    """
    if not distances:
        raise ValueError("distances needs at least one run: distances({'GAN': array_of_distances})")
    if len(distances) > len(SERIES):
        raise ValueError(f"at most {len(SERIES)} runs can be told apart in one picture, got {len(distances)}")
    rows = {name: as_vector(row, f"the distances of {name!r}") for name, row in distances.items()}
    if any((row < 0).any() for row in rows.values()):
        raise ValueError("a distance must not be negative; take jnp.linalg.norm(path, axis=-1)")
    for name in predicted or {}:
        Menu("run", rows)[name]
    factors = {name: float(factor) for name, factor in (predicted or {}).items()}
    if not all(np.isfinite(factor) and factor > 0 for factor in factors.values()):
        raise ValueError(f"a predicted factor a step must be positive and finite, got {factors}")
    picture, (axes,) = panels(WIDE[0] + 0.9 + width_of(list(rows)), height=WIDE[1])
    axes.set(xlabel="step", ylabel=label, yscale="log", ylim=_decades(rows))
    axes.set_xlim(0, max(max(map(len, rows.values())) - 1, 1))
    _tick_decades(axes)
    words, ends = [], []
    for (name, row), color in zip(rows.items(), SERIES, strict=False):
        factor = _draw_distance(axes, row, color)
        ends.append((name if factor is None else f"{name} ×{factor:.4f}", _last_above_zero(row), color))
        words.append(f"{name}: {_told(row, factor)}" + (f", predicted {factors[name]:.4f}" if name in factors else ""))
    for (name, row), color in zip(rows.items(), SERIES, strict=False):
        if name in factors and row[0] > 0 and np.isfinite(row[0]):
            steps = np.arange(len(row))
            line = np.exp(np.clip(np.log(row[0]) + steps * np.log(factors[name]), -700, 700))
            dark = 0.5 * np.asarray(to_rgb(color))  # seen on the run's own line too
            axes.plot(steps, line, color=dark, linestyle="--", linewidth=1.2, dashes=(5, 4))
    label_ends(axes, ends)
    key = [("— measured, × factor a step", "#222222"), ("- - predicted", "#222222")]
    name_colors(axes, key if factors else key[:1])
    if title:
        axes.set_title(title, pad=20)
    what = label[:1].upper() + label[1:]
    picture.alt = f"{title + ': ' if title else ''}{what} over the steps, logarithmic. {'. '.join(words)}."
    return picture


def _draw_distance(axes: Axes, row: np.ndarray, color: str) -> float | None:
    """Draw one run, and return the factor a step that fits its second half best; None where it has none."""
    steps, known = np.arange(len(row)), np.isfinite(row) & (row > 0)
    axes.plot(steps, np.where(known, row, np.nan), color=color, linewidth=2.2)
    late = known & (steps >= (len(row) - 1) // 2)
    if late.sum() < 3:
        return None
    x, y = steps[late] - steps[late].mean(), np.log(row[late])
    return float(np.exp((x * (y - y.mean())).sum() / (x**2).sum()))


def _told(row: np.ndarray, factor: float | None) -> str:
    finite = np.isfinite(row)
    words = f"from {row[0]:.3g} to {row[finite][-1]:.3g} in {len(row) - 1} steps" if finite.any() else "nothing finite"
    if finite.any() and not finite.all():
        words += f", not finite from step {int(np.argmin(finite))}"
    return words if factor is None else f"{words}, factor a step {factor:.4f} in the second half"


def _last_above_zero(row: np.ndarray) -> float:
    above = row[np.isfinite(row) & (row > 0)]
    return float(above[-1]) if above.size else 1.0


def _decades(rows: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """Limits of a logarithmic axis that hold every run, half a decade apart at least."""
    every = np.concatenate(list(rows.values()))
    every = np.log10(every[np.isfinite(every) & (every > 0)])
    low, high = (float(every.min()), float(every.max())) if every.size else (0.0, 0.0)
    spare = max(0.05 * (high - low), (0.5 - (high - low)) / 2)
    return 10 ** max(low - spare, -150.0), 10 ** min(high + spare, 150.0)  # beyond, ticks overflow


def _tick_decades(axes: Axes) -> None:
    """Label a logarithmic axis in plain numbers where it spans few decades, else by powers of ten."""
    low, high = np.log10(axes.get_ylim())
    if high - low < 2.5:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
