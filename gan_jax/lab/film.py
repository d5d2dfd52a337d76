"""A recording comes in; its pictures go out, drawn by Matplotlib: one for a report, or all of them for a film."""

import textwrap
from collections.abc import Mapping, Sequence
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
        height = self._height(width) + (0.4 if title else 0.0)
        self.picture = plots.Picture(figsize=(_even(width, dpi), _even(height, dpi)), dpi=dpi)
        self._canvas = FigureCanvasAgg(self.picture)
        self._lay_out()
        if title:
            self.picture.suptitle(textwrap.shorten(title, 90), x=0.01, ha="left", fontsize=12, fontweight="bold")
        self.show(0)
        self.picture.canvas.draw()  # places everything once
        self.picture.set_layout_engine("none")  # so that nothing trembles from frame to frame

    @property
    def _rows_columns(self) -> tuple[int, int]:
        columns = 2 if self._runs == 1 or self._runs > 3 else self._runs
        return -(-self._runs // columns), columns

    def _height(self, width: float) -> float:
        """Inches of a picture, without its title."""
        rows, columns = self._rows_columns
        return rows * (width / columns * (0.9 if self._runs == 1 else 1.0) + 0.65)

    def _lay_out(self) -> None:
        """Make the panels of the picture."""
        alone, (rows, columns) = self._runs == 1, self._rows_columns
        panels = self.picture.subplots(rows, columns, squeeze=False, width_ratios=[1.05, 1] if alone else None).ravel()
        self._planes = [_plane(axes, self.replay, run) for run, axes in enumerate(panels[: self._runs])]
        for axes in panels[max(self._runs, 2) if alone else self._runs :]:
            axes.set_axis_off()
        self._losses = _Losses(panels[1], self._curves, max(self.replay.steps)) if alone else None

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


class ImageFilm(Film):
    """The pictures of a recording of `lab.images`: what G draws, beside real images, over both losses."""

    def _height(self, width: float) -> float:
        height, across = self._sheet(0).shape[:2]
        return width / 2 * height / across + 2.1

    def _lay_out(self) -> None:
        mosaic = self.picture.subplot_mosaic([["fake", "real"], ["losses", "losses"]], height_ratios=[2.2, 1])
        scene = self._scene(0)
        real = np.frombuffer(scene["real"], np.uint8).reshape(scene["shape"])
        self._fake, _ = (
            mosaic[name].imshow(sheet(images, scene["columns"]), cmap="gray", vmin=0, vmax=255)
            for name, images in (("fake", self.replay.frames(0)[0].arrays["images"]), ("real", real))
        )
        mosaic["real"].set_title(f"real: {scene['name']}", color=plots.REAL)
        for name in ("fake", "real"):
            mosaic[name].set_axis_off()
        self._losses = _Losses(mosaic["losses"], self._curves, max(self.replay.steps))
        mosaic["losses"].set_ylabel("")  # the curves are named above them

    def show(self, index: int) -> None:
        frame, scene = self.replay.frames(index)[0], self._scene(index)
        step, values = frame.header["step"], self._curves[index][1]
        self._fake.set_data(self._sheet(index))
        self._fake.axes.set_title(f"drawn by G at step {step:,}", color=plots.FAKE)
        if self._losses:
            self._losses.show(index)
        losses = "" if not len(values) else " Last losses: D {:.2f}, G {:.2f}.".format(*values[-1])
        self.picture.alt = (
            f"{len(frame.arrays['images'])} images drawn by the generator at step {step:,}, beside as many real ones "
            f"({scene['name']}, {scene['size']:,} images).{losses}"
        )

    def _scene(self, index: int) -> Mapping[str, Any]:
        return self.replay.scenes[self.replay.shots[index].scene]["runs"][0]

    def _sheet(self, index: int) -> np.ndarray:
        return sheet(self.replay.frames(index)[0].arrays["images"], self._scene(index)["columns"])


def sheet(images: UInt8[np.ndarray, "n height width channels"], columns: int) -> UInt8[np.ndarray, "..."]:
    """Lay images out in rows, a pixel between them.

    Returns:
        Shape (height, width), or (height, width, 3) in colour.

    >>> sheet(np.zeros((4, 1, 2, 1), np.uint8), 2).tolist()
    [[0, 0, 128, 0, 0], [128, 128, 128, 128, 128], [0, 0, 128, 0, 0]]
    """
    n, height, width, channels = images.shape
    rows = -(-n // columns)
    laid = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, channels), 128, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        laid[top : top + height, left : left + width] = image
    return laid[..., 0] if channels == 1 else laid


def film(replay: Replay, **settings: Any) -> Film:
    """The pictures of a recording, of points or of images; settings as of `Film`."""
    return (ImageFilm if replay.setup.get("images") else Film)(replay, **settings)


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
