"""A GAN and a target in the plane come in; a live laboratory goes out: a widget whose dials answer while it trains.

`Session` holds all the logic and knows no widget. `Lab` carries it to the page: the page asks for a few steps, the
kernel takes them and answers with one picture, the page paints it and asks again. So training needs no thread, never
outruns the page, and stops with it.
"""

import copy
import functools
import io
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import traitlets
from jaxtyping import Float, UInt8

from . import data, losses, metrics, nets, theory, train
from .data.distributions import _draw
from .errors import Diverged, Menu, check_count, suggestion
from .explorer.ground import ground
from .explorer.page import StillWidget, page
from .train import Gan, Hyperparams

SIDE = 64
"""Pixels a side of the heat map."""

POINTS = 512
"""Real and fake samples shown."""

BUDGET = 0.025
"""Seconds of training between two pictures, when the lab chooses how many steps to take."""


class Dial(NamedTuple):
    """How a field of `Hyperparams` looks as a slider.

    Attributes:
        label: what stands before it.
        scale: "linear"; "log"; "log or 0" and "log or none", logarithmic with 0 at the left, infinity at the right
            end; "near 1", logarithmic in 1 - value.
        low, high: values at the ends of the scale.
        help: one sentence on what it does.
    """

    label: str
    scale: str
    low: float
    high: float
    help: str


DIALS: Menu[Dial] = Menu(
    "dial",
    {
        "lr_g": Dial("Learning rate of G", "log or 0", 1e-5, 1e-1, "How far the generator moves; 0 holds it."),
        "lr_d": Dial("Learning rate of D", "log or 0", 1e-5, 1e-1, "How far the discriminator moves; 0 holds it."),
        "beta1": Dial("β₁, momentum", "linear", 0.0, 0.99, "How long the optimizer remembers the gradient."),
        "beta2": Dial("β₂, scaling", "near 1", 0.0, 0.9999, "How long it remembers the squared gradient."),
        "penalty_weight": Dial("Penalty weight", "log or 0", 1e-3, 1e2, "Multiplies the gradient penalty on D."),
        "instance_noise": Dial("Instance noise", "linear", 0.0, 0.5, "Gaussian noise added to all that D sees."),
        "noise_steps": Dial("Steps of noise", "log or none", 1e2, 1e5, "Steps over which the noise falls to 0."),
        "label_smoothing": Dial("Label smoothing", "linear", 0.0, 0.5, "The real label is 1 minus this."),
        "weight_clip": Dial(
            "Weight clip", "log or none", 1e-3, 1e1, "D's weights are held within plus and minus this."
        ),
        "ema_decay": Dial("Averaging of G", "near 1", 0.0, 0.9999, "Memory of the running average of G's weights."),
    },
)
"""Every dial of `Hyperparams`, in the order in which they are shown."""

SAMPLES = Menu("kind of samples", {"generator": False, "average": True})
"""Whose samples are shown: the generator's, or those of the running average of its weights."""

LABELS = {
    "adam": "Adam",
    "optimistic_adam": "optimistic Adam",
    "rmsprop": "RMSProp",
    "sgd": "SGD",
    "generator": "as trained",
    "average": "averaged G",
}

CHOICES = ("target", "loss", "penalty", "optimizer", "update", "samples")
CONTROLS = Menu("control", dict.fromkeys([*CHOICES, "seed", "speed", *DIALS]))
"""What `open(controls=[...])` may show beside the buttons."""


class Code(str):
    """Python text that shows itself as it is written."""

    __slots__ = ()
    __repr__ = str.__str__


class Frame(NamedTuple):
    """One picture of the game, as host copies.

    Attributes:
        surface: D's answer on a grid over the window, shape (SIDE, SIDE), top row first: 0 fake, 255 real.
        fake: samples from G, always of the same latents, shape (POINTS, 2).
        curve: D's and G's losses since the last reset in at most 512 equal bins of steps, shape (bins, 2).
        first: step at which the curve begins.
        span: steps a bin.
        step: steps taken.
        low, high: what 0 and 255 stand for: 0 and 1 where D's answer is a probability, logits elsewhere.
        modes: modes that the fake samples reach; None for a target without modes.
        quality: share of the fake samples within 3 standard deviations of their mode; likewise.
    """

    surface: UInt8[np.ndarray, "side side"]
    fake: Float[np.ndarray, "points 2"]
    curve: Float[np.ndarray, "bins 2"]
    first: int
    span: int
    step: int
    low: float
    high: float
    modes: int | None
    quality: float | None


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


@functools.partial(jax.jit, static_argnums=0)
def _latents(gan, key):
    return gan.noise(jax.random.fold_in(key, 1), POINTS)


@functools.partial(jax.jit, static_argnames=("together", "packing"))
def _picture(generator, discriminator, latents, real, window, probability, *, together, packing):
    """D on a grid and G's samples, for any loss; nothing here is static but the networks' structure."""
    # a D that judges several samples together sees each point among real ones
    logits = lambda points: train.judge(discriminator, points, real[: together - 1], packing=packing)  # noqa: E731
    fake, from_the_top = generator(latents), window[jnp.array([0, 1, 3, 2])]
    level, ends = ground(logits, from_the_top, SIDE, real, fake, probability)
    return jnp.round(255 * jnp.clip(level, 0, 1)).astype(jnp.uint8), fake, ends


@jax.jit
def _score(fake, target):
    return metrics.modes_covered(fake, target), metrics.high_quality_share(fake, target)


def _call(name: str, arguments: Sequence[str], **keywords: Any) -> str:
    return f"{name}({', '.join([*arguments, *(f'{key}={value}' for key, value in keywords.items())])})"


def _number(value: float) -> str:
    return 'float("inf")' if math.isinf(value) else f"{value!r}"


def _changed(new: Any, old: Any) -> dict[str, Any]:
    """The fields in which two dataclasses of one kind differ."""
    return {f.name: getattr(new, f.name) for f in fields(new) if getattr(new, f.name) != getattr(old, f.name)}


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
        gan, hyper, target, seed: as they are now.

    Raises:
        ValueError: the target is not in the plane, or a network does not fit it.

    >>> session = Session(Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16))
    >>> session.set("lr_g", 0.002)
    >>> session.advance(10)
    10
    >>> session.frame().surface.shape, session.frame().step
    ((64, 64), 10)
    """

    game: train.State
    seed: int

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
        self.hyper = _one_setting(hyper)
        self.samples = "generator"
        self._menus: dict[str, dict[str, Any]] = {
            "target": dict(data.TARGETS),
            "loss": dict(losses.LOSSES),
            "penalty": dict(losses.PENALTIES),
            "optimizer": dict(train.OPTIMIZERS),
            "update": dict(train.UPDATES),
            "samples": dict(SAMPLES),
        }
        for kind in ("loss", "penalty"):
            own = getattr(self.gan, kind)
            if own not in self._menus[kind].values():
                name = own.name if own.name not in self._menus[kind] else f"your {own.name}"
                self._menus[kind] = {name: own, **self._menus[kind]}
        self._show_target(*self._name_target(target))
        self._pace: dict[Any, float] = {}  # seconds a step, of each program compiled so far
        self.reset(seed)
        # the networks meet the target here, not at the first press of play
        jax.eval_shape(lambda *a: train.step(self.gan, *a)[0], self.hyper, self.target, self.game)

    def _name_target(self, target: Any) -> tuple[str, Any]:
        if target is None:
            return "ring", data.ring(8)
        if not isinstance(target, data.Target):
            raise TypeError(f"expected a target such as data.ring(8), got {target!r}")
        if tuple(target.shape) != (2,):
            raise ValueError(f"the lab shows targets in the plane, of shape (2,); this one's is {tuple(target.shape)}")
        for name, make in data.TARGETS.items():
            if _same(make(), target):
                return name, target
        self._menus["target"] = {"yours": lambda: target, **self._menus["target"]}
        return "yours", target

    def _show_target(self, name: str, target: Any) -> None:
        self.target_name, self.target = name, target
        self.window = np.asarray(data.bounds(target), np.float32)
        self.real = np.asarray(_draw(target, jax.random.key(1), 4096))[:POINTS]  # the program that `bounds` runs

    @property
    def choices(self) -> dict[str, str]:
        """The menus' entries as they are chosen now, by name."""
        names = {"target": self.target_name, "samples": self.samples}
        for kind in ("loss", "penalty"):
            names[kind] = next(name for name, entry in self._menus[kind].items() if entry == getattr(self.gan, kind))
        return {**names, "optimizer": self.gan.optimizer, "update": self.gan.update}

    @property
    def menus(self) -> dict[str, list[tuple[str, str]]]:
        """Every menu's entries, as (name, label)."""
        return {
            kind: [(name, getattr(entry, "name", LABELS.get(name, name))) for name, entry in entries.items()]
            for kind, entries in self._menus.items()
        }

    @property
    def idle(self) -> dict[str, str]:
        """The dials that change nothing under the present rules, and why."""
        reasons = {}
        if self.gan.penalty is None:
            reasons["penalty_weight"] = "no effect without a penalty"
        if self.hyper.instance_noise == 0:
            reasons["noise_steps"] = "there is no instance noise"
        if not self.gan.loss.has_labels:
            reasons["label_smoothing"] = f"the loss '{self.gan.loss.name}' has no labels"
        if self.gan.optimizer == "rmsprop":
            reasons["beta1"] = "RMSProp has no momentum"
        if self.gan.optimizer == "sgd":
            reasons["beta2"] = "SGD does not look at the gradient's size"
        if self.samples == "generator":
            reasons["ema_decay"] = "seen when the samples are the average's"
        return reasons

    @property
    def _program(self) -> Any:
        """What the compiled step depends on."""
        leaves, structure = jax.tree.flatten(self.target)
        return self.gan, structure, tuple(np.shape(leaf) for leaf in leaves)

    @property
    def cold(self) -> bool:
        """Whether the next step has to be compiled first."""
        return self._program not in self._pace

    def reset(self, seed: int | None = None) -> None:
        """Begin again at step 0, from the same seed or another, with dials and menus as they stand."""
        if seed is not None:
            check_count(seed, "seed", least=0)
            if seed >= 2**32:
                raise ValueError(f"seed must be below 2**32, got {seed}")
        with self.lock:
            self.seed = int(self.seed if seed is None else seed)
            key = jax.random.key(self.seed)
            self.game = train.init(self.gan, self.hyper, key)
            self._latents = _latents(self.gan, key)
            self._way: list[tuple[Gan, str, Hyperparams, int]] = [(self.gan, self.target_name, self.hyper, 0)]
            self._restart_curve()
            self._keep_anchor()

    def _keep_anchor(self) -> None:
        """Remember a place to go back to, should the last good state of a divergence prove to be past saving."""
        self._anchor = self.game, list(self._way), copy.copy(self._curve), self.gan

    def _restart_curve(self) -> None:
        self._curve = Curve(first=int(self.game.step))
        self.references = theory.equilibrium(self.gan.loss, self.hyper.label_smoothing)

    def set(self, name: str, value: Any) -> None:
        """Move a dial, or choose from a menu; training goes on from the same weights.

        A dial never compiles anew. A menu may, at the next step; another optimizer also begins again at step 0,
        because its memory is of another shape.

        Args:
            name: a field of `Hyperparams`, or "target", "loss", "penalty", "optimizer", "update", "samples".
            value: a number within the dial's range, or a name on the menu.

        Raises:
            UnknownName: no such name on the menu.
            ValueError: an unknown control, or a number outside its range; nothing is changed.
            TypeError: a value that is no number.
        """
        with self.lock:
            if name in DIALS:
                self._turn(name, value)
            elif name in CHOICES:
                self._choose(name, value)
            else:
                raise ValueError(f"no control is named {name!r}; {suggestion(name, [*DIALS, *CHOICES])}")

    def _turn(self, name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise TypeError(f"{name} must be a number, got {value!r}")
        hyper = replace(self.hyper, **{name: float(value)})
        train.dials(self.gan, hyper)
        self.hyper = hyper
        if name == "label_smoothing":
            self.references = theory.equilibrium(self.gan.loss, self.hyper.label_smoothing)

    def _choose(self, kind: str, name: Any) -> None:
        entry = Menu(kind, self._menus[kind])[name]
        if kind == "samples":
            self.samples = name
        elif kind == "target":
            self._show_target(name, entry())
        else:
            keeps_entry = kind in ("loss", "penalty")
            self.gan = replace(self.gan, **{kind: entry if keeps_entry else name})
            if not self.gan.loss.has_labels:
                self.hyper = replace(self.hyper, label_smoothing=0.0)
            if kind == "optimizer":
                self.reset()
            elif kind == "loss":
                self._restart_curve()

    def warm(self) -> None:
        """Compile the step, if it is not, without taking one."""
        with self.lock:
            if self.cold:
                train.steps(self.gan, self.hyper, self.target, self.game, 1)
                started = time.perf_counter()
                train.steps(self.gan, self.hyper, self.target, self.game, 4)
                self._pace[self._program] = (time.perf_counter() - started) / 4

    def advance(self, k: int | None = None) -> int:
        """Take k steps, or as many as fit in `BUDGET`, at most 1,024.

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
            self.warm()
            pace = self._pace[self._program]
            n = min(max(int(BUDGET / pace), 1), 1024) if k is None else int(k)
            started = time.perf_counter()
            try:
                self.game, history = train.advance(self.gan, self.hyper, self.target, self.game, n)
            except Diverged as fault:
                raise self._retreat(fault) from None
            self._note(history)
            seconds = (time.perf_counter() - started) / n
            self._pace[self._program] = pace + 0.3 * (seconds - pace)
            if self.game.step >= self._anchor[0].step + 200 and np.max(np.abs(history)) < 100:
                self._keep_anchor()
            return n

    def _retreat(self, fault: Diverged) -> Diverged:
        """Go to the last good state; from there, when not one step succeeds, to the one remembered from before."""
        if fault.step > self.game.step:
            self.game = fault.state
            self._note(fault.history)
            return fault
        self.game, self._way, self._curve, gan = self._anchor
        self._keep_anchor()
        if gan.loss != self.gan.loss:
            self._restart_curve()
        text = f"{fault} No step from there succeeded: the lab went back to step {int(self.game.step)}."
        return Diverged(text, step=fault.step, state=self.game, history=fault.history)

    def _note(self, history: train.History) -> None:
        self._curve.add(np.stack([history.loss_d, history.loss_g], axis=1).astype(np.float64))
        now, n = (self.gan, self.target_name, self.hyper), len(history.loss_d)
        *rest, last = self._way
        self._way = [*rest, (*now, last[3] + n)] if last[:3] == now or not last[3] else [*rest, last, (*now, n)]

    def frame(self) -> Frame:
        """Take a picture of the game."""
        with self.lock:
            generator = self.game.averaged_generator if SAMPLES[self.samples] else self.game.generator
            surface, fake, ends = _picture(
                generator,
                self.game.discriminator,
                self._latents,
                self.real,
                self.window,
                self.shows_probability,
                together=self.gan.judged_together,
                packing=self.gan.packing,
            )
            score = _score(fake, self.target) if isinstance(self.target, data.Mixture) else None
            low, high = np.asarray(ends).tolist()
            return Frame(
                surface=np.asarray(surface),
                fake=np.asarray(fake),
                curve=self._curve.points.astype(np.float32),
                first=self._curve.first,
                span=self._curve.span,
                step=int(self.game.step),
                low=low,
                high=high,
                modes=None if score is None else int(score[0]),
                quality=None if score is None else float(score[1]),
            )

    @property
    def shows_probability(self) -> bool:
        """Whether sigmoid(logit) is D's probability that a sample is real: true of the cross-entropy losses."""
        return self.gan.loss in losses.CROSS_ENTROPIES

    @property
    def state(self) -> Code:
        """The Python that brings this run back, step by step, outside the lab.

        >>> print(Session(seed=3).state)
        from dataclasses import replace
        import jax
        from gan_jax import data, losses, nets, train
        <BLANKLINE>
        gan = train.Gan(nets.mlp(2, 64, 64, 2), nets.mlp(2, 64, 64, 1))
        hyper = train.Hyperparams(lr_d=0.002)
        target = data.TARGETS["ring"]()
        state = train.init(gan, hyper, jax.random.key(3))
        """
        with self.lock:
            way, seed = list(self._way), self.seed
            if not way[-1][3]:
                way[-1] = (self.gan, self.target_name, self.hyper, 0)
        gan, target, hyper, _ = way[0]
        lines = ["from dataclasses import replace", "import jax", "from gan_jax import data, losses, nets, train", ""]
        lines += [f"gan = {self._gan_code(gan)}", f"hyper = {_hyper_code(hyper)}", self._target_code(target)]
        lines += [f"state = train.init(gan, hyper, jax.random.key({seed}))"]
        for new_gan, new_target, new_hyper, n in way:
            if changes := _changed(new_gan, gan):
                lines += [f"gan = {_call('replace', ['gan'], **self._rules_code(changes))}"]
            if new_target != target:
                lines += [self._target_code(new_target)]
            if changes := _changed(new_hyper, hyper):
                numbers = {name: _number(value) for name, value in changes.items()}
                lines += [f"hyper = {_call('replace', ['hyper'], **numbers)}"]
            gan, target, hyper = new_gan, new_target, new_hyper
            if n:
                lines += [f"state, history = train.steps(gan, hyper, target, state, {n})"]
        return Code("\n".join(lines))

    def _target_code(self, name: str) -> str:
        return (
            "target = your_target  # as given to lab.open" if name == "yours" else f'target = data.TARGETS["{name}"]()'
        )

    def _rules_code(self, rules: dict[str, Any]) -> dict[str, str]:
        """Fields of a `Gan` as Python; what no menu names is called yours."""
        code = {name: repr(value) for name, value in rules.items()}
        for kind, menu, place in (("loss", losses.LOSSES, "LOSSES"), ("penalty", losses.PENALTIES, "PENALTIES")):
            if kind in rules:
                known = [name for name, entry in menu.items() if entry == rules[kind]]
                code[kind] = f'losses.{place}["{known[0]}"]' if known else f"your_{kind}"
        return code

    def _gan_code(self, gan: Gan) -> str:
        recipes = [gan.generator, gan.discriminator]
        rules = {f.name: getattr(gan, f.name) for f in fields(gan) if getattr(gan, f.name) != f.default}
        rules = {
            name: value for name, value in rules.items() if name not in ("generator", "discriminator", "latent_dim")
        }
        if not hasattr(gan.generator, "inputs") or gan.generator.inputs != gan.latent_dim:
            rules["latent_dim"] = gan.latent_dim
        return _call("train.Gan", [_recipe_code(r) for r in recipes], **self._rules_code(rules))


def _one_setting(hyper: Hyperparams) -> Hyperparams:
    """Dials as Python floats."""
    if not isinstance(hyper, Hyperparams):
        raise TypeError(f"expected Hyperparams(...), got {hyper!r}")
    for name, value in asdict(hyper).items():
        if np.ndim(value):
            raise ValueError(f"the lab trains one GAN: {name} must be one number, its shape is {np.shape(value)}")
    return Hyperparams(**{name: float(value) for name, value in asdict(hyper).items()})


def _same(one: Any, other: Any) -> bool:
    """Whether two targets are the same numbers in the same form."""
    (ones, structure), (others, other_structure) = jax.tree.flatten(one), jax.tree.flatten(other)
    return (structure,) == (other_structure,) and all(map(np.array_equal, ones, others))


def _recipe_code(recipe: Any) -> str:
    if not isinstance(recipe, nets.MlpRecipe):
        return "your_network"
    plain = nets.mlp(*recipe.widths)
    return _call("nets.mlp", [str(width) for width in recipe.widths],
                 **{name: repr(value) for name, value in _changed(recipe, plain).items()})  # fmt: skip


def _hyper_code(hyper: Hyperparams) -> str:
    changes = _changed(hyper, Hyperparams())
    return _call("train.Hyperparams", [], **{name: _number(value) for name, value in changes.items()})


# ---- the widget: messages come in from the page, frames go out ----


class Lab(StillWidget):
    """The live view of a `Session`. Make one with `open`; show it by ending a cell with it.

    Attributes:
        session: all that it trains and shows; `lab.session.game` is the `train.State` now.
    """

    _esm = page(Path(__file__).with_name("lab.js"))
    _css = page(Path(__file__).with_name("lab.css"))
    _invitation = "Run this cell where widgets are shown to train it live."

    setup = traitlets.Dict().tag(sync=True)
    scene = traitlets.Dict().tag(sync=True)

    def __init__(self, session: Session, controls: Sequence[str] | None = None):
        self.session, self._serial, self._driver = session, 0, None
        super().__init__(setup=self._describe(controls), scene=self._see())
        self.on_msg(self._answer)

    @property
    def state(self) -> Code:
        """The Python that brings this run back outside the lab."""
        return self.session.state

    def set(self, name: str, value: Any) -> None:
        """Move a dial or choose from a menu, as a hand on the page would; arguments as `Session.set`."""
        with self.session.lock:
            self.session.set(name, value)
            if name == "target":
                self.scene = self._see()
            self._show()

    def reset(self, seed: int | None = None) -> None:
        """Begin again at step 0, from the same seed or another."""
        with self.session.lock:
            self.session.reset(seed)
            self._show()

    def advance(self, k: int) -> None:
        """Take k steps from Python, and show where they led."""
        check_count(k, "k")
        with self.session.lock:
            for n in [1024] * (k // 1024) + [k % 1024] * (k % 1024 > 0):
                self.session.advance(n)
            self._show()

    def _describe(self, controls: Sequence[str] | None) -> dict[str, Any]:
        """What the page builds itself from, once."""
        shown = list(CONTROLS) if controls is None else [name for name in controls if [CONTROLS[name]]]
        return {
            "controls": shown,
            "dials": {name: dial._asdict() for name, dial in DIALS.items()},
            "menus": self.session.menus,
        }

    def _see(self) -> dict[str, Any]:
        """The target as the page draws it: it changes seldom, so it travels apart from the frames."""
        session, target = self.session, self.session.target
        return {
            "window": session.window.tolist(),
            "real": session.real.astype("<f4").tobytes(),
            "modes": len(target.means) if isinstance(target, data.Mixture) else 0,
        }

    def _answer(self, _: Any, message: Any, buffers: Any) -> None:
        """Serve one message of the page. Whatever goes wrong is told there: an exception here would be lost."""
        request = message.get("request") if isinstance(message, dict) else None
        with self.session.lock:
            try:
                if not isinstance(message, dict) or message.get("type") not in self._ANSWERS:
                    raise ValueError(f"the page sent a message of an unknown kind: {str(message)[:80]}")
                self._ANSWERS[message["type"]](self, message)
            except Diverged as fault:
                self._driver = None
                self._tell("diverged", str(fault), request)
                self._show()
            except KeyboardInterrupt:
                self._driver = None
                self._tell("stopped", "Interrupted. Press Play to go on.", request)
            except Exception as error:
                text = str(error) if isinstance(error, (ValueError, TypeError, KeyError)) else repr(error)
                self._tell("error", text or repr(error), request)
                self._show()

    def _hello(self, message: dict) -> None:
        self._show(message.get("request"))

    def _play(self, message: dict) -> None:
        """One view drives at a time; the latest press of play is the one."""
        self._driver = message.get("driver")
        self._tell("driver", "", None)

    def _step(self, message: dict) -> None:
        request, k = message.get("request"), message.get("steps")
        if message.get("driver") != self._driver:
            return self._tell("stopped", "Training goes on in another view of this lab.", request)
        self._once({"request": request, "steps": k})

    def _once(self, message: dict) -> None:
        k = message.get("steps")
        if k is not None and (isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= 1024):
            raise ValueError(f"steps must be a whole number from 1 to 1024, got {k!r}")
        if self.session.cold:
            self._tell("compiling", "Compiling the training step for these rules: once, a few seconds.", None)
        self.session.advance(k)
        self._show(message.get("request"))

    def _warm(self, message: dict) -> None:
        if self.session.cold:
            self._tell("compiling", "Compiling the training step: once, a few seconds.", None)
        self.session.warm()
        self._show(message.get("request"))

    def _set(self, message: dict) -> None:
        name, value = message.get("name"), message.get("value")
        if not isinstance(name, str) or name not in CONTROLS:
            raise ValueError(f"no control is named {name!r}; {suggestion(name, CONTROLS)}")
        # JSON has no infinity: a clip of null is none
        self.set(name, math.inf if name == "weight_clip" and value is None else value)

    def _reset(self, message: dict) -> None:
        self.reset(message.get("seed"))

    _ANSWERS = {  # noqa: RUF012
        "hello": _hello,
        "warm": _warm,
        "play": _play,
        "step": _step,
        "once": _once,
        "set": _set,
        "reset": _reset,
    }

    def _tell(self, kind: str, text: str, request: Any) -> None:
        self.send({"type": kind, "text": text, "request": request, "driver": self._driver})

    def _show(self, request: Any = None) -> None:
        """Send one frame: a short header, and one block of bytes."""
        session, frame = self.session, self.session.frame()
        self._serial += 1
        header = {
            "type": "frame",
            "request": request,
            "serial": self._serial,
            "driver": self._driver,
            "step": frame.step,
            "first": frame.first,
            "span": frame.span,
            "bins": len(frame.curve),
            "ends": [frame.low, frame.high],
            "probability": session.shows_probability,
            "modes": frame.modes,
            "quality": frame.quality,
            "references": [_reference(value) for value in session.references],
            "dials": {name: None if math.isinf(value) else value for name, value in asdict(session.hyper).items()},
            "choices": session.choices,
            "idle": session.idle,
            "seed": session.seed,
        }
        parts = (frame.surface, frame.fake.astype("<f4"), frame.curve.astype("<f4"))
        self.send(header, [b"".join(part.tobytes() for part in parts)])

    def _still(self) -> tuple[bytes, str]:
        return still(self.session)


def _reference(value: float | None) -> list | None:
    """A reference value with the name that it goes by."""
    if value is None:
        return None
    known = {2 * math.log(2): "2 log 2", math.log(2): "log 2", -math.log(2): "−log 2"}
    return [value, next((name for exact, name in known.items() if abs(value - exact) < 1e-5), f"{value:.3g}")]


def still(session: Session) -> tuple[bytes, str]:
    """Draw a session as it stands without any page: a PNG, and its description in words."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from . import plots

    frame, figure = session.frame(), plots.Figure(figsize=(4.2, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    # only D's side of the game is coloured by what it says; the samples keep their own colours
    axes.imshow(
        frame.surface, cmap=plots.BELIEF, vmin=0, vmax=255, extent=tuple(session.window), interpolation="bilinear"
    )
    axes.scatter(*session.real.T, s=6, color=plots.REAL)
    axes.scatter(*frame.fake.T, s=6, color=plots.FAKE)
    axes.set(xlim=session.window[:2], ylim=session.window[2:], xticks=[], yticks=[])
    axes.set_title(f"step {frame.step:,}: real blue, fake vermilion", fontsize=10, loc="left")
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=80)
    score = "" if frame.modes is None else f" They reach {frame.modes} of {len(session.target.means)} modes."
    return png.getvalue(), (
        f"Laboratory at step {frame.step:,}, target {session.target_name}: {POINTS} real and {POINTS} fake samples "
        f"on the heat map of the discriminator's answer.{score}"
    )


def open(
    gan: Gan | None = None,
    target: data.Target | None = None,
    hyper: Hyperparams | None = None,
    seed: int = 0,
    *,
    controls: Sequence[str] | None = None,
) -> Lab:
    """Open a live laboratory on a GAN in the plane.

    Args:
        gan: the rules; two MLPs with two hidden layers of 64 when left out.
        target: a target of shape (2,); `data.ring(8)` when left out.
        hyper: the dials as they stand at first. With no gan and no hyper, D learns twice as fast as G.
        seed: from which all weights and noise follow.
        controls: names in `CONTROLS` to show beside the buttons; all when left out.

    Returns:
        The widget: end a cell with it, and press Play. `lab.state` is the Python that brings its run back.

    Raises:
        ValueError: the target is not in the plane, a network does not fit it, or a dial is no single number.
        UnknownName: a control that is not in `CONTROLS`.

    >>> lab = open(Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16), controls=["lr_g", "lr_d"])
    >>> lab.advance(5)
    >>> int(lab.session.game.step)
    5
    """
    if isinstance(controls, str):
        raise TypeError(f"controls must be a list of names, got {controls!r}; write [{controls!r}]")
    return Lab(Session(gan, target, hyper, seed), controls)
