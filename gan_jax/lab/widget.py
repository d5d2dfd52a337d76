"""Sessions come in; a widget goes out: the live view of one to four runs in the plane."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import traitlets

from .. import data
from ..errors import Diverged, Menu, check_count
from ..explorer.page import pages
from . import drawn, export, layers, live, measures, sharing, stages, timeline
from .dials import CHOICES, CONTROLS, DIALS
from .frames import Frame
from .layers import LAYERS
from .live import PAGE, Live, asked_move, described
from .measures import CHARTS, MEASURES
from .presets import PRESETS
from .replay import FRAMES, Replay, record
from .session import BUDGET, SHOWN, Session
from .still import still

SCRIPTS = ("driver", "paint", "chart", "base", "controls", "presets", "layers", "eigen", "graph", "timebar",
           "drawing", "replay", "view")  # fmt: skip
"""The page's files, in the order in which they stand after each other."""

MOST_RUNS = 4
"""Runs side by side; for more there is `wall`."""


class Lab(Live):
    """The live view of one to four runs in lock step. Make one with `open` or `compare`; end a cell with it.

    Attributes:
        sessions: the runs; `lab.sessions[0].game` is the `train.State` of the first.
        names: what they are called.
        replay: the recording that it carries and begins with, if it does.
        active: which of them the dials move, and whose picture is the large one.
        layers, charts: what the page shows now.
    """

    _esm = pages(*(PAGE / f"{name}.js" for name in SCRIPTS))

    recorded = traitlets.Bytes(b"").tag(sync=True)

    def __init__(
        self,
        sessions: Mapping[str, Session],
        controls: Sequence[str] | None = None,
        *,
        layers: Sequence[str] = SHOWN,
        charts: Sequence[str] = ("losses",),
        language: str | None = None,
        preset: str | None = None,
    ):
        self.sessions, self.names = list(sessions.values()), list(sessions)
        self.active = 0
        self.layers = tuple(name for name in layers if name == "real" or LAYERS[name])
        self.charts = tuple(name for name in charts if CHARTS[name])
        self.replay: Replay | None = None
        super().__init__(self._describe(controls, language) | {"preset": preset}, self._see())

    @property
    def session(self) -> Session:
        """The run that the dials move."""
        return self.sessions[self.active]

    def share(self) -> str:
        """Write the active run as a short string, from which `restore` opens it again; see `sharing.share`."""
        return sharing.share(self.session)

    def set(self, name: str, value: Any, *, everywhere: bool = False) -> None:
        """Move a dial or choose from a menu, as a hand on the page would.

        Args:
            name, value: as for `Session.set`.
            everywhere: in all runs, not in the active one alone.
        """
        moved = self.sessions if everywhere else [self.session]
        if name in DIALS:  # a dial that one run refuses moves in none
            for session in moved:
                session.turned(name, value)
        for session in moved:
            session.set(name, value)
        if name in CHOICES:
            self.look_again()
        self.show()

    def reset(self, seed: int | None = None) -> None:
        """Begin all runs again at step 0, from the same seed or another."""
        for session in self.sessions:
            session.reset(seed)
        self.show()

    def advance(self, k: int) -> None:
        """Take k steps from Python in every run, and show where they led."""
        check_count(k, "k")
        for n in [1024] * (k // 1024) + [k % 1024] * (k % 1024 > 0):
            self._advance(n)
        self.show()

    def _advance(self, k: int | None) -> None:
        """Lock step: every run takes the same number of steps; one that has diverged waits until a hand moves it."""
        running = [session for session in self.sessions if not session.fault] or self.sessions
        if k is None:
            k = min(max(int(BUDGET * (1 + len(running)) / 2 / sum(session.pace for session in running)), 1), 1024)
        for session in running:
            try:
                session.advance(k)
            except Diverged:
                if all(other.fault for other in self.sessions):
                    raise

    def record(self, steps: int, frames: int = FRAMES, **shown: Any) -> Replay:
        """Take so many steps in every run, and record them; arguments as for `replay.record`."""
        replay = record(self, steps, frames, **shown)
        self.show()
        return replay

    def carry(self, replay: Replay) -> None:
        """Take a recording along, which the page begins with, and falls back on where no kernel answers."""
        self.replay, self.recorded, self.setup = replay, replay.pack(), {**self.setup, "begins": "replay"}

    def export(self, path: str | os.PathLike, **settings: Any) -> Path:
        """Write the run so far to a file; the suffix says which kind: .html, .png, .gif or .mp4.

        Args:
            path: of the file; what is there is replaced.
            settings: of `export.to_html`, `to_png`, `to_gif` or `to_mp4`.
        """
        return export.export(self, path, **settings)

    def add(self, name: str, session: Session) -> None:
        """Put one more run beside the others, and make it the active one.

        Raises:
            ValueError: there are `MOST_RUNS` already.
        """
        self._check_room()
        while name in self.names:
            name += "′"
        self.sessions.append(session)
        self.names.append(name)
        self.active = len(self.sessions) - 1
        self.look_again()
        self.show()

    def _check_room(self) -> None:
        if len(self.sessions) >= MOST_RUNS:
            raise ValueError(f"the lab shows up to {MOST_RUNS} runs side by side; close one first, or open lab.wall")

    def branch(self, step: int | None = None, name: str | None = None) -> None:
        """Put a run beside the others that shares the active one's past up to a step, the present one when left out.

        Args:
            step: of the active run.
            name: what the new run is called; the next letter when left out.

        Raises:
            ValueError: no such step, or there are `MOST_RUNS` runs already.
        """
        self._check_room()
        free = (letter for letter in "ABCDE" if letter not in self.names)
        self.add(next(free) if name is None else name, self.session.branch(step))

    def close_run(self, i: int) -> None:
        """Take a run away; the last one stays."""
        if len(self.sessions) == 1:
            raise ValueError("this is the only run; reset it instead")
        del self.sessions[i], self.names[i]
        self.active = min(self.active, len(self.sessions) - 1)
        self.look_again()
        self.show()

    def _describe(self, controls: Sequence[str] | None, language: str | None) -> dict[str, Any]:
        """What the page builds itself from, once."""
        return {
            **described(controls, CONTROLS, language, self.session.idle),
            "presets": {
                name: {"works": preset.works, "layers": list(preset.layers), "chart": preset.chart}
                for name, preset in PRESETS.items()
            },
            "layers": list(self.layers),
            "charts": list(self.charts),
            "all_layers": list(LAYERS),
            "measures": {name: measure.label for name, measure in MEASURES.items()},
            "all_charts": {name: chart._asdict() for name, chart in CHARTS.items()},
        }

    def _see(self) -> dict[str, Any]:
        return self.scene_of(self.sessions)

    def scene_of(self, sessions: Sequence[Session]) -> dict[str, Any]:
        """The targets of some sessions as the page draws them, and their menus."""
        return {"runs": [_ground(*pair) for pair in zip(self.names, sessions, strict=True)]}

    def _compile(self) -> None:
        for session in self.sessions:
            if session.cold:
                self.tell("compiling", "Compiling the training step for these rules: once, a few seconds.")
                session.warm()

    def show(self, request: Any = None) -> None:
        """Send one frame of all runs: a header, and one block of bytes."""
        frames = [stages.picture(session, self.layers, self.charts) for session in self.sessions]
        named = [Frame({"name": name, **header}, rest) for name, (header, rest) in zip(self.names, frames, strict=True)]
        self.send_frames(named, request, self.active)

    def _still(self) -> tuple[bytes, str]:
        return still(self.session)


def _ground(name: str, session: Session) -> dict[str, Any]:
    """One run's target as the page draws it, and its menus."""
    return {
        "name": name,
        "window": session.window.tolist(),
        "real": session.real.astype("<f4").tobytes(),
        "modes": len(session.target.means) if isinstance(session.target, data.Mixture) else 0,
        "menus": session.menus,
    }


# ---- what the page may ask: each answer takes the lab and the message ----


def _look(lab: Lab, message: dict) -> None:
    """Show other layers and charts from now on."""
    layers, charts = _names(message, "layers", LAYERS), _names(message, "charts", CHARTS)
    lab.layers, lab.charts = tuple(layers), tuple(charts)
    lab.show(message.get("request"))


def _names(message: dict, field: str, known: Any) -> list[str]:
    names = message.get(field)
    if not isinstance(names, list) or len(names) > 20:
        raise ValueError(f"{field} must be a list of names, got {str(names)[:80]}")
    return [name for name in names if Menu(field, dict.fromkeys(known))[name] is None]


def _set(lab: Lab, message: dict) -> None:
    lab.set(*asked_move(message), everywhere=message.get("everywhere") is True)


def _preset(lab: Lab, message: dict) -> None:
    lab.session.take(PRESETS[message.get("name")])  # type: ignore[index]
    lab.look_again()
    lab.show(message.get("request"))


def _activate(lab: Lab, message: dict) -> None:
    lab.active = _run(lab, message)
    lab.look_again()
    lab.show(message.get("request"))


def _close(lab: Lab, message: dict) -> None:
    lab.close_run(_run(lab, message))


def _run(lab: Lab, message: dict) -> int:
    i = message.get("run")
    if isinstance(i, bool) or not isinstance(i, int) or not 0 <= i < len(lab.sessions):
        raise ValueError(f"run must be a whole number from 0 to {len(lab.sessions) - 1}, got {i!r}")
    return i


Lab.answers = {
    **live.ANSWERS,
    "look": _look,
    "set": _set,
    "preset": _preset,
    "activate": _activate,
    "close": _close,
    **drawn.ANSWERS,
    **export.ANSWERS,
    **layers.ANSWERS,
    **measures.ANSWERS,
    **stages.ANSWERS,
    **timeline.ANSWERS,
    **sharing.ANSWERS,
}
