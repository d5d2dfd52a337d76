"""What a run or a game recorded step by step comes in; a picture of it against the steps goes out."""

import numpy as np
from matplotlib.axes import Axes

from .. import theory
from ..losses import Loss
from ..train import History
from .parts import as_vector, label_ends, last_finite
from .style import DISCRIMINATOR, GENERATOR, WIDE, Picture, panels, styled


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
