"""A recording comes in; its pictures go out, drawn by Matplotlib: one for a report, or all of them for a film."""

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from .. import plots
from ..plots.parts import name_colors
from .frames import Frame
from .replay import Ground, Replay

DOTS_PER_INCH = 100
"""Of a film: a picture 6.4 inches wide has 640 pixels."""


class _Plane(NamedTuple):
    """What moves in one run's picture."""

    axes: Axes
    surface: Any
    fake: Any
    real: Any
    title: Any
    score: Any


class Film:
    """The pictures of a recording, one at a time.

    Args:
        replay: what was recorded.
        width: of a picture, in inches.
        title: above it all.
        dpi: pixels an inch.

    Attributes:
        picture: the figure, showing the frame that was drawn last.
    """

    def __init__(self, replay: Replay, *, width: float | int = 7.2, title: str = "", dpi: int = DOTS_PER_INCH):
        if not len(replay):
            raise ValueError("this recording has no frame to draw")
        self.replay, self._runs = replay, len(replay.shots[0].header["runs"])
        self._curves = [_curve(replay, index) for index in range(len(replay))] if self._runs == 1 else []
        with matplotlib.rc_context(plots.STYLE):
            self._build(float(width), title, dpi)

    def _build(self, width: float, title: str, dpi: int) -> None:
        alone = self._runs == 1
        columns = 2 if alone or self._runs > 3 else self._runs
        rows = -(-self._runs // columns)
        height = rows * (width / columns * (0.9 if alone else 1.0) + 0.65) + (0.4 if title else 0.0)
        self.picture = plots.Picture(figsize=(_even(width, dpi), _even(height, dpi)), dpi=dpi)
        self._canvas = FigureCanvasAgg(self.picture)
        panels = self.picture.subplots(rows, columns, squeeze=False, width_ratios=[1.05, 1] if alone else None).ravel()
        self._planes = [_plane(axes, self.replay, run) for run, axes in enumerate(panels[: self._runs])]
        for axes in panels[max(self._runs, 2) if alone else self._runs :]:
            axes.set_axis_off()
        self._losses = _Losses(panels[1], self._curves, max(self.replay.steps)) if alone else None
        if title:
            self.picture.suptitle(textwrap.shorten(title, 90), x=0.01, ha="left", fontsize=12, fontweight="bold")
        self.show(0)
        self.picture.canvas.draw()  # places everything once
        self.picture.set_layout_engine("none")  # so that nothing trembles from frame to frame

    @property
    def size(self) -> tuple[int, int]:
        """Pixels across and down."""
        columns, rows = self._canvas.get_width_height()
        return columns, rows

    def show(self, index: int) -> None:
        """Put one frame into the picture."""
        names = [run["name"] for run in self.replay.shots[index].header["runs"]] if self._runs > 1 else [""]
        grounds = [self.replay.ground(index, run) for run in range(self._runs)]
        runs = zip(self._planes, self.replay.frames(index), grounds, names, strict=True)
        words = [_move(*run) for run in runs]
        if self._losses:
            self._losses.show(index)
        self.picture.alt = f"{'. '.join(words)}."

    def pixels(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        """One frame as red, green and blue, from the top left."""
        with matplotlib.rc_context(plots.STYLE):
            self.show(index)
            self._canvas.draw()
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()


def _even(inches: float, dpi: int) -> float:
    """The next size of an even number of pixels, as films ask for."""
    return 2 * round(inches * dpi / 2) / dpi


def _plane(axes: Axes, replay: Replay, run: int) -> _Plane:
    axes.set_xticks([])
    axes.set_yticks([])
    surface = axes.imshow(np.zeros((2, 2)), cmap=plots.BELIEF, vmin=0, vmax=255, interpolation="bilinear")
    real = axes.scatter([], [], s=9, color=plots.REAL, alpha=0.45, linewidths=0)
    fake = axes.scatter([], [], s=7, color=plots.FAKE, edgecolors="white", linewidths=0.35)
    title = axes.set_title("step 0", pad=20)
    if run == 0:
        name_colors(
            axes, [("real", plots.REAL), ("fake", plots.FAKE), ("ground: what D says", "#555555")], over_next=True
        )
    score = axes.set_xlabel(" ", loc="left", fontsize=9)
    return _Plane(axes, surface, fake, real, title, score)


def _move(plane: _Plane, frame: Frame, ground: Ground, name: str) -> str:
    """Show one run at one moment, and say it in words."""
    window, step = ground.window, frame.header["step"]
    plane.surface.set_data(frame.arrays["surface"])
    plane.surface.set_extent(window)
    plane.axes.set(xlim=window[:2], ylim=window[2:], aspect="equal")
    plane.real.set_offsets(ground.real)
    plane.fake.set_offsets(frame.arrays["fake"])
    plane.title.set_text(f"{textwrap.shorten(name, 24)}, step {step:,}" if name else f"step {step:,}")
    score = ""
    if frame.header["modes"] is not None:
        score = f"{frame.header['modes']} of {ground.modes} modes, {frame.header['quality']:.0%} of high quality"
    plane.score.set_text(score or " ")
    words = f"{name + ' at step' if name else 'Step'} {step:,}: {len(ground.real)} real and {len(frame.arrays['fake'])}"
    return f"{words} fake samples on the heat map of D's answer{f'; {score}' if score else ''}"


class _Losses:
    """The panel of both losses, whose axes stand still while the curves grow."""

    def __init__(self, axes: Axes, curves: Sequence[tuple[np.ndarray, np.ndarray, list]], last: int):
        self.axes, self.curves = axes, curves
        _, values, references = curves[-1]
        marks = [reference[0] for reference in references if reference]
        finite = values[np.isfinite(values)]
        low, high = np.quantile(finite, [0.01, 0.99]) if finite.size else (0.0, 1.0)
        low, high = min([low, *marks]), max([high, *marks])
        margin = 0.12 * max(high - low, 0.5)
        first = float(curves[0][0][0]) if len(curves[0][0]) else 0.0
        axes.set(xlim=(first, max(last, first + 1)), ylim=(low - margin, high + margin), xlabel="step", ylabel="loss")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
        self.lines = []
        for name, colour, reference, along in zip("DG", (plots.DISCRIMINATOR, plots.GENERATOR), references,
                                                  (0.0, 0.3), strict=True):  # fmt: skip
            self.lines.append(axes.plot([], [], color=colour, linewidth=1.4)[0])
            axes.text(along, 1.02, f"{name}'s loss", transform=axes.transAxes, color=colour, fontsize=9.5)
            if reference:
                axes.axhline(reference[0], color=colour, linewidth=0.9, linestyle=(0, (2, 3)))
                axes.text(1.0, reference[0], f" {reference[1]}", transform=axes.get_yaxis_transform(), color=colour,
                          fontsize=8.5, va="center")  # fmt: skip
        if marks:
            axes.text(1.0, 1.02, "dotted: at equilibrium", transform=axes.transAxes, ha="right", fontsize=8.5,
                      color="#555555")  # fmt: skip

    def show(self, index: int) -> None:
        steps, values, _ = self.curves[index]
        for which, line in enumerate(self.lines):
            line.set_data(steps, values[:, which])


def _curve(replay: Replay, index: int) -> tuple[np.ndarray, np.ndarray, list]:
    """Steps, both losses, and their values at equilibrium, of one frame."""
    frame = replay.frames(index)[0]
    values = frame.arrays["curve"]
    steps = frame.header["first"] + frame.header["span"] * (np.arange(len(values)) + 0.5)
    return steps, values, frame.header["references"]
