"""Settings and seeds come in; every run of them goes out, trained at once."""

import functools
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from ..data import Target
from ..errors import check_count, check_key
from .game import _init
from .hyperparams import Hyperparams, dials
from .loops import _capacity, _check_game, _loop
from .rules import Gan
from .states import History, State


def sweep(gan: Gan, hypers: Hyperparams, target: Target, keys: Key[Array, " seeds"], n: int) -> tuple[State, History]:
    """Train every setting from every seed at once, in one call.

    Args:
        gan: the rules.
        hypers: the dials; each leaf a scalar or of shape (settings,).
        target: the distribution that real samples come from.
        keys: random keys, shape (seeds,), from `jax.random.split`.
        n: how many steps.

    Returns:
        A `State` whose leaves have leading axes (settings, seeds), and a `History` of shape (settings, seeds, n).
        A run that diverges keeps its NaN, and does not stop the others: see `History.bad`. `pick` takes one out.

    >>> import jax, numpy as np
    >>> from gan_jax import data, nets
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> hypers = Hyperparams(lr_g=np.array([1e-3, 1e-2]))
    >>> states, history = sweep(gan, hypers, data.ring(8), jax.random.split(jax.random.key(0), 3), 10)
    >>> history.loss_g.shape
    (2, 3, 10)
    """
    check_count(n, "n")
    check_key(keys)
    if keys.ndim != 1:
        raise ValueError(
            f"keys must be of shape (seeds,), got {keys.shape}; make them with jax.random.split(key, seeds)"
        )
    hypers = dials(gan, hypers)
    shapes = {f.name: getattr(hypers, f.name).shape for f in fields(hypers)}
    swept = {name: shape for name, shape in shapes.items() if shape != ()}
    if len(set(swept.values())) > 1 or any(len(shape) != 1 for shape in swept.values()):
        raise ValueError(f"each dial must be a scalar or of one common shape (settings,), got {swept}")
    settings = next(iter(swept.values()), (1,))
    _check_game(gan, target, None)
    each = {name: jnp.repeat(getattr(hypers, name), len(keys)) for name in swept}
    shared = replace(hypers, **dict.fromkeys(swept, jnp.float32(0.5)))  # a place-holder within every dial's range
    states, history = _sweep_compiled(gan, _capacity(n), shared, each, target, jnp.tile(keys, settings), n)
    shaped = lambda leaf: leaf.reshape(*settings, len(keys), *leaf.shape[1:])  # noqa: E731
    return jax.tree.map(shaped, states), History(*(shaped(np.asarray(row)[:, :n]) for row in history))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _sweep_compiled(gan, capacity, shared, each, target, keys, n):
    # a dial that all runs share stays one number, so that a switch on it (instance noise) stays a switch under vmap
    def one(own, key):
        hyper = replace(shared, **own)
        return _loop(gan, capacity, hyper, target, _init(gan, hyper, key), n)

    return jax.vmap(one)(each, keys)


def pick(states: State, *index: int) -> State:
    """Take one run out of a sweep: `pick(states, setting, seed)`."""
    return jax.tree.map(lambda leaf: leaf[index], states)
