"""Two clouds that can be moved and a constraint come in; the exact plan and a critic trained on them go out, live.

The critic begins anew at every move and trains in parts: a first picture comes after `PART` steps, and each further one
as its part is done, until it has settled. So a picture is a function of the controls alone.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .. import theory
from ..train import critics
from ..train.critics import CLOUDS, CONSTRAINTS, RATES, Critic
from .scene import Choice, Control, Curve, Dots, Handle, Mark, Number, Panel, Real, Scene, Slider, Surface, shown
from .widget import Explorer
from .widget import open as open_explorer

POINTS, PART = 64, 500
REACH, SIDE = 3.2, 48
"""Half the side of the plane that is shown, and the cells along it."""


def _controls(clouds: str, constraint: str, weight: Real, clip: Real) -> list[Control]:
    return [
        Choice("clouds", "clouds", {name: pair.words for name, pair in CLOUDS.items()}, clouds),
        Choice("constraint", "what holds the critic", {n: rule.words for n, rule in CONSTRAINTS.items()}, constraint),
        Slider("weight", "weight λ of the penalty", 0.1, 1000, weight, notches=81, log=True),
        Slider("clip", "c, to which weights are clipped", 0.003, 1, clip, notches=81, log=True),
        Slider("right", "fakes moved to the right", -2, 2, 0.0, notches=81),
        Slider("up", "fakes moved up", -2, 2, 0.0, notches=81),
        Slider("spread", "fakes spread out, times", 0.2, 2, 1.0, notches=37),
        Slider("seed", "seed of clouds and critic", 0, 9, 0, whole=True),
    ]


class Clouds(NamedTuple):
    """Both clouds and the exact answer.

    Attributes:
        real, fake: points, shape (n, 2), float32; fake already in the plan's order, each the partner of its real.
        away: how far the partners are apart, shape (n,); its mean is W_1.
    """

    real: Float[np.ndarray, "n 2"]
    fake: Float[np.ndarray, "n 2"]
    away: Float[np.ndarray, " n"]


@functools.lru_cache(maxsize=64)
def place(clouds: str, seed: int, right: float, up: float, spread: float) -> Clouds:
    """Draw both clouds, move the fakes, and pair all points at least cost.

    >>> found = place("shifted", 0, 0.0, 0.0, 1.0)
    >>> bool(abs(found.away.mean() - theory.wasserstein(found.real, found.fake, order=1)) < 1e-6)
    True
    """
    real, fake = (np.asarray(part) for part in CLOUDS[clouds].draw(jax.random.key(seed), POINTS))
    centre = _home(clouds) + np.array([right, up])
    fake = (centre + spread * (fake - fake.mean(axis=0))).astype(np.float32)
    fake = fake[theory.transport_plan(real, fake, order=1)]
    return Clouds(real, fake, np.linalg.norm(real - fake, axis=1))


def _home(clouds: str) -> Float[np.ndarray, "2"]:
    """Where the fakes' middle lies as long as nobody moves them."""
    return np.array([1.0, 0.0]) if clouds == "shifted" else np.zeros(2)


_EDGES = np.linspace(-REACH, REACH, SIDE + 1)
_MIDDLES = (_EDGES[1:] + _EDGES[:-1]) / 2
_CELLS = np.stack(np.meshgrid(_MIDDLES, _MIDDLES), axis=-1).reshape(-1, 2).astype(np.float32)


@jax.jit
def _look(critic: Critic, real: Any, fake: Any) -> tuple[Any, Any, Any, Any]:
    """What the critic says of real, of fake and of every cell, and its steepness."""
    return critic(real), critic(fake), critic(jnp.asarray(_CELLS)), critics.steepness(critic, real, fake)


class View(NamedTuple):
    """What a critic says after some parts of its training.

    Attributes:
        apart: φ(x) − φ(y) of each pair of the plan, shape (n,); its mean is the estimate.
        level: 1/2 half way between its means over real and fake points, more where it is higher, shape (side, side).
        steepness: its largest slope from a fake to a real point.
    """

    apart: Float[np.ndarray, " n"]
    level: Float[np.ndarray, "rows columns"]
    steepness: float


def _view(critic: Critic, found: Clouds) -> View:
    real, fake, cells, steepness = (np.asarray(part, np.float64) for part in _look(critic, found.real, found.fake))
    middle = (real.mean() + fake.mean()) / 2
    reach = max(float(np.abs(cells - middle).max()), 1e-12)
    level = 0.5 + 0.5 * (cells - middle) / reach
    return View(real - fake, level.reshape(SIDE, SIDE), float(steepness))


@dataclass
class Teacher:
    """Trains the critic of the controls' values, one part a call, and remembers where it stands.

    Attributes:
        asked: the values of the critic that is in training.
        critic: as it stands.
        parts: done so far.
    """

    asked: tuple = ()
    critic: Critic | None = None
    parts: int = 0

    def answer(self, values: Mapping[str, Any]) -> Scene:
        """Do one part more, or the first where the values are new, and show it."""
        constraint, seed = values["constraint"], int(values["seed"])
        found = place(values["clouds"], seed, values["right"], values["up"], values["spread"])
        rule = CONSTRAINTS[constraint]
        strength = values["weight"] if rule.penalty else values["clip"] if rule.clips else 1.0
        asked = (constraint, strength, seed, values["clouds"], values["right"], values["up"], values["spread"])
        if asked != self.asked or self.critic is None:
            self.asked, self.parts = asked, 0
            self.critic = critics.begin(constraint, jax.random.key(100 + seed))
        if self.parts < len(RATES):
            rate = RATES[self.parts]
            self.critic, _ = critics.teach(self.critic, found.real, found.fake, PART, strength=strength, rate=rate)
            self.parts += 1
        return scene(values, found, _view(self.critic, found), self.parts)


# ---- the picture ----


def _lines(found: Clouds) -> Curve:
    """The plan: one line a pair, with gaps in between."""
    gap = np.full(len(found.real), np.nan)
    x, y = (np.stack([found.real[:, i], found.fake[:, i], gap], axis=1).ravel() for i in (0, 1))
    return Curve(x, y, colour="quiet")


def _plane(clouds: str, found: Clouds, view: View) -> Panel:
    x, y = found.fake.mean(axis=0).tolist()
    marks: list[Mark] = [
        Surface(view.level, "the critic: blue where it is high"),
        _lines(found),
        Dots(found.real[:, 0], found.real[:, 1], "real", "real", 3.5),
        Dots(found.fake[:, 0], found.fake[:, 1], "fake", "fake", 3.5),
        Handle(x, y, "right", offset=float(_home(clouds)[0]), vertical="up"),
    ]
    ends = (-REACH, REACH)
    return Panel(marks, ends, ends, "The exact plan, on the critic", "x₁", "x₂", square=True)


def _pairs(found: Clouds, view: View) -> Panel:
    far = 1.15 * float(found.away.max())
    high = max(1.15 * float(view.apart.max()), far)
    low = min(1.15 * float(view.apart.min()), 0.0)
    marks: list[Mark] = [
        Curve(np.array([0.0, far]), np.array([0.0, far]), "exact", "quiet", dashed=True),
        Dots(found.away, view.apart, "a pair", "discriminator", 3.5),
    ]
    title = "Each pair of the plan"
    return Panel(marks, (0.0, far), (low, high), title, "|x − y|, in the plane", "φ(x) − φ(y), on the critic")


def scene(values: Mapping[str, Any], found: Clouds, view: View, parts: int) -> Scene:
    """Show clouds, plan and critic.

    Args:
        values: of the controls, by name.
        found: clouds and plan.
        view: what the critic says.
        parts: of its training that are done.
    """
    rule = CONSTRAINTS[values["constraint"]]
    exact, told = float(found.away.mean()), float(view.apart.mean())
    sure = told / view.steepness / exact if view.steepness > 0 else 0.0
    settled = parts >= len(RATES)
    numbers = [
        Number("exact W₁", exact, "mean length of the plan's lines"),
        Number("estimate", told, f"after {parts * PART:,} steps", "discriminator"),
        Number("estimate / exact", told / exact, "1 is exact", "accent"),
        Number("steepness", view.steepness, "largest slope from fake to real; at most 1 by the rule"),
        Number("guaranteed / exact", sure, "estimate / steepness; never more than 1"),
    ]
    remark = _remark(values["constraint"], told / exact, sure, exact, values["weight"]) if settled else "It trains."
    words = (
        f"{CLOUDS[values['clouds']].words}, critic held by {rule.words}: exact W1 {shown(exact)}, estimate "
        f"{shown(told)}, which is {shown(told / exact)} times the exact one. {remark}"
    )
    hidden = [*(["weight"] if not rule.penalty else []), *(["clip"] if not rule.clips else [])]
    return Scene(
        [_plane(values["clouds"], found, view), _pairs(found, view)], numbers, words, remark, hidden, again=not settled
    )


def _remark(constraint: str, ratio: float, sure: float, exact: float, weight: float) -> str:
    if constraint == "nothing":
        return "Nothing holds the slope: the estimate grows for as long as the critic trains, and says nothing."
    if CONSTRAINTS[constraint].clips:
        size = "far too small" if ratio < 0.5 else "far too large" if ratio > 2 else "within a factor of 2 by luck"
        return f"Clipping leaves the slope to chance: the estimate is {size}. Look at the scale of the right picture."
    if CONSTRAINTS[constraint].penalty:
        return (
            "A penalty is soft: a settled critic is too steep by about W₁/(2λ), which is "
            f"{shown(exact / (2 * weight))} here."
        )
    bent = "all lines run one way, which suits it" if sure > 0.95 and ratio > 0.95 else "the lines fan out"
    return f"Every layer has slope 1 at most, so the whole may have less: {bent}."


def transport(
    clouds: str = "ring", constraint: str = "gradient_penalty", *, weight: Real = 10.0, clip: Real = 0.1
) -> Explorer:
    """Open the view of a critic beside exact optimal transport, in the plane.

    Args:
        clouds: name in `critics.CLOUDS`.
        constraint: name in `critics.CONSTRAINTS`.
        weight: of a penalty, 0.1 to 1,000.
        clip: c of clipped weights, 0.003 to 1.

    Returns:
        An explorer; end a cell with it.

    Raises:
        UnknownName: no such clouds or constraint.
        ValueError: a number outside its slider's range.

    >>> live = transport("shifted", "spectral")
    >>> bool(0.95 < live.scene.number("estimate / exact") < 1.001)
    True
    """
    CLOUDS[clouds], CONSTRAINTS[constraint]
    title = "A critic beside exact transport"
    return open_explorer(Teacher().answer, _controls(clouds, constraint, weight, clip), title=title)
