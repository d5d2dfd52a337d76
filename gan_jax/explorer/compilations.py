"""A learning rate and a batch size come in; how often JAX has compiled the step by then goes out, live."""

import functools
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import softplus
from jaxtyping import Array, Float

from .scene import Bars, Number, Panel, Real, Scene, Slider
from .widget import Explorer
from .widget import open as open_explorer

CONTROLS = (
    Slider("lr", "learning rate", 0.01, 0.2, 0.1, notches=20),
    Slider("batch_size", "samples in a batch", 16, 256, 64, notches=16, whole=True),
)

NAMES = {"constant": "a constant in the code", "static": "a static argument", "argument": "an array argument"}
"""How the learning rate reaches the step, in words."""


class Players(NamedTuple):
    """The smallest GAN: `G(z) = theta + z`, and D's logit `slope x + offset`."""

    theta: Array
    slope: Array
    offset: Array


def train_step(players: Players, real: Float[Array, " n"], z: Float[Array, " n"], lr: Real | Array) -> Players:
    """Take one step of the smallest GAN, both players at once, each down the gradient of its own loss.

    Args:
        players: where they stand.
        real: real samples.
        z: latents, as many.
        lr: both players' learning rate; a number, or a scalar array.

    >>> players = Players(*map(jnp.float32, (0, 1, 0)))
    >>> float(train_step(players, jnp.zeros(4), jnp.zeros(4), 0.5).theta)  # half way along D's slope of 1/2
    0.25
    """

    def loss_d(slope, offset):
        return jnp.mean(softplus(-slope * real - offset)) + jnp.mean(softplus(slope * (players.theta + z) + offset))

    def loss_g(theta):
        return jnp.mean(softplus(-players.slope * (theta + z) - players.offset))

    gradients = Players(jax.grad(loss_g)(players.theta), *jax.grad(loss_d, (0, 1))(players.slope, players.offset))
    return jax.tree.map(lambda value, gradient: value - lr * gradient, players, gradients)


class Counted:
    """The step compiled in three ways, and how often each has been: real counts, of this object's own programs.

    Attributes:
        compiled: by the names in `NAMES`, programs made so far.
        moves: how often the three have been called with something new.

    >>> steps = Counted()
    >>> for lr in (0.1, 0.2, 0.1):
    ...     milliseconds = steps.call(lr, 64)
    >>> dict(steps.compiled)
    {'constant': 3, 'static': 2, 'argument': 1}
    """

    def __init__(self):
        self.compiled: Counter[str] = Counter()
        self.moves = 0
        self._last: tuple[float, int] | None = None
        self._static = jax.jit(self._counting("static"), static_argnames="lr")
        self._argument = jax.jit(self._counting("argument"))
        self._players = Players(*(jnp.float32(value) for value in (0.0, 0.5, 0.0)))

    def _counting(self, name: str) -> Callable:
        def step(players, real, z, lr):
            self.compiled[name] += 1  # Python runs this line only while JAX traces the step, to compile it
            return train_step(players, real, z, lr)

        return step

    def call(self, lr: Real, batch_size: int) -> dict[str, float]:
        """Call each version of the step once.

        Args:
            lr: learning rate.
            batch_size: samples of each kind.

        Returns:
            By the names in `NAMES`, the milliseconds that its call took, compiling included.
        """
        if self._last is None or lr != self._last[0]:
            # what a cell does that has the number in its text, when the number is changed and the cell run again
            self._constant = jax.jit(functools.partial(self._counting("constant"), lr=lr))
        self.moves += (lr, batch_size) != self._last
        self._last = lr, batch_size
        key = jax.random.key(0)
        real, z = (jax.random.normal(key, (batch_size,)) for key in jax.random.split(key))
        batch = jax.block_until_ready((self._players, 3 + real, z))
        return {
            "constant": _milliseconds(self._constant, *batch),
            "static": _milliseconds(self._static, *batch, lr=float(lr)),
            "argument": _milliseconds(self._argument, *batch, jnp.float32(lr)),
        }


def _milliseconds(function: Callable, *args, **keywords) -> float:
    began = time.perf_counter()
    jax.block_until_ready(function(*args, **keywords))
    return 1000 * (time.perf_counter() - began)


def scene(steps: Counted, lr: Real, batch_size: Real) -> Scene:
    """Call the three versions, and show their counts and how long each call took.

    Args:
        steps: what counts.
        lr: learning rate.
        batch_size: samples of each kind; a whole number.
    """
    before = steps.compiled.copy()
    took = steps.call(lr, round(batch_size))
    counts = np.array([steps.compiled[name] for name in NAMES])
    times = np.array([took[name] for name in NAMES])
    moved = f"{steps.moves} setting{'s' if steps.moves > 1 else ''}"
    panels = [
        Panel([Bars(tuple(NAMES.values()), counts, "accent")], x=(0, max(8.0, 1.25 * counts.max())),
              title=f"Compiled so far, in {moved}", x_label="programs"),
        Panel([Bars(tuple(NAMES.values()), times, "quiet")], x=(0, max(50.0, 1.25 * times.max())),
              title="The last call", x_label="milliseconds"),
    ]  # fmt: skip
    numbers = [Number(NAMES[name], steps.compiled[name], f"the last call: {took[name]:.3g} ms") for name in NAMES]
    listed = ", ".join(f"{steps.compiled[name]} as {words}" for name, words in NAMES.items())
    words = f"After {moved} of learning rate and batch size the step has been compiled {listed}."
    return Scene(panels, numbers, words, _remark(steps.moves == 1, steps.compiled - before))


def _remark(first: bool, made: Counter[str]) -> str:
    """What to notice, from the programs that the last call has made."""
    if first:
        return "Each version has been compiled once, for its first call. Move the learning rate: which bars grow?"
    if made["argument"]:
        return "A new batch size is a new shape, and a new program for every version."
    if made["static"]:
        return (
            "A new learning rate is a new program for two of the three. Come back to an old one; then move the batch."
        )
    if made["constant"]:
        return "A rate seen before: as a static argument it has a program already, as a constant it needs another one."
    return "Nothing new: each version had a program for this."


def compilations() -> Explorer:
    """Open a live counter of compilations: one training step, whose learning rate reaches it in three ways.

    The counts are those of this widget's own programs: open another one, and it begins at zero.

    Returns:
        The widget; its numbers are the counts, by the words in `NAMES`.

    >>> live = compilations()
    >>> for lr in (0.02, 0.03):
    ...     live.set("lr", lr)
    >>> [int(live.scene.number(words)) for words in NAMES.values()]
    [3, 3, 1]
    """
    steps = Counted()
    return open_explorer(
        lambda values: scene(steps, values["lr"], values["batch_size"]),
        CONTROLS,
        title="What makes JAX compile again?",
    )
