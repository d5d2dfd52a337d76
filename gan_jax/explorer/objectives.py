"""A loss and D's confidence come in; both players' losses, G's gradient and the way of a fake sample go out, live.

D answers one real and one fake sample. It gives the fake the output a and the real one the mirror image `2 v - a`,
where v is what D answers when it is undecided: as sure of the one as of the other.

In the 1-D scene real samples are N(0, 1) and fakes N(x, 1), with the sample that we follow in their middle. D is at
its best for these two at every moment, and the sample goes down G's loss through D as it is then.
"""

import functools
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import theory
from ..losses import LOSSES
from ..plots import NEUTRAL
from .scene import Choice, Control, Curve, Dots, Level, Line, Mark, Motion, Number, Panel, Real, Scene, Slider, shown
from .widget import Explorer
from .widget import open as open_explorer

CONTROLS: tuple[Control, ...] = (
    Choice("loss", "loss", {name: loss.name for name, loss in LOSSES.items()}, "minimax"),
    Slider("output", "D's output a on a fake (−10: surely fake, 10: surely real)", -10, 10, -4.0),
    Slider("distance", "distance of the fakes from the real data, in standard deviations", 0.5, 6, 4.0, notches=111),
)

OUTPUTS = np.linspace(-10, 10, 401)
TIME, FRAMES = 8.0, 73
"""How long the sample moves, in units of gradient flow, and in how many pictures; a learning rate of 0.01 needs 100
steps of gradient descent for a unit."""

RIVALS = ("nonsaturating", "minimax", "least_squares", "wasserstein")
"""Losses that race against the chosen one."""

FLOOR, CEILING = -5.0, 1.5
"""Powers of ten between which a gradient is drawn; further up only where the chosen loss explodes."""


class Answer(NamedTuple):
    """Both losses at outputs of D on the fake, and what G learns there; arrays of shape (n,), or numbers.

    Attributes:
        loss_d, loss_g: in nats where the loss has such a unit.
        gradient: derivative of G's loss in D's output on the fake.
    """

    loss_d: Any
    loss_g: Any
    gradient: Any


def undecided(loss: str) -> float:
    """What D answers to everything when it can't tell real from fake: 0 for a logit, 1/2 for least squares.

    Where any constant serves as well (hinge, Wasserstein) it is 0.

    >>> undecided("least_squares")
    0.5
    """
    return NEUTRAL.get(LOSSES[loss].name, 0.0)


def answers(loss: str, outputs: Line) -> Answer:
    """Compute both losses, and the gradient that reaches G, for outputs of D on the fake, shape (n,), in float64.

    >>> [round(float(part[0]), 4) for part in answers("nonsaturating", np.array([0.0]))]
    [1.3863, 0.6931, -0.5]
    """
    with theory.double_precision():  # a pull of e^-36 comes from numbers near 1, which float32 rounds away
        return Answer(*map(np.asarray, _answers(loss, jnp.asarray(outputs))))


@functools.partial(jax.jit, static_argnums=0)
def _answers(loss: str, outputs: Array) -> Answer:
    both = LOSSES[loss]

    def one(a):
        real, fake = (2 * undecided(loss) - a)[None], a[None]
        loss_g, gradient = jax.value_and_grad(both.generator, argnums=1)(real, fake)
        return Answer(both.discriminator(real, fake), loss_g, gradient[0])

    return jax.vmap(one)(outputs)


# ---- the scene in one dimension ----

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(32)
"""Gauss-Hermite rule for a mean over real samples, at which relativistic losses look too."""


def best_output(loss: str, y: Float[Array, ""], x: Float[Array, ""]) -> Any:
    """What the best D answers at y, when real samples are N(0, 1) and fakes N(x, 1), x > 0.

    The log density ratio is `u(y) = x^2 / 2 - x y`; for Wasserstein the best 1-Lipschitz critic is `x / 2 - y`.

    >>> float(best_output("minimax", jnp.array(4.0), jnp.array(4.0)))
    -8.0
    """
    return x / 2 - y if loss == "wasserstein" else theory.optimal_output(loss, x**2 / 2 - x * y)


class Pull(NamedTuple):
    """How fast a fake sample moves, and why.

    Attributes:
        output: what D answers there.
        slope: derivative of D's output at the sample, per standard deviation.
        gradient: derivative of G's loss in that output, its mean over real samples where G's loss looks at them.
        velocity: `-gradient * slope`, in standard deviations per unit of time.
    """

    output: Any
    slope: Any
    gradient: Any
    velocity: Any


def pull(loss: str, x: Float[Array, ""]) -> Pull:
    """What moves a fake sample at x > 0, in the middle of fakes N(x, 1), with D at its best and held fixed.

    The sample goes down G's loss l through D's output a: `dx/dt = -l'(a(x)) a'(x)`.

    >>> [round(float(part), 4) for part in pull("nonsaturating", jnp.array(4.0))]
    [-8.0, -4.0, -0.9997, -3.9987]
    """
    fixed = functools.partial(best_output, loss, x=x)
    output, slope = jax.value_and_grad(fixed)(x)
    at_one = jax.grad(LOSSES[loss].generator, argnums=1)
    at_all = jax.vmap(lambda real: at_one(real[None], output[None])[0])(jax.vmap(fixed)(jnp.asarray(NODES, x.dtype)))
    gradient = jnp.sum(jnp.asarray(WEIGHTS / WEIGHTS.sum(), x.dtype) * at_all)
    return Pull(output, slope, gradient, -gradient * slope)


def pulls(distance: Real) -> dict[str, Pull]:
    """`pull` at a distance for every loss, by name, in float64."""
    with theory.double_precision():
        return jax.tree.map(float, dict(_pulls(jnp.asarray(float(distance)))))


@jax.jit
def _pulls(x):
    return {loss: pull(loss, x) for loss in LOSSES}


def race(distance: Real) -> Float[np.ndarray, "frames losses"]:
    """Let a fake sample start at a distance under each loss, and follow it for `TIME` units.

    Steps of fourth order (Runge and Kutta), in float64. Where fakes and real data meet the sample rests, so it never
    goes past 0.

    Args:
        distance: of the start from the mean of the real data, in standard deviations.

    Returns:
        Where the samples are in each picture, in the order of `LOSSES`.

    >>> race(4)[-1, :4].round(2).tolist()  # non-saturating, minimax, least squares, Wasserstein
    [0.04, 3.99, 3.99, 0.0]
    """
    with theory.double_precision():
        return np.asarray(_race(jnp.asarray(float(distance))))


@jax.jit
def _race(distance):
    h = TIME / (FRAMES - 1)

    def velocity(x):
        return jnp.stack([pull(loss, x[i]).velocity for i, loss in enumerate(LOSSES)])

    def step(x, _):
        first = velocity(x)
        second = velocity(x + h / 2 * first)
        third = velocity(x + h / 2 * second)
        fourth = velocity(x + h * third)
        x = jnp.maximum(x + h / 6 * (first + 2 * second + 2 * third + fourth), 0.0)
        return x, x

    start = jnp.full(len(LOSSES), distance)
    return jnp.concatenate([start[None], jax.lax.scan(step, start, length=FRAMES - 1)[1]])


# ---- the picture ----


@functools.cache
def _curves(loss: str) -> Answer:
    return answers(loss, OUTPUTS)


def _at(loss: str, output: float) -> Answer:
    return Answer(*(float(part[0]) + 0.0 for part in answers(loss, np.array([output]))))  # -0 is written 0


def _losses(loss: str, output: float, here: Answer) -> Panel:
    curves, middle = _curves(loss), undecided(loss)
    at_rest = _at(loss, middle)
    values = np.concatenate([curves.loss_d, curves.loss_g])
    # an exponential would flatten all else: draw 25 up and down, and further only to keep the point in sight
    low = min(here.loss_d, here.loss_g, max(float(values.min()), -25.0))
    high = max(here.loss_d, here.loss_g, min(float(values.max()), 25.0))
    room = 0.06 * (high - low)
    marks: list[Mark] = [
        Level(middle, "undecided", upright=True),
        Curve(OUTPUTS, curves.loss_d, "L_D", "discriminator"),
        Curve(OUTPUTS, curves.loss_g, "L_G", "fake"),
        Dots(_one(middle), _one(at_rest.loss_d), colour="quiet", size=4),
        Dots(_one(middle), _one(at_rest.loss_g), colour="quiet", size=4),
        Dots(_one(output), _one(here.loss_d), colour="discriminator", size=6),
        Dots(_one(output), _one(here.loss_g), colour="fake", size=6),
    ]
    return Panel(marks, (-10, 10), (low - room, high + room), "Both losses", "D's output a on the fake", "loss")


def _one(value: Real) -> Line:
    return np.array([float(value)])


def _powers(gradient: Line) -> Line:
    """Size of a gradient as a power of ten; NaN where it is too small to be drawn."""
    size = np.abs(gradient)
    return np.where(size > 10**FLOOR, np.log10(np.maximum(size, 1e-300)), np.nan)


def _gradients(loss: str, output: float, here: Answer) -> Panel:
    chosen, name = _curves(loss).gradient, LOSSES[loss].name
    marks: list[Mark] = [Level(0, "pull of 1")]
    for rival in ("minimax", "nonsaturating"):
        gradient = _curves(rival).gradient
        if not np.array_equal(gradient, chosen):
            marks.append(Curve(OUTPUTS, _powers(gradient), LOSSES[rival].name, "quiet"))
    marks.append(Curve(OUTPUTS, _powers(np.where(chosen < 0, chosen, np.nan)), name, "accent"))
    if (chosen > 0).any():
        down = _powers(np.where(chosen > 0, chosen, np.nan))
        marks.append(Curve(OUTPUTS, down, "pushed down", "accent", dashed=True))
    power = np.nan_to_num(_powers(_one(here.gradient)), nan=FLOOR)
    marks.append(Dots(_one(output), power, colour="accent", size=6))
    top = max(CEILING, float(np.nanmax(_powers(chosen))))
    return Panel(marks, (-10, 10), (FLOOR, top), "What reaches G: the size of dL_G/da",
                 "D's output a on the fake", "log₁₀ of the size")  # fmt: skip


def _scene(loss: str, distance: float, paths: np.ndarray) -> Panel:
    x = np.linspace(-3, 9, 241)
    racers = [name for name in LOSSES if name in (*RIVALS, loss)]
    lanes = np.linspace(1.1, 0.55, len(racers))
    marks: list[Mark] = [
        Curve(x, _bell(x), "real data", "real", fill=True),
        Curve(x, _bell(x - distance), "fakes at first", "fake", dashed=True),
        Level(0, upright=True),
        Motion(paths[:, [list(LOSSES).index(name) for name in racers]], np.tile(lanes, (len(paths), 1)),
               [LOSSES[name].name for name in racers], "quiet", racers.index(loss)),
    ]  # fmt: skip
    return Panel(marks, (-3, 9), (0, 1.2), "A fake's way, with D at its best",
                 "x (unit of time: 100 steps at rate 0.01)", "density")  # fmt: skip


def _bell(x: Line) -> Line:
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def scene(loss: str, output: Real, distance: Real) -> Scene:
    """Show a loss at one output of D, and the way of a fake sample from one distance.

    Args:
        loss: name in `losses.LOSSES`.
        output: what D answers to the fake sample, -10 to 10.
        distance: of the fakes from the real data in the 1-D scene, in standard deviations, above 0.

    >>> view = scene("minimax", -10, 4)
    >>> f"{view.number('gradient'):.3g}"
    '-4.54e-05'
    """
    output, distance = float(output), float(distance)
    here, paths = _at(loss, output), race(distance)
    left = float(paths[-1, list(LOSSES).index(loss)])
    numbers = [*_numbers(loss, output, here), *_motion_numbers(distance, pulls(distance)[loss], left)]
    panels = [_losses(loss, output, here), _gradients(loss, output, here), _scene(loss, distance, paths)]
    return Scene(panels, numbers, _words(loss, output, distance, numbers), _remark(loss, output, distance))


def _numbers(loss: str, output: float, here: Answer) -> list[Number]:
    rest, any_g = _at(loss, undecided(loss)), theory.equilibrium(LOSSES[loss])[1] is None
    minimax, other = (_at(name, output).gradient for name in ("minimax", "nonsaturating"))
    real = f"a real sample gets {shown(2 * undecided(loss) - output)}"
    return [
        Number("L_D", here.loss_d, f"at rest {shown(rest.loss_d)}; {real}", "discriminator"),
        Number("L_G", here.loss_g, "at rest any number" if any_g else f"at rest {shown(rest.loss_g)}", "fake"),
        Number("gradient", here.gradient, f"size for minimax {shown(abs(minimax))}, non-saturating {abs(other):.6g}",
               "accent"),
        Number("against minimax", here.gradient / minimax, _ratio_note(loss)),
    ]  # fmt: skip


def _ratio_note(loss: str) -> str:
    return {"minimax": "itself", "nonsaturating": "times: e^−a exactly", "f_jensen_shannon": "the same"}.get(
        loss, "times"
    )


def _motion_numbers(distance: float, pulled: Pull, left: float) -> list[Number]:
    return [
        Number("best D there", pulled.output, f"at the sample, x = {distance:g}"),
        Number("its slope", pulled.slope + 0.0, "in x"),
        Number("speed", abs(pulled.velocity), f"= {shown(abs(pulled.gradient))} × {shown(abs(pulled.slope))}"),
        Number("left to go", left, f"of {distance:g}, after {TIME:g} units of time", "accent"),
    ]


def _words(loss: str, output: float, distance: float, numbers: list[Number]) -> str:
    value = {number.name: shown(number.value) for number in numbers}
    real = shown(2 * undecided(loss) - output)
    return (
        f"Loss {LOSSES[loss].name}: D gives the fake {shown(output)} and the real sample {real}. D's loss is "
        f"{value['L_D']}, G's {value['L_G']}, and the gradient that reaches G {value['gradient']}, "
        f"{value['against minimax']} times that of minimax. A fake {shown(distance)} standard deviations from the real "
        f"data, against the best D, sets off with speed {value['speed']}; after {TIME:g} units of time it has "
        f"{value['left to go']} to go."
    )


def _remark(loss: str, output: float, distance: float) -> str:
    return f"{_on_the_gradient(loss, output)} {_on_the_motion(loss, distance)}"


def _on_the_gradient(loss: str, a: float) -> str:
    """What to notice in the first two pictures."""
    sure, fooled = a <= -2, a >= 2
    if loss in ("minimax", "f_jensen_shannon"):
        if sure:
            return "Saturated: D sees through the fake, and G, which needs the gradient now, gets next to none."
        return (
            "D is fooled, and now G is pulled hardest." if fooled else "The less sure D is, the more gradient G gets."
        )
    if loss == "relativistic":
        if sure:
            return "Only the gap between the two answers counts; while D sees it, the pull on the fake is nearly 1."
        return (
            "D has the pair the wrong way round: G has won it, and the pull fades."
            if fooled
            else ("Only the gap between the two answers counts: as it closes, the pull falls to 1/2.")
        )
    if loss == "nonsaturating":
        if sure:
            return "D sees through the fake, and G feels nearly the full pull of 1."
        return "D is fooled, and the pull fades." if fooled else "Between sure and fooled the pull falls from 1 to 0."
    if loss == "least_squares":
        if a > 1:
            return "Above its label 1 the fake is pulled back down (dashed): least squares punishes too good an answer."
        return "The pull is the distance to the label 1: the surer D is, the stronger."
    if loss == "hinge":
        if a <= -1:
            return "Below −1 D's loss is flat, so D learns nothing from this sample; G's loss never saturates."
        return "Above −1 D learns from this sample too; G's pull is 1 everywhere."
    if loss in ("wasserstein", "f_reverse_kl"):
        return "G's loss is a straight line: whatever D answers, the pull is 1."
    if loss == "f_kl":
        return "The pull is e^(a − 1): nothing where D is sure, an explosion where D is fooled."
    if a < -2:
        return "Below −2, where no best D answers, the fake is pushed further down (dashed): the wrong way."
    return "The pull grows with a: next to none near −2, where a sure D answers."


def _on_the_motion(loss: str, distance: float) -> str:
    """What to notice in the third picture."""
    far = distance >= 3
    if loss == "hinge":
        return "The best D is a step from 1 to −1: flat at the sample, which does not move."
    if loss == "wasserstein":
        return "Held to slope 1, the critic moves the sample at speed 1 from anywhere."
    if loss in ("f_kl", "f_pearson") and far:
        mean = shown(distance if loss == "f_kl" else 2 * distance * float(np.exp(distance**2)))
        return (
            f"The sample hardly moves. Averaged over all fakes the pull is {mean}, but from fakes too rare to be drawn."
        )
    if loss == "least_squares" and far:
        return "Yet the sample hardly moves: so far out the best D is flat, and lets nothing through."
    if loss in ("minimax", "f_jensen_shannon") and far:
        return "A sample far from the data hardly moves, for the same reason."
    if loss in ("nonsaturating", "relativistic", "f_reverse_kl"):
        return (
            "The steeper D, the faster the sample: it sets off with a speed of about its distance."
            if far
            else "Close by, it slows down."
        )
    return "Move the data further away: does the sample still find it?"


def objectives(loss: str = "minimax", output: Real = -4.0, distance: Real = 4.0) -> Explorer:
    """Open the loss explorer: both players' losses, the gradient that reaches G, and the way of a fake sample.

    Args:
        loss: chosen at first; a name in `losses.LOSSES`.
        output: what D answers to a fake at first, -10 to 10.
        distance: of the fakes from the real data at first, 0.5 to 6 standard deviations.

    Returns:
        The widget: end a cell with it.

    >>> objectives("nonsaturating", output=-10).scene.number("gradient")
    -0.99995...
    """
    first: dict[str, Any] = {"loss": loss, "output": output, "distance": distance}
    controls = [replace(control, value=first[control.name]) for control in CONTROLS]
    return open_explorer(lambda values: scene(**values), controls, title="Loss explorer")
