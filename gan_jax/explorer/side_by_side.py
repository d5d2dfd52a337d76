"""Two to four GANs and one target come in; a live picture goes out that trains them in lock step from the same key.

Each is recorded as it trains, so that moving back shows what was, and moving forward trains only what is new.
"""

import contextlib
import functools
import math
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Key
from tqdm.auto import tqdm

from .. import data, losses, metrics, train
from ..data import Mixture, Target
from ..errors import Diverged, check_count, check_key
from ..recordings import Frame, Recorder, Recording
from ..train import Gan, Hyperparams, State
from .ground import ground
from .scene import Dots, Mark, Number, Panel, Scene, Slider, Surface
from .widget import Explorer

Gans = Mapping[str, tuple[Gan, Hyperparams]]

SHOWN, SCORED = 400, 2500
"""Samples that are drawn, of those that are scored."""

SIDE = 48
"""Cells a side of D's surface."""

BUDGET = 0.08
"""Seconds of training in one answer, all GANs together; what is missing then comes with the next answers."""

MEMORY = 100e6
"""Bytes that all frames together take at most."""


class Contest:
    """GANs that train in lock step, each recorded; what `side_by_side` shows, without any widget.

    Args:
        gans: by name, the rules and the dials.
        target: the distribution that real samples come from.
        key: of all of them: equal networks start from equal weights, and equal batches see the same real samples.
        every: steps between two frames.
        memory: bytes that all frames together take at most.
        progress: show what is compiled while it takes its time.

    Attributes:
        recorders: by name.

    >>> from gan_jax import nets
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> pair = {"slow": (gan, Hyperparams(lr_g=1e-4)), "fast": (gan, Hyperparams(lr_g=1e-2))}
    >>> contest = Contest(pair, data.ring(8), jax.random.key(0), every=10)
    >>> while contest.step < 20:
    ...     contest.advance(20)
    >>> [recording.steps.tolist() for recording in contest.recordings.values()]
    [[0, 10, 20], [0, 10, 20]]
    """

    def __init__(
        self,
        gans: Gans,
        target: Target,
        key: Key[Array, ""],
        *,
        every: int,
        memory: float | int = MEMORY,
        progress: bool = False,
    ):
        self.target, self._key = target, key
        self.recorders: dict[str, Recorder] = {}
        self._pace = 0.0  # seconds a step, all together
        with tqdm(total=len(gans), leave=False, disable=not progress) as bar:
            for name, (gan, hyper) in gans.items():
                bar.set_description_str(f"compiling “{name}”")
                state = train.init(gan, hyper, key)
                train.steps(gan, hyper, target, state, 1)
                started = time.perf_counter()
                train.steps(gan, hyper, target, state, 4)
                self._pace += (time.perf_counter() - started) / 4
                self.recorders[name] = Recorder(
                    gan, hyper, target, state, every=every, keep="states", memory=memory / len(gans)
                )
                bar.update()

    @property
    def step(self) -> float | int:
        """How far all have come that are still training; infinity when none is."""
        return min((int(each.state.step) for each in self.recorders.values() if not each.stopped), default=math.inf)

    def advance(self, goal: int) -> None:
        """Train towards a step, for as long as `BUDGET` allows, but one step at least."""
        began, left = time.perf_counter(), BUDGET
        while (now := self.step) < goal and left > 0:
            # chunks of half the time that is left: one that takes longer than foreseen does no harm
            n = min(max(int(left / 2 / self._pace), 1), goal - int(now))
            started = time.perf_counter()
            for recorder in self.recorders.values():
                missing = int(now) + n - int(recorder.state.step)  # an interruption may have left one behind
                if missing > 0 and not recorder.stopped:
                    with contextlib.suppress(Diverged):  # it stands at its last good state, and says so
                        recorder.advance(missing)
            ended = time.perf_counter()
            self._pace += 0.3 * ((ended - started) / n - self._pace)
            left = BUDGET - (ended - began)

    @property
    def recordings(self) -> dict[str, Recording]:
        """What has been recorded so far, by name."""
        return {name: recorder.recording for name, recorder in self.recorders.items()}


class Look(NamedTuple):
    """What is seen of one GAN at one step.

    Attributes:
        step: the step that it is of.
        fake: samples, always of the same latents, shape (SCORED, 2).
        surface: D's answer over the window, 0 fake, 1 real, shape (SIDE, SIDE); the first row at the bottom.
    """

    step: int
    fake: np.ndarray
    surface: np.ndarray


@jax.jit
def _surface(
    state: State,
    real: Float[Array, "n 2"],
    fake: Float[Array, "m 2"],
    window: Float[Array, "4"],
    probability: Any,
) -> Float[Array, "side side"]:
    """D's answer on a grid, for any loss; a D that judges several together sees each place among real samples."""
    return ground(functools.partial(state.logits, companions=real), window, SIDE, real, fake, probability).level


class View:
    """The answer of the live picture: from the step asked for to a scene.

    Args:
        contest: the GANs.
        steps: the last step that can be asked for.
    """

    def __init__(self, contest: Contest, steps: int):
        self.contest, self.steps = contest, steps
        target, key = contest.target, contest._key
        self.window = data.bounds(target)
        self.latent_key, real_key = jax.random.split(jax.random.fold_in(key, np.uint32(2**32 - 2)))
        self.real = np.asarray(jax.jit(lambda key: target.sample(key, SHOWN))(real_key))  # one program, not a dozen
        self.scores: dict[str, Any] = {"sliced W_2": metrics.sliced_wasserstein2}
        if isinstance(target, Mixture):
            self.scores = {"modes": metrics.modes_covered, "high quality": metrics.high_quality_share}
        self.perfect = {name: metrics.perfect(metric, target, SCORED, seeds=5) for name, metric in self.scores.items()}

    def __call__(self, values: dict[str, Any]) -> Scene:
        asked = int(values["step"])
        self.contest.advance(asked)
        reached = int(min(asked, self.contest.step))
        looks = {name: self.look(recorder, reached) for name, recorder in self.contest.recorders.items()}
        numbers = [number for i, look in enumerate(looks.values()) for number in self._numbers(i, look)]
        return Scene(
            [self._panel(name, look) for name, look in looks.items()],
            numbers,
            self._words(reached, looks, numbers),
            self._remark(asked, reached, looks),
            again=reached < asked,
        )

    def look(self, recorder: Recorder, step: int) -> Look:
        """See one GAN at the kept frame nearest to a step."""
        frame: Frame = recorder.at(step)
        state = frame.state(recorder.state)
        fake = state.sample(self.latent_key, SCORED)
        probability = recorder.gan.loss in losses.CROSS_ENTROPIES
        surface = _surface(state, self.real, fake[:SHOWN], np.asarray(self.window, np.float32), probability)
        return Look(frame.step, np.asarray(fake), np.asarray(surface))

    def _panel(self, name: str, look: Look) -> Panel:
        first = name == next(iter(self.contest.recorders))  # where the colours are named
        left, right, bottom, top = self.window
        marks: list[Mark] = [
            Surface(look.surface, "what D says"),
            Dots(self.real[:, 0], self.real[:, 1], "real" if first else "", "real", 2),
            Dots(look.fake[:SHOWN, 0], look.fake[:SHOWN, 1], "fake" if first else "", "fake", 2),
        ]
        where = self._stopped(name, look) or f"step {look.step:,}"
        return Panel(marks, (left, right), (bottom, top), name, where, square=True)

    def _stopped(self, name: str, look: Look) -> str:
        recorder = self.contest.recorders[name]
        return recorder.stopped if recorder.stopped and look.step == int(recorder.state.step) else ""

    def _numbers(self, i: int, look: Look) -> list[Number]:
        found = []
        for kind, metric in self.scores.items():
            value, best = metric(look.fake, self.contest.target), self.perfect[kind].mean
            exact = int(value) if metric is metrics.modes_covered else float(value)
            found.append(Number(kind, exact, f"a perfect generator: {best:.3g}", "fake", i))
        return found

    def _words(self, reached: int, looks: dict[str, Look], numbers: list[Number]) -> str:
        parts = []
        for i, (name, look) in enumerate(looks.items()):
            own = [f"{number.name} {number.value:.3g}" for number in numbers if number.panel == i]
            stopped = self._stopped(name, look)
            parts.append(f"{name}{f' ({stopped})' if stopped else ''}: {', '.join(own)}")
        return f"Step {reached:,}, from the same seed. {'; '.join(parts)}."

    def _remark(self, asked: int, reached: int, looks: dict[str, Look]) -> str:
        if reached < asked:
            return f"Training: step {reached:,} on the way to {asked:,}. Any move takes over."
        stopped = [f"“{name}” {said}" for name, look in looks.items() if (said := self._stopped(name, look))]
        if stopped:
            return f"{' and '.join(stopped)}: shown is the last good state before that."
        if not reached:
            return "All start here, from the same seed. Guess first: what will the one difference change? Then press ▶."
        return "Blue is real, orange is fake: the dots are samples, the ground is what D says of each place."


class SideBySide(Explorer):
    """GANs side by side. Make one with `side_by_side`; show it by ending a cell with it.

    Attributes:
        contest: the GANs, and how they are trained.
    """

    def __init__(self, contest: Contest, steps: int, opening: int, title: str):
        self.contest = contest
        every = next(iter(contest.recorders.values())).every
        slider = Slider("step", "step", 0, steps, opening, notches=steps // every + 1, whole=True, play=True)
        super().__init__(View(contest, steps), [slider], title)

    @property
    def recordings(self) -> dict[str, Recording]:
        """What has been recorded so far, by name: whole states, for pictures of your own and to train on from."""
        return self.contest.recordings


def side_by_side(
    gans: Gans,
    target: Target,
    *,
    key: Key[Array, ""],
    steps: int = 5000,
    every: int | None = None,
    opening: int = 0,
    memory: float | int = MEMORY,
    title: str = "",
    progress: bool = True,
) -> SideBySide:
    """Open two to four GANs side by side: the same target, the same key, and one difference.

    ▶ trains all of them in lock step, a notch of the slider at a time; moving the slider far ahead trains in pieces and
    shows each, moving it back shows the frames that were kept. A GAN that diverges stays at its last good state.

    Under each stand the scores of its 2,500 samples, beside those of a perfect generator. The ground is coloured by
    what D says of each place; a D that judges several samples together sees the place beside real ones.

    Opening compiles each GAN's training step: some 3 to 8 seconds for each whose `Gan` differs, less where only the
    dials do. A bar says which one it is at.

    Args:
        gans: by name, two to four pairs of rules and dials: {"as it is": (gan, hyper), "with packing": (...)}.
        target: of shape (2,).
        key: random key of all of them: equal networks start from equal weights, and see the same real samples.
        steps: how far the slider goes.
        every: steps between two notches, and between two frames; a hundredth of `steps` when left out.
        opening: the step to open at, trained right away; 0 to begin where nothing has been learnt.
        memory: bytes that all frames together take; when they are full, every second one is dropped.
        title: above it all.
        progress: show a bar while it compiles, and trains to `opening`.

    Returns:
        The widget: end a cell with it. `live.set("step", 2000)` moves it from Python, `live.recordings` are the runs.

    Raises:
        ValueError: not two to four GANs, a target that is not in the plane, or steps that `every` does not divide.
        TypeError: something that is no pair of a `Gan` and `Hyperparams`.

    >>> from dataclasses import replace
    >>> from gan_jax import nets
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> pair = {"one update of D": (gan, Hyperparams()), "three": (replace(gan, d_steps=3), Hyperparams())}
    >>> live = side_by_side(pair, data.ring(8), key=jax.random.key(0), steps=100, every=20)
    >>> live.set("step", 40)
    >>> live.recordings["three"].steps.tolist()
    [0, 20, 40]
    """
    every = _check(gans, target, key, steps, every, opening)
    contest = Contest(gans, target, key, every=every, memory=memory, progress=progress)
    with tqdm(total=opening, unit="step", delay=1.0, disable=not (progress and opening)) as bar:
        while contest.step < opening:
            contest.advance(opening)
            bar.update(int(min(contest.step, opening)) - bar.n)
    return SideBySide(contest, steps, opening, title)


def _check(gans: Any, target: Any, key: Any, steps: Any, every: Any, opening: Any) -> int:
    """Raise unless a contest can be made of this; return `every`."""
    if not isinstance(gans, Mapping) or not all(isinstance(name, str) and name for name in gans):
        raise TypeError(f'gans must be a dict of names: {{"as it is": (gan, hyper), ...}}, got {type(gans).__name__}')
    if not 2 <= len(gans) <= 4:
        raise ValueError(f"two to four GANs fit side by side, got {len(gans)}")
    for name, pair in gans.items():
        kinds = [type(each) for each in pair] if isinstance(pair, tuple | list) else []
        if kinds != [Gan, Hyperparams]:
            raise TypeError(f"{name!r} must be a pair (Gan, Hyperparams), got {pair!r}")
        train.dials(*pair)
        for dial, value in vars(pair[1]).items():
            if np.ndim(value):
                raise ValueError(f"{name!r} trains one GAN: {dial} must be one number, its shape is {np.shape(value)}")
    if not isinstance(target, Target):
        raise TypeError(f"expected a target such as data.ring(8), got {target!r}")
    if tuple(target.shape) != (2,):
        raise ValueError(f"the picture shows targets in the plane, of shape (2,); this one's is {tuple(target.shape)}")
    check_key(key)
    check_count(steps, "steps", least=2)
    check_count(opening, "opening", least=0)
    every = max(steps // 100, 1) if every is None else every
    check_count(every, "every")
    if steps % every or every == steps:
        raise ValueError(f"every must divide steps, got every={every} and steps={steps}; take {_divisor(steps, every)}")
    if opening > steps:
        raise ValueError(f"opening must be from 0 to {steps}, got {opening}")
    return int(every)


def _divisor(steps: int, every: int) -> int:
    """The divisor of `steps`, below it, that is nearest to `every`."""
    return min((d for d in range(1, steps) if steps % d == 0), key=lambda d: abs(d - every))
