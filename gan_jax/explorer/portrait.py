"""A game, a method and a start come in; a live phase portrait goes out: field, path, eigenvalues, and their verdict."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import theory
from ..errors import Menu, UnknownName, check_count, suggestion
from ..losses import LOSSES, PENALTIES
from ..theory import Game, Rule
from . import dynamics
from .dynamics import Rate, Spectra, Walk
from .scene import Arrows, Choice, Control, Curve, Dots, Handle, Mark, Number, Panel, Real, Scene, Slider, shown
from .widget import Explorer
from .widget import open as open_explorer

REACH = 4.0
"""Half the width of the plane; the start is dragged within three quarters of it."""

FEW, MOST = 200, 400
"""Steps that are computed, of which a slider shows the first; more only where the slider, or a lesson, asks for more:
each number of steps is a program of its own."""


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


def _controls(setting: Setting, losses: Sequence[str], penalties: Sequence[str], first: Mapping[str, Any]) -> Any:
    """All controls, where they stand at first; `first` has some of their values by name."""
    games = {name: kind.words for name, kind in setting.kinds.items()}
    rules = {name: name if name in AHEAD else rule.name for name, rule in setting.rules.items()}
    averages = {"none": "none", **{name: name for name in theory.AVERAGES}}
    penalty_words = {name: getattr(PENALTIES[name], "name", "none") for name in penalties}
    own = {**setting.rules[first["update"]].dials, **first}  # a rule's dials begin where the rule has them

    def slider(name: str, label: str, low: Real, high: Real, value: Real, **more: Any) -> Slider:
        return Slider(name, label, low, high, own.get(name, value), **more)

    edge = 0.75 * REACH
    x, y = ("start, " + player.split(",")[0] for player in setting.kinds[first["game"]].players)
    return [
        Choice("game", "game", games, first["game"]),
        Choice("loss", "loss", {name: LOSSES[name].name for name in losses}, first["loss"]),
        Choice("penalty", "penalty on D", penalty_words, first["penalty"]),
        slider("penalty_weight", "weight of the penalty", 0, 4, 1.0, notches=81),
        slider("noise", "noise on the samples, σ", 0, 2, 0.0, notches=41),
        slider("curvature_g", "A, G's own curvature", -1, 2, 0.0, notches=61),
        slider("coupling", "B, the coupling", 0, 2, 1.0, notches=41),
        slider("curvature_d", "C, D's own curvature", -1, 2, 0.0, notches=61),
        Choice("update", "method", rules, first["update"]),
        slider("rate", "rate h", 1e-3, 2, 0.1, notches=166, log=True),
        slider("ratio", "D's rate as a multiple of G's", 0.1, 10, 1.0, notches=41, log=True),
        *(slider(*vars_of(dial), notches=dial.notches, log=dial.log) for dial in DIALS.values()),
        Choice("ahead", "steps that it looks ahead", {k: k for k in ("1", "2", "5", "10")}, str(own.get("ahead", 5))),
        Choice("average", "average of the path", averages, first["average"]),
        slider("theta", x, -edge, edge, 1.0, notches=121),
        slider("psi", y, -edge, edge, 1.0, notches=121),
        slider("steps", "steps", 1, setting.most, 200, notches=setting.most, whole=True),
        Choice("window", "eigenvalues", {"whole": "the whole circle", "near": "magnified, about 1"},
               str(own.get("window", "whole"))),
    ]  # fmt: skip


def vars_of(dial: Slider) -> tuple[str, str, Real, Real, Real]:
    """A slider's name, label, ends and value."""
    return dial.name, dial.label, dial.low, dial.high, dial.value


# ---- the picture ----


def scene(setting: Setting, controls: Sequence[Control], values: Mapping[str, Any]) -> Scene:
    """Show one game, played by one method from one start.

    Args:
        setting: the games and rules there are.
        controls: all of them, to say which have no effect.
        values: of the controls, by name.

    Returns:
        A `Scene` with the numbers "spectral radius" and "measured", factors a step, "flow", the largest real part of
        the field's eigenvalues, "distance", and with an average "distance of the average".
    """
    kind, rule = setting.kinds[values["game"]], setting.rule(values)
    game, dials = kind.game(values), setting.dials(values)
    rates = (values["rate"], values["rate"] * values["ratio"])
    start, average = (values["theta"], values["psi"]), None if values["average"] == "none" else values["average"]
    own = {name: value for name, value in dials.items() if name != "decay"}
    found = dynamics.spectra(game, rule, rates, own)
    steps = int(values["steps"])
    computed = FEW if steps <= FEW else setting.most
    taken = _cut(dynamics.walk(game, rule, rates, dials, start, computed, average), steps)
    rate = dynamics.measure(taken)
    panels = [
        _plane(game, kind, taken, start),
        _eigenvalues(found, values["window"]),
        _distances(taken, found, rate, steps),
    ]
    numbers = _numbers(found, taken, rate)
    happens = dynamics.behaviour(taken, rate, REACH)
    remark = f"{happens} {dynamics.comparison(found, rate, dials.get('epsilon'))}".strip()
    words = f"{game.name}, {rule.name} at rate {shown(values['rate'])}, from ({start[0]:.3g}, {start[1]:.3g}). {remark}"
    said = "; ".join(f"{number.name} {shown(number.value)} ({number.note})" for number in numbers)
    return Scene(panels, numbers, f"{words} {said}.", remark, setting.hidden(values, controls))


def _cut(taken: Walk, steps: int) -> Walk:
    """The first steps of a path."""
    mean = None if taken.mean is None else taken.mean[: steps + 1]
    return Walk(taken.path[: steps + 1], mean, taken.blown and len(taken.path) <= steps)


def _numbers(found: Spectra, taken: Walk, rate: Rate) -> list[Number]:
    smooth = len(found.step) > 0
    turn = f"; a turn takes {found.turn:.3g} steps" if smooth and found.turn < 1e5 else ""
    over = f" over steps {rate.first} to {rate.last}" if math.isfinite(rate.factor) else "too few steps to tell"
    measured = dynamics.per_step(rate.factor) if math.isfinite(rate.factor) else ""
    numbers = [
        Number("spectral radius", found.radius,
               f"predicted: {dynamics.per_step(found.radius)}{turn}" if smooth else "not smooth at 0: no prediction",
               "accent"),
        Number("measured", rate.factor, measured + over, "fake"),
        Number("distance", float(taken.distance[-1]),
               f"after {len(taken.path) - 1} steps; {shown(float(taken.distance[0]))} at the start"),
        Number("flow", round(float(found.flow.real.max()), 9) + 0.0 if smooth else math.nan,
               f"real part of {dynamics.pair_in_words(found.flow)}: {dynamics.flow_in_words(found.flow)}"
               if smooth else "not smooth at 0: no eigenvalues"),
    ]  # fmt: skip
    if taken.mean is not None:
        numbers.append(Number("distance of the average", float(np.hypot(*taken.mean[-1])), "from the equilibrium"))
    return numbers


GRID = np.linspace(-REACH, REACH, 13)[1:-1]
PLACES = np.stack([axis.ravel() for axis in np.meshgrid(GRID, GRID)], axis=1)
"""Where arrows begin, shape (n, 2)."""


def _field(game: Game) -> Arrows:
    """The field as arrows of compressed length: a fast place does not hide a slow one."""
    velocity = dynamics.velocities(game, PLACES)
    speed = np.hypot(*velocity.T)
    fastest = np.nanmax(np.where(np.isfinite(speed), speed, np.nan), initial=1e-12)
    length = 0.85 * (GRID[1] - GRID[0]) * np.sqrt(speed / fastest)
    with np.errstate(invalid="ignore"):
        dx, dy = np.where(speed > 0, length / np.where(speed > 0, speed, 1.0), 0.0) * velocity.T
    return Arrows(PLACES[:, 0] - dx / 2, PLACES[:, 1] - dy / 2, dx, dy, "", "quiet")


def _plane(game: Game, kind: Kind, taken: Walk, start: tuple[float, float]) -> Panel:
    (x, y), steps = taken.path.T, len(taken.path) - 1
    marks: list[Mark] = [_field(game), Curve(x, y, "", "fake")]
    if steps <= 120:
        marks.append(Dots(x, y, "", "fake", 2.0))
    named = "" if min(taken.distance[0], taken.distance[-1]) < 0.5 else "equilibrium"  # no room for two names
    marks.append(Dots(np.zeros(1), np.zeros(1), named, "ink", 4.0))
    if taken.mean is not None:
        x_mean, y_mean = taken.mean.T
        marks += [Curve(x_mean, y_mean, "", "real"), Dots(x_mean[-1:], y_mean[-1:], "average", "real", 6.0)]
    marks.append(Dots(x[-1:], y[-1:], f"after {steps}", "fake", 6.0))
    marks.append(Handle(*start, "theta", colour="fake", vertical="psi"))
    ends = (-REACH, REACH)
    return Panel(marks, ends, ends, "The plane: drag the start", *kind.players, square=True)


CIRCLE = np.linspace(0, 2 * np.pi, 721)
HALF_WIDTHS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Of the magnified picture about 1: few, so that it does not breathe while a slider moves."""


def _eigenvalues(found: Spectra, window: str) -> Panel:
    values = found.step
    if window == "near":
        close = np.abs(values - 1)[np.abs(values - 1) <= 1]
        half = next((half for half in HALF_WIDTHS if half >= 1.15 * close.max(initial=0.0)), 1.0)
        across, up = (1 - half, 1 + half), (-half, half)
    else:
        half = next((half for half in (1.35, 2.0, 4.0, 8.0) if half >= 1.1 * np.abs(values).max(initial=0.0)), 8.0)
        across, up = (-half, half), (-half, half)
    # the circle is drawn where it is seen: magnified, 720 points would leave corners
    angle = CIRCLE if window == "whole" else np.linspace(-1.6, 1.6, 721) * min(1.0, 1.5 * half)
    marks: list[Mark] = [Curve(np.cos(angle), np.sin(angle), "|λ| = 1", "quiet")]
    leads = np.abs(values) >= found.radius * (1 - 1e-9)
    marks.append(Dots(values[~leads].real, values[~leads].imag, "", "quiet", 4.0))
    for upper in (True, False):
        lead = values[leads & ((values.imag >= -1e-12) == upper)]
        if len(lead):
            marks.append(Dots(lead.real, lead.imag, f"|λ| = {found.radius:.5g}" if upper else "", "accent", 6.0))
    title = "Eigenvalues λ of one step" if len(values) else "Not smooth at 0: no eigenvalues"
    return Panel(marks, across, up, title, "real part", "imaginary part", square=True)


def _powers(distance: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.where(distance > 0, np.log10(np.maximum(distance, 1e-300)), np.nan)


def _distances(taken: Walk, found: Spectra, rate: Rate, steps: int) -> Panel:
    time = np.arange(len(taken.path), dtype=float)
    curves = [Curve(time, _powers(taken.distance), "the path", "fake")]
    if taken.mean is not None:
        curves.append(Curve(time, _powers(np.hypot(*taken.mean.T)), "its average", "real"))
    heights = np.concatenate([curve.y[np.isfinite(curve.y)] for curve in curves])
    low, high = (heights.min(), heights.max()) if len(heights) else (0.0, 0.0)
    low, high = math.floor(max(low, high - 16) - 0.1), math.ceil(high + 0.1)
    marks: list[Mark] = [*curves]
    if math.isfinite(rate.level) and found.radius > 0:
        middle = (rate.first + rate.last) / 2
        slope = (time - middle) * math.log10(found.radius) + rate.level / math.log(10)
        marks.append(Curve(time, slope, "predicted slope", "accent", dashed=True))
    return Panel(marks, (0, max(steps, 1)), (low, high), "Distance from the equilibrium", "steps",
                 "log₁₀ of the distance")  # fmt: skip


# ---- open it ----


def _menu(menu: Menu[Any], names: Sequence[str] | None, first: str) -> dict[str, Any]:
    """What a menu of a lesson offers: the names asked for, or all; the first choice among them."""
    names = list(menu) if names is None else list(names)
    return {name: menu[name] for name in dict.fromkeys([*([] if first in names else [first]), *names])}


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
        rate: step size h, from 0.001 to 2.
        steps: shown at first.
        games, losses, penalties, updates: names that each menu offers; all if None.
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
    kinds: dict[str, Kind] = {}
    if isinstance(game, Game):
        kinds[OWN] = Kind(game.name, ("θ", "ψ"), lambda _: game)
    rules = {} if isinstance(update, str) else {OWN: update}
    first_game, first_update = (each if isinstance(each, str) else OWN for each in (game, update))
    kinds |= _menu(KINDS, [] if kinds and games is None else games, first_game if not kinds else "bilinear")
    rules |= _menu(theory.UPDATES, updates, first_update if not rules else "simultaneous")
    first = {"game": first_game, "loss": loss, "penalty": penalty, "update": first_update, "average": average,
             "rate": rate, "theta": start[0], "psi": start[1], "steps": steps, **values}  # fmt: skip
    setting = Setting(kinds, rules, max(MOST, steps), None if controls is None else tuple(controls))
    made = _controls(setting, list(_menu(LOSSES, losses, loss)), list(_menu(PENALTIES, penalties, penalty)), first)
    known = [control.name for control in made]
    for name in [*values, *(controls or ())]:
        if name not in known:
            raise UnknownName(f"no control is named {name!r}; {suggestion(name, known)}")
    return open_explorer(functools.partial(scene, setting, made), made, title="Phase portrait")
