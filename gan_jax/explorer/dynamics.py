"""A game, a method and a start come in; its path, what eigenvalues predict and what was measured go out, in words.

All of it in float64. The equilibrium is 0 for both players, and each player has one number.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float

from .. import theory
from ..theory import Game, Rule
from .scene import Line, Real, shown

Path = Float[np.ndarray, "n 2"]

LOST = 1e9
"""Beyond this distance a path has blown up, and is cut off."""

NEUTRAL = 1e-7
"""A log of the spectral radius as small as this is rounding: eigenvalues that come in pairs lose half their digits."""


class Spectra(NamedTuple):
    """Eigenvalues at the equilibrium, of the flow and of one step; both empty where the field is not smooth."""

    flow: Complex[np.ndarray, " m"]
    step: Complex[np.ndarray, " k"]

    @property
    def radius(self) -> float:
        """The factor by which one step stretches a small distance in the long run; NaN where nobody can tell."""
        return float(np.abs(self.step).max()) if len(self.step) else math.nan


def spectra(game: Game, rule: Rule, rates: Sequence[Real], dials: Mapping[str, Real]) -> Spectra:
    """Compute the eigenvalues at 0, as `theory.eigenvalues` and `theory.update_eigenvalues` do.

    Where D has a rate of its own, so has its part of the flow: time is counted in G's steps.

    >>> found = spectra(theory.bilinear, theory.UPDATES["simultaneous"], (0.5, 0.5), {})
    >>> round(found.radius, 5)
    1.11803
    """
    rest = np.zeros(2)
    try:
        flow = theory.eigenvalues(game, rest)  # raises where there are none
        if rates[0] != rates[1]:
            with theory.double_precision():
                matrix = np.asarray(theory.jacobian(game, rest))
            flow = np.sort_complex(np.linalg.eigvals(np.array([[1.0], [rates[1] / rates[0]]]) * matrix))
        return Spectra(flow, theory.update_eigenvalues(game, rest, list(rates), update=rule, dials=dials))
    except ValueError:  # not smooth there, or not finite
        return Spectra(np.zeros(0, complex), np.zeros(0, complex))


@functools.cache
def _velocities() -> Any:
    return jax.jit(lambda game, points: jax.vmap(functools.partial(theory.field, game))(points))


def velocities(game: Game, points: Path) -> Path:
    """Compute the field at points (theta, psi), shape (n, 2)."""
    with theory.double_precision():
        return np.asarray(_velocities()(game, jnp.asarray(points)))


class Walk(NamedTuple):
    """A path and the mean of it so far, shape (steps + 1, 2), up to where it blows up; `mean` is None if not asked."""

    path: Path
    mean: Path | None
    blown: bool

    @property
    def distance(self) -> Line:
        """From the equilibrium, after each step."""
        return np.hypot(*self.path.T)

    @property
    def turned(self) -> Line:
        """Angle round the equilibrium since the start, after each step, in turns."""
        angle = np.unwrap(np.arctan2(self.path[:, 1], self.path[:, 0]))
        return (angle - angle[0]) / (2 * math.pi)


def walk(
    game: Game,
    rule: Rule,
    rates: Sequence[Real],
    dials: Mapping[str, Real],
    start: Sequence[Real],
    n: int,
    average: str | None = None,
) -> Walk:
    """Take n steps, as `theory.play` does.

    >>> found = walk(theory.bilinear, theory.UPDATES["simultaneous"], (0.1, 0.1), {}, (1, 0), 100)
    >>> round(float(found.distance[-1]), 4)  # 1.01^50
    1.6446
    """
    with theory.double_precision():
        first = jnp.asarray([float(place) for place in start])
        found: Any = theory.play(game, first, list(rates), n, update=rule, dials=dials, average=average)
        path, mean = (np.asarray(found), None) if average is None else map(np.asarray, found)
    lost = np.flatnonzero(~(np.abs(path).max(axis=1) < LOST))  # NaN too
    end = int(lost[0]) if len(lost) else len(path)
    return Walk(path[:end], None if mean is None else mean[:end], bool(len(lost)))


class Rate(NamedTuple):
    """By what factor a step changed the distance from the equilibrium.

    Attributes:
        factor: a step.
        first, last: steps from which to which it was measured.
        level: mean logarithm of the distance meanwhile.
    """

    factor: float
    first: int
    last: int
    level: float

    @property
    def change(self) -> float:
        """Of the distance, over all these steps."""
        return math.exp(min(math.log(self.factor) * (self.last - self.first), 700.0))


def measure(taken: Walk) -> Rate:
    """Measure how the distance grew or shrank over the last half of a path.

    Where the path turns, each distance is compared with that in the same or the opposite direction some half turns
    before, so that an oval path is no trend; else a straight line is laid through the logarithm. What is smaller than
    1e-12 of the first distance is left out, as rounding.

    Returns:
        The rate; its factor is NaN where there are too few steps.

    >>> taken = walk(theory.bilinear, theory.UPDATES["simultaneous"], (0.1, 0.1), {}, (1, 0), 100)
    >>> rate = measure(taken)
    >>> round(rate.factor, 6), rate.first  # sqrt(1 + h^2)
    (1.004988, 50)
    """
    distance = taken.distance
    small = np.flatnonzero(distance <= 1e-12 * distance[0])
    last = int(small[0]) - 1 if len(small) else len(distance) - 1
    first = (last + 1) // 2
    if last - first < 2:
        return Rate(math.nan, max(first, 0), max(last, 0), math.nan)
    turned = np.abs(taken.turned[: last + 1])
    if turned[last] - turned[first] < 0.5 <= turned[last]:  # one half turn must be in it
        first = int(np.searchsorted(turned, turned[last] - 0.5, side="right")) - 1
    steps, heights, turned = np.arange(first, last + 1), np.log(distance[first : last + 1]), turned[first:]
    half_turns = math.floor(2 * (turned[-1] - turned[0])) / 2
    if half_turns and (np.diff(turned) > 0).all():
        later = turned - half_turns >= turned[0]
        before = [np.interp(turned[later] - half_turns, turned, values) for values in (heights, steps)]
        slope = float(np.mean((heights[later] - before[0]) / (steps[later] - before[1])))
    else:
        slope = float(np.polyfit(steps - steps.mean(), heights, 1)[0])
    return Rate(math.exp(slope), first, last, float(heights.mean()))


# ---- in words ----


def per_step(factor: float, neutral: float = NEUTRAL) -> str:
    """Say what a factor a step does; a logarithm of `neutral` and less is none.

    >>> [per_step(factor) for factor in (1.005, 3.0, 1.0, 0.98, 0.3)]
    ['grows by 0.5 % a step', 'grows 3.000-fold a step', 'neither grows nor shrinks', 'shrinks by half in 34 steps', \
'shrinks to 30 % a step']
    """
    if math.isnan(factor):
        return "no answer"
    if factor <= 0:
        return "gone in a few steps"
    rate = math.log(factor)
    if abs(rate) <= neutral:
        return "neither grows nor shrinks"
    if rate > 0:
        percent = np.format_float_positional(100 * math.expm1(rate), 2, fractional=False, trim="-")
        return f"grows by {percent} % a step" if factor < 1.5 else f"grows {shown(factor)}-fold a step"
    if factor < 0.6:
        return f"shrinks to {100 * factor:.2g} % a step"
    return f"shrinks by half in {round(-math.log(2) / rate):,} steps"


def prediction(found: Spectra, epsilon: float | None = None) -> str:
    """Say what the eigenvalues of a step predict; `epsilon` is Adam's.

    >>> prediction(spectra(theory.bilinear, theory.UPDATES["simultaneous"], (0.1, 0.1), {}))
    'predicted: grows by 0.5 % a step; a turn takes 63 steps'
    """
    if not len(found.step):
        return "no prediction: the field is not smooth at 0"
    angle = abs(float(np.angle(found.step[np.abs(found.step).argmax()])))
    turn = "" if angle < 1e-4 else f"; a turn takes {2 * math.pi / angle:.3g} steps"
    where = "" if epsilon is None else " where gradients are far below ε"
    return f"predicted{where}: {per_step(found.radius)}{'; to and fro' if angle > 0.99 * math.pi else turn}"


def measurement(rate: Rate) -> str:
    """Say what was measured, and over which steps."""
    if math.isnan(rate.factor):
        return "too few steps to tell"
    return f"{per_step(rate.factor, 1e-6)}, over steps {rate.first} to {rate.last}"


def pair_in_words(values: Complex[np.ndarray, " m"]) -> str:
    """Write two eigenvalues: a conjugate pair as one.

    >>> pair_in_words(np.array([-0.25 - 0.5j, -0.25 + 0.5j])), pair_in_words(np.array([-1.0 + 0j, 0.5 + 0j]))
    ('−0.25 ± 0.5i', '−1 and 0.5')
    """
    say = lambda value: f"{round(float(value), 4) + 0.0:.4g}".replace("-", "−")  # noqa: E731
    if np.abs(values.imag).max() > 1e-6:
        real = say(values[0].real)
        return f"{'' if real == '0' else f'{real} '}{'±' if real == '0' else '± '}{say(abs(values[0].imag))}i"
    return " and ".join(say(value.real) for value in values)


def flow_in_words(flow: Complex[np.ndarray, " m"]) -> str:
    """Say where steps of vanishing size lead, by the eigenvalues of the field's Jacobian."""
    lead = float(flow.real.max())
    turns = np.abs(flow.imag).max() > 1e-6
    if abs(lead) <= NEUTRAL:
        return "the flow circles" if turns else "undecided to first order"
    return f"the flow {'spirals' if turns else 'runs'} {'out' if lead > 0 else 'in'}"


def behaviour(taken: Walk, rate: Rate, reach: Real) -> str:
    """Say what a path does, in one sentence.

    >>> taken = walk(theory.bilinear, theory.UPDATES["alternating"], (0.1, 0.1), {}, (1, 0), 200)
    >>> behaviour(taken, measure(taken), 4)
    'It cycles: the distance neither grows nor shrinks in the long run.'
    """
    distance, steps = taken.distance, len(taken.path) - 1
    if distance[0] == 0:
        return "The start is the equilibrium, and nothing moves."
    if taken.blown:
        return f"It blows up: after {steps + 1} steps the numbers are beyond 10⁹, and the path ends there."
    out = np.flatnonzero(np.abs(taken.path).max(axis=1) > reach)
    if len(out):
        back = "" if np.abs(taken.path[-1]).max() > reach else ", and comes back into it"
        return f"{_motion(taken, rate)}. It leaves the picture after {out[0]} steps{back}."
    if distance[-1] < 1e-2 * distance[0]:
        way = ", in a spiral" if abs(taken.turned[-1]) >= 0.5 else ""
        return f"It comes to rest at the equilibrium{way}: {shown(distance[-1])} is left of {shown(distance[0])}."
    if math.isnan(rate.factor):
        return "So few steps show no trend yet."
    return f"{_motion(taken, rate)}."


def _motion(taken: Walk, rate: Rate) -> str:
    if math.isnan(rate.factor):
        return "It moves away"
    middle = len(taken.path) // 2
    before, after = (np.hypot(*np.diff(part, axis=0).T).sum() for part in (taken.path[:middle], taken.path[middle:]))
    if after < 1e-2 * before:
        x, y = (f"{round(float(place), 3) + 0.0:g}".replace("-", "−") for place in taken.path[-1])
        return f"It comes to rest away from the equilibrium, at ({x}, {y})"
    trend = "out" if rate.change > 1.02 else "in" if rate.change < 0.98 else "level"
    if np.abs(np.diff(taken.turned)).mean() > 0.375:
        return f"It jumps from side to side, {_JUMPS[trend]}"
    turns = abs(taken.turned[-1])
    if 0.5 <= turns < 1:
        return "It turns about the equilibrium, less than once so far"
    return (_SPIRALS if turns >= 1 else _MOVES)[trend]


_JUMPS = {"out": "ever farther out", "in": "ever closer", "level": "at about the same distance"}
_SPIRALS = {
    "out": "It spirals out",
    "in": "It spirals in",
    "level": "It cycles: the distance neither grows nor shrinks in the long run",
}
_MOVES = {"out": "It moves away", "in": "It moves closer", "level": "It moves, and its distance hardly changes"}


def comparison(found: Spectra, taken: Walk, rate: Rate, epsilon: float | None = None) -> str:
    """Say how the prediction did, in a sentence or two; "" where there is nothing to compare.

    Args:
        found: the eigenvalues.
        taken: the path.
        rate: what was measured on it.
        epsilon: Adam's, if it is Adam's path.
    """
    if not len(found.step):
        return "The field is not smooth at the equilibrium: there is no Jacobian, and eigenvalues say nothing."
    if math.isnan(rate.factor) or found.radius <= 0:
        return ""
    predicted, measured = math.log(found.radius), math.log(rate.factor)
    if abs(predicted - measured) <= 0.1 * max(abs(predicted), abs(measured)) + 1e-4:
        return "Prediction and measurement agree."
    if epsilon is not None:
        return (
            f"Adam's eigenvalues hold only where gradients are far below ε = {shown(epsilon)}; "
            "farther out its steps are of about the size of the rate, whatever the gradient."
        )
    if abs(predicted) <= NEUTRAL:
        return "The radius is 1: to first order the distance stays, and what the Jacobian leaves out decides."
    if predicted > NEUTRAL and measured <= 1e-6:
        return "Close to the equilibrium it would go out, eigenvalues say; farther out the rest of the field holds it."
    if predicted < -NEUTRAL and measured >= -1e-6:
        return "Close to the equilibrium it would come to rest, eigenvalues say; from this start it does not."
    if taken.blown:
        return ""
    return (
        "Prediction and measurement differ: eigenvalues speak of small distances and of the long run. "
        "Start closer to the equilibrium, or take more steps, and look again."
    )
