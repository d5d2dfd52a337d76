"""What an explorer shows: controls that a reader moves, and the panels, numbers and words that answer them.

All of it is plain data, so that one description is drawn by the page, by Matplotlib where there is no page, and read
by a test. In every text an index of one letter, as in p_g or L_D, is set low; so is one in braces, as in D_{JS}.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float

from ..errors import UnknownName, suggestion

Line = Float[np.ndarray, " n"]
Real = float | int
Value = float | str
Colour = Literal["real", "fake", "discriminator", "ink", "quiet", "accent"]
"""By role, not by number: the page and Matplotlib give each the colour that the whole suite gives it."""


# ---- controls ----


@dataclass(frozen=True)
class Slider:
    """A number that the reader moves.

    Args:
        name: under which `answer` finds the value.
        label: in words, beside the slider.
        low, high: ends of the range, both reached.
        value: where it stands at first.
        notches: how many places it has, evenly spaced (in the logarithm when `log`); a whole number has one for each
            value, where those are fewer.
        log: spaced evenly in the logarithm; then `low` is above 0.
        whole: a whole number.
        play: with a button that moves it forward notch by notch, each as soon as the one before is shown: for a step
            count, a time, or anything else that passes.

    Raises:
        ValueError: an empty range, a value outside it, or a logarithmic range that reaches 0.

    >>> Slider("mean", "mean of p_g", -4, 4, 1.0).place("3")
    Traceback (most recent call last):
    ...
    TypeError: mean must be a number, got '3'
    """

    name: str
    label: str
    low: Real
    high: Real
    value: Real
    notches: int = 201
    log: bool = False
    whole: bool = False
    play: bool = False

    def __post_init__(self):
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"{self.name} must run from low to a larger high{', above 0' if self.log else ''}; "
                             f"got {self.low} to {self.high}")  # fmt: skip
        self.place(self.value)

    def place(self, value: Any) -> float:
        """Check a value, and return it as a float."""
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise TypeError(f"{self.name} must be a number, got {value!r}")
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.name} must be from {self.low:g} to {self.high:g}, got {value}")
        return float(round(float(value))) if self.whole else float(value)


@dataclass(frozen=True)
class Choice:
    """One of several names.

    Args:
        name: under which `answer` finds the value.
        label: in words, beside the menu.
        options: names to choose from, with the words shown for each.
        value: the one chosen at first; the first option when left out.
    """

    name: str
    label: str
    options: Mapping[str, str]
    value: str = ""

    def __post_init__(self):
        if not self.options:
            raise ValueError(f"{self.name} needs at least one option: {{'name': 'words'}}")
        object.__setattr__(self, "value", self.place(self.value or next(iter(self.options))))

    def place(self, value: Any) -> str:
        """Check a name, and return it."""
        if not isinstance(value, str) or value not in self.options:
            raise UnknownName(f"no {self.name} is named {value!r}; {suggestion(value, self.options)}")
        return value


Control = Slider | Choice


# ---- marks: what is drawn in a panel ----


class Curve(NamedTuple):
    """A line through points, named at its end or under its heap.

    Attributes:
        x, y: shape (n,). NaN leaves a gap.
        name: a word or two, written beside it in its colour; "" for none.
        colour: by role.
        fill: shade down to 0.
        dashed: a reference, or what is estimated.
        right: drawn against the panel's right-hand axis.
    """

    x: Line
    y: Line
    name: str = ""
    colour: Colour = "ink"
    fill: bool = False
    dashed: bool = False
    right: bool = False


class Dots(NamedTuple):
    """Points. Attributes as for `Curve`; `size` is the radius in pixels, `labels` are words beside the points."""

    x: Line
    y: Line
    name: str = ""
    colour: Colour = "ink"
    size: Real = 4.0
    right: bool = False
    labels: Sequence[str] = ()


class Arrows(NamedTuple):
    """Arrows that start at (x, y), shape (n,), and reach `dx`, `dy` further, in units of the axes."""

    x: Line
    y: Line
    dx: Line
    dy: Line
    name: str = ""
    colour: Colour = "ink"


class Level(NamedTuple):
    """A straight reference line across the panel, at a height, or at a place on the x axis when `upright`."""

    at: Real
    name: str = ""
    colour: Colour = "quiet"
    upright: bool = False
    right: bool = False


class Bars(NamedTuple):
    """A row of horizontal bars from 0, with their names at the left and their values at their ends.

    Attributes:
        names: one a bar, from the top.
        values: shape (n,).
        colour: by role; `chosen` is drawn in the accent colour.
        chosen: index of the one in question; -1 for none.
    """

    names: Sequence[str]
    values: Line
    colour: Colour = "quiet"
    chosen: int = -1


class Handle(NamedTuple):
    """A grip that moves a slider when it is dragged on the picture; the slider remains, for keyboard and reader.

    Attributes:
        x, y: where the grip is.
        control: name of the slider that follows.
        offset: the slider's value is `(x of the hand - offset) * scale`.
        scale: see `offset`.
        colour: by role.
        vertical: name of a second slider, which follows the height of the hand as it is; "" where only sideways counts.
    """

    x: Real
    y: Real
    control: str
    offset: Real = 0.0
    scale: Real = 1.0
    colour: Colour = "fake"
    vertical: str = ""


class Motion(NamedTuple):
    """Points that move: the page plays the frames from the first when the reader presses Play.

    Without a page the whole paths are drawn, with the last places as dots.

    Attributes:
        x, y: places, shape (frames, n).
        names: one a point; may be empty.
        colour: by role; `chosen` is drawn in the accent colour.
        chosen: index of the one in question; -1 for none.
    """

    x: Float[np.ndarray, "frames n"]
    y: Float[np.ndarray, "frames n"]
    names: Sequence[str] = ()
    colour: Colour = "fake"
    chosen: int = -1


class Surface(NamedTuple):
    """Colours behind all else, from fake over undecided to real: what D says of each place in the panel.

    Attributes:
        values: from 0, fake, to 1, real, in equal cells over the whole panel, shape (rows, columns); the first row at
            the bottom, the first column at the left. NaN stays blank.
        name: what it shows, for who can't see it.
    """

    values: Float[np.ndarray, "rows columns"]
    name: str = ""


Mark = Curve | Dots | Arrows | Level | Bars | Handle | Motion | Surface


@dataclass(frozen=True)
class Panel:
    """One picture.

    Args:
        marks: drawn in their order.
        x: (left, right) ends of the horizontal axis.
        y: (bottom, top) ends of the vertical axis; not needed for `Bars`.
        title: above it.
        x_label, y_label: under the axis and above its upper end.
        right: (bottom, top) of a second vertical axis, for marks with `right=True`.
        right_label: above the second axis.
        square: a unit is equally long on both axes, so that circles are round; not with a second axis or `Bars`.
        bare: a picture without axes, whose places have no numbers.
    """

    marks: Sequence[Mark]
    x: tuple[Real, Real]
    y: tuple[Real, Real] = (0.0, 1.0)
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    right: tuple[Real, Real] | None = None
    right_label: str = ""
    square: bool = False
    bare: bool = False


class Number(NamedTuple):
    """A number in words: `JSD = 0.1114`, and what to compare it with.

    Attributes:
        name: short; unique among the numbers under one panel, and among those under all.
        value: as a float; infinite and NaN are shown as such.
        note: "at most log 2 = 0.6931"; "" for none.
        colour: by role.
        panel: index of the panel under which it stands; -1 in the row under all.
    """

    name: str
    value: Real
    note: str = ""
    colour: Colour = "ink"
    panel: int = -1


@dataclass(frozen=True)
class Scene:
    """All that an explorer shows for one setting of its controls.

    Args:
        panels: from left to right, or one under the other on a narrow page.
        numbers: in a row under the panels.
        words: the whole scene in one or two sentences, for who can't see it and where no picture can be shown.
        remark: a sentence on what to notice here, shown to everybody; "" for none.
        hidden: names of controls that have no effect in this scene and are left out of it.
        again: it is on its way: `answer` has done a part of the work, and is to be asked once more with the same
            values. The page shows each part as it comes, and a hand may move on meanwhile.
    """

    panels: Sequence[Panel]
    numbers: Sequence[Number] = ()
    words: str = ""
    remark: str = ""
    hidden: Sequence[str] = ()
    again: bool = False

    def number(self, name: str, panel: int = -1) -> float:
        """Read one of the numbers by its name, of those under all panels or under one.

        Raises:
            UnknownName: there is none of that name.
        """
        values = {number.name: number.value for number in self.numbers if number.panel == panel}
        if name not in values:
            raise UnknownName(f"no number is named {name!r}; {suggestion(name, values)}")
        return float(values[name])


# ---- what the page and Matplotlib both need to know ----

_ARRAYS: dict[type, tuple[str, ...]] = {
    Curve: ("x", "y"),
    Dots: ("x", "y"),
    Arrows: ("x", "y", "dx", "dy"),
    Bars: ("values",),
    Motion: ("x", "y"),
    Surface: ("values",),
}

_TABLES = {Motion: ("(frames, n)", 2), Surface: ("(rows, columns)", 2)}
"""Marks whose arrays are no lines: their shape."""


def arrays(mark: Mark) -> dict[str, np.ndarray]:
    """Read a mark's arrays in float64, by field; one that is empty has none.

    Raises:
        ValueError: they differ in shape, or have not the number of dimensions that the mark needs.

    >>> arrays(Curve([0, 1], [2, 3, 4], "p"))
    Traceback (most recent call last):
    ...
    ValueError: Curve 'p': x and y must have one shape (n,), got x (2,), y (3,)
    """
    fields = _ARRAYS.get(type(mark), ())
    found = {field: np.asarray(getattr(mark, field), np.float64) for field in fields}
    shape, dimensions = _TABLES.get(type(mark), ("(n,)", 1))
    shapes = {values.shape for values in found.values()}
    if len(shapes) > 1 or any(len(each) != dimensions for each in shapes):
        got = ", ".join(f"{field} {values.shape}" for field, values in found.items())
        raise ValueError(f"{_called(mark)}: {' and '.join(fields)} must have one shape {shape}, got {got}")
    return found


def shown(value: Any) -> str:
    """Write a number as the page and the still picture show it: four figures, a true minus sign.

    >>> [shown(value) for value in (0.111423, -2.5, 8, 1234567.0, float("inf"), float("nan"))]
    ['0.1114', '−2.500', '8', '1.235e+6', '∞', 'not a number']
    """
    if isinstance(value, (int, np.integer)):
        return f"{int(value):,}".replace("-", "−")
    value = float(value)
    if not np.isfinite(value):
        return "not a number" if np.isnan(value) else "∞" if value > 0 else "−∞"
    large = abs(value) >= 999.95
    form = ".4g" if value and not 1e-4 <= abs(value) < 1e5 else ",.0f" if large else "#.4g"
    text = format(value, form)
    return text.replace("e+0", "e+").replace("e-0", "e-").replace("-", "−")


def check_scene(scene: Any, controls: Sequence[Control]) -> None:
    """Raise unless all of a scene can be drawn, beside these controls."""
    if not isinstance(scene, Scene):
        raise TypeError(f"answer must return a Scene, got {type(scene).__name__}")
    names = {control.name: control for control in controls}
    for name in scene.hidden:
        if name not in names:
            raise UnknownName(f"no control to hide is named {name!r}; {suggestion(name, names)}")
    called = [(number.panel, number.name) for number in scene.numbers]
    if len(set(called)) < len(called):
        raise ValueError(f"numbers need names that differ, got {', '.join(name for _, name in called)}")
    for number in scene.numbers:
        _check_colour(number)
        if not -1 <= number.panel < len(scene.panels):
            raise ValueError(
                f"number {number.name!r}: there is no panel {number.panel}, only {len(scene.panels)} of them"
            )
    for panel in scene.panels:
        _check_panel(panel, names)


def _check_panel(panel: Panel, controls: Mapping[str, Control]) -> None:
    for axis, ends in (("x", panel.x), ("y", panel.y), ("right", panel.right)):
        if ends is not None and not (np.isfinite(np.asarray(ends, np.float64)).all() and ends[0] < ends[1]):
            raise ValueError(f"panel {panel.title!r}: {axis} must run from a number to a larger one, got {tuple(ends)}")
    if panel.square and (panel.right is not None or any(isinstance(mark, Bars) for mark in panel.marks)):
        raise ValueError(f"panel {panel.title!r}: a square panel has no right axis and no Bars; leave out square=True")
    for mark in panel.marks:
        found = arrays(mark)
        _check_colour(mark)
        words = getattr(mark, "names", getattr(mark, "labels", ()))
        points = next(iter(found.values())).shape[-1] if found else 0
        if len(words) != points and (len(words) or isinstance(mark, Bars)):
            raise ValueError(f"{_called(mark)}: needs {points} names, one each, got {len(words)}")
        if getattr(mark, "right", False) and panel.right is None:
            raise ValueError(f"{_called(mark)}: is drawn against the right axis, and panel {panel.title!r} has none")
        if isinstance(mark, Handle):
            for name in filter(None, (mark.control, mark.vertical)):
                _check_slider(name, controls)


def _check_slider(name: str, controls: Mapping[str, Control]) -> None:
    sliders = [each for each, control in controls.items() if isinstance(control, Slider)]
    if name not in sliders:
        raise UnknownName(f"no slider is named {name!r}; {suggestion(name, sliders)}")


def _check_colour(mark: Mark | Number) -> None:
    colour = getattr(mark, "colour", "ink")
    if colour not in get_args(Colour):
        raise UnknownName(f"no colour is named {colour!r}; {suggestion(colour, get_args(Colour))}")


def _called(mark: Mark) -> str:
    name = getattr(mark, "name", "")
    return f"{type(mark).__name__}{f' {name!r}' if name else ''}"
