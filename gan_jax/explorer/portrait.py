"""A game, a method and a start come in; a live phase portrait goes out: field, path, eigenvalues, and their verdict."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .. import theory
from ..errors import Menu, UnknownName, check_count, suggestion
from ..losses import LOSSES, PENALTIES
from ..theory import Game, Rule
from . import dynamics, phase
from .dynamics import Rate, Spectra, Walk
from .scene import Choice, Control, Number, Real, Scene, Slider, shown
from .widget import Explorer
from .widget import open as open_explorer

COUNTS = (200, 400, 1000, 2000, 5000, 10_000)
"""Steps that are computed: the first of these that is enough for the steps shown, as each is a program of its own."""


# ---- the games ----


class Kind(NamedTuple):
    """A kind of game on the menu.

    Attributes:
        words: its name.
        players: what the two axes are.
        game: from the controls' values to the game.
        controls: names of those that shape it.
    """

    words: str
    players: tuple[str, str]
    game: Callable[[Mapping[str, Any]], Game]
    controls: tuple[str, ...] = ()


def _quadratic(values: Mapping[str, Any]) -> Game:
    return theory.quadratic(values["curvature_g"], values["coupling"], values["curvature_d"])


def _dirac(values: Mapping[str, Any]) -> Game:
    penalty, weight, noise = PENALTIES[values["penalty"]], values["penalty_weight"], values["noise"]
    return theory.dirac_gan(values["loss"], penalty=penalty, penalty_weight=weight, instance_noise=noise)


KINDS: Menu[Kind] = Menu(
    "game",
    {
        "bilinear": Kind("f(x, y) = xy", ("x, which minimises f", "y, which maximises f"), lambda _: theory.bilinear),
        "quadratic": Kind("quadratic game: A θ²/2 + B θψ, C ψ²/2 − B θψ", ("θ", "ψ"), _quadratic,
                          ("curvature_g", "coupling", "curvature_d")),
        "dirac": Kind("Dirac-GAN", ("θ, where G puts its sample (the data is at 0)", "ψ, slope of D's logit"), _dirac,
                      ("loss", "penalty", "penalty_weight", "noise")),
    },
)  # fmt: skip
"""Every kind of game, by name. All rest at 0."""

OWN = "yours"
"""On both menus, the game or the rule that was handed over."""

AHEAD: dict[str, Callable[[int], Rule]] = {"lookahead": theory.lookahead, "unrolled": theory.unrolled}
"""Rules that look some steps ahead: another number of them is another program."""


class Setting(NamedTuple):
    """What does not move: the games and rules there are, the most steps to compute, and the controls to show."""

    kinds: Mapping[str, Kind]
    rules: Mapping[str, Rule]
    most: int
    shown: tuple[str, ...] | None

    def rule(self, values: Mapping[str, Any]) -> Rule:
        name, ahead = values["update"], int(values["ahead"])
        return AHEAD[name](ahead) if name in AHEAD and ahead != 5 else self.rules[name]  # 5 is what the menu has

    def dials(self, values: Mapping[str, Any]) -> dict[str, float]:
        names = [*self.rule(values).dials, *(["decay"] if values["average"] == "exponential" else [])]
        return {name: values[name] for name in names if name in DIALS}

    def hidden(self, values: Mapping[str, Any], controls: Sequence[Control]) -> list[str]:
        """Controls that have no effect now, offer no choice, or were not asked for."""
        dead = {name for kind in KINDS.values() for name in kind.controls} - {*self.kinds[values["game"]].controls}
        dead |= {*DIALS} - {*self.dials(values)}
        dead |= {"ahead"} if values["update"] not in AHEAD else set()
        dead |= {"penalty_weight"} if values["penalty"] == "none" else set()
        dead |= {one.name for one in controls if isinstance(one, Choice) and len(one.options) < 2}
        if self.shown is not None:
            dead |= {one.name for one in controls} - {*self.shown}
        return [one.name for one in controls if one.name in dead]


DIALS: dict[str, Slider] = {
    "beta": Slider("beta", "momentum β", -0.95, 0.95, 0.5, notches=39),
    "beta1": Slider("beta1", "β₁, memory of Adam's mean", -0.9, 0.95, 0.9, notches=38),
    "beta2": Slider("beta2", "β₂, memory of Adam's squares", 0.5, 0.999, 0.999, notches=500),
    "epsilon": Slider("epsilon", "Adam's ε", 1e-8, 1.0, 1e-8, notches=33, log=True),
    "weight": Slider("weight", "weight of the correction", -2, 2, 1.0, notches=81),
    "alpha": Slider("alpha", "α, share of the way kept", 0, 1, 0.5, notches=41),
    "decay": Slider("decay", "decay of the average", 0.5, 0.999, 0.99, notches=500),
}
"""Numbers that only some rules have, and the exponential average."""


def _controls(
    setting: Setting, losses: Sequence[str], penalties: Sequence[str], first: Mapping[str, Any]
) -> list[Control]:
    """All controls, where they stand at first; `first` has some of their values by name."""
    games = {name: kind.words for name, kind in setting.kinds.items()}
    rules = {name: name if name in AHEAD else rule.name for name, rule in setting.rules.items()}
    averages = {"none": "none", **{name: name for name in theory.AVERAGES}}
    penalty_words = {name: getattr(PENALTIES[name], "name", "none") for name in penalties}
    own = {**setting.rules[first["update"]].dials, **first}  # a rule's dials begin where the rule has them

    def slider(name: str, label: str, low: Real, high: Real, value: Real, **more: Any) -> Slider:
        return Slider(name, label, low, high, own.get(name, value), **more)

    edge = 0.75 * phase.REACH
    symbols = zip(*(kind.players for kind in setting.kinds.values()), strict=True)
    x, y = ("start, " + " or ".join(dict.fromkeys(name.split(",")[0] for name in names)) for names in symbols)
    return [
        Choice("game", "game", games, first["game"]),
        Choice("loss", "loss", {name: LOSSES[name].name for name in losses}, first["loss"]),
        Choice("penalty", "penalty on D", penalty_words, first["penalty"]),
        slider("penalty_weight", "weight of the penalty", 0, 10, 1.0, notches=201),
        slider("noise", "noise on the samples, σ", 0, 2, 0.0, notches=41),
        slider("curvature_g", "A, G's own curvature", -1, 2, 0.0, notches=61),
        slider("coupling", "B, the coupling", 0, 2, 1.0, notches=41),
        slider("curvature_d", "C, D's own curvature", -1, 2, 0.0, notches=61),
        Choice("update", "method", rules, first["update"]),
        slider("rate", "rate h", 1e-3, 10, 0.1, notches=241, log=True),
        slider("ratio", "D's rate as a multiple of G's", 0.1, 10, 1.0, notches=41, log=True),
        *(replace(dial, value=own.get(dial.name, dial.value)) for dial in DIALS.values()),
        Choice("ahead", "steps that it looks ahead", {k: k for k in ("1", "2", "5", "10")}, str(own.get("ahead", 5))),
        Choice("average", "average of the path", averages, first["average"]),
        slider("theta", x, -edge, edge, 1.0, notches=121),
        slider("psi", y, -edge, edge, 1.0, notches=121),
        Choice("window", "eigenvalues", {"whole": "the whole circle", "near": "magnified, about 1"},
               str(own.get("window", "whole"))),
        slider("steps", "steps", 0, setting.most, 200, notches=401, whole=True, play=True),
    ]  # fmt: skip


# ---- the picture ----


def scene(setting: Setting, controls: Sequence[Control], values: Mapping[str, Any]) -> Scene:
    """Show one game, played by one method from one start.

    Args:
        setting: the games and rules there are.
        controls: all of them, to say which have no effect.
        values: of the controls, by name.

    Returns:
        A `Scene` with the numbers "spectral radius" and "measured", factors a step; "distance"; where the field is
        smooth "flow", the largest real part of its eigenvalues; with an average "distance of the average".
    """
    kind, rule = setting.kinds[values["game"]], setting.rule(values)
    game, dials = kind.game(values), setting.dials(values)
    rates = (values["rate"], values["rate"] * values["ratio"])
    start, average = (values["theta"], values["psi"]), None if values["average"] == "none" else values["average"]
    own = {name: value for name, value in dials.items() if name != "decay"}
    found = dynamics.spectra(game, rule, rates, own)
    steps = int(values["steps"])
    computed = next(count for count in COUNTS if count >= steps)
    taken = _cut(dynamics.walk(game, rule, rates, dials, start, computed, average), steps)
    rate = dynamics.measure(taken)
    panels = [
        phase.plane(game, kind.players, taken, start),
        phase.eigenvalues(found, values["window"]),
        phase.distances(taken, found, rate, steps),
    ]
    numbers = _numbers(found, taken, rate, dials.get("epsilon"))
    happens = dynamics.behaviour(taken, rate, phase.REACH)
    remark = f"{happens} {dynamics.comparison(found, taken, rate, dials.get('epsilon'))}".strip()
    words = f"{game.name}, {rule.name} at rate {shown(values['rate'])}, from ({start[0]:.3g}, {start[1]:.3g}). {remark}"
    said = "; ".join(f"{number.name} {shown(number.value)} ({number.note})" for number in numbers)
    return Scene(panels, numbers, f"{words} {said}.", remark, setting.hidden(values, controls))


def _cut(taken: Walk, steps: int) -> Walk:
    """The first steps of a path."""
    mean = None if taken.mean is None else taken.mean[: steps + 1]
    return Walk(taken.path[: steps + 1], mean, taken.blown and len(taken.path) <= steps)


def _numbers(found: Spectra, taken: Walk, rate: Rate, epsilon: float | None) -> list[Number]:
    first, last = shown(float(taken.distance[0])), float(taken.distance[-1])
    numbers = [
        Number("spectral radius", found.radius, dynamics.prediction(found, epsilon), "accent"),
        Number("measured", rate.factor, dynamics.measurement(rate), "fake"),
        Number("distance", last, f"after {len(taken.path) - 1} steps; {first} at the start"),
    ]
    if len(found.flow):
        pair = f"real part of {dynamics.pair_in_words(found.flow)}"
        lead = round(float(found.flow.real.max()), 9) + 0.0  # no -0
        numbers.append(Number("flow", lead, f"{pair}: {dynamics.flow_in_words(found.flow)}"))
    if taken.mean is not None:
        numbers.append(Number("distance of the average", float(np.hypot(*taken.mean[-1])), "from the equilibrium"))
    return numbers


# ---- open it ----


def _menu(menu: Menu[Any], names: Sequence[str] | None, first: str) -> dict[str, Any]:
    """What a menu of a lesson offers: the names asked for, or all; the first choice is among them."""
    names = list(menu) if names is None else list(names)
    return {name: menu[name] for name in (names if first in (*names, OWN) else [first, *names])}


def portrait(
    game: str | Game = "bilinear",
    *,
    loss: str = "nonsaturating",
    penalty: str = "none",
    update: str | Rule = "simultaneous",
    average: str = "none",
    start: tuple[Real, Real] = (1.0, 1.0),
    rate: Real = 0.1,
    steps: int = 200,
    games: Sequence[str] | None = None,
    losses: Sequence[str] | None = None,
    penalties: Sequence[str] | None = ("none", "r1", "wgan_gp"),
    updates: Sequence[str] | None = None,
    controls: Sequence[str] | None = None,
    **values: Real | str,
) -> Explorer:
    """Open the phase portrait: where a game's two players go, and what eigenvalues say about it beforehand.

    Args:
        game: name in `KINDS`, or a `theory.Game` of two numbers that rests at 0.
        loss: of the Dirac-GAN, name in `losses.LOSSES`.
        penalty: of the Dirac-GAN, name in `losses.PENALTIES`.
        update: name in `theory.UPDATES`, or a `theory.Rule`.
        average: "none", or a name in `theory.AVERAGES`.
        start: (theta, psi), each from -3 to 3.
        rate: step size h, from 0.001 to 10.
        steps: shown at first, at most 10,000.
        games, losses, penalties, updates: names that each menu offers; all if None (none beside a game of your own).
        controls: names of the controls to show; all that have an effect if left out.
        values: where other controls stand at first: `penalty_weight`, `noise`; `curvature_g`, `coupling`,
            `curvature_d` of the quadratic game; `ratio` of D's rate to G's; `beta`, `beta1`, `beta2`, `epsilon`,
            `weight`, `alpha`, `ahead`, `decay` of the methods; `window="near"` magnifies the eigenvalues.

    Returns:
        An explorer; end a cell with it.

    Raises:
        UnknownName: no such game, loss, penalty, method, average or control.
        ValueError: a number outside its slider's range.

    >>> live = portrait("dirac", rate=0.1)
    >>> round(live.scene.number("spectral radius"), 6)  # sqrt(1 + (h / 2)^2)
    1.001249
    """
    check_count(steps, "steps")
    if steps > COUNTS[-1]:
        raise ValueError(f"steps must be at most {COUNTS[-1]:,} here, got {steps}; theory.play takes any number")
    kinds: dict[str, Kind] = {}
    if isinstance(game, Game):
        kinds[OWN] = Kind(game.name, ("θ", "ψ"), lambda _: game)
    rules = {} if isinstance(update, str) else {OWN: update}
    first_game, first_update = (each if isinstance(each, str) else OWN for each in (game, update))
    kinds |= _menu(KINDS, [] if kinds and games is None else games, first_game)
    rules |= _menu(theory.UPDATES, updates, first_update)
    first = {"game": first_game, "loss": loss, "penalty": penalty, "update": first_update, "average": average,
             "rate": rate, "theta": start[0], "psi": start[1], "steps": steps, **values}  # fmt: skip
    setting = Setting(
        kinds,
        rules,
        next(count for count in COUNTS[1:] if count >= steps),
        None if controls is None else tuple(controls),
    )
    made = _controls(setting, list(_menu(LOSSES, losses, loss)), list(_menu(PENALTIES, penalties, penalty)), first)
    known = [control.name for control in made]
    for name in [*values, *(controls or ())]:
        if name not in known:
            raise UnknownName(f"no control is named {name!r}; {suggestion(name, known)}")
    return open_explorer(functools.partial(scene, setting, made), made, title="Phase portrait")
