"""A two-player game's field, paths or eigenvalues come in; a picture that shows where it rests, or not, goes out."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from .. import theory
from ..errors import Menu
from .parts import Numbers, Real, Window, as_points, label_column, name_colors, set_plane, width_of, window_around
from .style import MARKS, QUIET, SERIES, SQUARE, Picture, panels, styled

ARROWS = 17
"""Arrows a row where a game gives the field itself."""


@styled
def field(
    game: theory.Game | tuple[Numbers, Numbers],
    *,
    paths: Mapping[str, Numbers] | None = None,
    equilibrium: tuple[Real, Real] | None = (0.0, 0.0),
    window: Window | None = None,
    x_label: str = r"$\theta$, generator",
    y_label: str = r"$\psi$, discriminator",
    title: str = "",
) -> Picture:
    """Draw the field of a game of one number a player: where both move from each place, with paths over it.

    Arrows show the direction and are of one length; the darker, the faster.

    Args:
        game: a `theory.Game`, or places and the velocities there, shape (..., 2) each.
        paths: name to the points of a path, shape (n + 1, 2), the start first, as `theory.play` returns it.
        equilibrium: marked, and distances are told from it; None where there is none.
        window: (left, right, bottom, top); when left out, around the places given, or around the starts.
        x_label, y_label: what the two numbers are.
        title: above the panel.

    Returns:
        The picture. A path that leaves the window is said to do so, with the step.

    >>> path = theory.play(theory.bilinear, np.array([1.0, 0.0]), 0.1, 60, update="simultaneous")
    >>> print(field(theory.bilinear, paths={"simultaneous": path}).alt)
    Field of the game, speed from 0 to 2 in the window. Path of simultaneous, 60 steps: from (1, 0) to (1.29, -0.402),
    round the equilibrium 0.95 times, distance 1 to 1.35.
    """
    centre = None if equilibrium is None else np.asarray(equilibrium, np.float64)
    walks = {name: as_points(path, f"path {name!r}").astype(np.float64) for name, path in (paths or {}).items()}
    if len(walks) > len(SERIES):
        raise ValueError(f"at most {len(SERIES)} paths can be told apart in one picture, got {len(walks)}")
    if isinstance(game, theory.Game):
        window = _window_of_paths(window, walks, centre)
        places = _grid(window)
        velocities = np.asarray(jax.vmap(lambda place: theory.field(game, place))(places), np.float64)
    else:
        places, velocities = _places_and_velocities(game)
        window = window_around(window, places)
    left = {name: _first(~_inside(path, window)) for name, path in walks.items()}
    labels = [
        f"{mark.letter} {name}" + (f"\n    out of the window at step {left[name]}" if left[name] is not None else "")
        for mark, name in zip(MARKS, walks, strict=False)
    ]
    picture, (axes,) = panels(SQUARE[0] + 0.6 + width_of(labels), height=SQUARE[1] + 0.3)
    words = [_draw_field(axes, places, velocities, window)]
    for (name, path), color, mark in zip(walks.items(), SERIES, MARKS, strict=False):
        words.append(f"Path of {name}, {_draw_path(axes, path, centre, window, color, mark.shape)}")
    signs = [("○ start", "#222222"), ("● end", "#222222")] if walks else []
    if centre is not None:
        axes.plot(*centre, "+", color="#222222", markersize=13, markeredgewidth=2, zorder=4)
        signs.append(("✚ equilibrium", "#222222"))
    name_colors(axes, signs)
    label_column(axes, [(label, color) for label, color in zip(labels, SERIES, strict=False)])
    set_plane(axes, window, title)
    axes.set(xlabel=x_label, ylabel=y_label)
    picture.alt = f"{title + ': ' if title else ''}{'. '.join(words)}."
    return picture


def _window_of_paths(window: Window | None, walks: Mapping[str, np.ndarray], centre: np.ndarray | None) -> Window:
    """A square around the equilibrium in which the starts lie at two thirds of the way out."""
    if window is not None:
        return window_around(window)
    middle = np.zeros(2) if centre is None else centre
    starts = np.array([path[0] for path in walks.values() if np.isfinite(path[0]).all()]).reshape(-1, 2)
    half = 1.5 * float(np.abs(starts - middle).max(initial=0.0)) or 2.0
    return tuple(float(edge) for i in range(2) for edge in (middle[i] - half, middle[i] + half))  # type: ignore[return-value]


def _grid(window: Window) -> np.ndarray:
    """Places in the middle of equal cells of the window, shape (ARROWS * ARROWS, 2), float32 as JAX has it."""
    x, y = (low + (high - low) * (np.arange(ARROWS) + 0.5) / ARROWS for low, high in (window[:2], window[2:]))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)


def _places_and_velocities(pair: Any) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(pair, tuple) or len(pair) != 2:
        got = type(pair).__name__
        raise TypeError(f"field draws a theory.Game, or a pair (places, velocities) of shape (..., 2) each, got {got}")
    places, velocities = (np.asarray(array, np.float64) for array in pair)
    if places.shape != velocities.shape or places.ndim < 2 or places.shape[-1] != 2 or not places.size:
        raise ValueError(
            f"places and velocities must have one shape, (n, 2) or (rows, columns, 2), "
            f"got {places.shape} and {velocities.shape}"
        )
    return places.reshape(-1, 2), velocities.reshape(-1, 2)


def _draw_field(axes: Axes, places: np.ndarray, velocities: np.ndarray, window: Window) -> str:
    speed = np.linalg.norm(velocities, axis=1)
    fastest = float(np.nanmax(speed, initial=0.0)) or 1.0
    length = 0.75 * (window[1] - window[0]) / np.sqrt(len(places))
    ways = length * velocities / np.where(speed > 0, speed, 1.0)[:, None]
    shades = np.clip(0.2 + 0.5 * np.nan_to_num(speed) / fastest, 0.2, 0.7)
    axes.quiver(places[:, 0], places[:, 1], ways[:, 0], ways[:, 1], angles="xy", scale_units="xy", scale=1,
                pivot="mid", color=[(0.0, 0.0, 0.0, shade) for shade in shades], width=0.0035, minlength=0,
                headwidth=4, headlength=4.5, headaxislength=4, zorder=1)  # fmt: skip
    return f"Field of the game, speed from {np.nanmin(speed):.3g} to {np.nanmax(speed):.3g} in the window"


def _draw_path(axes: Axes, path: np.ndarray, centre: np.ndarray | None, window: Window, color: str, marker: str) -> str:
    """Draw one path as far as it can be seen, and say in words where it goes."""
    inside = _inside(path, window)
    gone, broken = _first(~inside), _first(~np.isfinite(path).all(axis=1))
    seen = path[:broken]
    far = 20 * (window[1] - window[0])  # the line runs on to the edge, but not to 1e30
    seen = np.where(np.abs(seen - [window[0], window[2]]).max(axis=1, keepdims=True) < far, seen, np.nan)
    axes.plot(seen[:, 0], seen[:, 1], color=color, marker="." if len(seen) <= 120 else "", markersize=4, linewidth=1.3,
              zorder=2)  # fmt: skip
    if inside[0]:
        axes.plot(*path[0], marker, markerfacecolor="white", markeredgecolor=color, markersize=8, zorder=3)
    if inside[-1]:
        axes.plot(*path[-1], marker, color=color, markeredgecolor="white", markersize=8, zorder=3)
    whole = path[:broken]
    if not len(whole):
        return f"{len(path) - 1} steps: not finite from the start"
    words = f"{len(path) - 1} steps: from {_place(path[0])} to {_place(whole[-1])}"
    if centre is not None:
        distance = np.linalg.norm(whole - centre, axis=1)
        if (distance > 0).all():
            around = whole - centre
            turned = np.diff(np.unwrap(np.arctan2(around[:, 1], around[:, 0]))).sum() / (2 * np.pi)
            words += f", round the equilibrium {abs(turned):.2g} times"
        words += f", distance {distance[0]:.3g} to {distance[-1]:.3g}"
    words += f", out of the window at step {gone}" if gone is not None else ""
    return words + (f", not finite from step {broken}" if broken is not None else "")


def _inside(path: np.ndarray, window: Window) -> np.ndarray:
    left, right, bottom, top = window
    x, y = path.T
    return (x >= left) & (x <= right) & (y >= bottom) & (y <= top)


def _first(flags: np.ndarray) -> int | None:
    """The index of the first flag that is set, None where none is."""
    return int(np.argmax(flags)) if flags.any() else None


def _place(point: np.ndarray) -> str:
    return f"({point[0]:.3g}, {point[1]:.3g})"


class _Side(NamedTuple):
    """What decides whether eigenvalues mean rest.

    Attributes:
        number: the deciding number of each eigenvalue; below `border` it decays.
        border: between decay and growth.
        named: how the largest number is written, with a place for it.
        stable, on, unstable: in words, where the largest number lies below the border, on it, above it.
        shaded: what the shaded side means.
    """

    number: Any
    border: float
    named: str
    stable: str
    on: str
    unstable: str
    shaded: str


SIDES: Menu[_Side] = Menu(
    "kind of eigenvalues",
    {
        "step": _Side(
            np.abs, 1.0, "largest |λ| {:.4f}", "inside the unit circle, so steps converge", "on the unit circle",
            "outside the unit circle, so steps diverge", "shaded: inside the unit circle, steps converge",
        ),
        "field": _Side(
            np.real, 0.0, "largest real part {:.3g}", "left of the imaginary axis, so the flow converges",
            "on the imaginary axis", "right of the imaginary axis, so the flow diverges",
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
    Eigenvalues of one step on the complex plane. simultaneous: 2 eigenvalues, largest |λ| 1.1180, outside the unit
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
        f"{_judged(side, numbers[name])}"
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


def _judged(side: _Side, number: float) -> str:
    if abs(number - side.border) < 1e-6:  # rounding of an eigenvalue that lies on it
        return side.on
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
