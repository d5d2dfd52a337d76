"""A function from controls to a scene comes in; a widget that draws the scene and answers each move goes out.

The page asks for one scene at a time and the kernel answers with one; of the moves made meanwhile the page sends the
newest. So dragging never queues up, and no thread is needed.
"""

import io
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import traitlets

from .. import plots
from ..errors import UnknownName, suggestion
from .page import StillWidget, pages
from .scene import Bars, Choice, Control, Mark, Panel, Scene, Slider, Value, arrays, check_scene, shown
from .still import still

Answer = Callable[[dict[str, Any]], Scene]


class Explorer(StillWidget):
    """A live picture. Make one with `open`; show it by ending a cell with it."""

    _esm = pages(Path(__file__).with_name("explorer.js"))
    _css = pages(Path(__file__).with_name("explorer.css"))

    setup = traitlets.Dict().tag(sync=True)
    picture = traitlets.Dict().tag(sync=True)

    def __init__(self, answer: Answer, controls: Sequence[Control], title: str = ""):
        self._lock, self._respond, self._title = threading.RLock(), answer, title
        self._controls = {control.name: control for control in controls}
        self._first: dict[str, Value] = {control.name: control.place(control.value) for control in controls}
        self._values = dict(self._first)
        self._scene = self._ask(self._values)
        setup = {"title": title, "controls": [_describe(control) for control in controls]}
        super().__init__(setup=setup, picture=encode(self._scene, self._values, 1))
        self.on_msg(self._receive)

    @property
    def values(self) -> dict[str, Value]:
        """Where the controls stand, by name."""
        return dict(self._values)

    @property
    def scene(self) -> Scene:
        """What is shown now."""
        return self._scene

    def set(self, name: str, value: Any) -> None:
        """Move a control, as a hand on the page would.

        Raises:
            UnknownName: there is no such control, or a menu has no such entry.
            ValueError: a number outside the slider's range.
            TypeError: not a number.
        """
        self._move({name: value})

    def reset(self) -> None:
        """Put every control where it stood at first."""
        self._move(self._first)

    def _move(self, changes: Mapping[str, Any], request: Any = None, *, whole: bool = True) -> None:
        """Answer new values, in whole or in part, or raise and leave all as it was."""
        with self._lock:
            placed = {}
            for name, value in changes.items():
                if name not in self._controls:
                    raise UnknownName(f"no control is named {name!r}; {suggestion(name, self._controls)}")
                placed[name] = self._controls[name].place(value)
            values = {**self._values, **placed}
            scene = self._ask(values, whole)
            picture = encode(scene, values, self.picture["serial"] + 1, request)
            self._values, self._scene, self.picture = values, scene, picture

    def _ask(self, values: dict[str, Value], whole: bool = True) -> Scene:
        while True:
            scene = self._respond(dict(values))
            check_scene(scene, list(self._controls.values()))
            if not (whole and scene.again):
                return scene

    def _receive(self, _: Any, message: Any, buffers: Any) -> None:
        """Serve one message of the page. Whatever goes wrong is told there: an exception here would be lost."""
        message = message if isinstance(message, dict) else {"type": message}
        kind, request = message.get("type"), message.get("request")
        with self._lock:
            try:
                if kind == "hello":
                    self.send({"type": "here", "request": request})
                elif kind == "reset":
                    self._move(self._first, request, whole=False)
                elif kind == "set" and isinstance(message.get("values"), dict):
                    self._move(message["values"], request, whole=False)
                else:
                    raise ValueError(f"the page sent a message of an unknown kind: {str(message)[:80]}")
            except KeyboardInterrupt:
                self._tell("Interrupted. The picture stays as it was; the next move asks again.", request)
            except Exception as error:
                self._tell(f"{self._words(error)} The picture stays as it was.", request)

    def _tell(self, text: str, request: Any) -> None:
        self.send({"type": "error", "text": text, "request": request})

    def _words(self, error: Exception) -> str:
        """What went wrong, and in which line of `answer` when it was there."""
        code = getattr(getattr(self._respond, "func", self._respond), "__code__", None)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)
                 if code and (frame.filename, frame.name) == (code.co_filename, code.co_name)]  # fmt: skip
        where = f" (line {lines[-1]}, in {code.co_name})" if code and lines else ""
        plain = isinstance(error, (ValueError, TypeError, UnknownName)) and not where and str(error)
        return f"{error}." if plain else f"{type(error).__name__}: {error}{where}."

    def _still(self) -> tuple[bytes, str]:
        drawn, png = still(self._scene, list(self._controls.values()), self._values), io.BytesIO()
        with matplotlib.rc_context(plots.STYLE):
            drawn.savefig(png, format="png", dpi=110)
        return png.getvalue(), f"{self._title + ': ' if self._title else ''}{plots.alt(drawn)}"


def _describe(control: Control) -> dict[str, Any]:
    """A control as the page builds it."""
    if isinstance(control, Choice):
        return {"kind": "choice", **asdict(control), "options": [list(pair) for pair in control.options.items()]}
    return {"kind": "slider", **asdict(control)}


# ---- a scene as the page reads it ----


class _Numbers:
    """Arrays one behind the other in one block of bytes, as float32: NaN and infinity travel as they are."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.count = 0

    def add(self, values: np.ndarray) -> list[int]:
        """Append an array, and say where it begins and what its shape is."""
        with np.errstate(over="ignore"):
            self.parts.append(values.astype("<f4").tobytes())
        self.count += values.size
        return [self.count - values.size, *values.shape]


def encode(scene: Scene, values: Mapping[str, Value], serial: int, request: Any = None) -> dict[str, Any]:
    """Turn a scene into plain JSON and one block of bytes.

    Args:
        scene: a scene that `check_scene` lets pass.
        values: of the controls.
        serial: counts the scenes of a widget, so that an older one never replaces a newer one.
        request: of the page that asked for it.

    Returns:
        A dict; in "panels" an array is [start, *shape] in the float32 numbers of "data".

    >>> from .scene import Number
    >>> scene = Scene([Panel([], (0, 1))], [Number("JSD", float("nan"))])
    >>> encode(scene, {}, 1)["numbers"]
    [{'name': 'JSD', 'value': None, 'text': 'not a number', 'note': '', 'colour': 'ink', 'panel': -1}]
    """
    block = _Numbers()
    return {
        "serial": serial,
        "request": request,
        "values": dict(values),
        "panels": [_panel(panel, block) for panel in scene.panels],
        "numbers": [
            {"name": number.name, "value": _plain(number.value), "text": shown(number.value), "note": number.note,
             "colour": number.colour, "panel": number.panel} for number in scene.numbers
        ],
        "words": scene.words,
        "remark": scene.remark,
        "hidden": list(scene.hidden),
        "again": bool(scene.again),
        "data": b"".join(block.parts),
    }  # fmt: skip


def _panel(panel: Panel, block: _Numbers) -> dict[str, Any]:
    ends = {"x": panel.x, "y": panel.y, "right": panel.right}
    words = {"title": panel.title, "x_label": panel.x_label, "y_label": panel.y_label, "right_label": panel.right_label}
    return {
        **{axis: None if pair is None else [float(end) for end in pair] for axis, pair in ends.items()},
        **words,
        "square": panel.square,
        "bare": panel.bare,
        "marks": [_mark(mark, block) for mark in panel.marks],
    }


def _mark(mark: Mark, block: _Numbers) -> dict[str, Any]:
    found = arrays(mark)
    rest = {name: _plain(value) for name, value in mark._asdict().items() if name not in found}
    texts = [shown(value) for value in np.asarray(mark.values).tolist()] if isinstance(mark, Bars) else []
    return {
        "kind": type(mark).__name__,
        **{name: block.add(values) for name, values in found.items()},
        **rest,
        **({"texts": texts} if texts else {}),
    }


def _plain(value: Any) -> Any:
    """A value as JSON has it; what is not finite is null."""
    if isinstance(value, (str, bool)):
        return value
    if isinstance(value, (list, tuple)):
        return [str(each) for each in value]
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    value = float(value)
    return value if np.isfinite(value) else None


def open(answer: Answer, controls: Sequence[Control], *, title: str = "") -> Explorer:
    """Open a live picture that answers its controls.

    Args:
        answer: maps the controls' values, a dict by name, to a `Scene`. It is called for every move, so it should
            take some 20 ms at most; compile what is heavy once, outside, and give what takes longer in parts: a scene
            with `again=True` is asked for once more with the same values.
        controls: sliders and menus, in the order in which they are shown.
        title: above it all.

    Returns:
        The widget: end a cell with it. `explorer.values` and `explorer.scene` are what is shown now.

    Raises:
        ValueError: two controls have one name.
        TypeError: a control is no Slider or Choice, or `answer` returns no Scene.

    >>> from .scene import Curve, Number
    >>> x = np.linspace(-3, 3, 200)
    >>> def answer(values):
    ...     y = np.exp(-((x - values["mean"]) ** 2) / 2)
    ...     panel = Panel([Curve(x, y, "p_g", "fake", fill=True)], x=(-3, 3), y=(0, 1.1))
    ...     return Scene([panel], [Number("mean", values["mean"])])
    >>> live = open(answer, [Slider("mean", "mean of p_g", -3, 3, 1.0)])
    >>> live.set("mean", 0.5)
    >>> live.scene.number("mean")
    0.5
    """
    controls = list(controls)
    for control in controls:
        if not isinstance(control, (Slider, Choice)):
            raise TypeError(f"controls must be Sliders and Choices, got {control!r}")
    names = [control.name for control in controls]
    if len(set(names)) < len(names):
        raise ValueError(f"controls need names that differ, got {', '.join(names)}")
    return Explorer(answer, controls, title)
