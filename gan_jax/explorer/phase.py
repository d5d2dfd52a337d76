"""A path and the eigenvalues at its equilibrium come in; the three panels of the phase portrait go out."""

import math

import numpy as np

from ..theory import Game
from . import dynamics
from .dynamics import Rate, Spectra, Walk
from .scene import Arrows, Curve, Dots, Handle, Line, Mark, Panel

REACH = 4.0
"""Half the width of the plane."""

GRID = np.linspace(-REACH, REACH, 13)[1:-1]
PLACES = np.stack([axis.ravel() for axis in np.meshgrid(GRID, GRID)], axis=1)
"""Where arrows begin, shape (n, 2)."""


def _field(game: Game) -> Arrows:
    """The field as arrows of compressed length: a fast place does not hide a slow one."""
    velocity = dynamics.velocities(game, PLACES)
    speed = np.hypot(*velocity.T)
    fastest = np.nanmax(np.where(np.isfinite(speed), speed, np.nan), initial=1e-12)
    length = 0.85 * (GRID[1] - GRID[0]) * np.sqrt(speed / fastest)
    with np.errstate(invalid="ignore"):
        dx, dy = np.where(speed > 0, length / np.where(speed > 0, speed, 1.0), 0.0) * velocity.T
    return Arrows(PLACES[:, 0] - dx / 2, PLACES[:, 1] - dy / 2, dx, dy, "", "quiet")


def plane(game: Game, players: tuple[str, str], taken: Walk, start: tuple[float, float]) -> Panel:
    """Draw the field, the path on it, its average, and the start, which can be dragged.

    Args:
        game: whose field it is.
        players: what the two axes are.
        taken: the path.
        start: where it begins: (theta, psi).
    """
    (x, y), steps = taken.path.T, len(taken.path) - 1
    marks: list[Mark] = [_field(game), Curve(x, y, "", "fake")]
    if steps <= 40:
        inside = np.maximum(np.abs(x), np.abs(y)) <= REACH
        marks.append(Dots(x[inside], y[inside], "", "fake", 2.0))
    named = "" if min(taken.distance[0], taken.distance[-1]) < 0.5 else "equilibrium"  # no room for two names
    marks.append(Dots(np.zeros(1), np.zeros(1), named, "ink", 4.0))
    if taken.mean is not None:
        x_mean, y_mean = taken.mean.T
        marks += [Curve(x_mean, y_mean, "", "real"), Dots(x_mean[-1:], y_mean[-1:], "average", "real", 6.0)]
    marks.append(Dots(x[-1:], y[-1:], f"after {steps}", "fake", 6.0))
    marks.append(Handle(*start, "theta", colour="fake", vertical="psi"))
    ends = (-REACH, REACH)
    return Panel(marks, ends, ends, "The plane: drag the start", *players, square=True)


CIRCLE = np.linspace(0, 2 * np.pi, 721)
HALF_WIDTHS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Of the magnified picture about 1: few, so that it does not breathe while a slider moves."""


def eigenvalues(found: Spectra, window: str) -> Panel:
    """Draw the eigenvalues of one step and the unit circle, the whole of it, or "near" 1."""
    values = found.step
    if window == "near":
        close = np.abs(values - 1)[np.abs(values - 1) <= 1]
        half = next((half for half in HALF_WIDTHS if half >= 1.15 * close.max(initial=0.0)), 1.0)
        across, up = (1 - half, 1 + half), (-half, half)
    else:
        half = next((half for half in (1.35, 2.0, 4.0, 8.0) if half >= 1.1 * np.abs(values).max(initial=0.0)), 8.0)
        across, up = (-half, half), (-half, half)
    # the circle is drawn where it is seen: magnified, 720 points would leave corners
    angle = CIRCLE if window == "whole" else np.linspace(-1.6, 1.6, 721) * min(1.0, 1.5 * half)
    marks: list[Mark] = [Curve(np.cos(angle), np.sin(angle), "|μ| = 1", "quiet")]
    leads = np.abs(values) >= found.radius * (1 - 1e-9)
    marks.append(Dots(values[~leads].real, values[~leads].imag, "", "quiet", 4.0))
    for upper in (True, False):
        lead = values[leads & ((values.imag >= -1e-12) == upper)]
        if len(lead):
            marks.append(Dots(lead.real, lead.imag, f"|μ| = {found.radius:.5g}" if upper else "", "accent", 6.0))
    title = "Eigenvalues μ of one step" if len(values) else "Not smooth at 0: no eigenvalues"
    return Panel(marks, across, up, title, "real part", "imaginary part", square=True)


def _powers(distance: Line) -> Line:
    with np.errstate(divide="ignore"):
        return np.where(distance > 0, np.log10(np.maximum(distance, 1e-300)), np.nan)


def distances(taken: Walk, found: Spectra, rate: Rate, steps: int) -> Panel:
    """Draw the distance from the equilibrium after each step, and the slope that eigenvalues predict."""
    time = np.arange(len(taken.path), dtype=float)
    curves = [Curve(time, _powers(taken.distance), "the path", "fake")]
    if taken.mean is not None:
        curves.append(Curve(time, _powers(np.hypot(*taken.mean.T)), "its average", "real"))
    heights = np.concatenate([curve.y[np.isfinite(curve.y)] for curve in curves])
    low, high = (heights.min(), heights.max()) if len(heights) else (0.0, 0.0)
    low, high = math.floor(max(low, high - 16) - 0.1), math.ceil(high + 0.1)
    marks: list[Mark] = [*curves]
    if math.isfinite(rate.level) and 0.1 < found.radius < 10:
        middle = (rate.first + rate.last) / 2
        slope = (time - middle) * math.log10(found.radius) + rate.level / math.log(10)
        marks.append(Curve(time, slope, "predicted slope", "accent", dashed=True))
    return Panel(marks, (0, max(steps, 1)), (low, high), "Distance from the equilibrium", "steps",
                 "log₁₀ of the distance")  # fmt: skip
