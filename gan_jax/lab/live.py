"""A page's messages come in; frames and answers go out: what every live view of the lab has, whatever it shows.

The page asks for a few steps, the kernel takes them and answers with one picture, the page paints it and asks again. So
training needs no thread, never outruns the page, and stops with it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import traitlets

from ..errors import Diverged, Menu, check_count, suggestion
from ..explorer.page import StillWidget, pages
from .code import Code
from .dials import CHOICES, DIALS
from .frames import Frame, pack
from .interrupts import heed
from .words import LANGUAGES, words

PAGE = Path(__file__).with_name("page")

FOR_GOOD = ("idle_no_auxiliary",)
"""Reasons to be idle that nothing on a page can lift: D's heads are the Gan's, and on no menu."""


class Live(StillWidget):
    """A view that trains as its page asks for each chunk of steps.

    A subclass has `session`, which it trains and whose `lock` it holds while it answers; says in `_compile`,
    `_advance`, `_see` and `show` how, and in `_settle` what belongs to a pause; and in `answers` what else its page may
    ask, each answer taking the view and the message.
    """

    _css = pages(*sorted(PAGE.glob("*.css")))
    _invitation = "Run this cell where widgets are shown to train it live."
    _called = "lab"  # what its messages call it
    _menus: Sequence[str] = tuple(CHOICES)  # those that it has

    setup = traitlets.Dict().tag(sync=True)
    scene = traitlets.Dict().tag(sync=True)

    session: Any
    answers: ClassVar[Mapping[str, Callable[[Any, dict], None]]]

    def __init__(self, setup: dict[str, Any], scene: dict[str, Any]):
        self._serial = 0
        self._driver: str | None = None  # none yet; empty where training was stopped
        super().__init__(setup=setup, scene=scene)
        self.on_msg(self._answer)
        heed(self)

    @property
    def state(self) -> Code:
        """The Python that brings back, outside the lab, all that it has trained."""
        return self.session.state

    def set(self, name: str, value: Any) -> None:
        """Move a dial or choose from a menu, as a hand on the page would; arguments as `Session.set`."""
        with self.session.lock:
            if name in CHOICES and name not in self._menus:
                raise ValueError(f"the {self._called} has no menu {name!r}; it has: {', '.join(self._menus)}")
            self.session.set(name, value)
            if name in CHOICES:
                self.look_again()
            self.show()

    def reset(self, seed: int | None = None) -> None:
        """Begin again at step 0, from the same seed or another."""
        with self.session.lock:
            self.session.reset(seed)
            self.show()

    def advance(self, k: int) -> None:
        """Take k steps from Python, and show where they led."""
        check_count(k, "k")
        with self.session.lock:
            self.session.advance(k)
            self._settle()
            self.show()

    def look_again(self) -> None:
        """Send what changes seldom, where it has changed: targets, menus."""
        self.scene = self._see()

    def _see(self) -> dict[str, Any]:
        """What changes seldom, so that it travels apart from the frames."""
        raise NotImplementedError

    def _settle(self) -> None:
        """Measure what has to belong to exactly the step at which training pauses."""

    def _compile(self) -> None:
        """Compile what the next step needs, and say so where that takes a while."""
        raise NotImplementedError

    def _advance(self, k: int | None) -> None:
        """Take k steps, or as many as fit in the time between two pictures."""
        raise NotImplementedError

    def show(self, request: Any = None) -> None:
        """Send one frame of what there is to see now."""
        raise NotImplementedError

    def _answer(self, _: Any, message: Any, buffers: Any) -> None:
        """Serve one message of the page. Whatever goes wrong is told there: an exception here would be lost."""
        request = message.get("request") if isinstance(message, dict) else None
        with self.session.lock:
            try:
                if not isinstance(message, dict) or message.get("type") not in self.answers:
                    raise ValueError(f"the page sent a message of an unknown kind: {str(message)[:80]}")
                self.answers[message["type"]](self, {**message, "buffers": buffers or []})
            except Diverged as fault:
                self._driver = ""
                self.tell("diverged", str(fault), request)
                self.show()
            except KeyboardInterrupt:
                self._driver = ""
                self.tell("stopped", "Interrupted. Press Play to go on.", request)
            except Exception as error:
                text = str(error) if isinstance(error, (ValueError, TypeError, KeyError)) else repr(error)
                self.tell("error", text or repr(error), request)
                self.show()

    def interrupt(self) -> None:
        """Pause, as the notebook's stop button asks; the page hears of it when it next asks for a step."""
        self._driver = ""

    def tell(self, kind: str, what: str | Mapping[str, Any] = "", request: Any = None, **arrays: np.ndarray) -> None:
        """Send the page a message that is no frame.

        Args:
            kind: its type; parts of the page get what the driver does not understand itself.
            what: a sentence, or plain JSON.
            request: the page's number of what is answered here.
            arrays: travel beside it as bytes, described as a frame's are.
        """
        more = {"text": what} if isinstance(what, str) else dict(what)
        content = {**more, "type": kind, "what": kind, "request": request, "driver": self._driver}
        if not arrays:
            return self.send(content)
        (run,), block = pack([Frame({}, arrays)])
        self.send({**content, **run}, [block])

    def send_frames(self, frames: Sequence[Frame], request: Any = None, active: int = 0) -> None:
        """Send one message of all runs: a header, and one block of bytes."""
        runs, block = pack(frames)
        self._serial += 1
        header = {"type": "frame", "request": request, "serial": self._serial, "driver": self._driver}
        self.send({**header, "active": active, "runs": runs}, [block])


def described(
    controls: Iterable[str] | None, known: Menu, language: str | None, idle: Mapping[str, str]
) -> dict[str, Any]:
    """What every page builds itself from: its controls, dials, menus and words.

    Args:
        controls: names to show; all that are known, and that can ever do something, when left out.
        known: the menu of them.
        language: "en", "zh", or None for the page's own.
        idle: what changes nothing at first, and why, as `Session.idle` has it. Most of it a menu beside it wakes, and
            stands there dimmed; what stays idle `FOR_GOOD` is shown only where it is asked for by name.

    Raises:
        TypeError: one name in the place of a list.
        UnknownName: a control that is not known.
        ValueError: another language.
    """
    if language not in (None, *LANGUAGES):
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, or None for the page's, got {language!r}")
    if isinstance(controls, str):
        raise TypeError(f"controls must be a list of names, got {controls!r}; write [{controls!r}]")
    if controls is None:
        controls = [name for name in known if idle.get(name) not in FOR_GOOD]
    return {
        "controls": [name for name in controls if [known[name]]],
        "dials": {name: dial._asdict() for name, dial in DIALS.items()},
        "choices": {name: choice._asdict() for name, choice in CHOICES.items()},
        "words": words(),
        "language": language,
    }


def asked_steps(message: Mapping[str, Any]) -> int | None:
    """How many steps a message asks for; None for as many as fit.

    Raises:
        ValueError: no count from 1 to 1,024.
    """
    k = message.get("steps")
    if k is not None and (isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= 1024):
        raise ValueError(f"steps must be a whole number from 1 to 1024, got {k!r}")
    return k


def asked_move(message: Mapping[str, Any]) -> tuple[str, Any]:
    """The control that a message moves, and to what.

    Raises:
        ValueError: no such control.
    """
    name, value = message.get("name"), message.get("value")
    if not isinstance(name, str) or name not in (*DIALS, *CHOICES):
        raise ValueError(f"no control is named {name!r}; {suggestion(name, [*DIALS, *CHOICES])}")
    # JSON has no infinity: where a dial may be without end, null is none
    endless = name in DIALS and DIALS[name].scale == "log or none"
    return name, np.inf if endless and value is None else value


# ---- what every page may ask ----


def _hello(live: Live, message: dict) -> None:
    live.show(message.get("request"))


def _play(live: Live, message: dict) -> None:
    """One view drives at a time; the latest press of play is the one."""
    live._driver = message.get("driver")
    live.tell("driver")


def _step(live: Live, message: dict) -> None:
    if live._driver is None:  # a busy kernel may serve the first step before the press of play that it follows
        live._driver = message.get("driver")
    if message.get("driver") != live._driver:
        elsewhere = f"Training goes on in another view of this {live._called}."
        why = elsewhere if live._driver else "Interrupted. Press Play to go on."
        return live.tell("stopped", why, message.get("request"))
    _train(live, message)
    live.show(message.get("request"))


def _once(live: Live, message: dict) -> None:
    _train(live, message)
    _rest(live, message)


def _train(live: Live, message: dict) -> None:
    k = asked_steps(message)
    live._compile()
    live._advance(k)


def _warm(live: Live, message: dict) -> None:
    live._compile()
    _rest(live, message)


def _rest(live: Live, message: dict) -> None:
    """Training pauses."""
    live._settle()
    live.show(message.get("request"))


def _set(live: Live, message: dict) -> None:
    live.set(*asked_move(message))


def _reset(live: Live, message: dict) -> None:
    live.reset(message.get("seed"))


ANSWERS: dict[str, Callable[[Any, dict], None]] = {
    "hello": _hello,
    "warm": _warm,
    "play": _play,
    "step": _step,
    "once": _once,
    "rest": _rest,
    "set": _set,
    "reset": _reset,
}
