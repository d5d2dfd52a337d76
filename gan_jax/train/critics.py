"""Two clouds of points and a constraint come in; a critic trained on them goes out, and what it says of their distance.

A critic φ of a Wasserstein GAN estimates W_1 by `mean φ(real) - mean φ(fake)`, the largest that a function of slope at
most 1 reaches (Kantorovich and Rubinstein). How far a network comes depends on what holds its slope: clipped weights, a
gradient penalty, spectral norm. Here no generator moves, so that the answer can be set beside `theory.wasserstein`.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Key

from .. import nets
from ..errors import Menu, check_count, check_key
from ..losses import safe_sqrt, squared_gradient_norm

Cloud = Float[Array | np.ndarray, "n 2"]
Line = Float[Array, " n"]
Number = Any
"""A number, or an array of one under `vmap`."""

HIDDEN = (64, 64)
BETAS = (0.5, 0.9)
"""Adam's memories, as Gulrajani et al. 2017 set the second; with their 0 for the first the critic settles later."""

RATES = (2e-3, 2e-3, 2e-3, 2e-4)
"""Adam's learning rate in each quarter of `settle`."""


def two_sided(norm: Line) -> Line:
    """What a gradient penalty adds for a slope: `(norm - 1)^2`. Gulrajani et al. 2017, equation 3."""
    return (norm - 1) ** 2


def one_sided(norm: Line) -> Line:
    """The same for slopes above 1 only: `max(0, norm - 1)^2`. Gulrajani et al. 2017, section 4; Petzka et al. 2018."""
    return jax.nn.relu(norm - 1) ** 2


class Constraint(NamedTuple):
    """What holds a critic's slope.

    Attributes:
        words: its name.
        dial: what its strength is, "" where it has none.
        strength: the usual one.
        penalty: of the norm of the gradient, between real and fake points.
        clips: whether the strength is the c to which all weights are clipped.
        normalisation: of the critic's layers.
    """

    words: str
    dial: str = ""
    strength: float = 0.0
    penalty: Callable[[Line], Line] | None = None
    clips: bool = False
    normalisation: str = "none"


CONSTRAINTS: Menu[Constraint] = Menu(
    "constraint",
    {
        "gradient_penalty": Constraint("gradient penalty", "weight λ", 10.0, penalty=two_sided),
        "one_sided": Constraint("one-sided penalty", "weight λ", 10.0, penalty=one_sided),
        "spectral": Constraint("spectral norm", normalisation="spectral"),
        "clipping": Constraint("clipped weights", "c", 0.1, clips=True),
        "nothing": Constraint("nothing"),
    },
)
"""What may hold a critic, by name. "nothing" holds nothing: its estimate grows for as long as it trains."""


@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class Critic:
    """A critic in training: a pytree. Called, it maps points, shape (n, 2), to numbers, shape (n,).

    Attributes:
        module: the network.
        memory: of its optimiser.
        key: from which the places of a gradient penalty are drawn.
        step: updates so far.
        constraint: name in `CONSTRAINTS`.
    """

    module: Any
    memory: Any
    key: Key[Array, ""]
    step: Any
    constraint: str = field(metadata={"static": True})

    def __call__(self, x: Cloud) -> Line:
        return self.module(jnp.asarray(x)).reshape(len(x))


def _adam() -> optax.GradientTransformation:
    return optax.scale_by_adam(*BETAS)


@functools.partial(jax.jit, static_argnums=(0, 2))
def _begin(normalisation: str, key: Key[Array, ""], hidden: tuple[int, ...]) -> Critic:
    weights_key, run_key = jax.random.split(key)
    module = nets.mlp(2, *hidden, 1, normalisation=normalisation)(nnx.Rngs(weights_key))
    module.eval()
    memory = _adam().init(nnx.state(module, nnx.Param))
    return Critic(module, memory, run_key, jnp.zeros((), jnp.int32), "nothing")


def begin(constraint: str, key: Key[Array, ""], *, hidden: tuple[int, ...] = HIDDEN) -> Critic:
    """Make an untrained critic: a multilayer perceptron with ReLU.

    Args:
        constraint: name in `CONSTRAINTS`.
        key: random key.
        hidden: widths of the layers in between.

    Raises:
        UnknownName: no such constraint.
        TypeError: `key` is no random key.
    """
    check_key(key)
    return replace(_begin(CONSTRAINTS[constraint].normalisation, key, tuple(hidden)), constraint=constraint)


def _between(key: Key[Array, ""], real: Array, fake: Array) -> Array:
    """A place on the segment of each real point and a random fake one."""
    order_key, weight_key = jax.random.split(key)
    weight = jax.random.uniform(weight_key, (len(real), 1))
    return weight * real + (1 - weight) * jax.random.permutation(order_key, fake)


def _update(critic: Critic, real: Array, fake: Array, strength: Any, rate: Any) -> tuple[Critic, Array]:
    rule = CONSTRAINTS[critic.constraint]
    definition, params, rest = nnx.split(critic.module, nnx.Param, ...)
    places = _between(jax.random.fold_in(critic.key, critic.step), real, fake)

    def call(params: Any, x: Array) -> tuple[Array, Any]:
        module = nnx.merge(definition, params, jax.tree.map(lambda leaf: leaf, rest))
        module.train()  # spectral norm takes its step of power iteration
        return module(x).reshape(len(x)), nnx.state(module, nnx.Not(nnx.Param))

    def objective(params: Any) -> tuple[Array, tuple[Any, Array]]:
        f, after = call(params, jnp.concatenate([real, fake]))
        estimate = jnp.mean(f[: len(real)]) - jnp.mean(f[len(real) :])
        if rule.penalty is None:
            return -estimate, (after, estimate)
        norm = safe_sqrt(squared_gradient_norm(lambda x: call(params, x)[0], places))
        return -estimate + strength * jnp.mean(rule.penalty(norm)), (after, estimate)

    gradient, (rest_after, estimate) = jax.grad(objective, has_aux=True)(params)
    change, memory = _adam().update(gradient, critic.memory)
    params = jax.tree.map(lambda p, change: p - rate * change, params, change)
    params = jax.tree.map(lambda p: jnp.clip(p, -strength, strength), params) if rule.clips else params
    module = nnx.merge(definition, params, rest_after)
    module.eval()
    return replace(critic, module=module, memory=memory, step=critic.step + 1), estimate


@functools.partial(jax.jit, static_argnums=5)
def _teach(critic: Critic, real: Array, fake: Array, strength: Any, rate: Any, steps: int) -> tuple[Critic, Array]:
    update = lambda critic, _: _update(critic, real, fake, strength, rate)  # noqa: E731
    return jax.lax.scan(update, critic, length=steps)


def teach(
    critic: Critic, real: Cloud, fake: Cloud, steps: int, *, strength: Number | None = None, rate: Number = 1e-3
) -> tuple[Critic, Float[Array, " steps"]]:
    """Train a critic on two clouds that stand still, all points in every step; one compiled call.

    Args:
        critic: from `begin`, or from an earlier call: training goes on.
        real, fake: as many points each, shape (n, 2).
        steps: updates.
        strength: of the constraint: a penalty's weight, or the c of clipping; the usual one when left out.
        rate: Adam's learning rate.

    Returns:
        The critic, and its estimate before each update, shape (steps,).

    Raises:
        ValueError: clouds of different shape, or a strength that is not positive.
    """
    check_count(steps, "steps")
    real, fake = jnp.asarray(real, jnp.float32), jnp.asarray(fake, jnp.float32)
    if real.shape != fake.shape:
        raise ValueError(f"both clouds need one shape (n, 2), got {real.shape} and {fake.shape}; draw equally many")
    rule = CONSTRAINTS[critic.constraint]
    strength = rule.strength if strength is None else strength
    if rule.dial and not isinstance(strength, jax.core.Tracer) and not np.all(np.asarray(strength) > 0):
        raise ValueError(f"the {rule.dial} of {rule.words} must be above 0, got {strength}")
    numbers = (jnp.asarray(number, jnp.float32) for number in (strength, rate))
    return _teach(critic, real, fake, *numbers, steps)


def settle(
    critic: Critic, real: Cloud, fake: Cloud, *, strength: Number | None = None, steps: int = 2000
) -> tuple[Critic, Float[Array, " steps"]]:
    """Train a critic until it hardly moves: three quarters of the steps at rate 0.002, the rest at a tenth of it.

    Arguments and returns as in `teach`; `steps` is a multiple of 4, as a quarter at a time is one compiled program.
    """
    if steps % 4:
        raise ValueError(f"steps must be a multiple of 4, got {steps}; the last quarter has a lower rate")
    found = []
    for rate in RATES:
        critic, estimates = teach(critic, real, fake, steps // 4, strength=strength, rate=rate)
        found.append(estimates)
    return critic, jnp.concatenate(found)


def estimate(critic: Callable[[Cloud], Line], real: Cloud, fake: Cloud) -> Float[Array, ""]:
    """What a critic says of the distance: `mean φ(real) - mean φ(fake)`.

    >>> plane = lambda x: x @ jnp.array([3.0, 4.0])
    >>> float(estimate(plane, jnp.ones((5, 2)), jnp.zeros((5, 2))))
    7.0
    """
    return jnp.mean(critic(real)) - jnp.mean(critic(fake))


def steepness(critic: Callable[[Cloud], Line], real: Cloud, fake: Cloud) -> Float[Array, ""]:
    """The largest `(φ(x) - φ(y)) / |x - y|` over real points x and fake points y.

    `estimate / steepness` is never more than the exact W_1 of the two clouds, whatever the critic: the dual of optimal
    transport asks `φ(x) - φ(y) <= |x - y|` of these pairs only. Peyré and Cuturi 2019, section 2.5.
    """
    real, fake = jnp.asarray(real), jnp.asarray(fake)
    away = jnp.linalg.norm(real[:, None] - fake[None], axis=-1)
    apart = critic(real)[:, None] - critic(fake)[None]
    return jnp.max(jnp.where(away > 0, apart / jnp.where(away > 0, away, 1.0), -jnp.inf))


def slopes(critic: Callable[[Cloud], Line], x: Cloud) -> Line:
    """The norm of the critic's gradient at each point, shape (n,)."""
    return safe_sqrt(squared_gradient_norm(critic, jnp.asarray(x)))


def weights(critic: Critic) -> Float[np.ndarray, " weights"]:
    """All weights and biases in one row, as clipping sees them."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(nnx.state(critic.module, nnx.Param))])


# ---- clouds to try it on ----


def _blob(key: Key[Array, ""], n: int, centre: tuple[float, float], scale: float) -> Array:
    return jnp.array(centre)[None] + scale * jax.random.normal(key, (n, 2))


def _shifted(key: Key[Array, ""], n: int) -> tuple[Array, Array]:
    one, other = jax.random.split(key)
    return _blob(one, n, (-1.0, 0.0), 0.4), _blob(other, n, (1.0, 0.0), 0.4)


def _split(key: Key[Array, ""], n: int) -> tuple[Array, Array]:
    left, right, middle = jax.random.split(key, 3)
    heaps = [_blob(left, n - n // 2, (0.0, 1.5), 0.25), _blob(right, n // 2, (0.0, -1.5), 0.25)]
    return jnp.concatenate(heaps), _blob(middle, n, (0.0, 0.0), 0.25)


def _ring(key: Key[Array, ""], n: int) -> tuple[Array, Array]:
    noise_key, fake_key = jax.random.split(key)
    angle = 2 * jnp.pi * jnp.arange(n) / n
    ring = 1.5 * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
    return ring + 0.1 * jax.random.normal(noise_key, (n, 2)), _blob(fake_key, n, (0.0, 0.0), 0.5)


class Pair(NamedTuple):
    """Two clouds.

    Attributes:
        words: what they are.
        draw: `(key, n) -> (real, fake)`, shape (n, 2) each.
    """

    words: str
    draw: Callable[[Key[Array, ""], int], tuple[Array, Array]]


CLOUDS: Menu[Pair] = Menu(
    "pair of clouds",
    {
        "shifted": Pair("two heaps, 2 apart", _shifted),
        "split": Pair("two heaps against one between them", _split),
        "ring": Pair("a ring against a heap in its middle", _ring),
    },
)
"""Pairs of clouds to measure critics on."""
