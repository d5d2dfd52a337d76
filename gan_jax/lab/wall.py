"""A GAN, a target and a number of seeds come in; a wall of live runs goes out: all of them train at once, as one.

One run may be luck. `WallSession` holds the runs and knows no widget; `Wall` carries them to the page, which asks for
each chunk as the lab's does. `lab.open` looks at one run closely, and at up to four GANs in lock step;
`explorer.side_by_side` compares GANs in a lesson's picture and moves back in time; the wall is for one GAN and the
question how often its result comes about.
"""

import io
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from .. import data
from ..errors import Diverged, Menu, check_count
from ..explorer.page import pages
from ..train import Gan, Hyperparams, State
from .code import IMPORTS, Code, _changes_code, gan_code, hyper_code, target_code
from .dials import CHOICES, DIALS, as_json
from .frames import Frame
from .live import ANSWERS, PAGE, Live, described
from .seeds import (
    BEYOND,
    CLOSER_SHOWN,
    CONFIDENCE,
    SCORED,
    SHOWN,
    Measure,
    Pictures,
    Rows,
    Runs,
    Share,
    floor,
    measures_of,
    quartiles,
    share,
)
from .session import Session
from .timeline import Line
from .widget import SCRIPTS, Lab, _ground

FEWEST, MOST = 4, 64
"""Seeds on a wall."""

BUDGET = 0.04
"""Seconds of training between two pictures of the wall, when it chooses how many steps to take."""

WALL_CONTROLS = Menu("control", dict.fromkeys([*CHOICES, "seed", "speed", "language", *DIALS]))
"""What `wall(controls=[...])` may show beside the pictures and the buttons."""

LEISURE = 10.0
"""How much longer the runs train than they are scored; twice a second is often enough in any case."""


class WallSession:
    """Many runs of one GAN from many seeds, in training, with everything a wall of them needs and no widget.

    The runs are `train.sweep`'s, bit for bit: the run of seed i begins at `train.init(gan, hyper, jax.random.key(i))`.
    It equals `train.steps` alone up to the rounding of float32, which the game then carries on: from eight seeds of the
    default ring the weights differed by at most 4e-7 after 20 steps, 2e-6 after 50 and 0.4 after 200. Dials and menus
    are those of one `Session`, for all runs.

    Every method may be called from any thread.

    Args:
        gan: the rules; two MLPs with two hidden layers of 64 when left out.
        target: a target in the plane; `data.ring(8)` when left out.
        hyper: the dials, one number each. With no gan and no hyper, D learns twice as fast as G.
        seeds: how many, from 4 to 64.
        seed: the first of them; the others follow it.

    Attributes:
        desk: the `Session` that holds the dials, the menus and the target of all; it trains nothing itself.
        tracks: by measure, every run's score over time.
        closer: the place of the run that is looked at closely, or None.

    Raises:
        ValueError: too few or too many seeds; whatever `Session` raises.

    >>> from gan_jax import nets
    >>> wall = WallSession(Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16), seeds=4)
    >>> wall.advance(10)
    10
    >>> wall.states.step.tolist(), wall.pictures().surface.shape
    ([10, 10, 10, 10], (4, 32, 32))
    """

    def __init__(
        self,
        gan: Gan | None = None,
        target: Any = None,
        hyper: Hyperparams | None = None,
        seeds: int = 16,
        seed: int = 0,
    ):
        check_count(seeds, "seeds", least=FEWEST)
        if seeds > MOST:
            raise ValueError(f"a wall shows {FEWEST} to {MOST} seeds, got {seeds}; train.sweep trains more")
        self.lock = threading.RLock()
        self.count = int(seeds)
        self.desk = Session(gan, target, hyper, seed)
        self._floors: dict[Any, dict[str, float]] = {}
        self._rated: set[Any] = set()  # programs by which the runs have been scored
        self._pace: dict[Any, float] = {}  # seconds a step of all runs, of each program compiled so far
        self.closer: int | None = None
        self.reset(seed)

    # ---- what all runs share ----

    @property
    def seeds(self) -> list[int]:
        """The seeds, in the order of the runs."""
        return list(range(self.desk.seed, self.desk.seed + self.count))

    @property
    def step(self) -> int:
        """Steps taken by every run that has not diverged."""
        return self._runs.done

    @property
    def states(self) -> State:
        """All runs as one `State`, whose leaves have a run's number for first axis."""
        with self.lock:
            return self._runs.states

    @property
    def diverged(self) -> list[int | None]:
        """The step at which each run left the finite numbers; None if it has not."""
        return [None if step < 0 else int(step) for step in self._runs.diverged]

    @property
    def measures(self) -> dict[str, Measure]:
        """What the runs are compared by, the first one first."""
        return measures_of(self.desk.target)

    @property
    def averaged(self) -> bool:
        """Whether G is shown and scored with the running average of its weights."""
        return self.desk.samples == "average"

    @property
    def _program(self) -> Any:
        leaves, structure = jax.tree.flatten(self.desk.target)
        return self.desk.gan, structure, tuple(np.shape(leaf) for leaf in leaves)

    @property
    def cold(self) -> bool:
        """Whether the next step has to be compiled first."""
        return self._program not in self._pace

    def reset(self, seed: int | None = None) -> None:
        """Begin again at step 0, from the same first seed or another, with dials and menus as they stand."""
        with self.lock:
            if seed is not None:
                check_count(seed, "seed", least=0)
                if seed + self.count > 2**32:
                    raise ValueError(f"the last of {self.count} seeds must be below 2**32, the first is {seed}")
            self.desk.reset(seed)
            desk, keys = self.desk, jax.vmap(jax.random.key)(jnp.asarray(self.seeds, jnp.uint32))
            self._runs = Runs(desk.gan, desk.hyper, desk.target, keys)
            self._draw_noise()
            self._way: list[tuple[Any, int]] = [(desk.rules, 0)]
            self._forget_scores()

    def _draw_noise(self) -> None:
        """The latents of all that is shown and scored: the same for every run, always."""
        self._noise = self.desk.gan.noise(jax.random.fold_in(jax.random.key(0), 0x3A11), SCORED)

    def _forget_scores(self) -> None:
        self.tracks = {name: Rows(self.count) for name in self.measures}
        self._scored: tuple[Any, dict[str, np.ndarray]] | None = None
        self._trained = self._scoring = 0.0  # seconds since the last scores, and those that they took

    def set(self, name: str, value: Any) -> None:
        """Move a dial, or choose from a menu, for all seeds; arguments and errors as `Session.set`.

        A dial never compiles anew. What gives weights another shape begins again at step 0; another target begins new
        tracks.
        """
        with self.lock:
            before, target = self.desk.gan, self.desk.target
            self.desk.set(name, value)
            if self.desk.gan != before and CHOICES[name].afresh:
                self.reset()
            elif self.desk.gan.latent != before.latent:
                self._draw_noise()
            if self.desk.target is not target:
                self._forget_scores()

    # ---- training ----

    def warm(self) -> None:
        """Compile the step, if it is not, without taking one."""
        with self.lock:
            if not self.cold:
                return
            desk = self.desk
            self._runs.compile(desk.gan, desk.in_force, desk.target)
            self._pace[self._program] = BUDGET / 4  # the first chunk tells how long it is

    def advance(self, k: int | None = None) -> int:
        """Take k steps of every run in one call, or as many as fit in `BUDGET`, at most 1,024.

        A run that diverges stays at its last good state, and the others go on.

        Args:
            k: how many; chosen by the time they take when left out.

        Returns:
            How many were taken.

        Raises:
            Diverged: there is no run left.
        """
        if k is not None:
            check_count(k, "k")
        with self.lock:
            if all(step is not None for step in self.diverged):
                raise self._all_lost()
            self.warm()
            desk, pace = self.desk, self._pace[self._program]
            n = min(max(int(BUDGET / pace), 1), 1024) if k is None else int(k)
            began = time.perf_counter()
            self._runs.advance(desk.gan, desk.in_force, desk.target, n)
            seconds = time.perf_counter() - began
            self._pace[self._program] = pace + 0.3 * (seconds / n - pace)
            self._trained += seconds
            *rest, (rules, before) = self._way
            goes_on = before == 0 or rules.same(desk.rules)
            self._way = [*rest, (desk.rules, before + n)] if goes_on else [*rest, (rules, before), (desk.rules, n)]
            if self._trained > max(0.5, LEISURE * self._scoring):
                self.score()
            return n

    def _all_lost(self) -> Diverged:
        last = max(step for step in self.diverged if step is not None)
        return Diverged(
            f"all {self.count} runs have diverged, the last at step {last:,}. Reset, with smaller learning rates, a "
            "gradient penalty, or weight_clip",
            step=last,
            state=self.states,
            history=None,
        )

    # ---- what the runs show ----

    def pictures(self) -> Pictures:
        """Picture every run; a diverged one as it last was."""
        with self.lock:
            desk = self.desk
            seen = desk.real, desk.window, desk.shows_probability, self.averaged
            return self._runs.pictures(self._noise[:SHOWN], *seen)

    def close_up(self) -> Pictures | None:
        """Picture the run that is looked at closely, with more pixels and samples; None where there is none."""
        with self.lock:
            if self.closer is None:
                return None
            desk = self.desk
            seen = desk.real, desk.window, desk.shows_probability, self.averaged
            return self._runs.close_up(self.closer, self._noise[:CLOSER_SHOWN], *seen)

    def score(self) -> dict[str, np.ndarray]:
        """Score every run as it stands, and note it in the tracks; (runs,) arrays by measure."""
        with self.lock:
            if self._scored is None or self._scored[0] != self._moment:
                began = time.perf_counter()
                scores = self._runs.scores(self.measures, self._noise, self.desk.target, self.averaged)
                seconds, program = time.perf_counter() - began, (self._program, self.averaged)
                self._scoring = seconds if program in self._rated else 0.0  # the first time it was compiled, too
                self._rated.add(program)
                self._trained = 0.0
                self._scored = self._moment, scores
                for name, values in scores.items():
                    self.tracks[name].add(self.step, values)
            return self._scored[1]

    @property
    def _moment(self) -> Any:
        return self.step, self.averaged

    @property
    def scores(self) -> dict[str, np.ndarray] | None:
        """The last scores, of some tenths of a second ago while training; None before the first."""
        return None if self._scored is None else self._scored[1]

    @property
    def floors(self) -> dict[str, float]:
        """What a perfect generator scores, by measure."""
        leaves, structure = jax.tree.flatten(self.desk.target)
        place = structure, tuple(np.asarray(leaf).tobytes() for leaf in leaves)
        if place not in self._floors:
            self._floors[place] = {name: floor(each, self.desk.target) for name, each in self.measures.items()}
        return self._floors[place]

    @property
    def modes(self) -> int | None:
        """How many modes the target has; None where the runs are compared by a distance."""
        return len(self.desk.target.means) if "modes" in self.measures else None

    @property
    def reached(self) -> Share | None:
        """The share of seeds that reach all modes, as last scored, with its interval; a diverged one does not."""
        if self.modes is None or self.scores is None:
            return None
        lost = self._runs.diverged >= 0
        return share(int(((self.scores["modes"] == self.modes) & ~lost).sum()), self.count)

    def spread(self, name: str) -> np.ndarray:
        """Lower quartile, median and upper quartile of a measure over the seeds along its track, shape (points, 3).

        A run counts as the worst of all from the step on at which it diverged; infinity stands for no value.
        """
        track, at = self.tracks[name], self._runs.diverged
        gone = (at >= 0) & (at <= np.array(track.steps)[:, None])
        return quartiles(track.values.astype(np.float64), gone, self.measures[name].more)

    def summary(self) -> str:
        """What all seeds show, in a sentence or two.

        >>> from gan_jax import nets
        >>> wall = WallSession(Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16), seeds=4)
        >>> print(wall.summary())
        0 of 4 seeds reach all 8 modes at step 0 (95 % interval 0 to 60 %).
        """
        with self.lock:
            self.score()
            found, lost = self.reached, sum(step is not None for step in self.diverged)
            more = f" {lost} diverged." if lost else ""
            if found is not None:
                return (
                    f"{found.hits} of {found.trials} seeds reach all {self.modes} modes at step {self.step:,} "
                    f"({CONFIDENCE:.0%} interval {100 * found.low:.0f} to {100 * found.high:.0f} %).{more}"
                ).replace("95%", "95 %")
            low, middle, high = (f"{x:.2g}" if math.isfinite(x) else "none" for x in self.spread("distance")[-1])
            return (
                f"Sliced W2 of {self.count} seeds at step {self.step:,}: median {middle}, quartiles {low} and {high}; "
                f"a perfect generator's is {self.floors['distance']:.2g}.{more}"
            )

    # ---- one run of them ----

    def place(self, seed: int) -> int:
        """Where a seed's run is among them.

        Raises:
            ValueError: no such seed on this wall.
        """
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or int(seed) not in self.seeds:
            raise ValueError(f"this wall has seeds {self.seeds[0]} to {self.seeds[-1]}, got {seed!r}")
        return int(seed) - self.seeds[0]

    def pick(self, seed: int) -> Session:
        """A session on one seed's run, to go on from by itself: its state is the wall's bit for bit.

        Args:
            seed: one of `seeds`.
        """
        with self.lock:
            at, desk = self.place(seed), self.desk
            session = Session(desk.gan, desk.target, desk.hyper, int(seed))
            session._menus = {kind: dict(entries) for kind, entries in desk._menus.items()}
            session.stand(self._runs.pick(at), desk.rules, desk.samples, session.seed)
            session._restart_curve()
            session.timeline.line = Line(None, session.game)
            session.timeline.at = self.step
            return session

    # ---- the way back ----

    @property
    def state(self) -> Code:
        """The Python that brings all runs back outside the lab, as one `train.Sweep`.

        It is the same bit for bit on a machine with as many cores, save that a run that diverged keeps its NaN there.

        >>> print(WallSession(seeds=4).state)
        from dataclasses import replace
        import jax
        from gan_jax import data, losses, nets, train
        <BLANKLINE>
        gan = train.Gan(nets.mlp(2, 64, 64, 2), nets.mlp(2, 64, 64, 1))
        hyper = train.Hyperparams(lr_d=0.002)
        target = data.TARGETS["ring"]()
        keys = jax.vmap(jax.random.key)(jax.numpy.arange(0, 4))
        states = jax.vmap(lambda key: train.init(gan, hyper, key))(keys)
        """
        with self.lock:
            way, first = [*self._way, (self.desk.rules, 0)], self.seeds[0]
        before, start = way[0][0], ""
        lines = [IMPORTS, f"gan = {gan_code(before.gan)}", f"hyper = {hyper_code(before.hyper)}"]
        lines += [f"target = {target_code(before.target_name, before.target)}"]
        lines += [f"keys = jax.vmap(jax.random.key)(jax.numpy.arange({first}, {first + self.count}))"]
        for rules, n in way:
            lines += _changes_code(before, rules)
            before = rules
            if n:
                lines += [f"runs = train.sweep(gan, hyper, target, keys, {n}{start})"]
                start = ", start=runs"
        lines += [
            "states = runs.states" if start else "states = jax.vmap(lambda key: train.init(gan, hyper, key))(keys)"
        ]
        return Code("\n".join(lines))


# ---- the widget: messages come in from the page, frames go out ----


class Wall(Live):
    """The live view of a `WallSession`. Make one with `wall`; show it by ending a cell with it.

    Attributes:
        session: all that it trains and shows.
    """

    _esm = pages(*(PAGE / f"{name}.js" for name in (*SCRIPTS, "wall")))
    _called = "wall"

    def __init__(self, session: WallSession, controls: Sequence[str] | None = None, language: str | None = None):
        self.session = session
        setup = described(controls, WALL_CONTROLS, language, session.desk.idle) | {"wall": session.count}
        super().__init__(setup, self._see())

    @property
    def states(self) -> State:
        """All runs as one `State`, whose leaves have a run's number for first axis."""
        return self.session.states

    def summary(self) -> str:
        """What all seeds show, in a sentence or two."""
        return self.session.summary()

    def pick(self, seed: int) -> Lab:
        """Open one seed's run alone in the lab, from where it stands."""
        return Lab({f"seed {seed}": self.session.pick(seed)})

    def _see(self) -> dict[str, Any]:
        """The target as the page draws it, and the menus: they change seldom, so they travel apart from the frames."""
        return {"runs": [_ground("wall", self.session.desk)]}

    # ---- what the page says ----

    def _compile(self) -> None:
        if self.session.cold:
            self.tell("compiling", f"Compiling the step of {self.session.count} runs: once, some seconds.")
        self.session.warm()

    def _advance(self, k: int | None) -> None:
        self.session.advance(k)

    def _settle(self) -> None:
        self.session.score()

    def _look(self, message: dict) -> None:
        """Look at one run closely, or at none."""
        seed = message.get("seed")
        self.session.closer = None if seed is None else self.session.place(seed)
        self.show(message.get("request"))

    answers: ClassVar = ANSWERS | {"look": _look}

    # ---- what the page is told ----

    def show(self, request: Any = None) -> None:
        """Send one frame: a header, and the pictures and tracks of all runs in one block of bytes."""
        self.send_frames([frame(self.session)], request)

    def _still(self) -> tuple[bytes, str]:
        return still(self.session)


def frame(session: WallSession) -> Frame:
    """What the page is told of a wall: a header in plain JSON, and the arrays that travel as bytes.

    Arrays: `surface` (runs, 32, 32) and `fake` (runs, 128, 2) of `pictures`; of the run that is looked at closely
    `closer_surface` (64, 64) and `closer_fake` (512, 2); of each measure `steps_<name>` (points,), `values_<name>`
    (points, runs), `quartiles_<name>` (points, 3) and `ended_<name>` (runs,), the points before each run diverged.
    """
    with session.lock:
        pictures, desk, closer = session.pictures(), session.desk, session.close_up()
        arrays = {"surface": pictures.surface, "fake": pictures.fake}
        if closer is not None:
            arrays |= {"closer_surface": closer.surface[0], "closer_fake": closer.fake[0]}
        found, scores = session.reached, session.scores
        quarters = {name: session.spread(name) for name in session.measures}
        at = np.array([np.iinfo(np.int32).max if step is None else step for step in session.diverged])
        for name, rows in session.tracks.items():
            steps = np.array(rows.steps, np.int32)
            arrays[f"steps_{name}"] = steps
            arrays[f"values_{name}"] = rows.values
            arrays[f"quartiles_{name}"] = np.minimum(quarters[name], BEYOND)
            arrays[f"ended_{name}"] = (steps[:, None] <= at).sum(axis=0)
        told = {
            "seeds": session.seeds,
            "diverged": session.diverged,
            "closer": session.closer,
            "of": session.modes,
            "measures": [{"name": name, "more": measure.more} for name, measure in session.measures.items()],
            "measured": scores is not None,
            "scores": {name: [float(x) for x in values] for name, values in (scores or {}).items()},
            "floors": session.floors if scores else {},
            "quartiles": {name: [_finite(x) for x in rows[-1]] for name, rows in quarters.items() if len(rows)},
            "share": None if found is None else {**found._asdict(), "confidence": CONFIDENCE},
        }
        header = {
            "name": "wall",
            "step": session.step,
            "wall": told,
            "probability": desk.shows_probability,
            "dials": as_json(asdict(desk.hyper)),
            "choices": desk.choices,
            "idle": desk.idle,
            "seed": desk.seed,
        }
    return Frame(header, arrays)


def _finite(value: float) -> float | None:
    """A number that JSON has."""
    return float(value) if math.isfinite(value) else None


def still(session: WallSession) -> tuple[bytes, str]:
    """Draw a wall as it stands without any page: a PNG, and its description in words."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from .. import plots

    with session.lock:
        words, pictures, scores = session.summary(), session.pictures(), session.score()
    columns = min(math.ceil(math.sqrt(session.count)), 8)
    rows = -(-session.count // columns)
    figure = plots.Figure(figsize=(1.3 * columns, 1.45 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    desk, lost = session.desk, session.diverged
    for i, axes in enumerate(figure.subplots(rows, columns, squeeze=False).ravel()):
        axes.set(xticks=[], yticks=[])
        if i >= session.count:
            axes.set_axis_off()
            continue
        window = tuple(desk.window)
        axes.imshow(
            pictures.surface[i], cmap=plots.BELIEF, vmin=0, vmax=255, extent=window, alpha=0.4 if lost[i] else 1
        )
        axes.scatter(*desk.real[:SHOWN].T, s=2, color=plots.REAL, alpha=0.5)
        axes.scatter(*pictures.fake[i].T, s=2, color=plots.FAKE)
        axes.set(xlim=window[:2], ylim=window[2:])
        score = f"{scores['modes'][i]:.0f}/{session.modes}" if session.modes else f"W2 {scores['distance'][i]:.2g}"
        says = score if lost[i] is None else f"diverged at {lost[i]:,}"
        axes.set_title(f"seed {session.seeds[i]}: {says}", fontsize=7, loc="left")
    figure.suptitle(words.split(" (")[0], fontsize=10, x=0.01, ha="left")
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=80)
    return png.getvalue(), f"Wall of {session.count} seeds, target {desk.target_name}. {words}"


def wall(
    gan: Gan | None = None,
    target: data.Target | None = None,
    hyper: Hyperparams | None = None,
    seeds: int = 16,
    *,
    controls: Sequence[str] | None = None,
    seed: int = 0,
    language: str | None = None,
) -> Wall:
    """Open a wall of seeds: many live runs of one GAN that differ in nothing but their random key.

    One lucky run proves nothing. `open` looks at one run closely and goes back in its time; `compare` and
    `explorer.side_by_side` set different GANs beside each other, one seed each; the wall asks how often a result comes
    about, and says how sure the answer is. `train.sweep` does the same without pictures, for more seeds and settings.

    Args:
        gan: the rules; two MLPs with two hidden layers of 64 when left out.
        target: a target of shape (2,); `data.ring(8)` when left out.
        hyper: the dials as they stand at first, for all runs. With no gan and no hyper, D learns twice as fast as G.
        seeds: how many runs, from 4 to 64.
        controls: names in `WALL_CONTROLS` to show beside the buttons; all that can do something when left out.
        seed: the first seed; the others follow it. The run of seed i begins as `open(..., seed=i)` does.
        language: "en" or "zh"; the page's own when left out.

    Returns:
        The widget: end a cell with it, and press Play. `.state` is the Python that brings all runs back,
        `.pick(seed)` opens one of them alone.

    Raises:
        ValueError: too few or too many seeds, a target that is not in the plane, a network that does not fit it.
        UnknownName: a control that is not in `WALL_CONTROLS`.

    >>> from gan_jax import nets
    >>> live = wall(Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16), seeds=4, controls=["lr_g", "lr_d"])
    >>> live.advance(5)
    >>> live.states.step.tolist()
    [5, 5, 5, 5]
    """
    return Wall(WallSession(gan, target, hyper, seeds, seed), controls, language)
