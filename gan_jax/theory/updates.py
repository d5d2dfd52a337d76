"""A game, where its players stand and what a rule remembers come in; where one step of the rule takes them goes out.

Below, w is both players' parameters, v(w) the field, J its Jacobian, h the rate.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from ..errors import Menu, check_count
from ..losses import safe_sqrt
from .games import Game, Pair, _field, _velocity_d, _velocity_g

Dials = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Rule:
    """How the field becomes steps: pure functions, differentiable. Compared by identity, so make it once.

    Attributes:
        init: `(game, pair, dials) -> memory`, what the rule remembers before the first step; () for nothing.
        step: `(game, pair, memory, rates, dials) -> (pair, memory)`, one step; rates are (G's, D's).
        name: for labels.
        dials: the rule's own numbers with their defaults; data, so moving one compiles nothing anew.
        rest: as init, but what it remembers after a long rest at `pair`; left out where that is the same.
    """

    init: Callable[[Game, Pair, Dials], PyTree]
    step: Callable[[Game, Pair, PyTree, Any, Dials], tuple[Pair, PyTree]]
    name: str
    dials: Mapping[str, float] = attribute(default_factory=dict)
    rest: Callable[[Game, Pair, Dials], PyTree] | None = None


def _nothing(game, pair, dials):
    return ()


def _moved(player: PyTree, rate: Any, velocity: PyTree) -> PyTree:
    return jax.tree.map(lambda w, v: w + rate * v, player, velocity)


def _both_moved(pair, rates, velocity):
    return tuple(map(_moved, pair, rates, velocity))


# ---- each player by its own optimiser, both at once or D first ----


class _Optimizer(NamedTuple):
    """`start(velocity) -> memory` and `turn(velocity, memory, dials) -> (increment, memory)` of one player."""

    start: Callable[[PyTree], PyTree]
    turn: Callable[[PyTree, PyTree, Dials], tuple[PyTree, PyTree]]
    rest: Callable[[PyTree], PyTree] | None = None


def _momentum_turn(velocity, memory, dials):
    memory = jax.tree.map(lambda m, v: dials["beta"] * m + v, memory, velocity)
    return memory, memory


def _optimistic_turn(velocity, memory, dials):
    return jax.tree.map(lambda now, before: 2 * now - before, velocity, memory), velocity


def _adam_start(velocity, weight=0.0):
    zeros = jax.tree.map(jnp.zeros_like, velocity)
    return zeros, zeros, jnp.full((2,), weight)


def _adam_turn(velocity, memory, dials):
    # the two weights 1 - beta^t of the means are means themselves, of ones: no clock, so there is a state of rest
    mean, square, weights = memory
    beta1, beta2 = dials["beta1"], dials["beta2"]
    mean = jax.tree.map(lambda m, v: beta1 * m + (1 - beta1) * v, mean, velocity)
    square = jax.tree.map(lambda s, v: beta2 * s + (1 - beta2) * v**2, square, velocity)
    betas = jnp.stack([beta1, beta2])
    weights = betas * weights + (1 - betas)
    scaled = lambda m, s: (m / weights[0]) / (safe_sqrt(s / weights[1]) + dials["epsilon"])  # noqa: E731
    return jax.tree.map(scaled, mean, square), (mean, square, weights)


_GRADIENT = _Optimizer(lambda velocity: (), lambda velocity, memory, dials: (velocity, memory))
_MOMENTUM = _Optimizer(lambda velocity: jax.tree.map(jnp.zeros_like, velocity), _momentum_turn)
_OPTIMISTIC = _Optimizer(lambda velocity: velocity, _optimistic_turn)
_ADAM = _Optimizer(_adam_start, _adam_turn, functools.partial(_adam_start, weight=1.0))
_ADAM_DIALS = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def _optimized(name: str, optimizer: _Optimizer, dials: Dials | None = None, *, alternating: bool = False) -> Rule:
    def at_once(game, pair, memory, rates, dials):
        turns = [optimizer.turn(v, m, dials) for v, m in zip(_field(game, pair), memory, strict=True)]
        increments, memory = zip(*turns, strict=True)
        return _both_moved(pair, rates, increments), memory

    def in_turn(game, pair, memory, rates, dials):  # D first, as in `train`
        theta, psi = pair
        increment, memory_d = optimizer.turn(_velocity_d(game, theta, psi), memory[1], dials)
        psi = _moved(psi, rates[1], increment)
        increment, memory_g = optimizer.turn(_velocity_g(game, theta, psi), memory[0], dials)
        return (_moved(theta, rates[0], increment), psi), (memory_g, memory_d)

    def init(game, pair, dials, start=optimizer.start):
        return tuple(map(start, _field(game, pair)))

    rest = functools.partial(init, start=optimizer.rest) if optimizer.rest else None
    return Rule(init, in_turn if alternating else at_once, name, dials or {}, rest)


# ---- rules that look ahead, or at the field's Jacobian ----


def _extragradient(game, pair, memory, rates, dials):
    ahead = _both_moved(pair, rates, _field(game, pair))
    return _both_moved(pair, rates, _field(game, ahead)), memory


def _consensus(game, pair, memory, rates, dials):
    velocity, pull_back = jax.vjp(functools.partial(_field, game), pair)
    (towards_unrest,) = pull_back(velocity)  # J' v, the gradient of |v|^2 / 2
    return _both_moved(pair, rates, _both_moved(velocity, [-dials["weight"]] * 2, towards_unrest)), memory


def _symplectic(game, pair, memory, rates, dials):
    velocity, pull_back = jax.vjp(functools.partial(_field, game), pair)
    (back,) = pull_back(velocity)
    _, forth = jax.jvp(functools.partial(_field, game), (pair,), (velocity,))
    turned = jax.tree.map(lambda f, b: 0.5 * (f - b), forth, back)
    return _both_moved(pair, rates, _both_moved(velocity, [dials["weight"]] * 2, turned)), memory


@functools.lru_cache
def unrolled(k: int = 5) -> Rule:
    """Let G look k steps of D ahead: it descends `loss_g(theta, psi_k(theta))`, and D takes one plain step meanwhile.

    `psi_0 = psi`, `psi_(i+1) = psi_i - h_D d loss_d(theta, psi_i) / d psi`; G's gradient goes through all k of them.

    Args:
        k: steps; 0 is `simultaneous`.

    Returns:
        A `Rule` for `play(..., update=unrolled(3))`.

    Source: Metz et al. 2017, "Unrolled Generative Adversarial Networks", equations 7 to 11.
    """
    check_count(k, "k", least=0)

    def step(game, pair, memory, rates, dials):
        theta, psi = pair

        def outlook(theta):
            answer = lambda psi, _: (_moved(psi, rates[1], _velocity_d(game, theta, psi)), None)  # noqa: E731
            return game.loss_g(theta, jax.lax.scan(answer, psi, None, length=k)[0])

        velocity_g = jax.tree.map(jnp.negative, jax.grad(outlook)(theta))
        return _both_moved(pair, rates, (velocity_g, _velocity_d(game, theta, psi))), memory

    return Rule(_nothing, step, f"unrolled ({k} steps)")


@functools.lru_cache
def lookahead(k: int = 5, inner: str | Rule = "simultaneous") -> Rule:
    """Take k steps of another rule, then go back to a share `alpha` of the way: `w + alpha (w_k - w)` is one step.

    Args:
        k: inner steps; one step of this rule costs as much as k of the other's.
        inner: name in `UPDATES`, or a `Rule`; its dials stand beside alpha.

    Returns:
        A `Rule` for `play(..., update=lookahead(20, "adam"))`.

    Source: Chavdarova et al. 2021, "Taming GANs with Lookahead-Minmax".
    """
    check_count(k, "k")
    rule = UPDATES[inner] if isinstance(inner, str) else inner

    def step(game, pair, memory, rates, dials):
        walk = lambda now, _: (rule.step(game, now[0], now[1], rates, dials), None)  # noqa: E731
        (ahead, memory), _ = jax.lax.scan(walk, (pair, memory), None, length=k)
        return jax.tree.map(lambda w, fast: w + dials["alpha"] * (fast - w), pair, ahead), memory

    return Rule(rule.init, step, f"lookahead ({k} steps, {rule.name})", {"alpha": 0.5, **rule.dials}, rule.rest)


_SIMULTANEOUS = _optimized("simultaneous", _GRADIENT)

UPDATES: Menu[Rule] = Menu(
    "update",
    {
        "simultaneous": _SIMULTANEOUS,
        "alternating": _optimized("alternating", _GRADIENT, alternating=True),
        "momentum": _optimized("momentum", _MOMENTUM, {"beta": 0.5}),
        "alternating_momentum": _optimized("alternating momentum", _MOMENTUM, {"beta": -0.5}, alternating=True),
        "adam": _optimized("Adam", _ADAM, _ADAM_DIALS),
        "alternating_adam": _optimized("alternating Adam", _ADAM, _ADAM_DIALS, alternating=True),
        "extragradient": Rule(_nothing, _extragradient, "extragradient"),
        "optimistic": _optimized("optimistic", _OPTIMISTIC),
        "consensus": Rule(_nothing, _consensus, "consensus", {"weight": 1.0}),
        "symplectic": Rule(_nothing, _symplectic, "symplectic adjustment", {"weight": 1.0}),
        "lookahead": lookahead(inner=_SIMULTANEOUS),
        "unrolled": unrolled(),
    },
)
"""Rules by name:

- simultaneous `w + h v(w)`; alternating: D, then G against the new D.
- momentum: `m = beta m + v(w)`, `w + h m` (Polyak 1964), at once; alternating_momentum, D first, converges on f = xy
  with a beta below 0 (Gidel et al. 2019).
- adam, at once, and alternating_adam: `w + h m / (sqrt(s) + epsilon)`, m and s the means of v and v^2 under beta1 and
  beta2, without the bias of their start (Kingma and Ba 2015, algorithm 1).
- extragradient `w + h v(w + h v(w))` (Korpelevich 1976).
- optimistic `w + 2 h v(w) - h v(w before)` (Daskalakis et al. 2018).
- consensus `w + h (v - weight J' v)`, also seeking small `|v|^2 / 2` (Mescheder, Nowozin and Geiger 2017).
- symplectic `w + h (v + weight (J - J') v / 2)`, adjusted by what turns only; with a fixed sign of the weight
  (Balduzzi et al. 2018, "The Mechanics of n-Player Differentiable Games").
- lookahead and unrolled: see the functions of that name, which make others.
"""
