"""Eigenvalues come in; a picture of them on the complex plane, with the side on which they mean rest, goes out."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from ..errors import Menu
from .parts import Window, label_column, name_colors, set_plane, width_of, window_around
from .style import MARKS, QUIET, SERIES, SQUARE, Picture, panels, styled


class _Side(NamedTuple):
    """What decides whether eigenvalues mean rest.

    Attributes:
        number: the deciding number of each eigenvalue; below `border` it decays.
        border: between decay and growth.
        named: how the largest number is written, with a place for it.
        stable, on, unstable: in words, where the largest number lies below the border, on it, above it.
        close: how near to the border, as a share of the largest modulus, tells neither side apart in a run; in words.
        shaded: what the shaded side means.
    """

    number: Any
    border: float
    named: str
    stable: str
    on: str
    unstable: str
    close: tuple[float, str]
    shaded: str


SIDES: Menu[_Side] = Menu(
    "kind of eigenvalues",
    {
        "step": _Side(
            np.abs, 1.0, "largest |μ| {:.4f}", "inside the unit circle, so steps converge", "on the unit circle",
            "outside the unit circle, so steps diverge", (0.0, ""), "shaded: inside the unit circle, steps converge",
        ),
        "field": _Side(
            np.real, 0.0, "largest real part {:.3g}", "left of the imaginary axis, so the flow converges",
            "on the imaginary axis", "right of the imaginary axis, so the flow diverges",
            (1e-3, "next to the imaginary axis, so the flow turns and hardly grows or decays"),
            "shaded: left of the axis, the flow converges",
        ),
    },
)  # fmt: skip
"""Of what the eigenvalues are, and so which side of the plane is stable: of one step's Jacobian, or of the field's."""


@styled
def spectrum(
    eigenvalues: Mapping[str, Any], *, of: str = "step", window: Window | None = None, title: str = ""
) -> Picture:
    """Draw eigenvalues on the complex plane, with the side on which a game comes to rest shaded.

    Args:
        eigenvalues: name to a set of them, complex, shape (m,).
        of: "step" for those of one step's Jacobian (`theory.update_eigenvalues`), which converges inside the unit
            circle; "field" for those of the field's (`theory.eigenvalues`), whose flow converges left of the imaginary
            axis.
        window: (left, right, bottom, top); one that holds all of them, and the border, when left out.
        title: above the panel.

    Returns:
        The picture. Beside each name stands the number that decides: the largest modulus, or the largest real part.

    >>> print(spectrum({"simultaneous": np.array([1 - 0.5j, 1 + 0.5j])}).alt)
    Eigenvalues of one step on the complex plane. simultaneous: 2 eigenvalues, largest |μ| 1.1180, outside the unit
    circle, so steps diverge.
    """
    side = SIDES[of]
    if not eigenvalues:
        raise ValueError("spectrum needs at least one set: spectrum({'GAN': array_of_eigenvalues})")
    if len(eigenvalues) > len(SERIES):
        raise ValueError(f"at most {len(SERIES)} sets can be told apart in one picture, got {len(eigenvalues)}")
    sets = {name: _as_eigenvalues(values, name) for name, values in eigenvalues.items()}
    numbers = {name: _largest(side, values) for name, values in sets.items()}
    labels = [
        f"{mark.letter} {name}\n    {side.named.format(numbers[name])}" for mark, name in zip(MARKS, sets, strict=False)
    ]
    picture, (axes,) = panels(SQUARE[0] + 0.6 + width_of(labels), height=SQUARE[1] + 0.3)
    _draw_stable_side(axes, of)
    for i, (values, color, mark) in enumerate(zip(sets.values(), SERIES, MARKS, strict=False)):
        size = (34 if len(values) <= 50 else 12) * (1 + 0.5 * i)  # sets that coincide are seen one around the other
        axes.scatter(values.real, values.imag, s=size, marker=mark.shape, facecolors="none", edgecolors=color,
                     linewidths=1.5, zorder=3)  # fmt: skip
    name_colors(axes, [(side.shaded, "#555555")])
    label_column(axes, [(label, color) for label, color in zip(labels, SERIES, strict=False)])
    set_plane(axes, _window_of_eigenvalues(window, np.concatenate(list(sets.values())), of), title)
    axes.set(xlabel="real part", ylabel="imaginary part")
    words = [
        f"{name}: {len(values)} eigenvalue{'s' if len(values) > 1 else ''}, {side.named.format(numbers[name])}, "
        f"{_judged(side, numbers[name], values)}"
        for name, values in sets.items()
    ]
    whose = "one step" if of == "step" else "the field"
    picture.alt = f"{title + ': ' if title else ''}Eigenvalues of {whose} on the complex plane. {'. '.join(words)}."
    return picture


def _largest(side: _Side, values: np.ndarray) -> float:
    largest = float(side.number(values).max())
    return largest if abs(largest - side.border) > 1e-9 else side.border  # no "-0" for what is rounding


def _as_eigenvalues(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"the eigenvalues of {name!r} must be finite, of shape (m,), got {_described(array)}")
    return array.astype(np.complex128)


def _described(array: np.ndarray) -> str:
    lost = "" if np.isfinite(array).all() else f" with {int((~np.isfinite(array)).sum())} not finite"
    return f"shape {array.shape}{lost}"


def _judged(side: _Side, number: float, values: np.ndarray) -> str:
    if abs(number - side.border) < 1e-6:  # rounding of an eigenvalue that lies on it
        return side.on
    share, close = side.close
    if abs(number - side.border) < share * np.abs(values).max():
        return close
    return side.stable if number < side.border else side.unstable


def _draw_stable_side(axes: Axes, of: str) -> None:
    if of == "step":
        axes.add_patch(Circle((0, 0), 1, facecolor=QUIET, alpha=0.15, linewidth=0))
        axes.add_patch(Circle((0, 0), 1, fill=False, edgecolor="#222222", linewidth=1))
    else:
        axes.axvspan(-1e9, 0, facecolor=QUIET, alpha=0.15, linewidth=0)
        axes.axvline(0, color="#222222", linewidth=1)
    axes.axhline(0, color=QUIET, linewidth=0.6)


def _window_of_eigenvalues(window: Window | None, values: np.ndarray, of: str) -> Window:
    if window is not None:
        return window_around(window)
    plane = np.stack([values.real, values.imag], axis=1)
    frame = np.array([[-1.0, -1.0], [1.0, 1.0]]) if of == "step" else np.zeros((1, 2))
    return window_around(None, np.concatenate([plane, frame]))
