"""A game and a start come in; the path on which a rule, with its dials, takes both players goes out."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..errors import Menu, UnknownName, check_count
from .games import Dial, Game, Pair, Players, _pair
from .updates import UPDATES, Dials, Rule


def _rates(rate: Any) -> Pair:
    """G's rate and D's, where one serves for both."""
    rate = jnp.asarray(rate, jnp.result_type(float))
    if rate.shape not in ((), (2,)):
        raise ValueError(f"rate must be a number, or two (generator's, discriminator's), got shape {rate.shape}")
    return (rate[0], rate[1]) if rate.ndim else (rate, rate)


def _dials(kind: str, defaults: Mapping[str, float], given: Dials | None) -> dict[str, Any]:
    """The defaults, with what is given in their place, as arrays."""
    for name, value in (given or {}).items():
        if not defaults:
            raise UnknownName(f"the {kind} has no dials, got {name!r}")
        Menu(f"dial of the {kind}", defaults)[name]
        if jnp.shape(value) != ():
            raise ValueError(f"dial {name!r} must be one number, got shape {jnp.shape(value)}; jax.vmap takes many")
    return {name: jnp.asarray(value, jnp.result_type(float)) for name, value in {**defaults, **(given or {})}.items()}


class Averaged(NamedTuple):
    """A path and the mean of it up to each of its points, of the same form.

    Attributes:
        path: where both players stood.
        mean: the running mean of `path`.
    """

    path: Any
    mean: Any


AVERAGES: Menu[Callable[[Any, Dials], Any]] = Menu(
    "average", {"uniform": lambda t, dials: 1 / (t + 1), "exponential": lambda t, dials: 1 - dials["decay"]}
)
"""Running means by name: the share that the point after step t has in the mean. `uniform`: of all points so far, start
included; `exponential`: `mean = decay mean + (1 - decay) w`, begun at the start, `decay` a dial (0.99 if not given)."""


def _settled(update: str | Rule, dials: Dials | None, average: str | None = None) -> tuple[Rule, dict[str, Any]]:
    """The rule meant and all its dials."""
    rule = UPDATES[update] if isinstance(update, str) else update
    if average is not None:
        AVERAGES[average]
    defaults = {**rule.dials, **({"decay": 0.99} if average == "exponential" else {})}
    return rule, _dials(f"update {rule.name!r}", defaults, dials)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _play(rule, n, average, game, pair, rates, dials):
    def walk(carry, t):
        pair, memory, mean = carry
        pair, memory = rule.step(game, pair, memory, rates, dials)
        if average is not None:
            share = AVERAGES[average](t, dials)
            mean = jax.tree.map(lambda m, w: m + share * (w - m), mean, pair)
        return (pair, memory, mean), (pair, mean)

    first = (pair, () if average is None else pair)
    start = (pair, rule.init(game, pair, dials), first[1])
    _, rest = jax.lax.scan(walk, start, jnp.arange(1, n + 1, dtype=jnp.result_type(float)))
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), first, rest)


def play(
    game: Game,
    start: Players,
    rate: Dial | Sequence[float],
    n: int,
    *,
    update: str | Rule = "alternating",
    dials: Dials | None = None,
    average: str | None = None,
) -> Any:
    """Walk n steps from a start.

    Compiles once for each game's kind, rule, n and shape of start: rate, dials, start and the game's own data may move,
    or be `jax.vmap`-ed over.

    Args:
        game: the two losses.
        start: both players' parameters: an array of shape (2,) or (2, d), or a pair of pytrees `(theta, psi)`.
        rate: step size h, or one for each player (G's, D's).
        n: steps.
        update: name in `UPDATES`, or a `Rule`.
        dials: the rule's own numbers that differ from their defaults, as `{"beta": -0.3}`.
        average: name in `AVERAGES`, to keep a running mean beside the path.

    Returns:
        Where both stood, the start included, shape (n + 1, 2) or (n + 1, 2, d); for a pair, a pair whose leaves have a
        leading axis of n + 1. With `average`, an `Averaged` of two such.

    Raises:
        UnknownName: no such update, average or dial.
        ValueError: n, the rate or a dial has another shape than said; `start` is not two players.

    >>> from gan_jax.theory import bilinear
    >>> path = play(bilinear, jnp.array([1.0, 0.0]), 0.1, 100, update="extragradient")
    >>> path.shape, bool(jnp.linalg.norm(path[-1]) < 0.7)
    ((101, 2), True)
    """
    check_count(n, "n")
    pair, formed = _pair(start)
    rule, numbers = _settled(update, dials, average)
    path, mean = _play(rule, n, average, game, pair, _rates(rate), numbers)
    return formed(path, 1) if average is None else Averaged(formed(path, 1), formed(mean, 1))
