"""A scene comes in; the same picture drawn by Matplotlib goes out, for where there is no page."""

import itertools
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, cast

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from ..plots import BELIEF, DISCRIMINATOR, FAKE, REAL, STYLE, Picture
from .labels import LINE, Box, Label, place
from .scene import (
    Arrows,
    Bars,
    Choice,
    Control,
    Curve,
    Dots,
    Handle,
    Level,
    Mark,
    Motion,
    Number,
    Panel,
    Scene,
    Surface,
    Value,
    arrays,
    check_scene,
    shown,
)

COLOURS = {"real": REAL, "fake": FAKE, "discriminator": DISCRIMINATOR, "ink": "#333333", "quiet": "#767676",
           "accent": "#AA3377"}  # fmt: skip
"""A role's colour; `explorer.css` has the same, and lighter ones for dark pages."""

PANEL, ALONE = (4.4, 3.1), 5.8
"""Width and height of a panel, and the width of one that has no neighbour, in inches."""

SQUARE = 4.0
"""Height of a row that has a square panel."""

SIZE = 9.5
"""Of the text beside curves, in points."""


def still(scene: Scene, controls: Sequence[Control] = (), values: Mapping[str, Value] | None = None) -> Picture:
    """Draw a scene without any page.

    Args:
        scene: what an `Explorer` shows: `live.scene`.
        controls: the sliders and menus beside it, whose settings are written above.
        values: where they stand, by name; at their first places when left out.

    Returns:
        The picture; `plots.alt` reads its description, which is the scene's words, or its numbers where it has none.

    >>> still(Scene([Panel([Level(0.5, "log 2")], (0, 1))], words="A line."))
    Picture: A line.
    """
    check_scene(scene, controls)
    settings = _settings(scene, controls, values or {})
    columns = 2 if len(scene.panels) == 4 else max(min(len(scene.panels), 3), 1)
    rows = max(-(-len(scene.panels) // columns), 1)
    width = PANEL[0] * columns if columns > 1 else ALONE
    lines = textwrap.wrap(settings, round(13 * width))
    titles = {-1: "", **{i: f"{panel.title}: " for i, panel in enumerate(scene.panels)}}
    numbers = [number._replace(name=_cut(f"{titles[number.panel]}{number.name}", 32)) for number in scene.numbers]
    foot, head = _foot_height(numbers, width), 0.06 + 0.2 * len(lines)
    bars = [len(mark.names) for panel in scene.panels for mark in panel.marks if isinstance(mark, Bars)]
    tall = SQUARE if any(panel.square for panel in scene.panels) else PANEL[1]
    height = max(tall * rows if scene.panels else 0.1, 0.32 * max(bars, default=0) + 0.8 * bool(bars))
    with matplotlib.rc_context(STYLE):
        picture = Picture(figsize=(width, height + foot + head))
        FigureCanvasAgg(picture)
        whole = height + foot + head
        cast(Any, picture.get_layout_engine()).set(rect=(0, foot / whole, 1, height / whole), wspace=0.06)
        axes = picture.subplots(rows, columns, squeeze=False).ravel()
        drawn = [_draw_panel(one, panel) for one, panel in zip(axes, scene.panels, strict=False)]
        for one in axes[len(scene.panels) :]:
            one.set_axis_off()
        picture.draw_without_rendering()
        picture.set_layout_engine("none")
        for each in drawn:
            each.write_names()
        if lines:
            picture.text(0.06 / width, 1 - 0.06 / whole, "\n".join(map(_typeset, lines)), va="top", fontsize=9,
                         color="#555555")  # fmt: skip
        _write_numbers(picture, numbers, foot)
    picture.alt = scene.words or ", ".join(f"{number.name} {shown(number.value)}" for number in scene.numbers)
    return picture


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _settings(scene: Scene, controls: Sequence[Control], values: Mapping[str, Value]) -> str:
    """Where the controls stand, in one line."""
    said = []
    for control in controls:
        value = values.get(control.name, control.value)
        if control.name not in scene.hidden:
            words = control.options[str(value)] if isinstance(control, Choice) else f"{value:.4g}".replace("-", "−")
            said.append(f"{control.label}: {words}")
    return "\u00a0\u00a0· ".join(said)  # no line begins with a dot


def _typeset(text: str, weight: str = "rm") -> str:
    """Set indices low, as in p_g, for Matplotlib; a name such as lr_g, of more than one letter, is left alone."""
    pattern = r"(?<![^\W])(d?[^\W\d_])_(?:([^\W\d_]|\d+)(?!\w)|\{([^}]*)\})"
    return re.sub(pattern, lambda m: rf"{m[1]}$_{{\math{weight}{{{m[2] or m[3]}}}}}$", text.replace("$", r"\$"))


# ---- numbers under the panels ----


def _a_row(width: float) -> int:
    return max(int(width / 1.9), 1)


def _notes(numbers: Sequence[Number], width: float) -> list[list[str]]:
    """Each number's note, in lines that fit its place."""
    return [textwrap.wrap(number.note, round(15 * width / _a_row(width)) - 2) for number in numbers]


def _row_height(numbers: Sequence[Number], width: float) -> float:
    return 0.52 + 0.15 * max((len(lines) for lines in _notes(numbers, width)), default=0)


def _foot_height(numbers: Sequence[Number], width: float) -> float:
    return _row_height(numbers, width) * -(-len(numbers) // _a_row(width))


def _write_numbers(picture: Picture, numbers: Sequence[Number], foot: float) -> None:
    width, height = picture.get_size_inches()
    columns, tall = _a_row(width), _row_height(numbers, width)
    for i, (number, note) in enumerate(zip(numbers, _notes(numbers, width), strict=True)):
        row, column = divmod(i, columns)
        x, y = 0.12 + column * (width - 0.1) / columns, foot - 0.04 - tall * row
        for text, down, style in (
            (number.name, 0.0, {"fontsize": 9, "color": "#555555"}),
            (shown(number.value), 0.17, {"fontsize": 12.5, "fontweight": "bold"}),
            ("\n".join(note), 0.4, {"fontsize": 8, "color": "#555555", "linespacing": 1.1}),
        ):
            picture.text((x + 0.08) / width, (y - down) / height, _typeset(text), va="top",
                         **cast(dict[str, Any], style))  # fmt: skip
        colour = COLOURS[number.colour] if number.colour != "ink" else "#cccccc"
        picture.add_artist(Line2D([x / width] * 2, [y / height, (y - tall + 0.12) / height],
                                  linewidth=2.5, color=colour))  # fmt: skip


# ---- a panel ----


class _Drawn:
    """A panel while it is drawn: its axes, and the names that wait until the layout is known."""

    def __init__(self, axes: Axes, panel: Panel):
        self.axes, self.panel = axes, panel
        self.second = axes.twinx() if panel.right else axes
        self.names: list[tuple[str, str, str, np.ndarray, Axes, float]] = []
        self.discs: list[tuple[np.ndarray, Axes, float]] = []

    def name(self, text: str, colour: str, kind: str, points: np.ndarray, axes: Axes, gap: float = 0.0) -> None:
        """Keep a name for later; points in units of the axes, shape (n, 2)."""
        points = points[np.isfinite(points[:, 0]) & ~np.isnan(points[:, 1])]
        if text and len(points):
            self.names.append((text, colour, kind, points, axes, gap))

    def write_names(self) -> None:
        """Write each name where it covers least, now that the place of each axis is known."""
        figure = cast(Picture, self.axes.get_figure(root=True))
        scale = 72 / figure.dpi
        corners = self.axes.get_window_extent()
        box = Box(corners.x0 * scale, corners.x1 * scale, corners.y0 * scale, corners.y1 * scale)
        labels, texts = [], []
        for text, colour, kind, points, axes, gap in self.names:
            own = _inside(axes.transData.transform(points) * scale, box, joined=kind != "dots")
            if not len(own):  # nowhere in the panel: named at the edge where it is
                above = np.mean(points[:, 1] > axes.get_ylim()[1]) >= 0.5
                own, text = (
                    np.array([[(box.left + box.right) / 2, box.top if above else box.bottom]]),
                    (f"{text} {'↑' if above else '↓'}"),
                )
            artist = self._text(_typeset(text, "bf"), colour)
            width = artist.get_window_extent(figure.canvas.get_renderer()).width * scale  # type: ignore[attr-defined]
            labels.append(Label(float(width), own, cast(Any, kind), gap))
            texts.append(artist)
        dots = [np.append(axes.transData.transform(at) * scale, radius) for at, axes, radius in self.discs]
        placed = place(labels, np.array(dots).reshape(-1, 3), box)
        for artist, (x, y) in zip(texts, placed, strict=True):
            middle = ((x - box.left) / (box.right - box.left), (y + LINE / 2 - box.bottom) / (box.top - box.bottom))
            artist.set_position(middle)

    def _text(self, text: str, colour: str) -> Any:
        top = self.second  # else the second axis' curves would run over the name
        artist = top.text(0, 0, text, transform=self.axes.transAxes, color=COLOURS[colour], fontsize=SIZE,
                          fontweight="bold", va="center_baseline", zorder=9)  # fmt: skip
        artist.set_path_effects([withStroke(linewidth=3, foreground="white")])
        artist.set_in_layout(False)
        return artist


def _inside(points: Float[np.ndarray, "n 2"], box: Box, joined: bool) -> np.ndarray:
    """Points within the box, and where they are joined by a line, points along it, some 4 points apart."""
    if joined and len(points) > 1:
        parts = []
        for start, end in itertools.pairwise(points):
            count = int(np.clip(np.hypot(*(end - start)) / 4, 1, 200))
            parts.append(start + (end - start) * np.linspace(0, 1, count, endpoint=False)[:, None])
        points = np.concatenate([*parts, points[-1:]])
    x, y = points.T
    return points[(x >= box.left - 1) & (x <= box.right + 1) & (y >= box.bottom - 1) & (y <= box.top + 1)]


def _draw_panel(axes: Axes, panel: Panel) -> _Drawn:
    drawn = _Drawn(axes, panel)
    axes.set(xlim=panel.x, ylim=panel.y, xlabel=_typeset(panel.x_label), aspect="equal" if panel.square else "auto")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid(axis="y", color="#000000", alpha=0.08, linewidth=0.8)
    if panel.bare:
        axes.set_axis_off()
    labels = [(panel.y_label, 0.0, "left"), (panel.right_label, 1.0, "right")]
    for text, x, side in labels:
        outside = (-26 if side == "left" else 26) if text else 0
        axes.annotate(_typeset(text), (x, 1), xycoords="axes fraction", xytext=(outside, 7), fontsize=9.5,
                      textcoords="offset points", ha=side, color="#333333")  # fmt: skip
    if panel.title:
        axes.set_title(_typeset(panel.title, "bf"), pad=24 if panel.y_label or panel.right_label else 8, x=0, ha="left")
    if panel.right:
        drawn.second.set_ylim(panel.right)
        drawn.second.tick_params(axis="y", length=0)
        drawn.second.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    if panel.y[0] < 0 < panel.y[1]:
        axes.axhline(0, color="#666666", linewidth=0.8, zorder=1)
    for mark in panel.marks:
        _DRAW[type(mark)](drawn, mark)
    return drawn


def _curve(drawn: _Drawn, mark: Curve) -> None:
    axes, found, colour = drawn.second if mark.right else drawn.axes, arrays(mark), COLOURS[mark.colour]
    x = _near(np.where(np.isfinite(found["x"]), found["x"], np.nan), axes.get_xlim())
    y = _near(found["y"], axes.get_ylim())
    axes.plot(x, y, color=colour, linestyle=(0, (4, 3)) if mark.dashed else "-", linewidth=1.5 if mark.dashed else 1.9)
    if mark.fill:
        axes.fill_between(x, 0, y, color=colour, alpha=0.17, linewidth=0)
    drawn.name(mark.name, mark.colour, "heap" if mark.fill else "line", np.stack([x, y], axis=1), axes)


def _near(values: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Bring what is far outside the panel nearer: a dashed line as long as 1e300 would never be finished."""
    low, high = ends
    return np.clip(values, low - 9 * (high - low), high + 9 * (high - low))


def _level(drawn: _Drawn, mark: Level) -> None:
    if not np.isfinite(mark.at):
        return
    axes = drawn.second if mark.right else drawn.axes
    (axes.axvline if mark.upright else axes.axhline)(mark.at, color=COLOURS[mark.colour], linewidth=1.2, linestyle=":")
    ends = axes.get_ylim() if mark.upright else axes.get_xlim()
    points = np.stack([np.full(2, float(mark.at)), np.array(ends)], axis=1)
    drawn.name(mark.name, mark.colour, "upright" if mark.upright else "level",
               points if mark.upright else points[:, ::-1], axes)  # fmt: skip


def _spots(drawn: _Drawn, axes: Axes, x: np.ndarray, y: np.ndarray, colour: str, radius: float) -> None:
    """Dots; one that lies outside is hollow, at the edge where it left."""
    known = ~(np.isnan(x) | np.isnan(y))
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    a, b = np.clip(x[known], left, right), np.clip(y[known], low, high)
    out = (a != x[known]) | (b != y[known])
    axes.scatter(a, b, s=(2 * radius) ** 2, facecolors=["none" if each else colour for each in out], zorder=4,
                 edgecolors=[colour if each else "white" for each in out], linewidths=1, clip_on=False)  # fmt: skip
    drawn.discs += [(np.array(pair), axes, radius) for pair in zip(a, b, strict=True)]


def _dots(drawn: _Drawn, mark: Dots) -> None:
    axes, found, radius = drawn.second if mark.right else drawn.axes, arrays(mark), 0.75 * float(mark.size)
    _spots(drawn, axes, found["x"], found["y"], COLOURS[mark.colour], radius)
    points = np.stack([found["x"], found["y"]], axis=1)
    drawn.name(mark.name, mark.colour, "dots", points, axes, radius)
    for text, point in zip(mark.labels, points, strict=False):
        drawn.name(text, mark.colour, "dots", point[None], axes, radius)


def _arrows(drawn: _Drawn, mark: Arrows) -> None:
    found = arrays(mark)
    starts = np.stack([found["x"], found["y"]], axis=1)
    ends = starts + np.stack([found["dx"], found["dy"]], axis=1)
    known = np.isfinite(starts).all(axis=1) & np.isfinite(ends).all(axis=1)
    starts, ends = (
        np.stack([_near(at[:, 0], drawn.axes.get_xlim()), _near(at[:, 1], drawn.axes.get_ylim())], axis=1)
        for at in (starts, ends)
    )
    arrow = {"arrowstyle": "-|>", "color": COLOURS[mark.colour], "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0,
             "mutation_scale": 9}  # fmt: skip
    for start, end in zip(starts[known], ends[known], strict=True):
        drawn.axes.annotate("", end, start, arrowprops=arrow, annotation_clip=False).set_in_layout(False)
    drawn.name(mark.name, mark.colour, "dots", np.concatenate([starts[known], ends[known]]), drawn.axes, 3.0)


def _bars(drawn: _Drawn, mark: Bars) -> None:
    axes, values = drawn.axes, arrays(mark)["values"]
    (left, right), count = axes.get_xlim(), len(values)
    reach = np.clip(np.nan_to_num(values, nan=0.0, posinf=right, neginf=left), left, right)
    colours = [COLOURS["accent" if i == mark.chosen else mark.colour] for i in range(count)]
    axes.barh(range(count), reach, height=0.55, color=colours, alpha=0.85)
    for i, (end, value) in enumerate(zip(reach, np.asarray(mark.values).tolist(), strict=True)):
        back = end < 0
        axes.annotate(shown(value), (end, i), xytext=(-4 if back else 4, 0), textcoords="offset points", va="center",
                      ha="right" if back else "left", fontsize=SIZE,
                      fontweight="bold" if i == mark.chosen else "normal")  # fmt: skip
    axes.set(ylim=(count - 0.4, -0.6), yticks=range(count), yticklabels=[_typeset(name) for name in mark.names])
    axes.axvline(0, color="#666666", linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="#000000", alpha=0.08, linewidth=0.8)


def _handle(drawn: _Drawn, mark: Handle) -> None:
    if np.isfinite(mark.x) and np.isfinite(mark.y):
        _spots(drawn, drawn.axes, np.array([mark.x], np.float64), np.array([mark.y], np.float64),
               COLOURS[mark.colour], 4.5)  # fmt: skip


def _motion(drawn: _Drawn, mark: Motion) -> None:
    found, axes = arrays(mark), drawn.axes
    if not found["x"].size:
        return
    found = {"x": _near(found["x"], axes.get_xlim()), "y": _near(found["y"], axes.get_ylim())}
    for i in range(found["x"].shape[1]):
        role = "accent" if i == mark.chosen else mark.colour
        x, y = found["x"][:, i], found["y"][:, i]
        if found["x"].shape[1] <= 64:
            axes.plot(x, y, color=COLOURS[role], linewidth=1.3, alpha=0.5)
        _spots(drawn, axes, x[-1:], y[-1:], COLOURS[role], 3.5)
        if mark.names:
            drawn.name(mark.names[i], role, "dots", np.stack([x[-1:], y[-1:]], axis=1), axes, 3.5)


def _surface(drawn: _Drawn, mark: Surface) -> None:
    axes = drawn.axes
    axes.imshow(arrays(mark)["values"], cmap=BELIEF, vmin=0, vmax=1, origin="lower", aspect=axes.get_aspect(), zorder=0,
                extent=(*axes.get_xlim(), *axes.get_ylim()), interpolation="bilinear")  # fmt: skip


_DRAW: dict[type[Mark], Any] = {
    Curve: _curve,
    Dots: _dots,
    Arrows: _arrows,
    Level: _level,
    Bars: _bars,
    Handle: _handle,
    Motion: _motion,
    Surface: _surface,
}
