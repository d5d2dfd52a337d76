"""A GAN and a target in the plane come in; a run that a hand can steer goes out: dials, menus, steps, pictures.

`Session` holds all of the laboratory's logic about one run and knows no widget.
"""

import copy
import functools
import math
import threading
import time
from dataclasses import asdict, replace
from typing import Any

import jax
import numpy as np

from .. import data, losses, metrics, nets, theory, train
from ..data.distributions import _draw
from ..errors import Diverged, Menu, check_count, suggestion
from ..train import Gan, Hyperparams
from . import networks
from .code import Code, state
from .densities import generate
from .dials import CHOICES, DIALS, PLAYERS, SAMPLES, as_json
from .frames import Frame
from .layers import LAYERS, describe
from .measures import CHARTS, MEASURES, Tracks
from .presets import Preset
from .timeline import MEMORY, Rules, Timeline, same_target

POINTS = 512
"""Real and fake samples shown."""

BUDGET = 0.012
"""Seconds of training between two pictures, when the lab chooses how many steps to take."""

SHOWN = ("heat", "fake")
"""Layers of a picture when nobody has said."""


class Curve:
    """The losses of a whole run in at most `size` points: when they are full, neighbours merge, by their means.

    >>> curve = Curve(size=4)
    >>> curve.add(np.arange(12.0).reshape(6, 2))
    >>> curve.span, curve.points.tolist()
    (2, [[1.0, 2.0], [5.0, 6.0], [9.0, 10.0]])
    """

    def __init__(self, first: int = 0, size: int = 512):
        self.first, self.size, self.span = first, size, 1
        self.points = self._rest = np.zeros((0, 2))

    def add(self, values: np.ndarray) -> None:
        """Append one row a step, shape (n, 2)."""
        rest = np.concatenate([self._rest, values])
        whole = len(rest) // self.span * self.span
        self.points = np.concatenate([self.points, rest[:whole].reshape(-1, self.span, 2).mean(axis=1)])
        self._rest = rest[whole:]
        while len(self.points) > self.size:
            odd = self.points[len(self.points) // 2 * 2 :]
            self.points = self.points[: len(self.points) // 2 * 2].reshape(-1, 2, 2).mean(axis=1)
            self._rest = np.concatenate([np.repeat(odd, self.span, axis=0), self._rest])
            self.span *= 2

    def cut(self, step: int) -> None:
        """Forget what was measured after a step, by whole bins."""
        self.points = self.points[: max(step - self.first, 0) // self.span]
        if self.first + len(self.points) * self.span + len(self._rest) > step:
            self._rest = self._rest[:0]


@functools.partial(jax.jit, static_argnums=0)
def _latents(gan, key):
    return gan.noise(jax.random.fold_in(key, 1), POINTS)


@jax.jit
def _score(fake, target):
    return metrics.modes_covered(fake, target), metrics.high_quality_share(fake, target)


class Session:
    """A GAN in training, with everything a laboratory needs and no widget: dials, pictures, reset, the way back.

    Every method may be called from any thread.

    Args:
        gan: the rules; two MLPs with two hidden layers of 64 when left out.
        target: a target in the plane; `data.ring(8)` when left out.
        hyper: the dials, one number each. With no gan and no hyper, D learns twice as fast as G.
        seed: from which all weights and noise follow.

    Attributes:
        game: the `train.State` now.
        gan, hyper, target, target_name, seed, players: as they are now.
        window: left, right, bottom and top of the picture.
        real: samples of the target that are shown, shape (POINTS, 2).
        latents: those whose fake samples are shown, shape (POINTS, latent_dim).
        fault: why training stopped by itself; "" while it has not.
        timeline: the past of the run, and what the hand has done.
        tracks: the measures that are followed over time.

    Raises:
        ValueError: the target is not in the plane, or a network does not fit it.

    >>> session = Session(Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16))
    >>> session.set("lr_g", 0.002)
    >>> session.advance(10)
    10
    >>> frame = session.frame()
    >>> frame.arrays["surface"].shape, frame.header["step"]
    ((64, 64), 10)
    """

    game: train.State
    seed: int
    budget = BUDGET
    """Seconds of training between two pictures."""
    memory: float | int = MEMORY
    """Bytes that the states on its timeline may take."""

    def __init__(
        self,
        gan: Gan | None = None,
        target: data.Target | None = None,
        hyper: Hyperparams | None = None,
        seed: int = 0,
    ):
        if hyper is None:
            hyper = Hyperparams() if gan else Hyperparams(lr_g=1e-3, lr_d=2e-3)
        self.lock = threading.RLock()
        self.gan = gan or Gan(nets.mlp(2, 64, 64, 2), nets.mlp(2, 64, 64, 1))
        self.hyper = one_setting(hyper)
        self.samples, self.players = "generator", "both"
        self._menus: dict[str, dict[str, Any]] = {
            "target": dict(data.TARGETS),
            "loss": dict(losses.LOSSES),
            "penalty": dict(losses.PENALTIES),
            "optimizer": dict(train.OPTIMIZERS),
            "update": dict(train.UPDATES),
            "players": dict(PLAYERS),
            "samples": dict(SAMPLES),
        }
        for kind in ("loss", "penalty"):
            own = getattr(self.gan, kind)
            if own not in self._menus[kind].values():
                name = own.name if own.name not in self._menus[kind] else f"your {own.name}"
                self._menus[kind] = {name: own, **self._menus[kind]}
        self._show_target(*self._name_target(target))
        self.timeline, self.tracks = Timeline(self.memory), Tracks()
        self._pace: dict[Any, float] = {}  # seconds a step, of each program compiled so far
        self._begin(seed)
        # the networks meet the target here, not at the first press of play
        self._meet(self.gan)

    def _meet(self, gan: Gan) -> None:
        """Raise where the networks do not fit the target, without compiling anything."""
        start = jax.eval_shape(functools.partial(train.init, gan, self.hyper), jax.random.key(0))
        jax.eval_shape(lambda *a: train.step(gan, *a)[0], self.hyper, self.target, start)

    def _name_target(self, target: Any) -> tuple[str, Any]:
        if self.gan.classes or self.gan.auxiliary:
            raise ValueError(
                "the lab of points shows a GAN without labels and heads, and this one is told "
                f"{self.gan.classes} classes and has {'heads' if self.gan.auxiliary else 'no heads'}; train it with "
                "train.run, or show images with lab.images"
            )
        if target is None:
            return "ring", data.ring(8)
        if not isinstance(target, data.Target):
            raise TypeError(f"expected a target such as data.ring(8), got {target!r}")
        if tuple(target.shape) != (2,):
            images = "; lab.images(gan, target) shows images" if isinstance(target, data.Dataset) else ""
            raise ValueError(
                f"the lab shows targets in the plane, of shape (2,); this one's is {tuple(target.shape)}{images}"
            )
        for name, make in data.TARGETS.items():
            if same_target(make(), target):
                return name, target
        self._menus["target"] = {"yours": lambda: target, **self._menus["target"]}
        return "yours", target

    def _show_target(self, name: str, target: Any) -> None:
        self.target_name, self.target = name, target
        if not (isinstance(target, data.Drawn) and self._holds(target)):  # a drawing stays where the hand drew it
            self.window = np.asarray(data.bounds(target), np.float32)
        self.real = np.asarray(_draw(target, jax.random.key(1), 4096))[:POINTS]  # the program that `bounds` runs

    def _holds(self, target: data.Drawn) -> bool:
        """Whether the present window, where there is one, holds all of a drawing."""
        window, points = getattr(self, "window", None), np.asarray(target.points)
        return window is not None and bool(np.all((points >= window[::2]) & (points <= window[1::2])))

    @property
    def choices(self) -> dict[str, str]:
        """The menus' entries as they are chosen now, by name."""
        names = {"target": self.target_name, "samples": self.samples, "players": self.players}
        for kind in ("loss", "penalty"):
            names[kind] = next(name for name, entry in self._menus[kind].items() if entry == getattr(self.gan, kind))
        now = {name: str(value) for name, value in networks.current(self.gan).items()}
        return {**names, "optimizer": self.gan.optimizer, "update": self.gan.update, **now}

    @property
    def menus(self) -> dict[str, list[tuple[str, str]]]:
        """Every menu's entries, as (name, label)."""
        entries = {**self._menus, **networks.menus(self.gan)}
        return {
            kind: [(name, getattr(entry, "name", name)) for name, entry in entries[kind].items()] for kind in CHOICES
        }

    @property
    def idle(self) -> dict[str, str]:
        """The dials and menus that change nothing under the present rules, and why: keys of `words/controls.json`."""
        reasons = {}
        if self.gan.penalty is None:
            reasons["penalty_weight"] = "idle_no_penalty"
        if self.hyper.instance_noise == 0:
            reasons["noise_steps"] = "idle_no_noise"
        if self.gan.auxiliary is None:
            reasons["auxiliary_weight"] = "idle_no_auxiliary"
        if not self.gan.loss.has_labels:
            reasons["label_smoothing"] = "idle_no_labels"
        if self.gan.optimizer == "rmsprop":
            reasons["beta1"] = "idle_rmsprop"
        if self.gan.optimizer == "sgd":
            reasons["beta2"] = "idle_sgd"
        if self.gan.update == "extragradient":
            reasons["d_steps"] = reasons["g_steps"] = "idle_extragradient"
        for name in PLAYERS[self.players]:
            reasons[name] = "idle_held"
        for name, value in networks.current(self.gan).items():
            if value is None:
                reasons[name] = "idle_your_network"
        return reasons

    @property
    def in_force(self) -> Hyperparams:
        """The dials as the next step takes them: a player who is held still learns at a rate of 0."""
        return self.rules.in_force

    @property
    def _program(self) -> Any:
        """What the compiled step depends on."""
        leaves, structure = jax.tree.flatten(self.target)
        return self.gan, structure, tuple(np.shape(leaf) for leaf in leaves)

    @property
    def cold(self) -> bool:
        """Whether the next step has to be compiled first."""
        return self._program not in self._pace

    @property
    def pace(self) -> float:
        """Seconds a step takes, by what was seen of late; compiles the step when nothing was."""
        self.warm()
        return self._pace[self._program]

    def reset(self, seed: int | None = None) -> None:
        """Begin again at step 0, from the same seed or another, with dials and menus as they stand."""
        with self.lock, self.timeline.action(self, "reset"):
            self._begin(self.seed if seed is None else seed)

    def _begin(self, seed: int) -> None:
        check_count(seed, "seed", least=0)
        if seed >= 2**32:
            raise ValueError(f"seed must be below 2**32, got {seed}")
        self.seed, self.fault = int(seed), ""
        key = jax.random.key(self.seed)
        self.game = train.init(self.gan, self.hyper, key)
        self.latents = self._fixed_latents(self.gan, key)
        self.timeline.reset(self.seed, self.game)
        self._restart_curve()
        self._keep_anchor()

    def _fixed_latents(self, gan: Gan, key: Any) -> jax.Array:
        """The latents whose samples are shown as long as the seed stays."""
        return _latents(gan, key)

    def _keep_anchor(self) -> None:
        """Remember a place to go back to, should the last good state of a divergence prove to be past saving."""
        self._anchor = self.game, copy.copy(self._curve), self.gan

    def _restart_curve(self) -> None:
        self._curve = Curve(first=int(self.game.step))
        self.tracks.clear()
        self.references = theory.equilibrium(self.gan.loss, self.hyper.label_smoothing)

    def set(self, name: str, value: Any) -> None:
        """Move a dial, or choose from a menu.

        A dial never compiles anew. A menu may, at the next step; those whose `Choice.afresh` says so also begin again
        at step 0, because weights or an optimiser's memory take another shape. With the others training goes on from
        the same weights.

        Args:
            name: a name in `DIALS` or in `CHOICES`.
            value: a number within the dial's range, or a name on the menu.

        Raises:
            UnknownName: no such name on the menu.
            ValueError: an unknown control, a number outside its range, or rules that do not go together; nothing is
                changed.
            TypeError: a value that is no number.
        """
        with self.lock, self.timeline.action(self, name):
            if name in DIALS:
                self._turn(name, value)
            elif name in CHOICES:
                self._choose(name, value)
            else:
                raise ValueError(f"no control is named {name!r}; {suggestion(name, [*DIALS, *CHOICES])}")
            self.fault = ""

    def turned(self, name: str, value: Any) -> Hyperparams:
        """The dials with one of them moved; raises as `set` does, and moves nothing."""
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise TypeError(f"{name} must be a number, got {value!r}")
        hyper = replace(self.hyper, **{name: float(value)})
        train.dials(self.gan, hyper)
        return hyper

    def _turn(self, name: str, value: Any) -> None:
        self.hyper = self.turned(name, value)
        if name == "label_smoothing":
            self.references = theory.equilibrium(self.gan.loss, self.hyper.label_smoothing)

    def _choose(self, kind: str, name: Any) -> None:
        if kind in self._menus:
            entry = Menu(kind, self._menus[kind])[name]
        if kind in ("samples", "players"):
            setattr(self, kind, name)
        elif kind == "target":
            self.take_target(name, entry())
        elif kind in ("loss", "penalty"):
            self.gan = replace(self.gan, **{kind: entry})
            if not self.gan.loss.has_labels:
                self.hyper = replace(self.hyper, label_smoothing=0.0)
            if kind == "loss":
                self._restart_curve()
        else:
            new = replace(self.gan, **{kind: name}) if kind in self._menus else networks.chosen(self.gan, kind, name)
            self._meet(new)
            if new != self.gan:
                self.gan = new
                if CHOICES[kind].afresh:
                    self.reset()
                elif kind == "latent":
                    self.latents = self._fixed_latents(self.gan, jax.random.key(self.seed))

    def take_target(self, name: str, target: data.Target) -> None:
        """Train towards another target from here on; the weights stay, the losses' curves begin anew.

        Args:
            name: what it is called on the menu, which takes it up under this name.
            target: a target in the plane.
        """
        with self.lock, self.timeline.action(self, "drawing" if name == "drawn" else "target"):
            if name not in data.TARGETS:
                self._menus["target"] = {**self._menus["target"], name: lambda: target}
            self._show_target(name, target)
            self._restart_curve()
            self.fault = ""

    def take(self, preset: Preset) -> None:
        """Begin anew as a preset says: rules, dials and target, both players learning, at step 0 of the same seed."""
        with self.lock, self.timeline.action(self, "preset"):
            self.gan, self.hyper = preset.gan, one_setting(preset.hyper)
            self.samples, self.players = "generator", "both"
            self.take_target(preset.target_name, preset.make_target())
            self._begin(self.seed)

    def warm(self) -> None:
        """Compile the step, if it is not, without taking one."""
        with self.lock:
            if self.cold:
                train.steps(self.gan, self.in_force, self.target, self.game, 1)
                seconds = self._timed(1)
                # one quick step says little; a slow one need not be taken again
                self._pace[self._program] = seconds if seconds > 0.05 else self._timed(4)

    def _timed(self, n: int) -> float:
        """Seconds a step, of n that lead nowhere."""
        started = time.perf_counter()
        train.steps(self.gan, self.in_force, self.target, self.game, n)
        return (time.perf_counter() - started) / n

    def advance(self, k: int | None = None) -> int:
        """Take k steps, or as many as fit in `budget`, at least one and at most 1,024.

        Args:
            k: how many; chosen by the time they take when left out.

        Returns:
            How many were taken.

        Raises:
            Diverged: training left the finite numbers. The session keeps the last good state, and goes on from it
                when the dials are turned back; if that state cannot be saved, from one some 200 steps before.
        """
        if k is not None:
            check_count(k, "k")
        with self.lock:
            pace = self.pace
            n = min(max(int(self.budget / pace), 1), 1024) if k is None else int(k)
            started = time.perf_counter()
            try:
                state, history = train.advance(self.gan, self.in_force, self.target, self.game, n)
            except Diverged as fault:
                raise self._retreat(fault) from None
            self.arrive(state, history)
            seconds = (time.perf_counter() - started) / n
            self._pace[self._program] = pace + 0.3 * (seconds - pace)
            return n

    def arrive(self, state: train.State, history: train.History) -> None:
        """Take up the state that some steps led to, under the present rules and dials, with what they measured."""
        with self.lock:
            self.game, self.fault = state, ""
            self._note(history)
            rows = np.concatenate([np.ravel(row) for row in history])
            if state.step >= self._anchor[0].step + 200 and np.max(np.abs(rows)) < 100:
                self._keep_anchor()

    def _retreat(self, fault: Diverged) -> Diverged:
        """Go to the last good state; from there, when not one step succeeds, to the one remembered from before."""
        if fault.step > self.game.step:
            self.game = fault.state
            self._note(fault.history)
        else:
            self.game, self._curve, gan = self._anchor
            self.timeline.retreat(int(self.game.step))
            self._keep_anchor()
            if gan.loss != self.gan.loss:
                self._restart_curve()
            text = f"{fault} No step from there succeeded: the lab went back to step {int(self.game.step)}."
            fault = Diverged(text, step=fault.step, state=self.game, history=fault.history)
        self.fault = str(fault)
        return fault

    def _note(self, history: train.History) -> None:
        rows = np.stack([np.ravel(history.loss_d), np.ravel(history.loss_g)], axis=1)
        self._curve.cut(int(self.game.step) - len(rows))  # where the run was taken up at an earlier step
        self.tracks.cut(int(self.game.step) - len(rows))
        self._curve.add(rows.astype(np.float64))
        self.timeline.note(self.rules, self.game, len(rows))

    @property
    def rules(self) -> Rules:
        """What the next step is taken by."""
        return Rules(self.gan, self.target_name, self.target, self.hyper, self.players)

    @property
    def pictures(self) -> tuple[Curve, Tracks]:
        """The charts as they are drawn now, to come back to."""
        return copy.copy(self._curve), copy.deepcopy(self.tracks)

    def stand(
        self,
        game: train.State,
        rules: Rules,
        samples: str,
        seed: int | None,
        pictures: tuple[Curve, Tracks] | None = None,
    ) -> None:
        """Stand at another moment of this run or of another one: `Timeline` calls it, to travel and to undo.

        Args:
            game: the state there.
            rules: by which the next step is taken.
            samples: name in `SAMPLES`.
            seed: of the run's first state; None where somebody put that there.
            pictures: the charts there, where they are known.
        """
        with self.lock:
            anew = (
                rules.gan.loss != self.gan.loss or int(game.step) < self._curve.first or seed not in (self.seed, None)
            )
            if anew or rules.gan != self.gan:
                self.seed = self.seed if seed is None else seed
                self.latents = self._fixed_latents(rules.gan, jax.random.key(self.seed))
            self.game, self.gan, self.players, self.samples, self.fault = game, rules.gan, rules.players, samples, ""
            self.hyper = rules.hyper
            if rules.target_name != self.target_name or not same_target(rules.target, self.target):
                self._show_target(rules.target_name, rules.target)
                anew = True
            if pictures:
                self._curve, self.tracks = copy.copy(pictures[0]), copy.deepcopy(pictures[1])
            elif anew:
                self._restart_curve()
            self.references = theory.equilibrium(self.gan.loss, self.hyper.label_smoothing)
            self._keep_anchor()

    def travel(self, step: int, *, exact: bool = True, seconds: float | None = None) -> int:
        """Go to another step of the run, with dials and menus as they were there; see `Timeline.travel`.

        The steps after it stay, until training goes on in another way than it did.

        >>> session = Session(Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16))
        >>> _ = session.advance(10)
        >>> session.travel(4), int(session.game.step), session.timeline.line.end
        (4, 4, 10)
        """
        with self.lock:
            return self.timeline.travel(self, step, exact=exact, seconds=seconds)

    def undo(self) -> str:
        """Take the last action back: a dial, a menu, a reset, a way through time, a drawing. Returns which it was."""
        with self.lock:
            return self.timeline.undo(self)

    def redo(self) -> str:
        """Do again what `undo` has taken back."""
        with self.lock:
            return self.timeline.redo(self)

    def take_way(self, name: str) -> None:
        """Change over to the end of a way that was left, a name in `timeline.kept`; the present one is kept there."""
        with self.lock:
            self.timeline.take(self, name)

    def branch(self, step: int | None = None) -> "Session":
        """Make another session that shares the past up to a step, the present one when left out, and goes its own way.

        >>> session = Session(Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16))
        >>> _ = session.advance(10)
        >>> other = session.branch(4)
        >>> other.advance(1), int(other.game.step), int(session.game.step)
        (1, 5, 10)
        """
        with self.lock:
            step = self.timeline.at if step is None else step
            here = step == self.timeline.at
            state = self.game if here else self.timeline.at_step(step)
            rules = self.rules if here else (self.timeline.line.rules_at(step) or self.rules)
            other = copy.copy(self)
            other.lock, other._menus = threading.RLock(), {kind: dict(menu) for kind, menu in self._menus.items()}
            other.timeline, other._pace = self.timeline.fork(step), dict(self._pace)
            other._curve, other.tracks = self.pictures
            other.stand(state, rules, self.samples, self.timeline.line.seed)
            other._curve.cut(step)
            other.tracks.cut(step)
            return other

    def begin(self, rules: Rules, seed: int) -> None:
        """Begin another run at step 0 by other rules; the one before stays within reach of undo."""
        with self.lock, self.timeline.action(self, "restore"):
            self._meet(rules.gan)
            self.gan, self.hyper, self.players = rules.gan, rules.hyper, rules.players
            self.take_target(rules.target_name, rules.target)
            self._begin(seed)

    @property
    def state(self) -> Code:
        """The Python that brings this run back, step by step, outside the lab; see `code.state`."""
        return state(self)

    def frame(self, layers: tuple[str, ...] = SHOWN, charts: tuple[str, ...] = ("losses",)) -> Frame:
        """Take a picture of the game.

        Args:
            layers: what it shows.
            charts: what is drawn over time.

        Returns:
            A `Frame`. Its arrays: "surface", D's answer on a grid over the window, top row first, 0 fake and 255 real,
            shape (SIDE, SIDE); "fake", samples from G, always of the same latents, shape (POINTS, 2); "curve", D's and
            G's losses since the last reset in at most 512 equal bins of steps, shape (bins, 2). Its header: "step";
            "ends", what 0 and 255 stand for, 0 and 1 where D's answer is a probability, else logits; "first" and
            "span", the step at which the curve begins and the steps a bin; "modes" and "quality", modes that the fake
            samples reach and the share of them within 3 standard deviations of their mode, or None; "references", the
            losses at equilibrium; and "dials", "choices", "idle", "seed" and "fault" as they are.
        """
        with self.lock:
            arrays: dict[str, np.ndarray] = {}
            for name in dict.fromkeys(("heat", *layers)):
                if name != "fake" and not LAYERS[name].reason(self):
                    arrays |= LAYERS[name].compute(self)
            generator = self.game.averaged_generator if SAMPLES[self.samples] else self.game.generator
            fake = arrays["fake"] = np.asarray(generate(generator, self.latents))
            arrays["curve"] = self._curve.points.astype(np.float32)
            self.tracks.follow([name for chart in charts for name in CHARTS[chart].measures if name in MEASURES])
            self.tracks.update(self)
            arrays |= self.tracks.arrays()
            score = _score(fake, self.target) if isinstance(self.target, data.Mixture) else None
            header = self._header() | {
                "ends": arrays.pop("surface_ends").tolist(),
                "probability": self.shows_probability,
                "modes": None if score is None else int(score[0]),
                "quality": None if score is None else float(score[1]),
                "timeline": self.timeline.describe(),
                "measures": self.tracks.describe(self),
                "layers": describe(self),
            }
            return Frame(header, arrays)

    def _header(self) -> dict[str, Any]:
        """What is told of any run: where it stands, and all that can be moved."""
        return {
            "step": int(self.game.step),
            "first": self._curve.first,
            "span": self._curve.span,
            "references": [_reference(value) for value in self.references],
            "dials": as_json(asdict(self.hyper)),
            "choices": self.choices,
            "idle": self.idle,
            "seed": self.seed,
            "fault": self.fault,
        }

    @property
    def shows_probability(self) -> bool:
        """Whether sigmoid(logit) is D's probability that a sample is real: true of the cross-entropy losses."""
        return self.gan.loss in losses.CROSS_ENTROPIES


def one_setting(hyper: Hyperparams) -> Hyperparams:
    """Dials as Python floats, one number each.

    Raises:
        TypeError: no `Hyperparams`.
        ValueError: a dial is an array.
    """
    if not isinstance(hyper, Hyperparams):
        raise TypeError(f"expected Hyperparams(...), got {hyper!r}")
    for name, value in asdict(hyper).items():
        if np.ndim(value):
            raise ValueError(f"the lab trains one GAN: {name} must be one number, its shape is {np.shape(value)}")
    return Hyperparams(**{name: float(value) for name, value in asdict(hyper).items()})


def _reference(value: float | None) -> list | None:
    """A reference value with the name that it goes by."""
    if value is None:
        return None
    known = {2 * math.log(2): "2 log 2", math.log(2): "log 2", -math.log(2): "−log 2"}
    return [value, next((name for exact, name in known.items() if abs(value - exact) < 1e-5), f"{value:.3g}")]
