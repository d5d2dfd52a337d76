"""Settings and a folder come in; a run begins there or goes on from its last save, and is written down."""

import contextlib
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from .. import train
from ..errors import Diverged
from ..train import History, State
from . import pictures, scoring
from .faults import Failed, WrongCall
from .folder import Folder
from .settings import Settings

PATIENCE = 0.5
"""Seconds of compiled steps between two looks at the keyboard."""

CAPACITY = 1000
"""Steps in one compiled call at most."""


@dataclass(frozen=True)
class Pace:
    """How often what is written.

    Attributes:
        steps: where the run ends.
        every: steps between two pictures, scores and saves.
        log: steps between two rows of losses.
        scored: samples a score.
    """

    steps: int
    every: int
    log: int
    scored: int

    def is_row(self, step: int) -> bool:
        """Whether a step has a row in `metrics.csv`."""
        return step % self.log == 0 or self.is_stop(step)

    def is_stop(self, step: int) -> bool:
        """Whether a step has a picture, scores and a save."""
        return step % self.every == 0 or step == self.steps

    def next_stop(self, step: int) -> int:
        """The first such step after this one."""
        return min((step // self.every + 1) * self.every, self.steps)


def start(folder: Folder, settings: Settings, say: Callable[[str], None]) -> State:
    """Open the folder: a new run, or where the last save of this one stands.

    Raises:
        WrongCall: another run is in it; the message names what differs.
    """
    if folder.exists:
        held = folder.settings()
        if other := held.differences(settings):
            named = "; ".join(
                f"{name} is {_said(there)} there, {_said(here)} here" for name, (there, here) in other.items()
            )
            raise WrongCall(f"{folder.path} holds another run: {named}. Choose another --folder, or make them equal")
    else:
        held = settings
        folder.begin(settings)
    state = train.init(settings.gan(), settings.hyper(), jax.random.key(settings.seed))
    if step := folder.step:
        state = folder.load(state, settings)
        say(f"goes on from the save of step {step:,}")
    if moved := held.moved_dials(settings):
        told = ", ".join(f"{name} from {before:g} to {now:g}" for name, (before, now) in moved.items())
        say(f"note: {told}, from step {step:,} on")
        folder.move(settings, step)
    return state


def run(folder: Folder, settings: Settings, state: State, pace: Pace, *, quiet: bool = False) -> int | None:
    """Train up to `pace.steps`; write rows, pictures and saves on the way.

    Returns:
        None at the end of the run, or the number of the signal that stopped it; what was done by then is saved.

    Raises:
        Failed: the run diverged, and the last good state is saved; or the folder cannot be written.
    """
    gan, hyper, target = settings.gan(), settings.hyper(), settings.target()
    writer = Writer(folder, settings, target, pace, int(state.step))
    bar = tqdm(total=pace.steps, initial=int(state.step), unit="step", disable=quiet, smoothing=0.1,
               mininterval=0.5 if sys.stderr.isatty() else 30, dynamic_ncols=True)  # fmt: skip
    n = 1
    with bar, listening() as heard:
        if not int(state.step):
            writer.picture(state)
        while (step := int(state.step)) < pace.steps and not heard:
            began = time.perf_counter()
            n = min(n, pace.next_stop(step) - step)
            try:
                state, history = train.advance(gan, hyper, target, state, n)
            except Diverged as fault:
                writer.rows(fault.history, step)
                folder.save(fault.state, settings)
                raise Failed(
                    f"training diverged at step {fault.step:,}. The last good state, of step "
                    f"{int(fault.state.step):,}, is saved; from there the same command would diverge again: go on with "
                    "smaller learning rates (--set lr_g=... lr_d=...), or begin anew in another --folder"
                ) from fault
            bar.update(n)
            bar.set_postfix(d=f"{history.loss_d[-1]:.3f}", g=f"{history.loss_g[-1]:.3f}", refresh=False)
            n = math.ceil(min(max(n * PATIENCE / (time.perf_counter() - began), 1), 8 * n, CAPACITY))
            if pace.is_stop(int(state.step)):
                writer.stop(state, history, step)
            else:
                writer.rows(history, step)
        if heard:
            folder.save(state, settings)
    return heard[0] if heard else None


class Writer:
    """Writes a run down while it goes on."""

    def __init__(self, folder: Folder, settings: Settings, target: Any, pace: Pace, step: int):
        self.folder, self.settings, self.target, self.pace = folder, settings, target, pace
        self.scores = scoring.Scores(target, pace.scored)
        self.columns = folder.columns(self.scores.names)
        folder.keep_rows(self.columns, step)

    def rows(self, history: History, before: int, scores: dict[str, float] | None = None) -> None:
        """Write the rows of the steps just taken, after step `before`; scores belong to the last."""
        taken = len(history.loss_d)
        rows: list[dict[str, Any]] = [
            {"step": before + i + 1, **{name: f"{row[i]:.7g}" for name, row in history._asdict().items()}}
            for i in range(taken)
            if self.pace.is_row(before + i + 1)
        ]
        if scores and rows:
            rows[-1] |= {name: f"{value:.7g}" for name, value in scores.items()}
        if rows:
            self.folder.add_rows(self.columns, rows)

    def stop(self, state: State, history: History, before: int) -> None:
        """Write rows and scores, a picture, and a save: in this order, so that a save has all that belongs to it."""
        self.rows(history, before, self.scores(state))
        self.picture(state)
        self.folder.save(state, self.settings)

    def picture(self, state: State) -> None:
        """Draw samples from the latents that all of this run's pictures have."""
        samples, columns = scoring.draw(state, len(self.settings.shape) == 1, scoring.LATENTS)
        real, name = None, self.folder.samples / "real.png"
        plane = len(self.settings.shape) == 1
        with self.folder.writing():
            if plane or not name.exists():
                real = np.asarray(self.target.sample(jax.random.key(1), len(samples)))
            if not plane and real is not None:
                pictures.write(name, real, self.settings.shape, columns=columns)
            step = int(state.step)
            pictures.write(self.folder.samples / f"step_{step:07d}.png", samples, self.settings.shape,
                           columns=columns, real=real, title=f"Step {step:,}")  # fmt: skip


@contextlib.contextmanager
def listening() -> Iterator[list[int]]:
    """Hear Ctrl-C, and a machine that is about to be taken away; a second one stops at once.

    Yields:
        The numbers of the signals heard; the loop looks at it between two compiled calls.
    """
    heard: list[int] = []

    def hear(number: int, _: Any) -> None:
        if heard:
            raise KeyboardInterrupt
        heard.append(number)

    wanted = [signal.SIGINT, signal.SIGTERM] if threading.current_thread() is threading.main_thread() else []
    # a process that a script started in the background is told to ignore Ctrl-C, and goes on doing so
    before = {s: signal.getsignal(s) for s in wanted if signal.getsignal(s) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, hear)
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _said(value: Any) -> str:
    return "none" if value is None else str(value)
