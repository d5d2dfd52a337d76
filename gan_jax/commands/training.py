"""Settings and a folder come in; a run begins there or goes on from its last save, and is written down."""

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import jax
import numpy as np
from jax.sharding import Mesh
from tqdm import tqdm

from .. import train
from ..data import Target
from ..train import History, State
from ..train.devices import check_mesh
from . import pictures, scoring
from .faults import Failed, WrongCall
from .folder import Folder
from .settings import Settings

PATIENCE = 0.5
"""Seconds of compiled steps between two looks at the keyboard."""

A_LINE = 30.0
"""Seconds between two lines on how far it is, where there is no terminal for a bar."""

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


def across(settings: Settings, devices: int) -> Mesh | None:
    """The devices that share each batch; None for one.

    Raises:
        WrongCall: JAX does not see as many, or they do not divide a batch.
    """
    try:
        mesh = train.mesh(devices) if devices > 1 else None
        check_mesh(settings.gan(), mesh)
    except ValueError as error:
        raise WrongCall(str(error)) from error
    return mesh


def start(folder: Folder, settings: Settings, say: Callable[[str], None], devices: int = 1) -> State:
    """Open the folder: a new run, or where the last save of this one stands.

    Raises:
        WrongCall: another run is in it; the message names what differs.
        Failed: it cannot be written, or has no room for a save.
    """
    if folder.exists:
        held, shared = folder.settings(), folder.devices
        if other := held.differences(settings):
            named = "; ".join(
                f"{name} is {_said(there)} there, {_said(here)} here"
                for name, (there, here) in other.items()
                if name == "preset" or "preset" not in other  # another preset has everything else
            )
            raise WrongCall(f"{folder.path} holds another run: {named}. Choose another --folder, or make them equal")
    else:
        held, shared = settings, devices
        folder.begin(settings, devices)
    state, step = last(folder, settings), folder.step
    folder.check_room(state)
    if step:
        say(f"goes on from the save of step {step:,}")
    notes = [f"{name} from {old:g} to {new:g}" for name, (old, new) in held.moved_dials(settings).items()]
    if shared != devices:
        notes.append(f"devices from {shared} to {devices} (the same game, but for rounding)")
    if notes:
        say(f"note: {', '.join(notes)}, from step {step:,} on")
        folder.move(settings, step, devices)
    return state


def last(folder: Folder, settings: Settings) -> State:
    """The state of the last save, or the one that a run begins with."""
    state = train.init(settings.gan(), settings.hyper(), jax.random.key(settings.seed))
    return folder.load(state, settings) if folder.step else state


def run(
    folder: Folder, settings: Settings, state: State, pace: Pace, *, quiet: bool = False, mesh: Mesh | None = None
) -> int | None:
    """Train up to `pace.steps`; write rows, pictures and saves on the way.

    Args:
        folder: where to.
        settings: what is run.
        state: of `start`; its memory is given to the states after it.
        pace: how often what is written.
        quiet: say nothing of how far it is.
        mesh: of `across`.

    Returns:
        None at the end of the run, or the number of the signal that stopped it; what was done by then is saved.

    Raises:
        Failed: the run diverged, and the last good state is saved; or the folder cannot be written.
    """
    gan, hyper, target = settings.gan(), settings.hyper(), settings.target()
    placed = train.place(target, mesh)
    writer = Writer(folder, settings, target, pace, int(state.step))
    n = 1
    with Progress(pace, int(state.step), quiet) as progress, listening() as heard:
        if not int(state.step):
            writer.picture(state)
        while (step := int(state.step)) < pace.steps and not heard:
            began = time.perf_counter()
            n = min(n, pace.next_stop(step) - step)
            state, history = train.steps(gan, hyper, placed, state, n, mesh=mesh, donate=True)
            if history.bad.any():
                good = int(np.argmax(history.bad))
                writer.rows(History(*(row[:good] for row in history)), step)
                _save_the_last_good(folder, settings, placed, history, step, mesh)
            progress.update(history, step + n)
            n = math.ceil(min(max(n * PATIENCE / (time.perf_counter() - began), 1), 8 * n, CAPACITY))
            if pace.is_stop(int(state.step)):
                writer.stop(state, history, step)
            else:
                writer.rows(history, step)
        if heard:
            folder.save(state, settings)
    return heard[0] if heard else None


def _save_the_last_good(
    folder: Folder, settings: Settings, target: Target, history: History, step: int, mesh: Mesh | None
) -> NoReturn:
    """Save the state before the fault, which lies in the steps after `step`, and say what can be done.

    That state has given its memory away. A run is a pure function of its state, so it is walked to once more.
    """
    fault, state = step + int(np.argmax(history.bad)), last(folder, settings)
    whole = True
    while whole and (left := fault - int(state.step)):
        state, again = train.steps(settings.gan(), settings.hyper(), target, state, min(left, CAPACITY), mesh=mesh,
                                   donate=True)  # fmt: skip
        whole = not again.bad.any()  # a device that does not repeat itself bit for bit may fail elsewhere
    if whole:
        folder.save(state, settings)
    raise Failed(
        f"training diverged at step {fault:,}. The last good state, of step {folder.step:,}, is saved; from there the "
        "same command would diverge again: go on with smaller learning rates (--set lr_g=... lr_d=...), or begin anew "
        "in another --folder"
    )


class Progress:
    """Says how far a run is, with its rate and the time left: a bar in a terminal, a line now and then in a file."""

    def __init__(self, pace: Pace, step: int, quiet: bool):
        self.pace, self.lines = pace, not quiet and not sys.stderr.isatty()
        self.bar = tqdm(total=pace.steps, initial=step, unit="step", disable=quiet or self.lines, smoothing=0.1,
                        mininterval=0.5, dynamic_ncols=True)  # fmt: skip
        self.told = (step, time.monotonic())

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.close()

    def update(self, history: History, step: int) -> None:
        """The run stands at this step, and these are the steps it took last."""
        losses = {"loss_d": f"{history.loss_d[-1]:.3f}", "loss_g": f"{history.loss_g[-1]:.3f}"}
        self.bar.update(len(history.loss_d))
        self.bar.set_postfix(losses, refresh=False)
        (before, then), now = self.told, time.monotonic()
        if self.lines and (now - then > A_LINE or step == self.pace.steps):
            rate = (step - before) / max(now - then, 1e-9)
            left = f", {tqdm.format_interval((self.pace.steps - step) / rate)} left" if step < self.pace.steps else ""
            shown = ", ".join(f"{name} {value}" for name, value in losses.items())
            print(f"step {step:,} of {self.pace.steps:,}, {rate:.3g} steps a second{left}; {shown}", file=sys.stderr)
            self.told = (step, now)


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
        # not print: the signal may have come in the middle of one
        os.write(2, b"\nstopping after the steps at work, to save; Ctrl-C once more stops at once\n")

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
