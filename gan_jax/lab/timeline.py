"""A run comes in, chunk by chunk, with what it was trained by; any moment of it comes back exactly, and other ways on.

A run is a pure function of its first state and of what each step was taken by. So a few key states, and the way
between them, hold all of it: the state of a step is the nearest key state before it and the same steps once more.

What `Session` has to call, and nothing else:

- `timeline.reset(seed, state)` when it begins again at a first state;
- `timeline.note(rules, state, n)` after each chunk of n steps, `state` being the one they led to;
- `timeline.retreat(step)` when a divergence threw it back to an earlier step of the run;
- `with timeline.action(session, name):` around whatever a hand does that undo should take back: a dial, a menu, a
  reset, a drawing. Moves of one dial within a second are one action; what raises, or changes nothing, is none.

Of a session it reads `game`, `rules`, `samples` and `pictures`, and by `stand` it puts it where `travel`, `undo` and
`redo` lead.
"""

import contextlib
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

import jax
import numpy as np

from .. import checkpoints, train
from ..errors import check_count, check_memory
from ..train import Gan, Hyperparams, State
from .dials import PLAYERS

MEMORY = 16e6
"""Bytes that the key states of a session take at most."""

EVERY = 25
"""Steps between two key states, as long as there is room."""

KEPT = 4
"""Ways on that are kept when another is taken."""

ACTIONS = 32
"""Actions that can be undone."""

GESTURE = 1.0
"""Seconds within which moves of one control are one action."""

PIECE = 256
"""Steps taken at once on the way to a moment."""

PAUSE = 0.2
"""Seconds after which a way that the page has asked for is shown as far as it went."""

ALBUMS = 12
"""Finished charts of a run that are kept, to be shown when a hand comes back to them."""

KEYS_TOLD, MARKS_TOLD = 64, 24
"""Key states and marks named in a frame's header at most."""


class Rules(NamedTuple):
    """What a step is taken by.

    Attributes:
        gan, hyper: as in `train.step`.
        target_name, target: the distribution, and what the lab calls it.
        players: name in `PLAYERS`: who learns.
    """

    gan: Gan
    target_name: str
    target: Any
    hyper: Hyperparams
    players: str = "both"

    @property
    def in_force(self) -> Hyperparams:
        """The dials as the step takes them: a player who is held still learns at a rate of 0."""
        return replace(self.hyper, **PLAYERS[self.players])

    def same(self, other: "Rules") -> bool:
        """Whether a step by the other rules is the same step."""
        one = (self.gan, self.target_name, self.hyper, self.players)
        return one == (other.gan, other.target_name, other.hyper, other.players) and same_target(
            self.target, other.target
        )


def same_target(one: Any, other: Any) -> bool:
    """Whether two targets are the same numbers in the same form."""
    if one is other:
        return True
    (ones, structure), (others, other_structure) = jax.tree.flatten(one), jax.tree.flatten(other)
    return (structure,) == (other_structure,) and all(map(np.array_equal, ones, others))


def play(rules: Rules, state: State, n: int) -> State:
    """Take n steps by some rules."""
    return train.advance(rules.gan, rules.in_force, rules.target, state, n)[0]


class Line:
    """One run from its first step to its last: where it began, its way, and key states. It only ever grows.

    Args:
        seed: from which the first state follows; None for a state that somebody put there.
        origin: the first state.

    Attributes:
        first, end: its first and last step.
        keys: host copies of states, by step.
        size: bytes of one state.
        marks: where dials, menus or target changed: [{"step": ..., "text": "lr_g 0.002"}].
        tip: the rules at its end when it was left, where no step was taken by them yet.
        albums: charts that were left, with the steps that they show; a chart begins anew with another loss or target.
    """

    def __init__(self, seed: int | None, origin: State):
        self.seed, self.origin = seed, origin
        self.first = self.end = int(origin.step)
        self.keys: dict[int, dict[str, np.ndarray]] = {}
        self.tip: Rules | None = None
        self.albums: list[tuple[range, Any]] = []
        self.size = sum(leaf.size * 4 for leaf in jax.tree.leaves(origin))
        self.marks: list[dict[str, Any]] = []
        self._starts: list[int] = []
        self._rules: list[Rules] = []

    @property
    def way(self) -> list[tuple[int, int, Rules]]:
        """Where each stretch of the run begins and ends, and its rules."""
        return list(zip(self._starts, [*self._starts[1:], self.end], self._rules, strict=True))

    def rules_at(self, step: int) -> Rules | None:
        """The rules by which the run went on from a step; at its end those it was left with. None before any step."""
        if step == self.end and self.tip is not None:
            return self.tip
        return self._rules[max(bisect_right(self._starts, step) - 1, 0)] if self._rules else None

    def stretches(self, start: int, end: int) -> Iterator[tuple[Rules, int]]:
        """The rules between two steps, and for how many steps each."""
        place = max(bisect_right(self._starts, start) - 1, 0)
        while start < end:
            stop = min([end, *self._starts[place + 1 : place + 2]])
            yield self._rules[place], stop - start
            start, place = stop, place + 1

    def goes_on(self, step: int, rules: Rules, n: int) -> bool:
        """Whether n more steps by these rules are what the run did, as far as it is known."""
        return all(rules.same(known) for known, _ in self.stretches(step, min(step + n, self.end)))

    def extend(self, rules: Rules, n: int) -> None:
        """Append n steps."""
        if not (self._rules and self._rules[-1].same(rules)):
            if self._rules:
                self.marks.append({"step": self.end, "text": _told(changes(self._rules[-1], rules))})
            self._starts.append(self.end)
            self._rules.append(rules)
        self.end, self.tip = self.end + n, None

    def until(self, step: int) -> "Line":
        """The same run up to a step; the key states are shared."""
        line = Line(self.seed, self.origin)
        count = bisect_right(self._starts, step - 1)
        line._starts, line._rules, line.end = self._starts[:count], self._rules[:count], step
        line.keys = {at: key for at, key in self.keys.items() if at <= step}
        line.marks = [mark for mark in self.marks if mark["step"] < step]
        line.albums = [album for album in self.albums if album[0].start <= step]
        return line

    def keep(self, state: State, every: int) -> bool:
        """Keep a copy of a state, if there is none of its `every` steps yet; say whether it was kept."""
        step = int(state.step)
        if step == self.first or any(at // every == step // every for at in self.keys):
            return False
        self.keys[step] = checkpoints.named_arrays(state)
        return True

    def thin(self, every: int) -> None:
        """Leave the first key state of each `every` steps, of a run that is as long, and the run's last state."""
        first: dict[int, int] = {}
        for at in sorted(self.keys) if every <= self.end else ():
            first.setdefault(at // every, at)
        self.keys = {at: key for at, key in self.keys.items() if at == self.end or at in first.values()}

    def put_by(self, pictures: Any, step: int) -> None:
        """Keep charts that end at a step."""
        shown = range(pictures[0].first, step + 1)
        others = [album for album in self.albums if album[0].start != shown.start or album[0].stop > shown.stop]
        self.albums = [*others, (shown, pictures)][-ALBUMS:]

    def pictures(self, step: int) -> Any:
        """Charts that show a step; None where there are none."""
        return next((pictures for shown, pictures in reversed(self.albums) if step in shown), None)

    def before(self, step: int) -> int:
        """The last step not after this one whose state is at hand."""
        return max((at for at in self.keys if at <= step), default=self.first)

    def nearest(self, step: int) -> int:
        """The step nearest to this one whose state is at hand; of two equally near the earlier."""
        return min([self.first, *sorted(self.keys)], key=lambda at: abs(at - step))

    def state(self, step: int) -> State:
        """The state of a step that is at hand."""
        if step == self.first:
            return self.origin
        state = checkpoints.restore(self.keys[step], self.origin, "this key state")
        return replace(state, gan=self._rules[bisect_right(self._starts, step - 1) - 1].gan)


class Moment(NamedTuple):
    """Where a session stood.

    Attributes:
        line, state: in which run, and its state.
        rules: as they stood.
        samples: whose samples were shown.
        pictures: the charts as they were drawn.
        name: the action that came next: "lr_g", "reset", "travel".
    """

    line: Line
    state: State
    rules: Rules
    samples: str
    pictures: Any
    name: str


class Timeline:
    """The past of a session, its futures, and what its hand has done.

    Args:
        memory: bytes that key states may take. When the next one does not fit, every second one is dropped.
        play: takes steps by rules.
        clock: seconds, for telling a drag from two moves.

    Attributes:
        line: the run that the session is on.
        at: the step at which it stands there. Past it lies the future, until something else is done.
        kept: other ways that were taken, by name; the oldest go when there are more than `KEPT`.
        every: steps between two key states.
        goal: the step that a way in pieces leads to; None where there is none.
    """

    line: Line
    at: int

    def __init__(
        self,
        memory: float | int = MEMORY,
        play: Callable[[Rules, State, int], State] = play,
        clock: Callable[[], float] = time.monotonic,
    ):
        check_memory(memory)
        self.memory, self.every = float(memory), EVERY
        self.goal: int | None = None
        self.kept: dict[str, Line] = {}
        self._play, self._clock, self._depth, self._named, self._touched = play, clock, 0, 0, -np.inf
        self._done: list[Moment] = []
        self._undone: list[Moment] = []

    # ---- what a session tells ----

    def reset(self, seed: int, state: State) -> None:
        """Begin a new run at its first state; the one before stays within reach of undo."""
        self.line, self.goal = Line(seed, state), None
        self.at = self.line.first

    def note(self, rules: Rules, state: State, n: int) -> None:
        """Take down n steps.

        As long as they are the steps that the run took before, it stays the same run, with its future. The first that
        differs begins another way, and the one before is kept under a name.

        Args:
            rules: by which they were taken.
            state: to which they led.
            n: how many.
        """
        if not n:
            return
        if int(state.step) - n != self.at:  # a state that somebody put there
            self.line = Line(None, state)
            self.at = self.line.first
            return
        if not self.line.goes_on(self.at, rules, n):
            self._keep_way(self.line)
            self.line = self.line.until(self.at)
        self.at += n
        if self.at > self.line.end:
            self.line.extend(rules, self.at - self.line.end)
        self.goal = None
        self._keep(self.line, state)

    def retreat(self, step: int) -> None:
        """Go back to an earlier step of the run, and forget what came after."""
        self.line, self.at = self.line.until(step), step

    # ---- memory ----

    def _keep(self, line: Line, state: State) -> None:
        """Keep a key state, where there is room for one beside a run's first state and that of the last action."""
        if 3 * line.size <= self.memory and line.keep(state, self.every):
            self._fit()

    @property
    def nbytes(self) -> int:
        """Bytes of all states that are held, each counted once."""
        return sum(self._held(self._lines, self._moments).values())

    @property
    def _moments(self) -> list[Moment]:
        return [*self._done, *self._undone]

    @property
    def _lines(self) -> list[Line]:
        lines = [self.line, *self.kept.values(), *(moment.line for moment in self._moments)]
        return list({id(line): line for line in lines}.values())

    @staticmethod
    def _held(lines: list[Line], moments: list[Moment]) -> dict[int, int]:
        keys = {id(key): line.size for line in lines for key in line.keys.values()}
        origins = {id(line.origin): line.size for line in lines}
        return keys | origins | {id(moment.state): moment.line.size for moment in moments}

    def _fit(self) -> None:
        """Drop states until the rest fits: where only undo leads, then every second one, then ways that were left."""
        while len(self._moments) > 1 and sum(self._held([], self._moments).values()) > self.memory / 4:
            (self._done or self._undone).pop(0)
        if self.nbytes <= self.memory:
            return
        shown = [self.line, *self.kept.values()]
        for line in self._lines:
            if not any(line is other for other in shown):
                line.keys = {}
        while self.nbytes > self.memory and any(line.keys.keys() - {line.end} for line in self._lines):
            self.every *= 2
            for line in self._lines:
                line.thin(self.every)
        while self.nbytes > self.memory and self.kept:
            del self.kept[next(iter(self.kept))]
        if self.nbytes > self.memory:
            self.line.keys = {}

    # ---- any moment ----

    def at_step(self, step: int) -> State:
        """The exact state of a step of this run."""
        return self.towards(step, None)

    def towards(self, step: int, seconds: float | None, state: State | None = None) -> State:
        """Go to a step from the nearest state before it, or as far as some seconds allow.

        Args:
            step: from the run's first to its last.
            seconds: None for as long as it takes.
            state: a state of this run that is at hand besides.

        Returns:
            The state of the step, or one on the way to it.

        Raises:
            ValueError: no such step.
        """
        line = self.line
        check_count(step, "step", least=0)
        if not line.first <= step <= line.end:
            raise ValueError(f"this run goes from step {line.first:,} to {line.end:,}, there is no step {step:,}")
        start = line.before(step)
        if state is None or not start <= int(state.step) <= step:
            state = line.state(start)
        began, piece = time.perf_counter(), PIECE if seconds is None else 1  # a step may take as long as a second
        for rules, n in line.stretches(int(state.step), step):
            while n:
                started = time.perf_counter()
                if seconds is not None and started - began > seconds:
                    return state
                state = self._play(rules, state, min(piece, n))
                n -= min(piece, n)
                if seconds is not None and 4 * (time.perf_counter() - started) < seconds:
                    piece = min(2 * piece, PIECE)
                self._keep(line, state)
        return state

    # ---- what a hand does ----

    def now(self, session: Any, name: str = "") -> Moment:
        """Where a session stands."""
        return Moment(self.line, session.game, session.rules, session.samples, session.pictures, name)

    @contextlib.contextmanager
    def action(self, session: Any, name: str) -> Iterator[None]:
        """Make what happens inside one action that `undo` takes back.

        An action inside another belongs to it. What raises, or changes nothing, is none; moves of one name within
        `GESTURE` seconds of each other are one.

        Args:
            session: whose action it is.
            name: a control, "reset", "preset", "travel", "way", "drawing": shown beside undo.
        """
        before = self.now(session, name)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._depth or not _differ(before, self.now(session)):
            return
        if session.pictures[0].first != before.pictures[0].first:
            before.line.put_by(before.pictures, int(before.state.step))
        last, self._touched = self._touched, self._clock()
        drags = name != "reset" and not self._undone and bool(self._done) and self._done[-1].name == name
        if not (drags and self._touched - last < GESTURE):
            self._done = [*self._done, before][-ACTIONS:]
            self._undone = []
        self._fit()

    def forget(self) -> None:
        """Forget what the hand has done: there is nothing to undo."""
        self._done, self._undone = [], []

    def undo(self, session: Any) -> str:
        """Take the last action back: state, dials and step as they were before it; say which it was.

        Raises:
            ValueError: there is none.
        """
        return self._swap(session, self._done, self._undone, "undo")

    def redo(self, session: Any) -> str:
        """Do again what `undo` took back."""
        return self._swap(session, self._undone, self._done, "redo")

    def _swap(self, session: Any, source: list[Moment], other: list[Moment], what: str) -> str:
        if not source:
            raise ValueError(f"there is nothing to {what}")
        moment = source.pop()
        other.append(self.now(session, moment.name))
        self._touched = -np.inf
        self._go(session, moment)
        return moment.name

    def _go(self, session: Any, moment: Moment) -> None:
        self._leave(session)
        self.line, self.at, self.goal = moment.line, int(moment.state.step), None
        session.stand(moment.state, moment.rules, moment.samples, moment.line.seed, moment.pictures)

    def _leave(self, session: Any) -> None:
        """At the end of a run, remember the dials that no step was taken by, and the state, to come back at once."""
        if self.at == self.line.end and int(session.game.step) == self.at:
            self.line.tip = session.rules
            self.line.put_by(session.pictures, self.at)
            if self.at != self.line.first and 3 * self.line.size <= self.memory:
                self.line.keys[self.at] = checkpoints.named_arrays(session.game)
                self._fit()

    # ---- elsewhere in the run, and in others ----

    def travel(self, session: Any, step: int, *, exact: bool = True, seconds: float | None = None) -> int:
        """Put a session at another step of its run, dials and all.

        Args:
            session: whose run it is.
            step: from its first to its last.
            exact: else to the nearest step whose state is at hand, without a wait.
            seconds: how long it may take; `goal` says then where it was to go, for the next call.

        Returns:
            The step where it stands now.
        """
        on_the_way = self.goal is not None and self.goal == step
        with contextlib.nullcontext() if on_the_way else self.action(session, "travel"):
            check_count(step, "step", least=0)
            self.goal = None
            here = session.game if int(session.game.step) == self.at else None
            goal = int(step) if exact else self.line.nearest(step)
            state = self.towards(goal, seconds, here)
            self._leave(session)
            self.at = int(state.step)
            self.goal = None if self.at == goal else goal
            rules = self.line.rules_at(self.at) or session.rules
            session.stand(state, rules, session.samples, self.line.seed, self.line.pictures(self.at))
        return self.at

    def fork(self, step: int) -> "Timeline":
        """A timeline that shares this one's past up to a step, and has a future of its own."""
        timeline = Timeline(self.memory, self._play, self._clock)
        timeline.every = self.every
        timeline.line, timeline.at = self.line.until(step), step
        return timeline

    def take(self, session: Any, name: str) -> None:
        """Change over to the end of a way that was kept; the present one is kept in its place."""
        if name not in self.kept:
            raise ValueError(f"no run is kept under the name {name!r}; there are: {', '.join(self.kept) or 'none'}")
        with self.action(session, "way"):
            self._leave(session)
            present, line = self.line, self.kept.pop(name)
            if present.end > self.at or not _is_beginning(present, line):
                self._keep_way(present)
            self.line, self.at = line, line.first
            state = self.at_step(line.end)
            self.at, self.goal = line.end, None
            rules = line.rules_at(line.end) or session.rules
            session.stand(state, rules, session.samples, line.seed, line.pictures(line.end))

    def _keep_way(self, line: Line) -> None:
        self._named += 1
        self.kept = dict([*self.kept.items(), (f"run {self._named}", line)][-KEPT:])

    # ---- what the page is told ----

    def describe(self) -> dict[str, Any]:
        """The timeline as the page shows it, in plain JSON of bounded size."""
        keys = [self.line.first, *sorted(self.line.keys)]
        return {
            "first": self.line.first,
            "last": self.line.end,
            "at": self.at,
            "goal": self.goal,
            "keys": _spread(keys, KEYS_TOLD),
            "marks": _spread(self.line.marks, MARKS_TOLD),
            "undo": self._done[-1].name if self._done else None,
            "redo": self._undone[-1].name if self._undone else None,
            "kept": [{"name": name, "last": line.end} for name, line in self.kept.items()],
        }


def _differ(before: Moment, now: Moment) -> bool:
    """Whether an action has changed anything."""
    elsewhere = now.line is not before.line and (before.line.end > before.line.first or now.line.end > now.line.first)
    return (
        elsewhere
        or int(before.state.step) != int(now.state.step)
        or before.line.seed != now.line.seed
        or before.samples != now.samples
        or not before.rules.same(now.rules)
    )


def _is_beginning(one: Line, other: Line) -> bool:
    """Whether one run is a piece of the other from its first step on."""
    return (
        one.origin is other.origin
        and one.end <= other.end
        and all(other.goes_on(start, rules, end - start) for start, end, rules in one.way)
    )


def _spread(items: list, count: int) -> list:
    """At most `count` items, the first and the last among them."""
    if len(items) <= count:
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def changes(before: Rules, after: Rules) -> dict[str, Any]:
    """What differs between two sets of rules, by name, as `Gan` and `Hyperparams` call it.

    >>> from gan_jax import data, nets
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1))
    >>> rules = Rules(gan, "ring", data.ring(8), Hyperparams())
    >>> changes(rules, rules._replace(hyper=Hyperparams(lr_g=0.5)))
    {'lr_g': 0.5}
    """
    differing: dict[str, Any] = {}
    for old, new in ((before.gan, after.gan), (before.hyper, after.hyper)):
        names = [f.name for f in fields(old)]
        differing |= {name: getattr(new, name) for name in names if getattr(new, name) != getattr(old, name)}
    if before.target_name != after.target_name or not same_target(before.target, after.target):
        differing["target"] = after.target_name
    return differing | ({"players": after.players} if before.players != after.players else {})


def _told(differing: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_said(value)}" for name, value in differing.items())[:80]


def _said(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(getattr(value, "name", value))


# ---- what the page may ask: each answer takes the lab and the message ----


def _meant(lab: Any, message: Mapping[str, Any]) -> list[Any]:
    """The active session, and with `everywhere` the others after it."""
    others = [session for session in lab.sessions if session is not lab.session]
    return [lab.session, *(others if message.get("everywhere") is True else [])]


def _travel(lab: Any, message: Mapping[str, Any]) -> None:
    """Go to a step; a long way in pieces, so that the kernel hears of other things between: the page asks again."""
    step, exact = message.get("step"), message.get("exact") is not False
    for session in _meant(lab, message):
        if session is lab.session or _has(session.timeline.line, step):
            session.travel(step, exact=exact, seconds=PAUSE)
    _seen(lab, message)


def _has(line: Line, step: Any) -> bool:
    return isinstance(step, int) and line.first <= step <= line.end


def _undo(lab: Any, message: Mapping[str, Any]) -> None:
    what = message.get("type")
    name = lab.session.timeline.describe()[what]
    for session in _meant(lab, message):
        if session is lab.session or (name is not None and session.timeline.describe()[what] == name):
            getattr(session, str(what))()
    _seen(lab, message)


def _branch(lab: Any, message: Mapping[str, Any]) -> None:
    step, name = message.get("step"), message.get("name")
    if name is not None and not (isinstance(name, str) and 0 < len(name) <= 40):
        raise ValueError(f"a run's name has 1 to 40 letters, got {str(name)[:80]!r}")
    check_count(step, "step", least=0)
    lab.branch(step, name)
    lab.show(message.get("request"))


def _way(lab: Any, message: Mapping[str, Any]) -> None:
    lab.session.take_way(str(message.get("name"))[:80])
    _seen(lab, message)


def _seen(lab: Any, message: Mapping[str, Any]) -> None:
    lab.look_again()
    lab.show(message.get("request"))


ANSWERS: dict[str, Callable[[Any, Any], None]] = {
    "travel": _travel,
    "undo": _undo,
    "redo": _undo,
    "branch": _branch,
    "way": _way,
}
