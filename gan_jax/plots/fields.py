"""A two-player game comes in, with paths; a picture of its field, and of how they run through it, goes out."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes

from .. import theory
from .parts import Numbers, Real, Window, as_points, label_column, name_colors, set_plane, width_of, window_around
from .style import MARKS, SERIES, SQUARE, Picture, panels, styled

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
